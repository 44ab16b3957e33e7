"""The simulated clock: frozen until it is advanced, and kept over a stop and a start."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from simulator.files import write_private
from simulator.settings import LAST_DAY

if TYPE_CHECKING:
    from pathlib import Path

CLOCK_FILE: Final = "clock.json"
"""Its name in the state folder."""
LAST_INSTANT: Final = datetime.combine(LAST_DAY, time.max, tzinfo=UTC)


class Clock:
    """A clock that moves only when it is advanced.

    Args:
        start: Where it stands in a new world, UTC.
        path: File that keeps it; None keeps it in memory only. A file made for another start, or an unreadable one,
            belongs to another world and is ignored.
    """

    def __init__(self, start: datetime, path: Path | None = None) -> None:
        self._start = start.astimezone(UTC)
        self._path = path
        self._lock = threading.Lock()
        self._now = self._kept() or self._start

    def now(self) -> datetime:
        """The simulated instant, UTC."""
        return self._now

    def advance(self, step: timedelta) -> datetime:
        """Move the clock forward.

        Returns:
            The new instant, UTC.

        Raises:
            ValueError: The step is negative (what was published once cannot be taken back), or leads beyond the last
                day that a world can have.
        """
        if step < timedelta(0):
            raise ValueError("The clock only moves forward.")
        with self._lock:
            if step > LAST_INSTANT - self._now:
                raise ValueError(f"The clock does not go beyond {LAST_INSTANT.date()}.")
            moved = self._now + step
            if self._path is not None:
                content = {"start": self._start.isoformat(), "now": moved.isoformat()}
                write_private(self._path, json.dumps(content).encode())
            self._now = moved
            return moved

    def _kept(self) -> datetime | None:
        if self._path is None:
            return None
        try:
            content = json.loads(self._path.read_bytes())
            if datetime.fromisoformat(content["start"]) != self._start:
                return None
            kept = datetime.fromisoformat(content["now"]).astimezone(UTC)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return max(kept, self._start)


def parse_instant(text: str) -> datetime:
    """Read an ISO date, or date and time, such as 2025-01-15T06:00; UTC where no offset is given.

    Raises:
        ValueError: It cannot be read; the text says so in one sentence.
    """
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise ValueError(f"{text!r} is no ISO date or date and time, such as 2025-01-15T06:00.") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
