"""Distinguishing a process from another that later got the same number."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_STATE, _START_TIME = 0, 19  # fields of /proc/PID/stat counted after the command's closing bracket; proc(5)
_POLL_SECONDS: Final = 0.05


def start_mark(pid: int) -> str | None:
    """A mark of when a process began, constant over its life.

    Returns:
        Boot id and clock ticks since boot where there is /proc, else the start time that `ps` prints; None when no
        such process runs (a zombie does not).
    """
    if (_PROC / "self" / "stat").exists():
        try:
            fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return None
        return None if fields[_STATE] in "ZX" else f"{boot}/{fields[_START_TIME]}"
    shown = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = shown.stdout.strip().partition(" ")
    return started.strip() if started and not state.startswith("Z") else None


def end(pid: int, mark: str, patience: float) -> None:
    """End a process: TERM, then KILL; a process with another start mark is left alone.

    Args:
        pid: The process.
        mark: Its start mark.
        patience: Seconds between the two signals.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        if start_mark(pid) != mark:
            return
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + patience
        while start_mark(pid) == mark and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
