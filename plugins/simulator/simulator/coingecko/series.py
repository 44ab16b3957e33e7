"""The price series: one function of time per coin and currency, from which every endpoint is derived."""

from __future__ import annotations

from bisect import bisect_right
from decimal import Context, Decimal
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from simulator.coingecko.numbers import DOUBLE, EXACT, wire
from simulator.coingecko.times import DAY_MS, closed_day, closing_date, daily_stamp, day_ms, instant_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.coingecko.coins import Coin, Levels

_TOP_MS: Final = 128 * DAY_MS
_DEPTH: Final = 16  # the finest tent is 128 days / 2^15 wide, 337.5 s
_SQRT_3: Final = 3.0**0.5
ABSENT: Final = ""
"""In place of a value that its array leaves out, whereas None is served as null."""


class Point(NamedTuple):
    """Values at one instant, as text so that every endpoint serves the same digits.

    Attributes:
        stamp: UNIX milliseconds.
        price: In the series' currency; no series has a hole there, only an anomaly makes it None or ABSENT.
        market_cap: In the series' currency; None where the source has a hole.
        total_volume: Trailing 24 h volume in the series' currency; None likewise.
    """

    stamp: int
    price: str
    market_cap: str | None
    total_volume: str | None


@lru_cache(maxsize=1 << 17)
def _gauss(key: bytes, level: int, index: int) -> float:
    """A nearly normal number for one place: a sum of four uniform ones (Irwin-Hall), scaled to variance 1.

    No function of the C library is involved, so that the number is the same on every platform.
    """
    digest = blake2b(b"%d/%d" % (level, index), key=key, digest_size=8).digest()
    total = sum(int.from_bytes(digest[place : place + 2], "big") for place in (0, 2, 4, 6))
    return (total / 65535.0 - 2.0) * _SQRT_3


class LogPath:
    """The logarithm of a positive quantity that wanders around given levels, at random access.

    Between the levels the logarithm is linear; added to it is a Brownian bridge over each 128 days in the
    Levy-Ciesielski construction: at every level of halving, one tent function per interval, its height a normal
    number of standard deviation volatility * sqrt(length) / 2. A value thus costs one number per level, and a
    midnight only those of 2 days and more, since the finer tents are zero there.
    """

    def __init__(self, name: str, seed: int, levels: Levels, volatility: float) -> None:
        self._key = blake2b(f"{seed}/{name}".encode(), digest_size=32).digest()
        self._stamps = [day_ms(day) for day, _ in levels]
        self._logs = [float(value.ln(EXACT)) for _, value in levels]
        self._heights = [volatility * (128.0 / 2**level) ** 0.5 / 2.0 for level in range(_DEPTH)]
        self._flat = volatility == 0.0
        self._midnights: dict[int, float] = {}

    def at(self, stamp: int) -> float:
        """The logarithm at UNIX milliseconds."""
        if stamp % DAY_MS:
            return self._make(stamp)
        total = self._midnights.get(stamp)
        if total is None:
            total = self._midnights[stamp] = self._make(stamp)
        return total

    def _make(self, stamp: int) -> float:
        total = _interpolate(self._stamps, self._logs, stamp)
        if self._flat:
            return total
        length = _TOP_MS
        for level, height in enumerate(self._heights):
            index, inside = divmod(stamp, length)
            if inside == 0:  # every finer tent is zero here as well
                break
            tent = 1.0 - abs(2.0 * inside / length - 1.0)
            total += height * _gauss(self._key, level, index) * tent
            length //= 2
        return total


def _interpolate(stamps: Sequence[int], values: Sequence[float], stamp: int) -> float:
    place = bisect_right(stamps, stamp)
    if place == 0:
        return values[0]
    if place == len(stamps):
        return values[-1]
    left, right = stamps[place - 1], stamps[place]
    share = (stamp - left) / (right - left)
    return values[place - 1] + (values[place] - values[place - 1]) * share


class SimulatedSeries:
    """A series made from a seed.

    `price` is the logarithm of the coin's price in US dollars, `rate` that of the units of the currency that a dollar
    buys, by UNIX milliseconds; `factor` multiplies exactly, for units that are a part of another currency.
    """

    def __init__(
        self,
        coin: Coin,
        price: Callable[[int], float],
        rate: Callable[[int], float],
        turnover: LogPath,
        factor: Decimal = Decimal(1),
    ) -> None:
        self._coin = coin
        self._price = price
        self._rate = rate
        self._turnover = turnover
        self._factor = factor
        self._digits = Context(prec=coin.digits)
        self._midnights: dict[int, Point] = {}
        self.first = day_ms(coin.first_day)
        begin = (self._log(instant_of(self.first)), self.first)
        # The lowest and highest so far as (logarithm, stamp), and the stamp up to which they were looked for.
        self._begin = self._found = (begin, begin, self.first)

    def daily(self, start: int, end: int) -> list[Point]:
        """The daily points with start <= stamp <= end (UNIX milliseconds), ascending."""
        first = max(start // DAY_MS * DAY_MS, self.first)
        stamps = (daily_stamp(day) for day in range(first, end + 1, DAY_MS))
        return [self._daily(stamp) for stamp in stamps if start <= stamp <= end]

    def at(self, stamp: int) -> Point:
        """The values at an instant; a midnight has those of the daily point that was taken then."""
        if stamp % DAY_MS == 0:
            return self._midnight(stamp)
        return self._make(stamp)

    def closing(self, day: int) -> Point:
        """The daily point that closes a day, given by its midnight (UNIX milliseconds); of two the later."""
        return self._daily(daily_stamp(closing_date(day)))

    def extremes(self, end: int) -> tuple[Point, Point]:
        """The daily points of the lowest and the highest price up to an instant; the first of equal ones.

        They are searched for by logarithms, which costs no decimals, and further from where the last search ended.
        """
        lowest, highest, searched = self._begin if end < instant_of(self._found[2]) else self._found
        for stamp in map(daily_stamp, range(searched // DAY_MS * DAY_MS, end + 1, DAY_MS)):
            if instant_of(stamp) > end:
                break
            searched = stamp
            found = (self._log(instant_of(stamp)), stamp)
            lowest = found if found[0] < lowest[0] else lowest
            highest = found if found[0] > highest[0] else highest
        self._found = (lowest, highest, searched)
        return self._daily(lowest[1]), self._daily(highest[1])

    def supply(self, stamp: int) -> Decimal:
        """Circulating coins: linear between the coin's levels."""
        return _supply(self._coin.supply, stamp)

    def _daily(self, stamp: int) -> Point:
        return self.at(instant_of(stamp))._replace(stamp=stamp)

    def _midnight(self, stamp: int) -> Point:
        point = self._midnights.get(stamp)
        if point is None:
            point = self._midnights[stamp] = self._make(stamp)
        return point

    def _log(self, stamp: int) -> float:
        return self._price(stamp) + self._rate(stamp)

    def _make(self, stamp: int) -> Point:
        price = self._digits.multiply(Decimal(self._log(stamp)).exp(self._digits), self._factor)
        market_cap = DOUBLE.multiply(price, self.supply(stamp))
        volume = DOUBLE.multiply(market_cap, Decimal(self._turnover.at(stamp)).exp(DOUBLE))
        return Point(stamp, wire(price), wire(market_cap), wire(volume))


def _supply(levels: Levels, stamp: int) -> Decimal:
    for (left, low), (right, high) in pairwise(levels):
        start, end = day_ms(left), day_ms(right)
        if stamp < end:
            grown = (high - low) * max(stamp - start, 0) / (end - start)
            return (low + grown).quantize(Decimal(1))
    return levels[-1][1]


class ExportSeries:
    """A series read from a price export: its rows are the daily points, and the values of each hold until the next."""

    def __init__(self, points: Sequence[Point]) -> None:
        self._points = points
        self._stamps = [point.stamp for point in points]
        self._instants = [instant_of(stamp) for stamp in self._stamps]
        self.first = self._stamps[0]

    def daily(self, start: int, end: int) -> Sequence[Point]:
        """The rows within the span, gaps and stamps off midnight included."""
        low, high = bisect_right(self._stamps, start - 1), bisect_right(self._stamps, end)
        return self._points[low:high]

    def at(self, stamp: int) -> Point:
        """The values of the latest row that was taken at or before an instant."""
        place = max(bisect_right(self._instants, stamp) - 1, 0)
        return self._points[place]._replace(stamp=stamp)

    def closing(self, day: int) -> Point:
        """Of the rows that close a day the first of the latest date, else the latest row before the day's end."""
        rows = [row for row in self.daily(day, day + 2 * DAY_MS - 1) if closed_day(row.stamp) == day]
        latest = [row for row in rows if row.stamp // DAY_MS == rows[-1].stamp // DAY_MS]
        return latest[0] if latest else self.at(day + DAY_MS)

    def extremes(self, end: int) -> tuple[Point, Point]:
        """The rows of the lowest and the highest price up to an instant."""
        rows = self._points[: max(bisect_right(self._instants, end), 1)]
        return min(rows, key=lambda row: Decimal(row.price)), max(rows, key=lambda row: Decimal(row.price))

    def supply(self, stamp: int) -> Decimal | None:
        """Circulating coins as market capitalisation over price; None where the export has no capitalisation."""
        point = self.at(stamp)
        if point.market_cap is None or Decimal(point.price) == 0:
            return None
        return EXACT.divide(Decimal(point.market_cap), Decimal(point.price)).quantize(Decimal(1))


Series = SimulatedSeries | ExportSeries
"""The history of one coin in one currency; `first` is the stamp of the first daily point."""
