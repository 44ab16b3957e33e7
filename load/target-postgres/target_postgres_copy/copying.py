"""COPY of a dump file into a table, and its refusals told by file, line and column."""

from __future__ import annotations

import re
import select
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from target_postgres_copy import bounds, lineage, precision
from target_postgres_copy.queries import comma
from target_postgres_copy.units import UnitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from psycopg import Connection, Cursor

    from target_postgres_copy.dumpfile import DumpFile
    from target_postgres_copy.tables import RawTable

# "COPY bitcoin_blocks, line 17, column fee: "x"", the line without the header
_CONTEXT = re.compile(r"COPY .*?, line (?P<line>\d+)(?:, column (?P<column>.+?): (?P<value>.*))?", re.DOTALL)
_TEXT = ("text", "character varying")
_EMPTY = re.compile(r'column [^:]+: ""$', re.MULTILINE)


class _EmptyFieldError(Exception):
    """A column that is not text has an empty field: null in a dump, refused by COPY."""


def copy_file(
    cursor: Cursor[Any], target: sql.Identifier, table: RawTable, file: DumpFile, lines: sql.Identifier | None
) -> int:
    """Stream a dump's rows into a table, in one transaction or in the savepoint of one.

    Args:
        cursor: Any.
        target: The table to write to: the raw table, one of its months or a staging table.
        table: The raw table, whose columns it has.
        file: The dump. Columns that the table lacks are left out.
        lines: The sequence that numbers the rows, if the table has them numbered.

    Returns:
        How many rows were copied.

    Raises:
        UnitError: If a row is not as the table wants it, naming file, line and column.
    """
    wanted = [name for name in file.columns if name in table.columns]
    checks = {name: check for name in wanted if (check := precision.check_of(table.columns[name])) is not None}
    times = [name for name in wanted if table.columns[name].startswith("timestamp")]
    numbers = [name for name in wanted if table.columns[name] not in _TEXT]
    asked = {name: table.bounds[name] for name in wanted if name in table.bounds}
    connection = cursor.connection
    if len(wanted) == len(file.columns) and not checks:
        try:
            with connection.transaction():
                return _stream(cursor, target, file, wanted, file.chunks(times), lines, asked)
        except _EmptyFieldError:
            pass  # a dump's second way to say null, which COPY does not know
    data = file.chosen(wanted, numbers, times=times, checks=checks)
    with connection.transaction():
        return _stream(cursor, target, file, wanted, data, lines, asked)


def _stream(  # noqa: PLR0913, PLR0917 - what a COPY is made of
    cursor: Cursor[Any],
    target: sql.Identifier,
    file: DumpFile,
    columns: list[str],
    data: Iterator[bytes],
    lines: sql.Identifier | None,
    asked: Mapping[str, bounds.Bounds],
) -> int:
    if lines is not None:
        lineage.restart_lines(cursor, lines)
    statement = sql.SQL("copy {} ({}) from stdin").format(target, comma(columns))
    if (condition := bounds.kept(asked)) is not None:
        statement += sql.SQL(" where ") + condition
    sent = 0
    try:
        with cursor.copy(statement) as copy:
            for chunk, rows in _read_ahead(data):
                copy.write(chunk)
                _send(cursor.connection)
                sent += rows
    except (psycopg.DataError, psycopg.IntegrityError) as error:  # a wrong value, or a row outside its month
        context = error.diag.context or ""
        if _EMPTY.search(context):
            raise _EmptyFieldError from error
        raise UnitError(_told(file, error, context)) from error
    if cursor.rowcount != sent:
        raise file.out_of_bounds(asked, sent - cursor.rowcount)
    return cursor.rowcount


def _read_ahead(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Unpack and look at the next chunk in a thread while the server takes this one; says how many rows each has."""

    def read() -> tuple[bytes, int] | None:
        chunk = next(chunks, None)
        return None if chunk is None else (chunk, chunk.count(b"\n") + (not chunk.endswith(b"\n")))

    with ThreadPoolExecutor(1, "read-ahead") as thread:
        waiting = thread.submit(read)
        while (found := waiting.result()) is not None:
            waiting = thread.submit(read)
            yield found


def _send(connection: Connection[Any]) -> None:
    """Wait until the server has what was written: psycopg would collect it where the server is the slower one."""
    while connection.pgconn.flush():
        select.select([], [connection.fileno()], [])


def _told(file: DumpFile, error: psycopg.Error, context: str) -> str:
    where = _CONTEXT.search(context)
    place = f"dump file {file.path}"
    if where:
        place += f", line {int(where['line']) + 1}"  # COPY does not see the header
        place += f", column {where['column']}" if where["column"] else ""
    why = error.diag.message_primary or str(error)
    return f"{place}: {why}; nothing of this file was loaded, and what the table held is kept"
