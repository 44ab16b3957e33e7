"""Which span of daily history to ask for, and which part of the answer to keep."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

#: CoinGecko's oldest daily point (bitcoin).
HISTORY_START = datetime(2013, 4, 28, tzinfo=UTC)
#: A span of more than 90 days is answered daily, a shorter one hourly or finer; a day more leaves no doubt.
DAILY_SPAN = timedelta(days=91)
#: The edge of a plan's reach is not published to the second, and a call beyond it is refused whole.
REACH_MARGIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """A span of daily history.

    Attributes:
        ask_from: Start of the span to ask for.
        ask_to: End of it, the source's now.
        keep_from: Points stamped before this were asked for only to get a daily answer.
    """

    ask_from: datetime
    ask_to: datetime
    keep_from: datetime


def daily_window(now: datetime, wanted: datetime | None, reach_days: int | None) -> Window:
    """Compute the span that yields daily points from a wanted start up to now.

    Args:
        now: The source's clock.
        wanted: First instant wanted; None for everything the plan reaches.
        reach_days: Days of history the plan may ask for, counted from now; None for all.

    Returns:
        The window: never beyond the plan's reach, always long enough to be answered daily.
    """
    floor = HISTORY_START
    if reach_days is not None:
        floor = max(floor, now - timedelta(days=reach_days) + REACH_MARGIN)
    keep_from = floor if wanted is None else max(wanted, floor)
    return Window(ask_from=max(floor, min(keep_from, now - DAILY_SPAN)), ask_to=now, keep_from=keep_from)
