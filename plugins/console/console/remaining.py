"""How long a part of the work will still take, by how fast it has been."""

import re
import time
from collections.abc import Callable

_COUNTED = re.compile(r"(\d+) of (\d+)")
_LEAST_DONE = 5  # fewer say little of the rest
_SECONDS = 10  # less is not worth a word


class Remaining:
    """Adds the time left to words that count forwards, such as `building models, 12 of 130`.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._part = ""
        self._since = (0, 0.0)

    def words(self, text: str) -> str:
        """The same words, with the time left where the part has counted far enough to say."""
        found = _COUNTED.search(text)
        if not found:
            return text
        done, total = int(found[1]), int(found[2])
        part = f"{text.split(',', maxsplit=1)[0]} {total}"
        if part != self._part or done < self._since[0]:
            self._part, self._since = part, (done, self._clock())
        first, began = self._since
        if done - first < _LEAST_DONE or done >= total:
            return text
        left = (self._clock() - began) / (done - first) * (total - done)
        return f"{text}, about {_said(left)} left" if left >= _SECONDS else text


def _said(seconds: float) -> str:
    if seconds < 90:  # noqa: PLR2004 - up to here seconds are easier to read
        return f"{round(seconds, -1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004 - likewise
