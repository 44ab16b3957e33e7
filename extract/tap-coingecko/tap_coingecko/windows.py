"""Which spans of history to ask for, and which part of an answer to keep."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

#: CoinGecko's oldest daily point (bitcoin).
HISTORY_START = datetime(2013, 4, 28, tzinfo=UTC)
#: Nothing finer than a day is older.
HOURLY_START = datetime(2018, 1, 30, tzinfo=UTC)
#: Candles over a span (`/ohlc/range`) are not older.
CANDLES_START = datetime(2018, 2, 9, tzinfo=UTC)
#: A span of more than 90 days is answered daily, a shorter one hourly or finer; a day more leaves no doubt.
DAILY_SPAN = timedelta(days=91)
#: The longest span that is answered hourly.
HOURLY_SPAN = timedelta(days=90)
#: The shortest: up to a day that ends now is answered in steps of five minutes.
HOURLY_LEAST = timedelta(days=2)
#: A span that ends this shortly before now may be answered as one that ends now, with a live value at its end.
_NEARLY_NOW = timedelta(hours=2)
#: The longest span of daily candles in a call.
CANDLES_SPAN = timedelta(days=180)

#: Days of history to fall back to, one after the other, when the source refuses a span as too long (code 10012): the
#: plans' published reaches less a day, since their edge is not published to the second, and then less and less.
_FALLBACKS = (729, 722, 700, 364, 357, 330, 180, 92)


class Granularity(Enum):
    """The distance between the points of a chart."""

    DAILY = "daily"
    HOURLY = "hourly"

    @property
    def period(self) -> timedelta:
        """The distance as a time."""
        return timedelta(days=1) if self is Granularity.DAILY else timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Window:
    """A span of history, asked for in one call.

    Attributes:
        ask_from: Start of the span to ask for, to the second.
        ask_to: End of it, to the second, included.
        keep_from: Points stamped before this were asked for only to get an answer of the wanted granularity.
        ends_now: Whether the span reaches the source's now, and so ends with a live value.
    """

    ask_from: datetime
    ask_to: datetime
    keep_from: datetime
    ends_now: bool

    def keeps(self, stamp: datetime) -> bool:
        """Whether a stamp of the answer belongs to this window; the next one begins where this one ends."""
        return self.keep_from <= stamp and (self.ends_now or stamp < self.ask_to)


class Reach:
    """How far back the plan may look; narrowed where the source turns out to allow less.

    Args:
        days: Days of history counted from now, as the plan states them; None for all.
    """

    def __init__(self, days: int | None) -> None:
        self._days = None if days is None else days - 1  # the edge is not published to the second

    def floor(self, now: datetime, oldest: datetime) -> datetime:
        """Give the first instant that may be asked for; `oldest` where the plan sets no limit."""
        return oldest if self._days is None else max(oldest, now - timedelta(days=self._days))

    def narrow(self, refused: timedelta) -> bool:
        """Fall back to less than the time before now that was refused; False where there is nothing less."""
        less = [days for days in _FALLBACKS if timedelta(days=days) < refused - timedelta(hours=1)]
        if less:
            self._days = less[0]
        return bool(less)


def daily_window(now: datetime, wanted: datetime, floor: datetime) -> Window:
    """Compute the span that yields daily points from a wanted start up to now.

    It never goes beyond the floor, the first instant that may be asked for; where that allows, it is long enough to be
    answered daily.
    """
    keep_from = _to_the_second(max(wanted, floor))
    return Window(max(floor, min(keep_from, now - DAILY_SPAN)), now, keep_from, ends_now=True)


def hourly_window(now: datetime, wanted: datetime, floor: datetime) -> Window:
    """Compute the first span that yields hourly points from a wanted start on, not before the floor.

    Where it does not end now, the next one is wanted from its `ask_to` on.
    """
    keep_from = _to_the_second(max(wanted, floor))
    ask_to = _end(now, keep_from + HOURLY_SPAN)
    return Window(max(floor, min(keep_from, ask_to - HOURLY_LEAST)), ask_to, keep_from, ends_now=ask_to == now)


def candles_window(now: datetime, wanted: datetime, floor: datetime) -> Window:
    """Compute the first span of daily candles that one call may ask for, not before the floor.

    Where it does not end now, the next one is wanted from its `ask_to` on.
    """
    keep_from = _to_the_second(max(wanted, floor))
    # It is not published whether a span is one of openings or of closings: the candle across its start is asked again.
    ask_from = max(floor, keep_from - timedelta(days=1))
    ask_to = _end(now, ask_from + CANDLES_SPAN)
    return Window(ask_from, ask_to, keep_from, ends_now=ask_to == now)


def recent_days(now: datetime, wanted: datetime, accepted: tuple[int, ...]) -> tuple[int, datetime]:
    """Choose the least accepted number of days, of ascending ones, that covers the wanted start, else the greatest.

    The instant beside it is the first one to keep.
    """
    earliest = now - timedelta(days=accepted[-1])
    keep_from = max(wanted, earliest)
    return next(days for days in accepted if now - timedelta(days=days) <= keep_from), keep_from


def _end(now: datetime, longest: datetime) -> datetime:
    return now if longest >= now else min(longest, now - _NEARLY_NOW)


def _to_the_second(instant: datetime) -> datetime:
    # The source is asked in whole seconds; what a fraction cut off would be in no window.
    return instant.replace(microsecond=0)
