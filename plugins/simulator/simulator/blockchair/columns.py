"""Columns, and how each kind of value is written in a dump file and in an answer of the API."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from simulator.blockchair.times import stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.prices import PriceSource

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""What an answer of the API is made of."""

_CENT_OF_A_CENT: Final = Decimal("0.0001")
_SIGNIFICANT: Final = 6


class Kind(enum.Enum):
    """What a column holds."""

    INTEGER = enum.auto()
    WEI = enum.auto()
    """Integer that the API sends as a string."""
    TEXT = enum.auto()
    PREFIXED_HEX = enum.auto()
    """Hex with 0x in the API, bare in dumps."""
    TIME = enum.auto()
    DATE = enum.auto()
    """The date of a time; in the API only."""
    FLAG = enum.auto()
    TERNARY = enum.auto()
    """A flag that may be unknown: -1 in dumps, null in the API."""
    REAL = enum.auto()
    """A double, written in full."""
    RATE = enum.auto()
    """A double of which the API shows six digits."""
    USD = enum.auto()
    """Base units here; dollars in writing, four decimals in dumps and six digits in the API."""


class Filter(enum.Enum):
    """Which expressions a column understands in `q=` (contract section 3, column Q)."""

    NONE = enum.auto()
    EQUALITY = enum.auto()
    RANGE = enum.auto()
    TIME = enum.auto()
    PREFIX = enum.auto()
    """`^` and what the text begins with."""
    SUBSTRING = enum.auto()
    """`~` and what the bytes or the text hold somewhere."""
    TEXT = enum.auto()
    """The text itself, or `~` and a part of it."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of one table.

    Attributes:
        name: Its name in header and JSON.
        kind: What it holds.
        get: Takes the value from a row.
        when: Takes the time from a row, for the price of a USD column.
        filter: What `q=` may ask of it.
        sortable: Whether `s=` may name it.
        in_api: Whether the API has it.
        in_dumps: Whether dumps have it.
        order: Takes what rows are sorted by from a row, where that is not the value.
        searched: Takes what filters by prefix or substring look at from a row, where that is not the value.
        london: Added with Ethereum's London upgrade; dumps have it only where a switch says so, at the end.
    """

    name: str
    kind: Kind
    get: Callable[[Any], Any]
    when: Callable[[Any], int] = attrgetter("time")
    filter: Filter = Filter.NONE
    sortable: bool = False
    in_api: bool = True
    in_dumps: bool = True
    order: Callable[[Any], Any] | None = None
    searched: Callable[[Any], Any] | None = None
    london: bool = False

    def rank(self, row: object) -> tuple[bool, Any]:
        """What rows are sorted by; what is null comes before everything else."""
        value = (self.order or self.get)(row)
        return value is not None, 0 if value is None else value


class Money:
    """Dollars for base units of one coin, at the close of the day in question.

    Args:
        prices: Where closes come from.
        coin_id: Which coin.
        unit: Base units in a coin.
    """

    def __init__(self, prices: PriceSource, coin_id: str, unit: int) -> None:
        self._unit = unit
        self._close = lru_cache(maxsize=None)(
            lambda day: prices.close(coin_id, datetime.fromtimestamp(day * 86_400, UTC).date())
        )

    def dollars(self, amount: int | Fraction, time: int) -> Decimal:
        """The worth of an amount.

        Args:
            amount: Base units, or base units per something.
            time: Seconds since 1970; its UTC day's close is the price.

        Returns:
            Dollars, not rounded.
        """
        if isinstance(amount, int):
            return self._close(time // 86_400) * amount / self._unit
        whole = Fraction(amount)
        return self._close(time // 86_400) * whole.numerator / (whole.denominator * self._unit)


def dump_writer(column: Column, money: Money) -> Callable[[object], str]:
    """What writes a column's field of a row as it stands in a dump file; made once for a million rows."""
    get, when, dollars = column.get, column.when, money.dollars
    null = "-1" if column.kind is Kind.TERNARY else r"\N"
    form = _IN_DUMPS.get(column.kind, str)

    def field(row: object) -> str:
        value = get(row)
        return null if value is None else form(value)

    def worth(row: object) -> str:
        value = get(row)
        return null if value is None else form(dollars(value, when(row)))

    return worth if column.kind is Kind.USD else field


def api_value(column: Column, row: object, money: Money) -> Json:
    """A row's field as the API sends it."""
    value = column.get(row)
    if value is None:
        return None
    if column.kind is Kind.USD:
        value = money.dollars(value, column.when(row))
    return _IN_API.get(column.kind, str)(value)


def plain(number: Decimal) -> str:
    """A number in plain decimals, without trailing zeros and never with an exponent."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def short(number: Decimal) -> float:
    """A number cut to six significant digits, as the API shows dollars and fee rates."""
    return float(f"{number:.{_SIGNIFICANT}g}")


_IN_DUMPS: Final[dict[Kind, Callable[[Any], str]]] = {
    Kind.TIME: stamp,
    Kind.FLAG: lambda value: "1" if value else "0",
    Kind.TERNARY: lambda value: str(int(value)),
    Kind.REAL: lambda value: plain(Decimal(repr(float(value)))),
    Kind.RATE: lambda value: plain(Decimal(repr(float(value)))),
    Kind.USD: lambda value: plain(value.quantize(_CENT_OF_A_CENT)),
}
_IN_API: Final[dict[Kind, Callable[[Any], Json]]] = {
    Kind.INTEGER: int,
    Kind.PREFIXED_HEX: lambda value: f"0x{value}",
    Kind.TIME: stamp,
    Kind.DATE: lambda value: stamp(value)[:10],
    Kind.FLAG: bool,
    Kind.TERNARY: bool,
    Kind.REAL: float,
    Kind.RATE: lambda value: short(Decimal(float(value))),
    Kind.USD: short,
}
"""What is not named is written as text."""
