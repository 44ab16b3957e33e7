"""What the API's tables by height share: planning what is due, and reading it in slices, each counted when complete."""

from __future__ import annotations

from abc import abstractmethod
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_blockchair.base import StreamSlice
from tap_blockchair.client import ApiStream
from tap_blockchair.state import Heights, HeightState, Unsettled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from singer_sdk.helpers.types import Context


class Tip(NamedTuple):
    """A table's highest row: its height, and the block's hash where the row has it."""

    height: int
    hash: str | None


class Plan(NamedTuple):
    """What a run has to do.

    Attributes:
        top: The range to read that goes on to the tip, or None.
        below: What is missing below, lowest first.
        emptied: Heights whose rows are gone because the table ends below them now, or None.
        tip: The table's highest row.
        settled: The highest settled height of the chain.
    """

    top: Heights | None = None
    below: tuple[Heights, ...] = ()
    emptied: Heights | None = None
    tip: Tip = Tip(-1, None)
    settled: int = -1

    @property
    def spans(self) -> list[Heights]:
        """All ranges to read, in order: the newest rows first."""
        return [*([self.top] if self.top else []), *self.below]


class HeightStream(ApiStream):
    """A table read in ascending ranges of heights, bookmarked by the settled heights that are complete."""

    _filters = 1
    """How many filters the query of a page has."""
    is_sorted = True
    height = "id"
    """The column that holds the height by which rows are read and replaced."""
    may_be_empty = True
    """Whether the table can lose its last row; a chain cannot."""
    is_cheap = False
    """Whether reading all again that is wanted costs so little that doubt is reason enough."""
    notes_hashes = True
    """Whether blocks are asked for their hashes; the rows of a table of blocks have them."""
    _span = Heights(0, -1)
    _done = -1

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (a stream's)
        super().__init__(*args, **kwargs)
        self.blocks = Blocks(self)
        self.planner = self.make_planner()
        self._plan = Plan()
        self._left: list[Heights] = []

    def make_planner(self) -> Planner:
        """Give what finds out what is due."""
        return Planner(self)

    @override
    def collect(self, context: Context | None) -> Iterable[dict[str, Any]]:
        self._left, self.blocks.hashes = [], {}
        self._plan = plan = self.planner.plan()
        if plan.emptied:
            self._empty(plan.emptied)
        elif not plan.spans:
            self.logger.info("%s: nothing new.", self.name)
        self._left = plan.spans
        for span in plan.spans:
            self._span, self._done = span, span.first - 1
            if self.notes_hashes:
                self.blocks.note(self.planner.anchors(plan, span))
            for heights, rows in self.read(span):
                yield from self._slice_of(heights, rows)
                # The generator goes on only after the last row was written, so from here on the range counts.
                self._complete(heights)

    @abstractmethod
    def tip(self) -> Tip | None:
        """Ask for the table's own highest row; None where the table is empty.

        `context.state` is not asked: it may run ahead of the table or come from a cache.
        """

    @abstractmethod
    def bottom(self) -> int | None:
        """Find where a table begins of which everything is wanted.

        0 where rows are few and far between: the first one known may be gone after a reorganisation.
        """

    @abstractmethod
    def read(self, span: Heights) -> Iterator[tuple[Heights, Sequence[dict[str, Any]]]]:
        """Read a range of heights.

        Returns:
            Adjoining ranges from the first height to the last, each with all its rows in chain order. A range without
            rows is given too.
        """

    @abstractmethod
    def added(self, row: dict[str, Any], position: int) -> dict[str, Any]:
        """Give the columns that the tap adds to a row of the API.

        Its position is its place in the slice, from 1 on, by Blockchair's own order.
        """

    @abstractmethod
    def points_left(self) -> Decimal:
        """Estimate the points of what is left of a run."""

    @override
    def price(self) -> tuple[int, Decimal]:
        points = Decimal(0)
        for span in self.planner.plan().spans:
            self._span, self._left, self._done = span, [span], span.first - 1
            self.look_ahead(span)
            points += self.points_left()
        return int(points // self.cost_of_page(self._filters)), points

    def look_ahead(self, span: Heights) -> None:
        """Find out what `points_left` needs to know of the heights that are due."""

    @override
    def left(self) -> str:
        if not self._left:
            return f"its {self.table_name}, from where the bookmark stands"
        points = self.points_left().quantize(1).normalize()
        heights = " and ".join(f"{first} to {last}" for first, last in self._left)
        return f"the {self.table_name} of heights {heights}, about {points:f} points"

    def _slice_of(self, heights: Heights, rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        slice_id = self._slice_id(heights)
        # Before the slice is announced: a row may bring a new column, whose SCHEMA must not fall into the slice.
        records = [self.canonical(row, slice_id, **self.added(row, place)) for place, row in enumerate(rows, 1)]
        # A reorganisation may have made the chain shorter, so whatever lies above the tip is replaced too.
        self._open(heights, None if heights.last == self._plan.tip.height else heights.last, len(records))
        yield from records

    def _empty(self, heights: Heights) -> None:
        """Remove the rows that a reorganisation has taken from the top, where nothing has come in their place."""
        self.logger.warning(
            "%s: it ends at height %d now; what was sent from %d on is removed.",
            self.name,
            self._plan.tip.height,
            heights.first,
        )
        self._open(heights, None, 0)
        self.planner.state().unsettled = None
        self.planner.keep()

    def _open(self, heights: Heights, last: int | None, rows: int) -> None:
        slice_id = self._slice_id(heights)
        constants = {"_channel": "api", "_unit": slice_id}
        of = StreamSlice.of_heights(slice_id, self.height, heights.first, last, rows=rows, constants=constants)
        self.open_slice(of)

    def _slice_id(self, heights: Heights) -> str:
        return f"{self.chain}/{self.table_name}/heights/{heights.first}-{heights.last}"

    def _complete(self, heights: Heights) -> None:
        self._done, state, settled = heights.last, self.planner.state(), min(heights.last, self._plan.settled)
        rest = Heights(heights.last + 1, self._left[0].last)
        self._left[:1] = [rest] if rest.first <= rest.last else []
        if self._span != self._plan.top:
            state.add(heights)
        else:
            top = None
            if heights.last == self._plan.tip.height:
                known = self._plan.tip.hash or self.blocks.hashes.get(heights.last)
                top = Unsettled(max(self._span.first, self._plan.settled + 1), heights.last, known)
            state.complete(heights, self._span.first, self._plan.settled, top)
            if found := self.blocks.hashes.get(settled):
                state.anchor(settled, found)
        self.planner.keep()


class Planner:
    """Finds out what is due of a table, and keeps its state."""

    def __init__(self, stream: HeightStream) -> None:
        self._stream = stream

    def state(self) -> HeightState:
        """Give the state.

        One of the first release has the highest height only; where it began is then taken from `start_date`.
        """
        done, state = self._stream.bookmark(), self._stream.get_context_state(None)
        anchors = state.pop("anchors", None) or []
        if done is not None and "heights" not in state:
            state["heights"] = {"anchors": anchors, "unsettled": [int(done) + 1, int(done) + 1, None]}
            first = self._first(self._stream.settings.start) or 0
            HeightState(state["heights"]).add(Heights(min(first, int(done)), int(done)))
        return HeightState(state.setdefault("heights", {}))

    def keep(self) -> None:
        """Bring the bookmark to where the SDK and people look for it, and send the state."""
        state, done = self._stream.get_context_state(None), self.state().done
        if done is None:
            state.pop("replication_key", None)
            state.pop("replication_key_value", None)
        else:
            state["replication_key"] = self._stream.replication_key
            state["replication_key_value"] = done
        self._stream.flush()

    def plan(self) -> Plan:
        """Find out what to read, and what to remove."""
        stream, state, tip = self._stream, self.state(), self._stream.tip()
        if tip is None and not stream.may_be_empty:
            if state.done is not None:
                stream.logger.warning("%s: the source shows no block at all; waiting.", stream.name)
            return Plan()
        tip = tip or Tip(-1, None)
        stream.blocks.compare(state, tip)
        settled = max(tip.height - stream.settings.finality[stream.chain], -1 if state.done is None else state.done)
        wanted = self.lowest(state)
        wanted = tip.height + 1 if wanted is None else wanted
        first, last = self.resume(state, wanted), tip.height
        if stream.settings.end is not None:
            end = stream.blocks.block_at(f"..{stream.settings.end}", "desc")
            last = -1 if end is None else min(last, end)
        unsettled = state.unsettled
        emptied = Heights(first, max(first, unsettled.last)) if unsettled and first > tip.height else None
        below = state.gaps(wanted, min(first - 1, last))
        top = Heights(first, last) if first <= last else None
        return Plan(top, tuple(below), emptied, tip, settled)

    def resume(self, state: HeightState, wanted: int) -> int:
        """Find the height where reading goes on at the top, by a state that was compared with the chain.

        What is missing below, from the lowest height wanted on, is read besides.
        """
        if state.done is None:
            return min(state.unsettled.first, wanted) if state.unsettled else wanted
        return state.unsettled.first if state.unsettled else state.done + 1

    def lowest(self, state: HeightState) -> int | None:
        """Find the lowest height wanted, which the state may hold; None where the chain has not come so far."""
        start = self.start(state)
        day, known = (start.isoformat() if start else None), state.since
        if known and known[0] == day and state.done is not None and known[1] <= state.done:
            return known[1]
        height = self._first(start)
        if height is not None:
            state.since = (day, height)
        return height

    def start(self, state: HeightState) -> date | None:
        """Give the first day wanted, or None for all of the chain."""
        del state
        return self._stream.settings.start

    def anchors(self, plan: Plan, span: Heights) -> list[int]:
        """Choose the blocks of a range whose hashes are to be noted."""
        return [plan.settled] if span.first <= plan.settled <= span.last else []

    def _first(self, start: date | None) -> int | None:
        return self._stream.bottom() if start is None else self._stream.blocks.block_at(f"{start}..", "asc")


class Blocks:
    """Questions about single blocks; they carry no parent's hash, so only their own shows whether the chain changed."""

    def __init__(self, stream: HeightStream) -> None:
        self._stream = stream
        self.hashes: dict[int, str] = {}
        """The hashes that were noted, by height."""

    def block_at(self, time: str, direction: str) -> int | None:
        """Find the height of a block by time, a range of days open at one end; None where there is no such block.

        The first block of the range is asked for by the direction `asc`, the last one by `desc`.

        Raises:
            FatalAPIError: The API gives a block of another time.
        """
        rows = self._stream.ask("blocks", q=f"time({time})", s=f"id({direction})", limit=1).rows("id", texts=("time",))
        if not rows:
            return None
        first, _, last = time.partition("..")
        # A filter that was not understood would let the tap read the whole chain, or leave out its end.
        if not first <= rows[0]["time"][:10] <= (last or "9"):
            raise FatalAPIError(
                f"{self._stream.name}: asked for a block of the time {time}, the API gave one of {rows[0]['time']}. "
                "Nothing was taken and the bookmark stays where it was; run again later.",
            )
        return int(rows[0]["id"])

    def note(self, heights: Sequence[int]) -> None:
        """Note blocks' hashes before the rows are read, so that a later change cannot go unnoticed."""
        for height in heights:
            if height not in self.hashes and (found := self.hash_of(height)):
                self.hashes[height] = found

    def hash_of(self, height: int) -> str | None:
        """Ask for a block's hash, as the API writes it; None where there is no such block."""
        rows = self._stream.ask("blocks", q=f"id({height})", limit=1).rows(texts=("hash",))
        return str(rows[0]["hash"]) if rows else None

    def compare(self, state: HeightState, tip: Tip) -> None:
        """Cut the state back to where the chain still is the one that was loaded.

        A settled block that has another hash shows a reorganisation deeper than `finality`. One that is not there any
        more shows a chain that became shorter, or a source that lags: what lies above its end goes, and is read again
        when it is back. Whether the rest still stands shows by older blocks, or else when the chain has grown so high
        again.
        """
        done, anchors = state.done, state.anchors
        other = gone = False
        for height, known in reversed(anchors):
            found = self.hash_of(height)
            if found == known:
                if other or gone:
                    state.cut(height)
                    self._report(done, height + 1)
                return
            other, gone = other or found is not None, gone or found is None
        if other or (gone and self._stream.is_cheap):
            state.cut(None)
            self._report(done, None)
        elif gone and done is not None and done > tip.height:
            state.cut(tip.height, keep_anchors=True)
            self._report(done, tip.height + 1)

    def _report(self, done: int | None, first: int | None) -> None:
        self._stream.logger.warning(
            "%s: the chain is another at the settled height %s; reading again from %s.",
            self._stream.name,
            done,
            "the beginning" if first is None else f"height {first}",
        )
