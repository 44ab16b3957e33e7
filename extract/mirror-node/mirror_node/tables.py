"""The columns of the files, in the order of Blockchair's dump headers, and the files' names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from mirror_node.chains import Chain

NULL = "\\N"
ORIGIN = "origin"

_OUTPUT = "block_id transaction_hash index time value value_usd recipient type script_hex is_from_coinbase is_spendable"
_UTXO = {
    "blocks": (
        "id hash time median_time size stripped_size weight version version_hex version_bits merkle_root nonce bits"
        " difficulty chainwork coinbase_data_hex transaction_count witness_count input_count output_count input_total"
        " input_total_usd output_total output_total_usd fee_total fee_total_usd fee_per_kb fee_per_kb_usd fee_per_kwu"
        " fee_per_kwu_usd cdd_total generation generation_usd reward reward_usd guessed_miner"
    ),
    "transactions": (
        "block_id hash time size weight version lock_time is_coinbase has_witness input_count output_count input_total"
        " input_total_usd output_total output_total_usd fee fee_usd fee_per_kb fee_per_kb_usd fee_per_kwu"
        " fee_per_kwu_usd cdd_total"
    ),
    "outputs": _OUTPUT,
    "inputs": (
        f"{_OUTPUT} spending_block_id spending_transaction_hash spending_index spending_time spending_value_usd"
        " spending_sequence spending_signature_hex spending_witness lifespan cdd"
    ),
}
_EVM = {
    "blocks": (
        "id hash time size miner extra_data_hex difficulty gas_used gas_limit logs_bloom mix_hash nonce receipts_root"
        " sha3_uncles state_root total_difficulty transactions_root uncle_count transaction_count"
        " synthetic_transaction_count call_count synthetic_call_count value_total value_total_usd internal_value_total"
        " internal_value_total_usd generation generation_usd uncle_generation uncle_generation_usd fee_total"
        " fee_total_usd reward reward_usd"
    ),
    "transactions": (
        "block_id index hash time failed type sender recipient call_count value value_usd internal_value"
        " internal_value_usd fee fee_usd gas_used gas_limit gas_price input_hex nonce v r s"
    ),
    "calls": (
        "block_id transaction_hash index depth time failed fail_reason type sender recipient child_call_count value"
        " value_usd transferred input_hex output_hex"
    ),
}
_OF_WITNESSES = frozenset(
    {"stripped_size", "weight", "witness_count", "fee_per_kwu", "fee_per_kwu_usd", "has_witness", "spending_witness"}
)
# Blocks come last: a day whose blocks are there has its other tables too.
_ORDER = ("inputs", "outputs", "calls", "transactions", "blocks")


@dataclass(frozen=True)
class BlockRows:
    """A verified block, as lines of the tables.

    Attributes:
        hash: As displayed, without 0x; likewise `parent`.
        time: Of the header, seconds since 1970.
        median_time: Later blocks are later than this (seconds since 1970); of Ethereum the time itself.
        tables: Lines by table, each ending with a newline.
        rows: Their numbers.
    """

    height: int
    hash: str
    parent: str
    time: int
    median_time: int
    tables: dict[str, bytes]
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def day(self) -> date:
        """The UTC day of the block's time, whose files it belongs to."""
        return day_of(self.time)


def columns(chain: Chain) -> dict[str, tuple[str, ...]]:
    """Give a chain's tables and their columns, in the order in which the files of a day are published."""
    tables = {name: tuple(text.split()) for name, text in (_EVM if chain.is_evm else _UTXO).items()}
    if not chain.is_evm and not chain.has_witnesses:
        tables = {name: tuple(column for column in own if column not in _OF_WITNESSES) for name, own in tables.items()}
    if chain.has_auxpow:
        tables["blocks"] += ("is_aux",)
    return {name: (*tables[name], ORIGIN) for name in _ORDER if name in tables}


def file_name(chain: str, table: str, day: date) -> str:
    """Name a day's file as Blockchair does."""
    return f"blockchair_{chain}_{table}_{day:%Y%m%d}.tsv.gz"


def day_of(seconds: int) -> date:
    """Give the UTC day of a time in seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).date()


def written(seconds: int) -> str:
    """Write a time as the dumps do."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def ratio(numerator: int, denominator: int) -> str:
    """Write a quotient of integers as the nearest double, in plain decimals; 0 where nothing is divided."""
    if not numerator or not denominator:
        return "0"
    text = repr(numerator / denominator)
    return f"{Decimal(text):f}" if "e" in text else text.removesuffix(".0")
