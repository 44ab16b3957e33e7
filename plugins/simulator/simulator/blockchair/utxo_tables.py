"""The tables of Bitcoin-like chains: contract sections 3.1 to 3.4 (API) and 6.5 (dumps)."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final

from simulator.blockchair.chains import utxo_chain
from simulator.blockchair.encoding import difficulty_of
from simulator.blockchair.table import (
    Column,
    Filter,
    Kind,
    Table,
    coin_days,
    column,
    hash_column,
    height,
    integer,
    itself,
    rate,
    searched_bytes,
    text,
    time_columns,
    with_usd,
)
from simulator.blockchair.wallets import NULLDATA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simulator.blockchair.chains import UtxoChain
    from simulator.blockchair.transactions import Block, Input, Output
    from simulator.blockchair.world import OutputState

_VERSION_BITS: Final = 30


def _utxo_blocks(chain: UtxoChain) -> tuple[Column, ...]:
    def witness(*columns: Column) -> tuple[Column, ...]:
        return columns if chain.segwit else ()

    return (
        integer("id"),
        hash_column("hash"),
        *time_columns(),
        column("median_time", Kind.TIME, sortable=True),
        integer("size"),
        *witness(integer("stripped_size"), integer("weight")),
        integer("version"),
        text("version_hex", lambda block: f"{block.version:x}"),
        text("version_bits", lambda block: f"{block.version % (1 << _VERSION_BITS):0{_VERSION_BITS}b}"),
        text("merkle_root", lambda block: block.root[::-1].hex()),
        integer("nonce"),
        integer("bits"),
        column("difficulty", Kind.REAL, lambda block: difficulty_of(block.bits), filter=Filter.RANGE, sortable=True),
        text("chainwork", lambda block: f"{block.chainwork:064x}"),
        text("coinbase_data_hex", lambda block: block.coinbase.coinbase_data.hex(), filter=Filter.PREFIX),
        integer("transaction_count"),
        *witness(integer("witness_count")),
        integer("input_count"),
        integer("output_count"),
        *with_usd("input_total"),
        *with_usd("output_total"),
        *with_usd("fee_total"),
        *rate("fee_per_kb", "fee_total", "paid_size"),
        *witness(*rate("fee_per_kwu", "fee_total", "paid_weight")),
        coin_days("cdd_total"),
        *with_usd("generation"),
        *with_usd("reward"),
        column("guessed_miner", Kind.TEXT, filter=Filter.EQUALITY, sortable=True),
        *((column("is_aux", Kind.FLAG, filter=Filter.EQUALITY),) if chain.merge_mined else ()),
        searched_bytes("coinbase_data_bin", lambda block: block.coinbase.coinbase_data),
    )


def _utxo_transactions(chain: UtxoChain) -> tuple[Column, ...]:
    def witness(*columns: Column) -> tuple[Column, ...]:
        return columns if chain.segwit else ()

    return (
        integer("block_id"),
        integer("id", "number", in_dumps=False),
        hash_column("hash"),
        *time_columns(),
        integer("size"),
        *witness(integer("weight")),
        integer("version"),
        integer("lock_time"),
        column("is_coinbase", Kind.FLAG, filter=Filter.EQUALITY),
        *witness(column("has_witness", Kind.FLAG, filter=Filter.EQUALITY)),
        integer("input_count"),
        integer("output_count", lambda tx: len(tx.outputs)),
        *with_usd("input_total"),
        *with_usd("output_total"),
        *with_usd("fee"),
        *rate("fee_per_kb", "fee", "size"),
        *witness(*rate("fee_per_kwu", "fee", "weight")),
        coin_days("cdd_total"),
    )


def _output(at: str = "") -> tuple[Column, ...]:
    """The columns of an output; `at` leads from a row to its output."""

    def of(name: str) -> str:
        return at + name

    script, kind = attrgetter(of("script")), attrgetter(of("type"))

    def data(row: object) -> str:
        """The script of an output that carries data; only these can be searched."""
        return script(row).hex() if kind(row) == NULLDATA else ""

    return (
        integer("block_id", of("block_id")),
        text("transaction_hash", of("transaction_hash")),
        integer("index", of("index")),
        column("time", Kind.TIME, of("time"), filter=Filter.TIME, sortable=True),
        integer("value", of("value")),
        column("value_usd", Kind.USD, of("value"), when=attrgetter(of("time")), filter=Filter.RANGE, sortable=True),
        column("recipient", Kind.TEXT, of("recipient"), filter=Filter.EQUALITY),
        column("type", Kind.TEXT, of("type"), filter=Filter.EQUALITY),
        text("script_hex", lambda row: script(row).hex(), filter=Filter.PREFIX, searched=data),
        column("is_from_coinbase", Kind.FLAG, of("is_from_coinbase"), filter=Filter.EQUALITY),
        column("is_spendable", Kind.TERNARY, of("spendable"), filter=Filter.EQUALITY),
    )


def _inputs(chain: UtxoChain) -> tuple[Column, ...]:
    return (
        *_output("spent."),
        integer("spending_block_id", "block_id"),
        text("spending_transaction_hash", "transaction_hash"),
        integer("spending_index", "index"),
        column("spending_time", Kind.TIME, "time"),
        column("spending_value_usd", Kind.USD, "spent.value"),
        integer("spending_sequence", "sequence"),
        text("spending_signature_hex", lambda row: row.signature.hex()),
        *(
            (text("spending_witness", lambda row: ",".join(item.hex() for item in row.witness)),)
            if chain.segwit
            else ()
        ),
        integer("lifespan"),
        coin_days("cdd"),
    )


def _outputs_of(block: Block) -> Iterable[Output]:
    return (output for tx in block.transactions for output in tx.outputs)


def _inputs_of(block: Block) -> Iterable[Input]:
    return (spending for tx in block.transactions for spending in tx.inputs)


_BY_BLOCK: Final = {"block_id": height}
_FIRST_TRANSACTION: Final = attrgetter("coinbase.number")


def utxo_tables(chain: str) -> Iterable[Table]:
    """The tables of which every block has its rows."""
    of = utxo_chain(chain)
    blocks, transactions, inputs = (make(of) for make in (_utxo_blocks, _utxo_transactions, _inputs))
    yield Table(chain=chain, name="blocks", rows=itself, columns=blocks, firsts={"id": height})
    yield Table(
        chain=chain,
        name="transactions",
        rows=attrgetter("transactions"),
        columns=transactions,
        cost=5,
        firsts={**_BY_BLOCK, "id": _FIRST_TRANSACTION},
    )
    yield Table(chain=chain, name="outputs", rows=_outputs_of, columns=_output(), in_api=False)
    yield Table(chain=chain, name="inputs", rows=_inputs_of, columns=inputs, in_api=False)


def _spent(name: str) -> Callable[[OutputState], object]:
    of = attrgetter(name)
    return lambda row: None if row.spending is None else of(row.spending)


def _witness(row: OutputState) -> str | None:
    return None if row.spending is None else ",".join(item.hex() for item in row.spending.witness)


def _signature(row: OutputState) -> str | None:
    return None if row.spending is None else row.spending.signature.hex()


def _outputs_now(chain: UtxoChain) -> tuple[Column, ...]:
    """The columns of the API's outputs, which carry the spending side."""
    made = {column.name: column for column in _output("output.")}
    return (
        made.pop("block_id"),
        integer("transaction_id", "output.maker"),
        made.pop("index"),
        made.pop("transaction_hash"),
        column("date", Kind.DATE, "output.time"),
        *made.values(),
        column("is_spent", Kind.FLAG, lambda row: row.spending is not None, filter=Filter.EQUALITY),
        integer("spending_block_id", _spent("block_id")),
        integer("spending_transaction_id", _spent("number")),
        integer("spending_index", _spent("index")),
        text("spending_transaction_hash", _spent("transaction_hash")),
        column("spending_date", Kind.DATE, _spent("time")),
        column("spending_time", Kind.TIME, _spent("time"), filter=Filter.TIME, sortable=True),
        column(
            "spending_value_usd",
            Kind.USD,
            _spent("spent.value"),
            when=attrgetter("spending.time"),
            filter=Filter.RANGE,
            sortable=True,
        ),
        integer("spending_sequence", _spent("sequence")),
        text("spending_signature_hex", _signature),
        *((text("spending_witness", _witness),) if chain.segwit else ()),
        integer("lifespan", _spent("lifespan")),
        column("cdd", Kind.REAL, "coin_days", filter=Filter.RANGE, sortable=True),
        searched_bytes("script_bin", lambda row: row.output.script if row.output.type == NULLDATA else b""),
    )


def api_outputs(chain: str) -> Table:
    """The API's outputs; their rows depend on the tip, so they come from elsewhere."""
    return Table(
        chain=chain,
        name="outputs",
        rows=_outputs_of,
        columns=_outputs_now(utxo_chain(chain)),
        in_dumps=False,
        cost=10,
        sort="transaction_id",
        whole_by=frozenset({"transaction_id", "spending_transaction_id"}),
        firsts={**_BY_BLOCK, "transaction_id": _FIRST_TRANSACTION},
    )
