"""One load: rows on their way into a raw table, committed whole or not at all.

A dump file that is a whole slice of a partitioned table is copied straight into its month (`MonthCopy`). All other rows
wait in a temporary table (`staging.py`) until their slice or batch is complete.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from target_postgres_copy import checksums
from target_postgres_copy.dump_files import copy_file, drop_defaults, lineage_defaults, set_defaults
from target_postgres_copy.errors import SliceError
from target_postgres_copy.own_names import LINE
from target_postgres_copy.staging import StagingTable
from target_postgres_copy.tables import PartitionedTable, archived_state, count, refuse_archived

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from psycopg import Cursor

    from target_postgres_copy.checksums import Checksums
    from target_postgres_copy.dump_files import DumpFile
    from target_postgres_copy.stream_schema import StreamSlice
    from target_postgres_copy.tables import Month, RawTable
    from target_postgres_copy.warehouse import Ledger, Warehouse

logger = logging.getLogger(__name__)

_PATIENCE = "5s"  # of a wait for readers of a month


class Load:
    """Rows of a slice, or of none, which are merged by key or appended."""

    def __init__(self, warehouse: Warehouse, table: RawTable, stream_slice: StreamSlice | None) -> None:
        self._warehouse = warehouse
        self._cursor = warehouse.cursor
        self._ledger = warehouse.ledger(table.schema)
        self._table = table
        self._slice = stream_slice
        self._staging: StagingTable | None = None
        self._carried: list[str] = []
        self._since = time.monotonic()
        self.seen = 0
        self.is_open = stream_slice is not None

    @property
    def remaining(self) -> int | None:
        """How many of the rows that the slice announced have not come yet; None if it announced no number."""
        return None if self._slice is None or self._slice.rows is None else self._slice.rows - self.seen

    def add_rows(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Take rows in; they wait in a temporary table."""
        self.seen += self._stage().add_rows(columns, rows)

    def add_file(self, file: DumpFile) -> None:
        """Take a dump file in; one that is a whole slice of a partitioned table is loaded and committed here.

        Raises:
            SliceError: If it cannot be loaded as it is, or has another number of rows than announced.
        """
        stream_slice = self._slice
        if stream_slice is not None and stream_slice.rows is not None and not self.seen:
            if self._is_unchanged(stream_slice):
                _log(stream_slice, self._since, loaded=0, deleted=0)
                self.seen, self.is_open = stream_slice.rows, False
                return
            self._refuse_empty(stream_slice, stream_slice.rows)
            if self._copy_to_month(stream_slice, file):
                self.seen, self.is_open = stream_slice.rows, False
                return
        self._carried = file.columns
        constants = stream_slice.constants if stream_slice else {}
        self.seen += self._stage().add_file(file, constants, self._warehouse.sync_started_at)

    def commit(self) -> None:
        """Put what has come into the table, in one transaction.

        Raises:
            SliceError: If more or fewer rows came than were announced, or rows outside the slice's range.
        """
        stream_slice = self._slice
        self.is_open = False
        if stream_slice is not None:
            if stream_slice.rows is not None and stream_slice.rows != self.seen:
                self.abandon()
                raise SliceError(
                    f"{stream_slice.id}: {stream_slice.rows} rows were announced and {self.seen} came; what the table "
                    "held is kept. The tap has stopped half-way: run it again"
                )
            self._refuse_empty(stream_slice, self.seen)
        elif self._staging is None:
            return
        staging = self._stage()
        if stream_slice is not None and (outside := staging.count_outside(stream_slice)):
            self.abandon()
            raise SliceError(
                f"{stream_slice.id}: {outside} rows lie outside its range of {stream_slice.column}; what the table "
                "held is kept"
            )
        with self._cursor.connection.transaction():
            days = staging.days(stream_slice)
            loaded, deleted = staging.merge(stream_slice)
            if loaded or deleted:
                first, last = days or (None if stream_slice is None else stream_slice.days) or (None, None)
                refuse_archived(self._cursor, self._table.schema, self._table.name, first, last)
                sums = None
                if stream_slice is not None and self._carried and self._warehouse.is_on("verify"):
                    sums = checksums.of_slice(self._cursor, self._table, self._carried, stream_slice)
                self._ledger.write(
                    self._cursor,
                    staging.load_id,
                    self._table.name,
                    stream_slice,
                    loaded=loaded,
                    deleted=deleted,
                    days=days,
                    checksums=sums,
                )
        if stream_slice is not None:
            _log(stream_slice, self._since, loaded=loaded, deleted=deleted)
        self._drop()

    def abandon(self) -> None:
        """Forget what has come; what the table holds is kept."""
        self.is_open = False
        self._drop()

    def _copy_to_month(self, stream_slice: StreamSlice, file: DumpFile) -> bool:
        """Copy a file into its month, if all its rows lie in one month of a partitioned table; gives whether it did."""
        table = self._table
        # Only a slice by the partitions' own column has a month: another may be by dates without a zone, or by heights.
        if not isinstance(table, PartitionedTable) or table.partitioning.column != stream_slice.column:
            return False
        month = stream_slice.month
        return month is not None and MonthCopy(self._warehouse, table, stream_slice, month, file).load()

    def _refuse_empty(self, stream_slice: StreamSlice, rows: int) -> None:
        """Stop at a file without rows where there are some: that it lost them is likelier than that the chain did.

        A slice of no file is a range that its source took back, and empties it.
        """
        file = stream_slice.file or stream_slice.sha256
        if rows or not file or self._warehouse.is_on("allow_empty"):
            return
        held = sum(
            count(self._cursor, sql.SQL("select count(*) from {} where {}").format(place, stream_slice.condition))
            for place in self._table.places(self._cursor)
        )
        if held:
            self.abandon()
            raise SliceError(
                f"{stream_slice.id}: the dump file {file} has a header and no rows, and {self._table.name} "
                f"holds {held} rows of that range, which are kept: fetch the file anew, or, if nothing belongs there, "
                "run with the setting allow_empty"
            )

    def _is_unchanged(self, stream_slice: StreamSlice) -> bool:
        """Whether the very file was loaded and all its rows are still there, or in the archive, and no others."""
        if self._warehouse.is_on("reload") or not stream_slice.sha256:
            return False
        last = self._ledger.last(self._cursor, self._table.name, stream_slice.id)
        if last is None or last.sha256 != stream_slice.sha256 or last.rows != stream_slice.rows:
            return False
        table, month = self._table, stream_slice.month
        if archived_state(self._cursor, table.schema, table.name, month) == "archived":
            return True
        self._cursor.execute(
            sql.SQL("select count(*), count(*) filter (where _load_id = {}) from {} where {}").format(
                sql.Literal(last.load_id), self._table.identifier, stream_slice.condition
            )
        )
        return self._cursor.fetchone() == (stream_slice.rows, stream_slice.rows)

    def _stage(self) -> StagingTable:
        if self._staging is None:
            self._staging = StagingTable(self._warehouse, self._table, self._ledger.new_load(self._cursor))
        return self._staging

    def _drop(self) -> None:
        if self._staging is not None:
            self._staging.drop()
            self._staging = None


class MonthCopy:
    """Copies a dump file that is a whole slice straight into its month.

    A month that is new is a table of the same transaction: no row of it is written to the log where `wal_level` is
    `minimal`, its index is built once, and nobody sees it before. A month that is there gets the rows as they come.
    """

    def __init__(
        self, warehouse: Warehouse, table: PartitionedTable, stream_slice: StreamSlice, start: datetime, file: DumpFile
    ) -> None:
        self._warehouse = warehouse
        self._cursor: Cursor[Any] = warehouse.cursor
        self._ledger: Ledger = warehouse.ledger(table.schema)
        self._table = table
        self._slice = stream_slice
        self._start = start
        self._file = file
        self._backfill = warehouse.is_on("backfill")
        self._since = time.monotonic()

    def load(self) -> bool:
        """Load and commit.

        Returns:
            Whether that was done; not if somebody reads the month so long that its columns' defaults cannot be set.

        Raises:
            SliceError: If a row is not as the table wants it, or another number came than announced.
        """
        for schema, table, start in sorted(self._warehouse.detached):  # months that this run filled before
            if (schema, table) == (self._table.schema, self._table.name) and start < self._start:
                self._attach_detached(start)
        if not self._backfill:
            self._attach_detached(self._start)
        with self._cursor.connection.transaction():
            self._table.lock(self._cursor, self._start)
            day = self._start.date()
            refuse_archived(self._cursor, self._table.schema, self._table.name, day, day)
            month = self._table.month(self._cursor, self._start)
            counts = self._into_new() if month is None else self._into_existing(month)
            if counts is None:
                return False
        loaded, deleted = counts
        is_detached = self._backfill if month is None else not month.attached
        if is_detached:
            self._warehouse.detached.add((self._table.schema, self._table.name, self._start))
        _log(self._slice, self._since, loaded=loaded, deleted=deleted)
        # Where this is no backfill, another one has begun the month since the check above.
        if is_detached and (self._slice.ends_month or not self._backfill):
            self._attach_detached(self._start)
        return True

    def _into_new(self) -> tuple[int, int]:
        load_id = self._ledger.new_load(self._cursor)
        # What is the same in each row is added when the rows are there, which costs none of them a byte.
        carried = {*self._file.columns, LINE}
        month = self._table.create_month(self._cursor, self._start, columns=carried)
        table = self._table.id_of(month)
        constants = self._defaults(month, load_id)
        numbers = {name: constants.pop(name) for name in (LINE,) if name in constants}
        set_defaults(self._cursor, table, numbers)
        loaded = self._copy(month, numbers)
        sums = self._checksums(month)
        self._table.add_missing(self._cursor, month, constants)
        drop_defaults(self._cursor, table, [*numbers, *constants])
        if not self._backfill:
            self._table.attach(self._cursor, month)
        self._ledger.write(
            self._cursor, load_id, self._table.name, self._slice, loaded=loaded, deleted=0, checksums=sums
        )
        return loaded, 0

    def _into_existing(self, month: Month) -> tuple[int, int] | None:
        load_id = self._ledger.new_load(self._cursor)
        defaults = self._defaults(month, load_id)
        try:
            # Committed at once, by a second connection, so that readers wait a moment and not for the whole load. The
            # next load sets them anew, under the same lock; rows that come another way bring each value themselves.
            with self._warehouse.second_cursor() as cursor:
                cursor.execute(sql.SQL("set local lock_timeout = {}").format(sql.Literal(_PATIENCE)))
                set_defaults(cursor, self._table.id_of(month), defaults)
        except psycopg.errors.LockNotAvailable:
            logger.info(
                "%s is being read for long; slice %s is loaded through a staging table.", month.name, self._slice.id
            )
            return None
        place = self._table.id_of(month)
        self._cursor.execute(sql.SQL("delete from {} where {}").format(place, self._slice.condition))
        deleted = self._cursor.rowcount
        loaded = self._copy(month, defaults)
        sums = self._checksums(month)
        self._ledger.write(
            self._cursor, load_id, self._table.name, self._slice, loaded=loaded, deleted=deleted, checksums=sums
        )
        return loaded, deleted

    def _copy(self, month: Month, defaults: dict[str, sql.Composable]) -> int:
        lines = self._table.line_sequence(month) if LINE in defaults else None
        loaded = copy_file(self._cursor, self._table.id_of(month), self._table, self._file, lines)
        if loaded != self._slice.rows:
            raise SliceError(
                f"{self._slice.id}: {self._slice.rows} rows were announced and {self._file.path} holds {loaded}; what "
                "the table held is kept: run the tap again, it fetches the file anew"
            )
        return loaded

    def _checksums(self, month: Month) -> Checksums | None:
        if not self._warehouse.is_on("verify"):
            return None
        places = [self._table.id_of(month)]
        return checksums.of_slice(self._cursor, self._table, self._file.columns, self._slice, places)

    def _defaults(self, month: Month, load_id: int) -> dict[str, sql.Composable]:
        return lineage_defaults(
            [name for name in self._table.columns if name not in self._file.columns],
            constants=self._slice.constants,
            load_id=load_id,
            sync_started_at=self._warehouse.sync_started_at,
            line_sequence=self._table.line_sequence(month),
        )

    def _attach_detached(self, start: datetime) -> None:
        """Attach a month that is detached, if there is one, in a transaction of its own."""
        if self._detached(start):
            with self._cursor.connection.transaction():
                self._table.lock(self._cursor, start)
                if (month := self._detached(start)) is not None:
                    self._table.attach(self._cursor, month)
                    self._ledger.write_attached(self._cursor, self._table, month)
        self._warehouse.detached.discard((self._table.schema, self._table.name, start))

    def _detached(self, start: datetime) -> Month | None:
        month = self._table.month(self._cursor, start)
        return None if month is None or month.attached else month


def _log(stream_slice: StreamSlice, since: float, *, loaded: int, deleted: int) -> None:
    """Log the line of a slice; `since` is when its load began, by `time.monotonic`."""
    seconds = time.monotonic() - since
    if not loaded and not deleted:
        logger.info("%s: unchanged, skipped (%.1f s)", stream_slice.id, seconds)
        return
    took = f"{seconds:.1f} s, {loaded / max(seconds, 0.001):,.0f} rows/s"
    logger.info("%s: %s rows loaded, %s deleted or replaced (%s)", stream_slice.id, f"{loaded:,}", f"{deleted:,}", took)
