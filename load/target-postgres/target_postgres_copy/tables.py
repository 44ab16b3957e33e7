"""Raw tables: their columns, their months, which may be in the archive, and the row locks by which loaders take turns.

A partition is a table `<table>_p2024_01` beside its parent. A detached month is the same table before it is attached:
readers of the parent do not see it, and it has no index, so that a backfill fills it fast.

A row of `archived_months` names a table and month that `warehouse retain` has noted: `archived` where the rows were
dropped, `kept` where they stay though other tables of the chain lost theirs, `returning` while a restore loads them.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from psycopg import errors, sql

from target_postgres_copy.errors import SliceError
from target_postgres_copy.own_names import ARCHIVED, LINE, LINEAGE, LOCKS
from target_postgres_copy.stream_schema import Bounds, Partitioning, next_month

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from psycopg import Cursor

LONGEST_SUFFIX = "_p2024_01_line_seq"  # of what a table's name begins
_NAME = re.compile(r"_p(\d{4,})_(\d\d)$")
_BRIN_PAGES = 32
_TYPES = {"decimal": "numeric", "varchar": "character varying", "float": "double precision"}
_CHECK = "rows_of_the_month"
_STATES = """
    select month, state from {archived}
    where table_name = %s and month >= date_trunc('month', %s::timestamp) and month <= %s order by month
"""
_LOCKS_DDL = """
create table {locks} (name text primary key);
comment on table {locks} is
'Locks of loaders: a load locks the row that names the table or month it works on, until its transaction ends.';
"""
# The error for a name that is taken depends on when the other transaction ended: a table has a type as well.
_TAKEN = (errors.UniqueViolation, errors.DuplicateSchema, errors.DuplicateTable, errors.DuplicateObject)


@dataclass(frozen=True)
class RawTable:
    """A table that rows are loaded into."""

    schema: str
    name: str
    columns: dict[str, str]  # SQL types by column, in the table's order
    keys: tuple[str, ...] = ()  # the stream's key properties
    bounds: Mapping[str, Bounds] = field(default_factory=dict)  # what numbers of a dump file must be, by column

    @property
    def identifier(self) -> sql.Identifier:
        """The quoted name."""
        return sql.Identifier(self.schema, self.name)

    @property
    def data_columns(self) -> list[str]:
        """Columns that hold what the source said, not when and by which load it came."""
        return [name for name in self.columns if name not in LINEAGE]

    def places(self, cursor: Cursor[Any]) -> list[sql.Identifier]:  # noqa: ARG002 - of partitioned tables
        """Where its rows may be: in the table, and in detached months."""
        return [self.identifier]


@dataclass(frozen=True)
class Month:
    """One month of a partitioned table."""

    name: str  # name of its table
    start: datetime  # its first instant
    attached: bool  # whether it is part of the parent
    by_hand: bool = False  # whether it was attached, and somebody has run `alter table ... detach partition`

    @property
    def stop(self) -> datetime:
        """The first instant after it."""
        return next_month(self.start)


@dataclass(frozen=True)
class PartitionedTable(RawTable):
    """A raw table that is partitioned by UTC month."""

    partitioning: Partitioning = field(kw_only=True)

    def places(self, cursor: Cursor[Any]) -> list[sql.Identifier]:
        """Where its rows may be: in the table, and in detached months."""
        return [self.identifier, *(self.id_of(month) for month in self.months(cursor) if not month.attached)]

    def create(self, cursor: Cursor[Any], columns: Mapping[str, str]) -> None:
        """Make the parent, with columns of the SQL types given, and the indexes that every attached month gets."""
        defined = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns.items()]
        fill: dict[str, Any] = {"table": self.identifier, "columns": sql.SQL(", ").join(defined)}
        fill |= {"by": sql.Identifier(self.partitioning.column), "pages": sql.Literal(_BRIN_PAGES)}
        cursor.execute(sql.SQL("create table {table} ({columns}) partition by range ({by})").format(**fill))
        # Without autosummarize: a bulk load fills its queue, and the server's log with what did not fit in it.
        cursor.execute(
            sql.SQL("create index on {table} using brin ({by}) with (pages_per_range = {pages})").format(**fill)
        )
        if self.partitioning.index:
            keys = comma(self.partitioning.index)
            cursor.execute(sql.SQL("create index on {table} ({keys})").format(keys=keys, **fill))

    def is_partitioned(self, cursor: Cursor[Any]) -> bool:
        """Whether the table exists and is partitioned; one made by another loader or an older release is not."""
        cursor.execute("select relkind from pg_class where oid = to_regclass(%s)", [self.identifier.as_string(cursor)])
        found = cursor.fetchone()
        return found is not None and found[0] in ("p", b"p")

    def months(self, cursor: Cursor[Any]) -> list[Month]:
        """List the months that have a table, the oldest first.

        A month that a backfill fills has a check of its rows until it is attached; a detached one without it was
        attached before.
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
                "schema": sql.Identifier(self.schema).as_string(cursor),
                "name": self.name,
                "check": _CHECK,
            },
        )
        found = []
        for name, attached, by_hand in cursor.fetchall():
            if name[: -len("_p2024_01")] == self.name and (parts := _NAME.search(name)):
                found.append(Month(name, datetime(int(parts[1]), int(parts[2]), 1, tzinfo=UTC), attached, by_hand))
        return sorted(found, key=lambda month: month.start)

    def month(self, cursor: Cursor[Any], start: datetime) -> Month | None:
        """Look for the table of the month that begins at an instant."""
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

    def create_month(self, cursor: Cursor[Any], start: datetime, *, columns: Collection[str] | None = None) -> Month:
        """Make a month's table with the parent's columns, not attached and without index.

        A check looks at each row as it comes, so that PostgreSQL need not read all rows again to attach the month.
        The column `_line` gets a sequence of its own, from which COPY numbers a file's rows.

        Args:
            cursor: In a transaction.
            start: The month's first instant.
            columns: Those of the parent's columns that it gets now, for `add_missing` to add the others; else all.
        """
        month = Month(self.month_name(start), start, attached=False)
        defined = {name: kind for name, kind in self._definitions(cursor).items() if columns is None or name in columns}
        each = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(name), kind) for name, kind in defined.items())
        cursor.execute(
            sql.SQL(
                "create table {table} ({each},"
                " constraint {check} check ({by} is not null and {by} >= {start} and {by} < {stop}))"
            ).format(
                table=self.id_of(month),
                each=each,
                check=sql.Identifier(_CHECK),
                by=sql.Identifier(self.partitioning.column),
                start=sql.Literal(month.start),
                stop=sql.Literal(month.stop),
            )
        )
        if LINE in defined:
            # The cache makes a number cheap; a session that ends throws its rest away, and every load starts anew.
            sequence, column = self.line_sequence(month), sql.Identifier(self.schema, month.name, LINE)
            cursor.execute(sql.SQL("create sequence {} cache 10000 owned by {}").format(sequence, column))
        return month

    def attach(self, cursor: Cursor[Any], month: Month) -> Month:
        """Make a month part of the table; its indexes are built now, once."""
        self.add_missing(cursor, month, {})  # the parent may have gained columns since
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
        """Add the columns that a month lacks; `constants` are the values that some have in all rows, else null.

        No row is written for it: PostgreSQL keeps the value that a new column has in all rows once, in its catalogue.
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
        lock(cursor, self.schema, self.month_name(start))

    def _definitions(self, cursor: Cursor[Any]) -> dict[str, sql.Composable]:
        """The parent's columns, in order; this loader makes none that takes no null, an administrator may have."""
        cursor.execute(
            "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 and attnotnull",
            [self.identifier.as_string(cursor)],
        )
        required = {column for (column,) in cursor.fetchall()}
        return {
            name: sql.SQL(f"{kind} not null" if name in required else kind)
            for name, kind in columns_of(cursor, self.schema, self.name).items()
        }


def columns_of(cursor: Cursor[Any], schema: str, name: str) -> dict[str, str]:
    """Read the SQL types of a table's columns, in the table's order; none if there is no such table."""
    cursor.execute(
        """
        select attname, format_type(atttypid, atttypmod)
        from pg_attribute
        where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
        order by attnum
        """,
        [sql.Identifier(schema, name).as_string(cursor)],
    )
    return dict(cursor.fetchall())


def plain_type(kind: str) -> str:
    """Write an SQL type as `format_type` does: DECIMAL(10, 2) becomes numeric(10,2)."""
    kind = kind.lower().replace(", ", ",")
    word = re.match(r"\w+", kind)
    return kind.replace(word[0], _TYPES.get(word[0], word[0]), 1) if word else kind


def comma(names: Iterable[str]) -> sql.Composable:
    """Write a list of columns."""
    return sql.SQL(", ").join(map(sql.Identifier, names))


def count(cursor: Cursor[Any], query: sql.Composed) -> int:
    """Run a query that gives one number."""
    cursor.execute(query)
    ((number,),) = cursor.fetchall()
    return int(number)


def prepare_schema(cursor: Cursor[Any], schema: str) -> None:
    """Make a schema of raw tables, and its table of locks, where they are missing.

    Loaders that do so at once all succeed: PostgreSQL lets the later one wait for the earlier one's transaction, and
    then refuses the name, which is taken.
    """
    locks = sql.Identifier(schema, LOCKS)
    named = [sql.Identifier(schema).as_string(cursor), locks.as_string(cursor)]
    cursor.execute("select to_regnamespace(%s) is null, to_regclass(%s) is null", named)
    ((lacks_schema, lacks_table),) = cursor.fetchall()
    if lacks_schema:
        with suppress(*_TAKEN), cursor.connection.transaction():
            cursor.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
    if lacks_table:
        with suppress(*_TAKEN), cursor.connection.transaction():
            cursor.execute(sql.SQL(_LOCKS_DDL).format(locks=locks))


def lock(cursor: Cursor[Any], schema: str, name: str) -> None:
    """Lock the row that names a table or month until the transaction ends, after `prepare_schema`.

    A row can be locked only by a role that may update its table; an advisory lock is anybody's to take, and `pg_locks`
    shows every login which numbers are in use. The name stands in the statement, where `sessions.py` reads it.
    """
    fill = {"locks": sql.Identifier(schema, LOCKS), "name": sql.Literal(name)}
    take = sql.SQL("select from {locks} where name = {name} for update").format(**fill)
    add = sql.SQL("insert into {locks} (name) values ({name}) on conflict do nothing").format(**fill)
    # A row that another transaction is adding cannot be seen; to add it as well waits for that transaction.
    while not cursor.execute(take).rowcount and not cursor.execute(add).rowcount:
        pass


def archived_state(cursor: Cursor[Any], schema: str, table: str, start: datetime | None) -> str | None:
    """The state of the month that begins at an instant; None where the table has all rows that were loaded of it."""
    found = [] if start is None else _archived_states(cursor, schema, table, start.date(), start.date())
    return found[0][1] if found else None


def refuse_archived(cursor: Cursor[Any], schema: str, table: str, first: date | None, last: date | None) -> None:
    """Stop a load that would change days of a month of which other rows are only in the archive.

    Args:
        cursor: Of the load's connection.
        schema: Of the raw tables.
        table: Into which rows are loaded.
        first: The first UTC day on which rows come or go; None if that is not known.
        last: The last such day.

    Raises:
        SliceError: One of the days is of such a month, which no restore is bringing back.
    """
    if first is None or last is None:
        return
    for month, found in _archived_states(cursor, schema, table, first, last):
        if found != "returning":
            raise SliceError(
                f"{schema}.{table}: the month {month:%Y-%m} is in the archive, and what came differs from what was "
                "archived; nothing of it was loaded. Bring the month back first: "
                f"`warehouse retain --restore {month:%Y-%m} --archive FOLDER`, then run this again"
            )


def holds_archived(cursor: Cursor[Any], schema: str, table: str) -> bool:
    """Whether a table has months in the archive."""
    return bool(_archived_states(cursor, schema, table, date.min, date.max))


def _archived_states(cursor: Cursor[Any], schema: str, table: str, first: date, last: date) -> list[tuple[date, str]]:
    archived = sql.Identifier(schema, ARCHIVED)
    cursor.execute("select to_regclass(%s) is not null", [archived.as_string(cursor)])
    if cursor.fetchone() != (True,):
        return []
    cursor.execute(sql.SQL(_STATES).format(archived=archived), [table, first, last])
    return cursor.fetchall()
