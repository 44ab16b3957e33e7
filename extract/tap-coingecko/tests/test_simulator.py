"""Against the project's simulator, where it is installed: the SDK's conformance suite, and a day going by."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_coingecko.tap import TapCoinGecko

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("simulator") is None, reason="the project's simulator is not installed")

# The suite builds the tap while tests are collected; the address is filled in once the simulator runs.
SETTINGS: dict[str, Any] = {
    "requests_per_minute": 100_000,
    "api_url": "http://127.0.0.1:9",
    "data_origin": "simulator",
}


@pytest.fixture(scope="module", autouse=True)
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Run the simulator; gives a way to call its commands."""
    folder = tmp_path_factory.mktemp("simulator")

    def call(*arguments: str) -> str:
        done = subprocess.run(
            ["simulator", *arguments, "--state-dir", str(folder)],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
            env={**os.environ, "MELTANO_PROJECT_ROOT": str(folder)},
        )
        return done.stdout

    call("start", "--no-env-file")
    try:
        SETTINGS["api_url"] = json.loads(call("status", "--json"))["url"] + "/coingecko/api/v3"
        yield call
    finally:
        call("stop")


class TestSimulator(
    get_tap_test_class(TapCoinGecko, config=SETTINGS, suite_config=SuiteConfig(max_records_limit=20))  # type: ignore[misc]
):
    """The SDK's suite."""


def test_a_day_later_only_the_new_day_is_new(simulator: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**SETTINGS, "start_date": "2024-10-01"}))
    (tmp_path / "state.json").write_text("{}")

    def run() -> dict[tuple[str, str], Any]:
        command = [sys.executable, "-m", "tap_coingecko", "--config", "config.json", "--state", "state.json"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
        messages = [json.loads(line) for line in done.stdout.splitlines()]
        (tmp_path / "state.json").write_text(json.dumps([m for m in messages if m["type"] == "STATE"][-1]["value"]))
        rows = [m["record"] for m in messages if m["type"] == "RECORD" and m["stream"] == "coingecko_market_chart"]
        return {(row["coin_id"], row["stamp"]): row for row in rows}

    first, again = run(), run()
    simulator("advance", "1")
    later = run()

    assert len({coin for coin, _ in first}) == 3
    assert again.items() <= first.items()
    new = later.keys() - first.keys()
    assert {coin for coin, _ in new} == {coin for coin, _ in first}
    assert len({stamp for _, stamp in new}) == 1
    assert all(later[key] == first[key] for key in later.keys() & first.keys())
