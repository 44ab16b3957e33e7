"""Which `airflow:up` runs on this machine, so that a second one is refused and `airflow:down` finds it.

Containers may share the folder of these records, but not their numbers of processes: a record counts where its host
name is that of the reader.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil

from airflow_ext.errors import AirflowExtError
from airflow_ext.secrets import write_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_ext.settings import Settings

_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.2


def _record(settings: Settings, name: str) -> Path:
    return settings.home / "up" / f"{name}.json"


@contextmanager
def registered(settings: Settings, names: tuple[str, ...]) -> Iterator[None]:
    """Hold each component's place until the end of the block.

    An earlier `up` that is just ending is waited for. Workers have no place: several may run beside each other.

    Raises:
        AirflowExtError: One of them runs already.
    """
    folder = settings.home / "up"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    alone = [name for name in names if name != "worker"]
    handles = []
    try:
        for name in alone:
            handle = (folder / f"{name}.lock").open("w")
            handles.append(handle)
            _lock(handle.fileno(), settings, name)
        for name in alone:
            mark = {
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "created": psutil.Process().create_time(),
                "stopping": False,
            }
            write_private(_record(settings, name), json.dumps(mark))
        yield
    finally:
        for handle in handles:
            handle.close()


def _lock(descriptor: int, settings: Settings, name: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            mark = _read(settings, name)
            if mark.get("stopping") and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
                continue
            there = "" if _is_here(mark) else f" of {mark['host']}"
            raise AirflowExtError(
                f"The {name} runs already (process {mark.get('pid', 'unknown')}{there}); end it with "
                f"`meltano invoke airflow:down`{' there' if there else ''}."
            ) from None
        else:
            return


def note_stopping(settings: Settings, names: tuple[str, ...]) -> None:
    """Say that this process is ending, so that the next `up` waits for it."""
    for name in names:
        mark = _read(settings, name)
        if _is_here(mark) and mark.get("pid") == os.getpid():
            write_private(_record(settings, name), json.dumps(mark | {"stopping": True}))


def _is_here(mark: dict[str, Any]) -> bool:
    """Whether a record is of this machine or container; one of an earlier release names none."""
    here = socket.gethostname()
    return bool(mark.get("host", here) == here)


def _read(settings: Settings, name: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(_record(settings, name).read_text())
    except (OSError, ValueError):
        return {}
    return found


def supervisors(settings: Settings) -> list[psutil.Process]:
    """The processes of this machine that run `up` for this project, each once."""
    found = {}
    for path in sorted((settings.home / "up").glob("*.json")):
        mark = _read(settings, path.stem)
        if not _is_here(mark):
            continue
        try:
            process = psutil.Process(int(mark["pid"]))
            if process.create_time() == mark["created"]:
                found[process.pid] = process
        except (KeyError, psutil.Error):
            continue
    return list(found.values())


def stop_all(settings: Settings) -> int:
    """End every `up` of this project on this machine, and wait for it; returns how many there were.

    Raises:
        AirflowExtError: One does not end.
    """
    found = supervisors(settings)
    for process in found:
        process.terminate()
    _, alive = psutil.wait_procs(found, timeout=_PATIENCE_SECONDS)
    if alive:
        raise AirflowExtError(
            f"Process {alive[0].pid} does not end; look at what it prints, then kill it by that number."
        )
    return len(found)
