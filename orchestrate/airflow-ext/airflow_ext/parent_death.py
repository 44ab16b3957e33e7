"""Runs a program that ends when its parent does, killed or not: `python -m airflow_ext.parent_death PATIENCE PROGRAM ...`.

When its parent is gone the program gets SIGTERM, and its process group SIGKILL as soon as the program has ended, at
the latest after PATIENCE seconds.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys

_PR_SET_PDEATHSIG = 1  # https://man7.org/linux/man-pages/man2/pr_set_pdeathsig.2const.html


def tie_to_parent() -> None:
    """Let the kernel send SIGTERM to this process when its parent dies; elsewhere than on Linux this does nothing."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it died meanwhile
        os.kill(os.getpid(), signal.SIGTERM)


def _watch(parent: int, program: int, group: int, patience: float) -> None:
    """Wait for the end of the program, or of its parent, after which nothing of the program's group is left.

    Args:
        parent: Descriptor of the parent's process.
        program: Descriptor of the program's process.
        group: The program's process group.
        patience: Seconds that the program may take to end after its parent.
    """
    either, its_own = select.poll(), select.poll()
    for descriptor in (parent, program):
        either.register(descriptor, select.POLLIN)
    its_own.register(program, select.POLLIN)
    if parent in {descriptor for descriptor, _ in either.poll()}:
        its_own.poll(patience * 1000)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def _start_watching(patience: float) -> None:
    """Leave a process behind that watches this one; it is nobody's child and holds none of this one's files."""
    parent, program, group = os.pidfd_open(os.getppid()), os.pidfd_open(os.getpid()), os.getpgid(0)
    if (child := os.fork()) > 0:
        os.waitpid(child, 0)
        return
    if os.fork() == 0:
        os.setsid()  # the group may be killed, and its members counted
        os.chdir("/")
        low, high = sorted((parent, program))
        for first, beyond in ((0, low), (low + 1, high), (high + 1, os.sysconf("SC_OPEN_MAX"))):
            os.closerange(first, beyond)
        _watch(parent, program, group, patience)
    os._exit(0)


if __name__ == "__main__":
    tie_to_parent()
    if sys.platform.startswith("linux"):
        _start_watching(float(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - a program and its arguments, no shell
