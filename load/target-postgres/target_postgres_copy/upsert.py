"""Staged rows into a table by key: one INSERT ... ON CONFLICT that leaves equal rows alone.

The stock loader inserts new rows and then updates every row of the batch, the new ones included, so each is written
twice. Here a row is written once, and one that arrives again with the same data not at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from target_postgres_copy.errors import RowRefusedError
from target_postgres_copy.own_names import LINEAGE
from target_postgres_copy.tables import comma

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from psycopg import Cursor

    from target_postgres_copy.stream_schema import StreamSlice
    from target_postgres_copy.tables import RawTable

_PLACE = re.compile(r"line (\d+)(?:, column ([^:]+))?")


@dataclass(frozen=True)
class Counts:
    """Rows that an upsert inserted because their key was new, and updated because their data differed."""

    inserted: int
    updated: int


def copy_rows(
    cursor: Cursor[Any], target: sql.Identifier, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """Write rows, read one by one, with one COPY; returns how many.

    Raises:
        RowRefusedError: If a row does not fit the table or cannot be written, naming row and column.
        psycopg.OperationalError: If the connection fails.
    """
    written = 0
    row: Sequence[Any] = ()
    try:
        with cursor.copy(sql.SQL("copy {} ({}) from stdin").format(target, comma(columns))) as copy:
            write = copy.write_row
            for row in rows:
                write(row)
                written += 1
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError, UnicodeEncodeError) as error:
        raise RowRefusedError(_refusal(error, columns, row, written)) from None
    return written


def upsert(cursor: Cursor[Any], staged: sql.Identifier, table: RawTable, columns: Sequence[str]) -> Counts:
    """Bring staged rows into a table that is not partitioned, in a transaction to be given up if this fails.

    Rows are inserted, or updated where data differ; appended where there is no key. Of rows with the same key the one
    staged last counts; the others are removed from the staging table, which COPY alone has written. Columns of the
    table beside `columns` keep what they hold.
    """
    fill = _Parts(staged, table, columns)
    if not table.keys:
        cursor.execute(fill("insert into {table} ({columns}) select {columns} from {staged}"))
        return Counts(cursor.rowcount, 0)
    remove_repeated(cursor, staged, table.keys)
    return (_by_constraint if has_unique_key(cursor, table) else _by_search)(cursor, fill)


def claim(cursor: Cursor[Any], staged: sql.Identifier, table: RawTable) -> int:
    """Let rows that an upsert left alone name the load that brought them again, in the upsert's transaction.

    Returns:
        How many rows did not name it yet; none where there is no key, since each row was inserted then.
    """
    if not table.keys:
        return 0
    fill = _Parts(staged, table, [name for name in table.columns if name in LINEAGE])
    cursor.execute(
        fill(
            "update {table} as held set {set_new} from {staged} as new",
            "where {same} and held._load_id is distinct from new._load_id",
        )
    )
    return cursor.rowcount


def remove_repeated(cursor: Cursor[Any], staged: sql.Identifier, keys: Sequence[str]) -> int:
    """Remove staged rows whose key was staged again later; returns how many.

    COPY alone has written the table, so its rows lie in the order they came.
    """
    # Statistics keep the planner from comparing every row with every other.
    cursor.execute(sql.SQL("analyze {} ({})").format(staged, comma(keys)))
    cursor.execute(
        sql.SQL("delete from {0} as held using {0} as new where {1} and held.ctid < new.ctid").format(
            staged, same_key(keys)
        )
    )
    return cursor.rowcount


def delete_range(cursor: Cursor[Any], table: RawTable, stream_slice: StreamSlice, staged: sql.Identifier) -> int:
    """Delete the rows of a slice's range whose key is not staged; all of them where the table has no key.

    Rows where the slice's column is null lie in no range. Returns how many were deleted.
    """
    spared: sql.Composable = sql.SQL("true")
    if table.keys:
        spared = sql.SQL("not exists (select from {} as new where {})").format(staged, same_key(table.keys))
    statement = sql.SQL("delete from {} as held where {} and {}")
    cursor.execute(statement.format(table.identifier, stream_slice.condition, spared))
    return cursor.rowcount


def has_unique_key(cursor: Cursor[Any], table: RawTable) -> bool:
    """Whether a unique constraint or index on exactly the table's keys lets ON CONFLICT find a row.

    A table that was made with another key, or none, has no such thing.
    """
    cursor.execute(
        """
        select array(
            select attname::text from pg_attribute
            where attrelid = indrelid and attnum = any (indkey[0 : indnkeyatts - 1])
        )
        from pg_index
        where
            indrelid = to_regclass(%s) and indisunique and indimmediate and indisvalid
            and indpred is null and indexprs is null
        """,
        [table.identifier.as_string(cursor)],
    )
    return any(sorted(columns) == sorted(table.keys) for (columns,) in cursor.fetchall())


class _Parts:
    """What the statements of one upsert share, to be put in where they name it."""

    def __init__(self, staged: sql.Identifier, table: RawTable, columns: Sequence[str]) -> None:
        rest = [name for name in columns if name not in table.keys]
        data = [name for name in rest if name not in LINEAGE]
        self.has_data = bool(data)
        self._parts: dict[str, sql.Composable] = {
            "table": table.identifier,
            "staged": staged,
            "columns": comma(columns),
            "keys": comma(table.keys),
            "same": same_key(table.keys),
        }
        for source in ("new", "excluded"):
            assigned = [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Identifier(source, name)) for name in rest]
            self._parts[f"set_{source}"] = sql.SQL(", ").join(assigned)
        for source in ("held", "new", "excluded"):
            # Type json, unlike jsonb, knows no equality.
            values = [
                sql.SQL("{}::text" if table.columns.get(name) == "json" else "{}").format(sql.Identifier(source, name))
                for name in data
            ]
            self._parts[f"{source}_data"] = sql.SQL(", ").join(values)

    def __call__(self, *statement: str) -> sql.Composed:
        """Write a statement, given in lines of this module."""
        return sql.SQL("\n".join(statement)).format(**self._parts)


def _by_constraint(cursor: Cursor[Any], fill: _Parts) -> Counts:
    update = "do update set {set_excluded} where ({held_data}) is distinct from ({excluded_data})"
    cursor.execute(
        fill(
            "with done as (",
            "insert into {table} as held ({columns}) select {columns} from {staged}",
            "on conflict ({keys})",
            update if fill.has_data else "do nothing",
            # A row version that no transaction has locked before it is a new one.
            "returning held.xmax = 0 as is_new)",
            "select count(*) filter (where is_new), count(*) filter (where not is_new) from done",
        )
    )
    (found,) = cursor.fetchall()
    return Counts(*found)


def _by_search(cursor: Cursor[Any], fill: _Parts) -> Counts:
    # As the stock loader finds rows, whatever key the table was made with.
    updated = 0
    if fill.has_data:
        cursor.execute(
            fill(
                "update {table} as held set {set_new} from {staged} as new",
                "where {same} and ({held_data}) is distinct from ({new_data})",
            )
        )
        updated = cursor.rowcount
    cursor.execute(
        fill(
            "insert into {table} ({columns}) select {columns} from {staged} as new",
            "where not exists (select from {table} as held where {same})",
        )
    )
    return Counts(cursor.rowcount, updated)


def same_key(keys: Sequence[str]) -> sql.Composable:
    """Write the condition that the rows `held` and `new` have the same key."""
    return sql.SQL(" and ").join(sql.SQL("held.{0} = new.{0}").format(sql.Identifier(key)) for key in keys)


def _refusal(error: Exception, columns: Sequence[str], row: Sequence[Any], written: int) -> str:
    reason = " ".join(str(error).split())
    where = f"row {written + 1} of the batch"
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        reason = ": ".join(part for part in (error.diag.message_primary, error.diag.message_detail) if part)
        place = _PLACE.search(error.diag.context or "")
        where = f"row {place[1]} of the batch" if place else "the batch"
        where += f", column {place[2]}" if place and place[2] else ""
    elif holder := next(
        (n for n, value in zip(columns, row, strict=False) if isinstance(value, str) and "\0" in value), None
    ):
        where += f", column {holder}"
        reason = (
            "it holds a NUL character, which PostgreSQL's text cannot; the setting "
            "`sanitize_null_text_characters` replaces such characters"
        )
    return f"PostgreSQL refused {where}: {reason}. Nothing of this load was kept."
