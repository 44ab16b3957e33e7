"""A run killed the hard way, at three stages: the next one cleans up after it and ends at the same tables."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from checkout import BASE_PYTHON, Checkout, kill_group
from waiting import wait_for
from worlds import MONTHS_END, World

# The stage a run is in, by what it leaves in its log; and whether what the kill leaves behind is frozen, so that it can
# neither end by itself nor tidy up when asked: the next run then has to kill it, and to take over Meltano's state ids.
STAGES = {
    "extracting the market": ("tap-coingecko", False),
    "loading the chains": ("bitcoin_transactions", True),
    "building the models": ("OK created sql view model", False),
}


@pytest.fixture(scope="module")
def undisturbed(filled: Callable[[World], Checkout]) -> dict[str, tuple[int, str]]:
    checkout = filled(MONTHS_END)
    checkout.environ |= MONTHS_END.served | MONTHS_END.loaded
    return checkout.tables()


@pytest.mark.parametrize(
    "stage",
    [
        stage if stage == "loading the chains" else pytest.param(stage, marks=pytest.mark.long(part="kills"))
        for stage in STAGES
    ],
)
def test_a_killed_run_leaves_no_trace(checkout: Checkout, undisturbed: dict[str, tuple[int, str]], stage: str) -> None:
    checkout.run("warehouse", "reset", "--yes")
    log = checkout.root / ".state/run/pipeline.log"
    log.unlink(missing_ok=True)
    run = checkout.start("make", f"PYTHON={BASE_PYTHON}", "run")
    words, frozen = STAGES[stage]
    wait_until_it_says(run, log, words)
    kill_group(run)
    if frozen:
        left = processes_of_a_run(checkout)
        assert left
        for process in left:
            process.suspend()

    again = checkout.make("run")

    assert processes_of_a_run(checkout) == []
    assert checkout.tables() == undisturbed, again.stdout


def test_two_runs_at_once_are_refused(checkout: Checkout, undisturbed: dict[str, tuple[int, str]]) -> None:
    log = checkout.root / ".state/run/pipeline.log"
    log.unlink(missing_ok=True)
    first = checkout.start("make", f"PYTHON={BASE_PYTHON}", "run")
    wait_until_it_says(first, log, "tap-coingecko")
    second = checkout.make("run", check=False)
    assert second.returncode != 0
    assert "another run of this project is going" in second.stderr
    said = first.communicate(timeout=600)[0]
    assert first.returncode == 0, said
    assert checkout.tables() == undisturbed


def test_stop_ends_a_run_and_both_servers(checkout: Checkout, undisturbed: object) -> None:
    log = checkout.root / ".state/run/pipeline.log"
    log.unlink(missing_ok=True)
    run = checkout.start("make", f"PYTHON={BASE_PYTHON}", "run")
    wait_until_it_says(run, log, "tap-coingecko")
    checkout.make("stop")
    run.communicate(timeout=300)
    assert run.returncode != 0
    assert [process for process in psutil.process_iter(["cmdline"]) if str(checkout.root) in str(process.info)] == []


def wait_until_it_says(run: "subprocess.Popen[str]", log: Path, words: str) -> None:
    def said() -> bool:
        found = log.exists() and words in log.read_text(errors="replace")
        assert found or run.poll() is None, f"the run ended before it said {words!r}"
        return found

    wait_for(said, words, pause=0.05)


def processes_of_a_run(checkout: Checkout) -> list[psutil.Process]:
    """What a run of this checkout has started and not ended; its two servers are meant to stay."""
    found = []
    for process in psutil.process_iter(["environ"]):
        environ = process.info["environ"] or {}
        if "CRYPTO_ELT_RUN_ID" in environ and environ.get("MELTANO_PROJECT_ROOT") == str(checkout.root):
            found.append(process)
    return found
