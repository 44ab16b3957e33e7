"""Waits for locks: a load that stands still says what it waits for and who holds it."""

from __future__ import annotations

import logging
import threading
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from singer_sdk.exceptions import FatalSyncError

from target_postgres_copy.session import another

logger = logging.getLogger(__name__)

_SECONDS = 5.0  # of waiting, after which it is told
_AGAIN = 12  # so many looks later it is told once more

# The holder's application name and start are hidden where the loader's role may not see them.
_WAITS = """
    select
        waiting.pid,
        coalesce(
            case when waiting.locktype = 'advisory' then 'another loader''s work on the same table or month' end,
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
    cross join lateral unnest(pg_blocking_pids(waiting.pid)) as blocking (pid)
    join pg_stat_activity as holder on holder.pid = blocking.pid
    where not waiting.granted and waiting.pid = any(%s) and waiting.waitstart < clock_timestamp() - %s * interval '1 s'
    group by 1, 2
"""


class LockTimeoutError(FatalSyncError):
    """A lock was not free in time."""


class LockWatch:
    """Looks after the sessions of one loader, from a thread and, when needed, a session of its own.

    While no session is at work for long, it asks the server nothing.

    Args:
        limit: The longest wait for a lock in seconds, 0 for none.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._after = min(_SECONDS, limit / 4) if limit else _SECONDS
        self._sessions: dict[int, psycopg.Connection[Any]] = {}
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._last = ""

    def add(self, pid: int, session: psycopg.Connection[Any]) -> None:
        """Watch a session, by the number of its server process."""
        self._sessions[pid] = session
        if self._thread is None:
            self._end.clear()
            self._thread = threading.Thread(target=self._watch, name="lock-watch", daemon=True)
            self._thread.start()

    def timeout(self) -> LockTimeoutError:
        """Tell of a wait that was too long."""
        return LockTimeoutError(
            f"waited {self._limit:g} s (the setting lock_timeout) for {self._last or 'a lock'}; what was committed "
            "before is kept: let the holder end, or end it by pg_terminate_backend, and run again"
        )

    def close(self) -> None:
        """End the thread and its session."""
        self._end.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._sessions.clear()

    def _watch(self) -> None:
        own: psycopg.Connection[Any] | None = None
        busy: set[int] = set()
        told: dict[int, int] = {}
        try:
            while not self._end.wait(self._after / 2):
                sessions = dict(self._sessions)
                now = {pid for pid, session in sessions.items() if _is_at_work(session)}
                long, busy = now & busy, now
                told = {pid: looks for pid, looks in told.items() if pid in long}
                if not long:
                    continue
                own = own or another(next(iter(sessions.values())))
                for pid, what, holders in own.execute(_WAITS, [list(long), self._after]).fetchall():
                    self._last = f"{what}, held by {holders}"
                    told[pid] = told.get(pid, -1) + 1
                    if told[pid] % _AGAIN == 0:
                        logger.warning("Waiting for %s. This load goes on when it is free.", self._last)
        except psycopg.Error as error:  # the loader itself tells what is wrong with the server
            logger.info("No more looking for locks: %s", error)
        finally:
            if own is not None:
                own.close()


def _is_at_work(session: psycopg.Connection[Any]) -> bool:
    return not session.closed and session.pgconn.transaction_status == TransactionStatus.ACTIVE
