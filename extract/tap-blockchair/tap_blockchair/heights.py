"""What the API's tables by height share: reading what is due, in units, each counted when it is complete."""

from __future__ import annotations

from abc import abstractmethod
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_blockchair.bookmarks import Heights, Unsettled
from tap_blockchair.plans import HeightTable, Plan, Planner
from tap_blockchair.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from singer_sdk.helpers.types import Context

NOTHING = Heights(0, -1)


class HeightStream(HeightTable):
    """A table read in ascending ranges of heights, bookmarked by the settled heights that are complete."""

    _filters = 1
    """How many filters the query of a page has."""
    is_sorted = True
    height = "id"
    """The column that holds the height by which rows are read and replaced."""
    notes_hashes = True
    """Whether blocks are asked for their hashes; the rows of a table of blocks have them."""
    planner_class = Planner
    _span = NOTHING
    _done = -1

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 (a stream's)
        super().__init__(*args, **kwargs)
        self.planner = self.planner_class(self)
        self._plan = Plan()
        self._left: list[Heights] = []

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
        for span in self.planner.plan().spans:
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
        self._open(heights, None if heights.last == self._plan.tip.height else heights.last, len(records))
        yield from records

    def _empty(self, heights: Heights) -> None:
        """Let the rows go that a reorganisation has taken from the top, where nothing has come in their place."""
        self.logger.warning(
            "%s: it ends at height %d now; what was sent from %d on is taken back.",
            self.name,
            self._plan.tip.height,
            heights.first,
        )
        self._open(heights, None, 0)
        self.planner.book().unsettled = None
        self.planner.keep()

    def _open(self, heights: Heights, last: int | None, rows: int) -> None:
        name = self._unit_name(heights)
        constants = {"_channel": "api", "_unit": name}
        self.open_unit(Unit.of_heights(name, self.height, heights.first, last, rows=rows, constants=constants))

    def _unit_name(self, heights: Heights) -> str:
        return f"{self.chain}/{self.table_name}/heights/{heights.first}-{heights.last}"

    def _complete(self, heights: Heights) -> None:
        self._done, book, settled = heights.last, self.planner.book(), min(heights.last, self._plan.settled)
        rest = Heights(heights.last + 1, self._left[0].last)
        self._left[:1] = [rest] if rest.first <= rest.last else []
        if self._span != self._plan.top:
            book.add(heights)
        else:
            top = None
            if heights.last == self._plan.tip.height:
                known = self._plan.tip.hash or self.blocks.hashes.get(heights.last)
                top = Unsettled(max(self._span.first, self._plan.settled + 1), heights.last, known)
            book.complete(heights, self._span.first, self._plan.settled, top)
            if found := self.blocks.hashes.get(settled):
                book.anchor(settled, found)
        self.planner.keep()
