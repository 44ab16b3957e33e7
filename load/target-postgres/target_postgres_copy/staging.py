"""A temporary table in which rows wait until their unit or batch is complete, and their way from there into months."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from psycopg import sql

from target_postgres_copy import lineage, upsert
from target_postgres_copy.dumpfile import copy_file
from target_postgres_copy.lineage import LOAD_ID
from target_postgres_copy.queries import comma, count, in_range
from target_postgres_copy.units import UnitError, month_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from target_postgres_copy.dumpfile import DumpFile
    from target_postgres_copy.ledger import Run
    from target_postgres_copy.tables import Month, PartitionedTable, RawTable
    from target_postgres_copy.units import Unit


class Staging:
    """A table of the session's own with a raw table's columns; it ends with the session, also with one that is killed.

    Args:
        run: What it shares with other loads.
        table: The raw table.
        load_id: The load's number, which every row gets.
    """

    def __init__(self, run: Run, table: RawTable, load_id: int) -> None:
        cursor = run.cursor
        self._run = run
        self._cursor = cursor
        self._table = table
        self._load_id = load_id
        self._written = {LOAD_ID}
        name = f"staging_{secrets.token_hex(8)}"
        self.identifier = sql.Identifier("pg_temp", name)
        self._lines = sql.Identifier("pg_temp", f"{name}_line_seq")
        cursor.execute(sql.SQL("create temporary table {} (like {})").format(sql.Identifier(name), table.identifier))
        if lineage.LINE in table.columns:
            cursor.execute(
                sql.SQL("create temporary sequence {} cache 10000").format(sql.Identifier(f"{name}_line_seq"))
            )
        lineage.set_defaults(cursor, self.identifier, {LOAD_ID: sql.Literal(load_id)})

    @property
    def _months(self) -> PartitionedTable:
        assert self._table.partitions is not None  # noqa: S101 - who merges by month has looked
        return self._table.partitions

    @property
    def columns(self) -> list[str]:
        """The columns that were written, in the table's order; others say nothing."""
        return [name for name in self._table.columns if name in self._written]

    def add_rows(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
        """Write rows; returns how many."""
        self._written.update(columns)
        return upsert.copy_rows(self._cursor, self.identifier, columns, rows)

    def add_file(self, file: DumpFile, constants: Mapping[str, Any], sync_started_at: int) -> int:
        """Write a dump file's rows: columns that the table lacks are left out, empty fields are null but in text.

        Args:
            file: The dump.
            constants: Columns with the same value in each row.
            sync_started_at: Milliseconds since 1970.

        Returns:
            How many rows were written.

        Raises:
            UnitError: If a row is not as the table wants it.
        """
        given = lineage.defaults(
            [name for name in self._table.columns if name not in file.columns],
            constants=constants,
            load_id=self._load_id,
            sync_started_at=sync_started_at,
            line_sequence=self._lines,
        )
        self._written.update(given, file.columns)
        lineage.set_defaults(self._cursor, self.identifier, given)
        lines = self._lines if lineage.LINE in given else None
        return copy_file(self._cursor, self.identifier, self._table, file, lines)

    def replace(self, unit: Unit) -> tuple[int, int]:
        """Put a unit's rows in the place of those that its range holds, in a table that is cut by month.

        Args:
            unit: The unit.

        Returns:
            How many rows were inserted and how many removed; none of both if they are the same.
        """
        months = self._months_of_rows()
        places = self._table.places(self._cursor)
        condition = in_range(unit)
        if self._is_same(places, condition):
            return 0, 0
        deleted = 0
        for place in places:
            self._cursor.execute(sql.SQL("delete from {} where {}").format(place, condition))
            deleted += self._cursor.rowcount
        return self._insert(months), deleted

    def merge(self) -> tuple[int, int]:
        """Put rows in the place of those with the same key, or append them, in a table that is cut by month.

        The table has no unique index, so this looks for keys by what index there is. It is the way of rows that
        belong to no unit; those of this project's tap do.

        Returns:
            How many rows were inserted, and how many of the same key removed.
        """
        months = self._months_of_rows()
        deleted = 0
        if self._table.keys:
            upsert.remove_repeated(self._cursor, self.identifier, self._table.keys)
            delete = sql.SQL("delete from {} as held using {} as new where {}")
            for place in self._table.places(self._cursor):
                self._cursor.execute(delete.format(place, self.identifier, upsert.same_key(self._table.keys)))
                deleted += self._cursor.rowcount
        return self._insert(months), deleted

    def drop(self) -> None:
        """Drop the table."""
        self._cursor.execute(sql.SQL("drop table {}").format(self.identifier))
        if lineage.LINE in self._table.columns:
            self._cursor.execute(sql.SQL("drop sequence {}").format(self._lines))

    def _months_of_rows(self) -> list[Month]:
        """Find the months that the rows belong to, made where they are new."""
        column = sql.Identifier(self._months.column)
        query = sql.SQL("select distinct date_trunc('month', {0}) from {1} where {0} is not null order by 1")
        self._cursor.execute(query.format(column, self.identifier))
        starts = [month_of(start) for (start,) in self._cursor.fetchall()]
        homeless = count(
            self._cursor, sql.SQL("select count(*) from {} where {} is null").format(self.identifier, column)
        )
        if homeless:
            msg = (
                f"table {self._table.name}: {homeless} rows have no {self._months.column}, by whose month the "
                "table is cut; what the table held is kept"
            )
            raise UnitError(msg)
        # All of them before the first is made or attached: who waits for a month holds no table that its loader needs.
        for start in starts:
            self._months.lock(self._cursor, start)
        return [self._month(start) for start in starts]

    def _month(self, start: Any) -> Month:  # noqa: ANN401
        month = self._months.month(self._cursor, start)
        is_new = month is None
        if month is None:
            month = self._months.create_month(self._cursor, start, apart=self._run.backfill)
        if month.attached or self._run.backfill:
            return month
        if not is_new:
            self._run.ledger.write_attached(self._cursor, self._table.name, self._months.column, month)
        return self._months.attach(self._cursor, month)

    def _is_same(self, places: list[sql.Identifier], condition: sql.Composable) -> bool:
        held = sql.SQL(" union all ").join(
            sql.SQL("select {} from {} where {}").format(comma(self._table.data_columns), place, condition)
            for place in places
        )
        staged = sql.SQL("select {} from {}").format(comma(self._table.data_columns), self.identifier)
        fill = {"held": held, "staged": staged}
        sizes = sql.SQL("select (select count(*) from ({held}) as a) - (select count(*) from ({staged}) as b)")
        if count(self._cursor, sizes.format(**fill)):
            return False
        return not count(
            self._cursor, sql.SQL("select count(*) from ({staged} except all ({held})) as c").format(**fill)
        )

    def _insert(self, months: list[Month]) -> int:
        columns = comma(self._table.columns)
        column = sql.Identifier(self._months.column)
        loaded = 0
        for month in months:
            home = self._table.identifier if month.attached else self._months.id_of(month)
            self._cursor.execute(
                sql.SQL("insert into {} ({}) select {} from {} where {} >= {} and {} < {}").format(
                    home,
                    columns,
                    columns,
                    self.identifier,
                    column,
                    sql.Literal(month.start),
                    column,
                    sql.Literal(month.stop),
                )
            )
            loaded += self._cursor.rowcount
        return loaded
