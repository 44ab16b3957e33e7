"""What the API's tables by height share, and blocks: what is due, units, bookmarks, reorganisations."""

from __future__ import annotations

from abc import abstractmethod
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_blockchair.client import PAGE, ApiStream
from tap_blockchair.units import Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from singer_sdk.helpers.types import Context, Record

ANCHORS = 10
"""How many settled blocks' hashes the state keeps, to notice a reorganisation deeper than `finality`."""


class Heights(NamedTuple):
    """A closed range of block heights."""

    first: int
    last: int


NOTHING = Heights(0, -1)


class HeightStream(ApiStream):
    """A table read in ascending ranges of heights, bookmarked by the highest settled height that is complete."""

    is_sorted = True
    _settled = -1
    _tip = -1
    _span = NOTHING
    _done = -1

    @property
    def height(self) -> str:
        """The column that holds the height by which rows are read and replaced."""
        return "id"

    @override
    def collect(self, context: Context | None) -> Iterable[dict[str, Any]]:
        self._span = NOTHING
        self._span = self._due()
        self._done = self._span.first - 1
        if self._span.first > self._span.last:
            self.logger.info("%s: nothing new.", self.name)
            return
        for heights, rows in self.read(self._span):
            yield from self._unit_of(heights, rows)
            # The generator goes on only after the last row was written, so from here on the range counts.
            self._complete(heights.last)

    @abstractmethod
    def read(self, span: Heights) -> Iterator[tuple[Heights, Sequence[dict[str, Any]]]]:
        """Read the table.

        Args:
            span: The heights wanted.

        Returns:
            Adjoining ranges from the first height to the last, each with all its rows in chain order. A range without
            rows is given too.
        """

    def bottom(self) -> int | None:
        """Find where a table begins of which everything is wanted.

        Returns:
            0 where rows are few and far between: the first one known may be gone after a reorganisation.
        """
        return 0

    @abstractmethod
    def edge(self, direction: str) -> int | None:
        """Ask for the table's own first or last height.

        `context.state` is not asked: it may run ahead of the table or come from a cache.

        Args:
            direction: `asc` for the lowest, `desc` for the highest.

        Returns:
            The height, or None where the table is empty.
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
        """Estimate what the heights after the last complete one cost.

        Returns:
            Points.
        """

    @override
    def price(self) -> tuple[int, Decimal]:
        self._span = span = self._due()
        if span.first > span.last:
            return 0, Decimal(0)
        self._done = span.first - 1
        self.look_ahead(span)
        points = self.points_left()
        return int(points // self.cost_of_page(1)), points

    def look_ahead(self, span: Heights) -> None:
        """Find out what `points_left` needs to know.

        Args:
            span: The heights that are due.
        """

    @override
    def left(self) -> str:
        if self._span.first > self._span.last:
            return f"its {self.table_name}, from where the bookmark stands"
        points = self.points_left().quantize(1).normalize()
        return f"the {self.table_name} of heights {self._done + 1} to {self._span.last}, about {points:f} points"

    def _unit_of(self, heights: Heights, rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        name = f"{self.chain}/{self.table_name}/heights/{heights.first}-{heights.last}"
        # Before the unit is announced: a row may bring a new column, whose SCHEMA must not fall into the unit.
        records = [self.canonical(row, name, **self.added(row, place)) for place, row in enumerate(rows, 1)]
        # A reorganisation may have made the chain shorter, so whatever lies above the tip is replaced too.
        stop = None if heights.last == self._tip else heights.last + 1
        self.open_unit(Unit(name, self.height, heights.first, stop, rows=len(records)))
        yield from records

    def _complete(self, last: int) -> None:
        self._done = last
        state = self.get_context_state(None)
        settled = min(last, self._settled)
        if settled >= self._span.first:
            state["replication_key"] = self.replication_key
            state["replication_key_value"] = settled
            if settled == self._settled and (found := self.anchor(settled)):
                older = [pair for pair in state.get("anchors") or [] if pair[0] < settled]
                state["anchors"] = [*older, [settled, found]][-ANCHORS:]
        self.state_manager.is_flushed = False
        self._write_state_message()

    @override
    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        """Leave the bookmark alone: a row says that its range has begun, not that it is complete."""

    def _due(self) -> Heights:
        tip = self.edge("desc")
        if tip is None:
            return NOTHING
        self._tip, self._settled = tip, tip - self.settings.finality[self.chain]
        done = self.bookmark()
        if done is not None and tip < int(done):
            self.logger.warning(
                "%s: the source is at height %d, behind the bookmark %s; waiting.", self.name, tip, done
            )
            return NOTHING
        agreed = None if done is None else self._agreed(int(done))
        first = self._first() if agreed is None else agreed + 1
        last = tip if self.settings.end is None else self._block_at(f"..{self.settings.end}", "desc")
        if first is None or last is None:
            return NOTHING
        span = Heights(first, min(last, tip))
        if span.last >= self._settled >= span.first:
            self.prepare_anchor(self._settled)
        return span

    def _first(self) -> int | None:
        start = self.settings.start
        return self.bottom() if start is None else self._block_at(f"{start}..", "asc")

    def _block_at(self, time: str, direction: str) -> int | None:
        rows = self.ask("blocks", q=f"time({time})", s=f"id({direction})", limit=1).rows
        return int(rows[0]["id"]) if rows else None

    # Blocks carry no parent's hash, so whether what was loaded is still on the chain shows only by comparing hashes.

    def prepare_anchor(self, height: int) -> None:
        """Note the settled block's hash before the rows are read, so that a later change cannot go unnoticed."""

    @abstractmethod
    def anchor(self, height: int) -> str | None:
        """Give the hash of a block that was just completed.

        Args:
            height: The settled height.

        Returns:
            Its hash.
        """

    def hash_of(self, height: int) -> str | None:
        """Ask for a block's hash.

        Args:
            height: The block.

        Returns:
            The hash as the API writes it, or None where there is no such block.
        """
        rows = self.ask("blocks", q=f"id({height})", limit=1).rows
        return str(rows[0]["hash"]) if rows else None

    def _agreed(self, done: int) -> int | None:
        """Find the highest height up to which this chain is the one that was loaded.

        Returns:
            The bookmark; after a reorganisation deeper than `finality` a lower height, or None for the beginning.
        """
        state = self.get_context_state(None)
        anchors = state.get("anchors") or []
        for newest, (height, known) in enumerate(reversed(anchors)):
            if self.hash_of(height) == known:
                if not newest:
                    return done
                state["replication_key_value"], state["anchors"] = height, anchors[: len(anchors) - newest]
                self._tell_of_reorganisation(done, height + 1)
                return int(height)
        if not anchors:
            return done
        state["anchors"] = []
        state.pop("replication_key_value")
        self._tell_of_reorganisation(done, None)
        return None

    def _tell_of_reorganisation(self, done: int, first: int | None) -> None:
        self.logger.warning(
            "%s: the chain was reorganised below the settled height %d; reading again from %s.",
            self.name,
            done,
            "the beginning" if first is None else f"height {first}",
        )


class BlocksStream(HeightStream):
    """Blocks, in closed ranges that end at full hundreds, so that the same blocks come in the same units."""

    replication_key = "id"
    _hash: str | None = None

    @override
    def read(self, span: Heights) -> Iterator[tuple[Heights, Sequence[dict[str, Any]]]]:
        first = span.first
        while first <= span.last:
            asked = Heights(first, min(first - first % PAGE + PAGE - 1, span.last))
            rows = self.ask(q=f"id({asked.first}..{asked.last})", s="id(asc)", limit=PAGE).rows
            self._check(asked, [row.get("id") for row in rows])
            self._hash = next((str(row.get("hash")) for row in rows if row["id"] == self._settled), None)
            yield asked, rows
            first = asked.last + 1

    @override
    def edge(self, direction: str) -> int | None:
        rows = self.ask(s=f"id({direction})", limit=1).rows
        return int(rows[0]["id"]) if rows else None

    @override
    def bottom(self) -> int | None:
        return self.edge("asc")

    @override
    def added(self, row: dict[str, Any], position: int) -> dict[str, Any]:
        return {"is_settled": row["id"] <= self._settled}

    @override
    def anchor(self, height: int) -> str | None:
        return self._hash

    @override
    def points_left(self) -> Decimal:
        return self.cost_of_page(1) * ((self._span.last - self._done - 1) // PAGE + 1)

    def _check(self, asked: Heights, found: list[Any]) -> None:
        missing = sorted(set(range(asked.first, asked.last + 1)) - set(found))
        if missing or found != sorted(set(found)) or len(found) != asked.last - asked.first + 1:
            raise FatalAPIError(
                f"{self.name}: asked for the blocks {asked.first} to {asked.last}, got {len(found)} rows"
                f"{f', block {missing[0]} is missing' if missing else ''}. Nothing of this range was taken and the "
                "bookmark stays before it; run again later.",
            )
