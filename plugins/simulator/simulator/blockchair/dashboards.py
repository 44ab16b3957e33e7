"""The endpoints `/{chain}/dashboards/...` of all chains."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from simulator.blockchair.dashboard import Dashboard, View
from simulator.blockchair.dashboards_ethereum import ethereum_dashboards
from simulator.blockchair.dashboards_utxo import utxo_dashboards
from simulator.blockchair.envelope import Answer
from simulator.blockchair.parameters import ETHEREUM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from simulator.blockchair.chain_now import ChainNow
    from simulator.blockchair.columns import Column, Json, Money
    from simulator.blockchair.table import Table
    from simulator.prices import PriceSource

_ROOT: Final = "dashboards"
_ADDRESSES: Final = ("address", "addresses")


class Dashboards:
    """All dashboards of a world.

    Args:
        moment: Takes a chain and an instant to the chain as it is then.
        prices: Prices of now.
        money: Prices of days, by chain.
        row: Makes the API's row of what the world holds.
    """

    def __init__(
        self,
        moment: Callable[[str, datetime], ChainNow],
        prices: PriceSource,
        money: Mapping[str, Money],
        row: Callable[[tuple[Column, ...], Any, Money], dict[str, Json]],
    ) -> None:
        self._moment = moment
        self._prices = prices
        self._money = money
        self._row = row
        self._kinds = {chain: ethereum_dashboards() if chain == ETHEREUM else utxo_dashboards(chain) for chain in money}

    def endpoint(self, chain: str, rest: str) -> Callable[[str, Mapping[str, str], datetime], Answer] | None:
        """What answers a path; None where there is no such dashboard.

        Args:
            chain: The chain's name.
            rest: What follows it in the path.
        """
        root, _, below = rest.partition("/")
        kind, _, ids = below.partition("/")
        dashboard = self._kinds.get(chain, {}).get(kind)
        if root != _ROOT or dashboard is None or not ids or "/" in ids:
            return None

        def answer(chain: str, parameters: Mapping[str, str], now: datetime) -> Answer:
            return self._answer(chain, (dashboard, kind), ids, parameters, now)

        return answer

    def _answer(
        self, chain: str, which: tuple[Dashboard, str], ids: str, parameters: Mapping[str, str], now: datetime
    ) -> Answer:
        dashboard, kind = which
        asked = dashboard.read(ids, parameters)
        at = self._moment(chain, now)
        if kind in _ADDRESSES and parameters.get("state") == "latest":
            at = replace(at, has_mempool=False)  # confirmed coins only
        money = self._money[chain]

        def row(table: Table, found: object) -> dict[str, Json]:
            return self._row(table.api_columns, found, money)

        view = View(at=at, money=money, spot=self._prices.spot(chain, now), row=row, asked=asked)
        data, found = dashboard.find(view)
        return Answer(data=data, paging=dashboard.paging(asked, found), cost=dashboard.cost(asked))
