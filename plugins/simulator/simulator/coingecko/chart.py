"""Points and candles of a series: granularity, uneven stamps, late publication, the live tail (contract 7.9)."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from simulator.coingecko.times import DAY_MS, HOUR_MS, MINUTE_MS, instant_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.coingecko.series import Point, Series

DAILY_DELAY_MS: Final = 35 * MINUTE_MS
"""A daily point can be read from 35 minutes after the midnight on at which it was taken."""
_HOURLY_SPAN_MS: Final = 90 * DAY_MS
_ENDS_NOW_MS: Final = HOUR_MS
_LEFT_OUT_PERCENT: Final = 6
BODIES: Final = {"hourly": HOUR_MS, "daily": DAY_MS}
"""Length in milliseconds of the candles that `interval` asks for."""
_OBSERVED: Final = 12
"""So often a price is looked at within a candle."""
_FINE_SINCE_MS: Final = 1_517_270_400_000  # 2018-01-30: nothing finer than a day is older


class Granularity(Enum):
    """The distance between the points of a chart."""

    FIVE_MINUTES = "5m"
    HOURLY = "hourly"
    DAILY = "daily"


def automatic(start: int, end: int, now: int) -> Granularity:
    """The granularity of a span (all UNIX milliseconds) that asks for none.

    Up to one day that ends within the last hour: five minutes; otherwise up to 90 days: hourly; above: daily.
    """
    span = end - start
    if span > _HOURLY_SPAN_MS:
        return Granularity.DAILY
    if span <= DAY_MS and end >= now - _ENDS_NOW_MS:
        return Granularity.FIVE_MINUTES
    return Granularity.HOURLY


def live_stamp(now: int) -> int:
    """When the live value was last updated: up to a minute before now, never at a midnight (UNIX milliseconds)."""
    stamp = now - 1000 - _noise("live", now // MINUTE_MS, 58_000)
    return stamp - 1 if stamp % DAY_MS == 0 else stamp


class Span(NamedTuple):
    """A part of a history, in UNIX milliseconds, both ends included; `now` is the clock's."""

    start: int
    end: int
    now: int


def chart(series: Series, span: Span, granularity: Granularity, delay: int = DAILY_DELAY_MS) -> list[Point]:
    """The points of a chart; a daily one can be read `delay` milliseconds after its midnight.

    Returns:
        The points in ascending order; the last one is the live value if the span ends now or later.
    """
    start, end, now = span
    live = live_stamp(now)
    if granularity is Granularity.DAILY:
        last = min(end, now)
        points = [point for point in series.daily(start, last) if is_published(point, now, delay)]
    else:
        first = max(start, series.first, _FINE_SINCE_MS)
        stamps = _hourly if granularity is Granularity.HOURLY else _five_minutes
        points = [series.at(stamp) for stamp in stamps(first, min(end, live - 1))]
    if end >= now and max(start, series.first) <= live:
        points = [point for point in points if point.stamp < live]
        points.append(series.at(live))
    return points


def is_published(point: Point, now: int, delay: int = DAILY_DELAY_MS) -> bool:
    """Whether a daily point can be read; one off midnight like the midnight that it stands for."""
    return now >= instant_of(point.stamp) // DAY_MS * DAY_MS + delay


def _hourly(start: int, end: int) -> Iterator[int]:
    """One stamp in each clock hour, seconds to minutes after it."""
    for hour in range(start // HOUR_MS, end // HOUR_MS + 1):
        stamp = hour * HOUR_MS + 5_000 + _noise("hour", hour, 175_000)
        if start <= stamp <= end:
            yield stamp


def _five_minutes(start: int, end: int) -> Iterator[int]:
    """About one stamp in five minutes, some left out: gaps of 100 s to 800 s, most near 300 s."""
    slot_ms = 5 * MINUTE_MS
    for slot in range(start // slot_ms, end // slot_ms + 1):
        stamp = slot * slot_ms + 1 + _noise("slot", slot, 200_000)
        left_out = slot % 2 == 0 and _noise("gap", slot, 100) < _LEFT_OUT_PERCENT  # never two in a row
        if start <= stamp <= end and not left_out:
            yield stamp


def _noise(what: str, place: int, below: int) -> int:
    # Update times belong to the market, not to a world: they are the same for every seed, coin and currency.
    return int.from_bytes(blake2b(f"{what}/{place}".encode(), digest_size=8).digest(), "big") % below


class Candle(NamedTuple):
    """A candle; prices are in the series' currency.

    Attributes:
        stamp: Its close, UNIX milliseconds.
        opening: The first price seen within it, which need not be the close before.
        high: The highest price seen.
        low: The lowest price seen.
        close: The price at the stamp.
    """

    stamp: int
    opening: Decimal
    high: Decimal
    low: Decimal
    close: Decimal

    @property
    def prices(self) -> tuple[Decimal, Decimal, Decimal, Decimal]:
        """All but the stamp, in the vendor's order."""
        return self.opening, self.high, self.low, self.close


def automatic_body(days: int | None) -> int:
    """Milliseconds of a candle where no interval is asked for: by the days asked for, None for all."""
    if days is not None and days <= 2:  # noqa: PLR2004 - the contract's table
        return 30 * MINUTE_MS
    if days is not None and days <= 30:  # noqa: PLR2004
        return 4 * HOUR_MS
    return 4 * DAY_MS


def candles(series: Series, span: Span, body: int) -> list[Candle]:
    """The candles of `body` milliseconds that closed within a span.

    A candle is published once it closed, one of a day or more 35 minutes later.
    """
    start, end, now = span
    last = min(end, now - DAILY_DELAY_MS if body >= DAY_MS else now)
    first = max(-(-start // body) * body, -(-series.first // body) * body + body)
    return [_candle(series, stamp, body) for stamp in range(first, last + 1, body)]


def _candle(series: Series, stamp: int, body: int) -> Candle:
    seen = [series.at(stamp - body + 1000 + body * place // _OBSERVED) for place in range(_OBSERVED)]
    prices = [Decimal(point.price) for point in (*seen, series.at(stamp))]
    return Candle(stamp, prices[0], max(prices), min(prices), prices[-1])
