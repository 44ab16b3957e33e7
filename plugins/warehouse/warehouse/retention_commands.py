"""The command `retain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from warehouse.archive import Archive
from warehouse.bring_back import Loading, Source, bring_back
from warehouse.context import environment_option, project, say, server_of
from warehouse.retain import drop, plan
from warehouse.retainable import Policy

if TYPE_CHECKING:
    from datetime import datetime

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(epilog="Example: warehouse retain --months 12 --archive /srv/dumps --environment=prod")
@click.option(
    "--months", type=click.IntRange(1), help="Keep so many months of each chain, that of its newest day included."
)
@click.option("--restore", "month", type=click.DateTime(["%Y-%m"]), help="Bring this month back, such as 2024-01.")
@click.option("--archive", "folder", type=_FOLDER, required=True, help="The folder of dump files; folders in it count.")
@click.option("--chain", "chains", multiple=True, help="Only this chain; may be given more than once.")
@click.option(
    "--accept",
    "accepted",
    multiple=True,
    metavar="CHECK",
    help="A check that may be unverifiable, such as block_reward.",
)
@click.option("--execute", is_flag=True, help="Drop the months. Without it, only say what would be dropped.")
@environment_option
def retain(  # noqa: PLR0913 - its options
    *,
    environment: str,
    months: int | None,
    month: datetime | None,
    folder: Path,
    chains: tuple[str, ...],
    accepted: tuple[str, ...],
    execute: bool,
) -> None:
    """Drop raw months that dump files hold, or bring one back.

    A month of a chain is dropped only if each of its days is verified and settled, all of it is in the marts, and every
    row came from a dump file that lies in the archive with the sha256 that the ledger knows; each file is read again
    for that. A month that stays is listed with the reasons. Blocks always stay. Marts keep all rows. A day of which a
    check could not be done is not verified; --accept names checks that may be left so, such as block_reward of
    Ethereum, whose dumps do not say what was burned.

    --restore loads a month from its files by tap and loader. What is dropped is noted in raw_data.archived_months.
    """
    if (months is None) == (month is None):
        raise click.UsageError("Say either --months N or --restore YYYY-MM.")
    if month is not None and execute:
        raise click.UsageError("--execute belongs to --months; --restore drops nothing.")
    archive = Archive(folder.resolve())
    server = server_of(environment, ("loader", "transformer"))
    if month is not None:
        load = Loading(project().root, environment)
        bring_back(server, Source(archive, load), month.date(), chains, say)
        return
    dropped = freed = 0
    for one in plan(server, Policy(months or 1, archive, chains, accepted), say):
        if execute and not one.reasons:
            drop(server, one)
        click.echo(one.line(is_dropped=execute))
        dropped += not one.reasons
        freed += 0 if one.reasons else one.bytes
    verb = "dropped" if execute else "can be dropped, by --execute"
    say(f"{dropped} months {verb}, {freed / 1e6:,.1f} MB")
