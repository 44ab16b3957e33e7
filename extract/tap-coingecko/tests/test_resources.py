"""No memory, and an output that takes no more: one sentence, exit status 1, and the next run reads what is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TRENDING = "coingecko_trending"
KEPT = "What was sent before is kept; run again to go on from there."


NO_MEMORY = """
from tap_coingecko.snapshots import GlobalStream
from tap_coingecko.tap import TapCoinGecko
def full(*_arguments):
    raise MemoryError
GlobalStream.rows = full
TapCoinGecko.cli()
"""


@pytest.fixture
def failing(simulator: Any, tmp_path: Path) -> Callable[..., str]:
    """Run the tap as a process, and give what it says of its failure."""

    def run(*program: str, stdout: Any = subprocess.DEVNULL) -> str:
        path = tmp_path / "config.json"
        path.write_text(json.dumps({"api_url": simulator.api(), "requests_per_minute": 100_000, "coins": ["bitcoin"]}))
        command = [sys.executable, *program, "--config", str(path)]
        done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=600, check=False)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        (said,) = [line for line in done.stderr.splitlines() if KEPT in line]
        return said

    return run


def test_no_memory(failing: Callable[..., str]) -> None:
    said = failing("-c", NO_MEMORY)

    assert "the memory did not suffice; give the tap more (ulimit -v, a container's limit). " in said


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_takes_no_more(
    failing: Callable[..., str], run_tap: Callable[..., Any], unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with Path("/dev/full").open("w") as full:
        said = failing("-m", "tap_coingecko", stdout=full)

    assert "the messages cannot be written (No space left on device); make space for them. " in said
    assert run_tap(TRENDING).records(TRENDING) != []
