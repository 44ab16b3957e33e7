"""Sessions of PostgreSQL: every setting that changes what is stored is set, and no wait is without end.

PostgreSQL takes settings from its configuration, the database, the role, environment variables and the options of a
connection URL. Each of them can change what COPY or a statement stores: with `client_encoding` LATIN1 another text,
with `array_nulls` off the word NULL for a null. Only a statement of the session itself wins over all of them.

TCP's own means (`KEEPALIVES`) find a machine or network that is gone. A proxy that stops forwarding still acknowledges
what it is sent, so the server is asked on a second connection what it does for each session that waits.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import psycopg
import sqlalchemy as sa
from psycopg.pq import TransactionStatus
from sqlalchemy import event
from sqlalchemy.dialects.postgresql import TIMESTAMP
from target_postgres.connector import PostgresConnector  # type: ignore[import-untyped]

from target_postgres_copy import schema_change
from target_postgres_copy.errors import LockTimeoutError, SessionError, SilenceError
from target_postgres_copy.settings import KEEPALIVES, PINNED
from target_postgres_copy.tables import columns_of, plain_type

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_sdk.exceptions import FatalSyncError
    from singer_sdk.sql.connector import FullyQualifiedName, JSONSchemaToSQL
    from sqlalchemy import Connection, Engine, Table

logger = logging.getLogger(__name__)

# A state that is passed on must not be ahead of rows that a power cut can still take.
_DURABLE = "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'"
# So that a server at work, or waiting for a lock, gives up soon after its loader was killed.
_CHECK_CLIENT = "select set_config(name, '1s', false) from pg_settings where name = 'client_connection_check_interval'"
_NAME = "select set_config('application_name', 'target-postgres', false) where current_setting('application_name') = ''"
_PIN = """
    select set_config(name, value, false) from unnest(%s::text[], %s::text[]) as wanted (name, value)
    where current_setting(name, true) is distinct from value and current_setting(name, true) is not null
"""
_POOLER_CHECKS = 3  # a pooler hands out the session that was given back last, unless somebody else was faster

_WARN_WAIT = 5.0  # seconds of waiting for a lock, after which it is logged
_WARN_AGAIN = 12  # so many looks later it is logged once more
_WARN_SILENCE = 60.0  # seconds without an answer, after which it is logged
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
# Whether a session is at work or waits for anything but its client; what it does, or has done; how far a COPY is.
_ACTIVITY = """
    select
        activity.pid,
        activity.state = 'active' and activity.wait_event_type is distinct from 'Client',
        concat_ws(' ', activity.state, activity.state_change, activity.query_start, copy.bytes_processed)
    from pg_stat_activity as activity
    left join pg_stat_progress_copy as copy on copy.pid = activity.pid
    where activity.pid = any(%s)
"""


class UtcConnector(PostgresConnector):  # type: ignore[misc]
    """The stock connector, with sessions that inherit no setting, and tables that only ever gain columns.

    A column without a zone, of an older release or the stock loader, keeps its type and holds the wall time of the
    session's zone, which is UTC therefore.

    Attributes:
        watch: Watches the sessions; None where nothing does.
    """

    watch: SessionWatch | None = None

    @override
    def create_engine(self) -> Engine:
        engine: Engine = super().create_engine()
        # Before SQLAlchemy's own first look at the server, which keeps what it finds.
        event.listen(engine, "connect", self._prepare_session, insert=True)
        event.listen(engine, "do_connect", self._bound_waits)
        return engine

    def _bound_waits(self, _dialect: object, _record: object, _arguments: object, parameters: dict[str, Any]) -> None:
        """Let no connection wait without end; what `sqlalchemy_url` states comes first."""
        for name, value in {**KEEPALIVES, "connect_timeout": self._seconds("connect_timeout", 10)}.items():
            parameters.setdefault(name, value)
        if self.silence_timeout:
            parameters.setdefault("tcp_user_timeout", 1000 * self.silence_timeout)

    def _prepare_session(self, connection: psycopg.Connection[Any], _record: object) -> None:
        if self.watch is not None:
            self.watch.add(connection.pgconn.backend_pid, connection)
        try:
            longest = f"{self.config.get('statement_timeout') or 0}s"
            pid = prepare(connection, {"lock_timeout": f"{self.lock_timeout}s", "statement_timeout": longest})
        except BaseException:
            connection.close()
            raise
        if self.watch is not None:
            self.watch.add(pid, connection)

    @property
    def lock_timeout(self) -> int:
        """The longest wait for a lock in seconds, 0 for none."""
        return self._seconds("lock_timeout", 3600)

    @property
    def silence_timeout(self) -> int:
        """The longest wait for a server that gives no sign, in seconds, 0 for none."""
        return self._seconds("silence_timeout", 600)

    def _seconds(self, setting: str, default: int) -> int:
        stated = self.config.get(setting)
        return default if stated is None else int(stated)

    @override
    def get_sqlalchemy_url(self, config: Mapping[str, Any]) -> str:
        """Give the connection's URL, by psycopg 3 whatever driver a setting names: COPY is written with it."""
        url = sa.make_url(super().get_sqlalchemy_url(config))
        if url.host is not None and url.host.startswith(("/", "@")):  # a Unix socket: no part of a URL
            place = {"host": url.host, "port": str(url.port or 5432)}
            url = url.set(host=None).update_query_dict(place)._replace(port=None)
        return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)

    @cached_property
    def jsonschema_to_sql(self) -> JSONSchemaToSQL:
        """The stock mapping from JSON schemas to types, but for date-times, which get a zone."""
        mapping: JSONSchemaToSQL = super().jsonschema_to_sql
        mapping.register_format_handler("date-time", lambda _schema: TIMESTAMP(timezone=True))
        return mapping

    def sql_types(self, schema: Mapping[str, Any]) -> dict[str, str]:
        """Give the SQL type of each property of a stream's JSON schema, as PostgreSQL's `format_type` writes it."""
        types = {name: self.to_sql_type(part) for name, part in schema["properties"].items()}
        return {name: plain_type(kind.compile(dialect=self._engine.dialect)) for name, kind in types.items()}

    @override
    def prepare_table(
        self,
        full_table_name: str | FullyQualifiedName,
        schema: dict[str, Any],
        primary_keys: Sequence[str],
        connection: Connection,
        partition_keys: list[str] | None = None,
        as_temp_table: bool = False,
    ) -> Table:
        """Make a table, or add the columns that it lacks; a SchemaChangeError if one cannot hold every value."""
        _, schema_name, name = self.parse_full_table_name(full_table_name)
        metadata = sa.MetaData(schema=schema_name)
        if not sa.inspect(connection).has_table(name, schema_name):
            made: Table = self.create_empty_table(
                name, metadata, schema, connection, primary_keys, partition_keys, as_temp_table
            )
            return made
        where = schema_name or sa.inspect(connection).default_schema_name or "public"
        wanted = self.sql_types(schema)
        with cast("psycopg.Connection[Any]", connection.connection.dbapi_connection).cursor() as cursor:
            stored = columns_of(cursor, where, name)
            if any(stored.get(column) != kind for column, kind in wanted.items()):
                schema_change.adapt(cursor, where, name, stored, wanted)
        return sa.Table(name, metadata, autoload_with=connection)


def prepare(connection: psycopg.Connection[Any], more: Mapping[str, str]) -> int:
    """Set a new session's settings, `PINNED` and more; returns the number of the server's process for it.

    Raises:
        SessionError: If the database is not in UTF8, a setting cannot be set, or the session is no session: a pooler
            that gives each transaction another one.
    """
    info = connection.info
    if (encoding := info.parameter_status("server_encoding")) != "UTF8":
        raise SessionError(
            f"database {info.dbname} at {info.host}:{info.port} has the encoding {encoding}, which cannot hold every "
            "text of a source: nothing was loaded; make a database with `create database ... encoding 'UTF8' template "
            "template0` and load into that"
        )
    autocommit = connection.autocommit
    # Set outside a transaction: the end of one in which it was set might take it back.
    connection.autocommit = True
    wanted = {**PINNED, **more}
    with connection.cursor() as cursor:
        pid = _pid(connection)
        # A pooler names a process of its own invention when a connection is made.
        if pid != connection.pgconn.backend_pid and _changes_sessions(connection, pid):
            raise SessionError(
                f"{info.host}:{info.port} is a connection pooler that gives each transaction another session "
                "(pgbouncer's pool_mode transaction or statement), so that settings and temporary tables get lost or "
                "become another client's: nothing was loaded; let host and port name PostgreSQL itself, or a pool with "
                "pool_mode session"
            )
        try:
            cursor.execute(_PIN, [list(wanted), list(wanted.values())])
        except psycopg.errors.InsufficientPrivilege as error:
            # All but session_replication_role may be set by anybody.
            raise SessionError(
                f"a setting of role {info.user} or database {info.dbname} changes what is stored, and the role may not "
                f"set it back ({error.diag.message_primary}): nothing was loaded; as superuser, run `alter role "
                f"{info.user} reset all` and `alter database {info.dbname} reset all`, or reset that setting alone"
            ) from None
        cursor.execute(_DURABLE)
        cursor.execute(_NAME)
        with suppress(psycopg.errors.InvalidParameterValue):  # on systems that cannot check
            cursor.execute(_CHECK_CLIENT)
    connection.autocommit = autocommit
    return pid


def _changes_sessions(connection: psycopg.Connection[Any], pid: int) -> bool:
    """Whether two connections that are open at once are given the same session by turns."""
    with _connect_again(connection) as other:
        return any(_pid(other) == pid or _pid(connection) != pid for _ in range(_POOLER_CHECKS))


def _connect_again(connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    info = connection.info
    return psycopg.connect(
        info.dsn, password=info.password, autocommit=True, client_encoding="UTF8", application_name="target-postgres"
    )


def _pid(connection: psycopg.Connection[Any]) -> int:
    ((pid,),) = connection.execute("select pg_backend_pid()").fetchall()
    return int(pid)


class SessionWatch:
    """Watches the sessions of one loader: what locks they wait for, and whether the server still works for them.

    One thread counts seconds and asks nobody, so that nothing can hold it. Another one asks the server, by a session of
    its own, while a session of the loader is at work for long.

    Both limits are in seconds, 0 for none: the longest wait for a lock, and without a sign of the server.
    """

    def __init__(self, lock_limit: float, silence_limit: float = 0) -> None:
        self._lock_limit = lock_limit
        self._silence_limit = silence_limit
        self._look_after = min([_WARN_WAIT, *(limit / 4 for limit in (lock_limit, silence_limit) if limit)])
        self._warn_after = min(_WARN_SILENCE, silence_limit / 2) if silence_limit else _WARN_SILENCE
        self._sessions: dict[int, psycopg.Connection[Any]] = {}
        self._since: dict[int, float] = {}
        self._seen: dict[int, str] = {}
        self._end = threading.Event()
        self._threads: list[threading.Thread] = []
        self._own: psycopg.Connection[Any] | None = None
        self._wait = ""
        self._silence = ""

    def add(self, pid: int, session: psycopg.Connection[Any]) -> None:
        """Watch a session, by the number of its server process; by the last one given, if that is another now."""
        for known in [known for known, one in self._sessions.items() if one is session]:
            del self._sessions[known]
        self._sessions[pid] = session
        if not self._threads:
            self._end.clear()
            named = {"silence": self._count_silence, "locks": self._look_for_waits}
            self._threads = [threading.Thread(target=run, name=name, daemon=True) for name, run in named.items()]
            for thread in self._threads:
                thread.start()

    def error(self, error: BaseException) -> FatalSyncError | None:
        """The error to end with, if an error of the database comes from a wait that was too long."""
        if self._silence:
            return SilenceError(self._silence)
        if not isinstance(getattr(error, "orig", error), psycopg.errors.LockNotAvailable):
            return None
        return LockTimeoutError(
            f"waited {self._lock_limit:g} s (the setting lock_timeout) for {self._wait or 'a lock'}; what was "
            "committed before is kept: let the holder end, or end it by pg_terminate_backend, and run again"
        )

    def close(self) -> None:
        """End the threads and their session."""
        self._end.set()
        if self._own is not None:
            _cut(self._own)  # it may be waiting for a server that is silent
        for thread in self._threads:
            thread.join(1 if self._silence else None)  # it may be waiting to be let in
        self._threads.clear()
        self._sessions.clear()

    def _count_silence(self) -> None:
        warned: dict[int, int] = {}
        while not self._end.wait(self._warn_after / 12):
            now = time.monotonic()
            for pid, session in dict(self._sessions).items():
                if not _is_at_work(session):
                    self._since.pop(pid, None)
                    warned.pop(pid, None)
                    continue
                silent = now - self._since.setdefault(pid, now)
                place = f"{session.info.host}:{session.info.port}"
                if self._silence_limit and silent >= self._silence_limit:
                    self._silence = (
                        f"PostgreSQL at {place} did not answer for {self._silence_limit:g} s (the setting "
                        "silence_timeout); what was committed before is kept: look after the server and what lies "
                        "between, such as a proxy, and run again"
                    )
                    _cut(session)
                elif (times := int(silent / self._warn_after)) > warned.get(pid, 0):
                    warned[pid] = times
                    ends = f"ends after {self._silence_limit:g} s" if self._silence_limit else "waits on"
                    logger.warning(
                        "Waiting for PostgreSQL: no answer from %s for %.0f s. This load %s.", place, silent, ends
                    )

    def _look_for_waits(self) -> None:
        busy: set[int] = set()
        warned: dict[int, int] = {}
        while not self._end.wait(self._look_after / 2):
            sessions = dict(self._sessions)
            now = {pid for pid, session in sessions.items() if _is_at_work(session)}
            long, busy = now & busy, now
            warned = {pid: looks for pid, looks in warned.items() if pid in long}
            if not long:
                continue
            try:
                self._own = self._own or _connect_again(next(iter(sessions.values())))
                self._look(self._own, list(long), warned)
            except psycopg.Error as error:  # the loader itself reports what is wrong with the server
                logger.debug("Cannot look at the sessions: %s", error)
                self._leave()
        self._leave()

    def _look(self, own: psycopg.Connection[Any], pids: list[int], warned: dict[int, int]) -> None:
        for pid, at_work, activity in own.execute(_ACTIVITY, [pids]).fetchall():
            if at_work or self._seen.get(pid) != activity:
                self._since[pid] = time.monotonic()
            self._seen[pid] = activity
        for pid, what, holders in own.execute(_WAITS, [pids, self._look_after]).fetchall():
            self._wait = f"{what}, held by {holders}"
            warned[pid] = warned.get(pid, -1) + 1
            if warned[pid] % _WARN_AGAIN == 0:
                logger.warning("Waiting for %s. This load goes on when it is free.", self._wait)

    def _leave(self) -> None:
        own, self._own = self._own, None
        if own is not None:
            own.close()


def _is_at_work(session: psycopg.Connection[Any]) -> bool:
    """Whether a session has sent something that the server has not answered in full."""
    return not session.closed and session.pgconn.transaction_status == TransactionStatus.ACTIVE


def _cut(session: psycopg.Connection[Any]) -> None:
    """End a connection while another thread waits for it, which gets an error."""
    with suppress(OSError, ValueError), socket.socket(fileno=os.dup(session.fileno())) as wire:
        wire.shutdown(socket.SHUT_RDWR)
