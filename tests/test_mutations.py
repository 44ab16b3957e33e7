"""Single cells of raw data, changed: each has to be found, in its block and by the name of the column or the sum."""

import random
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql

from checkout import Checkout

SEED = 20250114
PER_ROUND = 20
APART = 3
UTXO = ("bitcoin", "dogecoin")
PLUS_ONE = "{} + 1"
NOT = "not {}"
FLIP = "translate(left({0}, 7), '0123456789abcdef', '123456789abcdef0') || substr({0}, 8)"
LATER = "{} + interval '1 second'"
AWAY = "{} + 1000000"
HEIGHTS = {"blocks": "id", "transactions": "block_id", "outputs": "block_id", "inputs": "spending_block_id"}
CHECKS = "path:models/intermediate/checks"

# chain, table, column, change, and what the reason has to say. The header's fields are proved together by its hash.
CELLS: list[tuple[str, str, str, str, str]] = [
    *((chain, "blocks", "hash", FLIP, "hash") for chain in UTXO),
    *((chain, "blocks", "merkle_root", FLIP, "merkle_root") for chain in UTXO),
    *((chain, "blocks", "time", LATER, "header") for chain in UTXO),
    *((chain, "blocks", column, PLUS_ONE, "header") for chain in UTXO for column in ("version", "nonce", "bits")),
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
    *(("bitcoin", "inputs", column, FLIP, "transaction_hash and index") for column in ("transaction_hash",)),
    *(("bitcoin", "inputs", column, "{} + 7", "transaction_hash and index") for column in ("index", "block_id")),
    *(("bitcoin", "inputs", column, "{} || '00'", column) for column in ("recipient", "script_hex")),
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
    ("ethereum", "transactions", "block_id", AWAY, "transaction_count"),
    ("ethereum", "transactions", "time", LATER, "time"),
    *(("ethereum", "transactions", column, PLUS_ONE, column) for column in ("gas_used", "gas_price", "fee")),
    *(("ethereum", "transactions", column, PLUS_ONE, f"{column}_total") for column in ("value", "internal_value")),
    ("ethereum", "transactions", "call_count", PLUS_ONE, "call_count"),
]


@dataclass
class Mutation:
    """One cell, and what it was."""

    chain: str
    table: str
    column: str
    change: str
    word: str
    height: int
    unit: str
    line: int
    before: str

    def where(self) -> sql.Composed:
        """The row's place, which no mutation changes."""
        return sql.SQL("_unit = {} and _line = {}").format(sql.Literal(self.unit), sql.Literal(self.line))

    def name(self) -> sql.Identifier:
        """The raw table."""
        return sql.Identifier("raw_data", f"{self.chain}_{self.table}")


@pytest.fixture(scope="module")
def loaded(checkout: Checkout) -> Checkout:
    """A first run, to which nothing is wrong."""
    checkout.make("run")
    assert failures(checkout) == []
    return checkout


def failures(checkout: Checkout) -> list[tuple[object, ...]]:
    """What fails now, as chain, height, check and reason."""
    query = "select chain, block_height, check_name, reason from intermediate.int_check_failures"
    return checkout.sql(query)


def check(checkout: Checkout) -> None:
    """Read everything anew, since no load tells of a cell that was changed by hand."""
    checkout.run("meltano", "invoke", "dbt-postgres", "run", "--select", CHECKS, "--vars", "recheck: true")


def pick(
    connection: "psycopg.Connection[tuple[object, ...]]",
    dice: random.Random,
    taken: dict[str, set[int]],
    cell: tuple[str, ...],
) -> Mutation:
    """Choose a row of a block that lies apart from all others of the round, and not at the start of the chain."""
    chain, table, column, change, word = cell
    height = sql.Identifier(HEIGHTS[table])
    query = sql.SQL(
        "select {height}, _unit, _line, {column}::text from {name} where _unit is not null and {column} is not null"
        " and {height} > (select min(id) + 20 from {blocks}) and to_char(_dump_day, 'DD') <> '01' {filter}"
        " order by 1, 2, 3"
    ).format(
        height=height,
        column=sql.Identifier(column),
        name=sql.Identifier("raw_data", f"{chain}_{table}"),
        blocks=sql.Identifier("raw_data", f"{chain}_blocks"),
        # a block with no gas cannot tell its base fee, and a synthetic row has no figures
        filter=sql.SQL(
            "and gas_used > 0" if chain == "ethereum" else "and not is_coinbase" if table == "transactions" else ""
        ),
    )
    rows = [
        row
        for row in connection.execute(query).fetchall()
        if not any(abs(int(str(row[0])) - other) < APART for other in taken[chain])
    ]
    row = dice.choice(rows)
    taken[chain].add(int(str(row[0])))
    return Mutation(chain, table, column, change, word, int(str(row[0])), str(row[1]), int(str(row[2])), str(row[3]))


def apply(connection: "psycopg.Connection[tuple[object, ...]]", mutation: Mutation) -> None:
    """Change the cell."""
    changed = sql.SQL(mutation.change).format(sql.Identifier(mutation.column), sql.Identifier(mutation.column))
    query = sql.SQL("update {} set {} = {} where {}")
    done = connection.execute(query.format(mutation.name(), sql.Identifier(mutation.column), changed, mutation.where()))
    assert done.rowcount == 1


def restore(connection: "psycopg.Connection[tuple[object, ...]]", mutation: Mutation) -> None:
    """Put back what was there."""
    query = sql.SQL("update {} set {} = {} where {}")
    value = sql.Literal(mutation.before)
    connection.execute(query.format(mutation.name(), sql.Identifier(mutation.column), value, mutation.where()))


def rounds() -> list[list[tuple[str, str, str, str, str]]]:
    """The cells, shuffled by a seed, twenty at a time."""
    cells = list(CELLS)
    random.Random(SEED).shuffle(cells)  # noqa: S311 - a test that repeats
    return [cells[start : start + PER_ROUND] for start in range(0, len(cells), PER_ROUND)]


@pytest.mark.parametrize("number", range(len(rounds())))
def test_every_changed_cell_is_found(loaded: Checkout, number: int) -> None:
    dice = random.Random(SEED + number)  # noqa: S311 - a test that repeats
    taken: dict[str, set[int]] = {chain: set() for chain in (*UTXO, "ethereum")}
    with psycopg.connect(loaded.url("loader"), autocommit=True) as connection:
        mutations = [pick(connection, dice, taken, cell) for cell in rounds()[number]]
        try:
            for mutation in mutations:
                apply(connection, mutation)
            check(loaded)
            found = failures(loaded)
        finally:
            for mutation in mutations:
                restore(connection, mutation)
    for mutation in mutations:
        # what a block passes on to the next one, such as its gas limit, can only show there
        reasons = [
            f"{name}: {reason}"
            for chain, height, name, reason in found
            if chain == mutation.chain and height in (mutation.height, mutation.height + 1)
        ]
        assert any(mutation.word in reason for reason in reasons), f"{mutation}\n{reasons}"


def test_nothing_is_left_when_every_cell_is_as_it_was(loaded: Checkout) -> None:
    check(loaded)
    assert failures(loaded) == []
