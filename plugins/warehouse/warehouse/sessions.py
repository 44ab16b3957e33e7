"""What sessions of the roles begin with, and what bounds those of the reader, whose password many people have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from warehouse.server import Server

READER = "bi_reader"
_ROLE_SETTINGS = {
    "loader": {"timezone": "UTC"},
    "transformer": {"timezone": "UTC"},
    READER: {
        "timezone": "UTC",
        "search_path": "analytics",
        "default_transaction_read_only": "on",
        "statement_timeout": "15min",  # a full import of a large fact table fits; a forgotten cross join ends
        "idle_in_transaction_session_timeout": "5min",  # an open snapshot keeps vacuum from cleaning up
        "idle_session_timeout": "12h",
    },
}
# Where the administrator may set it; the reader may not lift it.
_FILE_LIMIT = {"temp_file_limit": "10GB"}
_DATABASE_SETTINGS = {"timezone": "UTC"}
# Connections that a report leaves open take none from the pipeline; of all logins PostgreSQL accepts 100 by default.
_CONNECTION_LIMITS = {READER: 40}
_UNLIMITED = -1

_LARGE_OBJECT_FUNCTIONS = """
    select p.oid::regprocedure::text
    from pg_proc p
    cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as item
    where p.pronamespace = 'pg_catalog'::regnamespace and p.proname similar to '(lo\\_|loread|lowrite)%'
        and item.grantee = 0
    order by 1
"""
_OWN_SETTINGS = """
    select coalesce(d.datname::text, ''), split_part(item, '=', 1), substring(item from '=(.*)')
    from pg_db_role_setting s
    left join pg_database d on d.oid = s.setdatabase
    cross join lateral unnest(s.setconfig) as item
    left join pg_settings g on lower(g.name) = lower(split_part(item, '=', 1))
    where s.setrole = (select oid from pg_roles where rolname = %s) and coalesce(g.context, 'user') = 'user'
    order by 1, 2
"""


def limit_sessions(connection: psycopg.Connection, server: Server, say: Callable[[str], None]) -> int:
    """Set what sessions begin with and what bounds them; undo what the reader set; returns the number of changes."""
    reader = server.name_of(READER)
    changes = _undo_own_settings(connection, reader, say)
    for role, settings in _ROLE_SETTINGS.items():
        changes += _ensure_settings(connection, "role", server.name_of(role), settings)
    for role, limit in _CONNECTION_LIMITS.items():
        changes += _ensure_connections(connection, server.name_of(role), limit)
    changes += _ensure_settings(connection, "database", server.database, _DATABASE_SETTINGS)
    row = connection.execute(
        "select rolsuper, rolsuper or has_parameter_privilege('temp_file_limit', 'set') from pg_roles"
        " where rolname = current_user"
    ).fetchone()
    is_superuser, sets_limits = row or (False, False)
    if sets_limits:
        changes += _ensure_settings(connection, "role", reader, _FILE_LIMIT)
    elif not _is_set(connection, reader, _FILE_LIMIT):
        say(
            f"not bounded: temporary files of {reader}; a superuser may: "
            f"alter role {reader} set temp_file_limit = '{_FILE_LIMIT['temp_file_limit']}'"
        )
    changes += _close_large_objects(connection, say, is_superuser=is_superuser)
    return changes


def _undo_own_settings(connection: psycopg.Connection, reader: str, say: Callable[[str], None]) -> int:
    """A login may keep settings for its later sessions; returns the number of those that are not the warehouse's."""
    found: list[tuple[str, str, str]] = connection.execute(_OWN_SETTINGS, (reader,)).fetchall()
    wanted = _ROLE_SETTINGS[READER]
    foreign = [(place, name) for place, name, value in found if place or wanted.get(name.lower()) != value]
    for place, name in foreign:
        where = sql.SQL(" in database {}").format(sql.Identifier(place)) if place else sql.SQL("")
        statement = sql.SQL("alter role {}{} reset {}")
        connection.execute(statement.format(sql.Identifier(reader), where, sql.Identifier(name)))
    if foreign:
        say(f"undone, since they were set for {reader} by hand: {', '.join(sorted({name for _, name in foreign}))}")
    return len(foreign)


def _present(connection: psycopg.Connection, kind: str, name: str) -> dict[str, str]:
    row = connection.execute(
        """
        select s.setconfig from pg_db_role_setting s
        where (%(kind)s = 'role' and s.setdatabase = 0
               and s.setrole = (select oid from pg_roles where rolname = %(name)s))
           or (%(kind)s = 'database' and s.setrole = 0
               and s.setdatabase = (select oid from pg_database where datname = %(name)s))
        """,
        {"kind": kind, "name": name},
    ).fetchone()
    # The server writes a parameter's name in its own case (TimeZone).
    pairs = (item.split("=", 1) for item in row[0]) if row else ()
    return {setting.lower(): value for setting, value in pairs}


def _is_set(connection: psycopg.Connection, role: str, wanted: dict[str, str]) -> bool:
    return wanted.keys() <= _present(connection, "role", role).keys()


def _ensure_settings(connection: psycopg.Connection, kind: str, name: str, wanted: dict[str, str]) -> int:
    """Set a role's or a database's own parameters; returns the number of changes."""
    present = _present(connection, kind, name)
    missing = {setting: value for setting, value in wanted.items() if present.get(setting) != value}
    for setting, value in missing.items():
        head = sql.SQL("alter role {}" if kind == "role" else "alter database {}").format(sql.Identifier(name))
        connection.execute(sql.SQL("{} set {} = {}").format(head, sql.Identifier(setting), sql.Literal(value)))
    return len(missing)


def _ensure_connections(connection: psycopg.Connection, role: str, limit: int) -> int:
    """Limit a login's connections, unless an administrator has; returns the number of changes."""
    found = connection.execute("select rolconnlimit from pg_roles where rolname = %s", (role,)).fetchone()
    if found != (_UNLIMITED,):
        return 0
    statement = sql.SQL("alter role {} connection limit {}").format(sql.Identifier(role), sql.Literal(limit))
    connection.execute(statement)
    return 1


def _close_large_objects(connection: psycopg.Connection, say: Callable[[str], None], *, is_superuser: bool) -> int:
    """PostgreSQL lets every login make large objects, and so fill the disk; returns the number of changes."""
    functions = [str(name) for (name,) in connection.execute(_LARGE_OBJECT_FUNCTIONS)]
    if functions and is_superuser:
        # The names are PostgreSQL's own, as it writes them.
        connection.execute(f"revoke execute on function {', '.join(functions)} from public".encode())
        return len(functions)
    if functions:
        say(f"not closed: every login may make large objects; a superuser may revoke {functions[0]} and the like")
    return 0
