"""What each check computes with, for the tests that set such values to null and that read the checks' models."""

import csv
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache

import yaml

from checkout import PROJECT
from test_mutations import HEIGHTS, UTXO, WHERE_SPENT

CHAINS = (*UTXO, "ethereum")
B = ("bitcoin",)
E = ("ethereum",)
# By which a row is of a block: without it, the block lacks the row, which what it states may prove.
PLACES = {(table, column) for table, column in HEIGHTS.items()} | {("blocks", "time")}
# Rows that a check computes with; which rows of those, the outcome before decides.
ROWS = {
    "blocks": "true",
    "transactions": "hash is not null and not {coinbase}",
    "outputs": "true",
    "inputs": "true",
    "calls": "transaction_hash is not null and transferred",
}
SPENT = f"{WHERE_SPENT} <> block_id"
API, DUMPS = "_channel = 'api'", "_channel = 'dumps'"


@dataclass(frozen=True)
class Operands:
    """Columns of one table that a check computes with.

    Attributes:
        check: The check.
        chains: Of which chains.
        table: The table.
        columns: Its columns, by spaces.
        rows: Which rows, if not all that the table's entry in ROWS says.
        shown: Where the outcome has to show: the row's block, the one above, the one that spends an output, or the day.
    """

    check: str
    chains: tuple[str, ...]
    table: str
    columns: str
    rows: str | None = None
    shown: str = "own"


OPERANDS = [
    Operands("block_header_hash", UTXO, "blocks", "hash version merkle_root time bits nonce"),
    Operands("block_header_hash", UTXO, "blocks", "hash", shown="above"),
    Operands("block_proof_of_work", B, "blocks", "hash bits"),
    Operands("block_chainwork", UTXO, "blocks", "chainwork bits"),
    Operands("block_chainwork", UTXO, "blocks", "chainwork", shown="above"),
    Operands("block_difficulty", UTXO, "blocks", "difficulty bits"),
    Operands("block_median_time", UTXO, "blocks", "median_time time"),
    Operands("block_median_time", UTXO, "blocks", "time", shown="above"),
    Operands("block_parent", CHAINS, "blocks", "id"),
    Operands("block_version_forms", UTXO, "blocks", "version version_hex version_bits"),
    Operands("block_weight", B, "blocks", "weight size stripped_size"),
    Operands("block_total_difficulty", E, "blocks", "total_difficulty difficulty"),
    Operands("block_total_difficulty", E, "blocks", "total_difficulty", shown="above"),
    Operands("block_reward", UTXO, "blocks", "reward generation fee_total input_total output_total"),
    Operands("block_reward", E, "blocks", "reward generation fee_total"),
    Operands("block_reward", E, "blocks", "burned_total", f"{API} and gas_used > 0"),
    Operands("block_reward", E, "blocks", "gas_used", f"{DUMPS} and gas_used = 0"),
    Operands("block_subsidy", CHAINS, "blocks", "generation"),
    Operands("block_subsidy", E, "blocks", "uncle_count"),
    Operands("block_base_fee", E, "blocks", "gas_used generation fee_total reward", DUMPS),
    Operands("block_base_fee", E, "blocks", "base_fee_per_gas burned_total", API),
    Operands("block_base_fee", E, "blocks", "gas_used gas_limit", shown="above"),
    Operands("block_gas_limit", E, "blocks", "gas_used gas_limit"),
    Operands("block_gas_limit", E, "blocks", "gas_limit", shown="above"),
    Operands("block_merkle_root", UTXO, "blocks", "merkle_root transaction_count"),
    Operands("block_merkle_root", UTXO, "transactions", "hash _line"),
    Operands("block_transaction_count", CHAINS, "blocks", "transaction_count time"),
    Operands("block_transaction_count", E, "blocks", "synthetic_transaction_count"),
    Operands("block_transaction_count", CHAINS, "transactions", "block_id time"),
    Operands("block_transaction_count", UTXO, "transactions", "is_coinbase"),
    Operands("block_transaction_sums", UTXO, "blocks", "input_count output_count input_total output_total fee_total"),
    Operands(
        "block_transaction_sums",
        UTXO,
        "transactions",
        "input_count output_count input_total output_total fee is_coinbase",
    ),
    Operands("block_transaction_sums", E, "blocks", "fee_total gas_used"),
    Operands("block_transaction_sums", E, "transactions", "fee gas_used"),
    Operands("block_sizes", B, "blocks", "size weight witness_count transaction_count"),
    Operands("block_sizes", B, "transactions", "size weight has_witness"),
    Operands("block_coin_days", UTXO, "blocks", "cdd_total transaction_count"),
    Operands("block_coin_days", UTXO, "transactions", "cdd_total"),
    Operands("transaction_fee", UTXO, "transactions", "fee input_total output_total is_coinbase"),
    Operands("transaction_fee", UTXO, "transactions", "fee input_total is_coinbase", "is_coinbase"),
    Operands("transaction_gas_fee", E, "transactions", "fee gas_used gas_price"),
    Operands("block_value_sums", E, "blocks", "value_total internal_value_total call_count"),
    Operands("block_value_sums", E, "transactions", "value internal_value call_count type"),
    Operands("transaction_calls", E, "transactions", "call_count internal_value hash type"),
    Operands("transaction_calls", E, "calls", "block_id transaction_hash value transferred type"),
    Operands("transaction_outputs", UTXO, "transactions", "hash output_count output_total is_coinbase time"),
    Operands("transaction_outputs", UTXO, "outputs", "block_id transaction_hash index value is_from_coinbase time"),
    Operands("transaction_inputs", UTXO, "transactions", "hash input_count input_total is_coinbase time"),
    Operands(
        "transaction_inputs",
        UTXO,
        "inputs",
        "spending_block_id spending_transaction_hash spending_index value spending_time",
    ),
    Operands("transaction_input_age", UTXO, "transactions", "hash cdd_total input_count is_coinbase"),
    Operands(
        "transaction_input_age",
        UTXO,
        "inputs",
        "lifespan cdd time spending_time value spending_transaction_hash _channel",
    ),
    Operands("unit_rows", CHAINS, "blocks", "_load_id", DUMPS, "day"),
    Operands("unit_rows", CHAINS, "transactions", "_load_id", DUMPS, "day"),
    Operands("unit_rows", UTXO, "outputs", "_load_id", DUMPS, "day"),
    Operands("unit_rows", UTXO, "inputs", "_load_id", DUMPS, "day"),
    Operands("unit_rows", E, "calls", "_load_id", DUMPS, "day"),
    *(
        Operands(name, UTXO, table, columns, *options)
        for name, compared in (
            ("input_origin", "value time"),
            ("input_double_spend", ""),
            ("input_recipient", "recipient script_hex"),
        )
        for table, columns, *options in (
            ("blocks", "input_count"),
            ("inputs", f"spending_block_id block_id transaction_hash index {compared}"),
            *([("outputs", f"block_id transaction_hash index {compared}", SPENT, "spent")] if compared else []),
        )
    ),
    Operands("input_double_spend", UTXO, "inputs", "spending_transaction_hash spending_index"),
]


def words(text: str) -> set[str]:
    """Words of SQL or of a sentence, without SQL's and Jinja's comments."""
    return set(re.findall(r"\w+", re.sub(r"--.*|\{#.*?#\}", "", text)))


def coverage() -> dict[str, str]:
    """The checks, and what they say they cover."""
    with (PROJECT / "transform/seeds/dq_checks.csv").open() as file:
        return {row["check_name"]: row["covers"] for row in csv.DictReader(file)}


@cache
def declared() -> dict[str, dict[str, set[str]]]:
    """The columns of each table of each chain."""
    path = PROJECT / "transform/models/staging/blockchair/_blockchair__sources.yml"
    (source,) = yaml.safe_load(path.read_text())["sources"]
    found: dict[str, dict[str, set[str]]] = defaultdict(dict)
    for table in source["tables"]:
        chain, name = table["name"].split("_", 1)
        if name in HEIGHTS:
            found[name][chain] = {column["name"] for column in table["columns"]}
    return found


def operands_of(check_name: str) -> set[tuple[str, str]]:
    """The operands of a check, as table and column."""
    return {
        (operands.table, column)
        for operands in OPERANDS
        if operands.check == check_name
        for column in operands.columns.split()
    }
