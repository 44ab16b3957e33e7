"""What follows from a column's name and type, one example for each rule."""

from __future__ import annotations

import pytest

from powerbi_project.contract import Column, Table
from powerbi_project.conventions import column_name, display_folder, format_string, is_hidden, model_type
from powerbi_project.errors import ProjectError


def column(source: str, data_type: str = "text", **meta: object) -> Column:
    return Column(source, data_type, "", source.endswith("_key"), meta)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("fee_total_usd", "Fee Total USD"),
        ("transfer_value_adj_v1_native", "Transfer Value Adjusted V1 Native"),
        ("dq_check_key", "DQ Check Key"),
        ("coingecko_id", "CoinGecko ID"),
        ("hhi", "HHI"),
        ("iso_week", "ISO Week"),
        ("mvrv_of_nupl", "MVRV of NUPL"),
        ("nvt_roi", "NVT ROI"),
        ("sopr", "SOPR"),
        ("limit_wu", "Limit WU"),
        ("eip1559_tipTotal", "Eip1559 TipTotal"),
    ],
)
def test_a_name_has_capitals_and_fixed_words(source: str, name: str) -> None:
    assert column_name(column(source)) == name
    assert column_name(column(source, name="As Stated")) == "As Stated"


@pytest.mark.parametrize(
    ("data_type", "in_model", "shown"),
    [
        ("bigint", "int64", "0"),
        ("integer", "int64", "0"),
        ("boolean", "boolean", None),
        ("date", "dateTime", "yyyy-mm-dd"),
        ("time", "dateTime", "hh:nn"),
        ("timestamp", "dateTime", "yyyy-mm-dd hh:nn:ss"),
        ("double precision", "double", "#,0.########"),
        ("numeric(19,4)", "decimal", "#,0.########"),
        ("text", "string", None),
    ],
)
def test_a_type_has_a_type_in_the_model_and_a_format(data_type: str, in_model: str, shown: str | None) -> None:
    assert model_type(column("x", data_type)) == in_model
    assert format_string(column("x", data_type)) == shown
    assert format_string(column("x", data_type, format="0.0")) == "0.0"


@pytest.mark.parametrize(
    ("source", "data_type", "shown"),
    [
        ("block_count", "bigint", "#,0"),
        ("size_bytes", "bigint", "#,0"),
        ("weight_wu", "integer", "#,0"),
        ("gas_used", "bigint", "#,0"),
        ("gas_limit", "bigint", "#,0"),
        ("gap_seconds", "integer", "#,0"),
        ("count_of", "bigint", "0"),
        ("block_count", "double precision", "#,0.########"),
        ("fee_usd", "numeric(19,4)", r"\$#,0.00"),
        ("fee_usd", "double precision", r"\$#,0.00######"),
        ("usd_fee", "double precision", "#,0.########"),
        ("block_share", "double precision", "0.00%"),
        ("priced_ratio", "double precision", "0.00%"),
        ("ratio_of", "double precision", "#,0.########"),
        ("fee_usd", "text", None),
    ],
)
def test_a_number_is_shown_by_what_its_name_says_it_counts(source: str, data_type: str, shown: str | None) -> None:
    assert format_string(column(source, data_type)) == shown


@pytest.mark.parametrize(
    ("source", "folder"),
    [
        ("asset_key", "Keys"),
        ("fee_total_base_text", "Every digit"),
        ("fee_total_usd", "USD"),
        ("fee_total_native", "Coins"),
        ("is_final", "Trust"),
        ("has_chain", "Trust"),
        ("price_status", "Trust"),
        ("coverage_ratio", "Trust"),
        ("priced_ratio", "Trust"),
        ("sopr_coverage_ratio", "Trust"),
        ("is_fee_usd", "Trust"),
        ("usd_price", None),
        ("miner", None),
    ],
)
def test_a_column_lies_in_the_folder_of_its_kind(source: str, folder: str | None) -> None:
    assert display_folder(column(source)) == folder
    assert display_folder(column(source, folder="Mine")) == "Mine"


CALENDAR = column("date_key", "integer")


@pytest.mark.parametrize(
    ("one", "mode", "beside", "hidden"),
    [
        (column("asset_key", "bigint"), "directQuery", (), True),
        (column("day_start_at", "timestamp"), "directQuery", (), True),  # the range
        (column("seen_at", "timestamp"), "import", (CALENDAR,), False),
        (column("fee_usd", "numeric(19,4)"), "import", (), True),
        (column("fee", "double precision"), "import", (), True),
        (column("block_count", "bigint"), "import", (), True),
        (column("block_count", "bigint"), "dual", (), False),
        (column("block_count", "bigint"), "directQuery", (), False),
        (column("block_date", "date"), "import", (CALENDAR,), True),
        (column("block_date", "date"), "import", (), False),
        (column("block_date", "date"), "directQuery", (CALENDAR,), False),
        (column("miner", "text"), "import", (CALENDAR,), False),
        (column("is_final", "boolean"), "import", (CALENDAR,), False),
        (column("asset_key", "bigint", hidden=False), "import", (), False),
        (column("miner", "text", hidden=True), "dual", (), True),
    ],
)
def test_what_a_reports_author_does_not_see(one: Column, mode: str, beside: tuple[Column, ...], hidden: bool) -> None:  # noqa: FBT001
    table = Table("m", "s", "", (one, *beside), None, {"table": "T", "mode": mode, "range": "day_start_at"})
    assert is_hidden(table, one) is hidden


@pytest.mark.parametrize("data_type", ["numeric(78,0)", "numeric", "bigint[]", "timestamptz", "jsonb"])
def test_a_type_that_cannot_be_held_exactly_is_refused_with_those_that_can(data_type: str) -> None:
    with pytest.raises(ProjectError, match=r"^fee is .*, which .* It can be: bigint, boolean, date, double"):
        model_type(column("fee", data_type))
