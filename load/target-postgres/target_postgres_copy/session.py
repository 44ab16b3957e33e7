"""What a session means by its SQL: every setting that changes it is set here, and none is inherited.

PostgreSQL takes settings from its configuration, the database, the role, environment variables and the options of a
connection URL. Each of them can change what COPY or a statement stores: with `client_encoding` LATIN1 another text,
with `array_nulls` off the word NULL for a null. Only a statement of the session itself wins over all of them.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg
from singer_sdk.exceptions import FatalSyncError

if TYPE_CHECKING:
    from collections.abc import Mapping

# From the chapters "Client Connection Defaults", "Version and Platform Compatibility" and "Error Handling" of
# PostgreSQL's manual: what changes values, the rows seen, or whether a session goes on. A release that does not know a
# name is not asked for it.
PINNED: dict[str, str] = {
    "array_nulls": "on",
    "backslash_quote": "safe_encoding",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "DateStyle": "ISO, MDY",
    "default_transaction_deferrable": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "exit_on_error": "off",
    "extra_float_digits": "1",
    "gin_fuzzy_search_limit": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "IntervalStyle": "postgres",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    "quote_all_identifiers": "off",
    "row_security": "off",  # a policy that would hide rows is an error
    "search_path": '"$user", public',
    "session_replication_role": "origin",
    "standard_conforming_strings": "on",
    "TimeZone": "UTC",
    "timezone_abbreviations": "Default",
    "transaction_timeout": "0",
    "transform_null_equals": "off",
    "xmlbinary": "base64",
    "xmloption": "content",
}
# A state that is passed on must not be ahead of rows that a power cut can still take.
_DURABLE = "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'"
# So that a server at work, or waiting for a lock, gives up soon after its loader was killed.
_LOOK_AFTER_CLIENT = (
    "select set_config(name, '1s', false) from pg_settings where name = 'client_connection_check_interval'"
)
_NAME = "select set_config('application_name', 'target-postgres', false) where current_setting('application_name') = ''"
_PIN = """
    select set_config(name, value, false) from unnest(%s::text[], %s::text[]) as wanted (name, value)
    where current_setting(name, true) is distinct from value and current_setting(name, true) is not null
"""
_LOOKS = 3  # a pooler hands out the session that was given back last, unless somebody else was faster


class SessionError(FatalSyncError):
    """A session on which nothing may be loaded: it would store other values than were sent."""


def prepare(connection: psycopg.Connection[Any], more: Mapping[str, str]) -> int:
    """Set a new session's settings.

    Args:
        connection: One that was just opened.
        more: Settings beside `PINNED`.

    Returns:
        Number of the server's process for it.

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
        with suppress(psycopg.errors.InvalidParameterValue):  # on systems that cannot look
            cursor.execute(_LOOK_AFTER_CLIENT)
    connection.autocommit = autocommit
    return pid


def another(connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """Open one more connection to the same place, in autocommit."""
    info = connection.info
    return psycopg.connect(
        info.dsn, password=info.password, autocommit=True, client_encoding="UTF8", application_name="target-postgres"
    )


def _changes_sessions(connection: psycopg.Connection[Any], pid: int) -> bool:
    """Whether two connections that are open at once are given the same session by turns."""
    with another(connection) as other:
        return any(_pid(other) == pid or _pid(connection) != pid for _ in range(_LOOKS))


def _pid(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("select pg_backend_pid()").fetchone()
    assert row is not None  # noqa: S101 - a select of one value
    return int(row[0])
