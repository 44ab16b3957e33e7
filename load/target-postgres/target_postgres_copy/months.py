"""A dump file that is a whole unit, on the shortest way: from the file into its month's table, with nothing between."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from target_postgres_copy import checksums, lineage
from target_postgres_copy.dumpfile import copy_file
from target_postgres_copy.queries import count, in_range
from target_postgres_copy.units import UnitError

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Cursor

    from target_postgres_copy.checksums import Checksums
    from target_postgres_copy.dumpfile import DumpFile
    from target_postgres_copy.ledger import Run
    from target_postgres_copy.tables import Month, PartitionedTable, RawTable
    from target_postgres_copy.units import Unit

logger = logging.getLogger(__name__)

_PATIENCE = "5s"


def suits(table: RawTable, unit: Unit) -> bool:
    """Whether a unit's rows all lie in one month of a partitioned table, and are known by number."""
    return (
        table.partitions is not None
        and unit.column == table.partitions.column
        and unit.month is not None
        and unit.rows is not None
    )


class MonthLoad:
    """The load of one unit into its month.

    A month that is new is a table of the same transaction: no row of it is written to the log where `wal_level` is
    `minimal`, its index is built once, and nobody sees it before. A month that is there gets the rows as they come.

    Args:
        run: What it shares with other loads.
        table: A partitioned table.
        unit: The unit, which `suits`.
        file: The dump file that holds it.
    """

    def __init__(self, run: Run, table: RawTable, unit: Unit, file: DumpFile) -> None:
        assert table.partitions is not None  # noqa: S101 - it suits
        assert unit.month is not None  # noqa: S101
        self._run = run
        self._cursor: Cursor[Any] = run.cursor
        self._table = table
        self._months: PartitionedTable = table.partitions
        self._unit = unit
        self._start: datetime = unit.month
        self._file = file
        self._since = time.monotonic()

    def load(self) -> bool:
        """Load and commit.

        Returns:
            Whether that was done; not if somebody reads the month so long that its columns' defaults cannot be set.

        Raises:
            UnitError: If a row is not as the table wants it, or another number came than announced.
        """
        self._attach_earlier()
        if not self._run.backfill:
            self._attach_apart(self._start)
        with self._cursor.connection.transaction():
            self._months.lock(self._cursor, self._start)
            month = self._months.month(self._cursor, self._start)
            counts = self._into_new() if month is None else self._into_existing(month)
            if counts is None:
                return False
        loaded, deleted = counts
        is_apart = self._run.backfill if month is None else not month.attached
        if is_apart:
            self._run.apart.add((self._table.name, self._start))
        self._run.tell(self._unit, self._since, loaded=loaded, deleted=deleted)
        # Where this is no backfill, another one has begun the month since the look above.
        if is_apart and (self._unit.ends_month or not self._run.backfill):
            self._attach_apart(self._start)
        return True

    def _into_new(self) -> tuple[int, int]:
        load_id = self._run.ledger.new_load(self._cursor)
        # What is the same in each row is added when the rows are there, which costs none of them a byte.
        carried = {*self._file.columns, lineage.LINE}
        month = self._months.create_month(self._cursor, self._start, apart=self._run.backfill, columns=carried)
        table = self._months.id_of(month)
        constants = self._defaults(month, load_id)
        numbers = {name: constants.pop(name) for name in (lineage.LINE,) if name in constants}
        lineage.set_defaults(self._cursor, table, numbers)
        loaded = self._copy(month, numbers)
        sums = self._checksums(month)
        self._months.add_missing(self._cursor, month, constants)
        lineage.drop_defaults(self._cursor, table, [*numbers, *constants])
        if not self._run.backfill:
            self._attach_checked(month)
        self._run.ledger.write(
            self._cursor, load_id, self._table.name, self._unit, loaded=loaded, deleted=0, checksums=sums
        )
        return loaded, 0

    def _into_existing(self, month: Month) -> tuple[int, int] | None:
        load_id = self._run.ledger.new_load(self._cursor)
        given = self._defaults(month, load_id)
        try:
            # Committed at once, by a second connection, so that readers wait a moment and not for the whole load. The
            # next load sets them anew, under the same lock; rows that come another way bring each value themselves.
            with self._run.beside() as cursor:
                cursor.execute(sql.SQL("set local lock_timeout = {}").format(sql.Literal(_PATIENCE)))
                lineage.set_defaults(cursor, self._months.id_of(month), given)
        except psycopg.errors.LockNotAvailable:
            logger.info(
                "%s is being read for long; its unit %s goes by way of a staging table.", month.name, self._unit.id
            )
            return None
        delete = sql.SQL("delete from {} where {}").format(self._months.id_of(month), in_range(self._unit))
        self._cursor.execute(delete)
        deleted = self._cursor.rowcount
        loaded = self._copy(month, given)
        sums = self._checksums(month)
        self._run.ledger.write(
            self._cursor, load_id, self._table.name, self._unit, loaded=loaded, deleted=deleted, checksums=sums
        )
        return loaded, deleted

    def _copy(self, month: Month, given: dict[str, sql.Composable]) -> int:
        lines = self._months.line_sequence(month) if lineage.LINE in given else None
        loaded = copy_file(self._cursor, self._months.id_of(month), self._table, self._file, lines)
        if loaded != self._unit.rows:
            msg = (
                f"{self._unit.id}: {self._unit.rows} rows were announced and {self._file.path} holds {loaded}; what "
                "the table held is kept: run the tap again, it fetches the file anew"
            )
            raise UnitError(msg)
        return loaded

    def _checksums(self, month: Month) -> Checksums | None:
        if not self._run.verify:
            return None
        return checksums.of_unit(self._cursor, self._table, self._file.columns, self._unit, [self._months.id_of(month)])

    def _attach_checked(self, month: Month) -> None:
        connection = self._cursor.connection
        try:
            with connection.transaction():
                self._months.attach(self._cursor, month)
        except psycopg.errors.CheckViolation as error:
            where = ""
            if lineage.LINE in self._table.columns:
                column = sql.Identifier(self._months.column)
                query = sql.SQL("select min({}) from {} where ({} >= {} and {} < {}) is not true")
                bounds = (column, sql.Literal(month.start), column, sql.Literal(month.stop))
                line = query.format(sql.Identifier(lineage.LINE), self._months.id_of(month), *bounds)
                where = f", line {count(self._cursor, line)}"
            msg = (
                f"dump file {self._file.path}{where}, column {self._months.column}: outside the month of unit "
                f"{self._unit.id}; nothing of this file was loaded, and what the table held is kept"
            )
            raise UnitError(msg) from error

    def _defaults(self, month: Month, load_id: int) -> dict[str, sql.Composable]:
        return lineage.defaults(
            [name for name in self._table.columns if name not in self._file.columns],
            constants=self._unit.constants,
            load_id=load_id,
            sync_started_at=self._run.sync_started_at,
            line_sequence=self._months.line_sequence(month),
        )

    def _attach_earlier(self) -> None:
        """Complete months that this run filled before it came to a later one."""
        for table, start in sorted(self._run.apart):
            if table == self._table.name and start < self._start:
                self._attach_apart(start)

    def _attach_apart(self, start: datetime) -> None:
        """Attach a month that is apart, if there is one, in a transaction of its own."""
        if self._apart(start):
            with self._cursor.connection.transaction():
                self._months.lock(self._cursor, start)
                if (month := self._apart(start)) is not None:
                    self._months.attach(self._cursor, month)
                    self._run.ledger.write_attached(self._cursor, self._table.name, self._months.column, month)
        self._run.apart.discard((self._table.name, start))

    def _apart(self, start: datetime) -> Month | None:
        month = self._months.month(self._cursor, start)
        return None if month is None or month.attached else month
