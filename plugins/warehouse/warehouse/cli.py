"""The command line."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from warehouse import local
from warehouse.backup_commands import backup, bookmarks, restore
from warehouse.cluster import find_binaries
from warehouse.context import environment_option, live, project, say, server_of
from warehouse.errors import WarehouseError
from warehouse.initialise import initialise
from warehouse.maintain import maintain as vacuum
from warehouse.migrate import Dbt
from warehouse.migrate import migrate as bring_up
from warehouse.retention_commands import retain
from warehouse.server import (
    ADMIN,
    ROLES,
    TENANTS,
    forget_libpq_variables,
    missing_for,
    variables_of,
)
from warehouse.status import Status, read_status
from warehouse.unite_commands import unite

if TYPE_CHECKING:
    from collections.abc import Callable

_Command = TypeVar("_Command", bound="Callable[..., None]")
_NOT_RUNNING = 3  # as `systemctl status` and `pg_ctl status` say it


def _only_local(environment: str, verb: str) -> None:
    if environment != "local":
        raise WarehouseError(
            f"`warehouse {verb}` is for the embedded server of the environment local; the PostgreSQL of {environment} "
            "is not this program's to touch. Add --environment=local if the local one is meant."
        )


def role_option(command: _Command) -> _Command:
    """Add ``--role`` to a command."""
    return click.option(
        "--role",
        type=click.Choice([*reversed(ROLES), ADMIN]),
        default="bi_reader",
        show_default=True,
        help="Who to log in as. bi_reader reads the marts and changes nothing.",
    )(command)


class _Group(click.Group):
    """Turns expected failures into one sentence and exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except WarehouseError as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            raise click.ClickException(f"The system refused a file operation: {error}.") from None


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: warehouse psql -c 'select * from dim_asset'",
)
@click.version_option(package_name="crypto-elt-warehouse")
def main() -> None:
    """Run the project's PostgreSQL, and make its schemas, roles and rights.

    `local` is a server on this machine; `dev` and `prod` are the server that .env names.

    Progress goes to standard error, data to standard output. The project is found by MELTANO_PROJECT_ROOT, else by
    meltano.yml in the working folder or above it. Each command also works as `meltano invoke warehouse:COMMAND`.
    """
    forget_libpq_variables()


@main.command(epilog="Example: warehouse start")
@click.option(
    "--init/--no-init", "with_init", default=True, show_default=True, help="Make schemas, roles and rights too."
)
@environment_option
def start(environment: str, *, with_init: bool) -> None:
    """Start the embedded server, unless it runs already.

    Picks a free port (and keeps it while it is free), generates passwords, and writes both into a marked block of .env.
    Mends what a crash left behind.
    """
    _only_local(environment, "start")
    local.start(project(), say, (lambda server: initialise(server, say)) if with_init else None)


@main.command(epilog="Example: warehouse stop")
@environment_option
def stop(environment: str) -> None:
    """Stop the embedded server and end its sessions.

    The data stays. It is no error when the server does not run.
    """
    _only_local(environment, "stop")
    local.stop(project(), say)


@main.command(epilog="Example: warehouse status --environment=prod")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@environment_option
def status(environment: str, *, as_json: bool) -> None:
    """Show whether the warehouse runs, where, and how large it is.

    It also shows whether the data came from live or simulated sources.

    Exit code 0: running. 3: not running.
    """
    if environment == "local":
        here = project()
        found = Status(environment, database=local.DATABASE, data=str(here.data))
        try:
            found = read_status(local.running_server(here), here.data)
        except WarehouseError as error:
            found.problem = str(error)
    else:
        found = read_status(live(environment, ()))
    click.echo(json.dumps(asdict(found), indent=2) if as_json else found.as_text())
    sys.exit(0 if found.running else _NOT_RUNNING)


@main.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    options_metavar="[OPTIONS]",
    epilog="Example: warehouse psql -c 'select * from fct_blocks limit 5'",
)
@role_option
@environment_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PSQL ARGUMENTS]...")
def psql(environment: str, role: str, arguments: tuple[str, ...]) -> None:
    """Open a SQL prompt; options of psql may follow."""
    server = server_of(environment, (role,))
    login = server.login(role)
    if server.is_local:
        # The server's own psql: an older one misreads a newer server's system catalog.
        program = str(find_binaries() / "psql")
    else:
        program = shutil.which("psql") or ""
        if not program:
            raise WarehouseError("psql is not on PATH; install PostgreSQL's client, or use `warehouse url` elsewhere.")
    variables = {
        "PGHOST": server.host,
        "PGPORT": str(server.port),
        "PGDATABASE": server.database,
        "PGUSER": login.user,
        "PGPASSWORD": login.password,
        "PGSSLMODE": server.sslmode,
    }
    # -w: a refused password is an error, not a question.
    os.execve(program, [program, "-w", *arguments], {**os.environ, **variables})  # noqa: S606 - becomes psql, no shell


@main.command(epilog="Example: warehouse url --role bi_reader")
@role_option
@click.option(
    "--password/--no-password", "with_password", default=True, show_default=True, help="Leave the password out."
)
@environment_option
def url(environment: str, role: str, *, with_password: bool) -> None:
    """Print a postgresql:// URL for scripts, password included."""
    server = server_of(environment, (role,) if with_password or role == ADMIN else ())
    click.echo(server.url(role, with_password=with_password))


@main.command(epilog="Example: warehouse init --environment=prod")
@click.option(
    "--take-roles", is_flag=True, help="Set passwords of roles that another deployment or person has made, too."
)
@environment_option
def init(environment: str, *, take_roles: bool) -> None:
    """Make database, schemas, roles and rights.

    A second run sets the passwords again and changes nothing else.

    In dev and prod the administrator that WAREHOUSE_ADMIN_USER names does it; it needs CREATEROLE and CREATEDB, not
    superuser. With MELTANO_DB_PASSWORD set, Meltano's own database and role are made too. Roles belong to the whole
    server: one that another deployment has made is shared where .env has its password, and else nothing is changed.
    """
    server = server_of(environment, (ADMIN, *ROLES))
    initialise(server, say, take_roles=take_roles)
    if environment != "local":
        who = server.login(ADMIN).user
        say(f"database {server.database} at {server.host}:{server.port} as {who}, by {variables_of(ADMIN)}")
        tenants = [name for name in TENANTS if name in server.logins]
        secrets = [missing_for(role)[-1] for role in ROLES] + [f"{name.upper()}_DB_PASSWORD" for name in tenants]
        say(f"passwords of {', '.join([*ROLES, *tenants])} by {', '.join(secrets)}")


@main.command(epilog="Example: warehouse maintain --dry-run")
@click.option("--dry-run", is_flag=True, help="Only show the tables with their dead rows and sizes.")
@environment_option
def maintain(environment: str, *, dry_run: bool) -> None:
    """Run VACUUM and ANALYZE, table by table.

    That gives the space of dead rows back and renews the planner's statistics.

    Loads, builds and readers go on meanwhile. A table that is in use for too long is left for the next time; a second
    run does no harm. The weekly job `maintenance` runs it.
    """
    done = vacuum(server_of(environment, ("loader", "transformer")), say, dry_run=dry_run)
    if dry_run:
        return
    say(
        f"{done.tables} tables are in order, {done.before - done.after:,} dead rows gone"
        + (f", {done.after:,} are still seen by an open transaction" if done.after else "")
        + (f", {done.skipped} tables were in use and are left for the next time" if done.skipped else "")
    )


@main.command(epilog="Example: warehouse migrate --dry-run")
@click.option("--dry-run", is_flag=True, help="Only say what there is to do.")
@click.option(
    "--env-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What Meltano reads in place of .env.",
)
@click.option("--forget-months", is_flag=True, help="Let marts lose the months that were taken out of raw_data.")
@environment_option
def migrate(environment: str, env_file: Path | None, *, dry_run: bool, forget_months: bool) -> None:
    """Bring the warehouse of an older release to this one.

    A second run changes nothing.

    Mends what older releases left in raw tables, and builds every other table anew from raw rows, by Meltano and dbt.
    No raw row is lost, and a view of somebody else on a mart stays; where it cannot, nothing is changed and the view is
    named. Loads may go on meanwhile. After a failure, run it again.
    """
    dbt = Dbt(project().root, environment, env_file)
    server = server_of(environment, ("loader", "transformer"))
    is_done = bring_up(server, dbt, say, dry_run=dry_run, forget=forget_months)
    if is_done and not dry_run:
        say("the warehouse is of this release; loads and builds go on as before")


@main.command(epilog="Example: warehouse reset --yes")
@click.option("--yes", is_flag=True, help="Do not ask.")
@environment_option
def reset(environment: str, *, yes: bool) -> None:
    """Delete the local warehouse's data and bookmarks.

    The bookmarks are Meltano's, in .meltano/meltano.db.
    """
    _only_local(environment, "reset")
    here = project()
    if not yes:
        if not sys.stdin.isatty():
            raise WarehouseError("reset deletes all local data; say --yes where nobody can be asked.")
        click.confirm(
            f"Delete all data in {here.data} and Meltano's local bookmarks in {here.meltano_database}?",
            abort=True,
        )
    local.reset(here, say)


for each in (backup, restore, bookmarks, retain, unite):
    main.add_command(each)
