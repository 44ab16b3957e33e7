"""Checksums of a slice's rows as PostgreSQL holds them, column by column.

Each value is hashed with the number of its line, and the hashes are summed: the order of rows does not matter, a value
that has moved to another row does. PostgreSQL keeps these hash functions the same in all releases, since hash
partitions rest on them, for machines of one byte order.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from psycopg import sql

from target_postgres_copy.own_names import LINE
from target_postgres_copy.tables import comma

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from psycopg import Cursor

    from target_postgres_copy.stream_schema import StreamSlice
    from target_postgres_copy.tables import RawTable

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
    """Count the rows in some places under a condition, and add up the hashes of each column; nulls count nothing.

    A column of another type now is read as the type named. `numbered` places have the numbers of the rows' lines.
    """
    line: sql.Composable = sql.SQL("coalesce({}, 0)").format(sql.Identifier(LINE)) if numbered else sql.SQL("0")
    sums = []
    for name, kind in columns.items():
        value = sql.SQL(f"{{}}::{kind}").format(sql.Identifier(name))
        sums.append(sql.SQL("coalesce(sum({}), 0)").format(sql.SQL(_BY_TYPE.get(kind, _ANY)).format(value, line)))
    names = comma([*columns, *([LINE] if numbered else [])])
    rows = sql.SQL(" union all ").join(
        sql.SQL("select {} from {} where {}").format(names, place, condition) for place in places
    )
    shown = sql.SQL(", ").join([sql.SQL("count(*)"), *sums])
    cursor.execute(sql.SQL("select {} from ({}) as held").format(shown, rows))
    ((count, *found),) = cursor.fetchall()
    return count, {name: (kind, int(Decimal(each))) for (name, kind), each in zip(columns.items(), found, strict=True)}


def of_slice(
    cursor: Cursor[Any],
    table: RawTable,
    carried: Iterable[str],
    stream_slice: StreamSlice,
    places: Sequence[sql.Composable] | None = None,
) -> Checksums:
    """Add up what a table, or the places given, hold of a slice, in the columns that its file carried."""
    columns = {name: table.columns[name] for name in carried if name in table.columns}
    held = table.places(cursor) if places is None else places
    return of(cursor, held, columns, stream_slice.condition, numbered=LINE in table.columns)[1]


def digest(path: Path) -> str:
    """Give a file's SHA-256 in lower-case hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
