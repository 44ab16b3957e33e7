"""Days: which are whole, which have a close, and the flags that say so."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import TypeVar

from recompute.exact import product, rounded
from recompute.raw import BASE_UNITS, UTXO, Block, Input, Output, Point, Raw, Transaction, day_of

Row = TypeVar("Row", Block, Transaction, Output, Input)
DAY = timedelta(days=1)
# Digits of what CoinGecko says, as published.
PRICE_DIGITS, AMOUNT_DIGITS = 22, 18
# From here on a point is the close of the day before its stamp's; before it, of the stamp's own day.
FIRST_STAMP_OF_NEXT_DAY = date(2018, 1, 30)


@dataclass(frozen=True)
class Close:
    """What CoinGecko says of a day's end."""

    price: Fraction
    market_cap: Fraction | None
    volume: Fraction | None


def _closed_day(point: Point) -> date:
    stamped = day_of(point.stamp)
    return stamped if stamped < FIRST_STAMP_OF_NEXT_DAY else stamped - DAY


def minute_of(moment: datetime) -> int:
    """The key of a moment's UTC minute: its hour and minute, read as a number."""
    there = moment.astimezone(UTC)
    return 100 * there.hour + there.minute


def key_of(*parts: object) -> int:
    """A key of the marts: the first 64 bits of the MD5 of its parts, signed."""
    text = "|".join(str(part) for part in parts)
    return int.from_bytes(hashlib.md5(text.encode()).digest()[:8], "big", signed=True)  # noqa: S324 - a key, no secret


def closes_of(raw: Raw, coin: str) -> dict[date, Close]:
    """The closes of a coin.

    Of several points of a date the first counts, of two dates that close the same day the later, and the chart's points
    before the other table's.
    """
    given: dict[date, Point] = {}
    for points in (raw.points[coin], raw.tokens[coin]):
        of_date: dict[date, Point] = {}
        for point in sorted(points, key=lambda point: point.stamp):
            of_date.setdefault(day_of(point.stamp), point)
        given = {_closed_day(point): point for point in of_date.values()} | given
    closes = {}
    for day, point in given.items():
        price = rounded(point.price, PRICE_DIGITS)
        assert price is not None
        closes[day] = Close(price, rounded(point.market_cap, AMOUNT_DIGITS), rounded(point.volume, AMOUNT_DIGITS))
    return closes


def by_day(rows: Iterable[Row]) -> dict[date, list[Row]]:
    """Rows by the UTC day on which they count."""
    found: dict[date, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.day].append(row)
    return found


class Chain:
    """The raw rows of a chain by day, and what can be said of each of its days."""

    def __init__(self, raw: Raw, name: str) -> None:
        self.name = name
        self.is_utxo = name in UTXO
        self.base_units = BASE_UNITS[name]
        self.closes = closes_of(raw, name)
        self.heights = {block.height: block for block in raw.blocks[name]}
        self.blocks = by_day(raw.blocks[name])
        self.transactions = by_day(raw.transactions[name])
        self.outputs = by_day(raw.outputs.get(name, []))
        self.inputs = by_day(raw.inputs.get(name, []))
        self.days = sorted(self.blocks)

    def price(self, day: date) -> Fraction | None:
        """The close of a day, if it has one."""
        close = self.closes.get(day)
        return close.price if close else None

    def native(self, base: int | Fraction | None) -> Fraction | None:
        """An amount of base units in coins."""
        return None if base is None else Fraction(base) / self.base_units

    def dollars(self, base: int | Fraction | None, day: date) -> Fraction | None:
        """An amount of base units at the close of a day, rounded once."""
        return product(self.native(base), self.price(day))

    def price_status(self, day: date) -> str:
        """What the marts say of it."""
        return "priced" if day in self.closes else "missing"

    def has_all_blocks(self, day: date) -> bool:
        """No block within is without the one below it, and what lies beside the day shows that its ends are there."""
        heights = sorted(block.height for block in self.blocks[day])
        is_dumped = all(block.is_dumped for block in self.blocks[day])
        if any(height - 1 not in self.heights for height in heights[1:]):
            return False
        first, last = heights[0], heights[-1]
        begins = first == 0 or first - 1 in self.heights or (is_dumped and day - DAY not in self.blocks)
        ends = last + 1 in self.heights or (is_dumped and day + DAY not in self.blocks)
        return begins and ends and day != self.days[-1]

    def has_all_transactions(self, day: date) -> bool:
        """As many users' transactions as the blocks say."""
        return self.has_all_blocks(day) and self.users_count(day) == self.stated_count(day)

    def has_all_outputs(self, day: date) -> bool:
        """As many outputs and inputs as the blocks say, coinbases having no input."""
        if not self.is_utxo or not self.has_all_blocks(day):
            return False
        blocks = self.blocks[day]
        stated_outputs = sum(block.output_count or 0 for block in blocks)
        stated_inputs = sum((block.input_count or 0) - 1 for block in blocks)
        return (stated_outputs, stated_inputs) == (len(self.outputs.get(day, [])), len(self.inputs.get(day, [])))

    def is_settled(self, day: date) -> bool:
        """No block of the day could still be replaced."""
        return all(block.is_settled for block in self.blocks[day])

    def is_final(self, day: date) -> bool:
        """All there, and too deep to be replaced."""
        return self.has_all_blocks(day) and self.is_settled(day)

    def users(self, day: date) -> list[Transaction]:
        """Users' transactions that are loaded."""
        return [transaction for transaction in self.transactions.get(day, []) if transaction.is_user]

    def users_count(self, day: date) -> int:
        """How many of them are loaded."""
        return len(self.users(day))

    def stated_count(self, day: date) -> int:
        """How many users' transactions the blocks say there are."""
        return sum(block.transaction_count for block in self.blocks[day])

    def is_whole_until(self, day: date) -> bool:
        """Every block from height 0 to the end of the day is loaded."""
        highest = max(block.height for found in self.days if found <= day for block in self.blocks[found])
        return all(height in self.heights for height in range(highest + 1))
