"""The loader that ours is built on, in its place: the same world gives the same marts, row by row."""

import json
from collections.abc import Callable

import pytest

from checkout import RUN_TIME_COLUMNS, Checkout
from worlds import MONTHS_END, World

pytestmark = pytest.mark.long(part="compatibility")
STOCK = "target-postgres--stock"

Rows = dict[str, list[str]]


def marts(checkout: Checkout) -> Rows:
    """Every row of every mart, as text in an order of its own."""
    names = checkout.sql("select tablename::text from pg_tables where schemaname = 'analytics'")
    return {
        str(name): [
            str(row)
            for (row,) in checkout.sql(
                f'select (to_jsonb(t) - %s::text[])::text as line from analytics."{name}" as t order by line',  # noqa: S608
                list(RUN_TIME_COLUMNS),
            )
        ]
        for (name,) in names
    }


def without_loading(rows: list[str]) -> list[dict[str, object]]:
    """Days of the reconciliation or their states, without what is said there of loads, which also passed."""
    days = [json.loads(row) for row in rows]
    of_loads = ("loading_", "verified_count")
    return [{name: value for name, value in day.items() if not name.startswith(of_loads)} for day in days]


@pytest.fixture(scope="module")
def ours(filled: Callable[[World], Checkout]) -> Rows:
    """The marts of a run with our loader, over the end of a month, so that its tables have two partitions."""
    return marts(filled(MONTHS_END))


@pytest.fixture(scope="module")
def stock(checkout: Checkout, ours: Rows) -> Rows:
    """The marts of the same world, at the same moment, with the stock loader and an empty warehouse."""
    checkout.run("warehouse", "reset", "--yes")  # the bookmarks too
    checkout.run("warehouse", "start")
    far = "alter role loader set timezone = 'Asia/Tokyo'"  # what the plugin's own zone is to win over
    checkout.run("warehouse", "psql", "--role", "admin", "-c", far)
    blocks = ("tap-coingecko", STOCK, "tap-blockchair--records", STOCK, "dbt-postgres:build")
    checkout.run("meltano", "run", *blocks, **MONTHS_END.loaded)
    return marts(checkout)


def test_the_world_fills_every_mart(checkout: Checkout, ours: Rows) -> None:
    assert [name for name, rows in ours.items() if not rows] == []
    assert len(ours["fct_blocks"]) == 3 * 9 * 24
    months = "select count(distinct tableoid) from raw_data.bitcoin_transactions"
    assert checkout.sql(months) == [(2,)]


def test_the_stock_loader_did_load(checkout: Checkout, stock: Rows) -> None:
    """Not ours, which would have made these tables in another way."""
    columns = "select {} from information_schema.columns where table_schema = 'raw_data' and column_name = '{}'"
    assert checkout.sql(columns.format("count(*)", "_load_id"), role="loader") == [(0,)]
    types = checkout.sql(columns.format("distinct data_type", "time"), role="loader")
    assert types == [("timestamp without time zone",)]


def test_both_loaders_give_the_same_marts(ours: Rows, stock: Rows) -> None:
    """All but what is said of the loads themselves: the stock loader keeps no ledger."""
    assert stock.keys() == ours.keys()
    different = {name for name, rows in ours.items() if stock[name] != rows}
    days = {"rpt_reconciliation", "bi_reconciliation_daily", "rpt_day_status", "bi_day_status"}
    reported = {"fct_dq_results", "bi_data_quality_daily"} | days
    assert different == reported | {"fct_pipeline_runs"}
    assert stock["fct_pipeline_runs"] == []
    assert stock["fct_dq_results"] == [row for row in ours["fct_dq_results"] if '"check_name": "unit_rows"' not in row]
    (check,) = [json.loads(row)["dq_check_key"] for row in ours["dim_dq_check"] if '"check_name": "unit_rows"' in row]
    others = [row for row in ours["bi_data_quality_daily"] if json.loads(row)["dq_check_key"] != check]
    assert stock["bi_data_quality_daily"] == others
    for report in days:
        assert without_loading(stock[report]) == without_loading(ours[report])
