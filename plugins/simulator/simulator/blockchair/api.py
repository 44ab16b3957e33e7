"""The API's endpoints: a table of paths, each with what answers it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from simulator.blockchair.balances import Holder
from simulator.blockchair.chains import CHAINS, ETHEREUM
from simulator.blockchair.envelope import ERRORS, Answer, failure, respond
from simulator.blockchair.query import DEFAULT_LIMIT, BadRequestError, Query, QueryReader
from simulator.blockchair.quotas import OverLimitError, Quotas
from simulator.blockchair.stats import ranges_of, stats_of
from simulator.blockchair.table import Json, Money, api_value
from simulator.blockchair.tables import api_tables
from simulator.blockchair.world import ChainView, OutputState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from fastapi import Response

    from simulator.blockchair.table import Table
    from simulator.blockchair.transactions import Input
    from simulator.blockchair.world import World
    from simulator.vendors import PriceSource

Endpoint = Callable[[str, "Mapping[str, str]", datetime], Answer]
"""Takes chain, query parameters and the simulated instant."""

_LAG: Final = 6
"""Blocks by which Ethereum's tables trail, where that is asked for."""
_VALIDITY_DAYS: Final = 30
_UNLIMITED: Final = 1_000_000_000
_STATS_DURATION: Final = 71
_MOST_READ: Final = 100_000
"""Transactions that one request may bring back into memory."""


class Api:
    """The simulated API."""

    def __init__(self, world: World, prices: PriceSource, quotas: Quotas, quirks: Collection[str] = ()) -> None:
        self._quotas = quotas
        self._quirks = frozenset(quirks)
        self._world = world
        self._prices = prices
        self._endpoints: dict[tuple[str, str], Endpoint] = {("range", ""): self._ranges}
        for chain in world.chains:
            money = Money(prices, chain)
            for table in api_tables(chain):
                self._endpoints[chain, table.name] = self._table(table, money)
            self._endpoints[chain, "stats"] = self._stats

    def answer(self, path: str, parameters: Mapping[str, str], now: datetime) -> Response:
        """The response to a request."""
        chain, _, rest = path.strip("/").partition("/")
        key = parameters.get("key")
        try:
            if (chain, rest) == ("premium", "stats"):
                return self._respond(chain, self._plan(key, now), now)
            self._quotas.admit(key, now)
            answer = self._found(chain, rest, parameters, now)
            self._quotas.charge(key, answer.cost, now)
        except OverLimitError as error:
            answer = failure(error.code, str(error))
        return self._respond(chain, answer, now)

    def _found(self, chain: str, rest: str, parameters: Mapping[str, str], now: datetime) -> Answer:
        endpoint = self._endpoints.get((chain, rest))
        if endpoint is None:
            return failure(404, f"Unknown endpoint /{chain}/{rest}")
        try:
            answer = endpoint(chain, parameters, now)
        except BadRequestError as error:
            return failure(400, str(error))
        return replace(answer, state=self._state(chain, now))

    def _plan(self, key: str | None, now: datetime) -> Answer:
        """`/premium/stats` (contract 4.3)."""
        if key is None:
            return failure(402, "A key is needed")
        points, spent = self._quotas.plan(key, now)
        data: dict[str, Json] = {
            "valid_until": f"{now + timedelta(days=_VALIDITY_DAYS):%Y-%m-%d %H:%M:%S}",
            "max_requests_per_day": points or _UNLIMITED,
            "requests_today": float(spent),
        }
        return Answer(data=data, source="A", cost=0)

    def refusal(self, path: str, code: int, now: datetime) -> Response:
        """An error's answer."""
        return self._respond(path.partition("/")[0], failure(code, ERRORS.get(code, "Unknown error")), now)

    def nothing(self, path: str, data: object, now: datetime) -> Response:
        """A good answer that holds nothing."""
        chain, _, rest = path.strip("/").partition("/")
        paging: dict[str, Json] = {"limit": DEFAULT_LIMIT, "offset": 0, "rows": 0, "total_rows": 0}
        if rest in ("stats", ""):
            paging = {}
        empty: Json = None if data is None else []
        return self._respond(chain, Answer(data=empty, paging=paging, state=self._state(chain, now)), now)

    def _respond(self, chain: str, answer: Answer, now: datetime) -> Response:
        coin = chain if chain in self._world.chains else self._world.chains[0]
        return respond(answer, now, CHAINS[coin].servers, self._prices.spot(coin, now), self._quirks)

    def _state(self, chain: str, now: datetime) -> dict[str, Json]:
        if chain not in self._world.chains:
            return {}
        tip = self._view(chain, now).tip
        return {"state": tip, "state_layer_2": tip} if chain == ETHEREUM else {"state": tip}

    def _view(self, chain: str, now: datetime) -> ChainView:
        return ChainView(world=self._world, chain=chain, now=now, has_mempool="mempool" in self._quirks)

    def _ranges(self, _: str, __: Mapping[str, str], now: datetime) -> Answer:  # noqa: ARG002 - an endpoint takes it
        return Answer(data=ranges_of(self._world), source="A")

    def _stats(self, chain: str, _: Mapping[str, str], now: datetime) -> Answer:
        data = stats_of(self._view(chain, now), self._prices)
        return Answer(data=data, source="A", duration=_STATS_DURATION, shown_duration="Ignore")

    def _table(self, table: Table, money: Money) -> Endpoint:
        reader = QueryReader(table.columns, table.sort, money)

        def answer(chain: str, parameters: Mapping[str, str], now: datetime) -> Answer:
            query = reader.read(parameters, now)
            found = query.matching(list(self._rows(self._view(chain, now), query, table)))
            return self._page(query, found, len(found), table, money)

        def holders(chain: str, parameters: Mapping[str, str], now: datetime) -> Answer:
            query = reader.read(parameters, now)
            accepts = (lambda balance: query.passes(Holder("", balance))) if query.groups else None
            upwards = not query.sorts[0][1]
            # Only what the page can show is put in order: a long world has millions of addresses.
            found, total = self._world.holders(chain, now, query.offset + query.limit, accepts, upwards=upwards)
            return self._page(query, found, total, table, money)

        return holders if table.name == "addresses" else answer

    def _rows(self, view: ChainView, query: Query, table: Table) -> Iterable[object]:
        if not table.per_block:
            return table.rows(view)
        if table.name == "outputs":
            return self._outputs(view, query, table)
        lags = "lagging-tables" in self._quirks and view.chain == ETHEREUM
        blocks = view.blocks[:-_LAG] if lags else view.blocks
        within = _within(blocks, query, table)
        if table.name not in ("blocks", "uncles"):
            _refuse_many(within)
        return [row for block in within for row in table.rows(block)]

    def _outputs(self, view: ChainView, query: Query, table: Table) -> list[OutputState]:
        """Outputs with the spending that has come; asked for by the spending block, only those spent there."""
        low, high = query.bounds.get("spending_block_id", (None, None))
        if low is not None or high is not None:
            first = view.blocks[0].id if view.blocks else 0
            start = 0 if low is None else max(int(low) - first, 0)
            spent = view.blocks[start : len(view.blocks) if high is None else max(int(high) - first + 1, 0)]
            _refuse_many(spent)
            return [*(OutputState(one.spent, one) for one in _inputs(spent)), *view.claimed()]
        within = _within(view.blocks, query, table)
        opening = self._world.opening_outputs(table.chain) if not within or within[0] is view.blocks[0] else ()
        # What has spent them stands in the blocks from there on.
        later = view.blocks[within[0].id - view.blocks[0].id :] if within else view.blocks
        _refuse_many(later)
        spendings = {(one.spent.transaction_id, one.spent.index): one for one in _inputs(later)}
        inside: list[Any] = [output for block in within for output in table.rows(block)]
        return [view.output(output, spendings) for output in (*opening, *inside)]

    def _page(self, query: Query, found: list[Any], total: int, table: Table, money: Money) -> Answer:
        """A page of what was found; a page of outputs says how many rows it had before duplicates were removed."""
        whole, outputs = bool(query.equalities & table.whole_by), table.name.endswith("outputs")
        if outputs and "duplicate-outputs" in self._quirks:
            found = [row for row in found for _ in range(1 + _is_doubled(row))]
        shown = found if whole else found[query.offset : query.offset + query.limit]
        before = len(shown)
        if outputs:
            shown = list({id(row): row for row in shown}.values())
        data: list[Json] = [self._row(table, row, money) for row in shown]
        paging: dict[str, Json] = {"limit": None if whole else query.limit, "offset": query.offset, "rows": len(data)}
        if outputs:
            paging["pre_rows"] = before
        paging["total_rows"] = total
        return Answer(data=data, paging=paging, cost=_points(table.cost, query), source=table.source)

    def _row(self, table: Table, row: object, money: Money) -> dict[str, Json]:
        values = {column.name: api_value(column, row, money) for column in table.api_columns}
        if "nonce-strings" in self._quirks and values.get("nonce") is not None:
            values["nonce"] = str(values["nonce"])
        if "extra-columns" in self._quirks:
            first, *rest = values.items()
            values = dict([first, ("simulated_note", "an extra column"), *rest, ("simulated_count", 7)])
        return values


def _inputs(blocks: Iterable[Any]) -> Iterator[Input]:
    return (one for block in blocks for tx in block.transactions for one in tx.inputs)


def _refuse_many(blocks: Iterable[Any]) -> None:
    """Refuse to go through more transactions than fit in memory.

    Raises:
        BadRequestError: They are of blocks whose transactions have left the memory.
    """
    count = sum(block.transaction_count for block in blocks if block.is_away)
    if count > _MOST_READ:
        raise BadRequestError(
            f"This request goes through {count:,} transactions of a simulated chain, of {_MOST_READ:,} at most; "
            "ask for fewer blocks, or take the dump files"
        )


def _within(blocks: Sequence[Any], query: Query, table: Table) -> Sequence[Any]:
    """The blocks that can hold what is asked for."""
    start, stop = 0, len(blocks)
    for name, first in table.firsts.items():
        low, high = query.bounds.get(name, (None, None))
        if low is not None:
            # From the last block that begins at or below it; several begin there if the ones before are empty.
            start = max(start, bisect_right(blocks, int(low), key=first) - 1)
        if high is not None:
            stop = min(stop, bisect_right(blocks, int(high), key=first))
    return blocks[start:stop]


def _is_doubled(row: OutputState) -> bool:
    """Whether the vendor's table holds an output twice: some of those that were spent."""
    return row.spending is not None and row.output.transaction_id[0] % 3 == 0


def _points(base: int, query: Query) -> float:
    """What a request costs (contract 2.7): base and filters, and a hundredth more per row beyond the default."""
    hundredths = (base + query.filters) * (100 + max(0, query.limit - DEFAULT_LIMIT))
    return hundredths / 100
