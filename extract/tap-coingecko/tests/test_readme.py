"""What the README documents of streams, keys, plans, calls and settings is what the tap does: calls are counted."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tap_coingecko.plans import PLANS
from tap_coingecko.settings import CONFIG_JSONSCHEMA
from tap_coingecko.tap import TapCoinGecko

README = (Path(__file__).parents[1] / "README.md").read_text()
CHART, TOKEN = "coingecko_market_chart", "coingecko_token"
COINS = ["bitcoin", "ethereum", "dogecoin"]
DAILY = f"`{CHART}`, daily"
#: A column of the table of calls, the plans it stands for, and the one that is tried.
COLUMNS = {
    "keyless, demo": ("keyless", "demo"),
    "basic": ("basic",),
    "analyst and above": ("analyst", "lite", "pro", "enterprise"),
}
STREAMS = list(TapCoinGecko(config={}).streams)


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def table(title: str, first: str) -> list[dict[str, str]]:
    """The rows of the table in a section whose first column has this name."""
    lines = [line.strip("| ").split(" | ") for line in section(title).splitlines() if line.startswith("|")]
    start = next(i for i, cells in enumerate(lines) if cells[0] == first)
    rows = []
    for cells in lines[start + 2 :]:
        if len(cells) != len(lines[start]):
            break
        rows.append(dict(zip(lines[start], cells, strict=True)))
    return rows


CALLS = {row["stream"]: row for row in table("Calls and credits", "stream")}


def selected(name: str) -> tuple[tuple[str, ...], dict[str, Any]]:
    """What a row of the table of calls is about: the streams to run, and settings."""
    if name.startswith("all"):
        return tuple(STREAMS), {}
    if "beside" in name:
        return (CHART, TOKEN), {}
    stream = re.findall("`([^`]+)`", name)[0]
    return (stream,), {"granularities": ["hourly"]} if "hourly" in name else {}


def test_the_table_of_streams_and_keys() -> None:
    streams = {stream.name: tuple(stream.primary_keys) for stream in TapCoinGecko(config={}).streams.values()}

    assert {
        row["stream"].strip("`"): tuple(row["key"].strip("`").split(", ")) for row in table("Streams", "stream")
    } == streams


def test_the_table_of_plans() -> None:
    text = section("Calls and credits")
    documented = re.findall(
        r"^\| `(\w+)` \| (\d+) \|(?: (\d+))? \| (?:(\d+) days|from 2013, hourly from 2018) \|$", text, re.MULTILINE
    )

    assert {name: tuple(int(cell) if cell else None for cell in cells) for name, *cells in documented} == {
        name: (plan.requests_per_minute, plan.monthly_credits, plan.reach_days) for name, plan in PLANS.items()
    }


def test_every_stream_is_in_the_table_of_calls() -> None:
    assert {stream for name in CALLS for stream in selected(name)[0]} == set(STREAMS)
    assert len(CALLS) == len(STREAMS) + 3


def test_the_plans_of_a_column_ask_alike() -> None:
    assert [name for plans in COLUMNS.values() for name in plans] == list(PLANS)
    for plans in COLUMNS.values():
        assert len({(PLANS[name].reach_days, PLANS[name].candles) for name in plans}) == 1


@pytest.fixture(scope="module")
def counted(later: Any, run_at: Callable[..., Any]) -> dict[str, dict[str, int]]:
    """Calls that arrive at the simulator, by row and column of the table, without pings."""
    later.clear()
    year = {"coins": COINS, "start_date": (later.now - timedelta(days=364)).isoformat()}
    found: dict[str, dict[str, int]] = {name: {} for name in CALLS}
    states: dict[tuple[str, str], Any] = {}

    def count(plan: str, name: str, state: Any) -> int:
        key = {"plan": plan, "api_key": "CG-x"} if plan != "keyless" else {}
        streams, settings = selected(name)
        later.clear("requests")
        run = run_at(later.api(plan), *streams, state=state, **year, **key, **settings)
        states[plan, name] = run.state
        log = requests.get(f"{later.url}/_simulator/requests", timeout=30).json()
        assert run.state["credits"]["calls"] == log["total"] + (state["credits"]["calls"] if state else 0)
        assert all(run.records(stream) for stream in streams)
        # Calls of the stream beside are in a row of their own.
        return len(later.paths()) - (int(CALLS[DAILY]["keyless, demo"]) if "beside" in name else 0)

    for column, (plan, *_) in COLUMNS.items():
        for name in CALLS:
            found[name][column] = count(plan, name, None)
    later.post("advance", {"days": 1})
    for name in CALLS:
        counts = {count(plan, name, states[plan, name]) for plan, *_ in COLUMNS.values()}
        (found[name]["later"],) = counts
        found[name]["30 days"] = 30 * found[name]["later"]
    return found


@pytest.mark.parametrize("name", CALLS)
def test_the_table_of_calls(counted: dict[str, dict[str, int]], name: str) -> None:
    assert counted[name] == {column: int(calls) for column, calls in CALLS[name].items() if column != "stream"}


def test_the_total_is_that_of_the_rows() -> None:
    *rows, total = CALLS.values()
    without = [row for name, row in CALLS.items() if row in rows and "hourly" not in name and name != f"`{TOKEN}`"]
    for column in (*COLUMNS, "later", "30 days"):
        assert sum(int(row[column]) for row in without) == int(total[column])


def test_every_setting_named_exists() -> None:
    text = "".join(section(title) for title in ("Settings", "Streams", "How a row of a chart comes about"))
    named = set(re.findall(r"`([a-z]+_[a-z_]+)`", text))
    columns = {"observed_at", "coin_id", "community_data", "public_interest_stats"}
    assert named - columns - set(CONFIG_JSONSCHEMA["properties"]) - set(STREAMS) == set()
    assert len(named & set(CONFIG_JSONSCHEMA["properties"])) >= 9


def test_codes_that_stop_the_run_are_documented() -> None:
    documented = set(re.findall(r"\b1\d{4}\b", section("When something fails")))
    assert documented == {"10002", "10005", "10006", "10010", "10011"}
