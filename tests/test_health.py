"""`crypto-elt health` of a filled warehouse: what is late, fails or does not answer, told from outside of Airflow."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pytest_httpserver import HTTPServer

from checkout import Checkout
from worlds import README, World

HEALTH = ("crypto-elt", "health")
COMPONENTS = ("scheduler", "dag_processor")


@pytest.fixture(scope="module")
def warehouse(filled: Callable[[World], Checkout]) -> Checkout:
    return filled(README)


@pytest.fixture
def mended(warehouse: Checkout) -> Iterator[Checkout]:
    """The warehouse, in which builds are of now again after the test."""
    yield warehouse
    warehouse.sql_do("update intermediate.model_watermarks set applied_at = now()")


def airflow(server: HTTPServer, **states: str) -> dict[str, str]:
    """An API server that reports its components, and the variable that names it."""
    answer = {name: {"status": states.get(name, "healthy")} for name in COMPONENTS}
    server.expect_request("/api/v2/monitor/health").respond_with_json(answer)
    return {"AIRFLOW_EXECUTION_API_URL": server.url_for("/execution/")}


def test_all_is_well_after_a_run_and_the_heartbeat_is_called(
    warehouse: Checkout, httpserver: HTTPServer, tmp_path: Path
) -> None:
    httpserver.expect_request("/beat").respond_with_data("OK")
    metrics = tmp_path / "crypto_elt.prom"
    asked = {"HEALTH_HEARTBEAT_URL": httpserver.url_for("/beat"), "HEALTH_METRICS_FILE": str(metrics)}
    said = warehouse.run(*HEALTH, **airflow(httpserver), **asked).stdout
    line = r"well: \d+ streams and \d+ marts are in time, newest day 20\d\d-\d\d-\d\d, no check fails\n"
    assert re.fullmatch(line, said)
    assert [request.path for request, _ in httpserver.log].count("/beat") == 1
    families = {one.name: one for one in text_string_to_metric_families(metrics.read_text())}
    assert families["crypto_elt_healthy"].samples[0].value == 1
    rows = {one.labels["table"]: one.value for one in families["crypto_elt_rows"].samples}
    ((blocks,),) = warehouse.sql("select count(*) from raw_data.bitcoin_blocks")
    assert rows["raw_data.bitcoin_blocks"] == blocks
    late = {one.labels["name"] for one in families["crypto_elt_late"].samples}
    assert {"bitcoin_blocks", "ethereum_transactions", "coingecko_market_chart", "fct_blocks"} <= late


def test_a_dead_scheduler_and_no_airflow_at_all(warehouse: Checkout, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/beat").respond_with_data("OK")
    said = warehouse.fails(
        *HEALTH, HEALTH_HEARTBEAT_URL=httpserver.url_for("/beat"), **airflow(httpserver, scheduler="unhealthy")
    )
    assert said == "not well, 1 problems: Airflow: scheduler is unhealthy to the API server\n"
    assert "/beat" not in [request.path for request, _ in httpserver.log], "no heartbeat when something is wrong"
    said = warehouse.fails(*HEALTH, "--scheduler", AIRFLOW_PORT="1")
    assert "Airflow: http://127.0.0.1:1/api/v2/monitor/health gives no answer" in said
    assert warehouse.run(*HEALTH, "--no-scheduler", AIRFLOW_PORT="1")


def test_a_build_that_failed_three_days_ago(mended: Checkout) -> None:
    mended.sql_do("update intermediate.model_watermarks set applied_at = now() - interval '3 days'")
    told = json.loads(mended.fails(*HEALTH, "--json"))
    (problem,) = told["problems"]
    assert "fct_" in problem or "dim_" in problem
    assert problem.endswith("more marts): a build failed, or none was started")
    assert all(one["late"] for one in told["watched"] if one["kind"] == "mart")
    own = "fct_*=100 dim_*=100 rpt_*=100"
    assert mended.run(*HEALTH, "--hours", own), "a schedule of one's own has hours of its own"


def test_a_source_that_stopped_publishing(warehouse: Checkout) -> None:
    """Loads go on and find nothing: the simulated clock runs ahead of the days that are there."""
    assert warehouse.run(*HEALTH)
    warehouse.run("simulator", "advance", "4")
    said = warehouse.fails(*HEALTH)
    assert "bitcoin_blocks: newest day 20" in said
    assert ", more was due by 20" in said
    assert "fct_blocks" not in said, "what was built is of now"


def test_a_failed_check_and_a_warehouse_that_is_down(warehouse: Checkout) -> None:
    warehouse.sql_do("update analytics.fct_dq_results set failed_count = 1 where block_date = '2025-01-02'")
    assert "data-quality checks fail (" in warehouse.fails(*HEALTH)
    warehouse.run("warehouse", "stop")
    said = warehouse.fails(*HEALTH)
    assert said.startswith("not well, 1 problems: `warehouse url ")
    assert "warehouse start" in said
