"""The run lock, and the ending of what a killed run has left."""

import fcntl
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from console.errors import ConsoleError
from console.ownership import RUN_ID_VARIABLE, end_processes_of, end_recorded_run, exclusive_run

LIMIT = 60  # seconds, far more than anything here takes
HOLDER = """
import sys, time
from pathlib import Path
from console.ownership import exclusive_run
with exclusive_run(Path(sys.argv[1])):
    print("ready", flush=True)
    time.sleep(600)
"""
SLEEPER = "import time; print('ready', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"


def started(code: str, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
    """A process that has said that it is ready."""
    command = [sys.executable, "-c", code, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **variables})
    assert process.stdout is not None
    said = process.stdout.readline() if select.select([process.stdout], [], [], LIMIT)[0] else ""
    if said != "ready\n":
        reap(process)
        pytest.fail(f"the process was not ready after {LIMIT} s, or ended: {process.returncode}")
    return process


def hold(folder: Path) -> "subprocess.Popen[str]":
    return started(HOLDER, str(folder))


def sleeper(run_id: str, code: str = SLEEPER) -> "subprocess.Popen[str]":
    return started(code, **{RUN_ID_VARIABLE: run_id})


def reap(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait(LIMIT)
    assert process.stdout is not None
    process.stdout.close()


def test_a_second_run_is_refused_and_names_the_first(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    try:
        with pytest.raises(ConsoleError, match=f"process {holder.pid}"), exclusive_run(tmp_path):
            pass
    finally:
        reap(holder)


def test_the_lock_of_a_killed_run_is_free_and_its_death_is_known(tmp_path: Path) -> None:
    reap(hold(tmp_path))
    with exclusive_run(tmp_path) as run:
        assert run.after_a_dead_run


def test_a_killed_run_is_remembered_for_as_long_as_meltano_holds_its_state_ids(tmp_path: Path) -> None:
    """Five minutes, whatever has run since."""
    with exclusive_run(tmp_path) as run:
        assert not run.after_a_dead_run
    reap(hold(tmp_path))
    for minutes, is_held in ((0, True), (5, True), (7, False)):
        with exclusive_run(tmp_path) as run:
            pass
        then = time.time() - 60 * minutes
        os.utime(tmp_path / "killed", (then, then))
        with exclusive_run(tmp_path) as run:
            assert run.after_a_dead_run is is_held


def test_the_holder_is_named_after_a_killed_one_too(tmp_path: Path) -> None:
    reap(hold(tmp_path))
    holder = hold(tmp_path)
    try:
        with pytest.raises(ConsoleError, match=rf"\(process {holder.pid}\)"), exclusive_run(tmp_path):
            pass
    finally:
        reap(holder)


def test_a_holder_that_has_not_said_its_number_is_unknown(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ConsoleError, match="process unknown"), exclusive_run(tmp_path):
            pass


def test_a_run_that_failed_in_good_order_is_not_a_dead_one(tmp_path: Path) -> None:
    with pytest.raises(ConsoleError, match="no"), exclusive_run(tmp_path):
        raise ConsoleError("no")
    with exclusive_run(tmp_path) as run:
        assert not run.after_a_dead_run


def test_leftovers_of_a_killed_run_are_ended_and_nothing_else(tmp_path: Path) -> None:
    leftover, stranger = sleeper("dead"), sleeper("other")
    (tmp_path / "run.json").write_text(json.dumps({"run_id": "dead", "pid": 1, "created": 0.0}))
    try:
        with exclusive_run(tmp_path):
            leftover.wait(LIMIT)
            assert stranger.poll() is None
    finally:
        reap(leftover)
        reap(stranger)


def test_a_leftover_that_ignores_the_polite_signal_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.ownership._PATIENCE_SECONDS", 0.5)
    stubborn = sleeper("stubborn", STUBBORN)
    try:
        assert end_processes_of("stubborn") == 1
        stubborn.wait(LIMIT)
    finally:
        reap(stubborn)


def test_stop_spares_a_process_that_only_inherited_the_number(tmp_path: Path) -> None:
    stranger = sleeper("unrelated")
    (tmp_path / "run.json").write_text(json.dumps({"run_id": "gone", "pid": stranger.pid, "created": 1.0}))
    try:
        assert not end_recorded_run(tmp_path)
        assert stranger.poll() is None
    finally:
        reap(stranger)


def test_stop_ends_a_run_that_is_going(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    assert end_recorded_run(tmp_path)
    assert not psutil.pid_exists(holder.pid)
    reap(holder)


def test_stop_ends_what_a_killed_run_has_left(tmp_path: Path) -> None:
    leftover = sleeper("dead")
    try:
        (tmp_path / "run.json").write_text(json.dumps({"run_id": "dead", "pid": os.getpid(), "created": 0.0}))
        assert end_recorded_run(tmp_path)
        leftover.wait(LIMIT)
        assert not end_recorded_run(tmp_path)
    finally:
        reap(leftover)


@pytest.mark.parametrize("record", [None, '{"run_id": "de'])
def test_stop_without_a_run_ends_nothing(tmp_path: Path, record: str | None) -> None:
    if record is not None:
        (tmp_path / "run.json").write_text(record)
    assert not end_recorded_run(tmp_path)


def test_a_record_cut_short_by_a_crash_counts_as_a_dead_run(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"run_id": "de')
    with exclusive_run(tmp_path) as run:
        assert run.after_a_dead_run
