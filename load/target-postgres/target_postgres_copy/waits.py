"""Waits for locks: a load that stands still says what it waits for and who holds it."""

from __future__ import annotations

import logging
import threading
from typing import Any

import psycopg
from singer_sdk.exceptions import FatalSyncError

from target_postgres_copy.session import another
from target_postgres_copy.silence import SEEN, SilenceGuard, cut, is_at_work

logger = logging.getLogger(__name__)

_SECONDS = 5.0  # of waiting, after which it is told
_AGAIN = 12  # so many looks later it is told once more

# The holder's application name and start are hidden where the loader's role may not see them.
_WAITS = """
    select
        waiting.pid,
        coalesce(
            'another loader''s work on ' || substring(activity.query from '"load_locks" [^'']*''(.+)'''),
            'table ' || nullif(waiting.relation, 0)::regclass::text,
            'rows that another transaction writes'
        ),
        string_agg(
            format(
                'pid %%s (role %%s, application %%s, %%s)', holder.pid, holder.usename,
                coalesce(nullif(holder.application_name, ''), 'unnamed'), coalesce(holder.state, 'state not shown')
            ), ', ' order by holder.pid
        )
    from pg_locks as waiting
    join pg_stat_activity as activity on activity.pid = waiting.pid
    cross join lateral unnest(pg_blocking_pids(waiting.pid)) as blocking (pid)
    join pg_stat_activity as holder on holder.pid = blocking.pid
    where not waiting.granted and waiting.pid = any(%s) and waiting.waitstart < clock_timestamp() - %s * interval '1 s'
    group by 1, 2
"""


class LockTimeoutError(FatalSyncError):
    """A lock was not free in time."""


class LockWatch:
    """Looks after the sessions of one loader, from threads and, when needed, a session of its own.

    While no session is at work for long, it asks the server nothing.

    Args:
        limit: The longest wait for a lock in seconds, 0 for none.
        silence: The longest time without a sign of the server in seconds, 0 for none.
    """

    def __init__(self, limit: float, silence: float = 0) -> None:
        self._limit = limit
        self._after = min([_SECONDS, *(seconds / 4 for seconds in (limit, silence) if seconds)])
        self._sessions: dict[int, psycopg.Connection[Any]] = {}
        self._guard = SilenceGuard(silence, self._sessions)
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._own: psycopg.Connection[Any] | None = None
        self._last = ""

    def add(self, pid: int, session: psycopg.Connection[Any]) -> None:
        """Watch a session, by the number of its server process; by the last one told, if that is another now."""
        for known in [known for known, one in self._sessions.items() if one is session]:
            del self._sessions[known]
        self._sessions[pid] = session
        self._guard.start()
        if self._thread is None:
            self._end.clear()
            self._thread = threading.Thread(target=self._watch, name="lock-watch", daemon=True)
            self._thread.start()

    def error(self, error: BaseException) -> FatalSyncError | None:
        """Tell of a wait that was too long, if that is what an error of the database comes from."""
        if (silent := self._guard.error) is not None:
            return silent
        if not isinstance(getattr(error, "orig", error), psycopg.errors.LockNotAvailable):
            return None
        return LockTimeoutError(
            f"waited {self._limit:g} s (the setting lock_timeout) for {self._last or 'a lock'}; what was committed "
            "before is kept: let the holder end, or end it by pg_terminate_backend, and run again"
        )

    def close(self) -> None:
        """End the threads and their session."""
        self._guard.close()
        self._end.set()
        if self._own is not None:
            cut(self._own)  # it may be waiting for a server that is silent
        if self._thread is not None:
            self._thread.join(1 if self._guard.error else None)  # it may be waiting to be let in
            self._thread = None
        self._sessions.clear()

    def _watch(self) -> None:
        busy: set[int] = set()
        told: dict[int, int] = {}
        while not self._end.wait(self._after / 2):
            sessions = dict(self._sessions)
            now = {pid for pid, session in sessions.items() if is_at_work(session)}
            long, busy = now & busy, now
            told = {pid: looks for pid, looks in told.items() if pid in long}
            if not long:
                continue
            try:
                self._own = self._own or another(next(iter(sessions.values())))
                self._look(self._own, list(long), told)
            except psycopg.Error as error:  # the loader itself tells what is wrong with the server
                logger.debug("Cannot look at the sessions: %s", error)
                self._leave()
        self._leave()

    def _look(self, own: psycopg.Connection[Any], pids: list[int], told: dict[int, int]) -> None:
        for pid, at_work, what in own.execute(SEEN, [pids]).fetchall():
            self._guard.saw(pid, at_work=at_work, what=what)
        for pid, what, holders in own.execute(_WAITS, [pids, self._after]).fetchall():
            self._last = f"{what}, held by {holders}"
            told[pid] = told.get(pid, -1) + 1
            if told[pid] % _AGAIN == 0:
                logger.warning("Waiting for %s. This load goes on when it is free.", self._last)

    def _leave(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            own.close()
