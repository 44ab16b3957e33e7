"""From a manifest to files: what follows from a column, what is refused, and what is written, kept and deleted."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from powerbi_project.cli import main
from powerbi_project.errors import ProjectError
from powerbi_project.generate import drift, write
from powerbi_project.tmdl import query, table_file

from .manifest import Node, column, contract, leads, model


@pytest.fixture
def nodes() -> dict[str, Node]:
    """A fact with its mart, a coin and its benchmark, and a model that is none of Power BI's."""
    asset = model(
        "dim_asset",
        [column("asset_key", "bigint", key="asset_key"), column("symbol", "text"), column("limit", "numeric(38,18)")],
        table="Asset",
        mode="dual",
        without=["limit"],
    )
    fact = model("fct_pairs", [column("asset_key", "bigint")])
    pairs = model(
        "bi_pairs",
        [
            column("pair_key", "bigint", key="pair_key"),
            column("benchmark_asset_key", "bigint"),
            column("asset_key", "bigint"),
            column("day_start_at", "timestamp"),
            column("fee_total_usd", "numeric(19,4)"),
            column("fee_total_base_text", "text"),
        ],
        table="Asset Pairs",
        mode="import",
        range="day_start_at",
    )
    pairs["depends_on"] = {"nodes": ["fct"]}
    return {
        "asset": asset,
        "fct": fact,
        "pairs": pairs,
        "t1": leads("fct", "asset_key", "asset", "asset_key"),
        "t2": leads("fct", "benchmark_asset_key", "asset", "asset_key"),
    }


def test_relations_come_from_the_marts_tests_and_one_way_is_active(nodes: dict[str, Node], tmp_path: Path) -> None:
    found = contract(nodes, tmp_path).relationships
    assert [(one.from_column, one.is_active) for one in found] == [("asset_key", True), ("benchmark_asset_key", False)]


def test_a_query_folds_its_span_first_and_sends_only_what_is_shown(nodes: dict[str, Node], tmp_path: Path) -> None:
    asset, pairs = contract(nodes, tmp_path).tables
    assert query(asset).splitlines()[3].strip() == 'Columns = Table.SelectColumns(Rows, {"asset_key", "symbol"})'
    steps = [line.split(" = ")[0].strip() for line in query(pairs).splitlines()[1:5]]
    assert steps == ["Source", "Rows", "Span", "Types"]
    assert "numeric" not in table_file(asset)


def test_what_follows_from_a_columns_name_and_type(nodes: dict[str, Node], tmp_path: Path) -> None:
    text = table_file(contract(nodes, tmp_path).tables[1])
    money = text.split("column 'Fee Total USD'")[1].split("column ")[0]
    assert "dataType: decimal" in money
    assert r"formatString: \$#,0.00" in money
    assert "displayFolder: USD" in money
    key = text.split("column 'Asset Key'")[1].split("column ")[0]
    assert "isHidden" in key
    assert "isKey" not in key
    assert "/// One row per bi_pairs." in text


@pytest.mark.parametrize("data_type", ["numeric(78,0)", "numeric", "bigint[]", "timestamptz", "jsonb"])
def test_a_type_that_power_bi_cannot_hold_is_refused(nodes: dict[str, Node], tmp_path: Path, data_type: str) -> None:
    nodes["pairs"]["columns"]["fee_total_usd"]["data_type"] = data_type
    with pytest.raises(ProjectError, match=r"fee_total_usd is .*which Power BI cannot hold"):
        write(contract(nodes, tmp_path), tmp_path / "definition")


@pytest.mark.parametrize(("name", "value"), [("mode", "push"), ("table", ""), ("range", "day"), ("without", ["day"])])
def test_a_model_that_contradicts_itself_is_named(
    nodes: dict[str, Node], tmp_path: Path, name: str, value: object
) -> None:
    nodes["pairs"]["config"]["meta"]["power_bi"][name] = value
    with pytest.raises(ProjectError, match=r"bi_pairs: meta\.power_bi"):
        contract(nodes, tmp_path)


def test_writing_twice_changes_nothing_and_a_table_that_is_gone_is_deleted(
    nodes: dict[str, Node], tmp_path: Path
) -> None:
    definition = tmp_path / "definition"
    (definition / "tables").mkdir(parents=True)
    (definition / "tables/Pair Measures.tmdl").write_text("table 'Pair Measures'\n", encoding="utf-8")
    assert write(contract(nodes, tmp_path), definition)[0] == 4
    assert write(contract(nodes, tmp_path), definition) == (0, [])
    assert drift(contract(nodes, tmp_path), definition) == []
    assert "ref table 'Pair Measures'" in (definition / "model.tmdl").read_text(encoding="utf-8")
    del nodes["pairs"]
    left = drift(contract(nodes, tmp_path), definition)
    assert "Asset Pairs.tmdl is a table that dbt does not have" in left
    assert [path.name for path in write(contract(nodes, tmp_path), definition)[1]] == ["Asset Pairs.tmdl"]
    assert (definition / "tables/Pair Measures.tmdl").exists()


def test_without_a_manifest_the_command_says_what_to_do(tmp_path: Path) -> None:
    said = CliRunner().invoke(main, ["generate", f"--project={tmp_path}", f"--manifest={tmp_path}/none.json"])
    assert said.exit_code == 1
    assert "dbt-postgres parse" in said.output
