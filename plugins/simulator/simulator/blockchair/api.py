"""The API's endpoints: a table of paths, each with what answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from simulator.blockchair.chains import COIN
from simulator.blockchair.columns import Column, Filter, Json, Kind, Money, api_value
from simulator.blockchair.envelope import ERRORS, Answer, failure, respond
from simulator.blockchair.ethereum_model import ETHER
from simulator.blockchair.parameters import ETHEREUM
from simulator.blockchair.query import DEFAULT_LIMIT, BadRequestError, Query, QueryReader
from simulator.blockchair.quotas import OverLimitError, Quotas
from simulator.blockchair.stats import ethereum_stats, utxo_stats
from simulator.blockchair.tables import TABLES, Table

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from fastapi import Response

    from simulator.blockchair.world import World
    from simulator.prices import PriceSource

Endpoint = Callable[[str, "Mapping[str, str]", datetime], Answer]
"""Takes chain, query parameters and the simulated instant."""

_SERVERS: Final = {"bitcoin": "API4,BTC0", "ethereum": "API4,ETH3,ETH3", "dogecoin": "API4,DOGE0"}
_VIEW_COST: Final = 2
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
        self._endpoints: dict[tuple[str, str], Endpoint] = {}
        for chain in world.chains:
            self._endpoints[chain, "stats"] = self._stats
            self._endpoints[chain, "addresses"] = self._addresses
        for (chain, name), table in TABLES.items():
            if table.in_api and chain in world.chains:
                self._endpoints[chain, name] = self._table(table)

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
        lists = rest != "stats"
        paging: dict[str, Json] = {"limit": DEFAULT_LIMIT, "offset": 0, "rows": 0, "total_rows": 0} if lists else {}
        empty: Json = None if data is None else []
        return self._respond(chain, Answer(data=empty, paging=paging, state=self._state(chain, now)), now)

    def _respond(self, chain: str, answer: Answer, now: datetime) -> Response:
        coin = chain if chain in self._world.chains else self._world.chains[0]
        return respond(answer, now, _SERVERS[coin], self._prices.spot(coin, now))

    def _state(self, chain: str, now: datetime) -> dict[str, Json]:
        if chain not in self._world.chains:
            return {}
        blocks = self._world.blocks_until(chain, now)
        tip = blocks[-1].id if blocks else self._world.first_height(chain) - 1
        return {"state": tip, "state_layer_2": tip} if chain == ETHEREUM else {"state": tip}

    def _stats(self, chain: str, _: Mapping[str, str], now: datetime) -> Answer:
        compute = ethereum_stats if chain == ETHEREUM else utxo_stats
        data = compute(self._world, chain, now, self._prices)
        return Answer(data=data, source="A", duration=_STATS_DURATION, shown_duration="Ignore")

    def _table(self, table: Table) -> Endpoint:
        money = self._money[table.chain]
        reader = QueryReader(table.api_columns, "id", money)

        def answer(chain: str, parameters: Mapping[str, str], now: datetime) -> Answer:
            query = reader.read(parameters, now)
            rows = [row for block in self._world.blocks_until(chain, now) for row in table.rows(block)]
            whole = bool(query.equalities & table.whole_by)
            return _page(query, query.matching(rows), (table.api_columns, money, table.cost), whole=whole)

        return answer

    def _addresses(self, chain: str, parameters: Mapping[str, str], now: datetime) -> Answer:
        columns = _ETHEREUM_HOLDER if chain == ETHEREUM else _HOLDER
        query = QueryReader(columns, "balance", self._money[chain]).read(parameters, now)
        found = query.matching(list(self._world.holders(chain, now)))
        return replace(_page(query, found, (columns, self._money[chain], _VIEW_COST), whole=False), source="A")


def _page(query: Query, found: list[Any], table: tuple[tuple[Column, ...], Money, int], *, whole: bool) -> Answer:
    columns, money, cost = table
    shown = found if whole else found[query.offset : query.offset + query.limit]
    data: list[Json] = [{column.name: api_value(column, row, money) for column in columns} for row in shown]
    return Answer(
        data=data,
        paging={
            "limit": None if whole else query.limit,
            "offset": query.offset,
            "rows": len(data),
            "total_rows": len(found),
        },
        cost=points(cost, query),
    )


def points(base: int, query: Query) -> float:
    """What a request costs (contract 2.7): base and filters, and a hundredth more per row beyond the default.

    Args:
        base: Points of the table.
        query: The request.
    """
    hundredths = (base + query.filters) * (100 + max(0, query.limit - DEFAULT_LIMIT))
    return hundredths / 100


def _holder_column(name: str, kind: Kind, **more: Any) -> Column:  # noqa: ANN401 - fields of Column
    return Column(name=name, kind=kind, get=lambda holder: getattr(holder, name), **more)


_HOLDER: Final = (
    _holder_column("address", Kind.TEXT),
    _holder_column("balance", Kind.INTEGER, filter=Filter.RANGE, sortable=True),
)
_ETHEREUM_HOLDER: Final = (
    _holder_column("address", Kind.PREFIXED_HEX),
    _holder_column("balance", Kind.WEI, filter=Filter.RANGE, sortable=True),
    _holder_column("nonce", Kind.INTEGER),
    _holder_column("is_contract", Kind.FLAG),
)
