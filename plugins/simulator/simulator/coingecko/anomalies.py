"""Anomalies of single days, as real daily series have them: put in by a test, seen by charts and by history alike."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BeforeValidator, Field

from simulator.clock import parse_instant
from simulator.coingecko.numbers import wire
from simulator.coingecko.series import ABSENT, Point
from simulator.coingecko.times import DAY_MS, day_ms, to_ms
from simulator.faults import Injected, Registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FIELDS: Final = ("price", "market_cap", "total_volume")
CHANGES: Final = (
    "missing",
    "off_midnight",
    "doubled",
    "restated",
    "exponent",
    "integer",
    *(f"{how}_{field}" for how in ("null", "absent", "zero") for field in _FIELDS),
)
_RESTATED: Final = Decimal("1.01")


def _midnight(day: Any) -> int:  # noqa: ANN401 - JSON
    try:
        return day_ms(date.fromisoformat(day))
    except (ValueError, TypeError):
        raise ValueError(f"{day!r} is no ISO date, such as 2025-01-02") from None


def _known(change: object) -> object:
    if change not in CHANGES:
        raise ValueError(f"{change!r} must be one of {', '.join(CHANGES)}")
    return change


def _instant(text: Any) -> int | None:  # noqa: ANN401 - JSON
    return None if text is None else to_ms(parse_instant(text))


class Anomaly(Injected):
    """A change of a coin's points of one UTC day.

    Attributes:
        currency: None for all of them.
        day: UNIX milliseconds of the day's midnight.
        change: One of CHANGES.
        until: UNIX milliseconds from which on the points are as they should be; None for never.
        seconds: How far off midnight a point is stamped.
    """

    coin: str
    currency: str | None = None
    day: Annotated[int, BeforeValidator(_midnight)]
    change: Annotated[str, BeforeValidator(_known)]
    until: Annotated[int | None, BeforeValidator(_instant)] = None
    seconds: Annotated[int, Field(gt=0, lt=DAY_MS // 1000)] = 311

    def holds(self, coin: str, currency: str, now: int) -> bool:
        """Whether it changes a series at an instant."""
        return self.coin == coin and self.currency in (None, currency) and (self.until is None or now < self.until)

    def through(self, points: Sequence[Point]) -> Iterator[Point]:
        """Points of a series, those of the day changed."""
        for point in points:
            if point.stamp // DAY_MS * DAY_MS == self.day:
                yield from self._changed(point)
            else:
                yield point

    def _changed(self, point: Point) -> list[Point]:
        """What becomes of one of the day's points."""
        how, _, field = self.change.partition("_")
        if self.change == "missing":
            return []
        if field in _FIELDS:
            return [_with(point, {field: {"null": None, "absent": ABSENT, "zero": "0.0"}[how]})]
        midnight = point.stamp % DAY_MS == 0
        if self.change in ("off_midnight", "doubled"):
            moved = [point._replace(stamp=point.stamp + 1000 * self.seconds)] if midnight else []
            return moved if midnight and self.change == "off_midnight" else [point, *moved]
        return [_with(point, {field: _rewritten(self.change, getattr(point, field)) for field in _FIELDS})]


def _with(point: Point, changes: dict[str, str | None]) -> Point:
    return Point(**{**point._asdict(), **changes})


def _rewritten(change: str, text: str | None) -> str | None:
    if not text:
        return text
    value = Decimal(text)
    if change == "restated":
        return wire(value * _RESTATED)
    if change == "integer":
        return str(round(value))
    return f"{value.normalize():e}"  # exponent


class Anomalies(Registry[Anomaly]):
    """The anomalies of a server."""

    def __init__(self) -> None:
        super().__init__(Anomaly)

    def applied(self, coin: str, currency: str, points: Sequence[Point], now: int) -> list[Point]:
        """Points of a series (without the live one) as they are served at UNIX milliseconds, in ascending order."""
        changed = list(points)
        for anomaly in self:
            if anomaly.holds(coin, currency, now):
                changed = sorted(anomaly.through(changed), key=lambda point: point.stamp)
        return changed
