"""What dbt's manifest promises a report: which models take part, and which keys lead where."""

from __future__ import annotations

from pathlib import Path

import pytest

from powerbi_project.contract import Column, Relationship, read_contract
from powerbi_project.errors import ProjectError

from .manifest import Node, column, contract, leads, model


def dimension(name: str, *keys: str, **meta: object) -> Node:
    columns = [column(f"{name}_key", "bigint", key=f"{name}_key"), *(column(key, "bigint") for key in keys)]
    return model(f"dim_{name}", columns, table=name.capitalize(), mode="dual", **meta)


def fact(*keys: str, parents: tuple[str, ...] = (), table: str = "Fact", **meta: object) -> Node:
    found = model("bi_fact", [column(key, "bigint") for key in keys], table=table, mode="import", **meta)
    return found | {"depends_on": {"nodes": list(parents)}}


def related(nodes: dict[str, Node], folder: Path) -> list[tuple[str, str, str, str, bool]]:
    return [
        (one.from_table, one.from_column, one.to_table, one.to_column, one.is_active)
        for one in contract(nodes, folder).relationships
    ]


@pytest.mark.parametrize("mode", ["import", "dual", "directQuery"])
def test_what_is_read_of_a_model(tmp_path: Path, mode: str) -> None:
    columns = [
        column("x_key", "bigint", name="Given"),
        column("own", "bigint", key="own") | {"description": "About\n  it. "},
        column("left_out", "jsonb"),
        {"name": "bare", "data_type": "text", "description": ""},
    ]
    stated = {"table": "T", "mode": mode, "without": ["left_out"], "date": "own", "range": "bare"}
    (table,) = contract({"m": model("bi_t", columns, **stated)}, tmp_path).tables
    assert (table.name, table.mode, table.model, table.schema) == ("T", mode, "bi_t", "analytics")
    assert table.description == "One row per bi_t."
    assert table.primary_key == "own"
    assert table.meta == stated
    assert table.columns == (
        Column("x_key", "bigint", "About x_key.", is_key=True, meta={"name": "Given"}),
        Column("own", "bigint", "About it.", is_key=False, meta={}),
        Column("bare", "text", "", is_key=False, meta={}),
    )


def test_the_first_of_several_keys_counts_and_none_is_none(tmp_path: Path) -> None:
    keyed = model(
        "a", [column("x", "text"), column("y", "text", key="y"), column("z", "text", key="z")], table="A", mode="dual"
    )
    keyed["columns"]["x"]["constraints"] = [{"type": "not_null"}]
    without = model("b", [column("x", "text")], table="B", mode="dual")
    first, second = contract({"a": keyed, "b": without}, tmp_path).tables
    assert (first.primary_key, second.primary_key) == ("y", None)


def test_only_models_that_say_so_take_part_and_come_by_their_names(tmp_path: Path) -> None:
    snapshot = dimension("snapshot") | {"resource_type": "snapshot"}
    silent = model("stg", [column("x", "text")])
    silent["config"]["meta"] = {}
    nodes = {"b": dimension("b"), "a": dimension("a"), "snapshot": snapshot, "silent": silent}
    assert [table.name for table in contract(nodes, tmp_path).tables] == ["A", "B"]


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        (
            {"table": "T", "mode": "push"},
            r"bi_t: meta\.power_bi needs `table`, and `mode`, one of import, dual, directQ",
        ),
        ({"table": "T"}, "needs `table`"),
        ({"table": "", "mode": "dual"}, "needs `table`"),
        ({"mode": "dual"}, "needs `table`"),
        ({"table": "T", "mode": "dual", "range": "y"}, r"bi_t: .* columns that it does not have: y\."),
        ({"table": "T", "mode": "dual", "date": "y"}, r"does not have: y\."),
        ({"table": "T", "mode": "dual", "without": ["z", "x", "y"]}, r"does not have: y, z\."),
    ],
)
def test_a_model_that_contradicts_itself_is_refused(tmp_path: Path, meta: dict[str, object], said: str) -> None:
    with pytest.raises(ProjectError, match=said):
        contract({"m": model("bi_t", [column("x", "text")], **meta)}, tmp_path)


def test_a_manifest_that_is_missing_or_names_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"none\.json is not there: `meltano invoke dbt-postgres parse`"):
        read_contract(tmp_path / "none.json")
    with pytest.raises(ProjectError, match="names no model for Power BI"):
        contract({"m": model("stg", []) | {"config": {}}}, tmp_path)


def test_a_key_leads_where_the_model_or_its_parent_is_tested_to(tmp_path: Path) -> None:
    nodes = {
        "asset": dimension("asset"),
        "miner": dimension("miner"),
        "mart": model("fct", []),
        "fact": fact("a_key", "asset_key", "b_key", "miner_key", parents=("mart",)),
        # the mart leads to what takes no part, and to the table that is made of it
        "t3": leads("mart", "a_key", "mart", "a_key") | {"depends_on": {"nodes": ["mart", "stg"]}},
        "t4": leads("mart", "b_key", "fact", "b_key"),
        "t1": leads("mart", "asset_key", "asset", "asset_key"),
        "t2": leads("fact", "miner_key", "miner", "miner_key"),
    }
    assert related(nodes, tmp_path) == [
        ("bi_fact", "asset_key", "dim_asset", "asset_key", True),
        ("bi_fact", "miner_key", "dim_miner", "miner_key", True),
    ]


def test_what_the_model_itself_is_tested_for_wins_over_its_parent(tmp_path: Path) -> None:
    nodes = {
        "asset": dimension("asset"),
        "coin": dimension("coin"),
        "mart": model("fct", []),
        "fact": fact("some_key", parents=("mart",)),
        "t1": leads("fact", "some_key", "asset", "asset_key"),
        "t2": leads("mart", "some_key", "coin", "coin_key"),
    }
    assert related(nodes, tmp_path) == [("bi_fact", "some_key", "dim_asset", "asset_key", True)]


def test_of_two_ways_the_one_of_the_same_name_is_active(tmp_path: Path) -> None:
    nodes = {
        "asset": dimension("asset"),
        "miner": dimension("miner"),
        "fact": fact("c_key", "b_key", "a_key", "asset_key", "miner_key"),
        "t0": leads("fact", "c_key", "asset", "asset_key"),
        "t1": leads("fact", "a_key", "asset", "asset_key"),
        "t2": leads("fact", "asset_key", "asset", "asset_key"),
        "t3": leads("fact", "b_key", "miner", "miner_key"),
    }
    assert related(nodes, tmp_path) == [
        ("bi_fact", "asset_key", "dim_asset", "asset_key", True),
        ("bi_fact", "a_key", "dim_asset", "asset_key", False),
        ("bi_fact", "b_key", "dim_miner", "miner_key", True),
        ("bi_fact", "c_key", "dim_asset", "asset_key", False),
    ]


def test_what_is_no_relation_of_two_tables_is_left_out(tmp_path: Path) -> None:
    other = leads("fact", "asset_key", "asset", "asset_key")
    other["test_metadata"]["name"] = "relationships_where"
    three = leads("fact", "asset_key", "asset", "asset_key")
    three["depends_on"]["nodes"].append("miner")
    nodes = {
        "asset": dimension("asset"),
        "miner": dimension("miner"),
        "stg": model("stg", []),
        "fact": fact("asset_key", "stg_key", "parent_key", "miner_key"),
        "unnamed": leads("fact", "miner_key", "miner", "miner_key") | {"test_metadata": None},
        "another kind of test": other,
        "a test of three models": three,
        "to a model that takes no part": leads("fact", "stg_key", "stg", "stg_key"),
        "to itself": leads("fact", "parent_key", "fact", "asset_key"),
        "of a model that is no parent": leads("stg", "miner_key", "miner", "miner_key"),
    }
    assert related(nodes, tmp_path) == []


def test_relations_come_by_the_names_of_their_tables(tmp_path: Path) -> None:
    nodes = {
        "asset": dimension("asset"),
        "first": fact("asset_key", table="Zebra"),
        "second": fact("asset_key", table="Ant") | {"name": "bi_ant"},
        "t1": leads("first", "asset_key", "asset", "asset_key"),
        "t2": leads("second", "asset_key", "asset", "asset_key"),
    }
    found = contract(nodes, tmp_path).relationships
    assert found[0] == Relationship("bi_ant", "asset_key", "dim_asset", "asset_key", is_active=True)
    assert [one.from_table for one in found] == ["bi_ant", "bi_fact"]
