"""Single cells of raw data, changed: each has to be found, in its block and by the name of the column or the sum.

Every column that the checks cover is changed once, twenty cells of different blocks at a time: `make test` changes
twenty cells, `make test-all` all. `make mutations` changes more: MUTATIONS says how many cells at least.
"""

import math
import os
import random
import re
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
import pytest
import yaml
from psycopg import sql

from checkout import PROJECT, Checkout
from tap_blockchair.schemas import api_table
from worlds import README_TIP, World, check_everything

SEED = 20250114
PER_ROUND = 20
DISTANCE = 3
UTXO = ("bitcoin", "dogecoin")
PLUS_ONE = "{} + 1"
NOT = "not {}"
FLIP = "translate(left({0}, 7), '0123456789abcdef', '123456789abcdef0') || substr({0}, 8)"
LATER = "{} + interval '1 second'"
AWAY = "{} + 1000000"
HEIGHTS = {
    "blocks": "id",
    "transactions": "block_id",
    "outputs": "block_id",
    "inputs": "spending_block_id",
    "calls": "block_id",
}

# chain, table, column, change, and what the reason has to say. The header's fields are verified together, and named so.
CELLS: list[tuple[str, str, str, str, str]] = [
    *((chain, "blocks", "id", AWAY, "transaction_count") for chain in (*UTXO, "ethereum")),
    *((chain, "blocks", "hash", FLIP, "hash") for chain in UTXO),
    *((chain, "blocks", "merkle_root", FLIP, "merkle_root") for chain in UTXO),
    *((chain, "blocks", "time", LATER, "time") for chain in UTXO),
    *((chain, "blocks", column, PLUS_ONE, column) for chain in UTXO for column in ("version", "nonce", "bits")),
    *((chain, "blocks", "median_time", LATER, "median_time") for chain in UTXO),
    *((chain, "blocks", "difficulty", "{} * 1.001", "difficulty") for chain in UTXO),
    *((chain, "blocks", "chainwork", "reverse({})", "chainwork") for chain in UTXO),
    *((chain, "blocks", "version_hex", "{} || '0'", "version_hex") for chain in UTXO),
    *((chain, "blocks", "version_bits", "translate({}, '01', '10')", "version_bits") for chain in UTXO),
    *(
        (chain, "blocks", column, PLUS_ONE, column)
        for chain in UTXO
        for column in (
            *("transaction_count", "input_count", "output_count", "input_total", "output_total", "fee_total"),
            *("reward", "cdd_total"),
        )
    ),
    *((chain, "blocks", "generation", PLUS_ONE, "reward") for chain in UTXO),
    *(("bitcoin", "blocks", column, PLUS_ONE, "weight") for column in ("size", "stripped_size", "weight")),
    ("bitcoin", "blocks", "witness_count", PLUS_ONE, "witness_count"),
    *((chain, "transactions", "block_id", AWAY, "transaction_count") for chain in UTXO),
    *((chain, "transactions", "hash", FLIP, "merkle_root") for chain in UTXO),
    *((chain, "transactions", "time", LATER, "time") for chain in UTXO),
    *((chain, "transactions", "is_coinbase", NOT, "coinbase") for chain in UTXO),
    *(
        (chain, "transactions", column, PLUS_ONE, column)
        for chain in UTXO
        for column in ("input_count", "output_count", "input_total", "output_total", "fee", "cdd_total")
    ),
    *(("bitcoin", "transactions", column, PLUS_ONE, column) for column in ("size", "weight")),
    ("bitcoin", "transactions", "has_witness", NOT, "witness_count"),
    *((chain, "outputs", "block_id", AWAY, "output_count") for chain in UTXO),
    *((chain, "outputs", "transaction_hash", FLIP, "outputs of") for chain in UTXO),
    *((chain, "outputs", "index", "{} + 7", "index") for chain in UTXO),
    *((chain, "outputs", "time", LATER, "time") for chain in UTXO),
    *((chain, "outputs", "value", PLUS_ONE, "output_total") for chain in UTXO),
    *((chain, "outputs", "is_from_coinbase", NOT, "is_from_coinbase") for chain in UTXO),
    *((chain, "inputs", "spending_block_id", AWAY, "input_count") for chain in UTXO),
    *((chain, "inputs", "spending_transaction_hash", FLIP, "inputs of") for chain in UTXO),
    *((chain, "inputs", "spending_index", "{} + 7", "spending_index") for chain in UTXO),
    *((chain, "inputs", "spending_time", LATER, "time") for chain in UTXO),
    *((chain, "inputs", "value", PLUS_ONE, "input_total") for chain in UTXO),
    *((chain, "inputs", "time", LATER, "lifespan") for chain in UTXO),
    *((chain, "inputs", column, PLUS_ONE, column) for chain in UTXO for column in ("lifespan", "cdd")),
    *((chain, "inputs", "transaction_hash", FLIP, "transaction_hash and index") for chain in UTXO),
    *((chain, "inputs", "index", "{} + 7", "transaction_hash and index") for chain in UTXO),
    *((chain, "inputs", "block_id", AWAY, "transaction_hash and index") for chain in UTXO),
    *(
        (chain, table, column, "{} || '00'", column)
        for chain in UTXO
        for table in ("inputs", "outputs")
        for column in ("recipient", "script_hex")
    ),
    *(
        ("ethereum", "blocks", column, PLUS_ONE, column)
        for column in (
            *("transaction_count", "call_count", "gas_used", "fee_total", "value_total", "internal_value_total"),
            "total_difficulty",
        )
    ),
    ("ethereum", "blocks", "synthetic_transaction_count", PLUS_ONE, "transaction_count"),
    ("ethereum", "blocks", "difficulty", PLUS_ONE, "total_difficulty"),
    ("ethereum", "blocks", "gas_limit", "{} + 100000", "gas_limit"),
    *(("ethereum", "blocks", column, PLUS_ONE, "reward") for column in ("generation", "reward")),
    *(("ethereum", "blocks", column, PLUS_ONE, column) for column in ("base_fee_per_gas", "burned_total")),
    ("ethereum", "blocks", "time", LATER, "time"),
    ("ethereum", "transactions", "block_id", AWAY, "transaction_count"),
    ("ethereum", "transactions", "time", LATER, "time"),
    *(("ethereum", "transactions", column, PLUS_ONE, column) for column in ("gas_used", "gas_price", "fee")),
    *(("ethereum", "transactions", column, PLUS_ONE, f"{column}_total") for column in ("value", "internal_value")),
    ("ethereum", "transactions", "call_count", PLUS_ONE, "call_count"),
    ("ethereum", "calls", "block_id", AWAY, "call_count"),
    ("ethereum", "calls", "transaction_hash", FLIP, "calls of"),
    ("ethereum", "calls", "value", PLUS_ONE, "internal_value"),
    ("ethereum", "calls", "transferred", NOT, "internal_value"),
]

PASSES = max(1, math.ceil(int(os.environ.get("MUTATIONS", "0")) / len(CELLS)))
# What a row has to be besides, so that it can be decided whether the cell is right.
SPENT = """
    (transaction_hash, index) in (select transaction_hash, index from raw_data.{chain}_inputs)
"""
LOADED_ORIGIN = """
    (transaction_hash, index) in (select transaction_hash, index from raw_data.{chain}_outputs)
"""
FILTERS = {
    # a block with no gas does not show its base fee, and a synthetic row has no figures
    ("ethereum", "blocks"): "gas_used > 0 and transaction_count > 0",
    ("ethereum", "transactions"): "gas_used > 0",
    # a reward's synthetic row has no hash, and what did not arrive is in no sum
    ("ethereum", "calls"): "transaction_hash is not null and transferred and value > 0",
    **{(chain, "transactions"): "not is_coinbase" for chain in UTXO},
    **{(chain, "inputs"): LOADED_ORIGIN.format(chain=chain) for chain in UTXO},
}
# An output's script is repeated, and so compared, where it is spent.
WHERE_SPENT = """(
    select spending_block_id from raw_data.{chain}_inputs as i
    where i.transaction_hash = t.transaction_hash and i.index = t.index
)"""

Cell = tuple[str, str, str, str, int]


@dataclass
class Mutation:
    """One cell, and what it was."""

    chain: str
    table: str
    column: str
    change: str
    word: str
    height: int
    slice: str
    line: int | None
    before: str

    def where(self) -> sql.Composed:
        """The row's place, which no mutation changes: its line of a dump, or the block of the API."""
        line = (
            sql.SQL("_line = {}").format(self.line) if self.line is not None else sql.SQL("id = {}").format(self.height)
        )
        return sql.SQL("_unit = {} and {}").format(self.slice, line)

    def heights(self) -> set[int]:
        """Where it has to show: in its block, whatever shows in the next one; a height that moved, at either place."""
        moved = {self.height + 1_000_000} if self.column == "id" else set()
        return {self.height} | moved

    def cell(self) -> Cell:
        """The cell's place: chain, table, column, slice, and the line or else the block."""
        return (self.chain, self.table, self.column, self.slice, self.line or self.height)

    def name(self) -> sql.Identifier:
        """The raw table."""
        return sql.Identifier("raw_data", f"{self.chain}_{self.table}")


@pytest.fixture(scope="module")
def loaded(filled: Callable[[World], Checkout]) -> Checkout:
    """A first run, and some hours from the API, to which nothing is wrong."""
    checkout = filled(README_TIP)
    for chain in UTXO:  # where an output is spent is asked for each one
        checkout.sql_do(f"create index on raw_data.{chain}_inputs (transaction_hash, index)", role="loader")
    assert failures(checkout) == []
    return checkout


@pytest.fixture(scope="module")
def changed() -> dict[int, set[Cell]]:
    """The cells that each round has changed so far."""
    return {}


def failures(checkout: Checkout) -> list[tuple[object, ...]]:
    """What fails now, as chain, height, check and reason."""
    query = "select chain, block_height, check_name, reason from intermediate.int_check_failures"
    return checkout.sql(query)


def pick(
    connection: "psycopg.Connection[tuple[object, ...]]",
    chance: random.Random,
    taken: dict[str, set[int]],
    done: set[Cell],
    cell: tuple[str, ...],
) -> Mutation:
    """Choose a row of a block away from all others of the round, and not at the start of the chain, for a new cell."""
    chain, table, column, change, word = cell
    shown: str = HEIGHTS[table]
    wanted = FILTERS.get((chain, table), "true")
    if table == "outputs" and column in ("recipient", "script_hex"):
        shown, wanted = WHERE_SPENT.format(chain=chain), SPENT.format(chain=chain)
    # only blocks of the API state their base fee and burn
    channel = "api" if column in ("base_fee_per_gas", "burned_total") else "dumps"
    query = f"""
        select {shown}, _unit, _line, "{column}"::text from raw_data.{chain}_{table} as t
        where "{column}" is not null and _channel = '{channel}' and {wanted}
            and {HEIGHTS[table]} > (select min(id) + 20 from raw_data.{chain}_blocks)
            and coalesce(to_char(_dump_day, 'DD'), '') <> '01'
        order by 1, 2, 3
    """  # noqa: S608
    rows = [
        (int(str(height)), str(part), None if line is None else int(str(line)), str(before))
        for height, part, line, before in connection.execute(query.encode()).fetchall()
    ]
    free = [
        row
        for row in rows
        if not any(abs(row[0] - other) < DISTANCE for other in taken[chain])
        and (chain, table, column, row[1], row[2] or row[0]) not in done
    ]
    height, part, line, before = chance.choice(free)
    taken[chain].add(height)
    if change == AWAY:  # what has moved there is no row to change again
        taken[chain].add(height + 1_000_000)
    return Mutation(chain, table, column, change, word, height, part, line, before)


def apply(connection: "psycopg.Connection[tuple[object, ...]]", mutation: Mutation) -> None:
    """Change the cell: it has another value then."""
    column = sql.Identifier(mutation.column)
    changed = sql.SQL(mutation.change).format(column, column)
    query = sql.SQL("update {} set {} = {} where {} returning {}::text")
    done = connection.execute(query.format(mutation.name(), column, changed, mutation.where(), column))
    ((after,),) = done.fetchall()
    assert after != mutation.before, mutation


def restore(connection: "psycopg.Connection[tuple[object, ...]]", mutation: Mutation) -> None:
    """Put back what was there."""
    query = sql.SQL("update {} set {} = {} where {}")
    value = sql.Literal(mutation.before)
    connection.execute(query.format(mutation.name(), sql.Identifier(mutation.column), value, mutation.where()))


def rounds() -> list[list[tuple[str, str, str, str, str]]]:
    """The cells, shuffled by a seed and in as many passes as it takes, twenty at a time."""
    cells = [cell for number in range(PASSES) for cell in random.Random(SEED + number).sample(CELLS, len(CELLS))]  # noqa: S311 - a test that repeats
    return [cells[start : start + PER_ROUND] for start in range(0, len(cells), PER_ROUND)]


@pytest.mark.parametrize(
    "number",
    [0, *(pytest.param(number, marks=pytest.mark.long(part="mutations")) for number in range(1, len(rounds())))],
)
def test_every_changed_cell_is_found(loaded: Checkout, changed: dict[int, set[Cell]], number: int) -> None:
    changed[number] = set()
    chance = random.Random(SEED + number)  # noqa: S311 - a test that repeats
    taken: dict[str, set[int]] = {chain: set() for chain in (*UTXO, "ethereum")}
    mutations: list[Mutation] = []
    with psycopg.connect(loaded.url("loader"), autocommit=True) as connection:
        try:
            for cell in rounds()[number]:
                mutation = pick(connection, chance, taken, set().union(*changed.values()), cell)
                mutations.append(mutation)
                apply(connection, mutation)
                changed[number].add(mutation.cell())
            check_everything(loaded)
            found = failures(loaded)
        finally:
            for mutation in mutations:
                restore(connection, mutation)
    missed = []
    for mutation in mutations:
        reasons = [
            f"{name}: {reason}"
            for chain, height, name, reason in found
            if chain == mutation.chain and height in mutation.heights()
        ]
        if not any(mutation.word in reason for reason in reasons):
            missed.append(f"{mutation}\n{reasons}")
    assert not missed, "\n".join(missed)
    assert sorted(cell[:3] for cell in changed[number]) == sorted(cell[:3] for cell in rounds()[number])
    count = len(set().union(*changed.values()))
    assert count == sum(len(rounds()[one]) for one in changed), "a cell was changed twice"
    if len(changed) == len(rounds()):
        assert count >= int(os.environ.get("MUTATIONS", "0"))


def test_the_rounds_have_each_cell_and_as_many_as_was_asked() -> None:
    taken = [cell for cells in rounds() for cell in cells]
    assert len(taken) == PASSES * len(CELLS) >= int(os.environ.get("MUTATIONS", "0"))
    assert set(taken) == set(CELLS)
    assert max(map(len, rounds())) == PER_ROUND


def test_nothing_is_left_when_every_cell_is_as_it_was(loaded: Checkout) -> None:
    check_everything(loaded)
    assert failures(loaded) == []


def is_of(chain: str, table: str, column: str) -> bool:
    """Whether a chain of this world has a column."""
    if chain not in (*UTXO, "ethereum"):
        return False
    return column == "is_settled" or column in {known.name for known in api_table(chain, table).columns}


def test_what_is_changed_and_what_the_docs_call_uncovered_are_all_columns() -> None:
    """Blockchair's dollars, and what the loader writes into a row, are no columns of the chain."""
    path = PROJECT / "transform/models/staging/blockchair/_blockchair__sources.yml"
    (source,) = yaml.safe_load(path.read_text())["sources"]
    declared = {
        (table["name"], column["name"])
        for table in source["tables"]
        if table["name"].split("_", 1)[1] in HEIGHTS
        for column in table["columns"]
        if not column["name"].startswith("_") and not column["name"].endswith("_usd")
        # of the columns that chains share, those that a chain has
        if is_of(*table["name"].split("_", 1), column["name"])
    }
    said = (PROJECT / "docs/concepts/data-quality.md").read_text().split("## What no check covers")[1]
    uncovered = {
        (table, column)
        for tables, columns in re.findall(r"^\| (`[^|]+) \| ([^|]+) \|$", said, re.MULTILINE)
        for table in re.findall(r"`(\w+)`", tables)
        for column in re.findall(r"`(\w+)`", columns)
    }
    changed = {(f"{chain}_{table}", column) for chain, table, column, *_ in CELLS}
    assert len(changed) == len(CELLS)
    assert not changed & uncovered
    assert changed | uncovered == declared


def test_the_table_of_checks_is_that_of_the_warehouse(loaded: Checkout) -> None:
    """Each check with its severity, and with the chains of which it has results."""
    said = (PROJECT / "docs/concepts/data-quality.md").read_text().split("\n## The checks\n")[1].split("\n### ")[0]
    letters = dict(re.findall(r"([A-Z]) (Bitcoin|Dogecoin|Ethereum)\b", said))
    listed = {
        name: ({letters[letter].lower() for letter in chains.split()}, severity)
        for name, chains, severity in re.findall(r"^\| `(\w+)` \| ([A-Z ]+) \| (\w+) \|", said, re.MULTILINE)
    }
    assert listed == {
        name: (set(chains), severity)
        for name, chains, severity in loaded.sql(
            "select check_name, array_agg(distinct chain), severity from analytics.dim_dq_check"
            " left join analytics.fct_dq_results using (dq_check_key, check_name, severity) where dq_check_key <> -1"
            " group by check_name, severity"
        )
    }
