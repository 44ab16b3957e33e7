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
from warehouse.rebuild import TAPS, rebuild
from warehouse.restore import restore as bring_back
from warehouse.server import ADMIN, ROLES, airflow_server

_jobs_option = click.option(
    "--jobs", type=click.IntRange(1, 16), default=2, show_default=True, help="How many tables are copied at once."
)


@click.command(epilog="Example: warehouse backup backups --keep 7 --environment=prod")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), required=False)
@click.option("--keep", type=click.IntRange(1), help="Delete all but so many of the newest backups in FOLDER.")
@_jobs_option
@environment_option
def backup(environment: str, folder: Path | None, keep: int | None, jobs: int) -> None:
    """Copy the warehouse, its bookmarks and Airflow's history.

    The copy is a new folder below FOLDER (.state/backups if none is named), whose path is printed. Loads and readers go
    on meanwhile; a build waits before it replaces a table that is being copied. The command needs pg_dump of the
    server's version or later, and no administrator. Copy .env too: it has the passwords, which no backup holds.
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


@click.command(epilog="Example: warehouse restore backups/2026-11-30T0200 --environment=prod")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--with-airflow", is_flag=True, help="Replace Airflow's history too; stop Airflow before.")
@click.option("--grants/--no-grants", default=True, show_default=True, help="Bring rights of roles of your own back.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_jobs_option
@environment_option
def restore(  # noqa: PLR0913 - its options
    environment: str, folder: Path, *, with_airflow: bool, grants: bool, yes: bool, jobs: int
) -> None:
    """Replace the warehouse and its bookmarks by those in FOLDER.

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


@click.command(epilog="Example: warehouse bookmarks --rebuild tap-blockchair--dumps")
@click.option("--to", "store", metavar="URI", help="Copy them into this store, written as MELTANO_DATABASE_URI.")
@click.option("--rebuild", "tap", type=click.Choice(TAPS), help="Make the lost bookmark of this tap's dump days anew.")
@click.option("--overwrite", is_flag=True, help="Replace bookmarks of the same ids that are there.")
@environment_option
def bookmarks(environment: str, store: str | None, tap: str | None, *, overwrite: bool) -> None:
    """Copy bookmarks into another store, or rebuild a lost one.

    --to copies them, for example from SQLite to the database `meltano`; the old store keeps its own. Name the new one
    in MELTANO_DATABASE_URI afterwards. --rebuild finds in the ledger which days of which tables are loaded from which
    files, so that no file is downloaded again. No run may go on meanwhile.
    """
    present = Bookmarks(project().root, environment)
    if (store is None) == (tap is None):
        raise click.UsageError("Say either --to URI or --rebuild TAP.")
    if store is not None:
        copied = move(present, replace(present, store=store), say, overwrite=overwrite)
        say(f"{copied} bookmarks are in the new store; export MELTANO_DATABASE_URI with it from now on")
    if tap is not None:
        streams = rebuild(server_of(environment, ("transformer",)), present, tap, overwrite=overwrite)
        for stream, day in streams.items():
            say(f"{stream}: loaded up to {day}")
