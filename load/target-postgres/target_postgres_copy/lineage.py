"""Columns that a dump file does not carry: filled by column defaults, so that COPY writes them with the row."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from psycopg import Cursor

LINE = "_line"
LOAD_ID = "_load_id"  # of the load ledger
# When and by which load a row came is no data: a row that differs in nothing else is not written again. Version and
# deletion mark are data, since ACTIVATE_VERSION goes by them.
LINEAGE = frozenset(
    {
        "_sdc_extracted_at",
        "_sdc_received_at",
        "_sdc_batched_at",
        "_sdc_sequence",
        "_sdc_sync_started_at",
        LOAD_ID,
    }
)
_FIRST_ROW = 2  # the header is line 1


def defaults(
    columns: Iterable[str],
    *,
    constants: Mapping[str, Any],
    load_id: int,
    sync_started_at: int,
    line_sequence: sql.Identifier,
) -> dict[str, sql.Composable]:
    """Write down the default of each column that the loader fills.

    Args:
        columns: The table's columns that the file lacks.
        constants: The unit's constants.
        load_id: The load's number in the ledger.
        sync_started_at: When this loader began, in milliseconds since 1970, as the SDK fills `_sdc_sync_started_at`.
        line_sequence: The sequence that numbers the rows.

    Returns:
        SQL expressions by column. The three `_sdc_` times are the transaction's: rows of a file have no time of
        their own.
    """
    now = sql.SQL("now()")
    made: dict[str, sql.Composable] = {
        LINE: sql.SQL("nextval({})").format(sql.Literal(line_sequence.as_string(None))),
        LOAD_ID: sql.Literal(load_id),
        "_sdc_extracted_at": now,
        "_sdc_received_at": now,
        "_sdc_batched_at": now,
        "_sdc_sequence": sql.Literal(round(time.time() * 1000)),
        "_sdc_sync_started_at": sql.Literal(sync_started_at),
    }
    made |= {name: sql.Literal(value) for name, value in constants.items()}
    return {name: made[name] for name in columns if name in made}


def set_defaults(cursor: Cursor[Any], table: sql.Identifier, expressions: Mapping[str, sql.Composable]) -> None:
    """Give columns defaults, in one statement; readers of the table wait until the transaction ends."""
    if expressions:
        each = [
            sql.SQL("alter column {} set default {}").format(sql.Identifier(name), expression)
            for name, expression in expressions.items()
        ]
        cursor.execute(sql.SQL("alter table {} {}").format(table, sql.SQL(", ").join(each)))


def drop_defaults(cursor: Cursor[Any], table: sql.Identifier, columns: Iterable[str]) -> None:
    """Take columns' defaults away."""
    each = [sql.SQL("alter column {} drop default").format(sql.Identifier(name)) for name in columns]
    if each:
        cursor.execute(sql.SQL("alter table {} {}").format(table, sql.SQL(", ").join(each)))


def restart_lines(cursor: Cursor[Any], sequence: sql.Identifier) -> None:
    """Let the next row be the first below a file's header."""
    cursor.execute("select setval(%s::regclass, %s, false)", [sequence.as_string(cursor), _FIRST_ROW])
