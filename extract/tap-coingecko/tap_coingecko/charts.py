"""Reading a market chart: three arrays of (stamp, value) become one row per completed daily stamp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

Amount: TypeAlias = int | Decimal | None

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
#: Arrays of the answer and the column each one fills.
SERIES: Mapping[str, str] = {"prices": "price", "market_caps": "market_cap", "total_volumes": "total_volume"}


@dataclass(frozen=True, slots=True)
class Point:
    """One stamp of a chart.

    Attributes:
        stamp: The exact stamp, to the millisecond, in UTC.
        price: Price of one coin, in the currency asked for; None where the source has none.
        market_cap: Market capitalisation, in the currency asked for.
        total_volume: Trading volume of the 24 hours before the stamp, in the currency asked for.
    """

    stamp: datetime
    price: Amount
    market_cap: Amount
    total_volume: Amount


def completed_points(chart: object, now: datetime) -> list[Point]:
    """Join a daily chart's arrays by stamp and leave out what is not completed.

    The arrays are joined by stamp (union), never by position: their lengths differ when a value is missing.

    A chart that ends now ends with a live value, stamped with its own time of update. The rule: **the last
    element of an array is live when it is stamped off midnight and less than 24 hours before now**. Such a stamp
    is left out of every column, as is a stamp after now. Twenty-four hours, not "today", because a cached answer
    read shortly after midnight still ends with yesterday's live value. An off-midnight stamp that is not last
    is a daily point that the source recorded late, and is kept as it is; one that was left out because it was
    last is returned by a later read.

    Args:
        chart: The parsed answer, with exact numbers (`int` and `Decimal`).
        now: The source's clock at the time of the answer.

    Returns:
        The completed points, oldest first.

    Raises:
        ValueError: If the answer has not the shape of a chart.
    """
    if not isinstance(chart, Mapping) or not any(name in chart for name in SERIES):
        raise ValueError(f"it holds none of {', '.join(SERIES)}")
    columns = {column: _read_series(name, chart.get(name)) for name, column in SERIES.items()}
    live = {
        last for values in columns.values() if values and not _is_midnight(last := max(values)) and last > now - _DAY
    }
    stamps = sorted(set().union(*columns.values()) - live)
    return [
        Point(stamp, **{column: values.get(stamp) for column, values in columns.items()})
        for stamp in stamps
        if stamp <= now
    ]


def looks_daily(points: Sequence[Point]) -> bool:
    """Tell a daily answer from an hourly or finer one.

    A daily series has about one point a day; a stray second point of a day exists. So: at most two a day on
    the whole.

    Args:
        points: Points of one answer, oldest first.

    Returns:
        Whether their number fits a daily series.
    """
    if not points:
        return True
    days = (points[-1].stamp - points[0].stamp) // _DAY + 1
    return len(points) <= days * 2


def _is_midnight(stamp: datetime) -> bool:
    return (stamp - _EPOCH) % _DAY == timedelta(0)


def _read_series(name: str, series: object) -> dict[datetime, Amount]:
    if series is None:
        return {}
    if not isinstance(series, list):
        raise ValueError(f"{name} is no list")  # noqa: TRY004 - the source's fault, not a caller's
    values: dict[datetime, Amount] = {}
    for element in series:
        match element:
            case [int(milliseconds), int() | Decimal() | None as value]:
                values[_EPOCH + timedelta(milliseconds=milliseconds)] = value
            case _:
                raise ValueError(f"{name} holds {str(element)[:80]}, which is no stamp with a number")
    return values
