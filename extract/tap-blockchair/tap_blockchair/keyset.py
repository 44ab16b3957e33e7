"""Keyset pagination of the API's big tables, ascending, below an upper bound (offsets end at 10,000 rows)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_blockchair.chains import CHAINS
from tap_blockchair.client import PAGE
from tap_blockchair.heights import HeightStream, Tip
from tap_blockchair.schemas import api_table
from tap_blockchair.state import Heights

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from decimal import Decimal

    from singer_sdk import Tap

    from tap_blockchair.answers import Answer
    from tap_blockchair.quota import Quota
    from tap_blockchair.settings import Settings


@dataclass(frozen=True)
class Keyset:
    """How a table is paged.

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
    "transactions": Keyset("transactions", "block_id", "id"),
    "outputs": Keyset("outputs", "block_id", "transaction_id", "index"),
    # The API has no table of inputs; an input is the spending side of an output.
    "inputs": Keyset("outputs", "spending_block_id", "spending_transaction_id", "spending_index", spent_side=True),
}
_EVM = {
    "transactions": Keyset("transactions", "block_id", "id"),
    "calls": Keyset("calls", "block_id", "transaction_id", "index"),
    "uncles": Keyset("uncles", "parent_block_id", "parent_block_id", "index"),
    "erc20_transactions": Keyset("erc-20/transactions", "block_id", "id"),
    "erc20_tokens": Keyset("erc-20/tokens", "creating_block_id", "creating_block_id", "id"),
}

# Blockchair's own numbers serve for paging and order only: they may change, and dumps lack them. The rest of the list
# is the other half of an `outputs` row, which belongs to `inputs`.
_INTERNAL = frozenset({"id", "transaction_id", "spending_transaction_id", "is_spent", "lifespan", "cdd"})


def keysets(chain: str) -> dict[str, Keyset]:
    """Give the tables of a chain that are paged by keyset, by the stream's table name."""
    return _EVM if CHAINS[chain].is_evm else _UTXO


class KeysetStream(HeightStream):
    """A table of rows below blocks, read in slices of whole blocks."""

    _rows_left = 0

    def __init__(self, tap: Tap, *, chain: str, table_name: str, settings: Settings, quota: Quota) -> None:
        self.keyset = keysets(chain)[table_name]
        table = api_table(chain, table_name)
        super().__init__(tap, chain=chain, table_name=table_name, table=table, settings=settings, quota=quota)
        self.path = f"/{chain}/{self.keyset.path}"
        self.replication_key = self.height = self.keyset.height
        self._filters = 1 if self.keyset.cursor == self.keyset.height else 2
        columns = {column.name for column in table.columns}
        spending = {column.name for column in api_table(chain, "inputs").columns} if table_name == "outputs" else set()
        self.ignored = (_INTERNAL | spending) - columns

    @override
    def tip(self) -> Tip | None:
        bounds = {"q": f"{self.height}(0..)"} if self.keyset.spent_side else {}
        rows = self.ask(s=f"{self.keyset.cursor}(desc)", limit=1, **bounds).rows(self.height)
        return Tip(rows[0][self.height], None) if rows else None

    @override
    def bottom(self) -> int:
        return 0

    @override
    def added(self, row: dict[str, Any], position: int) -> dict[str, Any]:
        # The order of rows is Blockchair's id, which the canonical form lacks: their place in the slice keeps it.
        return {"_line": position}

    @override
    def points_left(self) -> Decimal:
        return self.cost_of_page(self._filters) * (max(0, self._rows_left - 1) // PAGE + 1)

    @override
    def look_ahead(self, span: Heights) -> None:
        bounds = f"{self.height}({span.first}..{span.last})"
        total = self.ask(q=bounds, limit=1).context.get("total_rows")
        self._rows_left = total if isinstance(total, int) else 0

    @override
    def left(self) -> str:
        # A slice holds whole blocks, so a block that costs more than a day's points would never arrive.
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
        while last is None or self.keyset.cursor != self.height or last[1] < span.last:
            answer = self._page(span, None if last is None else last[1])
            rows, is_last = self._rows_of(answer), _is_last(answer, PAGE, sure=self.keyset.within is None)
            if rows and self.keyset.within and not is_last:
                rows = self._whole_groups(rows)
            rows = self._distinct(rows)
            if rows:
                last = self._check(rows, span, last)
                yield rows
            if is_last:
                return

    def _page(self, span: Heights, after: int | None) -> Answer:
        keyset = self.keyset
        bounds = f"{keyset.height}({span.first}..{span.last})"
        if after is not None and keyset.cursor == keyset.height:
            # One range, because it is nowhere said what two filters on one column mean.
            bounds = f"{keyset.height}({after + 1}..{span.last})"
        elif after is not None:
            bounds = f"{keyset.cursor}({after}...),{bounds}"
        order = f"{keyset.cursor}(asc)" + (f",{keyset.within}(asc)" if keyset.within else "")
        answer = self.ask(q=bounds, s=order, limit=PAGE)
        total = answer.context.get("total_rows")
        self._rows_left = total if isinstance(total, int) else 0
        return answer

    def _rows_of(self, answer: Answer, offset: int = 0) -> list[dict[str, Any]]:
        """Give a page's rows, compared with the answer's own number of them: a lost one would leave a hole."""
        rows = answer.rows(*dict.fromkeys((self.height, self.keyset.cursor)))
        stated, total = answer.context.get("rows"), answer.context.get("total_rows")
        if (isinstance(stated, int) and stated != len(rows)) or (
            not rows and isinstance(total, int) and total > offset
        ):
            raise FatalAPIError(
                f"{answer.asked} answered {len(rows)} rows, but states {total if stated == len(rows) else stated}. "
                "Nothing of this page was taken and the bookmark stays before it; run again later.",
            )
        return rows

    def _whole_groups(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Cut off the transaction that the page's end may have cut; it is read again with the next page.

        One that fills a page alone is asked for by equality, which gives it whole, past any limit.
        """
        trailing = rows[-1][self.keyset.cursor]
        whole = [row for row in rows if row[self.keyset.cursor] != trailing]
        return whole or self._group(trailing)

    def _group(self, cursor: int) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            answer = self.ask(
                q=f"{self.keyset.cursor}({cursor})",
                s=f"{self.keyset.within}(asc)",
                limit=PAGE,
                offset=len(rows),
            )
            rows += self._rows_of(answer, len(rows))
            if _is_last(answer, PAGE, sure=False):
                return rows

    def _distinct(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Drop what the server gave twice, as it does shortly after an output was spent."""
        by_place = {(row[self.keyset.cursor], str(row.get(self.keyset.within or ""))): row for row in reversed(rows)}
        return list(reversed(by_place.values()))

    def _check(self, rows: list[dict[str, Any]], span: Heights, last: tuple[int, int] | None) -> tuple[int, int]:
        """Compare the rows with what was asked for: a page out of order or range would leave a hole."""
        places = [(row[self.height], row[self.keyset.cursor]) for row in rows]
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
    """Whether a page of at most `limit` rows is the last.

    Fewer rows than asked for show it where that is `sure`. Of outputs it is not: `rows` is counted after the server has
    dropped duplicates, `pre_rows` before.
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
