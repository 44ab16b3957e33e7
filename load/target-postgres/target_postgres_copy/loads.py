"""One load: rows on their way into a raw table, committed whole or not at all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from psycopg import sql

from target_postgres_copy import checksums, months, upsert
from target_postgres_copy.queries import count, in_range
from target_postgres_copy.staging import Staging
from target_postgres_copy.units import UnitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from target_postgres_copy.dumpfile import DumpFile
    from target_postgres_copy.ledger import Run
    from target_postgres_copy.tables import RawTable
    from target_postgres_copy.units import Unit


class Load:
    """Rows of a unit, or rows that belong to none.

    Args:
        run: What it shares with others.
        table: Where the rows go.
        unit: The unit, None for rows that are merged by key or appended.
    """

    def __init__(self, run: Run, table: RawTable, unit: Unit | None) -> None:
        self._run = run
        self._cursor = run.cursor
        self._table = table
        self._unit = unit
        self._staging: Staging | None = None
        self._load_id = 0
        self._carried: list[str] = []
        self.seen = 0
        self._since = time.monotonic()
        self.is_open = unit is not None

    @property
    def lacks(self) -> int | None:
        """How many of the rows that the unit announced have not come yet; None if it announced no number."""
        return None if self._unit is None or self._unit.rows is None else self._unit.rows - self.seen

    def add_rows(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Take rows in; they wait in a temporary table."""
        self.seen += self._stage().add_rows(columns, rows)

    def add_file(self, file: DumpFile) -> None:
        """Take a dump file in.

        A file that is a whole unit of a partitioned table is loaded and committed here; others wait like rows.

        Args:
            file: The dump.

        Raises:
            UnitError: If it cannot be loaded as it is, or has another number of rows than announced.
        """
        unit = self._unit
        if unit is not None and unit.rows is not None and not self.seen:
            if self._is_unchanged(unit):
                self._run.tell(unit, self._since, loaded=0, deleted=0)
                self.seen, self.is_open = unit.rows, False
                return
            self._ask_empty(unit, unit.rows)
            if months.suits(self._table, unit) and months.MonthLoad(self._run, self._table, unit, file).load():
                self.seen, self.is_open = unit.rows, False
                return
        constants = unit.constants if unit else {}
        self._carried = file.columns
        self.seen += self._stage().add_file(file, constants, self._run.sync_started_at)

    def commit(self) -> None:
        """Put what has come into the table, in one transaction.

        Raises:
            UnitError: If more or fewer rows came than were announced, or rows outside the unit's range.
        """
        unit = self._unit
        self.is_open = False
        if unit is not None and unit.rows is not None and unit.rows != self.seen:
            self.abandon()
            msg = (
                f"{unit.id}: {unit.rows} rows were announced and {self.seen} came; what the table held is kept. "
                "The tap has stopped half-way: run it again"
            )
            raise UnitError(msg)
        if unit is None and self._staging is None:
            return
        if unit is not None:
            self._ask_empty(unit, self.seen)
        staging = self._stage()
        if unit is not None:
            self._check_range(unit, staging)
        with self._cursor.connection.transaction():
            days = self._days(unit, staging)
            loaded, deleted = self._merge(staging, unit)
            if loaded or deleted:
                sums = None
                if self._run.verify and unit is not None and self._carried:
                    sums = checksums.of_unit(self._cursor, self._table, self._carried, unit)
                self._run.ledger.write(
                    self._cursor,
                    self._load_id,
                    self._table.name,
                    unit,
                    loaded=loaded,
                    deleted=deleted,
                    days=days,
                    checksums=sums,
                )
        if unit is not None:
            self._run.tell(unit, self._since, loaded=loaded, deleted=deleted)
        self._drop()

    def abandon(self) -> None:
        """Forget what has come; what the table holds is kept."""
        self.is_open = False
        self._drop()

    def _merge(self, staging: Staging, unit: Unit | None) -> tuple[int, int]:
        """Bring staged rows into the table; returns how many were written and how many removed or replaced."""
        if self._table.partitions is not None:
            return staging.replace(unit) if unit is not None else staging.merge()
        gone, columns = 0, staging.columns
        if unit is not None:
            gone = upsert.delete_range(self._cursor, self._table, unit, staging.identifier)
            columns = list(self._table.columns)  # a row is replaced whole: what the unit lacks is null in it
        counts = upsert.upsert(self._cursor, staging.identifier, self._table, columns)
        written, replaced = counts.inserted + counts.updated, gone + counts.updated
        if unit is not None and (written or replaced):
            # A unit that changed is this load's as a whole, so that its rows can be counted against what was loaded.
            claimed = upsert.claim(self._cursor, staging.identifier, self._table)
            written, replaced = written + claimed, replaced + claimed
        return written, replaced

    def _ask_empty(self, unit: Unit, rows: int) -> None:
        """Stop at a file without rows where there are some: that it lost them is likelier than that the chain did.

        A unit of no file is a range that its source took back, and empties it.
        """
        if rows or self._run.allow_empty or not (unit.file or unit.sha256):
            return
        held = sum(
            count(self._cursor, sql.SQL("select count(*) from {} where {}").format(place, in_range(unit)))
            for place in self._table.places(self._cursor)
        )
        if held:
            self.abandon()
            raise UnitError(
                f"{unit.id}: the dump file {unit.file or unit.sha256} has a header and no rows, and {self._table.name} "
                f"holds {held} rows of that range, which are kept: fetch the file anew, or, if nothing belongs there, "
                "run with the setting allow_empty"
            )

    def _is_unchanged(self, unit: Unit) -> bool:
        """Whether the very file was loaded and all its rows are still there, and no others."""
        if self._run.reload or not unit.sha256:
            return False
        known = self._run.ledger.last(self._cursor, self._table.name, unit.id)
        if known is None or known.sha256 != unit.sha256 or known.rows != unit.rows:
            return False
        self._cursor.execute(
            sql.SQL("select count(*), count(*) filter (where _load_id = {}) from {} where {}").format(
                sql.Literal(known.load_id), self._table.identifier, in_range(unit)
            )
        )
        return self._cursor.fetchone() == (unit.rows, unit.rows)

    def _days(self, unit: Unit | None, staging: Staging) -> tuple[date | None, date | None] | None:
        """Find the first and last UTC day of the rows that a unit removes or brings; None where its range says it."""
        if unit is None or unit.time is None or unit.days is not None:
            return None
        fill = {"time": sql.Identifier(unit.time), "table": self._table.identifier, "range": in_range(unit)}
        fill |= {"staged": staging.identifier}
        query = "select {time} as moment from {table} where {range} union all select {time} from {staged}"
        self._cursor.execute(
            sql.SQL("select min(moment at time zone 'UTC')::date, max(moment at time zone 'UTC')::date from (")
            + sql.SQL(query).format(**fill)
            + sql.SQL(") as moments")
        )
        found: tuple[date | None, date | None] | None = self._cursor.fetchone()
        return found

    def _check_range(self, unit: Unit, staging: Staging) -> None:
        outside = count(
            self._cursor,
            sql.SQL("select count(*) from {} where ({}) is not true").format(staging.identifier, in_range(unit)),
        )
        if outside:
            msg = f"{unit.id}: {outside} rows lie outside its range of {unit.column}; what the table held is kept"
            self.abandon()
            raise UnitError(msg)

    def _stage(self) -> Staging:
        if self._staging is None:
            self._load_id = self._run.ledger.new_load(self._cursor)
            self._staging = Staging(self._run, self._table, self._load_id)
        return self._staging

    def _drop(self) -> None:
        if self._staging is not None:
            self._staging.drop()
            self._staging = None
