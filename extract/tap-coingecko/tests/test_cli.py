"""The executable as Meltano runs it: exit status, one sentence, no traceback, no key."""

# ruff: noqa: ANN401 - the stand-in is a fixture, and its class lives in conftest, which tests do not import
from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug import Response

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY = "CG-secret0123456789"


@pytest.fixture
def tap(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str, **config: Any) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "config.json"
        path.write_text(json.dumps({"requests_per_minute": 100_000, **config}))
        return subprocess.run(
            [sys.executable, "-m", "tap_coingecko", "--config", str(path), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "TAP_COINGECKO_LOGLEVEL": "DEBUG", "LOGLEVEL": "DEBUG"},
        )

    return run


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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


def test_discovery_needs_no_settings(tap: Callable[..., Any]) -> None:
    done = tap("--discover")

    assert done.returncode == 0
    streams = {stream["tap_stream_id"]: stream["key_properties"] for stream in json.loads(done.stdout)["streams"]}
    assert streams == {
        "coingecko_coins_markets": ["id", "vs_currency", "observed_at"],
        "coingecko_market_chart": ["coin_id", "vs_currency", "granularity", "stamp"],
    }


@pytest.mark.parametrize(
    "failure",
    [
        None,
        (401, f'{{"status":{{"error_code":10002,"error_message":"unknown key {KEY}"}}}}'),
        (200, "["),
    ],
)
def test_the_key_is_in_no_output(tap: Callable[..., Any], source: Any, failure: tuple[int, str] | None) -> None:
    source.markets["bitcoin"] = '{"id":"bitcoin","symbol":"btc","name":"Bitcoin"}'
    source.charts["bitcoin"] = []
    source.failures = [Response(failure[1], failure[0])] if failure else []

    done = tap(api_url=source.url, plan="demo", api_key=KEY, coins=["bitcoin"])

    assert source.requests[0].headers["x-cg-demo-api-key"] == KEY
    assert KEY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == (1 if failure and failure[0] == 401 else 0)
