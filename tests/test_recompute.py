"""Every figure of the marts equals a second computation, from raw rows and by other code, to its last digit.

The world has the gaps of real data (`recompute.gaps`); what is expected comes from the definitions (`recompute`). Power
BI's measures are tried over the same marts: each equals its SQL, and adds up as its description says.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import psycopg
import pytest

import power_bi_totals as totals
from checkout import Checkout
from power_bi import Measures, agree, context
from power_bi_gaps import CONTEXTS, NEVER_KNOWN, OF_ONE_PART, PARTS, is_what_it_says
from power_bi_reference import REFERENCE_SQL, reference_sql
from powerbi_project.contract import read_contract
from recompute import exact
from recompute.compare import Cell, Key, Rows, Table, answered, columns_of, differences, query
from recompute.raw import Raw, read
from recompute.tables import tables
from recompute.witness import GAPS, Witness
from worlds import GAPPED, World

# Of a year there is no window in this world, so these are null, and have to be.
WITHOUT_A_YEAR = {
    ("fct_network_daily", "velocity_1y"),
    *(("fct_valuation_daily", column) for column in ("puell_multiple", "yearly_issuance_base")),
    *(("fct_valuation_daily", column) for column in ("yearly_issuance_rate", "stock_to_flow")),
}
FLAGS = {"has_all_blocks", "has_all_transactions", "has_all_outputs", "is_final", "is_partial"}
SHOWN = 200

Compared = list[tuple[Table, Rows]]


@pytest.fixture(scope="module")
def gapped(filled: Callable[[World], Checkout]) -> Checkout:
    """A warehouse whose raw rows have gaps, and whose marts were built from them."""
    return filled(GAPPED)


@pytest.fixture(scope="module")
def asked() -> list[str]:
    """What the raw tables were asked."""
    return []


@pytest.fixture(scope="module")
def raw(gapped: Checkout, asked: list[str]) -> Raw:
    """The raw rows."""
    with psycopg.connect(gapped.url("transformer")) as connection:

        def ask(question: str) -> Sequence[Sequence[object]]:
            asked.append(question)
            return connection.execute(question.encode()).fetchall()

        return read(ask)


@pytest.fixture(scope="module")
def compared(gapped: Checkout, raw: Raw) -> Compared:
    """What was recomputed, and what the marts say."""
    assets = gapped.sql("select chain, asset_key from analytics.dim_asset where chain is not null")
    expected = tables(raw, {str(chain): int(str(key)) for chain, key in assets})
    return [(table, answered(table, gapped.sql(query(table)))) for table in expected]


def test_every_figure_is_what_its_definition_says(compared: Compared) -> None:
    wrong = [difference for table, found in compared for difference in differences(table, found)]
    counts = Counter(f"{difference.table}.{difference.column}" for difference in wrong)
    lines = [f"{column}: {count} differ" for column, count in counts.items()]
    assert not wrong, "\n".join([*lines, *map(str, wrong[:SHOWN])])


def test_the_figures_are_many_and_none_is_null_throughout(compared: Compared) -> None:
    metrics, empty, rows = set(), set(), 0
    for table, _ in compared:
        rows += len(table.expected)
        for column in columns_of(table.expected):
            cells = {row[column] for row in table.expected.values()}
            numbers = {cell for cell in cells if isinstance(cell, (int, Fraction)) and not isinstance(cell, bool)}
            if len(numbers) > 1:
                metrics.add((table.name, column))
            if cells == {None}:
                empty.add((table.name, column))
    assert len({column for _, column in metrics}) >= 40
    assert len(metrics) >= 150
    assert rows >= 10_000
    assert empty == WITHOUT_A_YEAR
    known = {column for _, column in metrics if column.endswith(("_known_usd", "_known", "_known_base"))}
    assert len(known) >= 12


def test_each_flag_is_true_somewhere_and_false_elsewhere(compared: Compared) -> None:
    seen = {
        (column, row[column])
        for table, _ in compared
        for row in table.expected.values()
        for column in row.keys() & FLAGS
    }
    assert seen == {(flag, value) for flag in FLAGS for value in (True, False)}


@pytest.mark.parametrize("gap", GAPS)
def test_the_world_has_the_gap(raw: Raw, gap: str) -> None:
    is_there = GAPS[gap](Witness(raw))
    assert is_there, f"the world has no longer {gap.replace('_', ' ')}"


def _one_digit_off(found: Rows, column: str) -> Key:
    """Change one row's figure in its last published digit, or say something else of what is no figure."""
    key, cell = next((key, row[column]) for key, row in found.items() if row[column] is not None)
    if isinstance(cell, bool):
        changed: Cell = not cell
    elif isinstance(cell, Decimal):
        exponent = cell.as_tuple().exponent
        assert isinstance(exponent, int)
        changed = exact.DEEP.add(cell, Decimal(1).scaleb(exponent))
    elif isinstance(cell, int):
        changed = cell + 1
    else:
        changed = None
    found[key] = dict(found[key]) | {column: changed}
    return key


def test_one_digit_more_or_less_is_noticed_in_every_column(compared: Compared) -> None:
    tried = 0
    for table, found in compared:
        for column in columns_of(table.expected):
            if (table.name, column) not in WITHOUT_A_YEAR:
                changed = dict(found)
                key = _one_digit_off(changed, column)
                noticed = [(wrong.key, wrong.column) for wrong in differences(table, changed)]
                assert noticed == [(key, column)], f"{table.name}.{column} of {key}"
                tried += 1
    assert tried >= 150


def test_a_null_for_a_figure_and_a_figure_for_a_null_are_noticed(compared: Compared) -> None:
    table, found = next(pair for pair in compared if pair[0].name == "fct_valuation_daily")
    for old_is_null, new in ((False, None), (True, Decimal(0))):
        key = next(key for key, row in found.items() if (row["mvrv"] is None) == old_is_null)
        changed = found | {key: found[key] | {"mvrv": new}}
        assert [(wrong.key, wrong.column) for wrong in differences(table, changed)] == [(key, "mvrv")]


def test_a_row_too_many_and_one_too_few_are_noticed(compared: Compared) -> None:
    for table, found in compared:
        first = next(iter(found))
        less = {key: row for key, row in found.items() if key != first}
        more = found | {("nowhere", *first[1:]): found[first]}
        assert [wrong.key for wrong in differences(table, less)] == [first]
        assert [wrong.column for wrong in differences(table, more)] == ["(row)"]


def test_the_raw_tables_are_only_read(raw: Raw, asked: list[str]) -> None:
    """Of the project's SQL nothing is used, and the database computes nothing."""
    plain = re.compile(r"select [a-z0-9_, ]+ from raw_data\.\w+( where [a-z_ ='\n]+)?")
    assert len(asked) >= 15
    assert [question for question in asked if not plain.fullmatch(question)] == []


def test_only_the_standard_library_computes() -> None:
    modules = set()
    for path in (Path(__file__).parent / "recompute").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules.add(str(node.module).split(".")[0])
    assert modules - sys.stdlib_module_names == {"recompute"}


@pytest.mark.parametrize(
    ("number", "digits", "expected"),
    [
        ("0.5", 0, "1"),
        ("-0.5", 0, "-1"),
        ("1.49999", 0, "1"),
        ("2.5", 0, "3"),
        ("0.000000005", 8, "0.00000001"),
        ("-0.0000000049", 8, "0"),
        ("1/3", 8, "0.33333333"),
        ("2/3", 8, "0.66666667"),
    ],
)
def test_halves_are_rounded_away_from_zero(number: str, digits: int, expected: str) -> None:
    assert exact.rounded(Fraction(number), digits) == Fraction(expected)


def test_ranks_and_middles() -> None:
    numbers = [5, 1, 4, 2, 3, 10, 9, 8, 7, 6]
    assert [exact.nearest_rank(numbers, percent) for percent in (10, 25, 75, 90)] == [1, 3, 8, 9]
    assert exact.median(numbers) == Fraction(11, 2)
    assert exact.median([3, 1, 2]) == 2
    assert exact.median([]) is None
    # of a weight of 10 the first tenth is reached with 1, nine tenths only with the heavy one
    weighted: list[tuple[exact.Number, exact.Number]] = [(1, 1), (7, 8), (9, 1)]
    assert [exact.weighted_rank(weighted, percent) for percent in (10, 50, 90, 91)] == [1, 7, 7, 9]
    assert exact.rounded(exact.root(Fraction(2)), 18) == Fraction("1.414213562373095049")
    assert exact.rounded(exact.logarithm(Fraction(2)), 18) == Fraction("0.693147180559945309")


@pytest.fixture(scope="module")
def ask(gapped: Checkout) -> Iterator[totals.Ask]:
    """Ask the marts."""
    with psycopg.connect(gapped.url("transformer"), autocommit=True) as connection:
        yield lambda question: connection.execute(question.encode()).fetchall()


@pytest.fixture(scope="module")
def measures(gapped: Checkout, ask: totals.Ask) -> Measures:
    """Power BI's measures over the marts."""
    return Measures(read_contract(gapped.root / "transform/target/manifest.json"), ask, "analytics")


@pytest.mark.parametrize("name", CONTEXTS)
def test_the_raw_rows_have_what_a_context_is_named_for(raw: Raw, name: str) -> None:
    assert is_what_it_says(name, Witness(raw))


def test_every_measure_equals_its_sql_in_each_context(measures: Measures, ask: totals.Ask) -> None:
    odd, known = {}, set()
    for name, (symbols, span) in CONTEXTS.items():
        for measure in measures.definitions:
            found = measures.evaluate(measure, context(symbols, span))
            ((number,),) = ask(reference_sql(measure, "analytics", symbols, span))
            if not agree(found, number):
                odd[name, measure] = (found, number)
            if found is not None:
                known.add(measure)
    assert odd == {}
    assert REFERENCE_SQL.keys() - known == NEVER_KNOWN


@pytest.mark.parametrize("kind", PARTS)
def test_every_measure_adds_up_as_its_description_says(measures: Measures, ask: totals.Ask, kind: str) -> None:
    said, odd, tried = totals.said(measures), {}, set()
    for whole, views in PARTS[kind]:
        for measure, words in said.items():
            found = measures.evaluate(measure, context(*whole))
            parts = [(view, measures.evaluate(measure, context(*view))) for view in views]
            if not totals.adds_up(ask, measure, words[kind == "coins"], found, parts):
                odd[measure, str(whole)] = (words, found, [value for _, value in parts])
            if sum(value is not None for _, value in parts) > 1:
                tried.add(measure)
    assert odd == {}
    assert said.keys() - tried == NEVER_KNOWN | OF_ONE_PART[kind]
