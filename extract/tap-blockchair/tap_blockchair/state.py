"""What a stream's state holds: loaded days and the files of the last few, or heights and what may still change."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_blockchair.dumps import Version

_DAY = timedelta(days=1)
# Every gap in a chain's history splits a range. Chains have a few dozen, all in their first year.
_MOST_RANGES = 100
_MOST_ANCHORS = 10


@dataclass(frozen=True)
class Loaded:
    """The file of a day as it was loaded: the server's validator, bytes, and digest of the compressed file."""

    etag: str | None
    length: int | None
    sha256: str

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Loaded:
        """Read it from the state, where it stands as its fields; states of older releases lack some."""
        return cls(kept.get("etag"), kept.get("length"), kept["sha256"])

    def is_of(self, version: Version) -> bool:
        """Whether the server still has this file, as far as a HEAD can show."""
        # A bookmark that was made anew from a ledger knows no length.
        return self.etag is not None and self.etag == version.etag and self.length in {None, version.length}


class DayState:
    """The state of a dump stream.

    It holds, beside the SDK's own `replication_key_value` (the last loaded day), `loaded`: closed ranges of days, and
    `files`: ETag, length and sha256 of the days that may still be replaced upstream. A day without a file is in no
    range, so one that is published late is found whenever it comes.

    Args:
        state: The stream's state; written in place.
        recheck_days: How many days, the last loaded one included, may still be replaced.
        first_day: Where the ranges begin in a state of the first release, which has the last day only.
    """

    def __init__(self, state: dict[str, Any], recheck_days: int, first_day: date | None = None) -> None:
        self._state = state
        self._recheck_days = recheck_days
        last, ranges = state.get("replication_key_value"), state.get("loaded")
        if ranges is None:
            ranges = [[min(first_day.isoformat(), last) if first_day else last, last]] if last else []
        # As ordinals, so that a day after another is one more.
        self._ranges = [
            (date.fromisoformat(first).toordinal(), date.fromisoformat(final).toordinal()) for first, final in ranges
        ]
        self._files = {date.fromisoformat(file["day"]): Loaded.of(file) for file in state.get("files", ())}
        if ranges and "loaded" not in state:
            self._save()

    @property
    def last(self) -> date | None:
        """The last loaded day."""
        return date.fromordinal(self._ranges[-1][1]) if self._ranges else None

    def has(self, day: date) -> bool:
        """Whether a day is loaded."""
        return any(first <= day.toordinal() <= final for first, final in self._ranges)

    def file(self, day: date) -> Loaded | None:
        """Give the file from which a day was loaded, if the state still holds it."""
        return self._files.get(day)

    @property
    def days_with_files(self) -> list[date]:
        """The days whose files the state holds."""
        return sorted(self._files)

    def may_change(self, day: date) -> bool:
        """Whether a loaded day is young enough to be compared with its source."""
        return self.last is not None and self.last - self._recheck_days * _DAY < day <= self.last

    def add(self, day: date, loaded: Loaded) -> None:
        """Count a day as loaded."""
        self._ranges.append((day.toordinal(), day.toordinal()))
        self._files[day] = loaded
        self._save()

    def remove(self, day: date) -> None:
        """Count a day as not loaded: its file is gone, and should it come back, it is due again."""
        gone = day.toordinal()
        split = [((first, min(final, gone - 1)), (max(first, gone + 1), final)) for first, final in self._ranges]
        self._ranges = [part for parts in split for part in parts if part[0] <= part[1]]
        self._files.pop(day, None)
        self._save()

    def _save(self) -> None:
        merged = _merged(self._ranges)
        while len(merged) > _MOST_RANGES:
            # The oldest gap counts as final: state stays small, and a file that comes after so long is not looked for.
            merged[:2] = [(merged[0][0], merged[1][1])]
        self._ranges = merged
        self._files = {day: file for day, file in self._files.items() if self.may_change(day)}
        self._state["replication_key"] = "_dump_day"
        self._state["replication_key_value"] = self.last.isoformat() if self.last else None
        self._state["loaded"] = [[date.fromordinal(day).isoformat() for day in pair] for pair in merged]
        self._state["files"] = [{"day": day.isoformat(), **asdict(file)} for day, file in sorted(self._files.items())]


class Heights(NamedTuple):
    """A closed range of block heights."""

    first: int
    last: int


class Unsettled(NamedTuple):
    """Heights whose rows were sent, though the chain may still change there.

    The hash is the last block's when its rows were read; None where it is not known.
    """

    first: int
    last: int
    hash: str | None


class HeightState:
    """The state of a table that is read by heights, written in place.

    It holds `covered`: closed ranges of settled heights that are complete; `unsettled`: heights above them whose rows
    were sent and are read again; `anchors`: hashes of settled blocks, by which a reorganisation shows that went deeper
    than finality; `since`: the day from which rows are wanted and its first height, so that this is not asked in every
    run; `above`: the first day that no dump had when it was last asked for.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state

    @property
    def covered(self) -> list[Heights]:
        """Complete ranges of settled heights, lowest first."""
        return [Heights(*pair) for pair in self._state.get("covered", ())]

    @property
    def done(self) -> int | None:
        """The highest settled height that is complete."""
        covered = self.covered
        return covered[-1].last if covered else None

    @property
    def unsettled(self) -> Unsettled | None:
        """What was sent above."""
        kept = self._state.get("unsettled")
        return Unsettled(*kept) if kept else None

    @unsettled.setter
    def unsettled(self, value: Unsettled | None) -> None:
        self._put("unsettled", list(value) if value else None)

    @property
    def anchors(self) -> list[tuple[int, str]]:
        """Heights and hashes of settled blocks, lowest first."""
        return [(height, known) for height, known in self._state.get("anchors", ())]

    @property
    def since(self) -> tuple[str | None, int] | None:
        """The first day wanted (None: all of the chain) and the height with which it begins."""
        kept = self._state.get("since")
        return (kept[0], kept[1]) if kept else None

    @since.setter
    def since(self, value: tuple[str | None, int]) -> None:
        self._put("since", list(value))

    @property
    def above(self) -> date | None:
        """The first day that no dump had when it was last asked for."""
        kept = self._state.get("above")
        return date.fromisoformat(kept) if kept else None

    @above.setter
    def above(self, value: date) -> None:
        self._put("above", value.isoformat())

    def gaps(self, first: int, last: int) -> list[Heights]:
        """Find the parts of a closed range that are not covered, lowest first."""
        missing = []
        for low, high in self.covered:
            if first < low:
                missing.append(Heights(first, min(low - 1, last)))
            first = max(first, high + 1)
        return [gap for gap in (*missing, Heights(first, last)) if gap.first <= gap.last]

    def add(self, heights: Heights) -> None:
        """Count settled heights as complete."""
        self._put("covered", [list(pair) for pair in _merged([*self.covered, heights])])

    def complete(self, heights: Heights, start: int, settled: int, top: Unsettled | None) -> None:
        """Count a slice as sent that belongs to the range which ends at the tip.

        Args:
            heights: The slice.
            start: Where that range began.
            settled: The highest settled height of the chain.
            top: What is open from now on where the slice reached the tip, and so replaced all above it, too.
        """
        if heights.first <= settled:
            self.add(Heights(heights.first, min(heights.last, settled)))
        if top:
            self.unsettled = top if top.first <= top.last else None
            return
        first, old = max(start, min(heights.last, settled) + 1), self.unsettled
        last = max(heights.last, old.last if old else -1)
        same = old is not None and old.last == last and heights.last < last
        self.unsettled = Unsettled(first, last, old.hash if old and same else None) if first <= last else None

    def anchor(self, height: int, known: str) -> None:
        """Keep the hash of a settled block, if it is higher than those kept."""
        if not self.anchors or height > self.anchors[-1][0]:
            self._put("anchors", [list(pair) for pair in [*self.anchors, (height, known)][-_MOST_ANCHORS:]])

    def cut(self, height: int | None, *, keep_anchors: bool = False) -> None:
        """Count nothing above a height as complete any more, or nothing at all: what was sent there is open.

        Anchors are kept where the blocks above may come back, so that their hashes stay worth comparing.
        """
        limit = -1 if height is None else height
        lost = [Heights(max(first, limit + 1), last) for first, last in self.covered if last > limit]
        if lost:
            old = self.unsettled
            last = max(lost[-1].last, old.last if old else -1)
            self.unsettled = Unsettled(lost[0].first, last, None)
        self._put("covered", [[first, min(last, limit)] for first, last in self.covered if first <= limit])
        if not keep_anchors:
            self._put("anchors", [list(pair) for pair in self.anchors if pair[0] <= limit])

    def leave(self) -> None:
        """Forget all heights: dumps have taken their place."""
        for part in ("covered", "unsettled", "anchors"):
            self._put(part, None)

    def _put(self, part: str, value: object) -> None:
        if value:
            self._state[part] = value
        else:
            self._state.pop(part, None)


def spans_of(days: Iterable[date]) -> list[tuple[date, date]]:
    """Join days that follow each other, and sort them: closed ranges."""
    numbers = (day.toordinal() for day in days)
    merged = _merged((number, number) for number in numbers)
    return [(date.fromordinal(first), date.fromordinal(last)) for first, last in merged]


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Make one of closed ranges that overlap or adjoin, and sort them."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(last, merged[-1][1])
        else:
            merged.append((first, last))
    return merged
