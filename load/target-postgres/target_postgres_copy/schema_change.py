"""A changed schema meets a table that exists: columns are added, types stay, and none is silently too narrow.

The stock loader leaves a bigint column as it is when its property becomes a number, and 1.5 lands as 2. Here a load
stops before it writes anything where an existing column could not hold every value that the schema allows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from psycopg import sql

from target_postgres_copy.errors import SchemaChangeError
from target_postgres_copy.tables import plain_type

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


def adapt(cursor: Cursor[Any], schema: str, table: str, stored: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Add the columns that a table lacks, after making sure that those it has can take what is to come.

    The SQL types that its columns have, and those that the stream's schema asks for, are written as `format_type` does.

    Raises:
        SchemaChangeError: If a column cannot hold every value of the type wanted; nothing was changed then.
    """
    narrow = [name for name, kind in wanted.items() if name in stored and not fits(stored[name], kind)]
    if narrow:
        name = narrow[0]
        more = f" (as do {', '.join(narrow[1:])})" if narrow[1:] else ""
        views = dependent_views(cursor, schema, table, name)
        dependent = f"views {', '.join(views)} depend on it" if views else "no view depends on it"
        raise SchemaChangeError(
            f"column {name} of {schema}.{table} is {stored[name]}, the schema now asks for "
            f"{wanted[name]}{more}, which it cannot hold without loss, and {dependent}: nothing was loaded; "
            "change the table as docs/reference/raw-tables.md says, then run again"
        )
    for name in (name for name in wanted if name not in stored):
        cursor.execute(
            sql.SQL("alter table {} add column if not exists {} {}").format(
                sql.Identifier(schema, table), sql.Identifier(name), sql.SQL(wanted[name])
            )
        )


def fits(stored: str, wanted: str) -> bool:
    """Whether a column takes every value of another type and loses nothing of it; text is written out in full.

    `stored` is written as PostgreSQL's `format_type` does, `wanted` is any SQL.
    """
    stored, wanted = plain_type(stored), plain_type(wanted)
    if stored in _TEXTS:
        return wanted != "bytea"
    if stored.endswith("[]") and wanted.endswith("[]"):
        return fits(stored.removesuffix("[]"), wanted.removesuffix("[]"))
    return stored == wanted or _fits_number(stored, wanted) or wanted in _HOLDS.get(stored, ())


def dependent_views(cursor: Cursor[Any], schema: str, table: str, column: str) -> list[str]:
    """Find the views that depend on a column, and those that depend on them: quoted names, in alphabetical order."""
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


def _fits_number(stored: str, wanted: str) -> bool:
    if stored in _WIDTHS:
        return wanted in _WIDTHS[: _WIDTHS.index(stored)]
    wants = _NUMERIC.fullmatch(wanted)
    if stored == "numeric":
        return wanted in _WIDTHS or wants is not None
    if (holds := _NUMERIC.fullmatch(stored)) is None:
        return False
    scale = int(holds[2])
    whole = int(holds[1]) - scale
    if wants is not None:
        return int(wants[2]) <= scale and int(wants[1]) - int(wants[2]) <= whole
    return wanted in _DIGITS and scale >= 0 and _DIGITS[wanted] <= whole
