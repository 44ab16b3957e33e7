"""What the doctor says of a machine."""

import json
import os
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pytest_httpserver import HTTPServer

from console import doctor
from console.finding import Finding
from console.logins import logins, try_all
from console.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "meltano.yml").touch()
    return Project(tmp_path)


def found(project: Project, words: str) -> Finding:
    return next(finding for finding in doctor.examine(project, "local") if words in finding.text)


@pytest.fixture(autouse=True)
def _programs(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for the project's programs: servers that do not run, and an index that does not answer."""
    folder = project.root / ".venv/bin"
    folder.mkdir(parents=True)
    for name, code in {"meltano": 0, "warehouse": 3, "simulator": 3, "python": 1}.items():
        (folder / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (folder / name).chmod(0o755)


def test_a_world_readable_env_is_wrong_and_says_what_to_do(project: Project) -> None:
    project.env_file.touch(mode=0o600)
    assert found(project, ".env").state == "ok"
    project.env_file.chmod(0o644)
    assert found(project, ".env") == Finding("wrong", ".env is readable by others (mode 644): run `chmod 600 .env`")


def test_passwords_that_others_can_read_and_what_a_killed_run_left(project: Project) -> None:
    folder = project.root / ".meltano/run/target-postgres"
    folder.mkdir(parents=True)
    (project.root / ".meltano").chmod(0o700)
    assert found(project, ".meltano").state == "ok"
    (project.root / ".meltano").chmod(0o750)
    assert found(project, ".meltano") == Finding(
        "wrong", ".meltano can be read by others: run `chmod go-rwx .meltano`, or `make env`"
    )
    (folder / "target.1.config.json").touch()
    os.utime(folder / "target.1.config.json", (0, 0))
    assert found(project, "killed run") == Finding(
        "note",
        "a killed run left 1 file(s) with passwords in .meltano/run: "
        "`rm .meltano/run/target-postgres/target.1.config.json`; `make run` deletes them too",
    )


def test_a_missing_program_is_wrong(project: Project) -> None:
    assert found(project, "are installed").state == "ok"
    Path(project.program("simulator")).unlink()
    assert "simulator missing in .venv: run `make env`" in found(project, "missing").text


def test_too_little_disk_is_wrong(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_DISK_NEEDED", 10**18)
    assert found(project, "GB free").state == "wrong"


def test_servers_that_do_not_run_and_an_index_out_of_reach_are_only_notes(project: Project) -> None:
    assert found(project, "the warehouse is not running").state == "note"
    assert found(project, "package index is out of reach").state == "note"


@pytest.fixture
def live(project: Project, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `meltano config print` says of the taps; a server stands in for all sources."""
    for name in ("COINGECKO_PLAN", "COINGECKO_API_KEY", "WAREHOUSE_HOST", "WAREHOUSE_ADMIN_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    url = httpserver.url_for("").rstrip("/")
    settings: dict[str, Any] = {
        "tap-blockchair": {"api_url": f"{url}/blockchair", "dumps_url": f"{url}/dumps"},
        "tap-coingecko": {"api_url": f"{url}/coingecko"},
    }
    program = project.root / ".venv/bin/meltano"
    program.write_text(f'#!/bin/sh\nfor last; do :; done\ncat "{project.root}/$last.json"\n')
    return settings


def examined(project: Project, settings: dict[str, Any]) -> dict[str, str]:
    for tap, values in settings.items():
        (project.root / f"{tap}.json").write_text(json.dumps(values))
    return {finding.text: finding.state for finding in doctor.examine(project, "prod")}


def test_sources_are_tried_where_the_settings_name_them(
    project: Project, live: dict[str, Any], httpserver: HTTPServer, tmp_path: Path
) -> None:
    url = httpserver.url_for("").rstrip("/")
    assert examined(project, live)[f"{url} answers"] == "ok"
    live["tap-blockchair"]["api_url"] = "http://127.0.0.1:1/blockchair"
    live["tap-blockchair"]["dumps_url"] = f"file://{tmp_path}"
    texts = examined(project, live)
    (wrong,) = [text for text in texts if text.startswith("http://127.0.0.1:1 is out of reach")]
    assert texts[wrong] == "wrong"
    assert "Connection refused" in wrong
    assert wrong.endswith("check network, proxy, firewall and TAP_BLOCKCHAIR_API_URL")
    assert texts[f"the folder {tmp_path} (TAP_BLOCKCHAIR_DUMPS_URL) is there"] == "ok"
    live["tap-blockchair"]["dumps_url"] = f"file://{tmp_path}/gone"
    assert (
        f"TAP_BLOCKCHAIR_DUMPS_URL names the folder {tmp_path}/gone, which does not exist: make it, or correct it"
        in (examined(project, live))
    )


_ANSWERS: dict[int, tuple[object, str, str]] = {
    200: ({"data": {}}, "ok", "BLOCKCHAIR_API_KEY is accepted"),
    402: (
        {"context": {"error": "This key s3cret+key is unknown"}},
        "wrong",
        "BLOCKCHAIR_API_KEY is refused (HTTP 402: This key *** is unknown): correct it in .env",
    ),
    500: ({}, "note", "BLOCKCHAIR_API_KEY could not be tried (HTTP 500); run again later"),
}


@pytest.mark.parametrize("status", _ANSWERS)
def test_blockchairs_key_is_tried(project: Project, live: dict[str, Any], httpserver: HTTPServer, status: int) -> None:
    body, state, words = _ANSWERS[status]
    asked = httpserver.expect_request("/blockchair/premium/stats", query_string={"key": "s3cret+key"})
    asked.respond_with_json(body, status=status)
    live["tap-blockchair"]["api_key"] = "s3cret+key"
    assert examined(project, live)[words] == state


@pytest.mark.parametrize(("plan", "header"), [("demo", "x-cg-demo-api-key"), ("analyst", "x-cg-pro-api-key")])
def test_coingeckos_key_is_tried(
    project: Project, live: dict[str, Any], httpserver: HTTPServer, plan: str, header: str
) -> None:
    refusal = {"status": {"error_code": 10002, "error_message": "API Key Missing"}}
    httpserver.expect_request("/coingecko/ping", headers={header: "good"}).respond_with_json({})
    httpserver.expect_request("/coingecko/ping").respond_with_json(refusal, status=401)
    live["tap-coingecko"] |= {"plan": plan, "api_key": "good"}
    assert examined(project, live)["COINGECKO_API_KEY is accepted"] == "ok"
    live["tap-coingecko"]["api_key"] = "bad"
    refused = (
        f"COINGECKO_API_KEY is refused (HTTP 401: API Key Missing): correct it, or COINGECKO_PLAN ({plan}) in .env"
    )
    assert examined(project, live)[refused] == "wrong"


def test_a_plan_without_its_key_is_wrong(project: Project, live: dict[str, Any]) -> None:
    live["tap-coingecko"]["plan"] = "demo"
    texts = examined(project, live)
    assert texts["COINGECKO_PLAN is demo but COINGECKO_API_KEY is empty: set it in .env"] == "wrong"
    assert (
        texts["WAREHOUSE_HOST is empty: name your PostgreSQL in .env, then run `warehouse init --environment=prod`"]
        == "wrong"
    )


_MEND = "`warehouse init --environment=prod`"
_REFUSALS = {
    'password authentication failed for user "loader"': (
        f"the password of loader is refused at h:5: correct WAREHOUSE_LOADER_PASSWORD in .env, or run {_MEND}, which "
        "sets it"
    ),
    'database "crypto" does not exist': f'loader cannot log in at h:5 (database "crypto" does not exist): run {_MEND}',
    'no pg_hba.conf entry for host "1.2.3.4"': (
        'h:5 lets loader not in (no pg_hba.conf entry for host "1.2.3.4"): add a line to its pg_hba.conf'
    ),
}


@pytest.mark.parametrize("said", _REFUSALS)
def test_each_refusal_of_a_login_says_what_to_do(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    def refuse(**_: object) -> None:
        raise psycopg.OperationalError(
            f'connection failed: connection to server at "127.0.0.1", port 5 failed: FATAL:  {said}'
        )

    monkeypatch.setattr(psycopg, "connect", refuse)
    variables = {"WAREHOUSE_HOST": "h", "WAREHOUSE_PORT": "5"}
    found = list(try_all(logins(variables, "prod"), variables))
    assert [finding.state for finding in found] == ["wrong"] * 3
    assert found[0].text == _REFUSALS[said]


def test_a_server_that_does_not_answer_is_said_once() -> None:
    variables = {"WAREHOUSE_HOST": "127.0.0.1", "WAREHOUSE_PORT": "1", "WAREHOUSE_ADMIN_PASSWORD": "a"}
    variables |= {"MELTANO_DB_PASSWORD": "b", "AIRFLOW_DB_HOST": "localhost", "AIRFLOW_DB_PORT": "2"}
    variables |= {"AIRFLOW_DB_PASSWORD": "c"}
    asked = [(login.user, login.database) for login in logins(variables, "prod")]
    assert asked[3:] == [("postgres", "postgres"), ("meltano", "meltano"), ("airflow", "airflow")]
    first, second = try_all(logins(variables, "prod"), variables)
    assert first.text.startswith("127.0.0.1:1 does not answer (")
    assert "Connection refused" in first.text
    assert "Is the server running" not in first.text
    assert first.text.endswith("check WAREHOUSE_HOST and WAREHOUSE_PORT in .env, and that PostgreSQL runs there")
    assert second.text.startswith("localhost:2 does not answer (")
    assert "check AIRFLOW_DB_HOST and AIRFLOW_DB_PORT" in second.text
