"""The command `target-postgres-copy-audit`: whether raw rows are what was loaded."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click
import psycopg
from psycopg import sql
from singer_sdk.exceptions import SingerSDKError
from sqlalchemy.exc import DBAPIError

from target_postgres_copy import checksums
from target_postgres_copy.dump_files import DumpFile
from target_postgres_copy.own_names import LEDGER, LINE
from target_postgres_copy.staging import StagingTable
from target_postgres_copy.stream_schema import Partitioning, StreamSlice
from target_postgres_copy.tables import PartitionedTable, RawTable, archived_state, columns_of
from target_postgres_copy.target import TargetPostgresCopy, visible
from target_postgres_copy.warehouse import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from target_postgres_copy.checksums import Checksums
    from target_postgres_copy.warehouse import Warehouse

# The last load of each slice of dump files, and whether a later load changed its days.
_ENTRIES = """
    select
        last.load_id, last.table_name, last.unit, last.range_column, last.range_from, last.range_to,
        last.rows_loaded, last.file, last.sha256, last.checksums,
        exists (
            select from {ledger} as later
            where
                later.table_name = last.table_name and later.load_id > last.load_id
                and later.unit is distinct from last.unit and later.rows_loaded + later.rows_deleted > 0
                and coalesce(later.first_day, '-infinity') <= coalesce(last.last_day, 'infinity')
                and coalesce(later.last_day, 'infinity') >= coalesce(last.first_day, '-infinity')
        )
    from (
        select distinct on (table_name, unit) * from {ledger} where unit is not null
        order by table_name, unit, load_id desc
    ) as last
    where
        last.sha256 is not null
        and (%(tables)s::text[] = '{{}}' or last.table_name = any(%(tables)s))
        and (
            %(days)s::int is null
            or last.last_day > (select max(last_day) from {ledger} where table_name = last.table_name) - %(days)s::int
        )
    order by last.table_name, last.range_from, last.unit
"""


@dataclass(frozen=True)
class Loaded:
    """What the ledger holds of a slice's last load."""

    load_id: int
    table: str
    slice: StreamSlice
    rows: int  # how many rows it loaded
    sums: Checksums | None  # the checksums taken then; None if none were
    was_changed: bool  # whether a later load may have replaced rows of it


class Audit:
    """Compares the rows of one schema of raw tables with the dump files of a folder, or the ledger's checksums."""

    def __init__(self, warehouse: Warehouse, schema: str, folder: Path | None) -> None:
        self._warehouse = warehouse
        self._cursor = warehouse.cursor
        self._schema = schema
        self._folder = folder
        self._detached_months: dict[str, dict[datetime, str]] = {}

    def entries(self, tables: Sequence[str], days: int | None) -> Iterator[Loaded]:
        """List the slices of dump files: of the tables given or of all, of the newest days or of all."""
        with self._cursor.connection.transaction():
            Ledger(self._schema, "target-postgres-copy-audit").prepare(self._cursor)
        query = sql.SQL(_ENTRIES).format(ledger=sql.Identifier(self._schema, LEDGER))
        self._cursor.execute(query, {"tables": list(tables), "days": days})
        for load_id, table, name, column, start, stop, rows, file, sha256, sums, was_changed in self._cursor.fetchall():
            found = StreamSlice(name, column, start, stop, rows, file, None, sha256)
            taken = None if sums is None else {column: (kind, int(value)) for column, (kind, value) in sums.items()}
            yield Loaded(load_id, table, found, rows, taken, was_changed)

    def fault(self, loaded: Loaded) -> str | None:
        """What differs in a slice; nothing if all is equal, None if no row, sum or file is there to compare."""
        table = self._table(loaded)
        if archived_state(self._cursor, self._schema, loaded.table, loaded.slice.month) == "archived":
            return None
        if (month := self._detached(loaded.slice, table)) is not None:
            return (
                f"its month {month} was detached from the table, whose readers do not see it: attach it, by the "
                "command months, or give it another name"
            )
        expected = loaded.sums
        if self._folder is not None and table.columns:
            path = self._file(loaded.slice)
            if path is not None and checksums.digest(path) != loaded.slice.sha256:
                return f"{path} is another file than the one that was loaded"
            expected = None if path is None else self._sums_of(path, table)
        return None if expected is None else self._difference(loaded, table, expected)

    def _detached(self, stream_slice: StreamSlice, table: RawTable) -> str | None:
        """Name the month of a slice, if somebody has detached it."""
        if not isinstance(table, PartitionedTable) or stream_slice.month is None:
            return None
        if table.name not in self._detached_months:
            months = table.months(self._cursor)
            self._detached_months[table.name] = {month.start: month.name for month in months if month.by_hand}
        return self._detached_months[table.name].get(stream_slice.month)

    def _difference(self, loaded: Loaded, table: RawTable, expected: Checksums) -> str:
        if lost := expected.keys() - table.columns.keys():
            return f"the columns {', '.join(sorted(lost))} are gone"
        types = {name: expected[name][0] for name in table.columns if name in expected}
        numbered = LINE in table.columns
        rows, found = checksums.of(
            self._cursor, table.places(self._cursor), types, loaded.slice.condition, numbered=numbered
        )
        if rows != loaded.rows:
            return f"{loaded.rows} rows were loaded, {rows} are there"
        other = [name for name in types if found[name] != expected[name]]
        return f"differs in {', '.join(other)}" if other else ""

    def _table(self, loaded: Loaded) -> RawTable:
        columns = columns_of(self._cursor, self._schema, loaded.table)
        by = Partitioning(str(loaded.slice.column))
        table = PartitionedTable(self._schema, loaded.table, columns, partitioning=by)
        return table if table.is_partitioned(self._cursor) else RawTable(self._schema, loaded.table, columns)

    def _file(self, stream_slice: StreamSlice) -> Path | None:
        """Find a slice's file by its published name, or by the one under which the tap hands it over."""
        assert self._folder is not None  # noqa: S101 - the caller looked
        stem, _, ending = (stream_slice.file or "").partition(".")
        found = [*self._folder.rglob(f"{stem}.{ending}"), *self._folder.rglob(f"{stem}.*.{ending}")] if stem else []
        right = [path for path in found if checksums.digest(path) == stream_slice.sha256]
        return next(iter([*right, *found]), None)

    def _sums_of(self, path: Path, table: RawTable) -> Checksums:
        """Load a file once more, into a temporary table, and add that up."""
        staging = StagingTable(self._warehouse, table, 0)
        try:
            file = DumpFile(path.as_uri())
            staging.add_file(file, {}, 0)
            columns = {name: table.columns[name] for name in file.columns if name in table.columns}
            every = sql.SQL("true")
            return checksums.of(self._cursor, [staging.identifier], columns, every, numbered=LINE in table.columns)[1]
        finally:
            staging.drop()


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: meltano invoke target-postgres:audit --days 7",
)
@click.option(
    "--config",
    type=click.File(),
    help="Settings of the loader as a JSON file; otherwise the variables TARGET_POSTGRES_HOST and so on.",
)
@click.option("--table", "tables", multiple=True, help="Only this table; may be given more than once.")
@click.option("--days", type=click.IntRange(1), help="Only so many of each table's newest days.")
@click.option(
    "--against-files",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Compare with the dump files of this folder, read once more, and not with the checksums of the ledger.",
)
def main(config: TextIO | None, tables: tuple[str, ...], days: int | None, folder: Path | None) -> None:
    """Compare raw rows with what was loaded from dump files.

    Without --against-files, with the checksums that the ledger has where the setting `verify` was on. Each slice that
    differs is a line, and the exit status is 1 then.
    """
    target = TargetPostgresCopy(config=json.load(config) if config else None, parse_env_config=config is None)
    equal = changed = unknown = differing = 0
    try:
        audit = Audit(target.warehouse, str(target.config.get("default_target_schema") or "public"), folder)
        for loaded in list(audit.entries(tables, days)):
            if loaded.was_changed:
                changed += 1
                continue
            fault = audit.fault(loaded)
            if fault:
                click.echo(visible(f"{loaded.table}  {loaded.slice.id}  load {loaded.load_id}: {fault}"))
            differing += bool(fault)
            unknown += fault is None
            equal += fault is not None and not fault
    except SingerSDKError as error:
        raise click.ClickException(str(error)) from error
    except (DBAPIError, psycopg.Error) as error:
        raise click.ClickException(" ".join(str(getattr(error, "orig", error)).split())) from error
    finally:
        target.warehouse.close()
    click.echo(
        f"{equal} slices are as they were loaded, {differing} differ. Not compared: {unknown} "
        f"{'without a file' if folder else 'without checksums'}, {changed} whose days a later load changed.",
        err=True,
    )
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
