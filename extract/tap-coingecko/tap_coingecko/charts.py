"""Reading a market chart: three arrays of (stamp, value) become one row per completed stamp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

from tap_coingecko.windows import Granularity

Amount: TypeAlias = int | Decimal | None

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
#: A day's 00:00 value is published up to 35 minutes late, and answers cached before end five minutes after that.
SETTLED_AFTER = timedelta(minutes=40)
#: Arrays of the answer and the column each one fills.
SERIES: Mapping[str, str] = {"prices": "price", "market_caps": "market_cap", "total_volumes": "total_volume"}


@dataclass(frozen=True, slots=True)
class Point:
    """One stamp of a chart: the exact stamp, to the millisecond, in UTC, and amounts in the currency asked for.

    The volume is that of the 24 hours before the stamp. An amount is None where the source has none.
    """

    stamp: datetime
    price: Amount
    market_cap: Amount
    total_volume: Amount


def completed_points(
    chart: object, now: datetime, granularity: Granularity = Granularity.DAILY, *, ends_now: bool = True
) -> list[Point]:
    """Join a chart's arrays by stamp and leave out what is not completed.

    The arrays are joined by stamp (union), never by position: their lengths differ when a value is missing.

    A chart that ends now ends with a live value, stamped with its own time of update, which no later answer repeats.
    So where it ends now, these stamps are left out of every column:

    - the last stamp of all. It is live however old it is, since a coin that nobody trades is updated seldom;
    - the last stamp of each array, if it lies within one period before now: arrays may be updated one by one;
    - of daily points, only those off midnight: a 00:00 point is no live value. It counts 40 minutes after midnight,
      when no cache can hold an earlier one.

    A stamp off midnight that is not last is a daily point that the source recorded late, and is kept as it is. What
    was left out wrongly is returned by a later read.

    Args:
        chart: The parsed answer, with exact numbers (`int` and `Decimal`).
        now: The source's clock at the time of the answer.
        granularity: The distance between the points.
        ends_now: Whether the span that was asked for reaches now.

    Raises:
        ValueError: If the answer has not the shape of a chart.
    """
    if not isinstance(chart, Mapping) or not any(name in chart for name in SERIES):
        raise ValueError(f"it holds none of {', '.join(SERIES)}")
    columns = {column: _read_series(name, chart.get(name)) for name, column in SERIES.items()}
    stamps = sorted(set().union(*columns.values()))
    unfinished: set[datetime] = set()
    if ends_now:
        lasts = {max(values) for values in columns.values() if values}
        unfinished = {last for last in lasts if last > now - granularity.period or last == stamps[-1]}
    if granularity is Granularity.DAILY:
        unfinished = {stamp for stamp in unfinished if not is_midnight(stamp)}
        unfinished |= {stamp for stamp in stamps if is_midnight(stamp) and stamp > now - SETTLED_AFTER}
    return [
        Point(stamp, **{column: values.get(stamp) for column, values in columns.items()})
        for stamp in stamps
        if stamp <= now and stamp not in unfinished
    ]


def fits(points: Sequence[Point], granularity: Granularity) -> bool:
    """Whether the points of an answer, oldest first, have the granularity that is expected.

    The answer does not state its own. A daily series has about one point a day and an hourly one about one an hour;
    a stray second one exists, and so do gaps. So: at most two a period on the whole, and hourly points are not all
    midnights.
    """
    if not points:
        return True
    periods = (points[-1].stamp - points[0].stamp) // granularity.period + 1
    if len(points) > periods * 2:
        return False
    return granularity is Granularity.DAILY or len(points) <= 2 or not all(is_midnight(p.stamp) for p in points)  # noqa: PLR2004


def first_of_each_date(points: Sequence[Point]) -> list[Point]:
    """Choose the point that stands for a UTC date, whichever day it closes: the first stamp."""
    chosen: dict[object, Point] = {}
    for point in points:
        chosen.setdefault(point.stamp.date(), point)
    return list(chosen.values())


def is_midnight(stamp: datetime) -> bool:
    """Whether a stamp is 00:00:00.000 UTC."""
    return (stamp - EPOCH) % _DAY == timedelta(0)


def _read_series(name: str, series: object) -> dict[datetime, Amount]:
    if series is None:
        return {}
    if not isinstance(series, list):
        raise ValueError(f"{name} is no list")  # noqa: TRY004 - the source's fault, not a caller's
    values: dict[datetime, Amount] = {}
    for place, element in enumerate(series):
        match element:
            case [int() | Decimal() as milliseconds, int() | Decimal() | None as value] if not has_truth(element):
                stamp = stamp_of(milliseconds)
            case _:
                stamp = None
        if stamp is None:
            # Without its text: an answer might repeat the key.
            raise ValueError(f"element {place} of {name} is no stamp with a number")
        values[stamp] = value
    return values


def has_truth(element: Sequence[object]) -> bool:
    """Whether one of some values is true or false, which Python takes for a number."""
    return any(isinstance(value, bool) for value in element)


def stamp_of(milliseconds: int | Decimal) -> datetime | None:
    """Read milliseconds since 1970, UTC; None where they have a fraction, or lie in no year from 1 to 9999."""
    if milliseconds != int(milliseconds):
        return None
    try:
        return EPOCH + timedelta(milliseconds=int(milliseconds))
    except OverflowError:
        return None
