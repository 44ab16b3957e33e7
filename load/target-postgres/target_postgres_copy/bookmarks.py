"""Whether a bookmark and the warehouse count the same loads: one may be restored or moved without the other.

A table that was emptied or dropped by hand is found too, since its bookmark would leave its rows out for good.
"""

from __future__ import annotations

import copy
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from psycopg import sql

from target_postgres_copy.errors import OtherWarehouseError
from target_postgres_copy.own_names import LEDGER
from target_postgres_copy.tables import holds_archived

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg import Cursor

MARK = "_last_loads"
"""Where in a state's bookmarks the last load of each schema stands: as if of a stream, since taps keep nothing else."""

_LOADED = "loaded"
_FILES = "files"
_DAY = timedelta(days=1)

_HAS = """
    select exists (select from {ledger} where load_id = %s and cast(loaded_at at time zone 'UTC' as text) = %s)
"""
# Days that were loaded whole from a file, whatever zone their bounds are written in.
_DAYS = """
    select table_name, cast(left(range_from, 10) as date) from {ledger}
    where sha256 is not null and range_from ~ '^\\d{{4}}-\\d\\d-\\d\\d' and range_to ~ '^\\d{{4}}-\\d\\d-\\d\\d'
        and cast(left(range_to, 10) as date) - cast(left(range_from, 10) as date) = 1
"""
# Tables of which the ledger counts rows.
_COUNTED = """
    select table_name from {ledger} group by table_name having sum(rows_loaded) > sum(rows_deleted) order by 1
"""
# Where a table's rows may be: in itself, and in its months, attached or detached.
_PLACES = """
    select relname, has_table_privilege(oid, 'select') from pg_class
    where
        relnamespace = %s::regnamespace and relkind = 'r' and left(relname, length(%s)) = %s
        and substr(relname, length(%s) + 1) ~ '^(_p\\d{4,}_\\d\\d)?$'
"""


def emptied(cursor: Cursor[Any], schema: str) -> set[str]:
    """Name the tables of a schema that hold no row, nor have any in the archive, though its ledger counts some."""
    return {table for (table,) in _rows(cursor, schema, _COUNTED) if not _holds_rows(cursor, schema, table)}


def check(
    cursor: Cursor[Any], state: Mapping[str, Any], lost: Mapping[str, set[str]]
) -> tuple[dict[str, Any], OtherWarehouseError] | None:
    """Compare the loads that a state counts with the ledger, and with what the tables hold.

    The state is the first one that a tap sends: what it was started with, and what it has sent since. `lost` is what
    `emptied` found before anything was loaded, by schema; it is asked for the others now.

    Returns:
        None where the ledger has the loads, or the state names none. Else a state that counts only what the ledger has,
        and what to fail with.
    """
    if not state.get("bookmarks"):  # such as a tap's note of what it has called, and no more
        return None
    marks: Mapping[str, Any] = state["bookmarks"].get(MARK) or {}
    missing = [(schema, *last) for schema, last in marks.items() if _row(cursor, schema, _HAS, last) != (True,)]
    if not missing:
        return _without_emptied(
            state, {schema: lost[schema] if schema in lost else emptied(cursor, schema) for schema in marks}
        )
    days: dict[str, set[date]] = {}
    for schema in marks:
        for table, day in _rows(cursor, schema, _DAYS):
            days.setdefault(table, set()).add(day)
    kept = _cut(state, days)
    schema, load_id, loaded_at = missing[0]
    before, after = state["bookmarks"], kept["bookmarks"]
    again = sorted(stream for stream in before if stream != MARK and before[stream] != after.get(stream))
    return kept, OtherWarehouseError(
        f"The bookmark counts load {load_id} of {loaded_at} UTC, which {schema}.{LEDGER} of this warehouse does not "
        "have: the warehouse was restored from an older copy, made anew, or is another one. The bookmark was cut to "
        f"what the ledger holds, so that the rest is read again ({', '.join(again) or 'nothing'}): run the same "
        "command again."
    )


def _without_emptied(
    state: Mapping[str, Any], lost: Mapping[str, set[str]]
) -> tuple[dict[str, Any], OtherWarehouseError] | None:
    """The state without the streams whose tables were emptied; None if it counts nothing of them."""
    tables = {table: schema for schema, names in lost.items() for table in names}
    again = {stream: _table_of(stream) for stream, bookmark in state["bookmarks"].items() if bookmark}
    again = {stream: table for stream, table in again.items() if table in tables}
    if not again:
        return None
    kept = copy.deepcopy(dict(state))
    # Nor the mark: the next run's first state may count what it has loaded itself.
    kept["bookmarks"] = {
        stream: mark for stream, mark in kept["bookmarks"].items() if stream not in again and stream != MARK
    }
    named = ", ".join(sorted(f"{tables[table]}.{table}" for table in set(again.values())))
    return kept, OtherWarehouseError(
        f"The bookmark counts rows of {named}, of which {LEDGER} has the loads, but no row is there: somebody has "
        "emptied or dropped what held them. The bookmark was cut, so that they are read again from the tap's "
        f"start_date on ({', '.join(sorted(again))}): run the same command again."
    )


def _table_of(stream: str) -> str:
    return stream.rsplit("-", 1)[-1]


def _holds_rows(cursor: Cursor[Any], schema: str, table: str) -> bool:
    if holds_archived(cursor, schema, table):
        return True
    cursor.execute(_PLACES, [sql.Identifier(schema).as_string(cursor), table, table, table])
    for name, is_readable in cursor.fetchall():
        if not is_readable:
            return True  # unknown
        cursor.execute(sql.SQL("select exists (select from {})").format(sql.Identifier(schema, name)))
        if cursor.fetchone() == (True,):
            return True
    return False


def _cut(state: Mapping[str, Any], days: Mapping[str, set[date]]) -> dict[str, Any]:
    """A state that counts only days which were loaded whole; what else a bookmark counts is read again."""
    kept = {**copy.deepcopy(dict(state)), "bookmarks": {}}
    for stream, bookmark in state["bookmarks"].items():
        table = _table_of(stream)
        ranges = [(date.fromisoformat(first), date.fromisoformat(last)) for first, last in bookmark.get(_LOADED) or ()]
        held = sorted(day for day in days.get(table, ()) if any(first <= day <= last for first, last in ranges))
        if held:
            kept["bookmarks"][stream] = {
                "replication_key": bookmark.get("replication_key"),
                "replication_key_value": held[-1].isoformat(),
                _LOADED: _ranges(held),
                _FILES: [file for file in bookmark.get(_FILES, ()) if date.fromisoformat(file["day"]) in held],
            }
    return kept


def _ranges(days: list[date]) -> list[list[str]]:
    """Ascending days as closed ranges."""
    ranges: list[list[date]] = []
    for day in days:
        if ranges and day == ranges[-1][1] + _DAY:
            ranges[-1][1] = day
        else:
            ranges.append([day, day])
    return [[first.isoformat(), last.isoformat()] for first, last in ranges]


def _row(cursor: Cursor[Any], schema: str, query: str, parameters: list[Any] | None = None) -> tuple[Any, ...] | None:
    return next(iter(_rows(cursor, schema, query, parameters)), None)


def _rows(cursor: Cursor[Any], schema: str, query: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
    """What a query finds in a schema's ledger; nothing where there is none."""
    ledger = sql.Identifier(schema, LEDGER)
    cursor.execute("select to_regclass(%s) is not null", [ledger.as_string(cursor)])
    if cursor.fetchone() != (True,):
        return []
    cursor.execute(sql.SQL(query).format(ledger=ledger), parameters)
    return cursor.fetchall()
