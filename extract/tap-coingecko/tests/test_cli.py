"""The executable as Meltano runs it: exit status, one sentence, no traceback, no key."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def tap(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str, **config: Any) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "config.json"
        path.write_text(json.dumps({"requests_per_minute": 100_000, **config}))
        return subprocess.run(
            [sys.executable, "-m", "tap_coingecko", "--config", str(path), *arguments],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            env={**os.environ, "TAP_COINGECKO_LOGLEVEL": "DEBUG", "LOGLEVEL": "DEBUG"},
        )

    return run


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that refuses connections, and that nobody else can take meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_unreachable(tap: Callable[..., Any], closed_port: int) -> None:
    url = f"http://127.0.0.1:{closed_port}"

    done = tap(api_url=f"{url}/api/v3")

    assert done.returncode == 1
    assert f"cannot reach {url}: nothing answers there; check `api_url`" in done.stderr
    assert "Traceback" not in done.stderr
    assert '"RECORD"' not in done.stdout


def test_invalid_setting(tap: Callable[..., Any]) -> None:
    done = tap(plan="demo")

    assert done.returncode == 1
    assert "Setting `api_key` is missing: plan demo needs one" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("pattern", "nearest"),
    [("coingecko_market_charts.*", "coingecko_market_chart"), ("!coingecko_olhc.*", "coingecko_ohlc"), ("x.*", "coin")],
)
def test_a_selection_that_names_no_stream(
    tap: Callable[..., Any], simulator: Any, monkeypatch: pytest.MonkeyPatch, pattern: str, nearest: str
) -> None:
    """Meltano itself only warns of it, and loads less than was meant."""
    monkeypatch.setenv("MELTANO_EXTRACT__SELECT", json.dumps(["*.*", "coingecko_ohlc.close", pattern]))

    done = tap(api_url=simulator.api())

    assert (done.returncode, done.stdout) == (1, "")
    stream = pattern.strip("!").partition(".")[0]
    sentence = f"select names {pattern}, but there is no stream {stream}; the nearest is {nearest}"
    assert sentence in done.stderr
    assert done.stderr.count("select names") == 1
    assert simulator.paths() == []


def test_discovery_needs_no_settings(tap: Callable[..., Any]) -> None:
    done = tap("--discover")

    assert done.returncode == 0
    streams = {stream["tap_stream_id"]: stream["key_properties"] for stream in json.loads(done.stdout)["streams"]}
    point = ["coin_id", "vs_currency", "granularity", "stamp"]
    assert streams == {
        "coingecko_asset_platforms": ["id"],
        "coingecko_categories": ["id", "observed_at"],
        "coingecko_coin_details": ["id", "observed_at"],
        "coingecko_coins_list": ["id"],
        "coingecko_coins_markets": ["id", "vs_currency", "observed_at"],
        "coingecko_exchange_rates": ["currency", "observed_at"],
        "coingecko_global": ["observed_at"],
        "coingecko_market_chart": point,
        "coingecko_ohlc": point,
        "coingecko_token": ["coin_id", "date"],
        "coingecko_trending": ["observed_at", "kind", "position"],
    }


def test_one_bad_coin_fails_the_run_at_its_end(tap: Callable[..., Any], simulator: Any) -> None:
    done = tap(api_url=simulator.api(), coins=["bitcoinn", "bitcoin"])

    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "coingecko_coin_details of bitcoinn: CoinGecko refused /coins/bitcoinn with HTTP 404" in last
    assert "coingecko_market_chart of bitcoinn, usd, daily: " in last
    assert "What was sent before is kept; run again to go on from there." in last
    assert "Traceback" not in done.stderr
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    read = {m["stream"] for m in messages if m["type"] == "RECORD"}
    assert len(read) == 11
    assert messages[-1]["type"] == "STATE"


def test_the_connection_test(tap: Callable[..., Any], simulator: Any) -> None:
    assert tap("--test", api_url=simulator.api(), coins=["bitcoin"]).returncode == 0

    done = tap("--test", api_url=simulator.api(), coins=["bitcoinn"])

    assert done.returncode == 1
    assert "CoinGecko refused /coins/bitcoinn with HTTP 404: there is no such coin" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_run_logs_what_it_cost(tap: Callable[..., Any], simulator: Any) -> None:
    done = tap(api_url=simulator.api(), coins=["bitcoin"])

    assert done.returncode == 0
    # Prices of the two streams in one call; the first answer has the time, so no ping is needed.
    assert "10 calls in this run, 10 in 2026-05." in done.stderr
    assert len(simulator.paths()) == 10
