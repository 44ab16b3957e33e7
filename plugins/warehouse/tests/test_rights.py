"""What each role may do, tried as that role, on tables made before and after `init`; and psql and URLs."""

import os
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from warehouse.local import running_server
from warehouse.project import Project
from warehouse.server import connect

from .conftest import Run, Sql

ALLOWED = [
    ("loader", "create table raw_data.x (n int)"),
    ("loader", "insert into raw_data.early values (2)"),
    ("loader", "create temporary table x (n int)"),
    ("transformer", "select * from raw_data.early"),
    ("transformer", "select * from raw_data.later"),
    ("transformer", "select * from raw_data.parts"),
    ("transformer", "create table staging.x (n int)"),
    ("transformer", "create view intermediate.x as select * from raw_data.later"),
    ("transformer", "create table dq.x as select * from raw_data.later"),
    ("transformer", "alter table analytics.early rename to elsewhere"),
    ("transformer", "create temporary table x (n int)"),
    ("bi_reader", "select * from early"),
    ("bi_reader", "select * from analytics.later"),
    ("bi_reader", "select * from analytics.later_view"),
    ("bi_reader", "select * from analytics.early_sums"),
    ("bi_reader", "select * from analytics.early_parts"),
    ("transformer", "create table analytics.x as select * from intermediate.later"),
]
# As many connections as the reader's login may have.
READERS = 40
DENIED = [
    ("loader", "create table staging.x (n int)"),
    ("loader", "create table analytics.x (n int)"),
    ("loader", "select * from analytics.later"),
    ("loader", "create table public.x (n int)"),
    ("loader", "create schema x"),
    ("loader", "drop schema raw_data cascade"),
    ("transformer", "create table raw_data.x (n int)"),
    ("transformer", "insert into raw_data.early values (3)"),
    ("transformer", "truncate raw_data.later"),
    ("transformer", "drop table raw_data.later"),
    ("transformer", "select * from raw_data.later for share"),
    ("transformer", "create table public.x (n int)"),
    ("transformer", "create schema x"),
    ("transformer", "create role x"),
    ("bi_reader", "select * from raw_data.early"),
    ("bi_reader", "lock table raw_data.early in access share mode"),
    ("bi_reader", "lock table intermediate.later in access share mode"),
    ("bi_reader", "select * from staging.later"),
    ("bi_reader", "select * from intermediate.later"),
    ("bi_reader", "select * from dq.later"),
    ("bi_reader", "set transaction read write; insert into analytics.later values (1)"),
    ("bi_reader", "set transaction read write; create table analytics.x (n int)"),
    ("bi_reader", "set transaction read write; create temporary table x (n int)"),
    ("bi_reader", "set transaction read write; create table public.x (n int)"),
    ("bi_reader", "set transaction read write; select lo_from_bytea(0, 'x')"),
    ("bi_reader", "set transaction read write; select lo_create(7)"),
    ("bi_reader", "set temp_file_limit to -1"),
    ("bi_reader", "set role transformer"),
    ("bi_reader", "select pg_read_file('postgresql.conf')"),
]


def attempt(url: str, statement: str) -> None:
    """Run it as its user and roll it back."""
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())
        connection.rollback()


@pytest.fixture(scope="module")
def urls(served: Path, run: Run, sql: Sql) -> dict[str, str]:
    for schema, role in (("raw_data", "loader"), ("analytics", "transformer")):
        sql(served, role, f"create table {schema}.early as select 1 as n")
    sql(served, "transformer", "create materialized view analytics.early_sums as select sum(n) from analytics.early")
    sql(served, "transformer", "create table analytics.early_parts (n int) partition by range (n)")
    # As a project that predates `init` would have it: no grants, and too many.
    sql(served, "loader", "revoke all on raw_data.early from transformer")
    sql(served, "transformer", "revoke all on all tables in schema analytics from bi_reader")
    sql(served, "transformer", "grant usage on schema staging to bi_reader, public")
    assert "changes)" in run(served, "init").stderr
    sql(served, "loader", "create table raw_data.later as select 1 as n")
    sql(served, "loader", "create table raw_data.parts (n int) partition by range (n)")
    for schema in ("staging", "intermediate", "analytics", "dq"):
        sql(served, "transformer", f"create table {schema}.later as table raw_data.later")
    sql(served, "transformer", "create view analytics.later_view as select * from staging.later")
    return {role: run(served, "url", "--role", role).stdout.strip() for role in ("loader", "transformer", "bi_reader")}


@pytest.mark.parametrize(("role", "statement"), ALLOWED)
def test_allowed(urls: dict[str, str], role: str, statement: str) -> None:
    attempt(urls[role], statement)


@pytest.mark.parametrize(("role", "statement"), DENIED)
def test_denied(urls: dict[str, str], role: str, statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        attempt(urls[role], statement)


def test_reader_is_read_only_in_its_schema_and_bounded(urls: dict[str, str]) -> None:
    with psycopg.connect(urls["bi_reader"]) as connection:
        shown = {
            name: connection.execute(f"show {name}".encode()).fetchone()
            for name in (
                "timezone",
                "search_path",
                "default_transaction_read_only",
                "statement_timeout",
                "idle_in_transaction_session_timeout",
                "idle_session_timeout",
                "temp_file_limit",
            )
        }
    assert shown == {
        "timezone": ("UTC",),
        "search_path": ("analytics",),
        "default_transaction_read_only": ("on",),
        "statement_timeout": ("15min",),
        "idle_in_transaction_session_timeout": ("5min",),
        "idle_session_timeout": ("12h",),
        "temp_file_limit": ("10GB",),
    }
    with pytest.raises(errors.ReadOnlySqlTransaction):
        attempt(urls["bi_reader"], "create table analytics.x (n int)")


def test_reader_leaves_connections_for_the_pipeline(urls: dict[str, str]) -> None:
    with ExitStack() as opened:
        for _ in range(READERS):
            opened.enter_context(psycopg.connect(urls["bi_reader"]))
        with pytest.raises(psycopg.OperationalError, match='too many connections for role "bi_reader"'):
            psycopg.connect(urls["bi_reader"])
        attempt(urls["loader"], "select 1")


@pytest.mark.parametrize("role", ["loader", "transformer", "bi_reader"])
def test_other_databases_of_the_server_are_closed(urls: dict[str, str], role: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(urls[role].removesuffix("crypto") + "postgres")


def test_member_of_bi_reader_reads_the_marts(urls: dict[str, str], served: Path, sql: Sql) -> None:
    sql(served, "admin", "create role analyst login password 'a' in role bi_reader")
    with psycopg.connect(urls["bi_reader"], user="analyst", password="a") as connection:
        assert connection.execute("select n from analytics.later").fetchall() == [(1,)]


def test_psql_is_bi_reader_and_hides_the_password(urls: dict[str, str], served: Path, run: Run) -> None:
    assert run(served, "psql", "-Atc", "select current_user").stdout == "bi_reader\n"
    shown = run(served, "psql", "--role", "transformer", "-At", "-c", "select session_user", "-c", "show timezone")
    assert shown.stdout == "transformer\nUTC\n"
    if Path("/proc/self/cmdline").exists():
        line = run(served, "psql", "-c", r"\! tr '\0' ' ' < /proc/$PPID/cmdline").stdout
        assert "psql -w" in line
        assert urls["bi_reader"].split(":")[2].split("@")[0] not in line


def test_inherited_libpq_variables_do_not_redirect(served: Path, run: Run) -> None:
    env = {
        "PGHOST": "203.0.113.1",
        "PGHOSTADDR": "203.0.113.1",
        "PGUSER": "x",
        "PGSERVICE": "x",
        "PGOPTIONS": "-c x.y=1",
    }
    assert run(served, "psql", "-Atc", "select current_setting('x.y', true) is null", env=env).stdout == "t\n"
    assert '"running": true' in run(served, "status", "--json", env=env).stdout


def test_failing_sql_keeps_psqls_exit_code(served: Path, run: Run) -> None:
    assert "division by zero" in run(served, "psql", "-c", "select 1 / 0", code=1).stderr


def test_url_without_password(served: Path, run: Run) -> None:
    url = run(served, "url", "--no-password").stdout.strip()
    assert url.startswith("postgresql://bi_reader@127.0.0.1:")
    assert url.endswith("/crypto")
    assert os.linesep not in url


def test_a_session_inherits_no_setting(served: Path, sql: Sql) -> None:
    settings = {
        "array_nulls": "off",
        "DateStyle": "SQL, DMY",
        "default_transaction_isolation": "serializable",
        "default_transaction_read_only": "on",
        "extra_float_digits": "-15",
        "quote_all_identifiers": "on",
        "search_path": "pg_catalog",
        "standard_conforming_strings": "off",
        "TimeZone": "Asia/Tokyo",
    }
    query = "select name, setting from pg_settings where lower(name) = any(%s) order by 1"
    names = [name.lower() for name in settings]
    server = running_server(Project(served))
    with connect(server, "loader") as before:
        usual = before.execute(query, [names]).fetchall()
    for name, value in settings.items():
        sql(served, "admin", f"alter role loader in database crypto set {name} to '{value}'")
    try:
        with psycopg.connect(server.url("loader")) as bare:
            assert {tuple(row) for row in bare.execute(query, [names])} & set(usual) == set()
        with connect(server, "loader") as pinned:
            assert pinned.execute(query, [names]).fetchall() == usual
    finally:
        sql(served, "admin", "alter role loader in database crypto reset all")
    assert len(usual) == len(settings)
