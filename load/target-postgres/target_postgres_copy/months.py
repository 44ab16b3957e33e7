"""The command `target-postgres-copy-months`: list, attach and take out the months of partitioned tables."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

import click
import psycopg
from psycopg import sql
from singer_sdk.exceptions import SingerSDKError
from sqlalchemy.exc import DBAPIError

from target_postgres_copy.stream_schema import Partitioning
from target_postgres_copy.tables import Month, PartitionedTable, prepare_schema
from target_postgres_copy.target import TargetPostgresCopy, visible
from target_postgres_copy.warehouse import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

_MONTH = click.DateTime(["%Y-%m"])
_SIZE = """
    select reltuples::bigint, pg_size_pretty(pg_total_relation_size(oid)) from pg_class where oid = %s::regclass
"""
_TABLES = click.option("--table", "tables", multiple=True, help="Only this table; may be given more than once.")


class _Failing(click.Group):
    """Reports an expected failure in one sentence, with exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click's
        try:
            return super().invoke(ctx)
        except SingerSDKError as error:
            raise click.ClickException(str(error)) from error
        except (DBAPIError, psycopg.Error) as error:
            raise click.ClickException(" ".join(str(getattr(error, "orig", error)).split())) from error


@click.group(
    cls=_Failing,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: meltano invoke target-postgres:months list",
)
@click.option(
    "--config",
    type=click.File(),
    help="Settings of the loader as a JSON file; otherwise the variables TARGET_POSTGRES_HOST and so on.",
)
@click.pass_context
def main(context: click.Context, config: TextIO | None) -> None:
    """Months of raw tables that are partitioned by month.

    With Meltano: `meltano invoke target-postgres:months list`, likewise `attach` and `detach`.
    """
    target = TargetPostgresCopy(config=json.load(config) if config else None, parse_env_config=config is None)
    context.obj = target
    context.call_on_close(target.warehouse.close)


@main.command("list", epilog="Example: meltano invoke target-postgres:months list")
@_TABLES
@click.pass_obj
def list_months(target: TargetPostgresCopy, tables: tuple[str, ...]) -> None:
    """List all months with their rows, sizes and visibility.

    The rows are those that PostgreSQL's planner estimates.
    """
    cursor = target.warehouse.cursor
    for table in _tables(target, tables):
        for month in table.months(cursor):
            cursor.execute(_SIZE, [table.id_of(month).as_string(cursor)])
            rows, size = cursor.fetchall()[0]
            state = "detached: not visible in the table yet"
            if month.attached or month.by_hand:
                state = "attached" if month.attached else "detached by hand: not visible in the table"
            click.echo(f"{visible(table.name)}  {month.start:%Y-%m}  {max(rows, 0):>14,} rows  {size:>8}  {state}")


@main.command(epilog="Example: meltano invoke target-postgres:months attach --month 2024-01")
@_TABLES
@click.option("--month", type=_MONTH, help="Only this month, such as 2024-01.")
@click.pass_obj
def attach(target: TargetPostgresCopy, tables: tuple[str, ...], month: datetime | None) -> None:
    """Attach months that a backfill has left detached.

    Readers see them then, complete or not.
    """
    cursor, done = target.warehouse.cursor, 0
    ledger = Ledger(_schema(target), "target-postgres-copy-months")
    with cursor.connection.transaction():
        ledger.prepare(cursor)
    for table in _tables(target, tables):
        for found in table.months(cursor):
            if not found.attached and (month is None or found.start == month.replace(tzinfo=UTC)):
                with cursor.connection.transaction():
                    table.lock(cursor, found.start)
                    table.attach(cursor, found)
                    ledger.write_attached(cursor, table, found)
                click.echo(f"{visible(table.name)}: attached {found.start:%Y-%m}")
                done += 1
    if not done:
        click.echo("No month is detached.")


@main.command(epilog="Example: meltano invoke target-postgres:months detach --before 2020-01")
@_TABLES
@click.option("--before", type=_MONTH, required=True, help="Months that end before this one begins, such as 2020-01.")
@click.option("--drop", is_flag=True, help="Delete them for good, in place of keeping them as tables of their own.")
@click.option("--dry-run", is_flag=True, help="Only report what would be done.")
@click.pass_obj
def detach(target: TargetPostgresCopy, tables: tuple[str, ...], before: datetime, *, drop: bool, dry_run: bool) -> None:
    """Take old months out of their tables (retention).

    A month that is kept becomes the table <table>_old_2019_12, to be dumped, moved or dropped by hand.
    """
    cursor, done = target.warehouse.cursor, 0
    for table in _tables(target, tables):
        for month in table.months(cursor):
            if not month.attached or month.stop > before.replace(tzinfo=UTC):
                continue
            old = f"{table.name}_old_{month.start:%Y_%m}"
            what = f"{month.start:%Y-%m} out{', deleted' if drop else f', kept as {old}'}"
            if not dry_run:
                _take_out(target, table, month, None if drop else old)
            verb = "would take" if dry_run else "took"
            click.echo(visible(f"{table.name}: {verb} {what}"))
            done += 1
    if not done:
        click.echo(f"No attached month ends before {before:%Y-%m}.")


def _take_out(target: TargetPostgresCopy, table: PartitionedTable, month: Month, kept_as: str | None) -> None:
    cursor = target.warehouse.cursor
    with cursor.connection.transaction():
        prepare_schema(cursor, table.schema)
        table.lock(cursor, month.start)
        table.detach(cursor, month)
        if kept_as is None:
            cursor.execute(sql.SQL("drop table {}").format(table.id_of(month)))
        else:
            cursor.execute(sql.SQL("drop sequence if exists {} cascade").format(table.line_sequence(month)))
            cursor.execute(sql.SQL("alter table {} rename to {}").format(table.id_of(month), sql.Identifier(kept_as)))


def _schema(target: TargetPostgresCopy) -> str:
    return str(target.config.get("default_target_schema") or "public")


def _tables(target: TargetPostgresCopy, names: tuple[str, ...]) -> Iterator[PartitionedTable]:
    """Find the partitioned tables of the loader's schema."""
    cursor, schema = target.warehouse.cursor, _schema(target)
    cursor.execute(
        """
        select relname, attname
        from pg_partitioned_table
        join pg_class on pg_class.oid = partrelid
        join pg_attribute on attrelid = partrelid and attnum = partattrs[0]
        where relnamespace = to_regnamespace(%s) and partstrat = 'r'
        order by relname
        """,
        [sql.Identifier(schema).as_string(cursor)],
    )
    found = dict(cursor.fetchall())
    unknown = [name for name in names if name not in found]
    if unknown:
        raise click.ClickException(
            f"no partitioned table in schema {schema}: {', '.join(unknown)}; there are: {', '.join(found) or 'none'}"
        )
    for name, column in found.items():
        if not names or name in names:
            yield PartitionedTable(schema, name, {}, partitioning=Partitioning(column))


if __name__ == "__main__":
    sys.exit(main())
