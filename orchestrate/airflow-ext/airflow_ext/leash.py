"""Runs a program that ends when its parent does, killed or not: `python -m airflow_ext.leash PROGRAM ...`."""

import ctypes
import os
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


if __name__ == "__main__":
    tie_to_parent()
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - a program and its arguments, no shell
