"""The keeper and the leash: a program's exit status, and what becomes of it when it is told to end or is forgotten."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from .processes import DEADLINE_SECONDS, IGNORING, LEAVING, alive, pids, until

# Writes its number and what it has heard of, and goes on.
LISTENING = """
import os, pathlib, signal, sys, time
here = pathlib.Path(sys.argv[1])
def heard(number, _frame):
    (here / "heard").write_text(signal.Signals(number).name)
    if len(sys.argv) > 2:
        sys.exit(int(sys.argv[2]))
signal.signal(signal.SIGTERM, heard)
(here / "part").write_text(f"{os.getpid()} {os.getpgid(0)}")
(here / "part").rename(here / "ready")
while True:
    time.sleep(0.05)
"""


def keeper(patience: float, *command: str) -> list[str]:
    return [sys.executable, "-m", "airflow_ext.process_group", str(patience), *command]


def listening(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-c", LISTENING, str(folder), *words]


def numbers(folder: Path) -> tuple[int, int]:
    """The program's number, and its group's."""
    until((folder / "ready").exists, "the program")
    pid, group = (folder / "ready").read_text().split()
    return int(pid), int(group)


def watches(process: psutil.Process, folder: Path) -> bool:
    """Whether a process waits for the end of the program that writes into a folder."""
    try:
        return {"airflow_ext.parent_death", str(folder)} < set(process.cmdline())
    except psutil.Error:
        return False


@pytest.mark.parametrize(
    ("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137), ("kill -TERM $$", 143)]
)
def test_the_programs_status_is_the_keepers_as_a_shell_states_it(script: str, status: int) -> None:
    done = subprocess.run(keeper(5, "/bin/sh", "-c", script), check=False, timeout=DEADLINE_SECONDS)
    assert done.returncode == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_the_program_which_may_take_its_time(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(keeper(600, *listening(tmp_path, "5"))) as process:
        try:
            pid, group = numbers(tmp_path)
            assert group == process.pid
            process.send_signal(number)
            assert process.wait(DEADLINE_SECONDS) == 5
            assert (tmp_path / "heard").read_text() == "SIGTERM"
            assert not alive(pid)
        finally:
            process.kill()


def test_what_does_not_end_in_time_is_killed_with_its_group(tmp_path: Path) -> None:
    with subprocess.Popen(keeper(0.3, *listening(tmp_path))) as process:
        try:
            pid, _ = numbers(tmp_path)
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE_SECONDS) == -signal.SIGKILL
            assert (tmp_path / "heard").read_text() == "SIGTERM", "it was asked first"
            until(lambda: not alive(pid), "the program's end")
        finally:
            process.kill()


def test_a_keeper_whose_parent_is_gone_ends_the_program(tmp_path: Path) -> None:
    forgetting = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:]); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", forgetting, *keeper(600, *listening(tmp_path, "0"))]) as parent:
        try:
            pid, group = numbers(tmp_path)
        finally:
            parent.kill()
    until(lambda: not alive(pid) and not alive(group), "the end of the program and its keeper")
    assert (tmp_path / "heard").read_text() == "SIGTERM"


def test_a_program_whose_keeper_is_killed_ends(tmp_path: Path) -> None:
    with subprocess.Popen(keeper(600, *listening(tmp_path, "0"))) as process:
        try:
            pid, _ = numbers(tmp_path)
        finally:
            process.kill()
    until(lambda: not alive(pid), "the program's end")
    assert (tmp_path / "heard").read_text() == "SIGTERM"


def test_nobody_but_the_keepers_own_group_is_asked_to_end(tmp_path: Path) -> None:
    """It makes a group of its own, whoever started it."""
    beside, kept = tmp_path / "beside", tmp_path / "kept"
    beside.mkdir()
    kept.mkdir()
    with (
        subprocess.Popen(listening(beside, "0")) as other,
        subprocess.Popen(keeper(600, *listening(kept, "0"))) as process,
    ):
        try:
            numbers(beside)
            numbers(kept)
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE_SECONDS) == 0
            assert other.poll() is None
            assert not (beside / "heard").exists()
        finally:
            other.kill()
            process.kill()


@pytest.mark.parametrize("script", [IGNORING, LEAVING], ids=["ignores SIGTERM", "leaves a program that does"])
def test_what_a_killed_keeper_leaves_is_killed_in_time(tmp_path: Path, script: str) -> None:
    start = f"import os, pathlib, signal, subprocess, sys, time; here = pathlib.Path({str(tmp_path)!r})\n{script}"
    with subprocess.Popen(keeper(0.3, sys.executable, "-c", start)) as process:
        try:
            program, below = pids(tmp_path)
        finally:
            process.kill()
    try:
        until(lambda: not alive(program) and not alive(below), "the end of what it ran")
    finally:
        (tmp_path / "end").touch()


def test_a_program_whose_keeper_is_killed_may_take_its_time(tmp_path: Path) -> None:
    """It hears of it, ends on its own account, and nothing watches it after that."""
    with subprocess.Popen(keeper(600, *listening(tmp_path, "0"))) as process:
        try:
            pid, group = numbers(tmp_path)
            (watcher,) = [one for one in psutil.process_iter() if watches(one, tmp_path)]
            assert os.getpgid(watcher.pid) != group
            assert watcher.cwd() == "/"
        finally:
            process.kill()
    until(lambda: not alive(pid) and not alive(watcher.pid), "the end of the program and of what watches it")
    assert (tmp_path / "heard").read_text() == "SIGTERM"
