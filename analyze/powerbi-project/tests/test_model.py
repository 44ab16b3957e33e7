"""What is read of a semantic model's files, and the lines that are no TMDL."""

from __future__ import annotations

from pathlib import Path

import pytest

from powerbi_project.model import read_model, unknown_lines

MODEL = """model Model
	culture: en-US
	discourageImplicitMeasures

ref table Fees
ref table 'Age Band'
ref table 'Miner''s'
"""
FEES = """/// What users paid.
table Fees
	dataCategory: Time

	/// In USD.
	measure 'Fees USD' = SUM(Fees[Fee]) + COUNTROWS('Age Band')
		formatString: 0

	measure Twice = [Fees USD] * 2

	measure Both =
			VAR other = Other[Fees USD]
			RETURN [Twice] + other

	measure Nothing

	/// The fee.
	column Fee
		dataType: int64
		isHidden
		sourceColumn: fee

	column Bare

	partition Fees = m
		mode: import
		source =
				let
				Source = 1
				in
				Source
"""
LINKS = """relationship a
	isActive: false
	fromColumn: Fees.'Age Band Key'
	toColumn: 'Age Band'.Key

relationship b
"""


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    (tmp_path / "tables").mkdir()
    (tmp_path / "model.tmdl").write_text(MODEL, encoding="utf-8-sig")
    (tmp_path / "tables/Fees.tmdl").write_text(FEES, encoding="utf-8")
    (tmp_path / "tables/Age Band.tmdl").write_text("table 'Age Band'\n\tcolumn Key\n", encoding="utf-8")
    (tmp_path / "database.tmdl").write_text("database Crypto\n\tcompatibilityLevel: 1601\n", encoding="utf-8")
    (tmp_path / "tables/Other.tmdl").write_text("table Other\n\todd: 1\n", encoding="utf-8")
    (tmp_path / "relationships.tmdl").write_text(LINKS, encoding="utf-8")
    (tmp_path / "expressions.tmdl").write_text(
        'expression Server = "x" meta [IsParameterQuery=true]\n', encoding="utf-8"
    )
    return tmp_path


def test_tables_with_their_columns_and_measures(definition: Path) -> None:
    model = read_model(definition)
    assert [table.name for table in model.tables] == ["Age Band", "Fees", "Other"]
    fees = model.table("Fees")
    assert fees is not None
    assert (fees.mode, fees.description, fees.properties) == ("import", "What users paid.", {"dataCategory": "Time"})
    assert fees.query.split() == ["let", "Source", "=", "1", "in", "Source"]
    fee, bare = fees.columns
    assert (fee.name, fee.data_type, fee.source, fee.description, fee.is_hidden) == (
        "Fee",
        "int64",
        "fee",
        "The fee.",
        True,
    )
    assert (bare.name, bare.data_type, bare.source, bare.description, bare.is_hidden) == ("Bare", "", "", "", False)
    assert fees.column("Bare") is bare
    assert fees.column("bare") is None
    usd, twice, both, nothing = model.measures
    assert (usd.name, usd.table, usd.description, usd.properties["formatString"]) == (
        "Fees USD",
        "Fees",
        "In USD.",
        "0",
    )
    assert usd.expression == "SUM(Fees[Fee]) + COUNTROWS('Age Band')"
    assert (twice.expression, nothing.expression) == ("[Fees USD] * 2", "")
    assert both.expression.split() == ["VAR", "other", "=", "Other[Fees", "USD]", "RETURN", "[Twice]", "+", "other"]
    other = model.table("Other")
    assert other is not None
    assert (other.mode, other.query, model.table("Nowhere")) == ("", "", None)


def test_the_tables_that_a_measure_reads(definition: Path) -> None:
    model = read_model(definition)
    assert model.tables_read("Fees USD") == {"Fees", "Age Band"}
    assert model.tables_read("Twice") == {"Fees", "Age Band"}
    assert model.tables_read("Both") == {"Fees", "Age Band", "Other"}
    assert model.tables_read("Nothing") == model.tables_read("Nowhere") == set()


def test_what_belongs_to_the_model_itself(definition: Path) -> None:
    model = read_model(definition)
    assert model.listed == ["Fees", "Age Band", "Miner's"]
    assert model.properties.keys() == {"culture", "discourageImplicitMeasures"}
    assert model.properties["culture"] == "en-US"
    assert model.parameters == ["Server"]
    assert model.unknown == ["Other.tmdl:2: \todd: 1"]
    link, empty = model.relationships
    assert (link.from_table, link.from_column, link.to_table, link.to_column) == (
        "Fees",
        "Age Band Key",
        "Age Band",
        "Key",
    )
    assert link.properties["isActive"] == "false"
    assert (empty.from_table, empty.to_table) == ("", "")


@pytest.mark.parametrize(
    ("text", "unknown"),
    [
        ("table A\n\tcolumn B\n\t\tisHidden\n", []),
        ("/// anything: goes\ntable A\n", []),
        ("\n\t\n  \ntable A", []),
        ("table A\n\trefreshPolicy\n\t\tpolicyType: basic\n", []),
        ("tabel A", [1]),
        ("table A\n\nodd\n", [3]),
        ("/// described\nodd\n", [2]),
        ("table: A", [1]),
        ("tableA", [1]),
        ("table A\n\tisHidde\n", [2]),
        ("table A\n\tisHidden x\n", [2]),
        ("table A\n\tisHidden: true\n", []),
        ("table A\n\t'quoted' = 1\n", [2]),
        ("table A\n\t=\n\t\t\tanything\n", [2]),
        ("table A\n\tmeasure M =\n\t\t\tthis is DAX\n\t\t\t\tand more\n\t\tformatString: 0\n", []),
        ("table A\n\tmeasure M =\n\t\tthis is none\n", [3]),
        ("table A\n\tmeasure M =\n\t\t\tthis is DAX\n\t\tthis is not\n", [4]),
        ("table A\n\tmeasure M = 1\n\t\t\tnor is this\n", [3]),
        ("table A\n\tmeasure M =\n\t\t\tx =\n\t\t\ty\n\tmeasure N = 1\n\t\t\tz\n", [6]),
        ("table A\n\tpartition A = m\n\t\tsource =\n\t\t\t\tlet x\n\t\tmode: import\n", []),
        ("table A\n    isHidden\n", [2]),
    ],
)
def test_a_line_that_is_no_tmdl_is_reported_by_its_number(text: str, unknown: list[int]) -> None:
    found = list(unknown_lines(text))
    assert [number for number, _ in found] == unknown
    assert [line for _, line in found] == [text.splitlines()[number - 1] for number in unknown]
