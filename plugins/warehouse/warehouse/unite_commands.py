"""The command `unite`."""

from __future__ import annotations

import sys

import click

from warehouse.context import environment_option, say, server_of, variables
from warehouse.errors import WarehouseError
from warehouse.server import ADMIN
from warehouse.unite import look, remove
from warehouse.unite import unite as bring_together
from warehouse.united_chains import READER, read_chains
from warehouse.united_check import check as find_problems
from warehouse.united_layout import lay_out, left_out

_NOT_WELL = 1
_ROWS = {
    "each": "each chain's own rows",
    "mixed": "each chain's own rows, those of no chain from the first",
    "one": "rows of the first chain's server",
    "shared": "distinct rows of all",
    "calendar": "days put together of all",
}


@click.command(epilog="Example: warehouse unite --copy-daily --environment=prod")
@click.option(
    "--copy-daily/--no-copy-daily",
    default=None,
    help="Keep the daily marts here too, copied by each run; without either word, as in the run before.",
)
@click.option("--check", "only_check", is_flag=True, help="Say what is stale, changed, missing or unreachable.")
@click.option("--remove", "take_back", is_flag=True, help="Take back all that this command has made.")
@click.option("--dry-run", is_flag=True, help="Only say where the rows of each table would come from.")
@environment_option
def unite(environment: str, *, copy_daily: bool | None, only_check: bool, take_back: bool, dry_run: bool) -> None:
    """Ask the warehouses of several chains as one.

    bi_reader asks the serving database like one warehouse.

    WAREHOUSE_CHAINS names the chains, WAREHOUSE_BITCOIN_HOST and so on where they are. Facts are read on the chain's
    own server when they are asked for; dimensions and what says how far a chain is are kept here. Run it after each
    chain's build, and after each upgrade; a second run changes only what differs. --check prints a line for each thing
    that is wrong.

    Exit code 0: all is well. 1: something is wrong, or a chain does not answer; what is kept of it stays.
    """
    if only_check + take_back + dry_run > 1:
        raise click.UsageError("Say one of --check, --remove and --dry-run.")
    if take_back:
        remove(server_of(environment, (ADMIN, "transformer")), say)
        return
    chains = read_chains(variables())
    if dry_run:
        catalogs, problems = look(chains)
        if problems:
            raise WarehouseError("; ".join(problems.values()) + ".")
        for table in lay_out(catalogs, copy_daily=bool(copy_daily)):
            click.echo(f"{table.name}: {_ROWS[table.rows]}, {'kept here' if table.is_copied else 'asked there'}")
        for line in left_out(catalogs):
            click.echo(line)
        return
    server = server_of(environment, (ADMIN, "transformer", READER))
    if only_check:
        found = find_problems(server, chains)
        for line in found:
            click.echo(line)
        sys.exit(_NOT_WELL if found else 0)
    problems = bring_together(server, chains, say, copy_daily=copy_daily)
    if problems:
        raise WarehouseError(
            "; ".join(problems.values())
            + ". Rows kept here of it are those of its last copy; questions that name other "
            "chains are answered. Run this again when it answers."
        )
