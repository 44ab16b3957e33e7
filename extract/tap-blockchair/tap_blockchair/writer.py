"""Dump rows straight to RECORD lines: no object per value, yet exactly the bytes' digits."""

from __future__ import annotations

import re
import sys
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.contrib.msgspec import MsgSpecWriter, enc_hook

from tap_blockchair.columns import Kind
from tap_blockchair.dumpfile import FIRST_ROW, RowReader, lines_of
from tap_blockchair.values import time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from tap_blockchair.dumpfile import DumpLayout

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


class LineWriter(MsgSpecWriter):
    """The SDK's fastest writer, which also takes lines that are written already."""

    def write_lines(self, lines: bytes) -> None:
        """Write whole messages, each ending with a newline.

        Args:
            lines: JSON.
        """
        sys.stdout.buffer.write(lines)
        sys.stdout.flush()


def record_lines(
    stream: str,
    path: Path,
    reader: RowReader,
    constants: Mapping[str, Any],
    now: Callable[[], str],
) -> Iterator[tuple[int, bytes]]:
    """Turn a verified dump file into RECORD messages.

    A regular expression checks a row's fields for being JSON as they stand, and copies them; a row with anything else
    is read value by value, with the same result and the errors that name line and column.

    Args:
        stream: The stream's name.
        path: The file.
        reader: Reads single rows.
        constants: Columns with the same value in every row.
        now: Gives the time of extraction, RFC 3339.

    Yields:
        Number of rows and their lines, a few thousand at a time.

    Raises:
        DumpError: A value does not fit its column.
    """
    template, pattern, odd = _template(reader.layout, constants)
    match = re.compile(pattern).fullmatch
    start = b'{"type":"RECORD","stream":%b,"record":{' % _ENCODER.encode(stream)
    head = start.replace(b"%", b"%%")
    number = FIRST_ROW - 1
    header = 1
    for lines in lines_of(path, reader.name):
        tail = b'},"time_extracted":%b}\n' % _ENCODER.encode(now())
        form = head + template + tail.replace(b"%", b"%%")
        written: list[bytes] = []
        for line in islice(lines, header, None):
            number += 1
            found = match(line)
            values = _values(found.groups(), odd) if found else None
            if values is None:
                record = _ENCODER.encode(reader.record(line, number))
                written.append(start + record[1:-1] + tail)
            else:
                written.append(form % (*values, number))
        header = 0
        yield len(written), b"".join(written)


def _values(fields: tuple[bytes, ...], odd: list[tuple[int, bool]]) -> list[bytes] | None:
    """Bring times and booleans to their JSON form; None where a time is none."""
    values = list(fields)
    try:
        for index, is_time in odd:
            if is_time:
                values[index] = time(values[index].decode()).encode()
            else:
                values[index] = b"true" if values[index] == b"1" else b"false"
    except ValueError:
        return None
    return values


def _template(layout: DumpLayout, constants: Mapping[str, Any]) -> tuple[bytes, bytes, list[tuple[int, bool]]]:
    members = []
    for column in layout.columns:
        mark = b'"%b"' if column.kind in _QUOTED else b"%b"
        members.append(_ENCODER.encode(column.name).replace(b"%", b"%%") + b":" + mark)
    added = {**{column.name: None for column in layout.absent}, **constants}
    members += [_ENCODER.encode({name: value})[1:-1].replace(b"%", b"%%") for name, value in added.items()]
    members.append(b'"_line":%d')
    odd = [(i, c.kind is Kind.TIME) for i, c in enumerate(layout.columns) if c.kind in {Kind.TIME, Kind.BOOLEAN}]
    return b",".join(members), rb"\t".join(_PLAIN[column.kind] for column in layout.columns), odd
