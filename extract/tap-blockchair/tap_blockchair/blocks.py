"""The API's blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_blockchair.client import PAGE
from tap_blockchair.heights import HeightStream, Tip
from tap_blockchair.state import Heights

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal


class BlocksStream(HeightStream):
    """Blocks, in closed ranges that end at full hundreds, so that the same blocks come in the same slices."""

    replication_key = "id"
    may_be_empty = False
    notes_hashes = False

    @override
    def read(self, span: Heights) -> Iterator[tuple[Heights, Sequence[dict[str, Any]]]]:
        first = span.first
        while first <= span.last:
            asked = Heights(first, min(first - first % PAGE + PAGE - 1, span.last))
            rows = self.ask(q=f"id({asked.first}..{asked.last})", s="id(asc)", limit=PAGE).rows("id")
            self._check(asked, [row["id"] for row in rows])
            wanted = {min(asked.last, self._plan.settled)}
            self.blocks.hashes = {row["id"]: str(row.get("hash")) for row in rows if row["id"] in wanted}
            yield asked, rows
            first = asked.last + 1

    @override
    def tip(self) -> Tip | None:
        rows = self.ask(s="id(desc)", limit=1).rows("id")
        return Tip(rows[0]["id"], str(rows[0].get("hash"))) if rows else None

    @override
    def bottom(self) -> int | None:
        rows = self.ask(s="id(asc)", limit=1).rows("id")
        return rows[0]["id"] if rows else None

    @override
    def added(self, row: dict[str, Any], position: int) -> dict[str, Any]:
        return {"is_settled": row["id"] <= self._plan.settled}

    @override
    def points_left(self) -> Decimal:
        return self.cost_of_page(1) * sum((last - first) // PAGE + 1 for first, last in self._left)

    def _check(self, asked: Heights, found: list[Any]) -> None:
        missing = sorted(set(range(asked.first, asked.last + 1)) - set(found))
        if missing or found != sorted(set(found)) or len(found) != asked.last - asked.first + 1:
            raise FatalAPIError(
                f"{self.name}: asked for the blocks {asked.first} to {asked.last}, got {len(found)} rows"
                f"{f', block {missing[0]} is missing' if missing else ''}. Nothing of this range was taken and the "
                "bookmark stays before it; run again later.",
            )
