"""When blocks come: their times within a day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.blockchair.rng import Rng

DAY: Final = 86_400
MEDIAN_SPAN: Final = 11
_SPREAD: Final = 900
"""How far a block strays from its even place, in thousandths of the space between two blocks."""


def midnight(day: date) -> int:
    """The first second of a UTC day, in seconds since 1970."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def date_of(seconds: int) -> date:
    """The UTC day of an instant, given in seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).date()


@lru_cache(maxsize=1 << 14)
def stamp(seconds: int) -> str:
    """Seconds since 1970 as Blockchair writes an instant: `YYYY-MM-DD HH:MM:SS`, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def stray(place: int, blocks: int, rng: Rng) -> int:
    """The second within a day at which a block comes; `place` is 0 for the day's first block.

    Returns:
        0 to 86,399, around the block's even place; neighbours change places now and then.
    """
    space = DAY * 1000 // blocks
    at = (2 * place + 1) * space // 2 + space * rng.between(-_SPREAD, _SPREAD) // 1000
    return min(max(at // 1000, 0), DAY - 1)


def median_time(times: Iterable[int]) -> int:
    """The median of up to eleven times; the upper one of an even number, as the nodes take it."""
    last = sorted(times)
    return last[len(last) // 2]
