"""The backfill: what may be asked for, what each task gets, and how the DAG runs it."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from airflow_ext import backfill
from airflow_ext.backfill import Request, backfill_dag, check_tables, parameters, plan, read_request
from airflow_ext.errors import AirflowExtError
from airflow_ext.operator import BrokenOperator, MeltanoOperator

from .conftest import PLUGINS, Write

TODAY = date(2026, 2, 1)
ASKED = {"chains": ["bitcoin", "ethereum"], "start_date": "2026-01-01", "end_date": "2026-01-03"}
# As the extractor names them.
KNOWN = {
    "bitcoin": ("blocks", "inputs", "outputs", "transactions"),
    "bitcoin-sv": ("blocks", "inputs", "outputs", "transactions"),
    "ethereum": ("blocks", "calls", "erc20_tokens", "erc20_transactions", "transactions", "uncles"),
}


def test_what_is_asked_for() -> None:
    asked = ASKED | {"chains": ["bitcoin", "ethereum", "bitcoin"], "tables": ["blocks", "blocks"], "redo": True}
    start, end = date(2026, 1, 1), date(2026, 1, 3)
    assert read_request(asked, TODAY) == Request(("bitcoin", "ethereum"), ("blocks",), start, end, redo=True)
    assert read_request(ASKED, TODAY) == Request(("bitcoin", "ethereum"), (), start, end, redo=False)
    one_day = read_request(ASKED | {"start_date": "2026-01-31", "end_date": "2026-01-31"}, TODAY)  # yesterday
    assert one_day.start == one_day.end == date(2026, 1, 31)
    assert read_request(ASKED | {"tables": ["blocks", "calls"]}, TODAY).tables == ("blocks", "calls")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"chains": []}, "chains is empty; name one at least, such as bitcoin."),
        ({"chains": None}, "chains is empty"),
        ({"chains": "bitcoin"}, "chains is 'bitcoin'; it has to be a list of names."),
        ({"chains": ["bitcoin", 1]}, "it has to be a list of names."),
        ({"tables": {"blocks": 1}}, "tables is {'blocks': 1}; it has to be a list of names."),
        (
            {"tables": ["blobs"]},
            "None of the chains has a table blobs; bitcoin has blocks, inputs, outputs, transactions.",
        ),
        ({"tables": ["blocks.*"]}, "None of the chains has a table blocks.*; "),
        ({"tables": ["blocks", "blobs"]}, "None of the chains has a table blobs"),
        ({"tables": ["calls"]}, "bitcoin has none of these tables; it has blocks, inputs, outputs, transactions."),
        ({"tables": ["inputs"]}, "ethereum has none of these tables; it has blocks, calls, erc20_tokens, "),
        ({"start_date": "soon"}, "start_date is 'soon'; it has to be a day such as 2026-01-31."),
        ({"end_date": None}, "end_date is None; it has to be a day"),
        ({"end_date": "2025-12-31"}, "end_date 2025-12-31 is before start_date 2026-01-01; exchange them."),
        ({"end_date": "2026-02-01"}, "end_date 2026-02-01 is not published yet"),
        ({"end_date": "2026-02-02"}, "The last day that can be asked for is 2026-01-31."),
    ],
)
def test_what_cannot_be_done_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(AirflowExtError) as error:
        check_tables(read_request(ASKED | change, TODAY), KNOWN)
    assert said in str(error.value)


@pytest.mark.parametrize("name", ["start_date", "end_date"])
def test_a_day_that_is_not_said_is_asked_for(name: str) -> None:
    asked = {key: value for key, value in ASKED.items() if key != name}
    with pytest.raises(AirflowExtError, match=f"{name} is None; it has to be a day such as 2026-01-31"):
        read_request(asked, TODAY)


def test_a_run_takes_a_thousand_tasks_and_no_more() -> None:
    """Airflow's own limit, of chains times days."""
    last = date(2026, 1, 31)
    asked = {"chains": ["bitcoin", "dash"], "end_date": last.isoformat()}
    assert read_request(asked | {"start_date": (last - timedelta(days=499)).isoformat()}, TODAY)
    with pytest.raises(AirflowExtError, match="That is 1002 tasks, and a run takes up to 1000; ask for fewer days"):
        read_request(asked | {"start_date": (last - timedelta(days=500)).isoformat()}, TODAY)


def test_tables_of_a_chain_are_selected_by_its_streams() -> None:
    asked = ASKED | {"chains": ["bitcoin-sv"], "tables": ["outputs", "blocks"], "end_date": "2026-01-01"}
    (one,) = plan(read_request(asked, TODAY), KNOWN, "TAP")
    assert one["env"]["TAP_CHAINS"] == '["bitcoin-sv"]'
    assert one["env"]["TAP__SELECT"] == '["bitcoin_sv_blocks.*", "bitcoin_sv_outputs.*"]'
    assert one["state_suffix"] == "backfill-bitcoin-sv-2026-01-01"


def test_a_plan_goes_day_by_day_so_that_a_run_that_is_stopped_leaves_whole_days() -> None:
    found = plan(read_request(ASKED | {"tables": ["calls", "blocks"]}, TODAY), KNOWN, "TAP_X")
    days = ("2026-01-01", "2026-01-02", "2026-01-03")
    assert [one["part"] for one in found] == [f"{chain} {day}" for day in days for chain in ("bitcoin", "ethereum")]
    assert found[0] == {
        "env": {
            "TAP_X_CHAINS": '["bitcoin"]',
            "TAP_X_START_DATE": "2026-01-01",
            "TAP_X_END_DATE": "2026-01-01",
            "TAP_X__SELECT": '["bitcoin_blocks.*"]',
        },
        "state_suffix": "backfill-bitcoin-2026-01-01",
        "full_refresh": False,
        "part": "bitcoin 2026-01-01",
    }
    assert found[1]["env"]["TAP_X__SELECT"] == '["ethereum_blocks.*", "ethereum_calls.*"]'
    assert len({one["state_suffix"] for one in found}) == 6


def test_without_tables_the_environments_selection_counts_and_redo_loads_again() -> None:
    found = plan(read_request(ASKED | {"redo": True}, TODAY), KNOWN, "TAP_X")
    assert all(one["env"].keys() == {"TAP_X_CHAINS", "TAP_X_START_DATE", "TAP_X_END_DATE"} for one in found)
    assert all(one["full_refresh"] is True for one in found)


def test_the_form_proposes_yesterday_and_what_the_project_loads() -> None:
    form = parameters(TODAY, ["bitcoin", "dash"])
    assert {name: param.value for name, param in form.items()} == {
        "chains": ["bitcoin", "dash"],
        "tables": [],
        "start_date": "2026-01-31",
        "end_date": "2026-01-31",
        "redo": False,
    }
    assert all(param.schema["title"] for param in form.values())
    days = [("start_date", 5), ("start_date", "soon"), ("end_date", 5), ("end_date", "soon")]
    lists = [("chains", "bitcoin"), ("chains", [1]), ("tables", "blocks"), ("tables", [1])]
    for name, value in (*days, *lists, ("redo", "yes")):
        with pytest.raises(ParamValidationError):
            form[name].resolve(value)


def test_the_dag(write: Write) -> None:
    environ = write([], [])
    dag = backfill_dag(environ)
    DagSerialization.to_dict(dag)
    assert (dag.schedule, dag.catchup, dag.is_paused_upon_creation) == (None, False, False)
    # Two runs at once would ask the host for the same days.
    assert dag.max_active_runs == 1
    assert dag.tags == {"meltano", "backfill"}
    assert dag.params["start_date"] == "2026-01-01", "a fixed day, or the DAG would be a new version daily"
    assert "### If it fails" in str(dag.doc_md)
    assert dag.task_ids == ["plan", "load", "build"]
    make, load, build = (dag.get_task(name) for name in dag.task_ids)
    assert (make.retries, make.downstream_task_ids) == (0, {"load"})
    assert load.downstream_task_ids == {"build"}
    given = load.partial_kwargs
    assert (given["block"], given["loader"]) == ("tap-blockchair--dumps target-postgres", "target-postgres")
    assert given["root"] == build.root == environ["MELTANO_PROJECT_ROOT"]
    assert [outlet.name for outlet in given["outlets"]] == ["raw_data"]
    assert given["map_index_template"] == "{{ task.part }}"
    assert (given["retries"], given["retry_delay"], given["owner"]) == (2, timedelta(minutes=1), "meltano")
    assert isinstance(build, MeltanoOperator)
    assert (build.block, build.dbt, build.loader, build.retries) == ("dbt-postgres:build", True, None, 2)
    assert (given["pool"], build.pool) == ("dump_host", "default_pool")


def test_a_plugins_own_pool_wins(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    def pooled(kind: str, pool: str) -> list[dict[str, Any]]:
        *others, last = PLUGINS[kind]
        return [*others, last | {"annotations": {"airflow": {"pool": pool}}}]

    monkeypatch.setitem(PLUGINS, "extractors", pooled("extractors", "mirror"))
    monkeypatch.setitem(PLUGINS, "utilities", pooled("utilities", "dbt"))
    dag = backfill_dag(write([], []))
    assert (dag.get_task("load").partial_kwargs["pool"], dag.get_task("build").pool) == ("mirror", "dbt")


@pytest.mark.parametrize("gone", ["extractors", "loaders", "utilities"])
def test_a_project_that_lacks_a_part_has_a_backfill_that_says_so(
    write: Write, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    monkeypatch.setitem(PLUGINS, gone, [])
    dag = backfill_dag(write([], []))
    (task,) = dag.tasks
    assert isinstance(task, BrokenOperator)
    assert task.reason.startswith("Backfill cannot be run: `")
    assert dag.dag_id == "backfill"


@pytest.mark.parametrize(
    ("stated", "proposed"), [('["bitcoin", "dash"]', ["bitcoin", "dash"]), (None, []), ("bitcoin", []), ("{}", [])]
)
def test_the_form_proposes_the_chains_that_the_project_names(
    write: Write, monkeypatch: pytest.MonkeyPatch, stated: str | None, proposed: list[str]
) -> None:
    *others, tap = PLUGINS["extractors"]
    env = {} if stated is None else {"TAP_BLOCKCHAIR__DUMPS_CHAINS": stated}
    named = tap | {"settings": [*tap["settings"], {"name": "chains"}], "env": env}
    monkeypatch.setitem(PLUGINS, "extractors", [*others, named])
    assert backfill_dag(write([], [])).params["chains"] == proposed


def planned(dag: Any, monkeypatch: pytest.MonkeyPatch, **params: object) -> list[dict[str, Any]]:  # noqa: ANN401 - Airflow's
    monkeypatch.setattr(backfill, "get_current_context", lambda: {"params": params})
    found: list[dict[str, Any]] = dag.get_task("plan").python_callable()
    return found


def test_the_first_task_makes_the_plan_or_says_why_not(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(*question: object) -> dict[str, tuple[str, ...]]:
        asked.append(question)
        return KNOWN

    monkeypatch.setattr(backfill, "chain_tables", answer)
    environ = write([], [])
    dag = backfill_dag(environ)
    assert asked == [], "nothing is asked when the file is read"
    found = planned(dag, monkeypatch, **ASKED)
    variable, root = "TAP_BLOCKCHAIR__DUMPS_CHAINS", Path(environ["MELTANO_PROJECT_ROOT"])
    assert asked == [("tap-blockchair--dumps", variable, ("bitcoin", "ethereum"), root)]
    assert len(found) == 6
    assert found[0]["env"]["TAP_BLOCKCHAIR__DUMPS_START_DATE"] == "2026-01-01"
    with pytest.raises(AirflowFailException, match="None of the chains has a table blobs"):
        planned(dag, monkeypatch, **ASKED | {"tables": ["blobs"]})
    today = datetime.now(UTC).date().isoformat()
    with pytest.raises(AirflowFailException, match=f"end_date {today} is not published yet"):
        planned(dag, monkeypatch, **ASKED | {"start_date": today, "end_date": today})
    assert len(asked) == 2, "what is wrong without the extractor's help is not asked"


def test_without_a_manifest_the_dag_says_what_to_do(tmp_path: Path) -> None:
    dag = backfill_dag({"MELTANO_PROJECT_ROOT": str(tmp_path)})
    (task,) = dag.tasks
    assert "airflow:initialize" in task.reason  # type: ignore[attr-defined]
