"""The API's endpoints: a table of paths, each with what answers it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from simulator.blockchair.chain_now import ChainNow
from simulator.blockchair.chains import CHAINS, COIN, ETHEREUM
from simulator.blockchair.columns import Column, Json, Money, api_value
from simulator.blockchair.envelope import ERRORS, Answer, failure, respond
from simulator.blockchair.ethereum_model import ETHER
from simulator.blockchair.mempool import mempool_stats, mempool_tables
from simulator.blockchair.query import DEFAULT_LIMIT, BadRequestError, Query, QueryReader
from simulator.blockchair.quotas import OverLimitError, Quotas
from simulator.blockchair.ranges import ranges_of
from simulator.blockchair.snapshots import Snapshot, snapshots_of
from simulator.blockchair.stats import ethereum_stats, utxo_stats
from simulator.blockchair.tables import tables_of
from simulator.blockchair.utxo_tables import OutputNow, api_outputs

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from fastapi import Response

    from simulator.blockchair.table import Table
    from simulator.blockchair.world import World
    from simulator.prices import PriceSource

Endpoint = Callable[[str, "Mapping[str, str]", datetime], Answer]
"""Takes chain, query parameters and the simulated instant."""

_LAG: Final = 6
"""Blocks by which Ethereum's tables trail, where that is asked for."""
_VALIDITY_DAYS: Final = 30
_UNLIMITED: Final = 1_000_000_000
_STATS_DURATION: Final = 71


class Api:
    """The simulated API.

    Args:
        world: The chains.
        prices: Prices of their coins.
        quotas: Who may ask how much.
        quirks: Oddities that are switched on.
    """

    def __init__(self, world: World, prices: PriceSource, quotas: Quotas, quirks: Collection[str] = ()) -> None:
        self._quotas = quotas
        self._quirks = frozenset(quirks)
        self._world = world
        self._prices = prices
        self._money = {chain: Money(prices, chain, ETHER if chain == ETHEREUM else COIN) for chain in world.chains}
        self._endpoints: dict[tuple[str, str], Endpoint] = {("range", ""): self._ranges}
        for chain in world.chains:
            for table in tables_of(chain).values():
                if table.in_api:
                    self._endpoints[chain, table.name] = self._table(table)
            self._endpoints[chain, "stats"] = self._stats
            if chain != ETHEREUM:
                self._endpoints[chain, "outputs"] = self._table(api_outputs(chain))
            for waiting in mempool_tables(chain):
                self._endpoints[chain, waiting.name] = self._mempool(waiting)
            for view in snapshots_of(chain):
                self._endpoints[chain, view.name] = self._view(view)

    def answer(self, path: str, parameters: Mapping[str, str], now: datetime) -> Response:
        """The response to a request.

        Args:
            path: What follows the root of the API, for example `bitcoin/blocks`.
            parameters: The query string's.
            now: The simulated instant, UTC.
        """
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
        """An error's answer.

        Args:
            path: What follows the root of the API.
            code: HTTP status.
            now: The simulated instant, UTC.
        """
        return self._respond(path.partition("/")[0], failure(code, ERRORS.get(code, "Unknown error")), now)

    def nothing(self, path: str, data: object, now: datetime) -> Response:
        """A good answer that holds nothing.

        Args:
            path: What follows the root of the API.
            data: An empty list or None.
            now: The simulated instant, UTC.
        """
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
        blocks = self._world.blocks_until(chain, now)
        tip = blocks[-1].id if blocks else self._world.first_height(chain) - 1
        return {"state": tip, "state_layer_2": tip} if chain == ETHEREUM else {"state": tip}

    def _moment(self, chain: str, now: datetime) -> ChainNow:
        blocks = self._world.blocks_until(chain, now)
        full = "mempool" in self._quirks
        return ChainNow(world=self._world, chain=chain, now=now, blocks=blocks, has_mempool=full)

    def _ranges(self, _: str, __: Mapping[str, str], now: datetime) -> Answer:  # noqa: ARG002 - an endpoint takes it
        return Answer(data=ranges_of(self._world), source="A")

    def _stats(self, chain: str, _: Mapping[str, str], now: datetime) -> Answer:
        compute = ethereum_stats if chain == ETHEREUM else utxo_stats
        data = compute(self._world, chain, now, self._prices)
        data |= mempool_stats(self._moment(chain, now), self._prices.spot(chain, now))
        return Answer(data=data, source="A", duration=_STATS_DURATION, shown_duration="Ignore")

    def _table(self, table: Table) -> Endpoint:
        money = self._money[table.chain]
        reader = QueryReader(table.columns, table.sort, money)

        def answer(chain: str, parameters: Mapping[str, str], now: datetime) -> Answer:
            query = reader.read(parameters, now)
            at = self._moment(chain, now)
            blocks = at.blocks
            if "lagging-tables" in self._quirks and chain == ETHEREUM:
                blocks = blocks[:-_LAG]
            whole = bool(query.equalities & table.whole_by)
            if table.in_dumps:
                rows = [row for block in self._within(blocks, query, table) for row in table.rows(block)]
                return self._page(query, query.matching(rows), (table.api_columns, money, table.cost), whole=whole)
            found = query.matching(self._outputs(at, query, table))
            return self._page(query, found, (table.api_columns, money, table.cost), whole=whole, outputs=True)

        return answer

    def _within(self, blocks: Sequence[Any], query: Query, table: Table) -> Sequence[Any]:
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

    def _outputs(self, at: ChainNow, query: Query, table: Table) -> list[OutputNow]:
        """Outputs with the spending that has come; asked for by the spending block, only those spent there."""
        low, high = query.bounds.get("spending_block_id", (None, None))
        if low is not None or high is not None:
            first = at.blocks[0].id if at.blocks else 0
            start = 0 if low is None else max(int(low) - first, 0)
            spent = at.blocks[start : len(at.blocks) if high is None else max(int(high) - first + 1, 0)]
            inputs = [one for block in spent for tx in block.transactions for one in tx.inputs]
            return [*(at.output(one.spent) for one in inputs), *at.claimed()]
        older = self._world.opening_outputs(table.chain)
        inside = self._within(at.blocks, query, table)
        return [
            *(at.output(output) for output in older),
            *(at.output(output) for block in inside for output in table.rows(block)),  # type: ignore[arg-type]
        ]

    def _mempool(self, table: Table) -> Endpoint:
        money = self._money[table.chain]
        reader = QueryReader(table.columns, table.sort, money)

        def answer(chain: str, parameters: Mapping[str, str], now: datetime) -> Answer:
            query = reader.read(parameters, now)
            found = query.matching(list(table.rows(self._moment(chain, now))))
            whole, outputs = bool(query.equalities & table.whole_by), table.name.endswith("outputs")
            return self._page(query, found, (table.api_columns, money, table.cost), whole=whole, outputs=outputs)

        return answer

    def _view(self, view: Snapshot) -> Endpoint:
        money = self._money[view.chain]
        reader = QueryReader(view.api_columns, view.sort, money)

        def answer(chain: str, parameters: Mapping[str, str], now: datetime) -> Answer:  # noqa: ARG001 - the view's
            query = reader.read(parameters, now)
            found = query.matching(list(view.rows(self._world, now)))
            whole = bool(query.equalities & view.whole_by)
            page = self._page(query, found, (view.api_columns, money, view.cost), whole=whole)
            return replace(page, source=view.source)

        return answer

    def _page(
        self,
        query: Query,
        found: list[Any],
        table: tuple[tuple[Column, ...], Money, int],
        *,
        whole: bool,
        outputs: bool = False,
    ) -> Answer:
        """A page of what was found; a page of outputs says how many rows it had before duplicates were removed."""
        columns, money, cost = table
        total = len(found)
        if outputs and "duplicate-outputs" in self._quirks:
            found = [row for row in found for _ in range(1 + _is_doubled(row))]
        shown = found if whole else found[query.offset : query.offset + query.limit]
        before = len(shown)
        if outputs:
            shown = list({id(row): row for row in shown}.values())
        data: list[Json] = [self._row(columns, row, money) for row in shown]
        paging: dict[str, Json] = {"limit": None if whole else query.limit, "offset": query.offset, "rows": len(data)}
        if outputs:
            paging["pre_rows"] = before
        return Answer(data=data, paging={**paging, "total_rows": total}, cost=points(cost, query))

    def _row(self, columns: tuple[Column, ...], row: object, money: Money) -> dict[str, Json]:
        values = {column.name: api_value(column, row, money) for column in columns}
        if "nonce-strings" in self._quirks and values.get("nonce") is not None:
            values["nonce"] = str(values["nonce"])
        if "extra-columns" in self._quirks:
            first, *rest = values.items()
            values = dict([first, ("simulated_note", "an extra column"), *rest, ("simulated_count", 7)])
        return values


def _is_doubled(row: OutputNow) -> bool:
    """Whether the vendor's table holds an output twice: some of those that were spent."""
    return row.spending is not None and row.output.transaction_id[0] % 3 == 0


def points(base: int, query: Query) -> float:
    """What a request costs (contract 2.7): base and filters, and a hundredth more per row beyond the default.

    Args:
        base: Points of the table.
        query: The request.
    """
    hundredths = (base + query.filters) * (100 + max(0, query.limit - DEFAULT_LIMIT))
    return hundredths / 100
