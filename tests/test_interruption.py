"""A run killed the hard way, at three stages: the next one cleans up after it and ends at the same tables."""

import subprocess
from collections.abc import Callable

import psutil
import pytest

from checkout import Checkout, kill_group, make
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
    words, frozen = STAGES[stage]
    kill_group(run_until(checkout, words))
    if frozen:
        left = processes_of_a_run(checkout)
        assert left
        for process in left:
            process.suspend()

    again = checkout.make("run")

    assert processes_of_a_run(checkout) == []
    assert checkout.tables() == undisturbed, again.stdout


def test_two_runs_at_once_are_refused(checkout: Checkout, undisturbed: dict[str, tuple[int, str]]) -> None:
    first = run_until(checkout, "tap-coingecko")
    assert "another run of this project is going" in checkout.fails(*make("run"))
    output = first.communicate(timeout=600)[0]
    assert first.returncode == 0, output
    assert checkout.tables() == undisturbed


def test_stop_ends_a_run_and_both_servers(checkout: Checkout, undisturbed: object) -> None:
    run = run_until(checkout, "tap-coingecko")
    checkout.make("stop")
    run.communicate(timeout=300)
    assert run.returncode != 0
    assert [process for process in psutil.process_iter(["cmdline"]) if str(checkout.root) in str(process.info)] == []


def run_until(checkout: Checkout, words: str) -> "subprocess.Popen[str]":
    """Start a run and wait until its log has some words."""
    log = checkout.root / ".state/run/pipeline.log"
    log.unlink(missing_ok=True)
    run = checkout.start(*make("run"))

    def is_logged() -> bool:
        found = log.exists() and words in log.read_text(errors="replace")
        assert found or run.poll() is None, f"the run ended before it logged {words!r}"
        return found

    wait_for(is_logged, words, pause=0.05)
    return run


def processes_of_a_run(checkout: Checkout) -> list[psutil.Process]:
    """What a run of this checkout has started and not ended; its two servers are meant to stay."""
    found = []
    for process in psutil.process_iter(["environ"]):
        environ = process.info["environ"] or {}
        if "CRYPTO_ELT_RUN_ID" in environ and environ.get("MELTANO_PROJECT_ROOT") == str(checkout.root):
            found.append(process)
    return found
