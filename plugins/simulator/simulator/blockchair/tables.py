"""The tables of every chain: those of blocks, of the mempool (contract 2.1), and snapshots of addresses and tokens."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from simulator.blockchair.chains import ETHEREUM
from simulator.blockchair.ethereum_tables import ethereum_tables
from simulator.blockchair.table import Column, Filter, Kind, Table, column, integer, text, time_columns
from simulator.blockchair.utxo_tables import api_outputs, utxo_tables

if TYPE_CHECKING:
    from simulator.blockchair.world import ChainView

_MEMPOOL_COST: Final = 2
_DECIDED: Final = frozenset(
    {
        *("index", "failed", "type", "call_count", "internal_value", "internal_value_usd", "fee", "fee_usd"),
        *("gas_used", "effective_gas_price", "base_fee_per_gas", "burned"),
    }
)
"""Columns of Ethereum's transactions that only a block decides; they are null until then (contract 3.6)."""
_ADDRESSES: Final = (
    text("address"),
    integer("balance"),
)
_ETHEREUM_ADDRESSES: Final = (
    column("address", Kind.PREFIXED_HEX),
    column("balance", Kind.WEI, filter=Filter.RANGE, sortable=True),
    column("nonce", Kind.INTEGER, in_dumps=False),
    column("is_contract", Kind.FLAG, in_dumps=False),
)
_TOKENS: Final = (
    column("address", Kind.PREFIXED_HEX, filter=Filter.EQUALITY),
    integer("id"),
    *time_columns(),
    text("name", filter=Filter.EQUALITY, sortable=True),
    text("symbol", filter=Filter.EQUALITY, sortable=True),
    integer("decimals"),
    integer("creating_block_id"),
    column("creating_transaction_hash", Kind.PREFIXED_HEX),
)


@lru_cache
def block_tables(chain: str) -> list[Table]:
    """The tables of a chain of which every block has its rows."""
    return list(ethereum_tables() if chain == ETHEREUM else utxo_tables(chain))


@lru_cache
def snapshots(chain: str) -> list[Table]:
    """The tables that show what is now. Their dumps are files that are rebuilt daily (contract 6.1)."""
    addresses = Table(
        chain=chain,
        name="addresses",
        rows=lambda view: view.world.holders(chain, view.now)[0],
        columns=_ETHEREUM_ADDRESSES if chain == ETHEREUM else _ADDRESSES,
        per_block=False,
        source="A",
        whole_by=frozenset(),
        sort="balance",
    )
    if chain != ETHEREUM:
        return [addresses]
    tokens = Table(
        chain=chain,
        name="erc-20/tokens",
        rows=lambda view: view.world.tokens_until(view.now),
        columns=_TOKENS,
        per_block=False,
        whole_by=frozenset({"address", "id"}),
        dump_order=("id", "address", "time", "name", "symbol", "decimals"),  # contract 6.5
    )
    return [addresses, tokens]


def api_tables(chain: str) -> list[Table]:
    """Every table that the API offers."""
    shown = [table for table in block_tables(chain) if table.in_api]
    if chain != ETHEREUM:
        shown.append(api_outputs(chain))
    return [*shown, *_mempool(chain), *snapshots(chain)]


def _mempool(chain: str) -> list[Table]:
    """The tables of what waits to be confirmed."""
    transactions = next(table for table in block_tables(chain) if table.name == "transactions")
    columns = tuple(map(_undecided, transactions.columns)) if chain == ETHEREUM else transactions.columns
    tables = [replace(transactions, columns=columns, rows=lambda view: view.waiting)]
    if chain != ETHEREUM:

        def outputs(view: ChainView) -> list[object]:
            return [view.output(output, {}) for tx in view.waiting for output in tx.outputs]

        tables.append(replace(api_outputs(chain), rows=outputs))
    # No column names a block to begin at: all of the mempool is one place.
    return [
        replace(table, name=f"mempool/{table.name}", per_block=False, in_dumps=False, cost=_MEMPOOL_COST, firsts={})
        for table in tables
    ]


def _undecided(column: Column) -> Column:
    return replace(column, get=lambda _: None) if column.name in _DECIDED else column
