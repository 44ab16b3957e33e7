"""Questions to PostgreSQL's catalogue, and SQL that the loader's modules share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg import Cursor

    from target_postgres_copy.units import Unit


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
