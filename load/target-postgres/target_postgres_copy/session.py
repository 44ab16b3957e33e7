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


class SessionError(FatalSyncError):
    """A session on which nothing may be loaded: it would store other values than were sent."""


def prepare(connection: psycopg.Connection[Any], more: Mapping[str, str]) -> None:
    """Set a new session's settings.

    Args:
        connection: One that was just opened.
        more: Settings beside `PINNED`.

    Raises:
        SessionError: If the database is not in UTF8, or a setting cannot be set.
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
