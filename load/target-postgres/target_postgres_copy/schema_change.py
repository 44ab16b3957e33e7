"""A changed schema meets a table that exists: columns are added, types stay, and none is silently too narrow.

The stock loader leaves a bigint column as it is when its property becomes a number, and 1.5 lands as 2. Here a load
stops before it writes anything where an existing column could not hold every value that the schema allows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from psycopg import sql
from singer_sdk.exceptions import FatalSyncError

from target_postgres_copy.queries import columns_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg import Cursor

_DIGITS = {"smallint": 5, "integer": 10, "bigint": 19}  # of the largest value
_WIDTHS = ("smallint", "integer", "bigint")
_NUMERIC = re.compile(r"numeric\((\d+),(-?\d+)\)")
_TEXTS = {"text", "character varying"}
# What else a type holds without loss. Integers fit a float up to its 24 or 53 bits; a date is a midnight in UTC.
_HOLDS = {
    "double precision": {"smallint", "integer"},
    "real": {"smallint"},
    "timestamp with time zone": {"timestamp without time zone", "date"},
    "timestamp without time zone": {"timestamp with time zone", "date"},
    "time with time zone": {"time without time zone"},
    "json": {"jsonb"},
}
_NAMES = {"decimal": "numeric", "varchar": "character varying", "float": "double precision"}


class SchemaChangeError(FatalSyncError):
    """A table would have to change in a way that only its owner may decide."""


def adapt(cursor: Cursor[Any], schema: str, table: str, wanted: Mapping[str, str]) -> list[str]:
    """Add the columns that a table lacks, after making sure that those it has can take what is to come.

    Args:
        cursor: In a transaction.
        schema: The table's schema.
        table: The table's name.
        wanted: SQL types by column, as the stream's schema asks for them.

    Returns:
        Names of the columns added.

    Raises:
        SchemaChangeError: If a column cannot hold every value of the type wanted; nothing was changed then.
    """
    stored = columns_of(cursor, schema, table)
    narrow = [name for name, kind in wanted.items() if name in stored and not fits(stored[name], kind)]
    if narrow:
        name = narrow[0]
        more = f" (as do {', '.join(narrow[1:])})" if narrow[1:] else ""
        views = dependent_views(cursor, schema, table, name)
        told = f"views {', '.join(views)} depend on it" if views else "no view depends on it"
        raise SchemaChangeError(
            f"column {name} of {schema}.{table} is {stored[name]}, the schema now asks for "
            f"{_plain(wanted[name])}{more}, which it cannot hold without loss, and {told}: nothing was loaded; change "
            "the table as docs/raw-tables.md says, then run again"
        )
    missing = [name for name in wanted if name not in stored]
    for name in missing:
        cursor.execute(
            sql.SQL("alter table {} add column if not exists {} {}").format(
                sql.Identifier(schema, table), sql.Identifier(name), sql.SQL(wanted[name])
            )
        )
    return missing


def fits(stored: str, wanted: str) -> bool:
    """Tell whether a column takes every value of another type without changing it.

    Args:
        stored: The column's type, as PostgreSQL's `format_type` writes it.
        wanted: The type that the schema asks for, in SQL.

    Returns:
        Whether values go in and nothing of them is lost. A value that a column of type text takes counts as kept:
        it is written out in full.
    """
    stored, wanted = _plain(stored), _plain(wanted)
    if stored in _TEXTS:
        return wanted != "bytea"
    if stored.endswith("[]") and wanted.endswith("[]"):
        return fits(stored.removesuffix("[]"), wanted.removesuffix("[]"))
    return stored == wanted or _fits_number(stored, wanted) or wanted in _HOLDS.get(stored, ())


def dependent_views(cursor: Cursor[Any], schema: str, table: str, column: str) -> list[str]:
    """Find the views that stand on a column, and those that stand on them.

    Args:
        cursor: Any.
        schema: The table's schema.
        table: The table's name.
        column: The column's name.

    Returns:
        Quoted names with schema, in alphabetical order.
    """
    cursor.execute(
        """
        with recursive dependent (view) as (
            select ev_class
            from pg_depend
            join pg_rewrite on pg_rewrite.oid = objid
            join pg_attribute on attrelid = refobjid and attnum = refobjsubid
            where
                classid = 'pg_rewrite'::regclass and refclassid = 'pg_class'::regclass
                and refobjid = to_regclass(%s) and attname = %s and ev_class <> refobjid
            union
            select ev_class
            from dependent
            join pg_depend on refobjid = view
            join pg_rewrite on pg_rewrite.oid = objid
            where classid = 'pg_rewrite'::regclass and refclassid = 'pg_class'::regclass and ev_class <> view
        )
        select format('%%I.%%I', nspname, relname)
        from dependent
        join pg_class on pg_class.oid = view
        join pg_namespace on pg_namespace.oid = relnamespace
        order by 1
        """,
        [sql.Identifier(schema, table).as_string(cursor), column],
    )
    return [name for (name,) in cursor.fetchall()]


def _plain(kind: str) -> str:
    """Write a type as PostgreSQL does: DECIMAL(10, 2) becomes numeric(10,2)."""
    kind = kind.lower().replace(", ", ",")
    word = re.match(r"\w+", kind)
    return kind.replace(word[0], _NAMES.get(word[0], word[0]), 1) if word else kind


def _fits_number(stored: str, wanted: str) -> bool:
    if stored in _WIDTHS:
        return wanted in _WIDTHS[: _WIDTHS.index(stored)]
    wants = _NUMERIC.fullmatch(wanted)
    if stored == "numeric":
        return wanted in _WIDTHS or wants is not None
    if (room := _NUMERIC.fullmatch(stored)) is None:
        return False
    scale = int(room[2])
    whole = int(room[1]) - scale
    if wants is not None:
        return int(wants[2]) <= scale and int(wants[1]) - int(wants[2]) <= whole
    return wanted in _DIGITS and scale >= 0 and _DIGITS[wanted] <= whole
