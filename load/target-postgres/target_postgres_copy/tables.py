"""A raw table as it stands in PostgreSQL, and the SQL that its loads share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from psycopg import Cursor

    from target_postgres_copy.bounds import Bounds
    from target_postgres_copy.partitions import PartitionedTable
    from target_postgres_copy.units import Unit

# When and by which load a row came is no data: a row that differs in nothing else is not written again. Version and
# deletion mark are data, since ACTIVATE_VERSION goes by them.
LINEAGE = frozenset(
    {
        "_sdc_extracted_at",
        "_sdc_received_at",
        "_sdc_batched_at",
        "_sdc_sequence",
        "_sdc_sync_started_at",
        "_load_id",
    }
)


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


def columns_of(cursor: Cursor[Any], schema: str, name: str) -> dict[str, str]:
    """Read a table's columns.

    Args:
        cursor: Any.
        schema: The table's schema.
        name: The table's name.

    Returns:
        SQL types by column, in the table's order; none if there is no such table.
    """
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


def not_null_columns(cursor: Cursor[Any], schema: str, name: str) -> set[str]:
    """Name a table's columns that take no null; this loader makes none, an administrator may have."""
    cursor.execute(
        "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0 and attnotnull",
        [sql.Identifier(schema, name).as_string(cursor)],
    )
    return {column for (column,) in cursor.fetchall()}


def in_range(unit: Unit) -> sql.Composable:
    """Write the condition that a row lies in a unit's range; a null lies in none."""
    column = sql.Identifier(unit.column)
    conditions = [sql.SQL("{} is not null").format(column)]
    if unit.start is not None:
        conditions.append(sql.SQL("{} >= {}").format(column, sql.Literal(unit.start)))
    if unit.stop is not None:
        conditions.append(sql.SQL("{} < {}").format(column, sql.Literal(unit.stop)))
    return sql.SQL(" and ").join(conditions)


def comma(names: Iterable[str]) -> sql.Composable:
    """Write a list of columns."""
    return sql.SQL(", ").join(map(sql.Identifier, names))


def count(cursor: Cursor[Any], query: sql.Composed) -> int:
    """Run a query that gives one number."""
    cursor.execute(query)
    row = cursor.fetchone()
    assert row is not None  # noqa: S101 - it gives one
    return int(row[0])
