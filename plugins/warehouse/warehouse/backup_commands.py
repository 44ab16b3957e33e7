"""The commands that copy: `backup`, `restore`, `bookmarks`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from warehouse.backup import Deployment, back_up, read_backup, thin_out
from warehouse.bookmarks import Bookmarks, move
from warehouse.context import environment_option, project, say, server_of, variables
from warehouse.errors import WarehouseError
from warehouse.restore import restore as bring_back
from warehouse.server import ADMIN, ROLES, airflow_server

_jobs_option = click.option(
    "--jobs", type=click.IntRange(1, 16), default=2, show_default=True, help="How many tables are copied at once."
)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option("--keep", type=click.IntRange(1), help="Delete all but so many of the newest backups in FOLDER.")
@_jobs_option
@environment_option
def backup(environment: str, folder: Path | None, keep: int | None, jobs: int) -> None:
    """Copy the warehouse, its bookmarks and Airflow's history into a new folder below FOLDER (.state/backups).

    Loads and readers go on meanwhile; a build waits before it replaces a table that is being copied. The new folder's
    path is printed. It needs pg_dump of the server's version or later, and no administrator. Copy .env too: it has the
    passwords, which no backup holds.
    """
    root = project().root
    folder = (folder or root / ".state" / "backups").resolve()
    server = server_of(environment, ("loader", "transformer"))
    airflow = airflow_server(server, variables())
    if airflow is None:
        say("Airflow's history is left out: AIRFLOW_DB_HOST or AIRFLOW_DB_PASSWORD is not set")
    made = back_up(Deployment(server, airflow, Bookmarks(root, environment)), folder, say, jobs=jobs)
    for old in thin_out(folder, server.database, keep) if keep else ():
        say(f"deleted the older backup {old.name}")
    click.echo(made)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--with-airflow", is_flag=True, help="Replace Airflow's history too; stop Airflow before.")
@click.option("--grants/--no-grants", default=True, show_default=True, help="Bring rights of roles of your own back.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_jobs_option
@environment_option
def restore(  # noqa: PLR0913 - its options
    environment: str, folder: Path, *, with_airflow: bool, grants: bool, yes: bool, jobs: int
) -> None:
    """Replace the warehouse and its bookmarks by those of the backup in FOLDER.

    Stop what loads and builds before. The backup is restored into a database beside, which takes the place of the
    present one when it is complete; until then nothing is changed. The replaced database is kept under another name.
    The next run loads what the backup did not have yet. Makes roles that are missing: an empty server is enough.
    """
    folder = folder.resolve()
    made = read_backup(folder)
    server = server_of(environment, (ADMIN, *ROLES))
    if not yes:
        if not sys.stdin.isatty():
            raise WarehouseError("restore replaces the warehouse; say --yes where nobody can be asked.")
        click.confirm(f"Replace database {server.database} by the backup of {made.made_at}?", abort=True)
    airflow = airflow_server(server, variables()) if with_airflow else None
    if with_airflow and airflow is None:
        raise WarehouseError("AIRFLOW_DB_HOST and AIRFLOW_DB_PASSWORD are needed in .env to restore Airflow's history.")
    what = Deployment(server, airflow, Bookmarks(project().root, environment))
    kept = bring_back(what, folder, say, jobs=jobs, grants=grants)
    say(f"{server.database} is that of {made.made_at}; `warehouse maintain` renews the planner's statistics")
    if kept:
        say(f"the replaced database is {kept}: drop it when nobody needs it any more")


@click.command()
@click.option("--to", "store", required=True, metavar="URI", help="The new store, as MELTANO_DATABASE_URI names it.")
@click.option("--overwrite", is_flag=True, help="Replace bookmarks that the new store has of the same ids.")
@environment_option
def bookmarks(environment: str, store: str, *, overwrite: bool) -> None:
    """Copy the bookmarks of an environment into another store, such as from SQLite to the database `meltano`.

    The old store is the one that MELTANO_DATABASE_URI names now, else the project's SQLite file; it keeps its own. No
    run may go on meanwhile. Name the new store in MELTANO_DATABASE_URI afterwards.
    """
    old = Bookmarks(project().root, environment)
    copied = move(old, replace(old, store=store), say, overwrite=overwrite)
    say(f"{copied} bookmarks are in the new store; export MELTANO_DATABASE_URI with it for every command from now on")
