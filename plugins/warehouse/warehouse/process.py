"""Which processes are the server of a data folder. A recorded number alone is no evidence."""

from __future__ import annotations

import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_PORT_LINE = 3  # of postmaster.pid, counted from 0; PostgreSQL's source: src/include/utils/pidfile.h
_STATUS_LINE = 7


@dataclass(frozen=True)
class Postmaster:
    """A server as its pid file records it."""

    pid: int
    port: int
    ready: bool


def _read_pid_file(data: Path) -> Postmaster | None:
    try:
        lines = (data / "postmaster.pid").read_text(errors="replace").splitlines()
        # A single-user server writes its number negated.
        pid = abs(int(lines[0]))
    except (OSError, ValueError, IndexError):
        return None
    port = int(lines[_PORT_LINE]) if len(lines) > _PORT_LINE and lines[_PORT_LINE].isdigit() else 0
    status = lines[_STATUS_LINE].strip() if len(lines) > _STATUS_LINE else ""
    return Postmaster(pid, port, status == "ready")


def _serves(process: psutil.Process, data: Path) -> bool:
    """Whether a process is a PostgreSQL process of this data folder (the working folder of each of them)."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE or process.name() not in {"postgres", "postmaster"}:
            return False
        try:
            return data.samefile(process.cwd())
        except psutil.AccessDenied:
            # A container's root may not look into another user's process, but the command line is open to all.
            arguments = process.cmdline()
            folder = Path(arguments[arguments.index("-D") + 1]) if "-D" in arguments[:-1] else Path()
            return folder.is_absolute() and data.samefile(folder)
    except (psutil.Error, OSError):
        return False


def find_postmaster(data: Path) -> Postmaster | None:
    """The running server of a data folder; None where its recorded process is gone, or is another program's by now."""
    recorded = _read_pid_file(data)
    if recorded is None:
        return None
    try:
        process = psutil.Process(recorded.pid)
    except (psutil.Error, ValueError):
        return None
    return recorded if _serves(process, data) else None


def clear_dead_server(data: Path) -> bool:
    """Remove what a killed server left behind: processes without their parent, and a pid file that would stop a start.

    Does nothing while :func:`find_postmaster` finds a server. A pid file whose number nobody has is left to PostgreSQL,
    which then also looks for shared memory still in use. One whose number belongs to a stranger (or to a dead, not yet
    collected process) would be believed, so it goes; PostgreSQL still finds shared memory by the folder's inode.
    """
    left = [process for process in psutil.process_iter() if _serves(process, data)]
    alive = left
    if left:
        # They leave by themselves once they see that their parent died; a busy one needs a signal.
        _, alive = psutil.wait_procs(left, timeout=2)
    if find_postmaster(data) is not None:
        return False  # it was not dead but just about to write its pid file
    for number, patience in ((signal.SIGQUIT, 3), (signal.SIGKILL, 3)):
        for process in alive:
            with suppress(psutil.Error):
                process.send_signal(number)
        if alive:
            _, alive = psutil.wait_procs(alive, timeout=patience)
    file = data / "postmaster.pid"
    if not file.exists():
        return bool(left)
    recorded = _read_pid_file(data)
    if recorded is None or psutil.pid_exists(recorded.pid):
        file.unlink()
    return True
