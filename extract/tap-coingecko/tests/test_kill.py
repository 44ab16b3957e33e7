"""Twenty kill -9 in the middle of a run, each resumed from the last state: no point is lost, none is there twice."""

# ruff: noqa: ANN401 - the stand-ins are fixtures, and their classes live in conftest, which tests do not import
from __future__ import annotations

import json
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KILLS = 20
COINS = ("bitcoin", "dogecoin")
START = datetime(2024, 8, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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


def run_tap(folder: Path, config: dict[str, Any], collector: Collector, limit: int | None) -> int:
    """Run the tap, and kill it after so many bytes; give the bytes that came."""
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
            if limit is not None and written >= limit:
                tap.kill()
    assert limit is not None or tap.returncode == 0
    return written


def truth(simulator: Any, coin: str, granularity: str) -> dict[str, Any]:
    """The prices of a chart up to now, read without the tap, its live value left out."""
    now = datetime.fromisoformat(requests.get(f"{simulator.url}/_simulator/status", timeout=30).json()["now"])
    found: dict[str, Any] = {}
    for start in (START + timedelta(days=days) for days in range(0, 400, 80)):
        if start < now:
            window = {"from": int(start.timestamp()), "to": int(min(start + timedelta(days=80), now).timestamp())}
            chart = simulator.get(
                f"/coins/{coin}/market_chart/range",
                vs_currency="usd",
                interval=granularity,
                precision="full",
                **window,
            )
            for stamp, price in chart["prices"]:
                found[(EPOCH + timedelta(milliseconds=stamp)).isoformat(timespec="milliseconds")] = price
    del found[max(found)]
    return found


def test_twenty_kills(start_simulator: Callable[..., Any], tmp_path: Path) -> None:
    simulator = start_simulator()
    dice = random.Random("coingecko")  # noqa: S311 - a repeatable test
    config = {
        "api_url": simulator.api("keyless"),
        "requests_per_minute": 100_000,
        "coins": list(COINS),
        "granularities": ["daily", "hourly"],
        "start_date": START.date().isoformat(),
    }
    size = run_tap(tmp_path, config, Collector(), None)
    collector = Collector()
    landed = set()
    for _ in range(KILLS):
        before = collector.bookmarks()
        written = run_tap(tmp_path, config, collector, dice.randrange(1, size // 3))
        landed.add(written)
        # A bookmark is never ahead of its rows, and never goes back.
        after = collector.bookmarks()
        assert all(after[part] >= mark for part, mark in before.items())
        for (stream, *part), mark in after.items():
            column = "date" if stream == "coingecko_token" else "stamp"
            assert any(
                row[column] == mark and set(part) <= set(map(str, row.values()))
                for row in collector.tables[stream].values()
            )
        # Time goes by, so that each run sees another live value.
        simulator.post("advance", {"minutes": dice.randrange(7, 500)})
    simulator.post("advance", {"hours": 2})
    run_tap(tmp_path, config, collector, None)

    whole = Collector()
    run_tap(tmp_path, config, whole, None)
    assert len(landed) > KILLS / 2
    for stream in POINTS:
        # Candles reach back 30 days; those of earlier runs are older.
        expected = whole.tables[stream]
        first = min(key[-1] for key in expected)
        found = {key: row for key, row in collector.tables[stream].items() if key[-1] >= first}
        assert found == expected, stream
    for coin in COINS:
        for granularity in ("daily", "hourly"):
            rows = collector.tables["coingecko_market_chart"]
            found = {key[-1]: row["price"] for key, row in rows.items() if key[0] == coin and key[2] == granularity}
            assert found == truth(simulator, coin, granularity)
            assert len(found) > 160 * (24 if granularity == "hourly" else 1)
