"""What `check` says of each part, and the sentences about Airflow's database."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pytest_httpserver import HTTPServer

from airflow_ext import health
from airflow_ext.database import check_migrated, connect, newest_revision
from airflow_ext.errors import AirflowExtError
from airflow_ext.health import Finding, as_json, as_text, examine
from airflow_ext.secrets import ensure_secrets
from airflow_ext.settings import Settings, read_settings

from .conftest import Url

DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


def stated_settings(tmp_path: Path, **more: str) -> tuple[Settings, dict[str, str]]:
    environ = {"MELTANO_PROJECT_ROOT": str(tmp_path)} | more
    return read_settings(environ), environ


@pytest.fixture
def database(warehouse: Url) -> Iterator[tuple[str, psycopg.Connection]]:
    """Airflow's address, as its settings state it, and a connection; what a test makes of tables is dropped."""
    address = warehouse("admin")
    with psycopg.connect(address, autocommit=True) as connection:
        yield address.replace("postgresql://", "postgresql+psycopg2://"), connection
        for table in ("alembic_version", "import_error"):
            connection.execute(f"drop table if exists {table}")  # type: ignore[arg-type]


def migrate(connection: psycopg.Connection, revision: str) -> None:
    connection.execute("drop table if exists alembic_version; create table alembic_version (version_num text)")
    connection.execute("insert into alembic_version values (%s)", (revision,))


@pytest.mark.parametrize("address", ["", "nonsense", "sqlite:////a.db", "mysql://u:p@h/d", "postgresql:///d"])
def test_what_names_no_postgresql_is_reported(address: str) -> None:
    with pytest.raises(AirflowExtError, match="No PostgreSQL is named for Airflow"):
        connect({DATABASE: address})


def test_a_database_that_is_down_is_reported_without_the_password() -> None:
    with pytest.raises(
        AirflowExtError, match=r"^Airflow's database d at 127\.0\.0\.1:1 does not answer: .*refused"
    ) as error:
        connect({DATABASE: "postgresql://u:hush-hush@127.0.0.1:1/d"})
    assert "hush-hush" not in str(error.value)


def test_tables_have_to_be_of_this_version(database: tuple[str, psycopg.Connection]) -> None:
    address, tables = database
    with connect({DATABASE: address}) as connection:
        assert connection.autocommit
        with pytest.raises(
            AirflowExtError, match="Airflow is not initialised: run `meltano invoke airflow:initialize` f"
        ):
            check_migrated(connection)
        migrate(tables, "older")
        with pytest.raises(AirflowExtError, match="Airflow's tables are of another version: stop what runs"):
            check_migrated(connection)
        tables.execute("delete from alembic_version")
        with pytest.raises(AirflowExtError, match="Airflow is not initialised"):
            check_migrated(connection)
        migrate(tables, newest_revision())
        check_migrated(connection)


def test_before_anything_was_made_the_secrets_are_asked_for(tmp_path: Path) -> None:
    (only,) = examine(*stated_settings(tmp_path))
    assert (only.what, only.ok) == ("secrets", False)
    assert "airflow:initialize" in only.says


def test_everything_is_looked_at_and_what_is_wrong_hides_nothing(
    tmp_path: Path, database: tuple[str, psycopg.Connection], httpserver: HTTPServer
) -> None:
    address, tables = database
    settings, environ = stated_settings(tmp_path, AIRFLOW_EXT_PORT=str(httpserver.port), **{DATABASE: address})
    ensure_secrets(settings, environ)
    names = ["secrets", "database", "tables", "DAG files", "manifest", "UI's address", "tasks' address", "API server"]
    parts = {"metadatabase": {"status": "healthy"}, "scheduler": {"status": "unhealthy"}, "dag_processor": None}
    httpserver.expect_request("/api/v2/monitor/health").respond_with_json(parts)
    migrate(tables, newest_revision())
    tables.execute("create table import_error (filename text, stacktrace text)")
    (tmp_path / "meltano.yml").touch()
    settings.manifest.parent.mkdir(parents=True)
    settings.manifest.write_text("{}")
    found = examine(settings, environ)
    assert [one.what for one in found] == [*names, "its database", "scheduler", "DAG processor"]
    assert [one.ok for one in found] == [True] * 9 + [False, False]
    assert [one.says for one in found[-3:]] == ["healthy", "unhealthy", "never seen"]

    tables.execute("insert into import_error values ('b.py', E'Traceback\\n  x\\nNameError: y\\n'), ('a.py', null)")
    wrong = [one for one in examine(settings, environ) if one.what == "DAG file"]
    assert [(one.ok, one.says) for one in wrong] == [
        (False, "a.py cannot be read: no reason given"),
        (False, "b.py cannot be read: NameError: y"),
    ]
    migrate(tables, "older")
    found = examine(settings, environ)
    assert [(one.what, one.ok) for one in found[1:3]] == [("database", True), ("database", False)]
    assert [one.what for one in found[3:]] == [*names[4:], "its database", "scheduler", "DAG processor"]
    down = examine(settings, environ | {DATABASE: "postgresql://u:p@127.0.0.1:1/d"})
    assert [(one.what, one.ok) for one in down[1:3]] == [("database", False), ("manifest", True)]


def manifest(settings: Settings) -> tuple[bool | None, str]:
    found = health._manifest(settings)
    return found.ok, found.says


def test_the_manifest_is_missing_broken_old_or_right(tmp_path: Path) -> None:
    settings, _ = stated_settings(tmp_path)
    assert manifest(settings) == (False, "missing: run `meltano invoke airflow:initialize`")
    settings.manifest.parent.mkdir(parents=True)
    settings.manifest.write_text("{}")
    files = [tmp_path / "meltano.yml", tmp_path / ".env"]
    files[0].touch()
    os.utime(settings.manifest, (2000, 2000))
    for path, time in ((files[0], 2000), (files[0], 1999)):
        os.utime(path, (time, time))
        assert manifest(settings) == (True, "newer than the project's files")
    files[1].touch()
    assert manifest(settings) == (False, "older than .env: run `meltano invoke airflow:manifest`")
    os.utime(files[0], (2001, 2001))
    assert manifest(settings)[1].startswith("older than meltano.yml, .env: ")
    settings.manifest_error.write_text("line 3 is wrong\n")
    assert manifest(settings) == (False, "line 3 is wrong")


def test_what_is_not_airflows_api_is_no_answer(tmp_path: Path, httpserver: HTTPServer) -> None:
    settings, _ = stated_settings(tmp_path, AIRFLOW_EXT_PORT=str(httpserver.port))
    for answer in (("<html>", 200), ("5", 200), ("{}", 503)):
        httpserver.expect_oneshot_request("/api/v2/monitor/health").respond_with_data(*answer)
        (only,) = health._components(settings)
        assert (only.what, only.ok) == ("API server", None)
        assert only.says == f"nothing answers at {settings.local_url}; `airflow:up` starts it"


@pytest.mark.parametrize(
    ("body", "status", "ok"),
    [('{"scheduler": {}}', 200, True), ("{}", 200, False), ("x", 200, False), ("5", 200, False), ("", 500, False)],
)
def test_a_proxy_is_one_by_what_it_answers(
    tmp_path: Path,
    httpserver: HTTPServer,
    body: str,
    status: int,
    ok: bool,  # noqa: FBT001
) -> None:
    settings, _ = stated_settings(tmp_path)
    httpserver.expect_request("/api/v2/monitor/health").respond_with_data(body, status)
    assert health._address("x", httpserver.url_for("/deeper"), "X", settings).ok is ok


@pytest.mark.parametrize(
    ("host", "stated", "ok"),
    [
        ("127.0.0.1", "http://127.0.0.1:57480", True),
        ("127.0.0.1", "http://localhost:57480", True),
        ("127.0.0.1", "http://127.0.0.1:1", False),
        ("127.0.0.1", "http://localhost", False),
        ("127.0.0.1", "https://elt.example.com", True),
        ("0.0.0.0", "http://127.0.0.1:6000", True),  # noqa: S104 - a container's, whose port is published as another
        ("127.0.0.1", "elt.example.com", False),
        ("127.0.0.1", "http://127.0.0.1:http", False),
    ],
)
def test_an_address_that_leads_nowhere_is_named(tmp_path: Path, host: str, stated: str, ok: bool) -> None:  # noqa: FBT001
    settings, _ = stated_settings(tmp_path, AIRFLOW_EXT_HOST=host)
    finding = health._address("UI's address", stated, "AIRFLOW_BASE_URL", settings)
    assert finding.ok is ok
    assert stated in finding.says
    assert ok or "AIRFLOW_BASE_URL" in finding.says


@pytest.mark.parametrize(("address", "port"), [("http://127.0.0.1", "80"), ("https://localhost/x", "443")])
def test_an_address_without_a_port_has_its_schemes(tmp_path: Path, address: str, port: str) -> None:
    settings, _ = stated_settings(tmp_path, AIRFLOW_EXT_PORT=port)
    assert health._address("x", address, "X", settings).ok


def test_findings_as_lines_and_as_json() -> None:
    found = [
        Finding("secrets", ok=True, says="made"),
        Finding("database", ok=False, says="x"),
        Finding("API", ok=None, says="y"),
    ]
    assert as_text(found).splitlines() == [
        "secrets        ok     made",
        "database       WRONG  x",
        "API            -      y",
    ]
    assert json.loads(as_json(found))[1] == {"what": "database", "ok": False, "says": "x"}
