"""What the tap writes: dump rows as RECORD lines for a target, and progress for a person."""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Self

import msgspec
from singer_sdk.contrib.msgspec import MsgSpecWriter, enc_hook

from tap_blockchair import dumpfile
from tap_blockchair.columns import Kind

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Any

_ENCODER = msgspec.json.Encoder(enc_hook=enc_hook, decimal_format="number")
# What stands in a dump as it does in JSON. Anything else, \N and non-ASCII text among it, takes the slow way.
_PLAIN = {
    Kind.INTEGER: rb"(-?(?:0|[1-9][0-9]*))",
    Kind.NUMBER: rb"(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?)",
    Kind.SPENDABLE: rb"(-1|0|1)",
    Kind.TIME: rb"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})",
    Kind.BOOLEAN: rb"([01])",
    Kind.TEXT: rb"([ !#-\[\]-~]*)",
}
_QUOTED = frozenset({Kind.TEXT, Kind.TIME})

INTERVAL = 30.0
"""Seconds between two log lines of progress."""
_REDRAW = 0.1
_UNSIZED = {"ncols": 80, "nrows": 24}


class LineWriter(MsgSpecWriter):
    """The SDK's fastest writer, which also takes lines that are written already."""

    def write_lines(self, lines: bytes) -> None:
        """Write whole messages, each ending with a newline."""
        sys.stdout.buffer.write(lines)
        sys.stdout.flush()


def record_lines(stream: str, reader: dumpfile.RowReader, now: Callable[[], str]) -> Iterator[tuple[int, bytes]]:
    """Turn a verified dump file into RECORD messages, without an object per value.

    A regular expression checks that a row's fields are JSON as they stand, and copies them; a row with anything else
    is read value by value, with the same result and the errors that name line and column.

    Yields:
        Number of rows and their lines, a few thousand at a time.
    """
    template, pattern, converted = _template(reader)
    match = re.compile(pattern).fullmatch
    start = b'{"type":"RECORD","stream":%b,"record":{' % _ENCODER.encode(stream)
    head = start.replace(b"%", b"%%")
    number = dumpfile.FIRST_ROW - 1
    header = 1
    for lines in dumpfile.lines_of(reader.path, reader.name):
        tail = b'},"time_extracted":%b}\n' % _ENCODER.encode(now())
        form = head + template + tail.replace(b"%", b"%%")
        written: list[bytes] = []
        for line in islice(lines, header, None):
            number += 1
            found = match(line)
            values = _values(found.groups(), converted) if found else None
            if values is None:
                record = _ENCODER.encode(reader.record(line, number))
                written.append(start + record[1:-1] + tail)
            else:
                written.append(form % (*values, number))
        header = 0
        yield len(written), b"".join(written)


def _values(fields: tuple[bytes, ...], converted: list[tuple[int, bool]]) -> list[bytes] | None:
    """Bring times and booleans to their JSON form; None where a time is none."""
    values = list(fields)
    try:
        for index, is_time in converted:
            if is_time:
                values[index] = dumpfile.time(values[index].decode()).encode()
            else:
                values[index] = b"true" if values[index] == b"1" else b"false"
    except ValueError:
        return None
    return values


def _template(reader: dumpfile.RowReader) -> tuple[bytes, bytes, list[tuple[int, bool]]]:
    """Give a record's template, the pattern of a row that fits it, and which of its fields are times or booleans."""
    members, columns = [], reader.layout.columns
    for column in columns:
        mark = b'"%b"' if column.kind in _QUOTED else b"%b"
        members.append(_ENCODER.encode(column.name).replace(b"%", b"%%") + b":" + mark)
    members += [_ENCODER.encode({name: value})[1:-1].replace(b"%", b"%%") for name, value in reader.added.items()]
    members.append(b'"_line":%d')
    converted = [(i, c.kind is Kind.TIME) for i, c in enumerate(columns) if c.kind in {Kind.TIME, Kind.BOOLEAN}]
    return b",".join(members), rb"\t".join(_PLAIN[column.kind] for column in columns), converted


class Progress:
    """Reports how far a stream's days are: a bar on a terminal, elsewhere a log line every half minute.

    Args:
        name: The stream.
        days: How many days are due.
        size: Bytes of all of them as far as known, else 0; then progress is counted in days.
        logger: Gets the lines.
        clock: Gives seconds.
    """

    def __init__(
        self,
        name: str,
        days: int,
        size: int,
        logger: logging.Logger,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._days, self._size = name, days, size
        self._logger, self._clock = logger, clock
        self._begun = self._reported = clock()
        self._done = self._bytes = self._rows = 0
        self._day = ""
        self._bar: Any = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        if self._days and sys.stderr.isatty():
            # Slow to import and seldom needed.
            from tqdm import tqdm  # type: ignore[import-untyped]  # noqa: PLC0415
            from tqdm.contrib.logging import logging_redirect_tqdm  # type: ignore[import-untyped]  # noqa: PLC0415

            sized = os.get_terminal_size(sys.stderr.fileno()).columns > 0
            width = {"dynamic_ncols": True} if sized else _UNSIZED  # nothing is drawn on no columns
            what = {"total": self._size, "unit": "B"} if self._size else {"total": self._days, "unit": "day"}
            # How often it is drawn is decided here, so that rows count too.
            what |= {"mininterval": 0, "miniters": 0, "unit_scale": bool(self._size)}
            bar = tqdm(desc=self._name, file=sys.stderr, leave=False, **what, **width)
            self._bar = self._open.enter_context(bar)
            # Log lines appear above the bar, not inside it.
            self._open.enter_context(logging_redirect_tqdm())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    def begin(self, day: str) -> None:
        """Name the day in hand."""
        self._day = day
        self._report()

    def downloaded(self, count: int) -> None:
        """Count bytes that arrived."""
        self._bytes += count
        self._report()

    def rows(self, count: int) -> None:
        """Count rows that were written."""
        self._rows += count
        self._report()

    def finish(self) -> None:
        """Count a day as done."""
        self._done += 1
        self._report()

    def _report(self) -> None:
        now = self._clock()
        if now - self._reported < (INTERVAL if self._bar is None else _REDRAW):
            return
        self._reported = now
        done, due = (self._bytes, self._size) if self._size else (self._done, self._days)
        if self._bar is not None:
            rows = f"{self._rows:,} rows, day {self._day} ({self._done}/{self._days})"
            self._bar.set_postfix_str(rows, refresh=False)
            # An index page rounds sizes, so a little more may come.
            self._bar.total = max(self._bar.total, done)
            self._bar.update(done - self._bar.n)
            return
        took = now - self._begun
        left = f", about {max(0, due - done) * took / done / 3600:.1f} h left" if done else ""
        self._logger.info(
            "%s: day %s, %d of %d days done, %.1f MB at %.1f kB/s, %d rows%s.",
            self._name,
            self._day,
            self._done,
            self._days,
            self._bytes / 1e6,
            self._bytes / took / 1e3,
            self._rows,
            left,
        )
