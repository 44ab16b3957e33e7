"""The dump file format: gzip, tab-separated, a header line, no quoting, often no newline at the end."""

from __future__ import annotations

import gzip
import io
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalSyncError

from tap_blockchair.schemas import Column, Kind
from tap_blockchair.values import FROM_TEXT, NULL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tap_blockchair.schemas import Table

_MAGIC = b"\x1f\x8b"
_BUFFER = 1 << 20
FIRST_ROW = 2
"""Line of the first row; the header is line 1."""

_KEPT = "Nothing of this day was bookmarked."


class DumpError(FatalSyncError):
    """A dump day that cannot be taken as it is."""


@dataclass(frozen=True)
class DumpLayout:
    """What a verified dump file holds.

    Attributes:
        columns: Its columns, in the file's order.
        unknown: Those among them that the schema does not announce.
        absent: Announced columns that it lacks although nothing forces it to have them.
        rows: Number of rows.
        size: Bytes of the compressed file.
    """

    columns: tuple[Column, ...]
    unknown: tuple[Column, ...]
    absent: tuple[Column, ...]
    rows: int
    size: int


def verify(path: Path, name: str, table: Table) -> DumpLayout:
    """Read a whole dump file without taking a value from it.

    Checked are the gzip magic, the checksum and length at the gzip's end, the header, and the field count of every
    line. So a damaged file emits no row at all; only a value that does not fit its column can stop a day half-way.

    Args:
        path: The file.
        name: What to call it in messages.
        table: The columns to find.

    Returns:
        The file's layout.

    Raises:
        DumpError: The file is damaged or has another form; the message names file and line.
    """
    with path.open("rb") as file:
        start = file.read(len(_MAGIC))
    if start != _MAGIC:
        raise DumpError(f"{name} is not a gzip file (a server's message in its place?). {_KEPT} Fetch it again later.")
    try:
        with gzip.open(path) as unzipped, io.BufferedReader(unzipped, _BUFFER) as lines:
            columns = _bind(lines.readline(), name, table)
            rows = _count(lines, name, len(columns))
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DumpError(f"{name} is damaged or incomplete ({error}). {_KEPT} Fetch it again later.") from None
    found = {column.name for column in columns}
    announced = {column.name for column in table.columns}
    return DumpLayout(
        columns=columns,
        unknown=tuple(column for column in columns if column.name not in announced),
        absent=tuple(column for column in table.columns if column.name not in found),
        rows=rows,
        size=path.stat().st_size,
    )


def read_rows(
    path: Path,
    name: str,
    layout: DumpLayout,
    keys: tuple[str, ...],
    constants: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """Read the rows of a verified dump file, exactly.

    Args:
        path: The file.
        name: What to call it in messages.
        layout: What `verify` found.
        keys: Columns that must not be null, as far as the file has them.
        constants: Columns that the tap adds, with the same value in every row.

    Yields:
        Records.

    Raises:
        DumpError: A value does not fit its column; the message names file, line and column.
    """
    names = [column.name for column in layout.columns]
    readers = [(index, FROM_TEXT[c.kind]) for index, c in enumerate(layout.columns) if c.kind in FROM_TEXT]
    texts = [index for index, column in enumerate(layout.columns) if column.kind is Kind.TEXT]
    key_indexes = [names.index(key) for key in keys if key in names]
    added = {**{column.name: None for column in layout.absent}, **constants}
    with gzip.open(path) as unzipped, io.BufferedReader(unzipped, _BUFFER) as lines:
        lines.readline()
        for line_number, line in enumerate(lines, FIRST_ROW):
            try:
                text = line.decode().removesuffix("\n")
                fields: list[Any] = text.split("\t")
                if NULL in text:
                    for index in texts:
                        if fields[index] == NULL:
                            fields[index] = None
                for index, read in readers:
                    value = fields[index]
                    fields[index] = read(value) if value and value != NULL else None
            except ValueError as error:  # UnicodeDecodeError is one, too
                raise _unusable(line, line_number, name, layout, error) from None
            for index in key_indexes:
                if fields[index] is None:
                    raise DumpError(f"{name}, line {line_number}: {names[index]} is empty but part of the key. {_KEPT}")
            record = dict(zip(names, fields, strict=True))
            record.update(added)
            record["_line"] = line_number
            yield record


def _bind(header: bytes, name: str, table: Table) -> tuple[Column, ...]:
    """Find the columns by name: their order may change and new ones may appear."""
    try:
        names = header.decode().removesuffix("\n").split("\t")
    except UnicodeDecodeError:
        raise DumpError(f"{name}: the header is not text. {_KEPT}") from None
    odd = [column for column in names if not column or column.startswith("_") or names.count(column) > 1]
    if odd:
        raise DumpError(f"{name}: the header has an empty, reserved or repeated column ({odd[0]!r}). {_KEPT}")
    missing = [column.name for column in table.columns if column.required and column.name not in names]
    if missing:
        raise DumpError(
            f"{name}: the column {', '.join(missing)} is missing from the header. {_KEPT} "
            "If Blockchair dropped it for good, this tap needs an update.",
        )
    documented = {column.name: column for column in (*table.columns, *table.known)}
    return tuple(documented.get(column, Column(column, Kind.TEXT)) for column in names)


def _count(lines: Iterable[bytes], name: str, fields: int) -> int:
    rows = 0
    for line in lines:
        rows += 1
        if line.count(b"\t") != fields - 1:
            found = line.count(b"\t") + 1
            raise DumpError(f"{name}, line {rows + 1}: {found} fields, but the header has {fields}. {_KEPT}")
        if b"\0" in line:
            # PostgreSQL and others cannot store NUL in text, and dropping it would rewrite a value of the source.
            raise DumpError(f"{name}, line {rows + 1}: a NUL character, which no dump should hold. {_KEPT}")
    return rows


def _unusable(line: bytes, line_number: int, name: str, layout: DumpLayout, error: ValueError) -> DumpError:
    """Name the column whose value cannot be read; slow, but only once."""
    for column, field in zip(layout.columns, line.removesuffix(b"\n").split(b"\t"), strict=True):
        try:
            text = field.decode()
            if column.kind in FROM_TEXT and text and text != NULL:
                FROM_TEXT[column.kind](text)
        except ValueError as fault:
            reason = "not UTF-8" if isinstance(fault, UnicodeDecodeError) else str(fault)
            shown = field[:60].decode(errors="replace")
            return DumpError(f"{name}, line {line_number}: {column.name} is {shown!r}, {reason}. {_KEPT}")
    return DumpError(f"{name}, line {line_number}: {error}. {_KEPT}")
