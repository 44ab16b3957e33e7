"""What the vendors' clients asked for: counts and a log, for tests to read."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any, Final

_KEPT: Final = 10_000


@dataclass
class Entry:
    """A request: `points` is what its answer said it cost, `keyed_by` how it brought a key: `query`, `header`, None."""

    method: str
    path: str
    status: int = 0
    range: str | None = None
    keyed_by: str | None = None
    points: float = 0
    fault: bool = False
    ended: bool = False


class Journal:
    """All requests to the vendors since the start, or since it was cleared."""

    def __init__(self) -> None:
        self._underway = 0
        self.clear()

    def clear(self) -> None:
        """Forget them."""
        self._log: deque[Entry] = deque(maxlen=_KEPT)
        self._paths: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        self._thousandths = 0
        self._most = 0

    def begin(self, entry: Entry) -> None:
        """Note a request that has come in."""
        self._log.append(entry)
        self._paths[entry.path] += 1
        self._underway += 1
        self._most = max(self._most, self._underway)

    def end(self, entry: Entry) -> None:
        """Note that it was answered, which may be said twice; a status of 0 stays where no answer began."""
        if entry.ended:
            return
        entry.ended = True
        self._underway -= 1
        self._statuses[entry.status] += 1
        self._thousandths += round(1000 * entry.points)

    def shown(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        return {
            "total": self._paths.total(),
            "points": self._thousandths / 1000,
            "most_at_once": self._most,
            "paths": dict(self._paths),
            "statuses": {str(status): count for status, count in self._statuses.items()},
            "log": [{**asdict(entry), "keyed": entry.keyed_by is not None} for entry in self._log],
        }
