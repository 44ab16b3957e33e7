"""UNIX milliseconds, and how daily points are stamped (contract 5.2).

From 2018-01-30 on a daily point has the values of its stamp: those of a midnight, the close of the day before. Up to
2018-01-29 a point stamped D has the values at the end of D: it is the close of D itself. So the midnight between the
two days has two points, of which the later one is stamped some minutes off.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

MILLISECOND: Final = timedelta(milliseconds=1)
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(instant: datetime) -> int:
    """UNIX milliseconds of an aware instant."""
    return (instant - EPOCH) // MILLISECOND


def day_ms(day: date) -> int:
    """UNIX milliseconds of a day's 00:00 UTC."""
    return to_ms(datetime.combine(day, time(), tzinfo=UTC))


def from_ms(stamp: int) -> datetime:
    """The instant (UTC) of UNIX milliseconds."""
    return EPOCH + stamp * MILLISECOND


def iso_ms(stamp: int) -> str:
    """UNIX milliseconds as ISO 8601 with milliseconds and a Z."""
    return from_ms(stamp).strftime("%Y-%m-%dT%H:%M:%S.") + f"{stamp % 1000:03d}Z"


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
