"""The tables: their columns in the order of the contract, where rows come from, what a request costs.

Column lists: contract sections 3.1 to 3.6 (API) and 6.5 (dumps).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from simulator.blockchair.chains import COIN, UTXO_CHAINS
from simulator.blockchair.columns import Column, Filter, Kind
from simulator.blockchair.encoding import difficulty_of
from simulator.blockchair.ethereum import NO_UNCLES, TOTAL_DIFFICULTY
from simulator.blockchair.ethereum_model import ETHER
from simulator.blockchair.parameters import ETHEREUM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simulator.blockchair.transactions import Block, Input, Output, Transaction

_COIN_DAYS: Final = COIN * 86_400
_VERSION_BITS: Final = 30


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of one chain.

    Attributes:
        chain: The chain's name, which is its coin's id too.
        name: The table's name in paths and file names.
        unit: Base units in a coin.
        rows: Takes a block apart into this table's rows, in chain order.
        columns: The API's order; dumps leave some out and put London's at the end.
        in_api: Whether the API offers it (inputs it does not).
        cost: Points of a plain request.
        whole_by: Columns for which equality returns the whole match, past any limit (contract 2.4).
    """

    chain: str
    name: str
    unit: int
    rows: Callable[[Any], Iterable[object]]
    columns: tuple[Column, ...]
    in_api: bool = False
    cost: int = 2
    whole_by: frozenset[str] = frozenset({"id", "hash"})

    def dump_columns(self, *, london: bool = False) -> tuple[Column, ...]:
        """The columns of a dump file, in order."""
        always = tuple(c for c in self.columns if c.in_dumps and not c.london)
        return always + tuple(c for c in self.columns if c.in_dumps and c.london and london)

    @property
    def api_columns(self) -> tuple[Column, ...]:
        """The columns of an API row, in order."""
        return tuple(c for c in self.columns if c.in_api)


def _column(name: str, kind: Kind, get: str | Callable[[Any], object] = "", **more: object) -> Column:
    getter = attrgetter(get or name) if isinstance(get, str) else get
    return Column(name=name, kind=kind, get=getter, **more)  # type: ignore[arg-type]


def _integer(name: str, get: str | Callable[[Any], object] = "", **more: object) -> Column:
    return _column(name, Kind.INTEGER, get, filter=Filter.RANGE, sortable=True, **more)


def _hash(name: str, get: str | Callable[[Any], object] = "") -> Column:
    return _column(name, Kind.TEXT, get, filter=Filter.EQUALITY, sortable=True)


def _text(name: str, get: str | Callable[[Any], object] = "", **more: object) -> Column:
    return _column(name, Kind.TEXT, get, **more)


def _time() -> tuple[Column, Column]:
    return (
        _column("date", Kind.DATE, "time", in_dumps=False),
        _column("time", Kind.TIME, filter=Filter.TIME, sortable=True),
    )


def _with_usd(name: str, get: str | Callable[[Any], object] = "", kind: Kind = Kind.INTEGER) -> tuple[Column, Column]:
    return (
        _column(name, kind, get, filter=Filter.RANGE, sortable=True),
        _column(f"{name}_usd", Kind.USD, get or name, filter=Filter.RANGE, sortable=True),
    )


def _rate(name: str, fee: str, size: str) -> tuple[Column, Column]:
    """A fee per thousand of something, 0 where there is nothing to divide by."""

    def rate(row: object) -> Fraction:
        return Fraction(1000 * getattr(row, fee), getattr(row, size) or 1)

    return _with_usd(name, rate, Kind.RATE)


def _coin_days(name: str) -> Column:
    return _column(
        name, Kind.REAL, lambda row: row.coin_seconds / _COIN_DAYS, filter=Filter.RANGE, sortable=True
    )  # an integer over an integer: one rounding in all


def _utxo_blocks(*, segwit: bool) -> tuple[Column, ...]:
    def witness(*columns: Column) -> tuple[Column, ...]:
        return columns if segwit else ()

    def total(name: str) -> Callable[[Block], int]:
        of = attrgetter(name)
        return lambda block: sum(of(tx) for tx in block.transactions)

    def output_count(block: Block) -> int:
        return sum(len(tx.outputs) for tx in block.transactions)

    return (
        _integer("id"),
        _hash("hash"),
        *_time(),
        _column("median_time", Kind.TIME, sortable=True),
        _integer("size"),
        *witness(_integer("stripped_size"), _integer("weight")),
        _integer("version"),
        _text("version_hex", lambda block: f"{block.version:x}"),
        _text("version_bits", lambda block: f"{block.version % (1 << _VERSION_BITS):0{_VERSION_BITS}b}"),
        _text("merkle_root", lambda block: block.root[::-1].hex()),
        _integer("nonce"),
        _integer("bits"),
        _column("difficulty", Kind.REAL, lambda block: difficulty_of(block.bits), filter=Filter.RANGE, sortable=True),
        _text("chainwork", lambda block: f"{block.chainwork:064x}"),
        _text("coinbase_data_hex", lambda block: block.coinbase.coinbase_data.hex()),
        _integer("transaction_count", lambda block: len(block.transactions)),
        *witness(_integer("witness_count", total("has_witness"))),
        _integer("input_count", total("input_count")),
        _integer("output_count", output_count),
        *_with_usd("input_total"),
        *_with_usd("output_total"),
        *_with_usd("fee_total"),
        *_rate("fee_per_kb", "fee_total", "paid_size"),
        *witness(*_rate("fee_per_kwu", "fee_total", "paid_weight")),
        _coin_days("cdd_total"),
        *_with_usd("generation"),
        *_with_usd("reward"),
        _column("guessed_miner", Kind.TEXT, filter=Filter.EQUALITY, sortable=True),
        *(() if segwit else (_column("is_aux", Kind.FLAG, filter=Filter.EQUALITY),)),
    )


def _utxo_transactions(*, segwit: bool) -> tuple[Column, ...]:
    def witness(*columns: Column) -> tuple[Column, ...]:
        return columns if segwit else ()

    return (
        _integer("block_id"),
        _hash("hash"),
        *_time(),
        _integer("size"),
        *witness(_integer("weight")),
        _integer("version"),
        _integer("lock_time"),
        _column("is_coinbase", Kind.FLAG, filter=Filter.EQUALITY),
        *witness(_column("has_witness", Kind.FLAG, filter=Filter.EQUALITY)),
        _integer("input_count"),
        _integer("output_count", lambda tx: len(tx.outputs)),
        *_with_usd("input_total"),
        *_with_usd("output_total"),
        *_with_usd("fee"),
        *_rate("fee_per_kb", "fee", "size"),
        *witness(*_rate("fee_per_kwu", "fee", "weight")),
        _coin_days("cdd_total"),
    )


def _output(at: str = "") -> tuple[Column, ...]:
    """The columns of an output; `at` leads from a row to its output."""

    def of(name: str) -> str:
        return at + name

    script = attrgetter(of("script"))

    return (
        _integer("block_id", of("block_id")),
        _text("transaction_hash", of("transaction_hash")),
        _integer("index", of("index")),
        _column("time", Kind.TIME, of("time"), filter=Filter.TIME, sortable=True),
        _integer("value", of("value")),
        _column("value_usd", Kind.USD, of("value"), when=attrgetter(of("time")), filter=Filter.RANGE, sortable=True),
        _column("recipient", Kind.TEXT, of("recipient"), filter=Filter.EQUALITY),
        _column("type", Kind.TEXT, of("type"), filter=Filter.EQUALITY),
        _text("script_hex", lambda row: script(row).hex()),
        _column("is_from_coinbase", Kind.FLAG, of("is_from_coinbase"), filter=Filter.EQUALITY),
        _column("is_spendable", Kind.TERNARY, of("spendable"), filter=Filter.EQUALITY),
    )


def _inputs(*, segwit: bool) -> tuple[Column, ...]:
    return (
        *_output("spent."),
        _integer("spending_block_id", "block_id"),
        _text("spending_transaction_hash", "transaction_hash"),
        _integer("spending_index", "index"),
        _column("spending_time", Kind.TIME, "time"),
        _column("spending_value_usd", Kind.USD, "spent.value"),
        _integer("spending_sequence", "sequence"),
        _text("spending_signature_hex", lambda row: row.signature.hex()),
        *((_text("spending_witness", lambda row: ",".join(item.hex() for item in row.witness)),) if segwit else ()),
        _integer("lifespan"),
        _coin_days("cdd"),
    )


def _transactions_of(block: Block) -> list[Transaction]:
    return block.transactions


def _outputs_of(block: Block) -> Iterable[Output]:
    return (output for tx in block.transactions for output in tx.outputs)


def _inputs_of(block: Block) -> Iterable[Input]:
    return (spending for tx in block.transactions for spending in tx.inputs)


def _itself(block: object) -> tuple[object]:
    return (block,)


def _utxo_tables(chain: str) -> Iterable[Table]:
    segwit = UTXO_CHAINS[chain].segwit
    blocks, transactions, inputs = (make(segwit=segwit) for make in (_utxo_blocks, _utxo_transactions, _inputs))
    yield Table(chain=chain, name="blocks", unit=COIN, rows=_itself, columns=blocks, in_api=True)
    yield Table(chain=chain, name="transactions", unit=COIN, rows=_transactions_of, columns=transactions)
    yield Table(chain=chain, name="outputs", unit=COIN, rows=_outputs_of, columns=_output())
    yield Table(chain=chain, name="inputs", unit=COIN, rows=_inputs_of, columns=inputs)


def _constant(value: object) -> Callable[[Any], object]:
    return lambda _: value


def _prefixed(name: str) -> Column:
    return _column(name, Kind.PREFIXED_HEX, filter=Filter.EQUALITY, sortable=True)


_ETHEREUM_BLOCKS: Final = (
    _integer("id"),
    _prefixed("hash"),
    *_time(),
    _integer("size"),
    _prefixed("miner"),
    _text("extra_data_hex"),
    _integer("difficulty", _constant(0)),
    _integer("gas_used"),
    _integer("gas_limit"),
    _integer("base_fee_per_gas", london=True),
    _text("logs_bloom"),
    _text("mix_hash"),
    _text("nonce", _constant("0")),
    _text("receipts_root"),
    _text("sha3_uncles", _constant(NO_UNCLES)),
    _text("state_root"),
    _column("total_difficulty", Kind.WEI, _constant(TOTAL_DIFFICULTY)),
    _text("transactions_root"),
    _integer("uncle_count", _constant(0)),
    _integer("transaction_count", lambda block: len(block.real)),
    _integer("synthetic_transaction_count", _constant(1)),
    _integer("call_count"),
    _integer("synthetic_call_count", _constant(1)),
    *_with_usd("value_total", kind=Kind.WEI),
    *_with_usd("internal_value_total", kind=Kind.WEI),
    *_with_usd("generation", kind=Kind.WEI),
    *_with_usd("uncle_generation", _constant(0), kind=Kind.WEI),
    *_with_usd("fee_total", kind=Kind.WEI),
    _column("burned_total", Kind.WEI, filter=Filter.RANGE, sortable=True, london=True),
    *_with_usd("reward", kind=Kind.WEI),
)

_ETHEREUM_TRANSACTIONS: Final = (
    _integer("block_id"),
    _integer("index"),
    _prefixed("hash"),
    *_time(),
    _column("failed", Kind.FLAG, filter=Filter.EQUALITY),
    _column("type", Kind.TEXT, filter=Filter.EQUALITY),
    _prefixed("sender"),
    _prefixed("recipient"),
    _integer("call_count"),
    *_with_usd("value", kind=Kind.WEI),
    *_with_usd("internal_value", kind=Kind.WEI),
    *_with_usd("fee", kind=Kind.WEI),
    _integer("gas_used"),
    _integer("gas_limit"),
    _integer("gas_price"),
    _text("input_hex"),
    _integer("nonce"),
    _text("v"),
    _text("r"),
    _text("s"),
    _integer("version", london=True),
    _integer("effective_gas_price", "gas_price", london=True),
    _integer("max_fee_per_gas", london=True),
    _integer("max_priority_fee_per_gas", london=True),
    _integer("base_fee_per_gas", london=True),
    _column("burned", Kind.WEI, london=True),
    _integer("type_2718", london=True),
)


def _ethereum_transactions_of(block: Any) -> Iterable[object]:  # noqa: ANN401
    return block.transactions  # type: ignore[no-any-return]


TABLES: Final = {
    (table.chain, table.name): table
    for table in (
        *_utxo_tables("bitcoin"),
        Table(chain=ETHEREUM, name="blocks", unit=ETHER, rows=_itself, columns=_ETHEREUM_BLOCKS, in_api=True),
        Table(
            chain=ETHEREUM,
            name="transactions",
            unit=ETHER,
            rows=_ethereum_transactions_of,
            columns=_ETHEREUM_TRANSACTIONS,
        ),
        *_utxo_tables("dogecoin"),
    )
}
"""All tables, by chain and name."""
