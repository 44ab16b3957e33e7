"""How far a run is: a line every half minute, with rate and time left."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mirror_node.tables import BlockRows

INTERVAL = 30.0
"""Seconds between two lines."""


class Progress:
    """Counts blocks and rows of a run, and says so now and then."""

    def __init__(self, chain: str, say: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._chain, self._say, self._clock = chain, say, clock
        self._begun = self._said = clock()
        self._blocks = self._rows = 0

    def __call__(self, rows: BlockRows, end: int) -> None:
        """Count a block; `end` is the last height of this run."""
        self._blocks += 1
        self._rows += sum(rows.rows.values())
        now = self._clock()
        if now - self._said < INTERVAL:
            return
        self._said = now
        took = now - self._begun
        rate = self._blocks / took
        self._say(
            f"{self._chain}: block {rows.height:,} of {end:,}, day {rows.day}, {rate:,.1f} blocks/s, "
            f"{self._rows / took:,.0f} rows/s, about {(end - rows.height) / rate / 3600:.1f} h left at this rate"
        )
