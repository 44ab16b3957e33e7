"""Processes that tests start: whether they live, and waiting for what they do."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

DEADLINE_SECONDS = 120.0

# Ignores SIGTERM, as does what it has started; both end when there is a file `end`.
STUBBORN = """
wait = "while not pathlib.Path(%r).exists(): time.sleep(0.05)" % str(here / "end")
loader = subprocess.Popen([sys.executable, "-c", "import pathlib, signal, time; "
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)\\n" + wait], stdout=subprocess.PIPE)
loader.stdout.readline()
signal.signal(signal.SIGTERM, HANDLER)
(here / "pids.part").write_text(f"{os.getpid()} {loader.pid}")
(here / "pids.part").rename(here / "pids")
exec(wait)
"""
IGNORING = STUBBORN.replace("HANDLER", "signal.SIG_IGN")
# The same, but it ends at SIGTERM, and leaves behind what it has started.
LEAVING = STUBBORN.replace("HANDLER", "signal.SIG_DFL")

# Runs a task in a worker of its own: the project, the seconds it may take to end, its downloads' folder as JSON.
WORKER = """
import json, sys
from types import SimpleNamespace
from airflow_ext import operator
operator._PATIENCE_SECONDS = float(sys.argv[2])
task = operator.MeltanoOperator(task_id="t", block="tap-a target-postgres", root=sys.argv[1],
    loader="target-postgres", downloads=json.loads(sys.argv[3]))
ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1)
task.execute({"ti": ti, "params": {}})
"""


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition; fail by its name when it does not come."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {DEADLINE_SECONDS:.0f} s for {what}"
        time.sleep(0.05)


def pids(root: Path) -> list[int]:
    """The processes that the project's `meltano` wrote down, once it has."""
    until((root / "pids").exists, "the processes of the run")
    return [int(pid) for pid in (root / "pids").read_text().split()]


def alive(pid: int) -> bool:
    """Whether a process works; one that only waits to be noticed does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def worker(root: Path, patience: float, downloads: str = "null") -> list[str]:
    """The command of a worker."""
    return [sys.executable, "-c", WORKER, str(root), str(patience), downloads]
