"""Bring a backup back: into a database beside the present one, which it replaces only when it is complete."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from psycopg import Error, sql

from warehouse.backup import BOOKMARKS, PARTS, Deployment, Manifest, read_backup
from warehouse.clients import find_client, run_client
from warehouse.errors import WarehouseError
from warehouse.initialise import initialise
from warehouse.server import ADMIN, AIRFLOW, ROLES, connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import psycopg

    from warehouse.bookmarks import Bookmarks
    from warehouse.server import Server

_HOLDS_TABLES = """
select exists (
    select from pg_class where relkind in ('r', 'p', 'm', 'v')
    and relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace, 'pg_toast'::regnamespace)
)
"""
_MAINTENANCE = "postgres"  # the database from which others are renamed


def restore(
    what: Deployment, folder: Path, say: Callable[[str], None], *, jobs: int = 2, grants: bool = True
) -> str | None:
    """Replace the warehouse and its bookmarks by those of a backup.

    Until the last step the present database is as it was, and a failure or a kill leaves it so. Bookmarks are replaced
    just before it: they may be behind the rows, never ahead.

    Args:
        what: Where all that belongs together is; Airflow, where its metadata are replaced too, must not run.
        folder: The backup.
        say: Takes a line of progress.
        jobs: How many tables are restored at once.
        grants: Whether rights of other roles than the project's come back too; those roles must exist.

    Returns:
        The name under which the replaced database is kept; None where it held nothing.

    Raises:
        WarehouseError: The backup is damaged or of the other kind of source, a step failed, or somebody's session
            keeps the present database.
    """
    server, airflow = what.server, what.airflow
    manifest = read_backup(folder)
    _refuse_other_kind(server, manifest)
    if airflow is not None and not manifest.has_airflow:
        raise WarehouseError(f"{folder} holds no metadata of Airflow. Nothing was changed; leave --with-airflow out.")
    initialise(server, say)
    beside = replace(server, database=f"{server.database}_restoring")
    with connect(server, ADMIN, _MAINTENANCE, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {}").format(sql.Identifier(beside.database)))
    initialise(beside, lambda _line: None)
    with connect(beside, ADMIN) as connection:
        program = find_client(
            "pg_restore", server, max(connection.info.server_version // 10000, manifest.server_version)
        )
    for name, role, schemas in PARTS:
        words = [*(f"--schema={schema}" for schema in schemas), f"--jobs={jobs}", *([] if grants else ["--no-acl"])]
        options = ("--exit-on-error", "--no-owner", f"--dbname={beside.database}", *words)
        run_client(program, beside, role, *options, str(folder / name))
        say(f"restored {', '.join(schemas)}")
    initialise(beside, lambda _line: None)  # rights on the tables
    if airflow is not None:
        _restore_airflow(airflow, program, folder)
        say(f"restored database {airflow.database} of Airflow")
    states = json.loads((folder / BOOKMARKS).read_text())
    _keep_bookmarks(what.bookmarks, folder, say)
    cleared = what.bookmarks.replace(states)
    say(f"{len(states)} bookmarks are those of the backup" + (f"; cleared: {', '.join(cleared)}" if cleared else ""))
    return _swap(server, beside)


def _refuse_other_kind(server: Server, manifest: Manifest) -> None:
    if (manifest.environment == "local") != server.is_local:
        raise WarehouseError(
            f"This backup is of the environment {manifest.environment}, and {server.environment} takes rows of another "
            f"kind of source. Nothing was changed; name the environment by --environment={manifest.environment}."
        )


def _restore_airflow(airflow: Server, program: str, folder: Path) -> None:
    words = ("--schema=public", "--clean", "--if-exists", "--no-owner", "--single-transaction", "--exit-on-error")
    run_client(program, airflow, AIRFLOW, *words, f"--dbname={airflow.database}", str(folder / AIRFLOW))


def _keep_bookmarks(bookmarks: Bookmarks, folder: Path, say: Callable[[str], None]) -> None:
    present = bookmarks.read()
    if present:
        kept = folder.parent / f"bookmarks-before-{_stamp()}.json"
        kept.write_text(json.dumps(present, indent=1))
        say(f"the bookmarks that are replaced lie in {kept}")


def _stamp() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}"


def _swap(server: Server, beside: Server) -> str | None:
    """Let the database beside take the place of the present one, in one transaction."""
    now, new = sql.Identifier(server.database), sql.Identifier(beside.database)
    with connect(server, ADMIN) as connection:
        holds = connection.execute(_HOLDS_TABLES).fetchone()
    kept = f"{server.database}_before_{_stamp().lower()}" if holds == (True,) else None
    try:
        with connect(server, ADMIN, _MAINTENANCE, autocommit=True) as connection:
            connection.execute(sql.SQL("alter database {} with allow_connections false").format(now))
            try:
                _end_sessions(server, beside, connection)
                if kept is None:
                    connection.execute(sql.SQL("drop database {}").format(now))
                    connection.execute(sql.SQL("alter database {} rename to {}").format(new, now))
                    return None
                with connection.transaction():
                    connection.execute(sql.SQL("alter database {} rename to {}").format(now, sql.Identifier(kept)))
                    connection.execute(sql.SQL("alter database {} rename to {}").format(new, now))
            except BaseException:
                connection.execute(sql.SQL("alter database {} with allow_connections true").format(now))
                raise
            connection.execute(sql.SQL("alter database {} with allow_connections true").format(sql.Identifier(kept)))
    except Error as error:
        reason = error.diag.message_primary or str(error).splitlines()[0]
        raise WarehouseError(
            f"The restored database {beside.database} is complete, but could not take the place of {server.database}: "
            f"{reason}. {server.database} is as it was; run restore again."
        ) from None
    return kept


def _end_sessions(server: Server, beside: Server, connection: psycopg.Connection) -> None:
    """End the sessions of the project's roles: each may end its own, and the administrator is no superuser."""
    for role in (*ROLES, ADMIN):
        with connect(beside if role != ADMIN else server, role, None if role != ADMIN else _MAINTENANCE) as own:
            own.execute(
                "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
                " where datname = %s and usename = current_user",
                (server.database,),
            )
    others = connection.execute(
        "select string_agg(distinct usename, ', ' order by usename) from pg_stat_activity where datname = %s",
        (server.database,),
    ).fetchone()
    if others and others[0]:
        raise WarehouseError(
            f"Sessions of {others[0]} keep the database {server.database}, which is as it was. Let them log out, or "
            "let a superuser end them (pg_terminate_backend), then run restore again."
        )
