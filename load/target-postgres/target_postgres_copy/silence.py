"""A server that answers no more: told after a minute, and given up after a time that a setting names.

TCP's own means (`KEEPALIVES`) find a machine or network that is gone. A proxy that stops forwarding still acknowledges
what it is sent, so the server is asked on a second connection what it does for each session that waits.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from psycopg.pq import TransactionStatus
from singer_sdk.exceptions import FatalSyncError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import psycopg

logger = logging.getLogger(__name__)

# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-KEEPALIVES, seconds and a number
KEEPALIVES = {"keepalives": 1, "keepalives_idle": 60, "keepalives_interval": 15, "keepalives_count": 4}
# What a session does, or has done; of a COPY how far it is. It is at work, or waits for something else than its client.
SEEN = """
    select
        activity.pid,
        activity.state = 'active' and activity.wait_event_type is distinct from 'Client',
        concat_ws(' ', activity.state, activity.state_change, activity.query_start, copy.bytes_processed)
    from pg_stat_activity as activity
    left join pg_stat_progress_copy as copy on copy.pid = activity.pid
    where activity.pid = any(%s)
"""
_TOLD = 60.0  # seconds of silence after which it is told


class SilenceError(FatalSyncError):
    """The server did not answer for too long."""


class SilenceGuard:
    """Counts how long sessions have waited without a sign that the server works for them.

    Its thread asks nobody, so that nothing can hold it; who asks the server tells what it saw.

    Args:
        limit: The longest silence in seconds, 0 for none.
        sessions: The sessions, by the number of their server process; others add to it.
    """

    def __init__(self, limit: float, sessions: Mapping[int, psycopg.Connection[Any]]) -> None:
        self._limit = limit
        self._told_after = min(_TOLD, limit / 2) if limit else _TOLD
        self._sessions = sessions
        self._since: dict[int, float] = {}
        self._seen: dict[int, Hashable] = {}
        self._told: dict[int, int] = {}
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._silent = ""

    @property
    def error(self) -> SilenceError | None:
        """What a session was given up for, None if none was."""
        return SilenceError(self._silent) if self._silent else None

    def start(self) -> None:
        """Begin, unless that was done."""
        if self._thread is None:
            self._end.clear()
            self._thread = threading.Thread(target=self._guard, name="silence-guard", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def saw(self, pid: int, *, at_work: bool, what: Hashable) -> None:
        """Take note of what the server said of a session.

        Args:
            pid: Number of its process.
            at_work: Whether the server works for it, or waits for a lock or a disk.
            what: Differs from what was said before if anything moved since.
        """
        if at_work or self._seen.get(pid) != what:
            self._since[pid] = time.monotonic()
        self._seen[pid] = what

    def _guard(self) -> None:
        while not self._end.wait(self._told_after / 12):
            now = time.monotonic()
            for pid, session in dict(self._sessions).items():
                if not is_at_work(session):
                    self._since.pop(pid, None)
                    self._told.pop(pid, None)
                    continue
                silent = now - self._since.setdefault(pid, now)
                if self._limit and silent >= self._limit:
                    self._silent = (
                        f"PostgreSQL at {_place(session)} did not answer for {self._limit:g} s (the setting "
                        "silence_timeout); what was committed before is kept: look after the server and what lies "
                        "between, such as a proxy, and run again"
                    )
                    cut(session)
                elif (minutes := int(silent / self._told_after)) > self._told.get(pid, 0):
                    self._told[pid] = minutes
                    logger.warning(
                        "Waiting for PostgreSQL: no answer from %s for %.0f s. This load %s.",
                        _place(session),
                        silent,
                        f"ends after {self._limit:g} s" if self._limit else "waits on",
                    )


def is_at_work(session: psycopg.Connection[Any]) -> bool:
    """Whether a session has sent something that the server has not answered in full."""
    return not session.closed and session.pgconn.transaction_status == TransactionStatus.ACTIVE


def cut(session: psycopg.Connection[Any]) -> None:
    """End a connection under the hands of the thread that waits for it, which gets an error."""
    with suppress(OSError, ValueError), socket.socket(fileno=os.dup(session.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)


def _place(session: psycopg.Connection[Any]) -> str:
    return f"{session.info.host}:{session.info.port}"
