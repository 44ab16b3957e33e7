"""Meltano's configuration files, which hold passwords: who may read them, and what killed runs have left of them."""

import os
import time
from pathlib import Path

import psutil

from console.project import Project

# A run writes the files of all its plugins first and starts some of them minutes later.
_AGE_SECONDS = 3600


def readable_by_others(project: Project) -> list[str]:
    """Which folders with passwords are open to other users of the machine.

    Through `.state` they may have to pass: a server that root starts runs as another user.
    """
    modes = {".meltano": 0o077, ".state": 0o066}
    folders = [(name, project.root / name) for name in modes]
    return [name for name, folder in folders if folder.is_dir() and folder.stat().st_mode & modes[name]]


def leftovers(project: Project) -> list[Path]:
    """Configuration files of plugins that no process was started with, an hour old at least.

    Meltano writes them for the time of a run, and deletes them unless it is killed.
    """
    in_use = {word for process in psutil.process_iter(["cmdline"]) for word in process.info["cmdline"] or ()}
    newest = time.time() - _AGE_SECONDS
    found = []
    for path in sorted(project.root.glob(".meltano/run/*/*.config.json")):
        try:
            if str(path) not in in_use and path.stat().st_mtime < newest:
                found.append(path)
        except FileNotFoundError:
            continue  # its run has ended meanwhile
    return found


def sweep(project: Project) -> None:
    """Close `.meltano` to others, and delete what killed runs have left in it."""
    folder = project.root / ".meltano"
    if folder.is_dir() and folder.stat().st_uid == os.geteuid():
        folder.chmod(0o700)
    for path in leftovers(project):
        path.unlink(missing_ok=True)
