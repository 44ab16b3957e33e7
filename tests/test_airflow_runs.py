"""Runs in a real Airflow: by the clock's DAGs and as a backfill on two workers, of which one is killed."""

import re
import secrets
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil
import psycopg
import pytest
from pytest_httpserver import HTTPServer

from airflow_stack import Airflow, listening, redis, secrets_of, use_celery
from checkout import Checkout
from gated import gated_marts
from waiting import wait_for

# The fixtures, which run in the first test that asks for them, may take longer than one test is given.
pytestmark = [pytest.mark.long(part="airflow-workers"), pytest.mark.timeout(3600)]
WORLD = {
    "SIMULATOR_START": "2025-01-30",
    "SIMULATOR_DAYS": "5",
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
DAYS = ("2025-01-30", "2025-01-31", "2025-02-01", "2025-02-02")
DAILY = "2025-02-03"  # the daily load's
ASKED = {"chains": list(TABLES), "start_date": DAYS[0], "end_date": DAYS[-1]}
# Later: a day that was backfilled, the daily load's, one whose file cannot be had, one more.
RESUMED = {
    "chains": ["bitcoin"],
    "tables": ["blocks", "transactions"],
    "start_date": DAYS[-1],
    "end_date": "2025-02-05",
}
LOADED = "select unit from raw_data.load_ledger where load_id > %s order by load_id"
HOOK_SECRET = "known-to-two-alone"
KEYS = ("BLOCKCHAIR_API_KEY", "BLOCKCHAIR_DUMPS_KEY", "COINGECKO_API_KEY")
REPORT = "/reconciliation/"


def settled(ask: Callable[[], set[str]]) -> set[str]:
    """An answer that is given twice: what was on its way when the first was given has arrived."""
    answers = [ask()]

    def is_repeated() -> bool:
        answers.append(ask())
        return answers[-1] == answers[-2]

    wait_for(is_repeated, "the same answer twice")
    return answers[-1]


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
def broker() -> Iterator[str]:
    """Celery's broker; returns its address."""
    with redis() as address:
        yield address


@pytest.fixture(scope="module")
def hook() -> Iterator[HTTPServer]:
    """Where alerts go."""
    with HTTPServer() as server:
        server.expect_request(re.compile("/.*"), "POST").respond_with_data("")
        yield server


@pytest.fixture(scope="module")
def airflow(checkout: Checkout, loaded: object, broker: str, hook: HTTPServer) -> Iterator[Airflow]:
    """Airflow with the CeleryExecutor, Meltano's bookmarks in PostgreSQL; its workers are started by tests."""
    with (checkout.root / ".env").open("a") as file:
        file.write(f"TAP_BLOCKCHAIR__DUMPS_START_DATE={DAILY}\nTAP_COINGECKO_PLAN=demo\n")
        for name in KEYS:
            key = f"{name.lower()}-{secrets.token_hex(8)}"
            file.write(f"{name}={key}\nTAP_{name}={key}\n")  # what the local environment's taps send
    use_celery(checkout, broker, {"blockchair_api": 1, "dump_host": 4, "dbt": 1})
    checkout.environ |= {
        "AIRFLOW_ALERT_URLS": f"json://127.0.0.1:{hook.port}/{HOOK_SECRET}",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
        "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "120",
    }
    checkout.run("meltano", "install", "utility", "airflow", "data-docs")
    checkout.run("meltano", "invoke", "airflow:initialize")
    stack = Airflow(checkout)
    try:
        stack.up(
            *("--only", "api-server", "--only", "scheduler", "--only", "dag-processor"),
            until="up: api-server, scheduler, dag-processor",
        )
        yield stack
    finally:
        stack.end()


@dataclass
class Backfilled:
    """What became of a backfill.

    Attributes:
        run: It.
        doomed: The parts that were on the worker when that was killed.
        daily: The run of the daily load that went on beside it.
    """

    run: str
    doomed: set[str]
    daily: dict[str, object]


@pytest.fixture(scope="module")
def backfilled(airflow: Airflow) -> Backfilled:
    """A backfill beside the daily load, on two workers; one is killed while it loads, and the scheduler too."""
    survivor = airflow.up("--only", "worker", until="ready.")
    wait_for(lambda: {"backfill", "dumps-daily"} <= airflow.dags().keys(), "the DAGs")
    # As in life, tasks wait for the network.
    stalls = {"^/dumps/.*20250203.*gz$": 60, "^/dumps/": 0.4}
    rules = [{"match": match, "times": None, "action": {"stall": stall}} for match, stall in stalls.items()]
    airflow.sources("POST", "faults", rules)
    airflow.api("dags/dumps-daily", {"is_paused": False}, "PATCH")
    wait_for(
        lambda: any(task["state"] == "running" for task in airflow.tasks("dags/dumps-daily/dagRuns/~")), "its load"
    )
    doomed = airflow.up("--only", "worker", until="ready.")
    run = airflow.trigger_as_documented(**ASKED)

    def loading() -> list[dict[str, object]]:
        return [task for task in airflow.tasks(run) if task["state"] == "running" and task["task_id"] == "load"]

    def on_the_doomed() -> set[str]:
        pids = {process.pid for process in psutil.Process(doomed.process.pid).children(recursive=True)}
        return {str(task["rendered_map_index"]) for task in loading() if task["pid"] in pids}

    wait_for(lambda: len(loading()) > 2 and on_the_doomed(), "tasks that load, on both workers")
    doomed.stop()
    lost = settled(on_the_doomed)
    doomed.kill(and_components=True)
    airflow.sources("DELETE", "faults")
    (scheduler,) = [
        process
        for process in psutil.Process(airflow.ups[0].process.pid).children(recursive=True)
        if process.cmdline()[-2:] == ["scheduler", "--skip-serve-logs"]
    ]
    scheduler.kill()  # its supervisor starts another
    airflow.up("--only", "worker", until="ready.")  # so that days of one chain are loaded at once again
    assert {address for address, _ in listening(survivor)} <= {"127.0.0.1"}
    assert airflow.wait_for_end(run) == "success", airflow.tasks(run)
    wait_for(lambda: airflow.ended("dumps-daily", "scheduled"), "the daily load")
    airflow.api("dags/dumps-daily", {"is_paused": True}, "PATCH")
    return Backfilled(run, lost, airflow.ended("dumps-daily", "scheduled")[0])


@pytest.fixture(scope="module")
def failing(airflow: Airflow, backfilled: Backfilled) -> str:
    """A backfill of which one day fails: its file breaks off and is not to be had again. It goes on while tests run."""
    airflow.project.run("simulator", "advance", "2")
    airflow.api("pools/dump_host", {"pool": "dump_host", "slots": 1, "include_deferred": False}, "PATCH")
    airflow.sources("DELETE", "requests")
    file = {"match": "^/dumps/bitcoin/blocks/.*20250204.*gz$", "method": "GET"}
    rules = [
        file | {"times": 1, "action": {"truncate": 300}},
        file | {"times": None, "action": {"status": 503}},
        {"match": "^/dumps/", "times": None, "action": {"stall": 0.3}},  # so that two at once would be seen
    ]
    airflow.sources("POST", "faults", rules)
    return airflow.trigger_as_documented(**RESUMED)


class TestRuns:
    """One story, in order: a backfill, what goes on beside it, and a build that a changed cell stops."""

    def test_a_backfill_is_exact_though_a_worker_and_the_scheduler_were_killed(
        self, airflow: Airflow, backfilled: Backfilled, loaded: dict[str, tuple[int, str]]
    ) -> None:
        tasks = airflow.tasks(backfilled.run)
        loads = {str(task["rendered_map_index"]): task for task in tasks if task["task_id"] == "load"}
        assert loads.keys() == {f"{chain} {day}" for chain in TABLES for day in DAYS}
        # What the killed worker had was tried again, and nothing else: days of a chain do not fail each other.
        assert backfilled.doomed
        assert {part for part, task in loads.items() if int(str(task["try_number"])) > 1} == backfilled.doomed
        assert chain_tables(airflow.project) == loaded
        # and the build after them has made marts of it
        assert airflow.project.sql("select count(*) from analytics.fct_blocks") == [(3 * (len(DAYS) + 1) * 6,)]
        # the ledger names each task's run, a retry by the same name, and the daily load's
        assert airflow.project.sql("select count(distinct run_id) from raw_data.load_ledger") == [(len(loads) + 1,)]

    def test_a_backfill_beside_the_daily_load_disturbs_neither_and_no_download_is_left(
        self, airflow: Airflow, backfilled: Backfilled
    ) -> None:
        assert backfilled.daily["state"] == "success"
        (daily,) = airflow.tasks(f"dags/dumps-daily/dagRuns/{urllib.parse.quote(str(backfilled.daily['dag_run_id']))}")
        assert daily["try_number"] == 1
        begun = min(str(task["start_date"]) for task in airflow.tasks(backfilled.run) if task["task_id"] == "load")
        assert begun < str(daily["end_date"])
        folder = airflow.project.root / ".state/downloads"
        assert folder.is_dir()
        assert [path.name for path in folder.iterdir() if path.is_dir() or path.suffix == ".lock"] == []

    def test_bookmarks_are_in_postgresql(self, airflow: Airflow, backfilled: Backfilled) -> None:
        url = airflow.project.environ["MELTANO_DATABASE_URI"].replace("+psycopg", "")
        with psycopg.connect(url) as connection:
            rows = connection.execute("select state_id from state where state_id like %s", ("%:backfill-%",)).fetchall()
        load = "local:tap-blockchair--dumps-to-target-postgres:backfill"
        assert {str(row[0]) for row in rows} == {f"{load}-{chain}-{day}" for chain in TABLES for day in DAYS}
        assert not (airflow.project.root / ".meltano/meltano.db").exists()

    def test_what_cannot_be_done_is_said_in_a_sentence(self, airflow: Airflow, backfilled: Backfilled) -> None:
        run = airflow.trigger("backfill", **ASKED | {"end_date": "2025-01-01"})
        assert airflow.wait_for_end(run) == "failed"
        assert "end_date 2025-01-01 is before start_date 2025-01-30" in airflow.task_log(run)

    def test_a_schedule_that_is_changed_is_followed(self, airflow: Airflow, failing: str) -> None:
        schedules = {"market-hourly", "tip-hourly", "dumps-daily", "marts-daily", "maintenance-weekly"}
        assert set(airflow.dags()) >= schedules
        airflow.project.run("meltano", "schedule", "set", "market-hourly", "--interval", "17 * * * *")
        wait_for(lambda: airflow.dags()["market-hourly"]["timetable_summary"] == "17 * * * *", "the new interval")

    def test_every_dag_says_what_when_and_what_to_do(self, airflow: Airflow, failing: str) -> None:
        for name in airflow.dags():
            page = str(airflow.api(f"dags/{name}/details")["doc_md"])
            assert [line for line in page.splitlines() if line.startswith("### ")][:3] == [
                "### What",
                "### When",
                "### If it fails",
            ], name

    def test_the_weekly_job_writes_the_data_docs_and_vacuums_the_tables(self, airflow: Airflow, failing: str) -> None:
        run = airflow.trigger("maintenance-weekly")
        assert airflow.wait_for_end(run) == "success", airflow.task_log(run)
        assert "statistics of the whole" in airflow.task_log(run)
        vacuumed = (
            "select count(*) > 0 from pg_stat_user_tables where schemaname = 'analytics' and last_vacuum is not null"
        )
        assert airflow.project.sql(vacuumed, role="transformer") == [(True,)]
        assert (airflow.project.root / "transform/target/data-docs/index.html").is_file()

    def test_the_report_is_for_those_who_are_logged_in(self, airflow: Airflow, failing: str) -> None:
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

    def test_a_day_that_failed_is_resumed_and_finished_days_are_not_loaded_again(
        self, airflow: Airflow, failing: str
    ) -> None:
        assert airflow.wait_for_end(failing) == "failed", airflow.task_log(failing)
        loads = {str(task["rendered_map_index"]): task for task in airflow.tasks(failing) if task["task_id"] == "load"}
        assert {part: task["state"] for part, task in loads.items()} == {
            "bitcoin 2025-02-02": "success",
            "bitcoin 2025-02-03": "success",
            "bitcoin 2025-02-04": "failed",
            "bitcoin 2025-02-05": "success",
        }
        asked = airflow.sources("GET", "requests")
        assert asked["most_at_once"] == 1  # the pool has one slot, the host is asked for one file at a time
        fetched = (one["path"] for one in asked["log"] if one["method"] == "GET")
        files = {path.rsplit("_", 1)[1] for path in fetched if path.endswith(".tsv.gz")}
        assert files == {"20250203.tsv.gz", "20250204.tsv.gz", "20250205.tsv.gz"}
        assert airflow.project.sql(LOADED, 0)[-1] == ("bitcoin/transactions/2025-02-05",)

        airflow.sources("DELETE", "faults")
        airflow.sources("DELETE", "requests")
        ((last,),) = airflow.project.sql("select max(load_id) from raw_data.load_ledger")
        airflow.go_on(failing)
        assert airflow.wait_for_end(failing) == "success", airflow.task_log(failing)
        assert airflow.project.sql(LOADED, last) == [
            ("bitcoin/blocks/2025-02-04",),
            ("bitcoin/transactions/2025-02-04",),
        ]
        # behind what the first try had got of the file
        log = airflow.sources("GET", "requests")["log"]
        (file,) = [one for one in log if one["method"] == "GET" and "bitcoin_blocks_20250204" in one["path"]]
        assert file["range"] == "bytes=300-"
        # and only the tables that were asked for
        assert airflow.project.sql("select count(*) from raw_data.bitcoin_outputs where time >= '2025-02-04'") == [(0,)]

    def test_the_clock_starts_a_run(self, airflow: Airflow, backfilled: Backfilled) -> None:
        """A DAG that is switched on runs for the interval that has ended last."""
        airflow.api("dags/market-hourly", {"is_paused": False}, "PATCH")

        wait_for(lambda: airflow.ended("market-hourly", "scheduled"), "a scheduled run")
        (run,) = airflow.ended("market-hourly", "scheduled")
        assert run["state"] == "success"
        assert airflow.project.sql("select count(*) > 0 from raw_data.coingecko_market_chart") == [(True,)]
        assert airflow.rows_loaded(f"x/{run['dag_run_id']}") > 0

    def test_a_changed_cell_stops_the_daily_build_and_every_alert_names_the_block(
        self, airflow: Airflow, backfilled: Backfilled, hook: HTTPServer
    ) -> None:
        project = airflow.project
        ((height, root),) = project.sql(
            "select id, merkle_root from raw_data.bitcoin_blocks where time >= '2025-02-05'"
            " order by id offset 2 limit 1",
            role="loader",
        )
        # Switched on, it runs for the interval that has ended last: the whole way, by the clock.
        airflow.api("dags/marts-daily", {"is_paused": False}, "PATCH")
        wait_for(lambda: airflow.ended("marts-daily", "scheduled"), "the scheduled run")
        assert airflow.ended("marts-daily", "scheduled")[0]["state"] == "success"
        before = gated_marts(project)
        assert len(before) > 20
        hook.clear_log()
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
            "dbt-postgres_checks": "failed",
            "dbt-postgres_build": "upstream_failed",
        }
        assert gated_marts(project) == before
        named = f"check failed: bitcoin block {height} of 2025-02-05, block_header_hash: "
        assert named in airflow.task_log(run)
        ((request, _),) = hook.log
        alert = request.get_json()
        assert alert["title"] == "marts-daily: dbt-postgres_checks failed"
        assert named in alert["message"]
        _, _, page = airflow.page(f"{REPORT}?chain=bitcoin&only=failed")
        assert f"block {height}" in page
        assert "2025-02-05" in page
        # and once the cell is right, the same run goes on
        airflow.go_on(run)
        assert airflow.wait_for_end(run) == "success", airflow.task_log(run)
        assert ">failed</span>" not in airflow.page(f"{REPORT}?chain=bitcoin")[2]

    def test_no_secret_is_anywhere(self, airflow: Airflow, backfilled: Backfilled, broker: str) -> None:
        """After all of the above: logs, what Airflow stores of DAGs and tasks, connections, and what it prints."""
        seen = {
            "logs": "\n".join(
                path.read_text() for path in (airflow.project.root / ".state/airflow/logs").rglob("*.log")
            ),
            "manifests": "\n".join(
                path.read_text() for path in (airflow.project.root / ".state/airflow/manifests").iterdir()
            ),
            "output": "".join(line for one in airflow.ups for line in one.lines),
            "connections": airflow.project.run(
                "meltano", "invoke", "airflow", "connections", "list", "-o", "json"
            ).stdout,
        }
        url = airflow.project.environ["AIRFLOW_CELERY_RESULT_BACKEND"].removeprefix("db+").replace("+psycopg", "")
        hidden = secrets_of(airflow.project) | {
            "alert": HOOK_SECRET,
            "redis": broker.split(":")[2].split("@", maxsplit=1)[0],
        }
        assert hidden.keys() >= set(KEYS)
        with psycopg.connect(url) as connection:
            for table in ("serialized_dag", "rendered_task_instance_fields", "xcom", "dag_run", "task_instance", "log"):
                rows = connection.execute(f"select to_jsonb(t)::text from {table} as t").fetchall()  # type: ignore[call-overload]  # noqa: S608
                seen[table] = "\n".join(str(row[0]) for row in rows)
        stored = ("serialized_dag", "task_instance", "rendered_task_instance_fields", "xcom")
        assert all(seen[name] for name in ("logs", "manifests", "output", *stored))
        assert "backfill-bitcoin" in seen["xcom"]
        assert "target-postgres" in seen["rendered_task_instance_fields"]
        found = {(where, name) for where, text in seen.items() for name, value in hidden.items() if value in text}
        assert found == set()
