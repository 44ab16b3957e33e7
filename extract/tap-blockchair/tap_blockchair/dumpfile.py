"""The dump file format: gzip, tab-separated, a header line, no quoting, often no newline at the end."""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from singer_sdk.exceptions import FatalSyncError

from tap_blockchair.columns import Column, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import date
    from pathlib import Path

    from tap_blockchair.schemas import Table

NULL = "\\N"
FIRST_ROW = 2
"""Line of the first row; the header is line 1."""
MOST_DIGITS = 1000
"""Before or behind the decimal point; the largest amounts, of 256 bits, have 78."""

_MAGIC = b"\x1f\x8b"
_READ = 1 << 18
_UNZIPPED = 1 << 21  # bounds the memory, however well a file is compressed
_GZIP = zlib.MAX_WBITS | 16
_TEXT = bytes(sorted(set(range(256)) - set(b"\t\n")))
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_KEPT = "Nothing of this day was bookmarked."


class DumpError(FatalSyncError):
    """A dump day that cannot be taken as it is."""


class DamagedDumpError(DumpError):
    """A file whose gzip does not hold: a second download may bring a good one."""


class DayColumn(NamedTuple):
    """The column by which the source cuts a table into days, and the day on which every row of a file must lie."""

    name: str
    day: date


@dataclass(frozen=True)
class DumpLayout:
    """What a verified dump file holds.

    Attributes:
        columns: Its columns, in the file's order.
        unknown: Those among them that the schema does not announce.
        absent: Announced columns that it lacks although nothing forces it to have them.
        size: Bytes of the compressed file, as its digest.
    """

    columns: tuple[Column, ...]
    unknown: tuple[Column, ...]
    absent: tuple[Column, ...]
    rows: int
    size: int
    sha256: str


def verify(path: Path, name: str, table: Table, cut: DayColumn | None = None) -> DumpLayout:
    """Read a whole dump file without taking a value from it.

    Checked are the gzip magic, the checksum and length at the gzip's end, the header, the field count of every line,
    and that every row lies on the file's day. So a damaged file emits no row at all; only a value that does not fit
    its column can stop a day half-way.

    Raises:
        DumpError: The file is damaged or has another form; the message names file and line.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAGIC))
    except OSError as error:
        raise DumpError(f"{path} cannot be read ({error.strerror or error}). {_KEPT} Check its owner.") from None
    if start != _MAGIC:
        raise DumpError(f"{name} is not a gzip file (a server's message in its place?). {_KEPT} Fetch it again later.")
    digest = hashlib.sha256()
    portions = _portions(path, name, digest.update)
    header, newline, first = next(portions, b"").partition(b"\n")
    columns = _bind(header, name, table)
    check = _LineCheck(name, [column.name for column in columns], cut)
    if newline:
        check(first)
    for portion in portions:
        check(portion)
    found = {column.name for column in columns}
    announced = {column.name for column in table.columns}
    return DumpLayout(
        columns=columns,
        unknown=tuple(column for column in columns if column.name not in announced),
        absent=tuple(column for column in table.columns if column.name not in found),
        rows=check.rows,
        size=path.stat().st_size,
        sha256=digest.hexdigest(),
    )


class RowReader:
    """Reads the rows of a verified dump file, exactly.

    A column of the key must not be null, as far as the file has it. Constants are columns that the tap adds, with the
    same value in every row.
    """

    def __init__(
        self, name: str, path: Path, layout: DumpLayout, keys: tuple[str, ...], constants: Mapping[str, Any]
    ) -> None:
        self.name, self.path, self.layout = name, path, layout
        self.added = {**{column.name: None for column in layout.absent}, **constants}
        columns = layout.columns
        self._names = [column.name for column in columns]
        self._readers = [(index, FROM_TEXT[c.kind]) for index, c in enumerate(columns) if c.kind in FROM_TEXT]
        self._texts = [index for index, column in enumerate(columns) if column.kind is Kind.TEXT]
        self._keys = [self._names.index(key) for key in keys if key in self._names]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Read all rows as records."""
        lines = islice(chain.from_iterable(lines_of(self.path, self.name)), 1, None)
        for number, line in enumerate(lines, FIRST_ROW):
            yield self.record(line, number)

    def record(self, line: bytes, number: int) -> dict[str, Any]:
        """Read the row in a line of the file.

        Raises:
            DumpError: A value does not fit its column; the message names file, line and column.
        """
        try:
            text = line.decode()
            fields: list[Any] = text.split("\t")
            if NULL in text:
                for index in self._texts:
                    if fields[index] == NULL:
                        fields[index] = None
            for index, read in self._readers:
                value = fields[index]
                fields[index] = read(value) if value and value != NULL else None
        except ValueError as error:  # UnicodeDecodeError is one, too
            raise self._unusable(line, number, error) from None
        for index in self._keys:
            if fields[index] is None:
                raise DumpError(
                    f"{self.name}, line {number}: {self._names[index]} is empty but part of the key. {_KEPT}"
                )
        record = dict(zip(self._names, fields, strict=True))
        record.update(self.added)
        record["_line"] = number
        return record

    def _unusable(self, line: bytes, number: int, error: ValueError) -> DumpError:
        """Name the column whose value cannot be read; slow, but only once."""
        for column, field in zip(self.layout.columns, line.split(b"\t"), strict=True):
            try:
                text = field.decode()
                if column.kind in FROM_TEXT and text and text != NULL:
                    FROM_TEXT[column.kind](text)
            except ValueError as fault:
                reason = "not UTF-8" if isinstance(fault, UnicodeDecodeError) else str(fault)
                shown = field[:60].decode(errors="replace")
                return DumpError(f"{self.name}, line {number}: {column.name} is {shown!r}, {reason}. {_KEPT}")
        return DumpError(f"{self.name}, line {number}: {error}. {_KEPT}")


class _LineCheck:
    """Checks whole portions of lines, and looks for the faulty line only when there is one."""

    def __init__(self, name: str, columns: list[str], cut: DayColumn | None) -> None:
        self.rows = 0
        self._name = name
        self._columns = columns
        self._shape = b"\t" * (len(columns) - 1) + b"\n"
        self._place = columns.index(cut.name) if cut and cut.name in columns else None
        self._day = cut.day.isoformat() if cut else ""
        # Only for lines whose tabs are counted: there it cannot run into the next line.
        on_day = rb"[^\t]*+\t" * (self._place or 0) + self._day.encode() + b" "
        # The empty group is what is collected, in place of copies of the lines.
        self._first_on_day, self._later_on_day = re.compile(on_day).match, re.compile(b"\n" + on_day + b"()").findall

    def __call__(self, portion: bytes) -> None:
        # What is left without the text between tabs and newlines must be the header's tabs, line for line.
        shape = portion.translate(None, _TEXT)
        count = shape.count(b"\n") + 1
        if shape != (self._shape * count)[:-1]:
            self._find(portion, self._fault_of_shape)
        if self._place is not None and (
            not self._first_on_day(portion) or len(self._later_on_day(portion)) != count - 1
        ):
            self._find(portion, self._fault_of_day)
        # PostgreSQL and others cannot store NUL in text, and dropping it would rewrite a value of the source.
        if b"\0" in portion:
            self._find(portion, lambda line: "a NUL character, which no dump should hold" if b"\0" in line else "")
        self.rows += count

    def _fault_of_shape(self, line: bytes) -> str:
        fields, expected = line.count(b"\t") + 1, len(self._columns)
        return f"{fields} fields, but the header has {expected}" if fields != expected else ""

    def _fault_of_day(self, line: bytes) -> str:
        if self._first_on_day(line):
            return ""
        place = self._place or 0
        shown = line.split(b"\t")[place][:60].decode(errors="replace")
        return f"{self._columns[place]} is {shown!r}, not a time of the file's day {self._day}"

    def _find(self, portion: bytes, fault_of: Callable[[bytes], str]) -> NoReturn:
        for number, line in enumerate(portion.split(b"\n"), self.rows + FIRST_ROW):
            if fault := fault_of(line):
                raise DumpError(f"{self._name}, line {number}: {fault}. {_KEPT}")
        raise AssertionError("a portion is refused, but none of its lines")


def lines_of(path: Path, name: str) -> Iterator[list[bytes]]:
    """Give a file's lines in portions, without their newlines and the header first; its checksum is verified."""
    for portion in _portions(path, name):
        yield portion.split(b"\n")


def _portions(path: Path, name: str, listen: Callable[[bytes], object] = lambda _part: None) -> Iterator[bytes]:
    """Give whole lines, some megabytes at a time, without the newline behind the last one."""
    rest = b""
    try:
        for part in _unzip(path, listen):
            end = part.rfind(b"\n")
            if end < 0:
                rest += part
                continue
            yield b"".join((rest, memoryview(part)[:end]))
            rest = part[end + 1 :]
    except (EOFError, zlib.error) as error:
        raise DamagedDumpError(
            f"{name} is damaged or incomplete ({error}). {_KEPT} Fetch it again later.",
        ) from None
    if rest:  # the last line has no newline
        yield rest


def _unzip(path: Path, listen: Callable[[bytes], object]) -> Iterator[bytes]:
    unzip = zlib.decompressobj(_GZIP)
    with path.open("rb") as file:
        while packed := file.read(_READ):
            listen(packed)
            while packed:
                if unzip.eof:
                    unzip = zlib.decompressobj(_GZIP)  # a further member; anything else is refused as no gzip header
                part = unzip.decompress(packed, _UNZIPPED)
                packed = unzip.unused_data if unzip.eof else unzip.unconsumed_tail
                if part:
                    yield part
                elif not unzip.eof and not packed:
                    break
        while not unzip.eof and (part := unzip.decompress(unzip.unconsumed_tail, _UNZIPPED)):
            yield part
    if not unzip.eof:
        raise EOFError("it ends before its gzip does")


def _bind(header: bytes, name: str, table: Table) -> tuple[Column, ...]:
    """Find the columns by name: their order may change and new ones may appear."""
    try:
        names = header.decode().split("\t")
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


def integer(text: str) -> int:
    """Read a whole number; Python's own `int` also takes blanks, underscores and a plus sign."""
    if text.isascii() and (text.isdigit() or (text[:1] == "-" and text[1:].isdigit())):
        return int(text)
    raise ValueError("not a whole number")


def number(text: str) -> Decimal:
    """Read a decimal number, in plain or exponent notation, without going through a float."""
    if (text.isascii() and text.isdigit()) or _NUMBER.fullmatch(text):
        try:
            return bounded(Decimal(text))
        except ArithmeticError:  # an exponent beyond those of Decimal
            raise ValueError("not a number of reasonable length") from None
    raise ValueError("not a number")


def bounded(value: Decimal) -> Decimal:
    """Refuse NaN, infinity, and what `MOST_DIGITS` cannot write out: 1e400000000 would take all memory."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or max(value.adjusted(), -exponent) >= MOST_DIGITS:
        raise ValueError("not a number of reasonable length")
    return value


@lru_cache(maxsize=4096)  # all rows of a block carry the same few times
def time(text: str) -> str:
    """Read Blockchair's naive UTC time, `YYYY-MM-DD HH:MM:SS`, as RFC 3339 with its offset."""
    if len(text) != len("YYYY-MM-DD HH:MM:SS") or (text[4], text[7], text[10]) != ("-", "-", " "):
        raise ValueError("not a time of the form YYYY-MM-DD HH:MM:SS")
    return datetime.fromisoformat(text).replace(tzinfo=UTC).isoformat()


def boolean(text: str) -> bool:
    """Read a dump's boolean, `1` or `0`."""
    if text not in {"1", "0"}:
        raise ValueError("neither 1 nor 0")
    return text == "1"


def spendable(text: str) -> int:
    """Read a dump's `is_spendable`: `1`, `0`, or `-1` for unknown."""
    if text not in {"1", "0", "-1"}:
        raise ValueError("none of 1, 0 and -1")
    return int(text)


FROM_TEXT: dict[Kind, Callable[[str], Any]] = {
    Kind.INTEGER: integer,
    Kind.NUMBER: number,
    Kind.TIME: time,
    Kind.BOOLEAN: boolean,
    Kind.SPENDABLE: spendable,
}
"""Readers of a dump's fields; each raises a ValueError for anything else. Text has none: it stays as it is."""
