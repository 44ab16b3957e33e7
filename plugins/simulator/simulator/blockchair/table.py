"""What a table is, and the kinds of columns that tables are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from simulator.blockchair.chains import COIN
from simulator.blockchair.columns import Column, Filter, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_COIN_DAYS: Final = COIN * 86_400


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of one chain.

    Attributes:
        chain: The chain's name, which is its coin's id too.
        name: The table's name in paths and file names.
        unit: Base units in a coin.
        rows: Takes a block apart into this table's rows, in chain order.
        columns: The API's order; dumps leave some out and put London's at the end. Some exist for filters only.
        in_api: Whether the API offers it (inputs it does not).
        cost: Points of a plain request.
        whole_by: Columns for which equality returns the whole match, past any limit (contract 2.4).
        sort: What the API sorts by, downwards, where a request does not say.
        firsts: Columns that never fall along the chain, each with what takes a block's lowest value from it; they
            spare a request the blocks outside of what it asks for.
        in_dumps: Whether there are files of it.
    """

    chain: str
    name: str
    unit: int
    rows: Callable[[Any], Iterable[object]]
    columns: tuple[Column, ...]
    in_api: bool = False
    cost: int = 2
    whole_by: frozenset[str] = frozenset({"id", "hash"})
    sort: str = "id"
    firsts: Mapping[str, Callable[[Any], int]] = field(default_factory=dict)
    in_dumps: bool = True

    @property
    def file_stem(self) -> str:
        """What its files' names begin with (contract 6.1); ERC-20's leave the chain out."""
        return f"blockchair_{self.name.replace('/', '_') if '/' in self.name else f'{self.chain}_{self.name}'}"

    def dump_columns(self, *, london: bool = False) -> tuple[Column, ...]:
        """The columns of a dump file, in order."""
        always = tuple(c for c in self.columns if c.in_dumps and not c.london)
        return always + tuple(c for c in self.columns if c.in_dumps and c.london and london)

    @property
    def api_columns(self) -> tuple[Column, ...]:
        """The columns of an API row, in order."""
        return tuple(c for c in self.columns if c.in_api)


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
