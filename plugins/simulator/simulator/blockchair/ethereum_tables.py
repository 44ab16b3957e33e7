"""Ethereum's tables: contract sections 3.5 to 3.8 (API) and 6.5 (dumps)."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from simulator.blockchair.chains import ETHEREUM
from simulator.blockchair.ethereum_calls import calls_of, place_in_tree
from simulator.blockchair.table import (
    Column,
    Filter,
    Kind,
    Table,
    column,
    height,
    integer,
    itself,
    searched_bytes,
    text,
    time_columns,
    with_usd,
)
from simulator.blockchair.tokens import transfers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simulator.blockchair.ethereum_model import EthereumBlock


def _prefixed(name: str, get: str = "") -> Column:
    return column(name, Kind.PREFIXED_HEX, get, filter=Filter.EQUALITY, sortable=True)


def _header(extra_data: Column) -> tuple[Column, ...]:
    """Give the columns of a header that blocks and uncles share; they differ in how `extra_data_hex` is searched."""
    return (
        integer("id"),
        _prefixed("hash"),
        *time_columns(),
        integer("size"),
        _prefixed("miner"),
        extra_data,
        integer("difficulty"),
        integer("gas_used"),
        integer("gas_limit"),
        integer("base_fee_per_gas", london=True),
        text("logs_bloom"),
        text("mix_hash"),
        text("nonce"),
        text("receipts_root"),
        text("sha3_uncles"),
        text("state_root"),
    )


_ETHEREUM_BLOCKS: Final = (
    *_header(text("extra_data_hex", filter=Filter.PREFIX)),
    column("total_difficulty", Kind.WEI),
    text("transactions_root"),
    integer("uncle_count", lambda block: len(block.uncles)),
    integer("transaction_count"),
    integer("synthetic_transaction_count", "synthetic_count"),
    integer("call_count"),
    integer("synthetic_call_count", "synthetic_count"),
    *with_usd("value_total", kind=Kind.WEI),
    *with_usd("internal_value_total", kind=Kind.WEI),
    *with_usd("generation", kind=Kind.WEI),
    *with_usd("uncle_generation", kind=Kind.WEI),
    *with_usd("fee_total", kind=Kind.WEI),
    column("burned_total", Kind.WEI, filter=Filter.RANGE, sortable=True, london=True),
    *with_usd("reward", kind=Kind.WEI),
    searched_bytes("extra_data_bin", lambda block: bytes.fromhex(block.extra_data_hex)),
)

_ETHEREUM_TRANSACTIONS: Final = (
    integer("block_id"),
    integer("id", in_dumps=False),
    integer("index"),
    _prefixed("hash"),
    *time_columns(),
    column("failed", Kind.FLAG, filter=Filter.EQUALITY),
    column("type", Kind.TEXT, filter=Filter.EQUALITY),
    _prefixed("sender"),
    _prefixed("recipient"),
    integer("call_count"),
    *with_usd("value", kind=Kind.WEI),
    *with_usd("internal_value", kind=Kind.WEI),
    *with_usd("fee", kind=Kind.WEI),
    integer("gas_used"),
    integer("gas_limit"),
    integer("gas_price"),
    text("input_hex", filter=Filter.PREFIX),
    integer("nonce"),
    text("v"),
    text("r"),
    text("s"),
    integer("version", london=True),
    integer("effective_gas_price", "gas_price", london=True),
    integer("max_fee_per_gas", london=True),
    integer("max_priority_fee_per_gas", london=True),
    integer("base_fee_per_gas", london=True),
    column("burned", Kind.WEI, london=True),
    integer("type_2718", london=True),
)

_UNCLES: Final = (
    integer("parent_block_id"),
    integer("index"),
    *_header(text("extra_data_hex")),
    text("transactions_root"),
    *with_usd("generation", kind=Kind.WEI),
)

_CALLS: Final = (
    integer("block_id"),
    integer("transaction_id", in_dumps=False),
    _prefixed("transaction_hash"),
    text("index", sortable=True, order=place_in_tree),
    integer("depth"),
    *time_columns(),
    column("failed", Kind.FLAG, filter=Filter.EQUALITY),
    text("fail_reason", filter=Filter.TEXT),
    text("type", filter=Filter.EQUALITY),
    _prefixed("sender"),
    _prefixed("recipient"),
    integer("child_call_count"),
    *with_usd("value", kind=Kind.WEI),
    column("transferred", Kind.FLAG, filter=Filter.EQUALITY),
    text("input_hex", filter=Filter.PREFIX),
    text("output_hex"),
)

_TRANSFERS: Final = (
    integer("block_id"),
    integer("id", in_dumps=False),
    _prefixed("transaction_hash"),
    *time_columns(),
    _prefixed("token_address", "token.address"),
    text("token_name", "token.name", filter=Filter.EQUALITY),
    text("token_symbol", "token.symbol", filter=Filter.EQUALITY),
    integer("token_decimals", "token.decimals"),
    _prefixed("sender"),
    _prefixed("recipient"),
    column("value", Kind.WEI, filter=Filter.RANGE, sortable=True),
)

_MILLION: Final = 10**6


def _first_id(block: EthereumBlock) -> int:
    return block.id * _MILLION


def ethereum_tables() -> Iterable[Table]:
    """The tables of which every block has its rows."""

    def table(
        name: str, rows: Callable[[Any], Iterable[object]], columns: tuple[Column, ...], cost: int, **more: object
    ) -> Table:
        return Table(chain=ETHEREUM, name=name, rows=rows, columns=columns, cost=cost, **more)  # type: ignore[arg-type]

    by_block = {"block_id": height}
    yield table("blocks", itself, _ETHEREUM_BLOCKS, 2, firsts={"id": height})
    yield table(
        "transactions", attrgetter("transactions"), _ETHEREUM_TRANSACTIONS, 5, firsts={**by_block, "id": _first_id}
    )
    yield table(
        "uncles",
        attrgetter("uncles"),
        _UNCLES,
        2,
        sort="parent_block_id",
        whole_by=frozenset({"parent_block_id", "hash"}),
        firsts={"parent_block_id": height},
    )
    yield table(
        "calls",
        calls_of,
        _CALLS,
        10,
        sort="transaction_id",
        whole_by=frozenset({"transaction_id"}),
        firsts={**by_block, "transaction_id": _first_id},
    )
    yield table(
        "erc-20/transactions",
        transfers_of,
        _TRANSFERS,
        5,
        whole_by=frozenset({"id"}),
        firsts={**by_block, "id": attrgetter("transfers_before")},
    )
