"""Months of raw tables whose rows are only in dump files, as `warehouse retain` has noted them.

A row of the table names a raw table and a month. Its state is `archived` where the rows were dropped, `kept` where they
stay though other tables of the chain lost theirs, and `returning` while a restore loads them again.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from psycopg import sql

from target_postgres_copy.errors import SliceError
from target_postgres_copy.own_names import ARCHIVED

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import Cursor

_STATES = """
    select month, state from {archived}
    where table_name = %s and month >= date_trunc('month', %s::timestamp) and month <= %s order by month
"""


def state(cursor: Cursor[Any], schema: str, table: str, start: datetime | None) -> str | None:
    """The state of the month that begins at an instant; None where the table has all rows that were loaded of it."""
    found = [] if start is None else _states(cursor, schema, table, start.date(), start.date())
    return found[0][1] if found else None


def refuse(cursor: Cursor[Any], schema: str, table: str, first: date | None, last: date | None) -> None:
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
    for month, found in _states(cursor, schema, table, first, last):
        if found != "returning":
            raise SliceError(
                f"{schema}.{table}: the month {month:%Y-%m} is in the archive, and what came differs from what was "
                "archived; nothing of it was loaded. Bring the month back first: "
                f"`warehouse retain --restore {month:%Y-%m} --archive FOLDER`, then run this again"
            )


def holds_any(cursor: Cursor[Any], schema: str, table: str) -> bool:
    """Whether a table has months in the archive."""
    return bool(_states(cursor, schema, table, date.min, date.max))


def _states(cursor: Cursor[Any], schema: str, table: str, first: date, last: date) -> list[tuple[date, str]]:
    archived = sql.Identifier(schema, ARCHIVED)
    cursor.execute("select to_regclass(%s) is not null", [archived.as_string(cursor)])
    if cursor.fetchone() != (True,):
        return []
    cursor.execute(sql.SQL(_STATES).format(archived=archived), [table, first, last])
    return cursor.fetchall()
