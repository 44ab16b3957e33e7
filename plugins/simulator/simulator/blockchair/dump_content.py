"""The text of a dump file, and what can be wrong or new in it."""

from __future__ import annotations

import gzip
import io
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Final

from simulator.blockchair.table import Column, Kind, dump_writer, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from simulator.blockchair.table import Money

_CENT_OF_A_CENT: Final = Decimal("0.0001")
_BATCH: Final = 1000
_CORRECTION: Final = Decimal("1.01")
_NAMES: Final = frozenset({"guessed_miner", "token_name", "name"})
_NULL: Final = r"\N"


def written(columns: tuple[Column, ...], rows: Iterable[object], money: Money) -> Iterator[list[str]]:
    """The fields of all rows, as a dump writes them; row by row, since a file may have a million."""
    writers = [dump_writer(column, money) for column in columns]
    return ([write(row) for write in writers] for row in rows)


class DumpContent:
    """Header and rows of one file. The rows are gone through once; only what changes a file holds all of them."""

    def __init__(self, columns: tuple[Column, ...], rows: Iterable[list[str]]) -> None:
        self._names = [column.name for column in columns]
        self._columns = columns
        self._given: Iterable[list[str]] | None = rows
        self._held: list[list[str]] = []

    def lines(self) -> Iterator[str]:
        """Header and rows, without line ends."""
        yield "\t".join(self._names)
        for row in self._held if self._given is None else self._given:
            yield "\t".join(row)

    def packed(self, name: str, modified: int, *, final: bool) -> bytes:
        """One gzip member with the original name and a fixed time (seconds since 1970), as published files.

        Where `final`, the last row ends with a line end, which published files do without.
        """
        content = io.BytesIO()
        with gzip.GzipFile(filename=name, mode="wb", compresslevel=6, fileobj=content, mtime=modified) as stream:
            end = b""
            lines = self.lines()
            # By the thousand, so that neither many small writes nor one large text are made of them.
            while some := list(islice(lines, _BATCH)):
                stream.write(end + "\n".join(some).encode())
                end = b"\n"
            if final:
                stream.write(b"\n")
        return content.getvalue()

    @property
    def _rows(self) -> list[list[str]]:
        if self._given is not None:
            self._held, self._given = list(self._given), None
        return self._held

    def distort(self, quirks: frozenset[str]) -> None:
        """Apply the quirks that concern files."""
        if "empty-nulls" in quirks:
            for row in self._rows:
                row[:] = ["" if field == _NULL else field for field in row]
        if "missing-columns" in quirks:
            self._drop("time")
        if "extra-columns" in quirks:
            self._insert(len(self._names), "simulated_count", "7")
            self._insert(1, "simulated_note", "an extra column")

    def restate(self) -> None:
        """Correct dollars by a hundredth, and names."""
        for column in self._columns:
            place = self._names.index(column.name)
            for row in self._rows:
                if column.kind is Kind.USD and row[place] not in (_NULL, ""):
                    row[place] = plain((Decimal(row[place]) * _CORRECTION).quantize(_CENT_OF_A_CENT))
                elif column.name in _NAMES:
                    row[place] += " (restated)"

    def shorten(self) -> None:
        """Lose the last row."""
        del self._rows[-1:]

    def empty(self) -> None:
        """Lose all rows."""
        self._rows.clear()

    def cut_a_row(self) -> None:
        """Let the row in the middle lose its last field."""
        if self._rows:
            del self._rows[len(self._rows) // 2][-1:]

    def drop_last_column(self) -> None:
        """Lose the last column."""
        self._drop(self._names[-1])

    def add_a_column(self) -> None:
        """Gain a column in the middle."""
        self._insert(len(self._names) // 2, f"simulated_extra_{len(self._names)}", "extra")

    def _drop(self, name: str) -> None:
        if name in self._names:
            place = self._names.index(name)
            del self._names[place]
            self._columns = tuple(column for column in self._columns if column.name != name)
            for row in self._rows:
                del row[place : place + 1]

    def _insert(self, place: int, name: str, value: str) -> None:
        self._names.insert(place, name)
        for row in self._rows:
            row.insert(place, value)


CHANGES: Final[dict[str, Callable[[DumpContent], None]]] = {
    "restated": DumpContent.restate,
    "shorter": DumpContent.shorten,
    "empty": DumpContent.empty,
    "short_row": DumpContent.cut_a_row,
    "missing_column": DumpContent.drop_last_column,
    "extra_column": DumpContent.add_a_column,
}
"""What can happen to a published file; what a change cannot be applied to stays as it is."""
