"""DAGs out of manifests: what is in them, and what becomes of what cannot be run."""

import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from airflow_ext.backfill import backfill_dag, plan, read_request
from airflow_ext.builder import build, identifier
from airflow_ext.errors import AirflowExtError
from airflow_ext.operator import BrokenOperator

from .conftest import Write

JOB = {"name": "load", "tasks": ["tap-a hide target-postgres dbt-postgres:build", ["tap-plain", "target-postgres"]]}


def at(name: str = "nightly", **more: object) -> dict[str, Any]:
    return {"name": name, "job": "load", "interval": "30 2 * * *", "env": {}, **more}


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


def test_follows_data(write: Write) -> None:
    dag = build(write([JOB], [at(**options(follow=["raw_data"]))]))["nightly"]
    assert [asset.name for asset in dag.schedule] == ["raw_data"]


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


def test_odd_names(write: Write) -> None:
    names = ["été à midi", "a b", "a/b", "backfill", "x" * 300, "💥"]
    dags = build(write([JOB], [at(name) for name in names]))
    assert len(dags) == len(names)
    assert {"a_b", "a_b_2", "backfill_2"} <= set(dags)
    assert all("broken" not in dag.tags for dag in dags.values())
    assert dags["a_b"].dag_display_name == "a b"
    assert identifier("💥") != identifier("🔥")


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


def test_the_dag_files_are_those_that_the_extension_writes(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(__file__).resolve().parents[1]
    committed, shipped = package.parent / "dags", package / "airflow_ext" / "shipped"
    assert {path.name: path.read_text() for path in committed.glob("*.py")} == {
        path.name: path.read_text() for path in shipped.glob("*.py")
    }
    for name, value in write([JOB], [at()]).items():
        monkeypatch.setenv(name, value)
    bag = DagBag(str(committed))
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


TODAY = date(2026, 2, 1)
ASKED = {"chains": ["bitcoin", "ethereum"], "start_date": "2026-01-01", "end_date": "2026-01-03"}


def test_backfill_plan() -> None:
    found = plan(read_request(ASKED | {"tables": ["blocks"]}, TODAY), "TAP_X")
    assert [one["part"] for one in found[:3]] == ["bitcoin 2026-01-01", "ethereum 2026-01-01", "bitcoin 2026-01-02"]
    assert len({one["state_suffix"] for one in found}) == 6
    assert found[0]["env"] == {
        "TAP_X_CHAINS": '["bitcoin"]',
        "TAP_X_START_DATE": "2026-01-01",
        "TAP_X_END_DATE": "2026-01-01",
        "TAP_X__SELECT": '["bitcoin_blocks.*"]',
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"chains": []}, "chains is empty"),
        ({"chains": "bitcoin"}, "has to be a list"),
        ({"chains": ["bitcorn"]}, "There is no chain bitcorn"),
        ({"tables": ["blobs"]}, "has a table blobs"),
        ({"tables": ["calls"]}, "bitcoin has none of these tables"),
        ({"start_date": "soon"}, "it has to be a day"),
        ({"end_date": "2025-12-31"}, "is before start_date"),
        ({"end_date": "2026-02-01"}, "not published yet"),
        ({"start_date": "2020-01-01"}, "ask for fewer days"),
    ],
)
def test_backfill_refuses(change: dict[str, Any], said: str) -> None:
    with pytest.raises(AirflowExtError, match=said):
        read_request(ASKED | change, TODAY)


def test_backfill_dag(write: Write) -> None:
    dag = backfill_dag(write([], []))
    assert dag.get_task("load").partial_kwargs["pool"] == "dump_host"
    DagSerialization.to_dict(dag)
