"""Processes are known by number and start, and only the right one is ended."""

import dataclasses
import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulator.daemon import StateFolder
from simulator.processes import end, start_mark
from simulator.settings import Settings

STUBBORN = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); input()"


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that ignores TERM and waits."""
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            assert select.select([process.stdout], [], [], 60)[0], "the process does not come up"
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


def test_a_mark_is_constant_and_differs_between_processes(stranger: subprocess.Popen[bytes]) -> None:
    own = start_mark(os.getpid())
    assert own is not None
    assert start_mark(os.getpid()) == own
    assert start_mark(stranger.pid) not in (None, own)


def test_a_dead_process_has_no_mark_even_before_it_is_reaped(stranger: subprocess.Popen[bytes]) -> None:
    stranger.kill()
    os.waitid(os.P_PID, stranger.pid, os.WEXITED | os.WNOWAIT)
    assert start_mark(stranger.pid) is None


def test_a_process_with_another_mark_is_left_alone(stranger: subprocess.Popen[bytes]) -> None:
    end(stranger.pid, "another mark", patience=0.1)
    assert stranger.poll() is None


def test_a_process_that_ignores_term_is_killed(stranger: subprocess.Popen[bytes]) -> None:
    mark = start_mark(stranger.pid)
    assert mark is not None
    end(stranger.pid, mark, patience=0.2)
    assert stranger.wait(timeout=60) < 0


def test_a_record_counts_only_for_the_process_that_wrote_it(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    record = folder.write(Settings(state_dir=tmp_path), os.getpid(), 4000)
    assert folder.running() == record
    recycled = dataclasses.replace(record, started="an earlier process of this number")
    (folder.path / "server.json").write_text(json.dumps(dataclasses.asdict(recycled)))
    assert folder.running() is None


def test_it_listens_on_loopback_unless_another_address_is_asked_for(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    with folder.listen(None) as first, folder.listen(None, "127.0.0.2") as second:
        assert first.getsockname()[0] == "127.0.0.1"
        assert second.getsockname()[0] == "127.0.0.2"
