"""Tables and their columns, and how each kind of value is written in a dump file and in an answer of the API."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from simulator.blockchair.chains import CHAINS, COIN
from simulator.blockchair.times import date_of, stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from simulator.vendors import PriceSource

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
"""What an answer of the API is made of."""

_CENT_OF_A_CENT: Final = Decimal("0.0001")
_SIGNIFICANT: Final = 6
_COIN_DAYS: Final = COIN * 86_400


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


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of one chain.

    Attributes:
        chain: The chain's name, which is its coin's id too.
        name: The table's name in paths and file names.
        rows: Takes this table's rows from a block, in chain order; from a chain at an instant where not `per_block`.
        columns: The API's order; dumps leave some out and put London's at the end. Some exist for filters only.
        per_block: Whether every block has its rows.
        in_api: Whether the API offers it (inputs it does not).
        in_dumps: Whether there are files of it: one for each day, or where not `per_block` one of the latest rows.
        cost: Points of a plain request.
        source: The backend's letter.
        whole_by: Columns for which equality returns the whole match, past any limit (contract 2.4).
        sort: What the API sorts by, downwards, where a request does not say.
        firsts: Columns that never fall along the chain, each with what takes a block's lowest value from it; they
            spare a request the blocks outside of what it asks for.
        dump_order: The columns with which a file begins, where its order is not the API's.
    """

    chain: str
    name: str
    rows: Callable[[Any], Iterable[object]]
    columns: tuple[Column, ...]
    per_block: bool = True
    in_api: bool = True
    in_dumps: bool = True
    cost: int = 2
    source: str = "D"
    whole_by: frozenset[str] = frozenset({"id", "hash"})
    sort: str = "id"
    firsts: Mapping[str, Callable[[Any], int]] = field(default_factory=dict)
    dump_order: tuple[str, ...] = ()

    @property
    def file_stem(self) -> str:
        """What its files' names begin with (contract 6.1); ERC-20's leave the chain out."""
        return f"blockchair_{self.name.replace('/', '_') if '/' in self.name else f'{self.chain}_{self.name}'}"

    def dump_columns(self, *, london: bool = False) -> tuple[Column, ...]:
        """The columns of a dump file, in order."""
        shown = [c for c in self.columns if c.in_dumps and (london or not c.london)]
        kept = {c.name: c for c in sorted(shown, key=lambda c: c.london)}
        first = [kept.pop(name) for name in self.dump_order]
        return (*first, *kept.values())

    @property
    def api_columns(self) -> tuple[Column, ...]:
        """The columns of an API row, in order."""
        return tuple(c for c in self.columns if c.in_api)


class Money:
    """Dollars for base units of one coin, at the close of the day in question."""

    def __init__(self, prices: PriceSource, chain: str) -> None:
        self._unit = CHAINS[chain].unit
        self._close = lru_cache(maxsize=None)(lambda day: prices.close(chain, date_of(day * 86_400)))

    def dollars(self, amount: int | Fraction, time: int) -> Decimal:
        """The worth of an amount, not rounded, at the close of the UTC day of `time` (seconds since 1970)."""
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

    def plain_field(row: object) -> str:
        value = get(row)
        return null if value is None else f"{value}"

    def worth(row: object) -> str:
        value = get(row)
        return null if value is None else form(dollars(value, when(row)))

    return worth if column.kind is Kind.USD else plain_field if form is str else field


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


def column(name: str, kind: Kind, get: str | Callable[[Any], object] = "", **more: object) -> Column:
    """A column; `get` leads from a row to the value, by its name where not given."""
    getter = attrgetter(get or name) if isinstance(get, str) else get
    return Column(name=name, kind=kind, get=getter, **more)  # type: ignore[arg-type]


def integer(name: str, get: str | Callable[[Any], object] = "", **more: object) -> Column:
    """A whole number that can be filtered by ranges and sorted."""
    return column(name, Kind.INTEGER, get, filter=Filter.RANGE, sortable=True, **more)


def hash_column(name: str, get: str | Callable[[Any], object] = "") -> Column:
    """A hash that can be asked for."""
    return column(name, Kind.TEXT, get, filter=Filter.EQUALITY, sortable=True)


def text(name: str, get: str | Callable[[Any], object] = "", **more: object) -> Column:
    """Plain text."""
    return column(name, Kind.TEXT, get, **more)


def searched_bytes(name: str, get: Callable[[Any], bytes]) -> Column:
    """A column that exists for filters only: bytes of which a part can be asked for (contract 2.2)."""
    return column(name, Kind.TEXT, get, filter=Filter.SUBSTRING, in_api=False, in_dumps=False)


def time_columns() -> tuple[Column, Column]:
    """The columns date, which only the API has, and time."""
    return (
        column("date", Kind.DATE, "time", in_dumps=False),
        column("time", Kind.TIME, filter=Filter.TIME, sortable=True),
    )


def with_usd(name: str, get: str | Callable[[Any], object] = "", kind: Kind = Kind.INTEGER) -> tuple[Column, Column]:
    """An amount and its worth."""
    return (
        column(name, kind, get, filter=Filter.RANGE, sortable=True),
        column(f"{name}_usd", Kind.USD, get or name, filter=Filter.RANGE, sortable=True),
    )


def rate(name: str, fee: str, size: str) -> tuple[Column, Column]:
    """A fee per thousand of something, 0 where there is nothing to divide by."""

    def rate(row: object) -> Fraction:
        return Fraction(1000 * getattr(row, fee), getattr(row, size) or 1)

    return with_usd(name, rate, Kind.RATE)


def coin_days(name: str) -> Column:
    """Coin-days destroyed."""
    # An integer over an integer: one rounding in all.
    return column(name, Kind.REAL, lambda row: row.coin_seconds / _COIN_DAYS, filter=Filter.RANGE, sortable=True)


def itself(block: object) -> tuple[object]:
    """The one row of a block in a table of blocks."""
    return (block,)


def height(block: Any) -> int:  # noqa: ANN401 - a block of any chain
    """A block's height."""
    return int(block.id)
