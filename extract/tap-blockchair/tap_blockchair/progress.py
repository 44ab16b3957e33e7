"""Progress for people: a bar on a terminal, elsewhere a log line every half minute."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

from tqdm import tqdm  # type: ignore[import-untyped]

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

_MEGA = 1e6


class Progress:
    """Tells how far a stream's days are.

    tqdm draws the bar: it has no dependencies, writes to stderr, and works out rate and time left.

    Args:
        name: The stream.
        days: How many days are due.
        size: Bytes of all of them as far as known, else 0.
        logger: Gets the lines where there is no terminal.
        interval: Seconds between two lines.
        clock: Gives seconds.
    """

    def __init__(  # noqa: PLR0913 (what a report is made of)
        self,
        name: str,
        days: int,
        size: int,
        logger: logging.Logger,
        *,
        interval: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._days, self._size = name, days, size
        self._logger, self._interval, self._clock = logger, interval, clock
        self._begun = self._told = clock()
        self._done = self._bytes = self._rows = 0
        self._day = ""
        self._bar: Any = None
        if sys.stderr.isatty():
            self._bar = tqdm(total=size or None, desc=name, unit="B", unit_scale=True, file=sys.stderr, leave=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def begin(self, day: str) -> None:
        """Name the day in hand."""
        self._day = day
        self._tell()

    def downloaded(self, count: int) -> None:
        """Count bytes that arrived."""
        self._bytes += count
        if self._bar is not None:
            self._bar.update(count)
        self._tell()

    def rows(self, count: int) -> None:
        """Count rows that were written."""
        self._rows += count
        self._tell()

    def finish(self) -> None:
        """Count a day as done."""
        self._done += 1
        self._tell()

    def _tell(self) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(f"day {self._day} ({self._done}/{self._days}), {self._rows:,} rows")
            return
        now = self._clock()
        if now - self._told < self._interval:
            return
        self._told = now
        rate = self._bytes / (now - self._begun)
        left = f", about {self._left(rate):.1f} h left" if rate and self._size else ""
        self._logger.info(
            "%s: day %s, %d of %d days done, %.1f MB at %.1f kB/s, %d rows%s.",
            self._name,
            self._day,
            self._done,
            self._days,
            self._bytes / _MEGA,
            rate / 1e3,
            self._rows,
            left,
        )

    def _left(self, rate: float) -> float:
        return max(0, self._size - self._bytes) / rate / 3600
