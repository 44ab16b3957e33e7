"""kill -9 in the middle of a run, then another from the last state: no point is lost, none is there twice."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

START = datetime(2024, 8, 1, tzinfo=UTC)
POINTS = ("coingecko_market_chart", "coingecko_token", "coingecko_ohlc")


class Collector:
    """A loader in memory that upserts by key and keeps the latest state."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
        self.keys: dict[str, list[str]] = {}
        self.state: dict[str, Any] | None = None

    def take(self, line: bytes) -> None:
        message = json.loads(line, parse_float=Decimal)
        match message["type"]:
            case "SCHEMA":
                self.keys[message["stream"]] = message["key_properties"]
            case "RECORD":
                row = message["record"]
                key = tuple(row[name] for name in self.keys[message["stream"]])
                self.tables.setdefault(message["stream"], {})[key] = row
            case "STATE":
                self.state = message["value"]

    def bookmarks(self) -> dict[tuple[str, ...], str]:
        """The bookmark of each part of the streams of points."""
        streams = (self.state or {}).get("bookmarks", {})
        return {
            (name, *part["context"].values()): part["replication_key_value"]
            for name in POINTS
            for part in streams.get(name, {}).get("partitions", [])
            if "replication_key_value" in part
        }


def run_tap(
    folder: Path, config: dict[str, Any], collector: Collector, over: Callable[[int], bool] = lambda _: False
) -> tuple[bool, int]:
    """Run the tap, and kill it when `over` holds for the bytes that came; give whether it was killed, and the bytes."""
    (folder / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "tap_coingecko", "--config", str(folder / "config.json")]
    if collector.state is not None:
        (folder / "state.json").write_text(json.dumps(collector.state))
        command += ["--state", str(folder / "state.json")]
    written = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as tap:
        assert tap.stdout
        for line in tap.stdout:
            written += len(line)
            if line.endswith(b"\n"):  # a killed tap may leave half a line
                collector.take(line)
            if over(written):
                tap.kill()
    assert tap.returncode in {0, -signal.SIGKILL}
    return tap.returncode != 0, written


def check_bookmarks(collector: Collector, before: dict[tuple[str, ...], str]) -> None:
    """A bookmark is never ahead of its rows, and never goes back."""
    after = collector.bookmarks()
    assert all(after[part] >= mark for part, mark in before.items())
    for (stream, *part), mark in after.items():
        column = "date" if stream == "coingecko_token" else "stamp"
        assert any(
            row[column] == mark and set(part) <= set(map(str, row.values()))
            for row in collector.tables[stream].values()
        )


def check_tables(simulator: Any, collector: Collector, whole: Collector) -> None:
    """The tables are those of a run that nobody killed, and the charts those of the simulator."""
    for stream in POINTS:
        # Candles reach back 30 days; those of earlier runs are older.
        expected = whole.tables[stream]
        first = min(key[-1] for key in expected)
        found = {key: row for key, row in collector.tables[stream].items() if key[-1] >= first}
        assert found == expected, stream
    rows = collector.tables["coingecko_market_chart"]
    for coin in {key[0] for key in rows}:
        for granularity, a_day in (("daily", 1), ("hourly", 24)):
            prices = {key[-1]: row["price"] for key, row in rows.items() if key[0] == coin and key[2] == granularity}
            truth = simulator.points(coin, "usd", START, granularity)
            assert prices == {stamp: price for stamp, (price, *_) in truth.items()}
            assert len(prices) > 160 * a_day


@pytest.fixture
def simulator(start_simulator: Callable[..., Any]) -> Any:
    """One of the test's own, since its clock moves."""
    return start_simulator()


@pytest.fixture
def config(simulator: Any) -> dict[str, Any]:
    return {
        "api_url": simulator.api("keyless"),
        "requests_per_minute": 100_000,
        "coins": ["bitcoin", "dogecoin"],
        "granularities": ["daily", "hourly"],
        "start_date": START.date().isoformat(),
    }


def test_a_kill_in_the_second_window_of_a_backfill(simulator: Any, config: dict[str, Any], tmp_path: Path) -> None:
    config["coins"] = ["bitcoin"]
    hourly = ("coingecko_market_chart", "bitcoin", "usd", "hourly")
    collector = Collector()
    rows: list[int] = []

    def later(_: int) -> bool:
        """Whether the first window is done, and a hundred rows of the second one came."""
        if hourly in collector.bookmarks():
            rows.append(len(collector.tables[hourly[0]]))
        return bool(rows) and rows[-1] >= rows[0] + 100

    assert run_tap(tmp_path, config, collector, later)[0]
    marks = collector.bookmarks()
    assert any(key[2] == "hourly" and key[3] > marks[hourly] for key in collector.tables[hourly[0]])
    check_bookmarks(collector, {})
    simulator.post("advance", {"hours": 2})
    assert run_tap(tmp_path, config, collector)[0] is False
    check_bookmarks(collector, marks)

    whole = Collector()
    run_tap(tmp_path, config, whole)
    check_tables(simulator, collector, whole)


@pytest.mark.long(part="kills")
def test_twenty_kills(simulator: Any, config: dict[str, Any], tmp_path: Path) -> None:
    dice = random.Random("coingecko")  # noqa: S311 - a repeatable test
    _, size = run_tap(tmp_path, config, Collector())
    collector = Collector()
    landed: list[int] = []
    most = size // 3
    while len(landed) < 20:
        before, limit = collector.bookmarks(), dice.randrange(1, most)
        killed, written = run_tap(tmp_path, config, collector, lambda written, limit=limit: written >= limit)
        if killed:
            landed.append(written)
        else:
            most = written  # all is read: the runs to come are as short as this one
        check_bookmarks(collector, before)
        # Time goes by, so that each run sees another live value.
        simulator.post("advance", {"minutes": dice.randrange(7, 500)})
    simulator.post("advance", {"hours": 2})
    assert run_tap(tmp_path, config, collector)[0] is False

    whole = Collector()
    run_tap(tmp_path, config, whole)
    assert len(set(landed)) > 10
    check_tables(simulator, collector, whole)
