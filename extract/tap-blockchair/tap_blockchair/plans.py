"""What is due of a table that is read by heights, and whether the chain still is the one that was loaded."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

from singer_sdk.exceptions import FatalAPIError

from tap_blockchair.bookmarks import HeightBook, Heights
from tap_blockchair.client import ApiStream

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date


class Tip(NamedTuple):
    """A table's highest row.

    Attributes:
        height: Its height.
        hash: The block's hash, where the row has it.
    """

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


class HeightTable(ApiStream):
    """A table whose rows belong to heights."""

    may_be_empty = True
    """Whether the table can lose its last row; a chain cannot."""
    is_cheap = False
    """Whether reading all again that is wanted costs so little that doubt is reason enough."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (a stream's)
        super().__init__(*args, **kwargs)
        self.blocks = Blocks(self)

    @abstractmethod
    def bottom(self) -> int | None:
        """Find where a table begins of which everything is wanted.

        Returns:
            0 where rows are few and far between: the first one known may be gone after a reorganisation.
        """

    @abstractmethod
    def tip(self) -> Tip | None:
        """Ask for the table's own highest row.

        `context.state` is not asked: it may run ahead of the table or come from a cache.

        Returns:
            What it says, or None where the table is empty.
        """


class Blocks:
    """Questions about single blocks; they carry no parent's hash, so only their own shows whether the chain changed.

    Args:
        stream: The table that asks.
    """

    def __init__(self, stream: HeightTable) -> None:
        self._stream = stream
        self.hashes: dict[int, str] = {}
        """The hashes that were noted, by height."""

    def block_at(self, time: str, direction: str) -> int | None:
        """Find a block by time.

        Args:
            time: A range of days as the API writes it, open at one end.
            direction: `asc` for its first block, `desc` for its last.

        Returns:
            The height, or None where there is no such block.

        Raises:
            FatalAPIError: If the API gives a block of another time.
        """
        rows = self._stream.ask("blocks", q=f"time({time})", s=f"id({direction})", limit=1).rows("id", texts=("time",))
        if not rows:
            return None
        first, _, last = time.partition("..")
        # A filter that was not understood would let the tap walk the whole chain, or leave out its end.
        if not first <= rows[0]["time"][:10] <= (last or "9"):
            raise FatalAPIError(
                f"{self._stream.name}: asked for a block of the time {time}, the API gave one of {rows[0]['time']}. "
                "Nothing was taken and the bookmark stays where it was; run again later.",
            )
        return int(rows[0]["id"])

    def note(self, heights: Sequence[int]) -> None:
        """Note blocks' hashes before the rows are read, so that a later change cannot go unnoticed.

        Args:
            heights: Which blocks.
        """
        for height in heights:
            if height not in self.hashes and (found := self.hash_of(height)):
                self.hashes[height] = found

    def hash_of(self, height: int) -> str | None:
        """Ask for a block's hash.

        Args:
            height: The block.

        Returns:
            The hash as the API writes it, or None where there is no such block.
        """
        rows = self._stream.ask("blocks", q=f"id({height})", limit=1).rows(texts=("hash",))
        return str(rows[0]["hash"]) if rows else None

    def compare(self, book: HeightBook, tip: Tip) -> None:
        """Cut the bookmark back to where the chain still is the one that was loaded.

        A settled block that has another hash tells of a reorganisation deeper than `finality`. One that is not there
        any more tells of a chain that became shorter, or of a source that lags: what lies above its end goes, and is
        read again when it is back. Whether the rest still stands shows by older blocks, or else when the chain has
        grown so high again.
        """
        done, anchors = book.done, book.anchors
        other = gone = False
        for height, known in reversed(anchors):
            found = self.hash_of(height)
            if found == known:
                if other or gone:
                    book.cut(height)
                    self._tell(done, height + 1)
                return
            other, gone = other or found is not None, gone or found is None
        if other or (gone and self._stream.is_cheap):
            book.cut(None)
            self._tell(done, None)
        elif gone and done is not None and done > tip.height:
            book.cut(tip.height, keep_anchors=True)
            self._tell(done, tip.height + 1)

    def _tell(self, done: int | None, first: int | None) -> None:
        self._stream.logger.warning(
            "%s: the chain is another at the settled height %s; reading again from %s.",
            self._stream.name,
            done,
            "the beginning" if first is None else f"height {first}",
        )


class Planner:
    """Finds out what is due, and keeps the bookmark.

    Args:
        stream: The table.
    """

    def __init__(self, stream: HeightTable) -> None:
        self._stream = stream

    def book(self) -> HeightBook:
        """Give the bookmark.

        A state of the first release had the highest height only; where it began is then taken from `start_date`.
        """
        done, state = self._stream.bookmark(), self._stream.get_context_state(None)
        anchors = state.pop("anchors", None) or []
        if done is not None and "heights" not in state:
            state["heights"] = {"anchors": anchors, "unsettled": [int(done) + 1, int(done) + 1, None]}
            book = HeightBook(state["heights"])
            book.add(Heights(min(self._first(self._stream.settings.start) or 0, int(done)), int(done)))
        return HeightBook(state.setdefault("heights", {}))

    def keep(self) -> None:
        """Bring the bookmark to where the SDK and people look for it, and send the state."""
        state, done = self._stream.get_context_state(None), self.book().done
        if done is None:
            state.pop("replication_key", None)
            state.pop("replication_key_value", None)
        else:
            state["replication_key"] = self._stream.replication_key
            state["replication_key_value"] = done
        self._stream.flush()

    def plan(self) -> Plan:
        """Find out what is due.

        Returns:
            What to read, and what to take back.
        """
        book, tip = self.book(), self._stream.tip()
        if tip is None and not self._stream.may_be_empty:
            if book.done is not None:
                self._stream.logger.warning("%s: the source shows no block at all; waiting.", self._stream.name)
            return Plan()
        tip = tip or Tip(-1, None)
        self._stream.blocks.compare(book, tip)
        settled = max(
            tip.height - self._stream.settings.finality[self._stream.chain], -1 if book.done is None else book.done
        )
        wanted = self.lowest(book)
        wanted = tip.height + 1 if wanted is None else wanted
        first, last = self.resume(book, wanted), tip.height
        if self._stream.settings.end is not None:
            end = self._stream.blocks.block_at(f"..{self._stream.settings.end}", "desc")
            last = -1 if end is None else min(last, end)
        emptied = Heights(first, max(first, book.unsettled.last)) if book.unsettled and first > tip.height else None
        below = book.gaps(wanted, min(first - 1, last))
        top = Heights(first, last) if first <= last else None
        return Plan(top, tuple(below), emptied, tip, settled)

    def resume(self, book: HeightBook, wanted: int) -> int:
        """Find where reading goes on at the top.

        Args:
            book: The bookmark, compared with the chain.
            wanted: The lowest height wanted.

        Returns:
            The height; what is missing below is read besides.
        """
        if book.done is None:
            return min(book.unsettled.first, wanted) if book.unsettled else wanted
        return book.unsettled.first if book.unsettled else book.done + 1

    def lowest(self, book: HeightBook) -> int | None:
        """Find the lowest height wanted.

        Args:
            book: The bookmark, which may know it.

        Returns:
            The height, or None where the chain has not come so far.
        """
        start = self.start(book)
        day, known = (start.isoformat() if start else None), book.since
        if known and known[0] == day and book.done is not None and known[1] <= book.done:
            return known[1]
        height = self._first(start)
        if height is not None:
            book.since = (day, height)
        return height

    def start(self, book: HeightBook) -> date | None:
        """Give the first day wanted, or None for all of the chain.

        Args:
            book: The bookmark.
        """
        del book
        return self._stream.settings.start

    def anchors(self, plan: Plan, span: Heights) -> list[int]:
        """Choose the blocks of a range whose hashes are to be noted.

        Args:
            plan: What the run has to do.
            span: The range.
        """
        return [plan.settled] if span.first <= plan.settled <= span.last else []

    def _first(self, start: date | None) -> int | None:
        return self._stream.bottom() if start is None else self._stream.blocks.block_at(f"{start}..", "asc")
