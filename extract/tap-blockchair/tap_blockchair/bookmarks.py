"""What the state of a dump stream remembers: which days are loaded, and the files of the last few."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tap_blockchair.dumps import Version

LOADED = "loaded"
FILES = "files"
_DAY = timedelta(days=1)
# Every gap in a chain's history splits a range. Chains have a few dozen, all in their first year.
_MOST_RANGES = 100


@dataclass(frozen=True)
class Loaded:
    """The file of a day as it was loaded.

    Attributes:
        etag: The server's validator, or None.
        length: Bytes.
        sha256: Digest of the compressed file.
    """

    etag: str | None
    length: int | None
    sha256: str

    def is_of(self, version: Version) -> bool:
        """Say whether the server still has this file, as far as a HEAD can tell."""
        return self.etag is not None and (self.etag, self.length) == (version.etag, version.length)


class DayBook:
    """Reads and writes the bookmark of a dump stream.

    The state holds, beside the SDK's own `replication_key_value` (the last loaded day), `loaded`: closed ranges of
    days, and `files`: ETag, length and sha256 of the days that may still be replaced upstream. A day without a file
    is in no range, so one that is published late is found whenever it comes.

    Args:
        state: The stream's state; written in place.
        recheck_days: How many days, the last loaded one included, may still be replaced.
        first_day: Where the ranges begin in a state that has none.
    """

    def __init__(self, state: dict[str, Any], recheck_days: int, first_day: date | None = None) -> None:
        self._state = state
        self._recheck_days = recheck_days
        last = state.get("replication_key_value")
        ranges = state.get(LOADED)
        if ranges is None:  # written by the first release, which kept the last day only
            ranges = [[min(first_day.isoformat(), last) if first_day else last, last]] if last else []
        self._ranges = [(date.fromisoformat(first), date.fromisoformat(final)) for first, final in ranges]
        self._files = {
            date.fromisoformat(file["day"]): Loaded(file.get("etag"), file.get("length"), file["sha256"])
            for file in state.get(FILES, ())
        }
        if ranges and LOADED not in state:
            self._save()

    @property
    def last(self) -> date | None:
        """The last loaded day."""
        return self._ranges[-1][1] if self._ranges else None

    def has(self, day: date) -> bool:
        """Say whether a day is loaded."""
        return any(first <= day <= final for first, final in self._ranges)

    def file(self, day: date) -> Loaded | None:
        """Give the file from which a day was loaded, if it is remembered."""
        return self._files.get(day)

    @property
    def remembered(self) -> list[date]:
        """The days whose files are remembered."""
        return sorted(self._files)

    def may_change(self, day: date) -> bool:
        """Say whether a loaded day is young enough to be compared with its source."""
        return self.last is not None and self.last - self._recheck_days * _DAY < day <= self.last

    def add(self, day: date, loaded: Loaded) -> None:
        """Count a day as loaded."""
        self._ranges.append((day, day))
        self._files[day] = loaded
        self._save()

    def remove(self, day: date) -> None:
        """Count a day as not loaded: its file is gone, and should it come back, it is due again."""
        split: list[tuple[date, date]] = []
        for first, final in self._ranges:
            parts = ((first, day - _DAY), (day + _DAY, final)) if first <= day <= final else ((first, final),)
            split += [(start, stop) for start, stop in parts if start <= stop]
        self._ranges = split
        self._files.pop(day, None)
        self._save()

    def _save(self) -> None:
        merged: list[tuple[date, date]] = []
        for first, final in sorted(self._ranges):
            if merged and first <= merged[-1][1] + _DAY:
                merged[-1] = merged[-1][0], max(final, merged[-1][1])
            else:
                merged.append((first, final))
        while len(merged) > _MOST_RANGES:
            # The oldest gap counts as final: state stays small, and a file that comes after so long is not looked for.
            merged[:2] = [(merged[0][0], merged[1][1])]
        self._ranges = merged
        self._files = {day: file for day, file in self._files.items() if self.may_change(day)}
        self._state["replication_key"] = "_dump_day"
        self._state["replication_key_value"] = self.last.isoformat() if self.last else None
        self._state[LOADED] = [[first.isoformat(), final.isoformat()] for first, final in merged]
        self._state[FILES] = [
            {"day": day.isoformat(), "etag": file.etag, "length": file.length, "sha256": file.sha256}
            for day, file in sorted(self._files.items())
        ]
