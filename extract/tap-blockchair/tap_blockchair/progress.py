"""Progress for people: a bar on a terminal, elsewhere a log line every half minute."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

INTERVAL = 30.0
"""Seconds between two log lines."""

_MEGA = 1e6
_REDRAW = 0.1
_UNSIZED = {"ncols": 80, "nrows": 24}


class Progress:
    """Tells how far a stream's days are: by bytes where the sizes are known, else by days.

    tqdm draws the bar: it has no dependencies, writes to stderr, and works out rate and time left.

    Args:
        name: The stream.
        days: How many days are due.
        size: Bytes of all of them as far as known, else 0.
        logger: Gets the lines where there is no terminal.
        clock: Gives seconds.
    """

    def __init__(
        self,
        name: str,
        days: int,
        size: int,
        logger: logging.Logger,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._days, self._size = name, days, size
        self._logger, self._clock = logger, clock
        self._begun = self._told = clock()
        self._done = self._bytes = self._rows = 0
        self._day = ""
        self._bar: Any = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        if self._days and sys.stderr.isatty():
            # Slow to import and seldom needed.
            from tqdm import tqdm  # type: ignore[import-untyped]  # noqa: PLC0415
            from tqdm.contrib.logging import logging_redirect_tqdm  # type: ignore[import-untyped]  # noqa: PLC0415

            sized = os.get_terminal_size(sys.stderr.fileno()).columns > 0
            width = {"dynamic_ncols": True} if sized else _UNSIZED  # nothing is drawn on no columns
            what = {"total": self._size, "unit": "B"} if self._size else {"total": self._days, "unit": "day"}
            # How often it is drawn is decided here, so that rows count too.
            what |= {"mininterval": 0, "miniters": 0, "unit_scale": bool(self._size)}
            bar = tqdm(desc=self._name, file=sys.stderr, leave=False, **what, **width)
            self._bar = self._open.enter_context(bar)
            # Log lines appear above the bar, not inside it.
            self._open.enter_context(logging_redirect_tqdm())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    def begin(self, day: str) -> None:
        """Name the day in hand."""
        self._day = day
        self._tell()

    def downloaded(self, count: int) -> None:
        """Count bytes that arrived."""
        self._bytes += count
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
        now = self._clock()
        if now - self._told < (INTERVAL if self._bar is None else _REDRAW):
            return
        self._told = now
        if self._bar is None:
            self._log(now - self._begun)
            return
        self._bar.set_postfix_str(f"{self._rows:,} rows, day {self._day} ({self._done}/{self._days})", refresh=False)
        done = self._bytes if self._size else self._done
        # An index page rounds sizes, so a little more may come.
        self._bar.total = max(self._bar.total, done)
        self._bar.update(done - self._bar.n)

    def _log(self, took: float) -> None:
        done, due = (self._bytes, self._size) if self._size else (self._done, self._days)
        left = f", about {max(0, due - done) * took / done / 3600:.1f} h left" if done else ""
        self._logger.info(
            "%s: day %s, %d of %d days done, %.1f MB at %.1f kB/s, %d rows%s.",
            self._name,
            self._day,
            self._done,
            self._days,
            self._bytes / _MEGA,
            self._bytes / took / 1e3,
            self._rows,
            left,
        )
