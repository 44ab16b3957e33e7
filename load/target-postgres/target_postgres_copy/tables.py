"""Raw tables, and how those that are cut by UTC month are made: parent, months, months kept apart until complete.

A partition is an ordinary table `<table>_p2024_01` beside its parent. A month that is kept apart is the same table,
not attached yet: whoever reads the parent does not see it, and it has no index, so that a backfill fills it fast.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from psycopg import sql

from target_postgres_copy import locks
from target_postgres_copy.lineage import LINE, LINEAGE
from target_postgres_copy.queries import columns_of, not_null_columns
from target_postgres_copy.units import Partitioning, next_month

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from psycopg import Cursor

    from target_postgres_copy.bounds import Bounds

_NAME = re.compile(r"_p(\d{4,})_(\d\d)$")
LONGEST_SUFFIX = "_p2024_01_line_seq"  # of what a table's name begins
_BRIN_PAGES = 32
_CHECK = "rows_of_the_month"


@dataclass(frozen=True)
class Month:
    """One month of a table.

    Attributes:
        name: Name of its table.
        start: Its first instant.
        attached: Whether it is part of the parent.
        detached: Whether it was, and somebody has taken it out by `alter table ... detach partition`.
    """

    name: str
    start: datetime
    attached: bool
    detached: bool = False

    @property
    def stop(self) -> datetime:
        """The first instant after it."""
        return next_month(self.start)


class PartitionedTable:
    """A raw table that is partitioned by month.

    Args:
        schema: Its schema.
        name: Its name.
        partitioning: How it is cut.
    """

    def __init__(self, schema: str, name: str, partitioning: Partitioning) -> None:
        self.schema = schema
        self.name = name
        self.column = partitioning.column
        self._index = partitioning.index
        self.identifier = sql.Identifier(schema, name)

    def create(self, cursor: Cursor[Any], columns: Mapping[str, str]) -> None:
        """Make the parent and its indexes, which every attached month gets too.

        Args:
            cursor: In a transaction.
            columns: SQL types by name.
        """
        defined = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns.items()]
        fill: dict[str, Any] = {"table": self.identifier, "columns": sql.SQL(", ").join(defined)}
        fill |= {"by": sql.Identifier(self.column), "pages": sql.Literal(_BRIN_PAGES)}
        cursor.execute(sql.SQL("create table {table} ({columns}) partition by range ({by})").format(**fill))
        # Without autosummarize: a bulk load fills its queue, and the server's log with what found no room in it.
        cursor.execute(
            sql.SQL("create index on {table} using brin ({by}) with (pages_per_range = {pages})").format(**fill)
        )
        if self._index:
            keys = sql.SQL(", ").join(map(sql.Identifier, self._index))
            cursor.execute(sql.SQL("create index on {table} ({keys})").format(keys=keys, **fill))

    def is_partitioned(self, cursor: Cursor[Any]) -> bool:
        """Whether the table exists and is partitioned; one made by another loader or an older release is not."""
        cursor.execute("select relkind from pg_class where oid = to_regclass(%s)", [self.identifier.as_string(cursor)])
        found = cursor.fetchone()
        return found is not None and found[0] in ("p", b"p")

    def months(self, cursor: Cursor[Any]) -> list[Month]:
        """List the months there are, attached or apart, the oldest first.

        A month that a backfill keeps apart has a check of its rows until it is attached; one without it was attached.
        """
        cursor.execute(
            """
            select
                child.relname,
                inherits.inhrelid is not null,
                inherits.inhrelid is null and checked.conrelid is null
            from pg_class as child
            left join pg_inherits as inherits
                on inherits.inhrelid = child.oid and inherits.inhparent = %(parent)s::regclass
            left join pg_constraint as checked
                on checked.conrelid = child.oid and checked.conname = %(check)s
            where
                child.relnamespace = %(schema)s::regnamespace
                and child.relkind = 'r'
                and left(child.relname, length(%(name)s)) = %(name)s
            """,
            {
                "parent": self.identifier.as_string(cursor),
                "schema": _quoted(self.schema),
                "name": self.name,
                "check": _CHECK,
            },
        )
        found = []
        for name, attached, detached in cursor.fetchall():
            if name[: -len("_p2024_01")] == self.name and (parts := _NAME.search(name)):
                found.append(Month(name, datetime(int(parts[1]), int(parts[2]), 1, tzinfo=UTC), attached, detached))
        return sorted(found, key=lambda month: month.start)

    def month(self, cursor: Cursor[Any], start: datetime) -> Month | None:
        """Look for one month's table.

        Args:
            cursor: Any.
            start: The month's first instant.

        Returns:
            The month, None if it has no table yet.
        """
        name = self.month_name(start)
        cursor.execute(
            """
            select inherits.inhrelid is not null
            from pg_class as child
            left join pg_inherits as inherits on inherits.inhrelid = child.oid
            where child.oid = to_regclass(%s)
            """,
            [sql.Identifier(self.schema, name).as_string(cursor)],
        )
        found = cursor.fetchone()
        return Month(name, start, found[0]) if found else None

    def month_name(self, start: datetime) -> str:
        """Name a month's table."""
        return f"{self.name}_p{start.year:04}_{start.month:02}"

    def create_month(
        self, cursor: Cursor[Any], start: datetime, *, apart: bool = False, columns: Collection[str] | None = None
    ) -> Month:
        """Make a month's table with the parent's columns, not attached and without index.

        Its column `_line` gets a sequence of its own, from which COPY numbers a file's rows.

        Args:
            cursor: In a transaction.
            start: The month's first instant.
            apart: Whether the month stays apart for a while: then each row is checked to belong to it as it comes.
            columns: Those of the parent's columns that it gets now, for `add_missing` to add the others; else all.
        """
        month = Month(self.month_name(start), start, attached=False)
        defined = {name: kind for name, kind in self._definitions(cursor).items() if columns is None or name in columns}
        each = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(name), kind) for name, kind in defined.items())
        cursor.execute(sql.SQL("create table {} ({})").format(self.id_of(month), each))
        if LINE in defined:
            # The cache makes a number cheap; a session that ends throws its rest away, and every load starts anew.
            sequence, column = self.line_sequence(month), sql.Identifier(self.schema, month.name, LINE)
            cursor.execute(sql.SQL("create sequence {} cache 10000 owned by {}").format(sequence, column))
        if apart:
            check = "alter table {} add constraint {} check ({} is not null and {} >= {} and {} < {})"
            by = sql.Identifier(self.column)
            bounds = (by, by, sql.Literal(month.start), by, sql.Literal(month.stop))
            cursor.execute(sql.SQL(check).format(self.id_of(month), sql.Identifier(_CHECK), *bounds))
        return month

    def attach(self, cursor: Cursor[Any], month: Month) -> Month:
        """Make a month part of the table; its indexes are built now, once.

        PostgreSQL reads a month through that was not checked row by row, to see that every row belongs to it; readers
        of the table are not kept waiting meanwhile.
        """
        self.add_missing(cursor, month, {})  # the parent may have gained columns while the month was apart
        cursor.execute(
            sql.SQL("alter table {} attach partition {} for values from ({}) to ({})").format(
                self.identifier, self.id_of(month), sql.Literal(month.start), sql.Literal(month.stop)
            )
        )
        cursor.execute(
            sql.SQL("alter table {} drop constraint if exists {}").format(self.id_of(month), sql.Identifier(_CHECK))
        )
        return Month(month.name, month.start, attached=True)

    def add_missing(self, cursor: Cursor[Any], month: Month, constants: Mapping[str, sql.Composable]) -> None:
        """Add the columns that a month lacks.

        No row is written for it: PostgreSQL keeps the value that a new column has in all rows once, in its catalogue.

        Args:
            cursor: In a transaction.
            month: The month.
            constants: The value that a column has in all rows, as its default; null where there is none.
        """
        has = columns_of(cursor, self.schema, month.name)
        add = []
        for name, kind in self._definitions(cursor).items():
            if name not in has:
                default = sql.SQL(" default {}").format(constants[name]) if name in constants else sql.SQL("")
                add.append(sql.SQL("add column {} {}{}").format(sql.Identifier(name), kind, default))
        if add:
            cursor.execute(sql.SQL("alter table {} {}").format(self.id_of(month), sql.SQL(", ").join(add)))

    def detach(self, cursor: Cursor[Any], month: Month) -> None:
        """Take a month out of the table; it stays as a table of its own."""
        cursor.execute(sql.SQL("alter table {} detach partition {}").format(self.identifier, self.id_of(month)))

    def id_of(self, month: Month) -> sql.Identifier:
        """Quote a month's table for SQL."""
        return sql.Identifier(self.schema, month.name)

    def line_sequence(self, month: Month) -> sql.Identifier:
        """Name the sequence that numbers a file's rows."""
        return sql.Identifier(self.schema, f"{month.name}_line_seq")

    def lock(self, cursor: Cursor[Any], start: datetime) -> None:
        """Let no other session load into a month until the transaction ends."""
        locks.lock(cursor, self.schema, self.month_name(start))

    def _definitions(self, cursor: Cursor[Any]) -> dict[str, sql.Composable]:
        """Write down the parent's columns as a month must have them, in order."""
        required = not_null_columns(cursor, self.schema, self.name)
        return {
            name: sql.SQL(f"{kind} not null" if name in required else kind)
            for name, kind in columns_of(cursor, self.schema, self.name).items()
        }


@dataclass(frozen=True)
class RawTable:
    """A table that rows are loaded into.

    Attributes:
        schema: Its schema.
        name: Its name.
        columns: SQL types by column, in the table's order.
        keys: The stream's key properties.
        partitions: How to reach its months, None if it is not partitioned.
        bounds: What numbers of a dump file must be, by column.
    """

    schema: str
    name: str
    columns: dict[str, str]
    keys: tuple[str, ...]
    partitions: PartitionedTable | None
    bounds: Mapping[str, Bounds] = field(default_factory=dict)

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted name."""
        return sql.Identifier(self.schema, self.name)

    @property
    def data_columns(self) -> list[str]:
        """Columns that hold what the source said, not when and by which load it came."""
        return [name for name in self.columns if name not in LINEAGE]

    def places(self, cursor: Cursor[Any]) -> list[sql.Identifier]:
        """Where its rows may be: in the table, and in months that are kept apart."""
        parts = self.partitions
        apart = [month for month in parts.months(cursor) if not month.attached] if parts is not None else []
        return [self.identifier, *(parts.id_of(month) for month in apart if parts is not None)]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
