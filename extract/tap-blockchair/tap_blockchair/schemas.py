"""Columns and keys of every table, by the shape of its chain.

Names and order are those of Blockchair's dump headers; stats and addresses, which have no daily dump, follow the API.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tap_blockchair.chains import CHAINS, Chain
from tap_blockchair.columns import Column, Kind, columns


@dataclass(frozen=True)
class Table:
    """A table of one chain.

    Attributes:
        columns: What the schema announces from the start, in order.
        keys: The primary key's columns.
        known: Documented columns that are absent by design; should a source send one, its type is known.
        bare_hex: True where the API puts `0x` before hex that the canonical (dump) form writes bare.
    """

    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    known: tuple[Column, ...] = ()
    bare_hex: bool = False


_SEGWIT_COLUMNS = frozenset(
    {
        "stripped_size",
        "weight",
        "witness_count",
        "fee_per_kwu",
        "fee_per_kwu_usd",
        "has_witness",
        "spending_witness",
    },
)

# A letter is a kind; `+` behind it means whole and not negative, `~` whole.
_OUTPUT = """
    block_id:i+ transaction_hash:s index:i+ time:t value:n+ value_usd:n recipient:s type:s script_hex:s
    is_from_coinbase:b is_spendable:p
"""

_UTXO = {
    "blocks": columns("""
        id:i+ hash:s time:t median_time:t size:i+ stripped_size:i+ weight:i+ version:i version_hex:s version_bits:s
        merkle_root:s nonce:i bits:i difficulty:n chainwork:s coinbase_data_hex:s transaction_count:i+ witness_count:i+
        input_count:i+ output_count:i+ input_total:n+ input_total_usd:n output_total:n+ output_total_usd:n fee_total:n+
        fee_total_usd:n fee_per_kb:n fee_per_kb_usd:n fee_per_kwu:n fee_per_kwu_usd:n cdd_total:n generation:n~
        generation_usd:n reward:n+ reward_usd:n guessed_miner:s
    """),
    "transactions": columns("""
        block_id:i+ hash:s time:t size:i+ weight:i+ version:i lock_time:i is_coinbase:b has_witness:b input_count:i+
        output_count:i+ input_total:n+ input_total_usd:n output_total:n+ output_total_usd:n fee:n+ fee_usd:n
        fee_per_kb:n fee_per_kb_usd:n fee_per_kwu:n fee_per_kwu_usd:n cdd_total:n
    """),
    "outputs": columns(_OUTPUT),
    "inputs": columns(
        _OUTPUT
        + """
        spending_block_id:i+ spending_transaction_hash:s spending_index:i+ spending_time:t spending_value_usd:n
        spending_sequence:i spending_signature_hex:s spending_witness:s lifespan:i cdd:n
    """,
    ),
}

_EVM = {
    "blocks": columns("""
        id:i+ hash:s time:t size:i+ miner:s extra_data_hex:s difficulty:n+ gas_used:i+ gas_limit:i+ logs_bloom:s
        mix_hash:s nonce:n+ receipts_root:s sha3_uncles:s state_root:s total_difficulty:n+ transactions_root:s
        uncle_count:i+ transaction_count:i+ synthetic_transaction_count:i+ call_count:i+ synthetic_call_count:i+
        value_total:n+ value_total_usd:n internal_value_total:n+ internal_value_total_usd:n generation:n+
        generation_usd:n uncle_generation:n+ uncle_generation_usd:n fee_total:n+ fee_total_usd:n reward:n+ reward_usd:n
    """),
    "transactions": columns("""
        block_id:i+ index:i+ hash:s time:t failed:b type:s sender:s recipient:s call_count:i+ value:n+ value_usd:n
        internal_value:n+ internal_value_usd:n fee:n+ fee_usd:n gas_used:i+ gas_limit:i+ gas_price:n+ input_hex:s
        nonce:i+ v:s r:s s:s
    """),
    "uncles": columns("""
        parent_block_id:i+ index:i+ id:i+ hash:s time:t size:i+ miner:s extra_data_hex:s difficulty:n+ gas_used:i+
        gas_limit:i+ logs_bloom:s mix_hash:s nonce:n+ receipts_root:s sha3_uncles:s state_root:s transactions_root:s
        generation:n+ generation_usd:n
    """),
    "calls": columns("""
        block_id:i+ transaction_hash:s index:s depth:i+ time:t failed:b fail_reason:s type:s sender:s recipient:s
        child_call_count:i+ value:n+ value_usd:n transferred:b input_hex:s output_hex:s
    """),
    "erc20_transactions": columns("""
        block_id:i+ transaction_hash:s time:t token_address:s token_name:s token_symbol:s token_decimals:i+ sender:s
        recipient:s value:n+
    """),
}

# No header of this dump is on record, only that the address stands in it.
_ERC20_TOKENS = columns("address:s") + columns(
    "id:i+ time:t name:s symbol:s decimals:i+ creating_block_id:i+ creating_transaction_hash:s",
    required=False,
)

_MARKET_STATS = """
    market_price_usd:n market_price_btc:n market_price_usd_change_24h_percentage:n market_cap_usd:n
    market_dominance_percentage:n
"""

_UTXO_STATS = columns(
    """
    blocks:i transactions:i outputs:i circulation:n blocks_24h:i transactions_24h:i difficulty:n volume_24h:n
    mempool_transactions:i mempool_outputs:i mempool_size:i mempool_tps:n mempool_total_fee_usd:n best_block_height:i
    best_block_hash:s best_block_time:t blockchain_size:i average_transaction_fee_24h:n inflation_24h:n
    median_transaction_fee_24h:n cdd_24h:n largest_transaction_24h:o nodes:i hashrate_24h:n inflation_usd_24h:n
    average_transaction_fee_usd_24h:n median_transaction_fee_usd_24h:n
    """
    + _MARKET_STATS
    + """
    next_retarget_time_estimate:t next_difficulty_estimate:n countdowns:a suggested_transaction_fee_per_byte_sat:n
    hodling_addresses:i
    """,
    required=False,
)

_EVM_STATS = columns(
    """
    blocks:i transactions:i blocks_24h:i circulation_approximate:n transactions_24h:i difficulty:n
    volume_24h_approximate:n mempool_transactions:i mempool_median_gas_price:n mempool_tps:n
    mempool_total_value_approximate:n best_block_height:i best_block_hash:s best_block_time:t uncles:i uncles_24h:i
    blockchain_size:i calls:i average_transaction_fee_24h:n median_transaction_fee_24h:n inflation_24h:n
    average_simple_transaction_fee_24h:n median_simple_transaction_fee_24h:n largest_transaction_24h:o hashrate_24h:n
    inflation_usd_24h:n average_transaction_fee_usd_24h:n median_transaction_fee_usd_24h:n
    average_simple_transaction_fee_usd_24h:n median_simple_transaction_fee_usd_24h:n
    """
    + _MARKET_STATS
    + "layer_2:o countdowns:a suggested_transaction_fee_gwei_options:o burned:n burned_24h:n addresses:i",
    required=False,
)

_ADDRESSES = columns("address:s balance:n+")
_EVM_ADDRESSES = columns("nonce:i+ is_contract:b", required=False)
_SNAPSHOT = columns("observed_at:t")
_RANK = columns("rank:i+")

# Client and version of the node that a mirror's file is of; Blockchair's own files have no such column.
ORIGIN = "origin"
_ORIGIN = columns(f"{ORIGIN}:s", required=False)

# Where a row came from: on every stream, after Blockchair's own columns.
_PROVENANCE = columns("_channel:s _unit:s _line:i _dump_day:d")
_SETTLED = columns("is_settled:b")

_KEYS = {
    "blocks": ("id",),
    "transactions": ("block_id", "hash"),
    "outputs": ("block_id", "transaction_hash", "index"),
    "inputs": ("spending_block_id", "spending_transaction_hash", "spending_index"),
    "uncles": ("parent_block_id", "index"),
}
# Synthetic transactions and calls have no hash, and a transaction may repeat a token transfer to the letter: only the
# place in the file identifies a row.
_KEYED_BY_PLACE = frozenset({"transactions", "calls", "erc20_transactions"})


# Transactions that a block has at most, for its totals: coins may move more than once in it.
_IN_A_BLOCK = 10**9
_TOTALS = frozenset({"input_total", "output_total"})
_BEYOND_64_BITS = 2**63
# How Blockchair counts hidden amounts in these is not on record, so nothing is said of their signs.
_OF_SHIELDED = frozenset({"fee", "fee_total", "input_total", "output_total", "reward"})


def _bounded(chain: Chain, table: str, columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """State how great the amounts of a chain's table can be, in base units; those that fit 64 bits are integers.

    PostgreSQL compares a bigint with its bounds in a fifth of the time that it takes for a numeric.
    """
    return tuple(
        _bounded_amount(chain, table, column) if column.kind is Kind.NUMBER and column.sign else column
        for column in columns
    )


def _bounded_amount(chain: Chain, table: str, column: Column) -> Column:
    most = chain.most * (_IN_A_BLOCK if table == "blocks" and column.name in _TOTALS else 1)
    sign = "~" if chain.is_shielded and column.name in _OF_SHIELDED else column.sign
    return replace(column, kind=Kind.INTEGER if most < _BEYOND_64_BITS else Kind.NUMBER, most=most, sign=sign)


def dump_tables(chain: str) -> tuple[str, ...]:
    """Name the tables of a chain that have a daily dump."""
    return tuple(_EVM if CHAINS[chain].is_evm else _UTXO)


def chain_table(chain: str, name: str) -> Table:
    """Describe one of `dump_tables` as a dump holds it."""
    of = CHAINS[chain]
    more, api_only = of.more.get(name, ()), _bounded(of, name, of.api_only.get(name, ()))
    if of.is_evm:
        keys = ("_unit", "_line") if name in _KEYED_BY_PLACE else _KEYS[name]
        return Table(_bounded(of, name, _EVM[name] + more), keys, known=api_only + _ORIGIN, bare_hex=True)
    columns = _UTXO[name]
    absent: tuple[Column, ...] = ()
    if not of.has_witnesses:
        absent = tuple(column for column in columns if column.name in _SEGWIT_COLUMNS)
        columns = tuple(column for column in columns if column.name not in _SEGWIT_COLUMNS)
    return Table(_bounded(of, name, columns + more), _KEYS[name], known=absent + api_only + _ORIGIN)


def latest_tables(chain: str, *, addresses: bool) -> tuple[str, ...]:
    """Name the tables of a chain of which only a latest snapshot is dumped, that of all addresses if it is wanted."""
    return (*(("addresses",) if addresses else ()), *(("erc20_tokens",) if CHAINS[chain].is_evm else ()))


def latest_table(chain: str, name: str) -> Table:
    """Describe one of `latest_tables`; addresses have the columns of the API's ranking, so that both share a table."""
    if name == "erc20_tokens":
        return Table(_ERC20_TOKENS, ("address",), bare_hex=True)
    table = addresses_table(chain)
    names = {column.name for column in _ADDRESSES}
    return replace(table, columns=tuple(replace(c, required=c.name in names) for c in table.columns))


def api_table(chain: str, name: str) -> Table:
    """Describe one of `dump_tables`, or `erc20_tokens`, with the columns announced that only the API has."""
    if name == "erc20_tokens":
        return latest_table(chain, name)
    table = chain_table(chain, name)
    api_only = {column.name for column in CHAINS[chain].api_only.get(name, ())}
    added = tuple(column for column in table.known if column.name in api_only)
    return replace(
        table,
        columns=(*table.columns, *added),
        known=tuple(column for column in table.known if column.name not in api_only),
    )


def stats_table(chain: str) -> Table:
    """Describe the dated snapshot of a chain's statistics."""
    evm = CHAINS[chain].is_evm
    return Table((*_SNAPSHOT, *(_EVM_STATS if evm else _UTXO_STATS)), ("observed_at",), bare_hex=evm)


def addresses_table(chain: str) -> Table:
    """Describe the dated snapshot of a chain's richest addresses."""
    of = CHAINS[chain]
    columns = (*_SNAPSHOT, *_ADDRESSES, *_RANK, *(_EVM_ADDRESSES if of.is_evm else ()))
    return Table(_bounded(of, "addresses", columns), ("observed_at", "address"), bare_hex=of.is_evm)


def provenance_columns(table_name: str) -> tuple[Column, ...]:
    """Name the columns that show where a row came from; on blocks also whether it is settled."""
    return (*_PROVENANCE, *_SETTLED) if table_name == "blocks" else _PROVENANCE
