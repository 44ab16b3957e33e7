"""Staged rows into a partitioned table, inside the transaction that the caller opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql

from target_postgres_copy.queries import comma, count, in_range
from target_postgres_copy.units import UnitError, month_of
from target_postgres_copy.upsert import remove_repeated, same_key

if TYPE_CHECKING:
    from psycopg import Cursor

    from target_postgres_copy.run import Run
    from target_postgres_copy.tables import Month, PartitionedTable, RawTable
    from target_postgres_copy.units import Unit


class PartitionMerge:
    """One merge of staged rows into a partitioned table.

    Args:
        run: What it shares with other loads.
        table: A partitioned table.
        staged: Name of the staging table, with the same columns.
    """

    def __init__(self, run: Run, table: RawTable, staged: sql.Identifier) -> None:
        assert table.partitions is not None  # noqa: S101 - the caller looked
        self._run = run
        self._cursor: Cursor[Any] = run.cursor
        self._table = table
        self._partitions: PartitionedTable = table.partitions
        self._staged = staged

    def replace(self, unit: Unit) -> tuple[int, int]:
        """Put a unit's rows in the place of those that its range holds.

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
        """Put rows in the place of those with the same key, or append them where there is no key.

        The table has no unique index, so this looks for keys by what index there is. It is the way of rows that
        belong to no unit; those of this project's tap do.

        Returns:
            How many rows were inserted, and how many of the same key removed.
        """
        months = self._months_of_rows()
        deleted = 0
        if self._table.keys:
            remove_repeated(self._cursor, self._staged, self._table.keys)
            delete = sql.SQL("delete from {} as held using {} as new where {}")
            for place in self._table.places(self._cursor):
                self._cursor.execute(delete.format(place, self._staged, same_key(self._table.keys)))
                deleted += self._cursor.rowcount
        return self._insert(months), deleted

    def _months_of_rows(self) -> list[Month]:
        """Find the months that the rows belong to, made where they are new."""
        column = sql.Identifier(self._partitions.column)
        query = sql.SQL("select distinct date_trunc('month', {0}) from {1} where {0} is not null order by 1")
        self._cursor.execute(query.format(column, self._staged))
        starts = [month_of(start) for (start,) in self._cursor.fetchall()]
        homeless = count(self._cursor, sql.SQL("select count(*) from {} where {} is null").format(self._staged, column))
        if homeless:
            msg = (
                f"table {self._table.name}: {homeless} rows have no {self._partitions.column}, by whose month the "
                "table is cut; what the table held is kept"
            )
            raise UnitError(msg)
        # All of them before the first is made or attached: who waits for a month holds no table that its loader needs.
        for start in starts:
            self._partitions.lock(self._cursor, start)
        return [self._month(start) for start in starts]

    def _month(self, start: Any) -> Month:  # noqa: ANN401
        month = self._partitions.month(self._cursor, start)
        is_new = month is None
        if month is None:
            month = self._partitions.create_month(self._cursor, start, apart=self._run.backfill)
        if month.attached or self._run.backfill:
            return month
        if not is_new:
            self._run.ledger.write_attached(self._cursor, self._table.name, self._partitions.column, month)
        return self._partitions.attach(self._cursor, month)

    def _is_same(self, places: list[sql.Identifier], condition: sql.Composable) -> bool:
        held = sql.SQL(" union all ").join(
            sql.SQL("select {} from {} where {}").format(comma(self._table.data_columns), place, condition)
            for place in places
        )
        staged = sql.SQL("select {} from {}").format(comma(self._table.data_columns), self._staged)
        fill = {"held": held, "staged": staged}
        sizes = sql.SQL("select (select count(*) from ({held}) as a) - (select count(*) from ({staged}) as b)")
        if count(self._cursor, sizes.format(**fill)):
            return False
        return not count(
            self._cursor, sql.SQL("select count(*) from ({staged} except all ({held})) as c").format(**fill)
        )

    def _insert(self, months: list[Month]) -> int:
        columns = comma(self._table.columns)
        column = sql.Identifier(self._partitions.column)
        loaded = 0
        for month in months:
            home = self._table.identifier if month.attached else self._partitions.id_of(month)
            self._cursor.execute(
                sql.SQL("insert into {} ({}) select {} from {} where {} >= {} and {} < {}").format(
                    home,
                    columns,
                    columns,
                    self._staged,
                    column,
                    sql.Literal(month.start),
                    column,
                    sql.Literal(month.stop),
                )
            )
            loaded += self._cursor.rowcount
        return loaded
