"""The API's big tables, walked by an ascending keyset below an upper fence (offsets end at 10,000 rows)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_blockchair.bookmarks import Heights
from tap_blockchair.chains import CHAINS
from tap_blockchair.client import PAGE
from tap_blockchair.heights import HeightStream
from tap_blockchair.plans import Tip
from tap_blockchair.schemas import api_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from singer_sdk import Tap

    from tap_blockchair.client import Answer
    from tap_blockchair.quota import Quota
    from tap_blockchair.settings import Settings


@dataclass(frozen=True)
class Walk:
    """How a table is walked.

    Attributes:
        path: The table below the chain's path.
        height: The column with the block's height.
        cursor: The column that pages go by, which grows along the chain.
        within: The order of rows with the same cursor; None where the cursor is unique.
        spent_side: Whether only outputs that are spent in a block count.
    """

    path: str
    height: str
    cursor: str
    within: str | None = None
    spent_side: bool = False


_UTXO = {
    "transactions": Walk("transactions", "block_id", "id"),
    "outputs": Walk("outputs", "block_id", "transaction_id", "index"),
    # The API has no table of inputs; an input is the spending side of an output.
    "inputs": Walk("outputs", "spending_block_id", "spending_transaction_id", "spending_index", spent_side=True),
}
_EVM = {
    "transactions": Walk("transactions", "block_id", "id"),
    "calls": Walk("calls", "block_id", "transaction_id", "index"),
    "uncles": Walk("uncles", "parent_block_id", "parent_block_id", "index"),
    "erc20_transactions": Walk("erc-20/transactions", "block_id", "id"),
    "erc20_tokens": Walk("erc-20/tokens", "creating_block_id", "creating_block_id", "id"),
}

# Blockchair's own numbers serve for paging and order only: they may change, and dumps lack them. The rest of the list
# is the other half of an `outputs` row, which belongs to `inputs`.
_INTERNAL = frozenset({"id", "transaction_id", "spending_transaction_id", "is_spent", "lifespan", "cdd"})


def walks(chain: str) -> dict[str, Walk]:
    """Name the tables of a chain that are walked.

    Args:
        chain: Blockchair's path name of the chain.

    Returns:
        How to walk each, by the stream's table name.
    """
    return _EVM if CHAINS[chain].is_evm else _UTXO


class WalkStream(HeightStream):
    """A table of rows below blocks, read in units of whole blocks."""

    _rows_left = 0

    def __init__(self, tap: Tap, *, chain: str, table_name: str, settings: Settings, quota: Quota) -> None:
        self.walk = walks(chain)[table_name]
        table = api_table(chain, table_name)
        super().__init__(tap, chain=chain, table_name=table_name, table=table, settings=settings, quota=quota)
        self.path = f"/{chain}/{self.walk.path}"
        self.replication_key = self.height = self.walk.height
        self._filters = 1 if self.walk.cursor == self.walk.height else 2
        columns = {column.name for column in table.columns}
        spending = {column.name for column in api_table(chain, "inputs").columns} if table_name == "outputs" else set()
        self.ignored = (_INTERNAL | spending) - columns

    @override
    def tip(self) -> Tip | None:
        fence = {"q": f"{self.height}(0..)"} if self.walk.spent_side else {}
        rows = self.ask(s=f"{self.walk.cursor}(desc)", limit=1, **fence).rows(self.height)
        return Tip(rows[0][self.height], None) if rows else None

    @override
    def bottom(self) -> int:
        return 0

    @override
    def added(self, row: dict[str, Any], position: int) -> dict[str, Any]:
        # The order of rows is Blockchair's id, which the canonical form lacks: their place in the unit keeps it.
        return {"_line": position}

    @override
    def points_left(self) -> Decimal:
        return self.cost_of_page(self._filters) * (max(0, self._rows_left - 1) // PAGE + 1)

    @override
    def look_ahead(self, span: Heights) -> None:
        fence = f"{self.height}({span.first}..{span.last})"
        total = self.ask(q=fence, limit=1).context.get("total_rows")
        self._rows_left = total if isinstance(total, int) else 0

    @override
    def left(self) -> str:
        # A unit holds whole blocks, so a block that costs more than a day's points would never arrive.
        stuck = self._rows_left and self._done < self._span.first
        advice = " (nothing was complete: one block must fit into the points; raise points_per_day, or use dumps)"
        return super().left() + (advice if stuck else "")

    @override
    def read(self, span: Heights) -> Iterator[tuple[Heights, Sequence[dict[str, Any]]]]:
        first, pending = span.first, list[dict[str, Any]]()
        for rows in self._pages(span):
            pending += rows
            # The last block may go on in the next page.
            edge = pending[-1][self.height]
            whole = [row for row in pending if row[self.height] < edge]
            if whole:
                yield Heights(first, edge - 1), whole
                first, pending = edge, pending[len(whole) :]
        yield Heights(first, span.last), pending

    def _pages(self, span: Heights) -> Iterator[list[dict[str, Any]]]:
        """Give rows in chain order, each page ending with a whole transaction."""
        last: tuple[int, int] | None = None
        while last is None or self.walk.cursor != self.height or last[1] < span.last:
            answer = self._page(span, None if last is None else last[1])
            rows, is_last = self._rows_of(answer), _is_last(answer, PAGE, sure=self.walk.within is None)
            if rows and self.walk.within and not is_last:
                rows = self._whole_groups(rows)
            rows = self._distinct(rows)
            if rows:
                last = self._check(rows, span, last)
                yield rows
            if is_last:
                return

    def _page(self, span: Heights, after: int | None) -> Answer:
        walk = self.walk
        fence = f"{walk.height}({span.first}..{span.last})"
        if after is not None and walk.cursor == walk.height:
            # One range, because it is nowhere said what two filters on one column mean.
            fence = f"{walk.height}({after + 1}..{span.last})"
        elif after is not None:
            fence = f"{walk.cursor}({after}...),{fence}"
        order = f"{walk.cursor}(asc)" + (f",{walk.within}(asc)" if walk.within else "")
        answer = self.ask(q=fence, s=order, limit=PAGE)
        total = answer.context.get("total_rows")
        self._rows_left = total if isinstance(total, int) else 0
        return answer

    def _rows_of(self, answer: Answer, offset: int = 0) -> list[dict[str, Any]]:
        """Give a page's rows, held against what the answer says of their number: a lost one would leave a hole."""
        rows = answer.rows(*dict.fromkeys((self.height, self.walk.cursor)))
        said, total = answer.context.get("rows"), answer.context.get("total_rows")
        if (isinstance(said, int) and said != len(rows)) or (not rows and isinstance(total, int) and total > offset):
            raise FatalAPIError(
                f"{answer.asked} answered {len(rows)} rows, where it says that there are "
                f"{total if said == len(rows) else said}. "
                "Nothing of this page was taken and the bookmark stays before it; run again later.",
            )
        return rows

    def _whole_groups(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Cut off the transaction that the page's end may have cut; it is read again with the next page.

        One that fills a page alone is asked for by equality, which gives it whole, past any limit.
        """
        trailing = rows[-1][self.walk.cursor]
        whole = [row for row in rows if row[self.walk.cursor] != trailing]
        return whole or self._group(trailing)

    def _group(self, cursor: int) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            answer = self.ask(
                q=f"{self.walk.cursor}({cursor})",
                s=f"{self.walk.within}(asc)",
                limit=PAGE,
                offset=len(rows),
            )
            rows += self._rows_of(answer, len(rows))
            if _is_last(answer, PAGE, sure=False):
                return rows

    def _distinct(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Drop what the server gave twice, as it does shortly after an output was spent."""
        by_place = {(row[self.walk.cursor], str(row.get(self.walk.within or ""))): row for row in reversed(rows)}
        return list(reversed(by_place.values()))

    def _check(self, rows: list[dict[str, Any]], span: Heights, last: tuple[int, int] | None) -> tuple[int, int]:
        """Hold the rows against what was asked: a page out of order or range would leave a hole."""
        places = [(row[self.height], row[self.walk.cursor]) for row in rows]
        behind = last is not None and places[0][1] <= last[1]
        outside = places[0][0] < span.first or places[-1][0] > span.last
        steps = pairwise([last, *places] if last else places)
        if behind or outside or any(low[0] > high[0] or low[1] > high[1] for low, high in steps):
            raise FatalAPIError(
                f"{self.name}: the API's rows for the heights {span.first} to {span.last} are out of order or range. "
                "Nothing of this page was taken and the bookmark stays before it; run again later.",
            )
        return places[-1]


def _is_last(answer: Answer, limit: int, *, sure: bool) -> bool:
    """Tell whether a page is the last.

    Args:
        answer: The page.
        limit: Rows asked for.
        sure: Whether fewer rows than asked for say so. Of outputs they do not: `rows` is counted after the server has
            dropped duplicates, `pre_rows` before.

    Returns:
        True where nothing follows.
    """
    context = answer.context
    if not answer.data or ("limit" in context and context["limit"] is None):
        return True  # a null limit: it was ignored, and everything is here
    given = context.get("limit")
    limit = given if isinstance(given, int) else limit
    before = context.get("pre_rows")
    if isinstance(before, int):
        return before < limit
    return sure and len(answer.data) < limit
