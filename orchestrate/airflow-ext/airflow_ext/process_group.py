"""Runs a program that leaves nothing behind: `python -m airflow_ext.process_group PATIENCE PROGRAM ...`.

It leads a process group of its own. When it is told to end, or when its parent is gone, however that died, the whole
group gets SIGTERM, and what is left of it after PATIENCE seconds SIGKILL.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from types import FrameType

from airflow_ext.parent_death import tie_to_parent

_POLL_SECONDS = 0.2


def _is_shared() -> bool:
    """Whether another process of this one's group lives, such as what the program had started and left behind."""
    import psutil  # noqa: PLC0415 - takes time, and only an end by force needs it

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            is_of_group = process.pid != os.getpid() and os.getpgid(process.pid) == os.getpgid(0)
            if is_of_group and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False


def keep(patience: float, command: list[str]) -> int:
    """Run a command in this process's group and wait for it; returns its exit status as a shell would state it."""
    stopping = False

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    parent = os.getppid()
    if os.getpgid(0) != os.getpid():
        os.setpgid(0, 0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    tie_to_parent()
    # Should this process be killed too, the leash ends the program.
    child = subprocess.Popen([sys.executable, "-m", "airflow_ext.parent_death", str(patience), *command])
    while child.poll() is None and not stopping and os.getppid() == parent:
        try:
            child.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    if child.returncode is None:
        os.killpg(0, signal.SIGTERM)
        deadline = time.monotonic() + patience
        while (left := child.poll() is None or _is_shared()) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        if left:
            os.killpg(0, signal.SIGKILL)  # this process is of the group as well
    status = child.wait()
    return 128 - status if status < 0 else status


if __name__ == "__main__":
    sys.exit(keep(float(sys.argv[1]), sys.argv[2:]))
