"""What the API's tables by height share: what is due, units, bookmarks, reorganisations."""

from __future__ import annotations

from abc import abstractmethod
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_blockchair.bookmarks import HeightBook, Heights, Unsettled
from tap_blockchair.client import ApiStream
from tap_blockchair.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from singer_sdk.helpers.types import Context

NOTHING = Heights(0, -1)


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
    """

    top: Heights | None = None
    below: tuple[Heights, ...] = ()
    emptied: Heights | None = None

    @property
    def spans(self) -> list[Heights]:
        """All ranges to read, in order: the newest rows first."""
        return [*([self.top] if self.top else []), *self.below]


class HeightStream(ApiStream):
    """A table read in ascending ranges of heights, bookmarked by the settled heights that are complete."""

    _filters = 1
    """How many filters the query of a page has."""
    is_sorted = True
    may_be_empty = True
    """Whether the table can lose its last row; a chain cannot."""
    is_cheap = False
    """Whether reading all again that is wanted costs so little that doubt is reason enough."""
    _settled = -1
    _tip = Tip(-1, None)
    _span = NOTHING
    _done = -1

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (a stream's)
        super().__init__(*args, **kwargs)
        self._plan = Plan()
        self._left: list[Heights] = []
        self._hashes: dict[int, str] = {}

    @property
    def height(self) -> str:
        """The column that holds the height by which rows are read and replaced."""
        return "id"

    @override
    def collect(self, context: Context | None) -> Iterable[dict[str, Any]]:
        self._left, self._hashes = [], {}
        self._plan = plan = self.plan()
        if plan.emptied:
            self._empty(plan.emptied)
        elif not plan.spans:
            self.logger.info("%s: nothing new.", self.name)
        self._left = plan.spans
        for span in plan.spans:
            self._span, self._done = span, span.first - 1
            self.note(self._anchored(span))
            for heights, rows in self.read(span):
                yield from self._unit_of(heights, rows)
                # The generator goes on only after the last row was written, so from here on the range counts.
                self._complete(heights)

    @abstractmethod
    def read(self, span: Heights) -> Iterator[tuple[Heights, Sequence[dict[str, Any]]]]:
        """Read the table.

        Args:
            span: The heights wanted.

        Returns:
            Adjoining ranges from the first height to the last, each with all its rows in chain order. A range without
            rows is given too.
        """

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

    @abstractmethod
    def added(self, row: dict[str, Any], position: int) -> dict[str, Any]:
        """Give the columns that the tap adds to a row.

        Args:
            row: As the API gave it.
            position: Its place in the unit, from 1 on, by Blockchair's own order.

        Returns:
            Columns and values.
        """

    @abstractmethod
    def points_left(self) -> Decimal:
        """Estimate what is left of a run.

        Returns:
            Points.
        """

    @override
    def price(self) -> tuple[int, Decimal]:
        points = Decimal(0)
        for span in self.plan().spans:
            self._span, self._left, self._done = span, [span], span.first - 1
            self.look_ahead(span)
            points += self.points_left()
        return int(points // self.cost_of_page(self._filters)), points

    def look_ahead(self, span: Heights) -> None:
        """Find out what `points_left` needs to know.

        Args:
            span: The heights that are due.
        """

    @override
    def left(self) -> str:
        if not self._left:
            return f"its {self.table_name}, from where the bookmark stands"
        points = self.points_left().quantize(1).normalize()
        heights = " and ".join(f"{first} to {last}" for first, last in self._left)
        return f"the {self.table_name} of heights {heights}, about {points:f} points"

    def _unit_of(self, heights: Heights, rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        name = self._unit_name(heights)
        # Before the unit is announced: a row may bring a new column, whose SCHEMA must not fall into the unit.
        records = [self.canonical(row, name, **self.added(row, place)) for place, row in enumerate(rows, 1)]
        # A reorganisation may have made the chain shorter, so whatever lies above the tip is replaced too.
        self._open(heights, None if heights.last == self._tip.height else heights.last, len(records))
        yield from records

    def _empty(self, heights: Heights) -> None:
        """Let the rows go that a reorganisation has taken from the top, where nothing has come in their place."""
        self.logger.warning(
            "%s: it ends at height %d now; what was sent from %d on is taken back.",
            self.name,
            self._tip.height,
            heights.first,
        )
        self._open(heights, None, 0)
        self.book().unsettled = None
        self.keep()

    def _open(self, heights: Heights, last: int | None, rows: int) -> None:
        name = self._unit_name(heights)
        constants = {"_channel": "api", "_unit": name}
        self.open_unit(Unit.of_heights(name, self.height, heights.first, last, rows=rows, constants=constants))

    def _unit_name(self, heights: Heights) -> str:
        return f"{self.chain}/{self.table_name}/heights/{heights.first}-{heights.last}"

    def _complete(self, heights: Heights) -> None:
        self._done, book, settled = heights.last, self.book(), min(heights.last, self._settled)
        rest = Heights(heights.last + 1, self._left[0].last)
        self._left[:1] = [rest] if rest.first <= rest.last else []
        if self._span != self._plan.top:
            book.add(heights)
        else:
            top = None
            if heights.last == self._tip.height:
                known = self._tip.hash or self._hashes.get(heights.last)
                top = Unsettled(max(self._span.first, self._settled + 1), heights.last, known)
            book.complete(heights, self._span.first, self._settled, top)
            if found := self._hashes.get(settled):
                book.anchor(settled, found)
        self.keep()

    def keep(self) -> None:
        """Bring the bookmark to where the SDK and people look for it, and send the state."""
        state, done = self.get_context_state(None), self.book().done
        if done is None:
            state.pop("replication_key", None)
            state.pop("replication_key_value", None)
        else:
            state["replication_key"] = self.replication_key
            state["replication_key_value"] = done
        self.flush()

    def book(self) -> HeightBook:
        """Give the bookmark.

        A state of the first release had the highest height only; where it began is then taken from `start_date`.
        """
        done, state = self.bookmark(), self.get_context_state(None)
        anchors = state.pop("anchors", None) or []
        if done is not None and "heights" not in state:
            state["heights"] = {"anchors": anchors, "unsettled": [int(done) + 1, int(done) + 1, None]}
            book = HeightBook(state["heights"])
            book.add(Heights(min(self._first(self.settings.start) or 0, int(done)), int(done)))
        return HeightBook(state.setdefault("heights", {}))

    def plan(self) -> Plan:
        """Find out what is due.

        Returns:
            What to read, and what to take back.
        """
        book, tip = self.book(), self.tip()
        if tip is None and not self.may_be_empty:
            if book.done is not None:
                self.logger.warning("%s: the source shows no block at all; waiting.", self.name)
            return Plan()
        self._tip = tip = tip or Tip(-1, None)
        self._verify(book)
        self._settled = max(tip.height - self.settings.finality[self.chain], -1 if book.done is None else book.done)
        wanted = self.lowest(book)
        wanted = tip.height + 1 if wanted is None else wanted
        first, last = self.resume(book, wanted), tip.height
        if self.settings.end is not None:
            end = self._block_at(f"..{self.settings.end}", "desc")
            last = -1 if end is None else min(last, end)
        emptied = Heights(first, max(first, book.unsettled.last)) if book.unsettled and first > tip.height else None
        below = book.gaps(wanted, min(first - 1, last))
        return Plan(Heights(first, last) if first <= last else None, tuple(below), emptied)

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
        return self.settings.start

    def _first(self, start: date | None) -> int | None:
        return self.bottom() if start is None else self._block_at(f"{start}..", "asc")

    def _block_at(self, time: str, direction: str) -> int | None:
        rows = self.ask("blocks", q=f"time({time})", s=f"id({direction})", limit=1).rows("id", texts=("time",))
        if not rows:
            return None
        first, _, last = time.partition("..")
        # A filter that was not understood would let the tap walk the whole chain, or leave out its end.
        if not first <= rows[0]["time"][:10] <= (last or "9"):
            raise FatalAPIError(
                f"{self.name}: asked for a block of the time {time}, the API gave one of {rows[0]['time']}. "
                "Nothing was taken and the bookmark stays where it was; run again later.",
            )
        return int(rows[0]["id"])

    # Blocks carry no parent's hash, so whether what was loaded is still on the chain shows only by comparing hashes.

    def note(self, heights: Sequence[int]) -> None:
        """Note blocks' hashes before the rows are read, so that a later change cannot go unnoticed.

        Args:
            heights: Which blocks.
        """
        for height in heights:
            if height not in self._hashes and (found := self.hash_of(height)):
                self._hashes[height] = found

    def _anchored(self, span: Heights) -> list[int]:
        return [self._settled] if span.first <= self._settled <= span.last else []

    def hash_of(self, height: int) -> str | None:
        """Ask for a block's hash.

        Args:
            height: The block.

        Returns:
            The hash as the API writes it, or None where there is no such block.
        """
        rows = self.ask("blocks", q=f"id({height})", limit=1).rows(texts=("hash",))
        return str(rows[0]["hash"]) if rows else None

    def _verify(self, book: HeightBook) -> None:
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
                    self._tell_of_reorganisation(done, height + 1)
                return
            other, gone = other or found is not None, gone or found is None
        if other or (gone and self.is_cheap):
            book.cut(None)
            self._tell_of_reorganisation(done, None)
        elif gone and done is not None and done > self._tip.height:
            book.cut(self._tip.height, keep_anchors=True)
            self._tell_of_reorganisation(done, self._tip.height + 1)

    def _tell_of_reorganisation(self, done: int | None, first: int | None) -> None:
        self.logger.warning(
            "%s: the chain is another at the settled height %s; reading again from %s.",
            self.name,
            done,
            "the beginning" if first is None else f"height {first}",
        )
