"""Candles, read off a series (contract 7.9)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from simulator.coingecko.chart import DAILY_DELAY_MS
from simulator.coingecko.numbers import DAY_MS, HOUR_MS, MINUTE_MS

if TYPE_CHECKING:
    from simulator.coingecko.chart import Span
    from simulator.coingecko.series import Series

BODIES: Final = {"hourly": HOUR_MS, "daily": DAY_MS}
"""Length in milliseconds of the candles that `interval` asks for."""
_OBSERVED: Final = 12
"""So often a price is looked at within a candle."""


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
    """The candles that closed within a span.

    Args:
        series: Whose history.
        span: Which part of it; a candle is published once it closed, one of a day or more 35 minutes later.
        body: Length of a candle in milliseconds.
    """
    start, end, now = span
    last = min(end, now - DAILY_DELAY_MS if body >= DAY_MS else now)
    first = max(-(-start // body) * body, -(-series.first // body) * body + body)
    return [_candle(series, stamp, body) for stamp in range(first, last + 1, body)]


def _candle(series: Series, stamp: int, body: int) -> Candle:
    seen = [series.at(stamp - body + 1000 + body * place // _OBSERVED) for place in range(_OBSERVED)]
    prices = [Decimal(point.price) for point in (*seen, series.at(stamp))]
    return Candle(stamp, prices[0], max(prices), min(prices), prices[-1])
