"""DAGs out of manifests: what is in them, and what becomes of what cannot be run."""

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from airflow_ext.backfill import backfill_dag
from airflow_ext.builder import build, identifier, manifest_paths, project_root, report_url, unique
from airflow_ext.operator import BrokenOperator

from .conftest import PLUGINS, Write

JOB = {"name": "load", "tasks": ["tap-a hide target-postgres dbt-postgres:build", ["tap-plain", "target-postgres"]]}


def at(name: str = "nightly", **more: object) -> dict[str, Any]:
    return {"name": name, "job": "load", "interval": "30 2 * * *", "env": {}, **more}


RUN_KINDS = {"asset_triggered", "asset_materialization", "manual", "operator_triggered", "scheduled"}


def options(**stated: object) -> dict[str, Any]:
    return {"annotations": {"airflow": stated}}


def reason(dag: DAG) -> str:
    (task,) = dag.tasks
    assert isinstance(task, BrokenOperator)
    return task.reason


@pytest.mark.parametrize("count", [0, 1, 30])
def test_a_dag_for_each_schedule(write: Write, count: int) -> None:
    dags = build(write([JOB], [at(f"s{number}") for number in range(count)]))
    assert set(dags) == ({f"s{number}" for number in range(count)} or {"load"})
    for dag in dags.values():
        assert "broken" not in dag.tags
        assert not dag.catchup
        assert dag.max_active_runs == 1
        assert {kind.value for kind in dag.allowed_run_types or ()} == RUN_KINDS, "days are loaded by the DAG backfill"
        DagSerialization.to_dict(dag)  # the database's form, in which Airflow finds what it does not like


def test_blocks_are_tasks_in_order(write: Write) -> None:
    dag = build(write([JOB], [at(env={"A": "b"})]))["nightly"]
    assert [task.task_id for task in dag.topological_sort() if hasattr(task, "block")] == [
        "tap-a_hide_target-postgres",
        "dbt-postgres_build",
        "tap-plain_target-postgres",
    ]
    first, build_task, last = (dag.get_task(name) for name in dag.task_ids)
    assert first.downstream_task_ids == {build_task.task_id}
    assert build_task.downstream_task_ids == {last.task_id}
    assert set(dag.task_group.get_task_group_dict()) == {None, "step_1", "step_2"}
    assert (first.pool, build_task.pool) == ("api", "default_pool")
    assert [outlet.name for outlet in first.outlets] == ["raw_data"]
    assert build_task.outlets == []
    assert first.env == {"A": "b"}
    assert first.date_variables == {"start_date": "TAP_A_START_DATE", "end_date": "TAP_A_END_DATE"}
    assert last.date_variables == {}


def test_an_inherited_plugin_has_what_it_inherits(write: Write) -> None:
    job = {"name": "load", "tasks": ["tap-a--b target-postgres tap-a--b target-postgres"]}
    dag = build(write([job], []))["load"]
    first = dag.get_task("tap-a--b_target-postgres")
    assert first.pool == "api"
    assert first.date_variables["start_date"] == "TAP_A__B_START_DATE"
    assert "tap-a--b_target-postgres_2" in dag.task_ids


def test_options_of_the_schedule_win(write: Write) -> None:
    job = JOB | options(retries=5, tags=["x"], pool="wide")
    stated = options(
        retries=0, retry_delay="2m", timeout=None, timezone="Europe/Zurich", owner="me", start_date="2025-03-01"
    )
    dag = build(write([job], [at(**stated)]))["nightly"]
    task = dag.tasks[0]
    assert (task.retries, task.retry_delay, task.execution_timeout) == (0, timedelta(minutes=2), None)
    assert (task.pool, task.owner) == ("wide", "me")
    assert {"x", "meltano", "load"} <= dag.tags
    assert str(dag.timetable.timezone) == "Europe/Zurich"
    assert dag.start_date.isoformat() == "2025-02-28T23:00:00+00:00"  # midnight in Zurich


@pytest.mark.parametrize("interval", ["@once", "@manual", "@none"])
def test_without_a_clock(write: Write, interval: str) -> None:
    assert build(write([JOB], [at(interval=interval)]))["nightly"].schedule is None


def test_a_job_without_a_schedule_has_a_dag_of_its_own(write: Write) -> None:
    other = {"name": "other", "tasks": ["tap-plain target-postgres"]}
    dags = build(write([JOB, other], [at()]))
    assert set(dags) == {"nightly", "other"}
    assert dags["other"].schedule is None
    assert "when somebody triggers it" in str(dags["other"].doc_md)


@pytest.mark.parametrize(
    ("interval", "cron"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@quarterly", "0 0 1 */3 *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("17 3 * * 1-5", "17 3 * * 1-5"),
    ],
)
def test_by_the_clock(write: Write, interval: str, cron: str) -> None:
    dag = build(write([JOB], [at(interval=interval)]))["nightly"]
    assert (dag.timetable.expression, str(dag.timetable.timezone)) == (cron, "UTC")
    assert f"Runs `{interval}` (UTC)." in str(dag.doc_md)


def test_the_defaults_of_a_dag(write: Write) -> None:
    dag = build(write([JOB | options(catchup=True)], [at()]))["nightly"]
    assert (dag.catchup, dag.tags, dag.dag_display_name) == (True, {"meltano", "load"}, "nightly")
    assert dag.start_date is not None
    assert dag.start_date.isoformat() == "2024-01-01T00:00:00+00:00"
    assert dag.description == f"load: {JOB['tasks'][0]}, tap-plain target-postgres"
    task = dag.tasks[0]
    assert (task.retries, task.retry_delay, task.execution_timeout, task.owner) == (
        *(2, timedelta(minutes=1), timedelta(hours=6), "meltano"),
    )
    page = str(dag.doc_md)
    assert "1. `meltano run tap-a hide target-postgres dbt-postgres:build`\n2. `meltano run tap-plain target-p" in page
    assert "`meltano schedule set nightly --interval ...`" in page
    assert "A task is tried 2 times again." in page
    assert "By hand it is `meltano run load`" in page


def test_the_parameters_of_tasks(write: Write) -> None:
    environ = write([{"name": "load", "tasks": ["tap-blockchair--dumps target-postgres dbt-postgres:build"]}], [])
    load, marts = build(environ)["load"].tasks
    assert (load.block, load.loader, load.dbt) == ("tap-blockchair--dumps target-postgres", "target-postgres", False)
    assert (marts.block, marts.loader, marts.dbt) == ("dbt-postgres:build", None, True)
    assert load.root == marts.root == environ["MELTANO_PROJECT_ROOT"]
    assert load.downloads["variable"] == "TAP_BLOCKCHAIR__DUMPS_DOWNLOAD_DIR"
    assert (marts.downloads, marts.date_variables, marts.env) == (None, {}, {})
    assert load.date_variables == {"start_date": "TAP_BLOCKCHAIR__DUMPS_START_DATE"}


def test_the_form_of_a_run(write: Write) -> None:
    form = build(write([JOB], [at()]))["nightly"].params
    assert dict(form) == {"full_refresh": False, "state_suffix": None, "start_date": None, "end_date": None}
    right = {"full_refresh": True, "state_suffix": "a_B-9.x", "start_date": "2026-01-31", "end_date": "2026-01-31"}
    wrong = {"full_refresh": "yes", "state_suffix": "a b", "start_date": "soon", "end_date": 5}
    for name, value in right.items():
        assert form.get_param(name).resolve(value) == value
        with pytest.raises(ParamValidationError):
            form.get_param(name).resolve(wrong[name])


def test_a_broken_dag_runs_at_once_and_says_so(write: Write) -> None:
    dag = build(write([JOB], [at("a b", job="nope")]))["a_b"]
    assert (dag.schedule, dag.catchup, dag.is_paused_upon_creation, dag.dag_display_name) == (
        "@once",
        False,
        False,
        "a b",
    )
    assert dag.tags == {"meltano", "broken"}
    assert dag.start_date is not None
    assert "**This cannot be run.** Schedule a b cannot be run: the job nope does not exist; add it" in str(dag.doc_md)
    assert reason(dag).endswith("or name one of: load.")
    assert "(there is none)" in reason(build(write([], [at()]))["nightly"])


def test_a_schedule_follows_assets_and_names_them_on_its_page(write: Write) -> None:
    dag = build(write([JOB], [at(**options(follow=["raw_data", "marts"]))]))["nightly"]
    assert [asset.name for asset in dag.schedule] == ["raw_data", "marts"]
    assert "Runs whenever new data came: raw_data, marts." in str(dag.doc_md)


def test_where_the_manifest_lies(tmp_path: Path) -> None:
    home = tmp_path / ".state/airflow"
    manifests = home / "manifests"
    local = (manifests / "meltano-manifest.local.json", manifests / "error.local.txt")
    assert manifest_paths({"MELTANO_PROJECT_ROOT": str(tmp_path)}) == local
    assert manifest_paths({"AIRFLOW_HOME": str(home)}) == local
    assert project_root({"AIRFLOW_HOME": str(home)}) == tmp_path
    assert project_root({"AIRFLOW_HOME": "/elsewhere/a", "MELTANO_PROJECT_ROOT": str(tmp_path)}) == tmp_path
    environ = {"MELTANO_PROJECT_ROOT": str(tmp_path), "AIRFLOW_HOME": "/h", "MELTANO_ENVIRONMENT": "prod"}
    assert [str(path) for path in manifest_paths(environ)] == [
        *("/h/manifests/meltano-manifest.prod.json", "/h/manifests/error.prod.txt")
    ]
    assert report_url({}) == "/reconciliation/"
    assert report_url({"AIRFLOW__API__BASE_URL": "https://x/"}) == "https://x/reconciliation/"


def test_names_that_airflow_allows() -> None:
    assert [identifier(name) for name in ("Tap.a-b_1", "a b/c", "x" * 200)] == ["Tap.a-b_1", "a_b_c", "x" * 200]
    long = identifier("x" * 201)
    assert (len(long), long[:201]) == (209, "x" * 200 + "_")
    assert identifier("x" * 201) == long != identifier("x" * 202)
    assert len(identifier("💥")) == 8
    assert identifier("💥") != identifier("🔥")
    taken: set[str] = set()
    assert [unique("a", taken) for _ in range(3)] == ["a", "a_2", "a_3"]
    assert taken == {"a", "a_2", "a_3"}


def test_tasks_of_the_same_name_as_a_step(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    step = {"name": "step_1", "commands": {}}
    monkeypatch.setitem(PLUGINS, "utilities", [*PLUGINS["utilities"], step])
    dag = build(write([{"name": "load", "tasks": ["step_1"]}], []))["load"]
    assert dag.task_ids == ["step_1_2"]


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        (at(job="nope"), "the job nope does not exist"),
        (at(job="bad"), "`tap-nope` in `tap-nope target-postgres` is no plugin"),
        (at(job="half"), "`tap-a` in `tap-a` has no loader"),
        (at(job="command"), "dbt-postgres has no command fly"),
        (at(job="empty"), "has no tasks"),
        (at(interval="61 * * * *"), "is no cron expression"),
        (at(**options(retry=1)), "unknown option retry"),
        (at(**options(retries="many")), "annotations.airflow.retries is 'many'; it has to be a whole number"),
        (at(**options(timezone="Mars/Olympus")), "the name of a time zone"),
        (at(annotations={"airflow": "fast"}), "has to be an object"),
        (
            {"name": "nightly", "extractor": "tap-a", "loader": "target-postgres", "interval": "@daily"},
            "put them into a job",
        ),
    ],
)
def test_a_broken_schedule_fails_alone(write: Write, schedule: dict[str, Any], said: str) -> None:
    jobs = [
        JOB,
        {"name": "bad", "tasks": ["tap-nope target-postgres"]},
        {"name": "half", "tasks": ["tap-a"]},
        {"name": "command", "tasks": ["dbt-postgres:fly"]},
        {"name": "empty", "tasks": []},
    ]
    dags = build(write(jobs, [schedule, at("sound")]))
    assert said in reason(dags["nightly"])
    assert "broken" not in dags["sound"].tags
    DagSerialization.to_dict(dags["nightly"])


def test_every_page_links_to_the_report(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://elt.example.com")
    environ = write([JOB], [at(), at("wrong", job="nope")])
    dags = build(environ) | {"backfill": backfill_dag(environ | {"AIRFLOW__API__BASE_URL": "https://elt.example.com"})}
    assert {name: "https://elt.example.com/reconciliation/" in str(dag.doc_md) for name, dag in dags.items()} == {
        "nightly": True,
        "wrong": True,
        "backfill": True,
    }


def test_schedules_of_odd_or_equal_names_are_dags(write: Write) -> None:
    dags = build(write([JOB], [at(name) for name in ("été à midi", "a b", "a/b", "backfill")]))
    assert {"a_b", "a_b_2", "backfill_2"} < set(dags)
    assert all("broken" not in dag.tags for dag in dags.values())
    assert dags["a_b"].dag_display_name == "a b"


def test_no_manifest_and_a_project_that_does_not_compile(write: Write) -> None:
    environ = write([JOB], [at()])
    folder = Path(environ["AIRFLOW_HOME"]) / "manifests"
    (folder / "error.local.txt").write_text("The project cannot be compiled: line 3.\n")
    dags = build(environ)
    assert "line 3" in reason(dags["meltano-project"])
    assert "nightly" in dags  # the last good one
    (folder / "error.local.txt").unlink()
    (folder / "meltano-manifest.local.json").unlink()
    assert "airflow:initialize" in reason(build(environ)["meltano-project"])
    (folder / "meltano-manifest.local.json").write_text("{")
    assert "cannot be read" in reason(build(environ)["meltano-project"])


def test_the_dag_files_make_the_dags(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in write([JOB], [at()]).items():
        monkeypatch.setenv(name, value)
    bag = DagBag(str(Path(__file__).resolve().parents[2] / "dags"))
    assert bag.import_errors == {}
    assert set(bag.dags) == {"nightly", "backfill"}


def test_parsing_is_quick(write: Write) -> None:
    environ = write([JOB], [at(f"s{number}") for number in range(10)])
    build(environ)
    taken = []
    for _ in range(5):
        before = time.process_time()
        build(environ)
        taken.append(time.process_time() - before)
    assert min(taken) < 0.1  # seconds of CPU
