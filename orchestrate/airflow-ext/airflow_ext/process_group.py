"""Runs a program whose process group ends with its parent: `python -m airflow_ext.process_group PATIENCE PROGRAM ...`.

The program takes this process's place and leads a group of its own. A watcher, which is nobody's child, waits until
the program ends. Where the parent ends first, however it died, the group gets SIGTERM, and what is left of it after
PATIENCE seconds SIGKILL. The watcher holds the descriptors that were passed on, such as locks, until then.
"""

import os
import select
import signal
import sys
import time
from contextlib import suppress

import psutil

_POLL_SECONDS = 0.2


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _is_alive(group: int) -> bool:
    """Whether anything of a process group lives."""
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError):
            if os.getpgid(process.pid) == group and _lives(process):
                return True
    return False


def _await_one(processes: list[psutil.Process], descriptors: list[int]) -> None:
    """Wait until one of the processes ends: Linux says so at once, other systems are asked."""
    if descriptors:
        ends = select.poll()
        for descriptor in descriptors:
            ends.register(descriptor, select.POLLIN)
        ends.poll()
    while all(map(_lives, processes)):
        time.sleep(_POLL_SECONDS)


def _end_group(group: int, patience: float) -> None:
    deadline = time.monotonic() + patience
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
        while _is_alive(group):
            if time.monotonic() > deadline:
                os.killpg(group, signal.SIGKILL)
            time.sleep(_POLL_SECONDS)


def _start_watcher(patience: float) -> None:
    parent, program = psutil.Process(os.getppid()), psutil.Process()
    both = [parent, program]
    descriptors = [os.pidfd_open(one.pid) for one in both] if sys.platform.startswith("linux") else []
    if (child := os.fork()) > 0:
        os.waitpid(child, 0)
        return
    os.setsid()  # out of the group, which may be killed
    if os.fork() == 0:
        os.chdir("/")
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in range(3):  # whoever reads what the program prints waits for all who could
            os.dup2(nowhere, descriptor)
        _await_one(both, descriptors)
        if not _lives(parent):
            _end_group(program.pid, patience)
    os._exit(0)


if __name__ == "__main__":
    if os.getpgid(0) != os.getpid():
        os.setpgid(0, 0)
    _start_watcher(float(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - a program and its arguments, no shell
