"""The text of tables and relationships, whole, as Power BI Desktop reads it."""

from __future__ import annotations

from pathlib import Path

from powerbi_project.tmdl import query, quote, relationships_file, table_file, tag

from .manifest import Node, column, contract, leads, model

DATA = Path(__file__).parent / "data"


def calendar() -> Node:
    return model(
        "dim_date",
        [
            column("date_key", "integer", key="date_key"),
            column("date_day", "date", name="Date"),
            column("year_number", "integer", name="Year"),
            column("quarter_number", "integer", name="Quarter"),
            column("month_number", "integer", name="Month of Year", hidden=True),
            column("month_name", "text", name="Month", sort_by="month_number"),
            column("comment", "jsonb"),
        ],
        table="Date",
        mode="dual",
        date="date_day",
        without=["comment"],
        without_unknown=True,
    )


def network() -> Node:
    long = "About the fees, " * 10
    found = model(
        "bi_network_daily",
        [
            column("network_day_key", "bigint", key="network_day_key"),
            column("date_key", "integer"),
            column("day_start_at", "timestamp"),
            column("fee_total_usd", "numeric(19,4)") | {"description": long},
            column("burned_usd", "numeric(19,4)"),
            column("is_final", "boolean"),
        ],
        table="Network",
        mode="import",
        range="day_start_at",
    )
    return found | {"description": ""}


def blocks() -> Node:
    """Rows that stay in the warehouse."""
    columns = [column("first_date_key", "integer"), column("date_key", "integer"), column("fee_usd", "numeric(19,4)")]
    return model("fct_blocks", columns, table="Miner's Blocks", mode="directQuery", without_unknown=False)


def nodes() -> dict[str, Node]:
    return {
        "date": calendar(),
        "network": network(),
        "blocks": blocks(),
        "t1": leads("network", "date_key", "date", "date_key"),
        "t2": leads("blocks", "date_key", "date", "date_key"),
        "t3": leads("blocks", "first_date_key", "date", "date_key"),
    }


def test_whole_files(tmp_path: Path) -> None:
    whole = contract(nodes(), tmp_path)
    made = {f"{table.model}.tmdl": table_file(table) for table in whole.tables}
    made["relationships.tmdl"] = relationships_file(whole)
    expected = {path.name: path.read_text(encoding="utf-8") for path in DATA.glob("*.tmdl")}
    assert made.keys() == expected.keys()
    for name, text in expected.items():
        assert made[name] == text, name


def test_a_lineage_tag_is_of_the_name_and_the_same_for_ever() -> None:
    """Those of the project's own files: another tag would be another object to whoever built upon it."""
    assert tag("Network") == "75a9bff4-83e5-5253-9187-1b1109739d4a"
    assert tag("Network", "network_day_key") == "e484c160-079e-5eeb-9a13-017e70d10b5b"
    assert tag("relationship", "Network", "date_key") == "cd94339d-c9cc-5fe0-af1d-0f8533cb9c6b"


def test_a_name_is_quoted_where_it_has_to_be() -> None:
    assert [quote(name) for name in ("Network", "Fee_1", "Age Band", "Miner's", "")] == [
        *("Network", "Fee_1", "'Age Band'", "'Miner''s'", "''")
    ]


def test_steps_of_a_query_follow_one_another(tmp_path: Path) -> None:
    fees = network()
    fees["config"]["meta"]["power_bi"] |= {"without": ["is_final"], "without_unknown": True}
    (table,) = contract({"network": fees}, tmp_path).tables
    steps = [line.strip().partition(" = ") for line in query(table).splitlines()[1:-2]]
    assert [(name, body.partition(",")[0]) for name, _, body in steps] == [
        ("Source", "PostgreSQL.Database(Server"),
        ("Rows", 'Source{[Schema = "analytics"'),
        ("Span", "Table.SelectRows(Rows"),
        ("Known", "Table.SelectRows(Span"),
        ("Columns", "Table.SelectColumns(Known"),
        ("Types", "Table.TransformColumnTypes(Columns"),
    ]
    assert query(table).splitlines()[-1].strip() == "Types"
