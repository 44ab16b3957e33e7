"""One run at a time, and no process left behind by a run that was killed.

A run holds a lock that the operating system frees when it dies. What it starts carries the run's id in its environment,
so that the next run can recognise and end exactly those processes, whatever happened to their parents.
"""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from console.errors import ConsoleError

RUN_ID_VARIABLE = "CRYPTO_ELT_RUN_ID"
_PATIENCE_SECONDS = 10
_HELD_SECONDS = 6 * 60  # Meltano takes a job of the last five minutes for a running one


@dataclass(frozen=True)
class Run:
    """A run that holds the lock."""

    run_id: str  # carried by every process of the run, in RUN_ID_VARIABLE
    after_a_dead_run: bool  # Meltano may still hold state ids of a killed run


@contextmanager
def exclusive_run(folder: Path) -> Iterator[Run]:
    """Hold the project's run lock, after ending what a killed run has left.

    Raises:
        ConsoleError: Another run is going.
    """
    lock = (folder / "lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise ConsoleError(
            f"another run of this project is going (process {holder}); wait for it, or end it with `make stop`."
        ) from error
    record = folder / "run.json"
    try:
        dead_run_id = _recorded_run_id(record)
        if dead_run_id:
            end_processes_of(dead_run_id)
        run = Run(secrets.token_hex(8), after_a_dead_run=_is_held(folder / "killed", dead_run_id is not None))
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        _write(record, {"run_id": run.run_id, "pid": os.getpid(), "created": psutil.Process().create_time()})
        try:
            yield run
        except ConsoleError:
            record.unlink()  # failed, but in good order: nothing of it lives on
            raise
        record.unlink()
    finally:
        lock.truncate(0)
        lock.close()


def end_recorded_run(folder: Path) -> bool:
    """End the run that the record names, console included; returns whether there was one, or what it had left."""
    try:
        record = json.loads((folder / "run.json").read_text())
    except (FileNotFoundError, ValueError):
        return False
    console = _same_process(int(record["pid"]), float(record["created"]))
    if console is not None:
        _end([console])
    return end_processes_of(str(record["run_id"])) > 0 or console is not None


def end_processes_of(run_id: str) -> int:
    """End every process that carries `run_id`, and say how many there were."""
    found = [process for process in psutil.process_iter() if _carries(process, run_id)]
    _end(found)
    return len(found)


def _carries(process: psutil.Process, run_id: str) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get(RUN_ID_VARIABLE) == run_id
    except psutil.Error:
        return False  # not ours to look at, or gone


def _same_process(pid: int, created: float) -> psutil.Process | None:
    """The process `pid`, unless the number now belongs to a younger one."""
    try:
        process = psutil.Process(pid)
        return process if abs(process.create_time() - created) < 1 and pid != os.getpid() else None
    except psutil.Error:
        return None


def _end(processes: list[psutil.Process]) -> None:
    for process in processes:
        _signal(process, kill=False)
    for process in psutil.wait_procs(processes, timeout=_PATIENCE_SECONDS)[1]:
        _signal(process, kill=True)


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.NoSuchProcess:
        return


def _recorded_run_id(record: Path) -> str | None:
    """The id of a run that never finished; a record cut short by a crash counts as one without an id."""
    try:
        return str(json.loads(record.read_text())["run_id"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError):
        return ""


def _is_held(mark: Path, is_new: bool) -> bool:  # noqa: FBT001
    """Whether Meltano may hold state ids of a killed run: also where runs that took them over have ended since."""
    if is_new:
        mark.touch()
    return mark.exists() and time.time() - mark.stat().st_mtime < _HELD_SECONDS


def _write(path: Path, content: dict[str, object]) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(content))
    temporary.replace(path)
