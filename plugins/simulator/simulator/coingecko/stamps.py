"""How daily points are stamped (contract 5.2).

From 2018-01-30 on a daily point has the values of its stamp: those of a midnight, the close of the day before. Up to
2018-01-29 a point stamped D has the values at the end of D: it is the close of D itself. So the midnight between the
two days has two points, of which the later one is stamped some minutes off.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from simulator.coingecko.numbers import DAY_MS, day_ms

_AT_THEIR_STAMP_SINCE: Final = day_ms(date(2018, 1, 30))
_OFF_MIDNIGHT_MS: Final = 311_000  # 00:05:11, as the exports have it


def daily_stamp(day: int) -> int:
    """The stamp of a date's daily point, in UNIX milliseconds like the date's midnight."""
    return day + _OFF_MIDNIGHT_MS if day == _AT_THEIR_STAMP_SINCE else day


def instant_of(stamp: int) -> int:
    """The instant whose values a daily point has."""
    return stamp if stamp >= _AT_THEIR_STAMP_SINCE else stamp // DAY_MS * DAY_MS + DAY_MS


def closed_day(stamp: int) -> int:
    """The midnight with which the day begins that a daily point closes."""
    return instant_of(stamp) // DAY_MS * DAY_MS - DAY_MS


def closing_date(day: int) -> int:
    """The date of the point that closes a day; of two dates the later."""
    after = day + DAY_MS
    return after if closed_day(after) == day else day
