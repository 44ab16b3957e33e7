"""Tables of what waits to be confirmed (contract 2.1), and what stats say of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from simulator.blockchair.chain_now import outputs_of
from simulator.blockchair.chains import COIN, ETHEREUM
from simulator.blockchair.tables import tables_of
from simulator.blockchair.utxo_tables import api_outputs

if TYPE_CHECKING:
    from decimal import Decimal

    from simulator.blockchair.chain_now import ChainNow
    from simulator.blockchair.columns import Column, Json
    from simulator.blockchair.table import Table

_COST: Final = 2
_DECIDED: Final = frozenset(
    {
        *("index", "failed", "type", "call_count", "internal_value", "internal_value_usd", "fee", "fee_usd"),
        *("gas_used", "effective_gas_price", "base_fee_per_gas", "burned"),
    }
)
"""Columns of Ethereum's transactions that only a block decides; they are null until then (contract 3.6)."""


def mempool_transactions(chain: str) -> Table:
    """The table of unconfirmed transactions; its rows come from a moment of the chain."""
    table = tables_of(chain)["transactions"]
    columns = tuple(map(_undecided, table.columns)) if chain == ETHEREUM else table.columns
    return _waiting(table, "transactions", columns=columns, rows=lambda at: at.waiting)


def mempool_tables(chain: str) -> list[Table]:
    """The tables of a chain's mempool."""
    tables = [mempool_transactions(chain)]
    if chain != ETHEREUM:

        def outputs(at: ChainNow) -> list[object]:
            return [at.output(output) for output in outputs_of(at.waiting)]

        tables.append(_waiting(api_outputs(chain), "outputs", rows=outputs))
    return tables


def mempool_stats(at: ChainNow, price: Decimal) -> dict[str, Json]:
    """The keys of stats that something in the mempool changes; none where it is empty.

    Args:
        at: The chain at an instant.
        price: Price of its coin then, in USD.
    """
    if not at.waiting:
        return {}
    count = len(at.waiting)
    # All of them were seen right after the last block.
    rate = round(count / max(1, int(at.now.timestamp()) - at.blocks[-1].time), 6)
    if at.chain == ETHEREUM:
        value = sum(tx.value for tx in at.waiting)
        return {"mempool_transactions": count, "mempool_tps": rate, "mempool_total_value_approximate": str(value)}
    return {
        "mempool_transactions": count,
        "mempool_size": sum(tx.size for tx in at.waiting),
        "mempool_tps": rate,
        "mempool_total_fee_usd": float(price * sum(tx.fee for tx in at.waiting) / COIN),
        "mempool_outputs": sum(len(tx.outputs) for tx in at.waiting),
    }


def _waiting(table: Table, name: str, **changes: Any) -> Table:  # noqa: ANN401 - any field of a table
    # No column tells a block to begin at: all of the mempool is one place.
    return replace(table, name=f"mempool/{name}", in_dumps=False, cost=_COST, firsts={}, **changes)


def _undecided(column: Column) -> Column:
    return replace(column, get=lambda _: None) if column.name in _DECIDED else column
