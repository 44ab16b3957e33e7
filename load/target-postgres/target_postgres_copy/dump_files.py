"""A dump file into a table: decompressed, passed to COPY unparsed, refused by file, line and column.

Columns that a file does not carry are filled by column defaults, so that COPY writes them with the row.
"""

from __future__ import annotations

import re
import select
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import unquote, urlparse

import psycopg
from isal import igzip, isal_zlib
from psycopg import sql

from target_postgres_copy.errors import FinerError, SliceError
from target_postgres_copy.own_names import LINE, LOAD_ID
from target_postgres_copy.stream_schema import check_of
from target_postgres_copy.tables import comma

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from psycopg import Connection, Cursor

    from target_postgres_copy.stream_schema import Bounds
    from target_postgres_copy.tables import RawTable

_CHUNK = 1 << 20
_FIRST_ROW = 2  # the header is line 1
_FINE_TIME = re.compile(rb":\d\d\.\d{6}\d*[1-9]")  # with a digit below the microsecond
_DAMAGE: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error, cast("type[Exception]", isal_zlib.error))
# COPY's text format reads a backslash as the start of an escape; a dump knows only the whole field `\N`.
_BARE_BACKSLASH = re.compile(rb"(?!\A)(?<![\t\n])\\|\\(?!N(?:[\t\n]|\Z))")
# "COPY bitcoin_blocks, line 17, column fee: "x"", the line without the header
_CONTEXT = re.compile(r"COPY .*?, line (?P<line>\d+)(?:, column (?P<column>.+?): (?P<value>.*))?", re.DOTALL)
_TEXT = ("text", "character varying")
_EMPTY = re.compile(r'column [^:]+: ""$', re.MULTILINE)


class DumpFile:
    r"""A verified dump: gzip, UTF-8, a header, tab-separated fields without quoting, `\N` for null.

    The URL is `file://...` or a path; `sanitize_nul` replaces NUL characters by U+FFFD.
    """

    def __init__(self, url: str, *, sanitize_nul: bool = False) -> None:
        parts = urlparse(url)
        if parts.scheme not in ("", "file"):
            raise SliceError(f"cannot read the batch file {url}: only files on this machine are loaded")
        self.path = Path(unquote(parts.path))
        self._sanitize_nul = sanitize_nul

    @cached_property
    def columns(self) -> list[str]:
        """The names of the columns, in the file's order; a SliceError if it is no gzip file with a header."""
        try:
            with self._open() as file:
                header = file.readline()
        except _DAMAGE as error:
            raise self._unreadable(error) from error
        if not header.strip():
            raise self._unreadable("it has no header")
        return header.decode().rstrip("\n").split("\t")

    def chunks(self, times: Collection[str] = ()) -> Iterator[bytes]:
        """Read all rows as they stand, escaped as COPY's text format wants them: whole lines, a megabyte at a time.

        Columns `times` are checked for digits below the microsecond, which PostgreSQL would round off.

        Raises:
            SliceError: If the file is damaged, or a date-time is finer than a microsecond.
        """
        try:
            with self._open() as file:
                file.readline()
                while chunk := file.read(_CHUNK) + file.readline():
                    if times and _FINE_TIME.search(chunk):
                        self._check_times(chunk, times)
                    yield self._escaped(chunk)
        except _DAMAGE as error:
            raise self._unreadable(error) from error

    def chosen(
        self,
        wanted: Collection[str],
        nullable: Collection[str],
        *,
        times: Collection[str] = (),
        checks: Mapping[str, Callable[[str], None]] | None = None,
    ) -> Iterator[bytes]:
        """Read all rows with some columns only, and with empty fields made null: slower than `chunks`.

        Args:
            wanted: The columns to keep; others are left out.
            nullable: Columns in which an empty field is null; in others it is empty text.
            times: As of `chunks`.
            checks: Raise FinerError for a value that a column would change; by column.

        Raises:
            SliceError: If the file is damaged, or a value is finer than its column.
        """
        checked = [(place, name, checks[name]) for place, name in enumerate(self.columns) if checks and name in checks]
        number = 1
        places = [(place, name in nullable) for place, name in enumerate(self.columns) if name in wanted]
        for chunk in self.chunks(times):
            lines = []
            for line in chunk.removesuffix(b"\n").split(b"\n"):
                fields = line.split(b"\t")
                number += 1
                for place, name, check in checked:
                    if place < len(fields) and (value := fields[place]) not in (b"", b"\\N"):
                        self._check(check, value.decode(errors="replace"), number, name)
                # A line that is too short is left as it is: COPY names it.
                cut = [fields[place] or (b"\\N" if null else b"") for place, null in places if place < len(fields)]
                lines.append(b"\t".join(cut if len(fields) == len(self.columns) else fields))
            yield b"\n".join(lines) + b"\n"

    def out_of_bounds(self, bounds: Mapping[str, Bounds], rows: int) -> SliceError:
        """Name the first value that breaks its column's bounds, as `rows` rows do, by reading the file once more."""
        for number, name, value in self._values(bounds):
            if fault := bounds[name].fault(value):
                more = f" ({rows} rows have such values)" if rows > 1 else ""
                return self.refused(f", line {number}, column {name}: {value!r} {fault}{more}")
        return self.refused(f": {rows} rows break the bounds of {', '.join(bounds)}")

    def _check(self, check: Callable[[str], None], value: str, number: int, column: str) -> None:
        try:
            check(value)
        except FinerError as error:
            raise self.refused(f", line {number}, column {column}: {value!r} {error}") from None

    def _check_times(self, chunk: bytes, times: Collection[str]) -> None:
        """Refuse a fine time; what looks like one may also stand in a text."""
        places = [place for place, name in enumerate(self.columns) if name in times]
        rows = (line.split(b"\t") for line in chunk.split(b"\n"))
        if not any(_FINE_TIME.search(row[place]) for row in rows for place in places if place < len(row)):
            return
        for number, name, value in self._values(times):
            if _FINE_TIME.search(value.encode()):
                raise self.refused(f", line {number}, column {name}: {value!r} is finer than a microsecond")

    def _values(self, names: Collection[str]) -> Iterator[tuple[int, str, str]]:
        """Read the file from its beginning, for the line, the column and the text of each value of some columns."""
        places = [(place, name) for place, name in enumerate(self.columns) if name in names]
        lines = (line for chunk in self.chunks() for line in chunk.removesuffix(b"\n").split(b"\n"))
        for number, line in enumerate(lines, 2):
            fields = line.split(b"\t")
            for place, name in places:
                if place < len(fields):
                    yield number, name, fields[place].decode(errors="replace")

    def refused(self, why: str) -> SliceError:
        """The error of a file that is not loaded, with the line and the reason in `why`."""
        return SliceError(
            f"dump file {self.path}{why}; nothing of this file was loaded, and what the table held is kept"
        )

    def _open(self) -> BinaryIO:
        return cast("BinaryIO", igzip.open(self.path, "rb"))  # type: ignore[no-untyped-call]

    def _escaped(self, chunk: bytes) -> bytes:
        if b"\\" in chunk and not _has_only_null_marks(chunk):
            chunk = _BARE_BACKSLASH.sub(rb"\\\\", chunk)
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r", b"\\r")
        if self._sanitize_nul and b"\0" in chunk:
            chunk = chunk.replace(b"\0", "\ufffd".encode())
        return chunk

    def _unreadable(self, why: object) -> SliceError:
        return SliceError(
            f"cannot read the dump file {self.path}: {why}; nothing of it was loaded, what the table held is kept: "
            "run the tap again, it fetches the file anew"
        )


def _has_only_null_marks(chunk: bytes) -> bool:
    found = chunk.count(b"\\")
    after = chunk.count(b"\\N\t") + chunk.count(b"\\N\n") + chunk.endswith(b"\\N")
    before = chunk.count(b"\t\\N") + chunk.count(b"\n\\N") + chunk.startswith(b"\\N")
    return found == after == before


class _EmptyFieldError(Exception):
    """A column that is not text has an empty field: null in a dump, refused by COPY."""


def copy_file(
    cursor: Cursor[Any], target: sql.Identifier, table: RawTable, file: DumpFile, lines: sql.Identifier | None
) -> int:
    """Stream a dump's rows into a table, in one transaction or in the savepoint of one; returns how many.

    The target is one of the raw table's months or a staging table. Columns of the file that the table lacks are left
    out. `lines` is the sequence that numbers the rows, if the table has them numbered.

    Raises:
        SliceError: If a row is not as the table wants it, naming file, line and column.
    """
    wanted = [name for name in file.columns if name in table.columns]
    checks = {name: check for name in wanted if (check := check_of(table.columns[name])) is not None}
    times = [name for name in wanted if table.columns[name].startswith("timestamp")]
    numbers = [name for name in wanted if table.columns[name] not in _TEXT]
    bounds = {name: table.bounds[name] for name in wanted if name in table.bounds}
    connection = cursor.connection
    if len(wanted) == len(file.columns) and not checks:
        try:
            with connection.transaction():
                return _stream(cursor, target, file, wanted, file.chunks(times), lines, bounds)
        except _EmptyFieldError:
            pass  # a dump's second form of null, which COPY does not know
    data = file.chosen(wanted, numbers, times=times, checks=checks)
    with connection.transaction():
        return _stream(cursor, target, file, wanted, data, lines, bounds)


def _stream(  # noqa: PLR0913, PLR0917 - what a COPY is made of
    cursor: Cursor[Any],
    target: sql.Identifier,
    file: DumpFile,
    columns: list[str],
    data: Iterator[bytes],
    lines: sql.Identifier | None,
    bounds: Mapping[str, Bounds],
) -> int:
    if lines is not None:
        cursor.execute("select setval(%s::regclass, %s, false)", [lines.as_string(cursor), _FIRST_ROW])
    statement = sql.SQL("copy {} ({}) from stdin").format(target, comma(columns))
    if broken := [each for name, those in bounds.items() if (each := those.broken(name)) is not None]:
        statement += sql.SQL(" where ({}) is not true").format(sql.SQL(" or ").join(broken))
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
        raise _refusal(file, error, context) from error
    if cursor.rowcount != sent:
        raise file.out_of_bounds(bounds, sent - cursor.rowcount)
    return cursor.rowcount


def _read_ahead(chunks: Iterator[bytes]) -> Iterator[tuple[bytes, int]]:
    """Unpack the next chunk in a thread while the server takes this one; gives each with its number of rows."""

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


def _refusal(file: DumpFile, error: psycopg.Error, context: str) -> SliceError:
    place = ""
    if where := _CONTEXT.search(context):
        place += f", line {int(where['line']) + 1}"  # COPY does not see the header
        place += f", column {where['column']}" if where["column"] else ""
    return file.refused(f"{place}: {error.diag.message_primary or error}")


def lineage_defaults(
    columns: Iterable[str],
    *,
    constants: Mapping[str, Any],
    load_id: int,
    sync_started_at: int,
    line_sequence: sql.Identifier,
) -> dict[str, sql.Composable]:
    """Write down, in SQL, the defaults of those of the columns that the loader fills.

    `sync_started_at` is in milliseconds since 1970, as the SDK fills `_sdc_sync_started_at`. Three other `_sdc_` times
    are the transaction's: rows of a file have none of their own.
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
    """Give columns defaults; readers of the table wait until the transaction ends.

    The one that takes numbers of a sequence has a statement of its own: Citus refuses it beside other changes.
    """
    each = {
        name: sql.SQL("alter column {} set default {}").format(sql.Identifier(name), expression)
        for name, expression in expressions.items()
    }
    _alter(cursor, table, [change for name, change in each.items() if name != LINE])
    _alter(cursor, table, [change for name, change in each.items() if name == LINE])


def drop_defaults(cursor: Cursor[Any], table: sql.Identifier, columns: Iterable[str]) -> None:
    """Take columns' defaults away."""
    _alter(cursor, table, [sql.SQL("alter column {} drop default").format(sql.Identifier(name)) for name in columns])


def _alter(cursor: Cursor[Any], table: sql.Identifier, changes: list[sql.Composed]) -> None:
    if changes:
        cursor.execute(sql.SQL("alter table {} {}").format(table, sql.SQL(", ").join(changes)))
