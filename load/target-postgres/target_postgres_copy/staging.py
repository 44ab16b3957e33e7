"""A temporary table in which rows wait until their slice or batch is complete, and their way into the raw table."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from psycopg import sql

from target_postgres_copy import upsert
from target_postgres_copy.dump_files import copy_file, lineage_defaults, set_defaults
from target_postgres_copy.errors import SliceError
from target_postgres_copy.own_names import LINE, LOAD_ID
from target_postgres_copy.stream_schema import month_of
from target_postgres_copy.tables import PartitionedTable, comma, count, refuse_archived

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

    from target_postgres_copy.dump_files import DumpFile
    from target_postgres_copy.stream_schema import StreamSlice
    from target_postgres_copy.tables import Month, RawTable
    from target_postgres_copy.warehouse import Warehouse


class StagingTable:
    """A table of the session's own with a raw table's columns; it ends with the session, also with one that is killed.

    Every row gets the load's number.
    """

    def __init__(self, warehouse: Warehouse, table: RawTable, load_id: int) -> None:
        self._warehouse = warehouse
        self._cursor = warehouse.cursor
        self._table = table
        self.load_id = load_id
        self._written = {LOAD_ID}
        name = f"staging_{secrets.token_hex(8)}"
        self.identifier = sql.Identifier("pg_temp", name)
        self._lines = sql.Identifier("pg_temp", f"{name}_line_seq")
        create = sql.SQL("create temporary table {} (like {})")
        self._cursor.execute(create.format(sql.Identifier(name), table.identifier))
        if LINE in table.columns:
            create = sql.SQL("create temporary sequence {} cache 10000")
            self._cursor.execute(create.format(sql.Identifier(f"{name}_line_seq")))
        set_defaults(self._cursor, self.identifier, {LOAD_ID: sql.Literal(load_id)})

    def add_rows(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Write rows; returns how many."""
        self._written.update(columns)
        return upsert.copy_rows(self._cursor, self.identifier, columns, rows)

    def add_file(self, file: DumpFile, constants: Mapping[str, Any], sync_started_at: int) -> int:
        """Write a dump file's rows; returns how many.

        Columns that the table lacks are left out, and empty fields are null but in text.
        """
        defaults = lineage_defaults(
            [name for name in self._table.columns if name not in file.columns],
            constants=constants,
            load_id=self.load_id,
            sync_started_at=sync_started_at,
            line_sequence=self._lines,
        )
        self._written.update(defaults, file.columns)
        set_defaults(self._cursor, self.identifier, defaults)
        return copy_file(self._cursor, self.identifier, self._table, file, self._lines if LINE in defaults else None)

    def count_outside(self, stream_slice: StreamSlice) -> int:
        """Count the rows that lie outside a slice's range."""
        query = sql.SQL("select count(*) from {} where ({}) is not true")
        return count(self._cursor, query.format(self.identifier, stream_slice.condition))

    def days(self, stream_slice: StreamSlice | None) -> tuple[date | None, date | None] | None:
        """The first and last UTC day of the rows that a slice removes or brings; None where its range says it."""
        if stream_slice is None or stream_slice.time is None or stream_slice.days is not None:
            return None
        query = "select {time} as moment from {table} where {range} union all select {time} from {staged}"
        moments = sql.SQL(query).format(
            time=sql.Identifier(stream_slice.time),
            table=self._table.identifier,
            range=stream_slice.condition,
            staged=self.identifier,
        )
        self._cursor.execute(
            sql.SQL(
                "select min(moment at time zone 'UTC')::date, max(moment at time zone 'UTC')::date from ({}) as m"
            ).format(moments)
        )
        found: tuple[date | None, date | None] | None = self._cursor.fetchone()
        return found

    def merge(self, stream_slice: StreamSlice | None) -> tuple[int, int]:
        """Bring the rows into the raw table, in a transaction.

        Rows of a slice take the place of those that its range holds; others that of rows with the same key.

        Returns:
            How many rows were written, and how many were removed or replaced.
        """
        if not isinstance(self._table, PartitionedTable):
            return self._merge_by_key(stream_slice)
        months = self._months_of_rows(self._table)
        places = self._table.places(self._cursor)
        if stream_slice is None:
            deleted = self._delete_same_keys(places)
            return self._insert(self._table, months), deleted
        condition = stream_slice.condition
        if self._is_same(places, condition):
            return 0, 0
        deleted = 0
        for place in places:
            self._cursor.execute(sql.SQL("delete from {} where {}").format(place, condition))
            deleted += self._cursor.rowcount
        return self._insert(self._table, months), deleted

    def drop(self) -> None:
        """Drop the table."""
        self._cursor.execute(sql.SQL("drop table {}").format(self.identifier))
        if LINE in self._table.columns:
            self._cursor.execute(sql.SQL("drop sequence {}").format(self._lines))

    def _merge_by_key(self, stream_slice: StreamSlice | None) -> tuple[int, int]:
        deleted = 0
        columns = [name for name in self._table.columns if name in self._written]
        if stream_slice is not None:
            deleted = upsert.delete_range(self._cursor, self._table, stream_slice, self.identifier)
            columns = list(self._table.columns)  # a row is replaced whole: what the slice lacks is null in it
        counts = upsert.upsert(self._cursor, self.identifier, self._table, columns)
        written, replaced = counts.inserted + counts.updated, deleted + counts.updated
        if stream_slice is not None and (written or replaced):
            # A slice that changed is this load's as a whole, so that its rows can be counted against what was loaded.
            claimed = upsert.claim(self._cursor, self.identifier, self._table)
            written, replaced = written + claimed, replaced + claimed
        return written, replaced

    def _delete_same_keys(self, places: list[sql.Identifier]) -> int:
        """Delete the rows whose key is staged; the table has no unique index, so what index there is finds them."""
        if not self._table.keys:
            return 0
        deleted = 0
        upsert.remove_repeated(self._cursor, self.identifier, self._table.keys)
        delete = sql.SQL("delete from {} as held using {} as new where {}")
        for place in places:
            self._cursor.execute(delete.format(place, self.identifier, upsert.same_key(self._table.keys)))
            deleted += self._cursor.rowcount
        return deleted

    def _months_of_rows(self, table: PartitionedTable) -> list[Month]:
        """Find the months that the rows belong to, made where they are new."""
        by = table.partitioning.column
        column = sql.Identifier(by)
        query = sql.SQL("select distinct date_trunc('month', {0}) from {1} where {0} is not null order by 1")
        self._cursor.execute(query.format(column, self.identifier))
        starts = [month_of(start) for (start,) in self._cursor.fetchall()]
        query = sql.SQL("select count(*) from {} where {} is null")
        if undated := count(self._cursor, query.format(self.identifier, column)):
            raise SliceError(
                f"table {table.name}: {undated} rows have no {by}, by whose month the table is partitioned; what the "
                "table held is kept"
            )
        # All of them before the first is made or attached: who waits for a month holds no table that its loader needs.
        for start in starts:
            table.lock(self._cursor, start)
        return [self._month(table, start) for start in starts]

    def _month(self, table: PartitionedTable, start: datetime) -> Month:
        month, backfill = table.month(self._cursor, start), self._warehouse.is_on("backfill")
        if month is not None and (month.attached or backfill):
            return month
        if month is None:
            refuse_archived(self._cursor, table.schema, table.name, start.date(), start.date())
            month = table.create_month(self._cursor, start)
            return month if backfill else table.attach(self._cursor, month)
        self._warehouse.ledger(table.schema).write_attached(self._cursor, table, month)
        return table.attach(self._cursor, month)

    def _is_same(self, places: list[sql.Identifier], condition: sql.Composable) -> bool:
        columns = comma(self._table.data_columns)
        held = sql.SQL(" union all ").join(
            sql.SQL("select {} from {} where {}").format(columns, place, condition) for place in places
        )
        staged = sql.SQL("select {} from {}").format(columns, self.identifier)
        sizes = sql.SQL("select (select count(*) from ({}) as a) - (select count(*) from ({}) as b)")
        if count(self._cursor, sizes.format(held, staged)):
            return False
        differing = sql.SQL("select count(*) from ({} except all ({})) as c")
        return not count(self._cursor, differing.format(staged, held))

    def _insert(self, table: PartitionedTable, months: list[Month]) -> int:
        insert = sql.SQL("insert into {} ({columns}) select {columns} from {} where {by} >= {} and {by} < {}")
        loaded = 0
        for month in months:
            place = table.identifier if month.attached else table.id_of(month)
            bounds = (sql.Literal(month.start), sql.Literal(month.stop))
            by = sql.Identifier(table.partitioning.column)
            self._cursor.execute(insert.format(place, self.identifier, *bounds, columns=comma(table.columns), by=by))
            loaded += self._cursor.rowcount
        return loaded
