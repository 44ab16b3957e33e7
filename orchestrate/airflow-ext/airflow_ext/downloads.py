"""Each task downloads to a folder of its own, which is deleted when its files have been loaded.

A folder is named after the state id. So tasks that may run at once, such as two days of a backfill, or a backfill
beside the daily load, never want the same files, and whoever goes on with a bookmark, a retry or a later run, finds
what was downloaded and goes on behind it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow_ext.errors import AirflowExtError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_ext.project import Plugin

# Whoever has not gone on with its files for so long will not; what is missing then is downloaded again.
KEPT_SECONDS = 7 * 86400.0
# A try that lost its worker ends in less; longer, and it is another run with the same bookmark.
_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.5
_LOCK = ".airflow-task.lock"
_USUAL = "${MELTANO_PROJECT_ROOT}/.state/downloads"


def _nested(stated: Mapping[str, Any]) -> dict[str, Any]:
    """An object whose keys may be paths, as Meltano compiles what meltano.yml overrides."""
    found: dict[str, Any] = {}
    for path, value in stated.items():
        *above, last = path.split(".")
        place = found
        for name in above:
            place = place.setdefault(name, {})
        place[last] = _nested(value) if isinstance(value, dict) else value
    return found


def download_options(extractor: Plugin) -> dict[str, Any] | None:
    """What an operator has to know of an extractor that downloads files.

    Args:
        extractor: It; only one with a setting `download_dir` downloads.

    Returns:
        As plain values, since Airflow stores them: the folder of all, the variable that sets a task's own, and whether
        files are to be kept; `batch` where the folder is that of the files which are handed to the loader.
    """
    if "download_dir" not in extractor.settings:
        return None
    keep = (extractor.values.get("keep_downloads") or "").lower() in {"true", "1", "yes", "on"}
    try:
        batch = _nested(json.loads(extractor.values.get("batch_config") or "{}"))
        root = str(batch["storage"]["root"]) if batch["encoding"]["format"] == "tsv" else ""
    except (ValueError, KeyError, TypeError, AttributeError):
        batch, root = {}, ""
    if root.startswith("file://"):
        variable = extractor.variable("batch_config")
        return {"folder": unquote(root.removeprefix("file://")), "variable": variable, "batch": batch, "keep": keep}
    folder = extractor.values.get("download_dir") or _USUAL
    return {"folder": folder, "variable": extractor.variable("download_dir"), "batch": None, "keep": keep}


@dataclass(frozen=True)
class Own:
    """A task's own folder."""

    folder: Path
    environ: Mapping[str, str]
    lock: int  # its descriptor: processes that inherit it hold the folder too


@contextmanager
def own_downloads(options: Mapping[str, Any], root: Path, name: str, say: Callable[[str], object]) -> Iterator[Own]:
    """Give a task a folder named after its state id: deleted when the block ends well, else kept for the next try.

    Raises:
        AirflowExtError: Another run has the folder.
    """
    place = Template(options["folder"]).safe_substitute({**os.environ, "MELTANO_PROJECT_ROOT": str(root)})
    base = Path(place).expanduser().absolute()
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(base, say)
    folder, lock = base / name, base / f"{name}{_LOCK}"
    with _held(lock, name, say) as handle:
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            yield Own(folder, _environ(options, folder), handle.fileno())
        except BaseException:
            if options["keep"]:
                lock.unlink(missing_ok=True)  # so that nobody sweeps
            else:
                os.utime(lock)
            raise
        if not options["keep"]:
            shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)


def _environ(options: Mapping[str, Any], folder: Path) -> dict[str, str]:
    batch = options["batch"]
    if batch is None:
        return {options["variable"]: str(folder)}
    return {options["variable"]: json.dumps({**batch, "storage": {**batch["storage"], "root": folder.as_uri()}})}


@contextmanager
def _held(path: Path, name: str, say: Callable[[str], object]) -> Iterator[IO[str]]:
    """Hold a lock file; wait for a try before this one whose processes are about to end."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    waiting = False
    while True:
        with path.open("a") as handle:
            if _lock(path, handle):
                os.utime(path)
                yield handle
                return
        if not waiting:
            say(f"Another run has the downloads of {name}; waiting for its end.")
            waiting = True
        if time.monotonic() > deadline:
            raise AirflowExtError(
                f"Another run has the downloads of {name}, and so its bookmark. Let it end, then clear this task."
            )
        time.sleep(_POLL_SECONDS)


def _lock(path: Path, handle: IO[str]) -> bool:
    """Lock an open lock file; False if another has it, or if it was deleted before it could be locked."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(path.stat(), os.fstat(handle.fileno()))
    except (BlockingIOError, FileNotFoundError):
        return False


def _sweep(base: Path, say: Callable[[str], object]) -> None:
    """Delete what failed tasks left that nobody has gone on with; a task that runs holds its lock."""
    for path in base.glob(f"*{_LOCK}"):
        with suppress(OSError), path.open("r+") as handle:
            if time.time() - path.stat().st_mtime > KEPT_SECONDS and _lock(path, handle):
                folder = path.with_name(path.name.removesuffix(_LOCK))
                shutil.rmtree(folder, ignore_errors=True)
                path.unlink(missing_ok=True)
                say(f"Deleted the downloads of {folder.name}, with which nobody has gone on for a week.")
