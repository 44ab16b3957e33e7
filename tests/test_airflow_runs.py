"""Runs in a real Airflow: by the clock's DAGs and as a backfill on two workers, of which one is killed."""

import json
import subprocess
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import psutil
import psycopg
import pytest

from airflow_stack import Airflow, free_port, kill_group, secrets_of, wait_for
from checkout import Checkout

WORLD = {
    "SIMULATOR_START": "2025-01-30",
    "SIMULATOR_DAYS": "3",
    "SIMULATOR_BLOCKS_PER_DAY": "6",
    "SIMULATOR_TRANSACTIONS_PER_BLOCK": "2",
    "TAP_BLOCKCHAIR_START_DATE": "2025-01-30",
    "TAP_COINGECKO_START_DATE": "2025-01-01",
}
TABLES = {
    "bitcoin": ("blocks", "transactions", "inputs", "outputs"),
    "dogecoin": ("blocks", "transactions", "inputs", "outputs"),
    "ethereum": ("blocks", "transactions", "calls"),
}
ASKED = {"chains": list(TABLES), "start_date": "2025-01-30", "end_date": "2025-02-01"}

HOOK_SECRET = "known-to-two-alone"
REPORT = "/reconciliation/"
NOT_GATED = {"analytics.fct_dq_results", "analytics.dim_dq_check", "analytics.rpt_reconciliation"}


def marts(project: Checkout) -> dict[str, tuple[int, str]]:
    """Rows and digest of every mart that waits for the gate."""
    found = project.tables()
    return {name: what for name, what in found.items() if name.startswith("analytics.") and name not in NOT_GATED}


def chain_tables(project: Checkout) -> dict[str, tuple[int, str]]:
    """Rows and digests of what a backfill loads."""
    names = {f"raw_data.{chain}_{table}" for chain, tables in TABLES.items() for table in tables}
    return {name: what for name, what in project.tables().items() if name in names}


@pytest.fixture(scope="module")
def loaded(checkout: Checkout) -> dict[str, tuple[int, str]]:
    """What one run after another loads; then the warehouse is emptied."""
    checkout.make("run", **WORLD)
    found = chain_tables(checkout)
    assert len(found) == 11
    assert all(rows for rows, _ in found.values())
    checkout.run("warehouse", "reset", "--yes")
    checkout.run("warehouse", "start")
    return found


@pytest.fixture(scope="module")
def redis() -> Iterator[int]:
    """Celery's broker; returns its port."""
    port = free_port()
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        server.terminate()
        server.wait()


class Hook(HTTPServer):
    """A webhook that keeps what it gets."""

    received: list[dict[str, str]]


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    """Where alerts go."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            server.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = Hook(("127.0.0.1", 0), Handler)
    server.received = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def airflow(checkout: Checkout, loaded: object, redis: int, hook: Hook) -> Iterator[Airflow]:
    """Airflow with the CeleryExecutor; its workers are started by tests."""
    for name in [name for name in checkout.environ if name.startswith("AIRFLOW")]:
        del checkout.environ[name]
    local = dict(
        line.split("=", 1) for line in (checkout.root / ".env").read_text().splitlines() if line.startswith("LOCAL_")
    )
    database = "postgresql+psycopg://airflow:{}@127.0.0.1:{}/airflow".format(
        local["LOCAL_AIRFLOW_PASSWORD"].strip("'\""), local["LOCAL_WAREHOUSE_PORT"].strip("'\"")
    )
    checkout.environ |= {
        "AIRFLOW_PORT": str(free_port()),
        "AIRFLOW_CORE_EXECUTOR": "CeleryExecutor",
        "AIRFLOW_CELERY_BROKER_URL": f"redis://127.0.0.1:{redis}/0",
        "AIRFLOW_CELERY_RESULT_BACKEND": f"db+{database}",
        "AIRFLOW_POOLS": '{"blockchair_api": 1, "dump_host": 4, "dbt": 1}',
        "AIRFLOW_ALERT_URLS": f"json://127.0.0.1:{hook.server_port}/{HOOK_SECRET}",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    }
    checkout.run("meltano", "install", "utility", "airflow", "catalogue")
    checkout.run("meltano", "invoke", "airflow:initialize")
    stack = Airflow(checkout)
    try:
        stack.up(
            *("--only", "api-server", "--only", "scheduler", "--only", "dag-processor"),
            until="up: api-server, scheduler, dag-processor",
        )
        yield stack
    finally:
        for one in reversed(stack.ups):
            one.end()
            kill_group(one.process)


@pytest.fixture(scope="module")
def backfilled(airflow: Airflow) -> str:
    """A backfill on two workers, one of which is killed while it loads, and the scheduler too."""
    workers = [airflow.up("--only", "worker", until="ready.") for _ in range(2)]
    wait_for(lambda: "backfill" in dags(airflow), "the DAG backfill")
    run = airflow.trigger("backfill", **ASKED)

    def loading() -> list[dict[str, object]]:
        return [task for task in airflow.tasks(run) if task["state"] == "running" and task["task_id"] == "load"]

    wait_for(lambda: len(loading()) > 2, "tasks that load")
    workers[0].kill(and_components=True)
    (scheduler,) = [
        process
        for process in psutil.Process(airflow.ups[0].process.pid).children(recursive=True)
        if process.cmdline()[-2:] == ["scheduler", "--skip-serve-logs"]
    ]
    scheduler.kill()  # its supervisor starts another
    assert airflow.wait_for_end(run, 900) == "success", airflow.tasks(run)
    return run


def dags(airflow: Airflow) -> dict[str, dict[str, object]]:
    found: list[dict[str, object]] = airflow.api("dags?limit=100")["dags"]  # type: ignore[assignment]
    return {str(dag["dag_id"]): dag for dag in found}


def ended(airflow: Airflow, dag: str, kind: str) -> list[dict[str, object]]:
    """The runs of a DAG, of a kind, that have ended."""
    runs: list[dict[str, object]] = airflow.api(f"dags/{dag}/dagRuns")["dag_runs"]  # type: ignore[assignment]
    return [run for run in runs if run["run_type"] == kind and run["state"] in {"success", "failed"}]


def test_a_backfill_is_exact_though_a_worker_and_the_scheduler_were_killed(
    airflow: Airflow, backfilled: str, loaded: dict[str, tuple[int, str]]
) -> None:
    tasks = airflow.tasks(backfilled)
    loads = [task for task in tasks if task["task_id"] == "load"]
    assert {task["rendered_map_index"] for task in loads} == {
        f"{chain} {day}" for chain in TABLES for day in ("2025-01-30", "2025-01-31", "2025-02-01")
    }
    assert any(int(str(task["try_number"])) > 1 for task in loads)
    assert chain_tables(airflow.project) == loaded
    # and the build after them has made marts of it
    assert airflow.project.sql("select count(*) from analytics.fct_blocks") == [(3 * 3 * 6,)]
    # the ledger names each task's run, a retry by the same name
    assert airflow.project.sql("select count(distinct run_id) from raw_data.load_ledger") == [(len(loads),)]


def test_finished_days_are_not_loaded_again(airflow: Airflow, backfilled: str) -> None:
    before = airflow.project.sql("select count(*), max(load_id) from raw_data.load_ledger")
    run = airflow.trigger("backfill", **ASKED | {"chains": ["bitcoin"], "end_date": "2025-01-30"})
    assert airflow.wait_for_end(run) == "success", airflow.tasks(run)
    assert airflow.project.sql("select count(*), max(load_id) from raw_data.load_ledger") == before


def test_what_cannot_be_done_is_said_in_a_sentence(airflow: Airflow, backfilled: str) -> None:
    run = airflow.trigger("backfill", **ASKED | {"end_date": "2025-01-01"})
    assert airflow.wait_for_end(run) == "failed"
    assert "end_date 2025-01-01 is before start_date 2025-01-30" in airflow.task_log(run)


def test_a_schedule_that_is_changed_is_followed_within_a_minute(airflow: Airflow, backfilled: str) -> None:
    assert set(dags(airflow)) >= {"market-hourly", "tip-hourly", "dumps-daily", "marts-daily", "upkeep-weekly"}
    airflow.project.run("meltano", "schedule", "set", "market-hourly", "--interval", "17 * * * *")
    wait_for(lambda: dags(airflow)["market-hourly"]["timetable_summary"] == "17 * * * *", "the new interval", 90)


def test_the_clock_starts_a_run(airflow: Airflow, backfilled: str) -> None:
    """A DAG that is switched on runs for the interval that has ended last."""
    airflow.api("dags/market-hourly", {"is_paused": False}, "PATCH")

    wait_for(lambda: ended(airflow, "market-hourly", "scheduled"), "a scheduled run")
    (run,) = ended(airflow, "market-hourly", "scheduled")
    assert run["state"] == "success"
    assert airflow.project.sql("select count(*) > 0 from raw_data.coingecko_market_chart") == [(True,)]
    log = airflow.task_log(f"x/{run['dag_run_id']}")
    assert "rows loaded." in log


def test_the_weekly_job_writes_the_catalogue_and_tends_the_tables(airflow: Airflow, backfilled: str) -> None:
    run = airflow.trigger("upkeep-weekly")
    assert airflow.wait_for_end(run) == "success", airflow.task_log(run)
    assert "statistics of the whole" in airflow.task_log(run)
    vacuumed = "select count(*) > 0 from pg_stat_user_tables where schemaname = 'analytics' and last_vacuum is not null"
    assert airflow.project.sql(vacuumed, role="transformer") == [(True,)]
    assert (airflow.project.root / "transform/target/catalogue/index.html").is_file()


def test_the_report_is_for_those_who_are_logged_in(airflow: Airflow, backfilled: str) -> None:
    _, where, text = airflow.page(REPORT, logged_in=False)
    assert "/login" in where
    assert "2025-01-31" not in text
    status, _, text = airflow.page(f"{REPORT}?chain=bitcoin")
    assert status == 200
    assert "2025-01-31" in text
    assert ">failed</span>" not in text
    views = [view for plugin in airflow.api("plugins")["plugins"] for view in plugin["external_views"]]  # type: ignore[attr-defined]
    assert REPORT in [view["href"] for view in views]
    assert REPORT in str(airflow.api("dags/marts-daily/details")["doc_md"])


def test_a_changed_cell_stops_the_daily_build_and_everybody_is_told_the_block(
    airflow: Airflow, backfilled: str, hook: Hook
) -> None:
    project = airflow.project
    ((height, root),) = project.sql(
        "select id, merkle_root from raw_data.bitcoin_blocks where time >= '2025-02-01' order by id offset 2 limit 1",
        role="loader",
    )
    # Switched on, it runs for the interval that has ended last: the whole way, by the clock.
    airflow.api("dags/marts-daily", {"is_paused": False}, "PATCH")
    wait_for(lambda: ended(airflow, "marts-daily", "scheduled"), "the scheduled run")
    assert ended(airflow, "marts-daily", "scheduled")[0]["state"] == "success"
    before = marts(project)
    assert len(before) > 20
    hook.received.clear()
    set_root = "update raw_data.bitcoin_blocks set merkle_root = '{}' where id = {}"
    project.sql_do(set_root.format("0" * 64, height), role="loader")
    try:
        run = airflow.trigger("marts-daily")
        assert airflow.wait_for_end(run) == "failed"
    finally:
        project.sql_do(set_root.format(root, height), role="loader")
    states = {str(task["task_id"]): task["state"] for task in airflow.tasks(run)}
    assert states == {
        "dbt-postgres_freshness": "success",
        "dbt-postgres_proof": "failed",
        "dbt-postgres_build": "upstream_failed",
    }
    assert marts(project) == before
    named = f"proof failed: bitcoin block {height} of 2025-02-01, block_header_hash: "
    assert named in airflow.task_log(run)
    (alert,) = hook.received
    assert alert["title"] == "marts-daily: dbt-postgres_proof failed"
    assert named in alert["message"]
    _, _, page = airflow.page(f"{REPORT}?chain=bitcoin&only=failed")
    assert f"block {height}" in page
    assert "2025-02-01" in page
    # and once the cell is right, the same run goes on
    again = {"dry_run": False, "dag_run_id": urllib.parse.unquote(run.rsplit("/", 1)[1])}
    airflow.api("dags/marts-daily/clearTaskInstances", again, "POST")
    wait_for(lambda: airflow.api(run)["state"] not in {"success", "failed"}, "the run to go on")
    assert airflow.wait_for_end(run) == "success", airflow.task_log(run)
    assert ">failed</span>" not in airflow.page(f"{REPORT}?chain=bitcoin")[2]


def test_no_secret_is_anywhere(airflow: Airflow, backfilled: str) -> None:
    """After all of the above: logs, what Airflow stores of DAGs and tasks, connections, and what it prints."""
    seen = {
        "logs": "\n".join(path.read_text() for path in (airflow.project.root / ".state/airflow/logs").rglob("*.log")),
        "manifests": "\n".join(
            path.read_text() for path in (airflow.project.root / ".state/airflow/manifests").iterdir()
        ),
        "output": "".join(line for one in airflow.ups for line in one.lines),
        "connections": airflow.project.run("meltano", "invoke", "airflow", "connections", "list", "-o", "json").stdout,
    }
    url = airflow.project.environ["AIRFLOW_CELERY_RESULT_BACKEND"].removeprefix("db+").replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        for table in ("serialized_dag", "rendered_task_instance_fields", "xcom", "dag_run", "task_instance", "log"):
            rows = connection.execute(f"select to_jsonb(t)::text from {table} as t").fetchall()  # type: ignore[call-overload]  # noqa: S608
            seen[table] = "\n".join(str(row[0]) for row in rows)
    assert all(seen[name] for name in ("logs", "manifests", "output", "serialized_dag", "task_instance"))
    found = {
        (where, name)
        for where, text in seen.items()
        for name, value in (secrets_of(airflow.project) | {"alert": HOOK_SECRET}).items()
        if value in text
    }
    assert found == set()
