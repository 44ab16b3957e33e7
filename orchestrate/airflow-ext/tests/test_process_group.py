"""What becomes of a program and all that it has started when its parent is killed."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from .processes import DEADLINE_SECONDS, IGNORING, LEAVING, alive, pids, until

# Writes its number and its group's, and of which signal it has heard, at which it ends.
LISTENING = """
import os, pathlib, signal, sys, time
here = pathlib.Path(sys.argv[1])
def heard(number, _frame):
    (here / "heard").write_text(signal.Signals(number).name)
    sys.exit()
signal.signal(signal.SIGTERM, heard)
(here / "part").write_text(f"{os.getpid()} {os.getpgid(0)}")
(here / "part").rename(here / "ready")
while True:
    time.sleep(0.05)
"""
PARENT = "import subprocess, sys; subprocess.Popen(sys.argv[2:], pass_fds=eval(sys.argv[1])).wait()"


def grouped(patience: float, *command: str) -> list[str]:
    return [sys.executable, "-m", "airflow_ext.process_group", str(patience), *command]


def listening(folder: Path) -> list[str]:
    return [sys.executable, "-c", LISTENING, str(folder)]


@contextmanager
def parent(command: list[str], *locks: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that has started a command; it is killed with the block."""
    with subprocess.Popen([sys.executable, "-c", PARENT, str(locks), *command], pass_fds=locks) as process:
        try:
            yield process
        finally:
            process.kill()


def numbers(folder: Path) -> tuple[int, int]:
    """The program's number, and its group's."""
    until((folder / "ready").exists, "the program")
    pid, group = (folder / "ready").read_text().split()
    return int(pid), int(group)


def watchers(folder: Path) -> list[psutil.Process]:
    """The processes that wait for the end of the program that writes into a folder."""
    found = [(process, process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    return [one for one, words in found if words[1:3] == ["-m", "airflow_ext.process_group"] and str(folder) in words]


@pytest.mark.parametrize(("script", "status"), [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", -9)])
def test_the_programs_status_is_its_own_and_nothing_watches_it_any_more(
    tmp_path: Path, script: str, status: int
) -> None:
    command = grouped(600, "/bin/sh", "-c", script, str(tmp_path))
    assert subprocess.run(command, check=False, timeout=DEADLINE_SECONDS).returncode == status
    until(lambda: not watchers(tmp_path), "the watcher's end")


def test_a_program_whose_parent_is_killed_is_asked_to_end_with_its_group_and_nobody_else(tmp_path: Path) -> None:
    beside, kept = tmp_path / "beside", tmp_path / "kept"
    beside.mkdir()
    kept.mkdir()
    with subprocess.Popen(listening(beside)) as other:
        try:
            with parent(grouped(600, *listening(kept))):
                numbers(beside)
                pid, group = numbers(kept)
                assert pid == group
                (watcher,) = watchers(kept)
                assert os.getpgid(watcher.pid) != group
                assert watcher.cwd() == "/"
            until(lambda: not alive(pid) and not alive(watcher.pid), "the end of the program and of what watches it")
            assert (kept / "heard").read_text() == "SIGTERM"
            assert other.poll() is None
            assert not (beside / "heard").exists()
        finally:
            other.kill()


@pytest.mark.parametrize("script", [IGNORING, LEAVING], ids=["ignores SIGTERM", "leaves a program that does"])
def test_what_does_not_end_is_killed_in_time(tmp_path: Path, script: str) -> None:
    start = f"import os, pathlib, signal, subprocess, sys, time; here = pathlib.Path({str(tmp_path)!r})\n{script}"
    try:
        with parent(grouped(0.3, sys.executable, "-c", start)):
            program, below = pids(tmp_path)
        until(lambda: not alive(program) and not alive(below), "the end of what it ran")
    finally:
        (tmp_path / "end").touch()


def test_a_lock_that_is_passed_on_is_free_when_the_whole_group_has_ended(tmp_path: Path) -> None:
    """Not when the program has: what it leaves may still write."""
    start = f"import os, pathlib, signal, subprocess, sys, time; here = pathlib.Path({str(tmp_path)!r})\n{LEAVING}"
    lock = tmp_path / "lock"

    def is_free() -> bool:
        with lock.open() as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    try:
        with lock.open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            with parent(grouped(600, sys.executable, "-c", start), handle.fileno()):
                program, below = pids(tmp_path)
        until(lambda: not alive(program), "the program's end")
        assert alive(below)
        assert not is_free()
    finally:
        (tmp_path / "end").touch()
    until(lambda: not alive(below) and is_free(), "the end of the group, and with it of the lock")
