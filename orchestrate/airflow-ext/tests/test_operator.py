"""The operator against a `meltano` that writes down how it was called."""

import json
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_ext import operator
from airflow_ext.alerts import task_failed
from airflow_ext.log_lines import RunLog
from airflow_ext.operator import BrokenOperator, MeltanoOperator, failed_nodes, run_id

from .processes import DEADLINE_SECONDS, IGNORING, LEAVING, alive, pids, until, worker


def context(try_number: int = 1, **params: object) -> dict[str, Any]:
    ti = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=try_number)
    return {"ti": ti, "params": params}


def load(root: Path, **more: Any) -> MeltanoOperator:  # noqa: ANN401 - the operator's own
    block = more.pop("block", "tap-a target-postgres")
    return MeltanoOperator(task_id="t", block=block, root=str(root), **({"loader": "target-postgres"} | more))


def call(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "call.json").read_text())
    return found


def runs(root: Path) -> list[Path]:
    return list((root / "home" / "runs").iterdir())


def test_the_environment_is_clean_and_its_own(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / ".env").write_text("# x\nTAP_A_KEY=new\nexport OTHER = 1\nMELTANO_ENVIRONMENT=prod\n")
    for name in ("AIRFLOW__CORE__FERNET_KEY", "MELTANO_UTILIZE_ADMIN", "VIRTUAL_ENV", "TAP_A_KEY", "OTHER"):
        monkeypatch.setenv(name, "old")
    monkeypatch.setenv("STAYS", "1")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    found = load(root, env={"A": "b"}).execute(context())
    made = call(root)
    gone = {"AIRFLOW__CORE__FERNET_KEY", "AIRFLOW_HOME", "MELTANO_UTILIZE_ADMIN", "VIRTUAL_ENV", "TAP_A_KEY", "OTHER"}
    assert not gone & made["env"].keys()
    assert (made["env"]["STAYS"], made["env"]["A"], made["env"]["MELTANO_ENVIRONMENT"]) == ("1", "b", "local")
    assert str(Path(sys.executable).parent) not in made["env"]["PATH"].split(os.pathsep)
    assert made["env"]["MELTANO_DATABASE_URI"] == f"sqlite:///{root}/.meltano/meltano.db"
    assert made["env"]["TARGET_POSTGRES_RUN_ID"] == found["run_id"] == run_id("d", "r", "t", -1)
    assert made["links"] == ["extractors"]
    assert made["cwd"] == str(root)
    assert made["argv"] == [
        *("--log-format=json", "--environment=local", "run", "--no-install", f"--run-id={found['run_id']}"),
        *("tap-a", "target-postgres"),
    ]
    assert runs(root) == []


def test_parameters(root: Path) -> None:
    dates = {"start_date": "TAP_A_START_DATE", "end_date": "TAP_A_END_DATE"}
    load(root, date_variables=dates).execute(context(2, full_refresh=True, start_date="2026-01-01"))
    made = call(root)
    assert {"--force", "--full-refresh", "--state-id-suffix=from-2026-01-01-to-end"} <= set(made["argv"])
    assert made["env"]["TAP_A_START_DATE"] == "2026-01-01"
    assert "TAP_A_END_DATE" not in made["env"]
    load(root, block="dbt-postgres:build", loader=None, dbt=True).execute(context(full_refresh=True))
    made = call(root)
    assert made["env"]["DBT_FULL_REFRESH"] == "true"
    system = made["env"]["MELTANO_SYS_DIR_ROOT"]
    assert system.startswith(str(root / "home/runs/run-"))
    assert made["env"]["DBT_TARGET_PATH"] == f"{system}/dbt-target"
    assert made["env"]["DBT_LOG_PATH"] == f"{system}/dbt-logs"
    assert "TARGET_POSTGRES_RUN_ID" not in made["env"]
    assert not {"--full-refresh", "--state-id-suffix"} & set(made["argv"])
    for block, dbt in (("dbt-postgres:docs-generate", True), ("data-docs:generate", False)):
        load(root, block=block, loader=None, dbt=dbt).execute(context())
        assert not {"DBT_TARGET_PATH", "DBT_FULL_REFRESH"} & call(root)["env"].keys()


@pytest.mark.parametrize(
    ("params", "task", "expected"),
    [
        ({}, {}, set()),
        (
            {"start_date": "2026-01-01", "end_date": "2026-01-31"},
            {},
            {"--state-id-suffix=from-2026-01-01-to-2026-01-31"},
        ),
        ({"end_date": "2026-01-31"}, {}, {"--state-id-suffix=from-start-to-2026-01-31"}),
        ({"start_date": "2026-01-01"}, {"date_variables": {}}, set()),  # an extractor that has none
        ({"start_date": "2026-01-01"}, {"state_suffix": "own"}, {"--state-id-suffix=own"}),
        ({"state_suffix": "mine"}, {"state_suffix": "own"}, {"--state-id-suffix=mine"}),
        ({"state_suffix": ""}, {"state_suffix": "own"}, {"--state-id-suffix=own"}),
        ({}, {"full_refresh": True}, {"--full-refresh"}),
        ({"full_refresh": True, "state_suffix": "x"}, {"loader": None}, set()),
    ],
)
def test_the_flags_for_bookmarks_of_a_run(
    root: Path, params: dict[str, Any], task: dict[str, Any], expected: set[str]
) -> None:
    stated = {"date_variables": {"start_date": "TAP_A_START_DATE", "end_date": "TAP_A_END_DATE"}} | task
    command = load(root, **stated)._command({}, "name", params, again=False)
    assert {word for word in command if word.startswith(("--state", "--full", "--force", "--env"))} == expected
    assert command[1:5] == ["--log-format=json", "run", "--no-install", "--run-id=name"]


def test_a_run_has_a_name_of_its_own_and_a_retry_has_the_same() -> None:
    assert run_id("d", "r", "t", 1) == run_id("d", "r", "t", 1)
    others = {run_id(*one) for one in (("x", "r", "t", 1), ("d", "x", "t", 1), ("d", "r", "x", 1), ("d", "r", "t", 2))}
    assert len(others | {run_id("d", "r", "t", 1)}) == 5


def test_what_a_run_returns(root: Path) -> None:
    assert load(root, block="dbt-postgres:build", loader=None, dbt=True).execute(context()) == {
        "run_id": run_id("d", "r", "t", -1),
        "rows": None,
    }
    assert load(root).execute(context())["rows"] == 0
    assert task_failed in load(root).on_failure_callback
    assert {"block", "part"} <= set(MeltanoOperator.template_fields)


def test_failed_nodes_are_named_up_to_ten(tmp_path: Path) -> None:
    def results(*found: dict[str, object]) -> list[str]:
        (tmp_path / "run_results.json").write_text(json.dumps({"results": found}))
        return failed_nodes(tmp_path)

    assert failed_nodes(tmp_path) == []
    states = ("error", "fail", "runtime error", "success", "pass", "warn", "skipped")
    found = results(*({"unique_id": state, "status": state, "message": None} for state in states))
    assert found == ["error: error", "fail: fail", "runtime error: runtime error"]
    bad = [{"unique_id": f"n{number}", "status": "fail", "message": "of\n  two lines"} for number in range(12)]
    assert results(*bad[:10]) == [f"n{number}: of two lines" for number in range(10)]
    assert results(*bad)[10:] == ["and 2 more"]
    quoted = results({"unique_id": "x", "status": "error", "message": 'invalid: "\x1b[2J\u202e"'})
    assert quoted == [r'x: invalid: "\x1b[2J\u202e"']
    for text in ("{", "[]", '{"results": [{"status": "fail"}]}', '{"results": 5}'):
        (tmp_path / "run_results.json").write_text(text)
        assert failed_nodes(tmp_path) == []


def test_a_reason_has_failed_checks_first_then_nodes_then_errors(root: Path) -> None:
    log = RunLog()
    task = load(root)
    first = "`meltano run tap-a target-postgres` failed with status 2"
    assert task._reason(2, [], log) == f"{first}."
    log.errors += ["an error", "another"]
    assert task._reason(2, [], log).splitlines() == [f"{first}: an error", "another"]
    assert task._reason(2, ["a node", "b"], log).splitlines() == [f"{first}: a node", "b"]
    log.failed_checks.append("a check")
    assert task._reason(2, ["a node"], log).splitlines() == [f"{first}: a check", "a node"]


def test_a_schedule_that_cannot_be_run_fails_for_good() -> None:
    with pytest.raises(AirflowFailException, match=r"^because$"):
        BrokenOperator(task_id="broken", reason="because").execute(context())


def test_levels_and_rows(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        {"level": "debug", "event": "quiet"},
        {"level": "warning", "event": "careful", "string_id": "tap-a"},
        {
            "level": "info",
            "event": "a/b/2026-01-01: 1,200 rows loaded, 0 deleted or replaced",
            "string_id": "target-postgres",
        },
        {"level": "info", "event": "a/b/2026-01-02: unchanged, skipped (0.1 s)", "string_id": "target-postgres"},
        *(
            {
                "level": "info",
                "event": "METRIC",
                "string_id": "target-postgres",
                "metric_info": {"metric": "record_count", "value": 5, "tags": {"stream": stream}},
            }
            for stream in ("a_b", "c")
        ),
        {"level": "info", "event": "\x1b[0m02:01:05  7 of 9 FAIL 2 unique_x [FAIL 2]", "string_id": "dbt-postgres"},
    ]
    (root / "do.py").write_text(f"for line in {lines!r}: print(json.dumps(line), flush=True)\nprint('no json')")
    said: dict[str, str] = {}

    class Log:
        def log(self, level: int, _form: str, text: str) -> None:
            said[text] = logging.getLevelName(level)

        def info(self, *_words: object) -> None:
            """The operator's own lines."""

        warning = info

    monkeypatch.setattr(MeltanoOperator, "log", Log())
    assert load(root).execute(context())["rows"] == 1205
    assert said["quiet"] == "DEBUG"
    assert said["tap-a: careful"] == "WARNING"
    assert said["no json"] == "INFO"
    assert said["dbt-postgres: 7 of 9 FAIL 2 unique_x [FAIL 2]"] == "ERROR"


def test_a_failure_says_why(root: Path) -> None:
    (root / "do.py").write_text("print(json.dumps({'level': 'error', 'event': 'no such host'})); sys.exit(3)")
    with pytest.raises(
        AirflowException, match=r"(?s)`meltano run tap-a target-postgres` failed with status 3.*no such"
    ):
        load(root).execute(context())
    results = {"results": [{"unique_id": "test.x", "status": "fail", "message": "Got 2\nresults"}]}
    (root / "do.py").write_text(
        "target = pathlib.Path(os.environ['DBT_TARGET_PATH']); target.mkdir()\n"
        f"(target / 'run_results.json').write_text({json.dumps(results)!r})\n"
        "print(json.dumps({'level': 'info', 'event': '02:00:00  check failed: bitcoin block 7 of 2026-01-01, x: y'}))\n"
        "sys.exit(1)"
    )
    with pytest.raises(AirflowException, match=r"(?s)check failed: bitcoin block 7 of .*test.x: Got 2 results"):
        load(root, block="dbt-postgres:build", loader=None, dbt=True).execute(context())
    assert runs(root) == []


def test_a_kill_leaves_no_process(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator, "_PATIENCE_SECONDS", 0.5)
    (root / "do.py").write_text(IGNORING)
    task = load(root)
    failed: list[Exception] = []

    def run() -> None:
        try:
            task.execute(context())
        except AirflowException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    started = pids(root)
    task.on_kill()
    thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive(), "the task did not end"
    assert failed
    until(lambda: not any(alive(pid) for pid in started), "the end of the run's processes")
    assert runs(root) == []


def test_a_task_that_fails_by_itself_leaves_no_process(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as by a timeout, which Airflow raises in the middle of the wait."""
    monkeypatch.setattr(operator, "_PATIENCE_SECONDS", 0.5)
    (root / "do.py").write_text(LEAVING.replace("exec(wait)", "print('ready', flush=True); exec(wait)"))

    def read(_self: RunLog, line: str) -> tuple[int, str]:
        if line == "ready":
            raise TimeoutError(line)
        return logging.INFO, line

    monkeypatch.setattr(RunLog, "read", read)
    with pytest.raises(TimeoutError, match="ready"):
        load(root).execute(context())
    started = pids(root)
    until(lambda: not any(alive(pid) for pid in started), "the end of the run's processes")
    assert runs(root) == []


@pytest.mark.parametrize("does", [IGNORING, LEAVING], ids=["ignores", "leaves"])
def test_a_killed_worker_leaves_no_process_and_its_files_are_swept(root: Path, does: str) -> None:
    (root / "do.py").write_text(does)
    process = subprocess.Popen(worker(root, 0.5), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        started = pids(root)
    finally:
        process.kill()
        process.wait(DEADLINE_SECONDS)
    until(lambda: not any(alive(pid) for pid in started), "the end of what the worker had started")
    assert len(runs(root)) == 2  # a folder and its lock
    (root / "do.py").write_text("")
    load(root).execute(context())
    assert runs(root) == []
