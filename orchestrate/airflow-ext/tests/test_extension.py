"""Initialising, running and asking, with Airflow's own programs replaced by scripts that write down their call."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
import yaml
from click.testing import CliRunner

from airflow_ext import administration, extension, main
from airflow_ext.errors import AirflowExtError
from airflow_ext.extension import Airflow
from airflow_ext.health import Finding
from airflow_ext.secrets import ensure_secrets

PLUGIN = Path(__file__).resolve().parents[2] / "orchestrators.meltano.yml"


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def made(tmp_path: Path, said: list[str]) -> Airflow:
    """The extension in an empty project with secrets."""
    found = Airflow({"MELTANO_PROJECT_ROOT": str(tmp_path), "AIRFLOW_HOME": str(tmp_path / "home")}, said.append)
    ensure_secrets(found.settings, found.environ)
    return found


class Connection:
    """A database that answers nothing but whether it has a user."""

    def __init__(self, row: object = None) -> None:
        self.row = row

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def close(self) -> None:
        return

    def execute(self, _sql: str) -> SimpleNamespace:
        return SimpleNamespace(fetchone=lambda: self.row)


def test_initialize_makes_everything_ready_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    one = Airflow({"MELTANO_PROJECT_ROOT": str(tmp_path)}, said.append)
    done: list[str] = []
    monkeypatch.setattr(extension, "connect", lambda _environ: done.append("connect") or Connection())
    monkeypatch.setattr(extension, "compile_manifest", lambda *_: done.append("compile"))
    calls: list[tuple[list[str], dict[str, str]]] = []

    def call(_self: Airflow, command: list[str], environ: dict[str, str], what: str) -> str:
        calls.append((command, environ))
        done.append(what)
        return "starting\nmade the user admin\npools: dbt 1\n"

    monkeypatch.setattr(Airflow, "_call", call)
    one.initialize()
    assert done == ["connect", "compile", "make its tables", "make its user and its pools"]
    home = tmp_path / ".state/airflow"
    assert (home / "logs").is_dir()
    assert said == [
        "secrets: generated",
        "manifest: compiled for the environment local",
        "database: tables are those of this version",
        "made the user admin",
        "pools: dbt 1",
        f"log in as admin with the password in {home}/admin-password",
    ]
    (migrate, _), (administer, environ) = calls
    assert migrate == [one.settings.airflow, "db", "migrate"]
    assert administer == [sys.executable, "-m", "airflow_ext.administration"]
    assert environ[administration.USER] == "admin"
    assert environ[administration.PASSWORD] == (home / "admin-password").read_text().strip()
    assert environ["AIRFLOW__CORE__FERNET_KEY"]
    assert json.loads(environ[administration.POOLS]) == {"blockchair_api": 1, "dump_host": 1, "dbt": 1}

    # Again: what is there stays, unless it is forced or the database is a new one.
    said.clear()
    done.clear()
    monkeypatch.setattr(extension, "connect", lambda _environ: Connection((1,)))
    one.initialize()
    assert said[0] == "secrets: there"
    assert said[-1] == "user and pools: there"
    assert done == ["compile", "make its tables"]
    one.initialize(force=True)
    assert done[-1] == "make its user and its pools"
    done.clear()
    monkeypatch.setattr(extension, "connect", lambda _environ: Connection(None))
    one.initialize()
    assert done[-1] == "make its user and its pools"


def test_a_new_password_is_another_one(made: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extension, "connect", lambda _environ: Connection((1,)))
    monkeypatch.setattr(extension, "check_migrated", lambda _connection: None)
    given: list[str] = []

    def call(_self: Airflow, _command: list[str], environ: dict[str, str], _what: str) -> str:
        given.append(environ[administration.PASSWORD])
        return ""

    monkeypatch.setattr(Airflow, "_call", call)
    for new in (False, False, True):
        made.create_admin(new_password=new)
    assert given[0] == given[1] != given[2]
    assert made.settings.password_file.read_text().strip() == given[2]


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ({}, False),
        ({"AIRFLOW_EXT_ADMIN_USER": "root"}, True),
        ({"AIRFLOW_EXT_POOLS": '{"dbt": 2}'}, True),
        ({"AIRFLOW_EXT_ADMIN_PASSWORD": "mine"}, True),  # it may have been changed
    ],
)
def test_user_and_pools_are_written_again_when_what_is_wanted_changes(
    made: Airflow,
    monkeypatch: pytest.MonkeyPatch,
    said: list[str],
    change: dict[str, str],
    again: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr(extension, "connect", lambda _environ: Connection((1,)))
    monkeypatch.setattr(Airflow, "_call", lambda *_: "")
    made._administrate({}, force=False)
    said.clear()
    Airflow(dict(made.environ) | change, said.append)._administrate({}, force=False)
    assert ("user and pools: there" not in said) is again
    assert not any("password in" in line for line in said if "AIRFLOW_EXT_ADMIN_PASSWORD" in change)


@pytest.mark.parametrize("pools", ["{", "[]", '{"a": "many"}', "5", '{"a": null}'])
def test_pools_that_are_none_are_refused(made: Airflow, pools: str) -> None:
    with pytest.raises(AirflowExtError, match=r"The setting pools is .*an object of names and whole numbers of slots"):
        Airflow(dict(made.environ) | {"AIRFLOW_EXT_POOLS": pools}, print)._pools()


def test_what_airflow_could_not_do_is_reported_with_its_last_lines(made: Airflow) -> None:
    script = "i=0; while [ $i -lt 20 ]; do i=$((i+1)); echo line $i.; done; exit 3"
    with pytest.raises(AirflowExtError) as error:
        made._call(["/bin/sh", "-c", script], {}, "make its tables")
    first, *lines = str(error.value).splitlines()
    assert first == "Airflow could not make its tables (status 3). Its last lines:"
    assert lines == [f"line {number}." for number in range(6, 21)]
    assert made._call(["/bin/sh", "-c", "echo $A; echo b >&2; cat"], {"A": "a"}, "x") == "a\nb\n"


def test_a_command_of_airflows_own_is_airflow(made: Airflow, tmp_path: Path) -> None:
    """The process becomes it: its words, environment, output and status are the call's."""
    fake = tmp_path / "airflow"
    fake.write_text('#!/bin/sh\necho "$AIRFLOW__API__PORT $#" "$@"\nexit 9\n')
    fake.chmod(0o755)
    program = (
        "import sys; from airflow_ext import main\n"
        "from dataclasses import replace\n"
        "made = main._extension(); made.settings = replace(made.settings, airflow=sys.argv.pop(1))\n"
        "main._extension = lambda: made\n"
        "main.pass_through()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(fake), "dags", "list", "-o", "a b"],
        env=os.environ | dict(made.environ) | {"AIRFLOW_EXT_PORT": "6000"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (9, "6000 4 dags list -o a b\n"), done.stderr


def test_a_command_that_cannot_be_run_is_reported(
    made: Airflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made.settings = replace(made.settings, airflow=str(tmp_path / "none"))
    expected = r"cannot be run \(No such file or directory\); install it with `meltano install utility airflow`\."
    with pytest.raises(AirflowExtError, match=expected):
        made.invoke("version")
    made.settings.secrets_file.unlink()
    monkeypatch.setattr(main, "_extension", lambda: made)
    with pytest.raises(SystemExit, match="1"):
        main.pass_through()
    assert capsys.readouterr().err.startswith("Error: Airflow is not initialised")


def invoke(tmp_path: Path, *words: str, **more: str) -> Any:  # noqa: ANN401 - click's
    return CliRunner().invoke(main.app, words, env={"MELTANO_PROJECT_ROOT": str(tmp_path), "AIRFLOW_HOME": None} | more)


def test_meltano_and_describe_know_every_command(tmp_path: Path) -> None:
    done = invoke(tmp_path, "describe", "--format=json")
    assert done.exit_code == 0, done.output
    described = {one["name"]: one.get("commands") for one in json.loads(done.stdout)["commands"]}
    assert set(described) == {"airflow_extension", "airflow_invoker"}
    (plugin,) = yaml.safe_load(PLUGIN.read_text())["plugins"]["utilities"]
    offered = {name: command["args"].split()[0] for name, command in plugin["commands"].items()}
    assert offered.pop("ui") == "up"
    assert set(described["airflow_extension"]) == set(main.app.commands) == set(offered.values()) == set(offered)
    reported = invoke(tmp_path, "describe")
    assert reported.exit_code == 0, reported.output
    assert {line.split()[0] for line in reported.output.splitlines() if line.startswith("  ")} == set(main.app.commands)
    assert "airflow_invoker: Any command of Airflow's own." in reported.output


def test_a_password_that_is_a_setting_is_not_made_anew(tmp_path: Path) -> None:
    done = invoke(tmp_path, "create-admin", "--new-password", AIRFLOW_EXT_ADMIN_PASSWORD="mine")
    assert done.exit_code == 1
    assert "AIRFLOW_ADMIN_PASSWORD sets: change it there" in done.output
    without = invoke(tmp_path, "create-admin", AIRFLOW_EXT_ADMIN_PASSWORD="mine")
    assert "Airflow is not initialised" in without.output


@pytest.mark.parametrize(
    ("words", "executor", "names"),
    [
        ((), "LocalExecutor", ("api-server", "scheduler", "dag-processor")),
        ((), "CeleryExecutor", ("api-server", "scheduler", "dag-processor", "worker")),
        (("--only", "worker"), "CeleryExecutor", ("worker",)),
        (("--only", "scheduler", "--only", "api-server"), "LocalExecutor", ("scheduler", "api-server")),
    ],
)
def test_up_runs_what_the_executor_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], executor: str, names: tuple[str, ...]
) -> None:
    ups: list[tuple[str, ...]] = []
    monkeypatch.setattr(Airflow, "up", lambda _self, given: ups.append(given))
    done = invoke(tmp_path, "up", *words, AIRFLOW__CORE__EXECUTOR=executor)
    assert (done.exit_code, ups) == (0, [names])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("api-server", "dag-processor"), ["database", "port", "watch", "run", "noted"]),
        (("scheduler",), ["database", "run", "noted"]),
    ],
)
def test_up_looks_before_it_starts(
    made: Airflow, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], expected: list[str]
) -> None:
    done: list[str] = []
    monkeypatch.setattr(extension, "connect", lambda _environ: Connection())
    monkeypatch.setattr(extension, "check_migrated", lambda _connection: done.append("database"))
    monkeypatch.setattr(extension, "check_port", lambda _settings: done.append("port"))
    monkeypatch.setattr(extension, "Watcher", lambda *_: SimpleNamespace(start=lambda: done.append("watch")))
    monkeypatch.setattr(extension, "note_stopping", lambda _settings, given: done.append("noted") or given == names)

    def supervise(_settings: object, environ: dict[str, str], given: tuple[str, ...], *_: object) -> SimpleNamespace:
        assert given == names
        assert environ["AIRFLOW_HOME"] == str(made.settings.home)
        return SimpleNamespace(run=lambda: done.append("run"))

    monkeypatch.setattr(extension, "Supervisor", supervise)
    made.up(names)
    assert done == expected


def test_down_says_whether_there_was_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert invoke(tmp_path, "down").stderr == "airflow: not running\n"
    monkeypatch.setattr(main, "stop_all", lambda _settings: 2)
    assert invoke(tmp_path, "down").stderr == "airflow: stopped\n"


@pytest.mark.parametrize(("ok", "status"), [(True, 0), (None, 0), (False, 1)])
def test_check_fails_where_something_is_wrong(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ok: bool | None,  # noqa: FBT001
    status: int,
) -> None:
    found = [Finding("a", ok=True, says="x"), Finding("b", ok=ok, says="y")]
    monkeypatch.setattr("airflow_ext.health.examine", lambda *_: found)
    done = invoke(tmp_path, "check")
    assert (done.exit_code, len(done.stdout.splitlines())) == (status, 2)
    as_json = invoke(tmp_path, "check", "--json")
    assert (as_json.exit_code, json.loads(as_json.stdout)[1]["ok"]) == (status, ok)


def test_manifest_prints_where_it_is_or_why_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = invoke(tmp_path, "manifest", MELTANO_EXECUTABLE=str(tmp_path / "none"))
    assert failed.exit_code == 1
    assert failed.stderr.startswith(f"Error: `{tmp_path}/none compile` did not end well")
    monkeypatch.setattr(main, "compile_manifest", lambda *_: None)
    done = invoke(tmp_path, "manifest")
    assert done.stdout == f"{tmp_path}/.state/airflow/manifests/meltano-manifest.local.json\n"
