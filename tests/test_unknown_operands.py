"""Values that a check needs, each set to null in turn: the check never says that the block is verified.

Every null is in a block of its own, so that one build of the checks shows what all of them do.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

import psycopg
import pytest
import yaml

from checkout import PROJECT, Checkout
from test_mutations import HEIGHTS, UTXO, WHERE_SPENT, check, failures, loaded

# The module's warehouse is filled as the one in which cells are changed.
__all__ = ["loaded"]

CHAINS = (*UTXO, "ethereum")
B = ("bitcoin",)
E = ("ethereum",)
MODELS = PROJECT / "transform/models/intermediate"
CHECKS = MODELS / "checks"
# By which a row is of a block: without it, the block lacks the row, which what it states may prove.
PLACES = {(table, column) for table, column in HEIGHTS.items()} | {("blocks", "time")}
# Rows that a check computes with; which rows of those, the outcome before tells.
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

# What the checks read besides, and why a null there needs no other outcome.
NO_OPERANDS = {
    # decide only between failed and unverifiable, where rows are missing
    ("blocks", "is_settled"): "int_check_block_transactions int_check_transaction_parts",
    ("transactions", "_channel"): "int_check_block_transactions int_check_transaction_parts",
    ("outputs", "_channel"): "int_check_transaction_parts int_check_outpoints",
    ("inputs", "_channel"): "int_check_outpoints",
    ("calls", "_channel"): "int_check_transaction_calls",
    ("blocks", "input_count"): "int_check_transaction_parts",
    ("blocks", "output_count"): "int_check_transaction_parts",
    # names a row without a hash in a reason
    ("transactions", "_unit"): "int_check_block_transactions",
}


@dataclass
class Cell:
    """One cell that becomes null."""

    chain: str
    table: str
    column: str
    checks: set[str]
    # height and day in which the outcome has to show
    height: int = 0
    day: object = None
    # the row, and all blocks that it concerns
    row: tuple[int, str] = (0, "")
    concerned: set[int] = field(default_factory=set)


def words(text: str) -> set[str]:
    """Words of SQL or of a sentence, without SQL's and Jinja's comments."""
    return set(re.findall(r"\w+", re.sub(r"--.*|\{#.*?#\}", "", text)))


def catalogue() -> dict[str, str]:
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


def never_null(checkout: Checkout) -> set[tuple[str, str, str]]:
    """Chain, table and column where the database takes no null: NOT NULL, or what partitions are cut by."""
    return {
        (str(name).split("_")[0], str(name).split("_", 1)[1], str(column))
        for name, column in checkout.sql("""
            select c.relname, a.attname
            from pg_class as c
            join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
            where c.relnamespace = 'raw_data'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
                and (
                    a.attnotnull
                    or exists (select 1 from pg_inherits where inhparent = c.oid)
                    and not exists (
                        select 1 from pg_inherits
                        where inhparent = c.oid and pg_get_partition_constraintdef(inhrelid)
                            not like '%%(' || quote_ident(a.attname) || ' IS NOT NULL)%%'
                    )
                )
        """)
    }


def outcomes(checkout: Checkout) -> dict[tuple[str, str, object], list[tuple[str, str | None]]]:
    """What each check says of a block, or where it is of no block, of a table's day."""
    found = defaultdict(list)
    query = "select check_name, chain, block_height, block_date, result, reason from intermediate.int_checks_unioned"
    for name, chain, height, day, result, reason in checkout.sql(query):
        found[str(name), str(chain), day if height is None else height].append((str(result), reason))
    return found  # type: ignore[return-value]


def wanted(checkout: Checkout) -> Iterator[tuple[Cell, str, str]]:
    """The cells, without their rows; which rows, and where the outcome has to show."""
    known = never_null(checkout)
    checks: dict[tuple[str, str, str, str, str], set[str]] = defaultdict(set)
    for operands in OPERANDS:
        for chain in operands.chains:
            coinbase = "is_coinbase" if chain in UTXO else "gas_used is null"
            rows = operands.rows or ROWS[operands.table].format(coinbase=coinbase)
            for column in operands.columns.split():
                if (chain, operands.table, column) not in known:
                    checks[chain, operands.table, column, rows, operands.shown].add(operands.check)
    for (chain, table, column, rows, shown), names in checks.items():
        yield Cell(chain, table, column, names), rows.format(chain=chain), shown


def rows_for(
    connection: "psycopg.Connection[tuple[object, ...]]", cell: Cell, rows: str, shown: str
) -> list[tuple[int, str, int, int, object]]:
    """Rows that have the cell: where they lie, their block, the one in which the outcome shows, and their day."""
    own = HEIGHTS[cell.table]
    where = WHERE_SPENT.format(chain=cell.chain) if shown == "spent" else own
    time = "spending_time" if cell.table == "inputs" else "time"
    query = f"""
        select tableoid::bigint, ctid::text, {own}, {where}, ({time} at time zone 'UTC')::date
        from raw_data.{cell.chain}_{cell.table} as t
        where "{cell.column}" is not null and {rows}
            and {own} > (select min(id) + 20 from raw_data.{cell.chain}_blocks)
        order by 3, 4, 2
    """  # noqa: S608
    found = connection.execute(query.encode()).fetchall()
    return [(int(str(part)), str(place), int(str(at)), int(str(there)), day) for part, place, at, there, day in found]


def choose(checkout: Checkout) -> list[Cell]:
    """A row for each cell, of a block that no other concerns and of which the checks said that it is verified."""
    verified = {key for key, said in outcomes(checkout).items() if {result for result, _ in said} == {"verified"}}
    taken: dict[str, set[int]] = {chain: set() for chain in CHAINS}
    cells = []
    # first those that have few rows to choose from, or need many blocks
    order = sorted(wanted(checkout), key=lambda one: (one[1] == "true", one[0].column != "time"))
    with psycopg.connect(checkout.url("transformer")) as connection:
        for cell, rows, shown in order:
            for part, place, at, there, day in rows_for(connection, cell, rows, shown):
                reach = 1 if cell.table != "blocks" else 11 if cell.column == "time" else 2  # a median is of eleven
                concerned = {there, *range(at, at + reach)}
                height = there + (shown == "above")
                subject = day if shown == "day" else height
                if concerned & taken[cell.chain] or any(
                    (name, cell.chain, subject) not in verified for name in cell.checks
                ):
                    continue
                cell.row, cell.height, cell.day, cell.concerned = (part, place), height, None, concerned
                if shown == "day":
                    cell.day = day
                taken[cell.chain] |= concerned
                break
            else:
                pytest.fail(f"no row to try {cell} on")
            cells.append(cell)
    return cells


def test_no_check_verifies_what_it_does_not_know(loaded: Checkout) -> None:
    cells = choose(loaded)
    with psycopg.connect(loaded.url("loader")) as connection:
        for cell in cells:
            query = f"""
                update raw_data.{cell.chain}_{cell.table} set "{cell.column}" = null
                where tableoid = %s and ctid = %s::tid
            """  # noqa: S608
            assert connection.execute(query.encode(), cell.row).rowcount == 1
    check(loaded)
    after = outcomes(loaded)
    wrong = []
    for cell in cells:
        expected = {"unverifiable", "failed"} if (cell.table, cell.column) in PLACES else {"unverifiable"}
        for name in sorted(cell.checks):
            said = after.get((name, cell.chain, cell.day or cell.height), [])
            if cell.day:
                said = [one for one in said if str(one[1]).startswith(f"{cell.chain}_{cell.table}: ")]
            if not said or not {result for result, _ in said} <= expected or not all(reason for _, reason in said):
                wrong.append(f"{name} of {cell.chain}_{cell.table}.{cell.column}: {said or 'no outcome'}")
    assert not wrong, "\n".join(wrong)
    # what is not known is no failure, of this check or of another
    displaced = {
        (cell.chain, height) for cell in cells if (cell.table, cell.column) in PLACES for height in cell.concerned
    }
    failed = [one for one in failures(loaded) if one[1] is not None and (one[0], one[1]) not in displaced]
    assert not failed, "\n".join(map(str, failed))


def test_every_check_of_the_catalogue_has_its_operands() -> None:
    days = {"chain_days"}  # reads which days there are, and no row
    assert {operands.check for operands in OPERANDS} == set(catalogue()) - days
    columns = declared()
    for operands in OPERANDS:
        for chain in operands.chains:
            assert set(operands.columns.split()) <= columns[operands.table][chain], operands


def test_the_operands_include_what_the_catalogue_says_is_covered() -> None:
    columns = declared()
    for name, covers in catalogue().items():
        named: set[str] = set()
        for part in covers.split("; "):
            table, _, text = part.partition(": ")
            if table in columns:
                named = named if text == "the same" else words(text)
                covered = {(table, column) for column in named & set().union(*columns[table].values())}
                assert covered <= operands_of(name), name


def aliases(text: str) -> dict[str, set[str]]:
    """What a select list calls its columns, each with the words that it is made of."""
    found = {}
    for line in text.splitlines():
        item = re.fullmatch(r"\s+(?:(.+) as )?(\w+),?", line)
        if item:
            found[item[2]] = words(item[1] or item[2])
    return found


def staged(chain: str, table: str) -> dict[str, set[str]]:
    """The columns of a staging model, each with the raw columns that it is made of."""
    path = PROJECT / f"transform/models/staging/blockchair/stg_blockchair__{chain}_{table}.sql"
    text = path.read_text().split("renamed as")[1]
    return {name: parts & declared()[table][chain] for name, parts in aliases(text).items()}


def united(chain: str, table: str) -> dict[str, set[str]]:
    """The same of the model in which the chains' tables are one."""
    parts = (MODELS / f"int_{table}_unioned.sql").read_text().split("union all\n\n")
    below = staged(chain, table)
    text = parts[CHAINS.index(chain)] if len(parts) > 1 else parts[0]
    return {name: set().union(*(below.get(word, set()) for word in made)) for name, made in aliases(text).items()}


def read_by(model: str, of_chains: set[str]) -> set[tuple[str, str]]:
    """Table and column of what a model of checks reads, as far as the words in it tell."""
    text = (CHECKS / f"{model}.sql").read_text()
    if "ref('int_outpoints')" in text:
        text += (CHECKS / "int_outpoints.sql").read_text()
    found = set()
    # a table is read in one place, which names the columns
    for part in re.split(r"\n\s*union all\n|\n\),\n", text):
        found |= read_in(part, of_chains)
    return found


def read_in(text: str, of_chains: set[str]) -> set[tuple[str, str]]:
    """The same of a part of a model."""
    used = words(text)
    found = set()
    for table, chains in declared().items():
        for chain in of_chains & set(chains):
            below: list[dict[str, set[str]]] = []
            if f"ref('int_{table}_unioned')" in text or "ref('int_' ~ table ~ '_unioned')" in text:
                below.append(united(chain, table))
            if re.search(rf"ref\('stg_blockchair__' ~ chain ~ '_{table}'\)", text):
                below.append(staged(chain, table))
            found |= {(table, raw) for one in below for name, made in one.items() if name in used for raw in made}
    return found


def models_of_checks() -> dict[str, set[str]]:
    """The models that int_checks_unioned names, each with its checks."""
    named = re.findall(r"'(int_check_\w+)'", (CHECKS / "int_checks_unioned.sql").read_text())
    return {
        model: {name for name in catalogue() if f"'{name}'" in (CHECKS / f"{model}.sql").read_text()} for model in named
    }


def test_what_a_check_reads_is_an_operand() -> None:
    made = models_of_checks()
    assert set().union(*made.values()) == set(catalogue())
    for model, names in made.items():
        listed = set().union(*map(operands_of, names))
        exempt = {column for column, models in NO_OPERANDS.items() if model in models.split()}
        read = read_by(model, {chain for operands in OPERANDS if operands.check in names for chain in operands.chains})
        places = PLACES | {("blocks", "time"), *((table, "time") for table in HEIGHTS), ("inputs", "spending_time")}
        assert read - places - exempt <= listed, model
        assert exempt <= read - listed, model
        assert {one for one in listed if not one[1].startswith("_")} <= read | places, model
