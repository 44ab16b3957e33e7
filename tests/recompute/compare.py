"""What the marts say and what was recomputed, cell by cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

Cell = object
Key = tuple[object, ...]
Rows = dict[Key, dict[str, Cell]]


@dataclass(frozen=True)
class Table:
    """A mart, how its rows are distinguished, and the rows that it has to have."""

    name: str
    keys: tuple[str, ...]
    expected: Rows


@dataclass(frozen=True)
class Difference:
    """A cell that is not what it has to be, or a row that is there on one side only."""

    table: str
    column: str
    key: Key
    expected: Cell
    found: Cell

    def __str__(self) -> str:
        key = " ".join(str(part) for part in self.key)
        return f"{self.table}.{self.column} of {key}: expected {shown(self.expected)}, found {shown(self.found)}"


def shown(cell: Cell) -> str:
    """A cell as a person reads it; fractions here have a finite number of decimals."""
    if isinstance(cell, Fraction):
        return str(cell) if cell.denominator == 1 else f"{float(cell)} ({cell})"
    return str(cell)


def plain(cell: Cell) -> Cell:
    """A cell without its type: numbers are equal by value alone, and only to the last digit."""
    if isinstance(cell, bool) or cell is None or isinstance(cell, (str, date, datetime)):
        return cell
    if isinstance(cell, (int, Fraction, Decimal)):
        return Fraction(str(cell)) if isinstance(cell, Decimal) else Fraction(cell)
    raise TypeError(f"{cell!r} is no cell that can be compared exactly")


def figure(row: Mapping[str, Cell], column: str) -> int | Fraction | None:
    """A number of a row."""
    cell = row[column]
    assert cell is None or (isinstance(cell, (int, Fraction)) and not isinstance(cell, bool)), (column, cell)
    return cell


def columns_of(rows: Rows) -> tuple[str, ...]:
    """The columns that are recomputed; each row has all of them."""
    first = next(iter(rows.values()))
    assert all(row.keys() == first.keys() for row in rows.values())
    return tuple(first)


def differences(table: Table, found: Mapping[Key, Mapping[str, Cell]]) -> list[Difference]:
    """Every cell that differs."""
    columns = columns_of(table.expected)
    wrong = []
    for key in sorted({*table.expected, *found}, key=str):
        if key not in found or key not in table.expected:
            there = (key in table.expected, key in found)
            wrong.append(Difference(table.name, "(row)", key, *("there" if is_there else None for is_there in there)))
            continue
        for column in columns:
            expected, actual = plain(table.expected[key][column]), plain(found[key][column])
            if type(expected) is not type(actual) or expected != actual:
                wrong.append(Difference(table.name, column, key, expected, actual))
    return wrong


def query(table: Table) -> str:
    """The question for the rows of a mart: its keys, then the columns that are recomputed."""
    columns = ", ".join((*table.keys, *columns_of(table.expected)))
    return f"select {columns} from analytics.{table.name}"  # noqa: S608


def answered(table: Table, rows: Sequence[Sequence[Cell]]) -> Rows:
    """The answer to that question."""
    columns, width = columns_of(table.expected), len(table.keys)
    found = {tuple(row[:width]): dict(zip(columns, row[width:], strict=True)) for row in rows}
    assert len(found) == len(rows), f"{table.name} has rows that are the same by {table.keys}"
    return found
