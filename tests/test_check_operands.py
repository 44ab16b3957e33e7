"""The operands that are set to null are all that the checks read: as stated, and by the text of their models."""

import re

from check_operands import OPERANDS, PLACES, coverage, declared, operands_of, words
from checkout import PROJECT
from test_mutations import HEIGHTS

MODELS = PROJECT / "transform/models/intermediate"
CHECKS = MODELS / "checks"
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


def test_every_check_has_its_operands() -> None:
    days = {"chain_days"}  # reads which days there are, and no row
    assert {operands.check for operands in OPERANDS} == set(coverage()) - days
    columns = declared()
    for operands in OPERANDS:
        for chain in operands.chains:
            assert set(operands.columns.split()) <= columns[operands.table][chain], operands


def test_the_operands_include_what_is_stated_as_covered() -> None:
    columns = declared()
    for name, covers in coverage().items():
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


def stem(chain: str) -> str:
    """What a chain's staging models are named after: those of chains with a ledger of outputs are one."""
    return "ethereum" if chain == "ethereum" else "utxo"


def staged(chain: str, table: str) -> dict[str, set[str]]:
    """The columns of a staging model, each with the raw columns that it is made of."""
    path = PROJECT / f"transform/models/staging/blockchair/stg_blockchair__{stem(chain)}_{table}.sql"
    text = path.read_text().split("renamed as")[1]
    return {name: parts & declared()[table][chain] for name, parts in aliases(text).items()}


def united(chain: str, table: str) -> dict[str, set[str]]:
    """The same of the model in which the chains' tables are one."""
    parts = (MODELS / f"int_{table}_unioned.sql").read_text().split("union all\n\n")
    below = staged(chain, table)
    text = parts[-1 if chain == "ethereum" else 0]
    return {name: set().union(*(below.get(word, set()) for word in made)) for name, made in aliases(text).items()}


def read_by(model: str, of_chains: set[str]) -> set[tuple[str, str]]:
    """Table and column of what a model of checks reads, as far as the words in it say."""
    text = (CHECKS / f"{model}.sql").read_text()
    if "ref('int_outpoints')" in text:
        text += (CHECKS / "int_outpoints.sql").read_text() + (CHECKS / "int_spends.sql").read_text()
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
            if f"ref('stg_blockchair__{stem(chain)}_{table}')" in text:
                below.append(staged(chain, table))
            found |= {(table, raw) for one in below for name, made in one.items() if name in used for raw in made}
    return found


def models_of_checks() -> dict[str, set[str]]:
    """The models that int_checks_unioned names, each with its checks."""
    named = re.findall(r"'(int_check_\w+)'", (CHECKS / "int_checks_unioned.sql").read_text())
    return {
        model: {name for name in coverage() if f"'{name}'" in (CHECKS / f"{model}.sql").read_text()} for model in named
    }


def test_what_a_check_reads_is_an_operand() -> None:
    made = models_of_checks()
    assert set().union(*made.values()) == set(coverage())
    for model, names in made.items():
        listed = set().union(*map(operands_of, names))
        exempt = {column for column, models in NO_OPERANDS.items() if model in models.split()}
        read = read_by(model, {chain for operands in OPERANDS if operands.check in names for chain in operands.chains})
        places = PLACES | {("blocks", "time"), *((table, "time") for table in HEIGHTS), ("inputs", "spending_time")}
        assert read - places - exempt <= listed, model
        assert exempt <= read - listed, model
        assert {one for one in listed if not one[1].startswith("_")} <= read | places, model
