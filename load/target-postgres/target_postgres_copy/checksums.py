"""Checksums of a unit's rows as PostgreSQL holds them, column by column.

Each value is hashed with the number of its line, and the hashes are summed: the order of rows does not matter, a value
that has moved to another row does. PostgreSQL keeps these hash functions the same in all releases, since hash
partitions rest on them, for machines of one byte order.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psycopg import sql

from target_postgres_copy.lineage import LINE
from target_postgres_copy.queries import in_range

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from psycopg import Cursor

    from target_postgres_copy.tables import RawTable
    from target_postgres_copy.units import Unit

# By column, its type and the sum of its values' hashes.
Checksums = dict[str, tuple[str, int]]

_BY_TYPE = {
    "smallint": "hashint2extended({}, {})",
    "integer": "hashint4extended({}, {})",
    "bigint": "hashint8extended({}, {})",
    "numeric": "hash_numeric_extended({}, {})",
    "boolean": "hashint4extended({}::int, {})",
    "timestamp with time zone": "timestamp_hash_extended({} at time zone 'UTC', {})",
}
_ANY = 'hashtextextended({}::text collate "C", {})'


def of(
    cursor: Cursor[Any],
    places: Sequence[sql.Composable],
    columns: Mapping[str, str],
    condition: sql.Composable,
    *,
    numbered: bool,
) -> tuple[int, Checksums]:
    """Add up the hashes of rows.

    Args:
        cursor: Any.
        places: Tables that the rows are in.
        columns: SQL types by column; a column of another type now is read as the type named.
        condition: Which rows.
        numbered: Whether the tables have the number of a row's line.

    Returns:
        The number of rows, and a sum for each column. Nulls count nothing.
    """
    line: sql.Composable = sql.SQL("coalesce({}, 0)").format(sql.Identifier(LINE)) if numbered else sql.SQL("0")
    sums = []
    for name, kind in columns.items():
        value = sql.SQL(f"{{}}::{kind}").format(sql.Identifier(name))
        sums.append(sql.SQL("coalesce(sum({}), 0)").format(sql.SQL(_BY_TYPE.get(kind, _ANY)).format(value, line)))
    names = sql.SQL(", ").join(map(sql.Identifier, [*columns, *([LINE] if numbered else [])]))
    rows = sql.SQL(" union all ").join(
        sql.SQL("select {} from {} where {}").format(names, place, condition) for place in places
    )
    cursor.execute(
        sql.SQL("select {} from ({}) as held").format(sql.SQL(", ").join([sql.SQL("count(*)"), *sums]), rows)
    )
    count, *found = cursor.fetchall()[0]
    return count, {name: (kind, int(Decimal(each))) for (name, kind), each in zip(columns.items(), found, strict=True)}


def of_unit(
    cursor: Cursor[Any],
    table: RawTable,
    carried: Iterable[str],
    unit: Unit,
    places: Sequence[sql.Composable] | None = None,
) -> Checksums:
    """Add up what a table holds of a unit, in the columns that its file carried.

    Args:
        cursor: Any.
        table: The table.
        carried: The file's columns.
        unit: The unit.
        places: Where its rows are; None: anywhere in the table.
    """
    columns = {name: table.columns[name] for name in carried if name in table.columns}
    held = table.places(cursor) if places is None else places
    return of(cursor, held, columns, in_range(unit), numbered=LINE in table.columns)[1]


def digest(path: Path) -> str:
    """Give a file's SHA-256 in lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
