"""Oddities of single days, as real daily series have them: put in by a test, seen by charts and by history alike."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from simulator.coingecko.numbers import DAY_MS, day_ms, to_ms, wire
from simulator.coingecko.series import ABSENT, Point
from simulator.failures import SimulatorError
from simulator.instants import parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FIELDS: Final = ("price", "market_cap", "total_volume")
_KEYS: Final = frozenset({"coin", "currency", "day", "change", "until", "seconds"})
CHANGES: Final = (
    "missing",
    "off_midnight",
    "doubled",
    "restated",
    "exponent",
    "integer",
    *(f"{how}_{field}" for how in ("null", "absent", "zero") for field in _FIELDS),
)
_SECONDS: Final = 311
_RESTATED: Final = Decimal("1.01")


@dataclass(frozen=True)
class Oddity:
    """A change of a coin's points of one UTC day.

    Attributes:
        given: As it was asked for.
        coin: The coin.
        currency: The currency; None for all of them.
        day: UNIX milliseconds of the day's midnight.
        change: One of CHANGES.
        until: UNIX milliseconds from which on the points are as they should be; None for never.
        seconds: How far off midnight a point is stamped.
    """

    given: dict[str, Any]
    coin: str
    currency: str | None
    day: int
    change: str
    until: int | None
    seconds: int

    def holds(self, coin: str, currency: str, now: int) -> bool:
        """Whether it changes a series at an instant."""
        return self.coin == coin and self.currency in (None, currency) and (self.until is None or now < self.until)

    def changed(self, point: Point) -> list[Point]:
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


class Oddities:
    """The oddities of a server."""

    def __init__(self) -> None:
        self._all: list[Oddity] = []
        self._lock = threading.Lock()

    def add(self, given: object) -> None:
        """Add oddities.

        Args:
            given: A list of objects with `coin`, `day` and `change`, and `currency`, `until` and `seconds` if need be;
                or one of them.

        Raises:
            SimulatorError: One cannot be understood; none is added then.
        """
        found = [_read(one) for one in (given if isinstance(given, list) else [given])]
        with self._lock:
            self._all += found

    def clear(self) -> None:
        """Forget them: all points are again as they should be."""
        with self._lock:
            self._all.clear()

    def shown(self) -> list[dict[str, Any]]:
        """They as they were given."""
        return [oddity.given for oddity in self._all]

    def applied(self, coin: str, currency: str, points: Sequence[Point], now: int) -> list[Point]:
        """Points of a series as they are served, in ascending order.

        Args:
            coin: Whose.
            currency: In which currency.
            points: The points, without the live one.
            now: The clock, UNIX milliseconds.
        """
        holding = [oddity for oddity in self._all if oddity.holds(coin, currency, now)]
        if not holding:
            return list(points)
        changed = list(points)
        for oddity in holding:
            changed = list(_through(oddity, changed))
        return sorted(changed, key=lambda point: point.stamp)


def _through(oddity: Oddity, points: Sequence[Point]) -> Iterator[Point]:
    for point in points:
        if point.stamp // DAY_MS * DAY_MS == oddity.day:
            yield from oddity.changed(point)
        else:
            yield point


def _read(given: object) -> Oddity:
    if not isinstance(given, dict) or not given.keys() >= {"coin", "day", "change"}:
        raise SimulatorError("An oddity is an object with `coin`, `day` and `change`.")
    unknown = given.keys() - _KEYS
    if unknown:
        raise SimulatorError(
            f"An oddity has no {', '.join(sorted(map(str, unknown)))}; it knows {', '.join(sorted(_KEYS))}."
        )
    if given["change"] not in CHANGES:
        raise SimulatorError(f"change is {given['change']!r}, but must be one of {', '.join(CHANGES)}.")
    seconds = given.get("seconds", _SECONDS)
    if not isinstance(seconds, int) or not 0 < seconds < DAY_MS // 1000:
        raise SimulatorError(f"seconds is {seconds!r}, but must be a whole number within a day.")
    try:
        day = day_ms(date.fromisoformat(given["day"]))
    except (ValueError, TypeError):
        raise SimulatorError(f"{given['day']!r} is no ISO date, such as 2025-01-02.") from None
    until = given.get("until")
    try:
        last = None if until is None else to_ms(parse_instant(until))
    except ValueError as error:
        raise SimulatorError(str(error)) from None
    return Oddity(given, str(given["coin"]), given.get("currency"), day, given["change"], last, seconds)
