"""`init` on a server that .env names, by an administrator who is no superuser, on PostgreSQL 15 and 18."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from warehouse.initialise import _let_others_wait

from .conftest import Live, Run

DEV = "--environment=dev"
LIMIT = 60  # seconds
# Row versions too (xmin): rewriting a row with the same content would be a change.
CATALOG = """
select 'database', datname::text, datacl::text, xmin::text from pg_database where datname in ('crypto', 'meltano')
union all select 'schema', nspname, nspacl::text || nspowner, xmin::text from pg_namespace
union all select 'table', relname, relacl::text, xmin::text from pg_class where relnamespace = 'raw_data'::regnamespace
union all select 'default', defaclrole::text, defaclacl::text, xmin::text from pg_default_acl
union all select 'setting', setrole::text, setconfig::text, xmin::text from pg_db_role_setting
union all select 'member', roleid::regrole::text, member::regrole || ' ' || admin_option, '' from pg_auth_members
order by 1, 2, 3
"""


def execute(
    url: str,
    statement: str,
    database: str = "crypto",
    login: tuple[str, str] | None = None,
    *,
    autocommit: bool = False,
) -> list[tuple[Any, ...]]:
    target = psycopg.conninfo.make_conninfo(url, dbname=database)
    if login:
        target = psycopg.conninfo.make_conninfo(target, user=login[0], password=login[1])
    with psycopg.connect(target, autocommit=autocommit) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def initialised(live: Live, run: Run) -> Live:
    """The server after the first `init`, of which two ran at once."""
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(run, live[1], "init", DEV, prefix=()) for _ in range(2)]
        reported = "".join(each.result().stderr for each in both)
    assert reported.count("made database crypto") == 1
    assert reported.count("made database meltano") == 1
    read = "WAREHOUSE_HOST, WAREHOUSE_PORT, WAREHOUSE_DB, WAREHOUSE_ADMIN_USER, WAREHOUSE_ADMIN_PASSWORD"
    assert reported.count(f" as boss, by {read}\n") == 2
    assert "by WAREHOUSE_LOADER_PASSWORD, WAREHOUSE_TRANSFORMER_PASSWORD, WAREHOUSE_BI_READER_PASSWORD, MELTANO_DB" in (
        reported
    )
    return live


def test_rights_of_the_roles(initialised: Live, run: Run) -> None:
    _, project, _ = initialised
    urls = {
        role: run(project, "url", DEV, "--role", role).stdout.strip() for role in ("loader", "transformer", "bi_reader")
    }
    assert "loader:p%40ss%2Fw%3Ard%251@" in urls["loader"]
    execute(urls["loader"], "create table if not exists raw_data.t as select 1 as n")
    execute(urls["transformer"], "drop view if exists analytics.v; create view analytics.v as select * from raw_data.t")
    assert execute(urls["bi_reader"], "select n from v") == [(1,)]
    execute(urls["loader"], "create table if not exists raw_compared.t as select 2 as n")
    assert execute(urls["transformer"], "select n from raw_compared.t") == [(2,)]
    for role, statement in (
        ("loader", "create table analytics.x ()"),
        ("loader", "create schema x"),
        ("transformer", "create schema x"),
        ("transformer", "insert into raw_data.t values (2)"),
        ("bi_reader", "select * from raw_data.t"),
        ("bi_reader", "select * from raw_compared.t"),
    ):
        with pytest.raises(errors.InsufficientPrivilege):
            execute(urls[role], statement)
    owners = dict(execute(urls["loader"], "select nspname, nspowner::regrole::text from pg_namespace"))
    assert owners["raw_data"] == owners["raw_compared"] == "boss"
    assert {owners[name] for name in ("staging", "intermediate", "analytics", "dq")} == {"transformer"}
    zones = {execute(url, "show timezone")[0][0] for url in urls.values()}
    assert zones == {"UTC"}


def test_second_run_changes_nothing(initialised: Live, run: Run) -> None:
    _, project, superuser = initialised
    before = execute(superuser, CATALOG)
    assert len(before) > 10
    reported = run(project, "init", DEV).stderr
    assert "change" not in reported
    assert "made" not in reported
    assert execute(superuser, CATALOG) == before


def test_one_init_waits_for_another_and_for_no_reader(initialised: Live, run: Run) -> None:
    _, project, superuser = initialised
    crypto = psycopg.conninfo.make_conninfo(superuser, dbname="crypto")
    others = "select 1 from pg_stat_activity where usename = 'boss' and wait_event_type = 'Lock'"
    execute(superuser, "alter role boss set lock_timeout = '30s'")
    try:
        with (
            ThreadPoolExecutor(1) as thread,
            psycopg.connect(crypto, user="bi_reader", password="reader-secret") as reader,
            psycopg.connect(crypto, user="boss", password="b0ss:secret") as first,
        ):
            reader.execute("select pg_advisory_lock(7251623018446001)")  # what init of an older release takes
            _let_others_wait(first)
            second = thread.submit(run, project, "init", DEV)
            deadline = time.monotonic() + LIMIT
            while not execute(superuser, others):
                assert not second.done(), "the second init did not wait"
                assert time.monotonic() < deadline, "the second init never came to wait"
                time.sleep(0.01)
            first.commit()
            second.result(LIMIT)
        with pytest.raises(errors.InsufficientPrivilege):
            execute(superuser, "begin read write; create schema s", login=("bi_reader", "reader-secret"))
    finally:
        execute(superuser, "alter role boss reset lock_timeout")


def test_administrator_keeps_no_role(initialised: Live) -> None:
    version, _, superuser = initialised
    # From 16 on a role's maker stays its administrator, which is a membership without rights.
    kind = "member" if version == "15" else "usage"
    held = "select bool_or(pg_has_role('boss', r, kind)) from unnest(array['loader', 'transformer']) r"
    assert execute(superuser, f"{held}, (values ('{kind}')) v (kind)") == [(False,)]


def test_drift_is_put_right(initialised: Live, run: Run) -> None:
    _, project, superuser = initialised
    execute(superuser, "grant all on schema raw_data, dq to bi_reader, public")
    execute(superuser, "grant connect, temporary on database crypto to public")
    execute(superuser, "alter schema staging owner to loader")
    execute(superuser, "alter role bi_reader reset statement_timeout")
    execute(superuser, "alter default privileges for role transformer in schema dq grant select on tables to bi_reader")
    run(project, "init", DEV)
    reported = run(project, "init", DEV).stderr
    assert "change" not in reported
    held = "select has_schema_privilege('bi_reader', s, 'usage') from unnest(array['raw_data', 'dq', 'analytics']) as s"
    assert execute(superuser, held) == [(False,), (False,), (True,)]
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        execute(superuser, "select 1", login=("meltano", "meltano-secret"))


def test_a_limit_of_connections_that_someone_chose_stays(initialised: Live, run: Run) -> None:
    _, project, superuser = initialised
    limit = "select rolconnlimit from pg_roles where rolname = 'bi_reader'"
    assert execute(superuser, limit) == [(40,)]
    execute(superuser, "alter role bi_reader connection limit 90")
    run(project, "init", DEV)
    assert execute(superuser, limit) == [(90,)]
    execute(superuser, "alter role bi_reader connection limit -1")
    assert "(1 changes)" in run(project, "init", DEV).stderr
    assert execute(superuser, limit) == [(40,)]


def test_what_the_reader_has_set_for_itself_is_undone(initialised: Live, run: Run) -> None:
    _, project, superuser = initialised
    login = ("bi_reader", "reader-secret")
    for statement in (
        "alter role bi_reader set work_mem = '8GB'",
        "alter role bi_reader set statement_timeout = 0",
        "alter role bi_reader in database crypto set default_transaction_read_only = off",
    ):
        execute(superuser, f"begin read write; {statement}; commit", login=login)
    said = run(project, "init", DEV).stderr
    assert (
        "undone, since they were set for bi_reader by hand: default_transaction_read_only, statement_timeout, work_mem"
        in said
    )
    assert execute(superuser, "show work_mem", login=login) == execute(superuser, "show work_mem")
    assert execute(superuser, "show default_transaction_read_only", login=login) == [("on",)]
    assert execute(superuser, "show statement_timeout", login=login) == [("15min",)]
    assert "undone" not in run(project, "init", DEV).stderr


def test_what_takes_a_superuser_is_said_until_it_is_done(initialised: Live, run: Run) -> None:
    _, project, superuser = initialised
    said = run(project, "init", DEV).stderr
    assert "a superuser may: alter role bi_reader set temp_file_limit = '10GB'" in said
    assert "not closed: every login may make large objects; a superuser may revoke lo" in said
    execute(superuser, "alter role bi_reader set temp_file_limit = '10GB'")
    assert "temp_file_limit" not in run(project, "init", DEV).stderr
    assert execute(superuser, "show temp_file_limit", login=("bi_reader", "reader-secret")) == [("10GB",)]


def test_meltano_has_a_database_of_its_own(initialised: Live) -> None:
    _, _, superuser = initialised
    login = ("meltano", "meltano-secret")
    execute(superuser, "create table if not exists runs (n int)", "meltano", login)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        execute(superuser, "select 1", "meltano", login=("bi_reader", "reader-secret"))


def test_passwords_are_refreshed(initialised: Live, run: Run) -> None:
    _, project, superuser = initialised
    run(project, "init", DEV, env={"WAREHOUSE_BI_READER_PASSWORD": "another"})
    with pytest.raises(psycopg.OperationalError, match="password"):
        execute(superuser, "select 1", login=("bi_reader", "reader-secret"))
    assert execute(superuser, "select 1", login=("bi_reader", "another")) == [(1,)]
    run(project, "init", DEV)
    assert execute(superuser, "select 1", login=("bi_reader", "reader-secret")) == [(1,)]
    stored = execute(superuser, "select rolpassword from pg_authid where rolname in ('loader', 'bi_reader', 'meltano')")
    assert [row[0].split("$")[0] for row in stored] == ["SCRAM-SHA-256"] * 3


def test_a_second_deployment_leaves_the_roles_of_the_first(initialised: Live, run: Run) -> None:
    """Roles are the server's. Of another database, init sets no password that it has not set before."""
    _, project, superuser = initialised
    first = {"loader": "p@ss/w:rd%1", "transformer": "transformer-secret", "meltano": "meltano-secret"}

    def works() -> list[str]:
        return [role for role, word in first.items() if _lets_in(superuser, role, word)]

    other = {"WAREHOUSE_DB": "second", "WAREHOUSE_LOADER_PASSWORD": "other"}
    said = run(project, "init", DEV, code=1, env=other).stderr
    assert "The role loader at " in said
    assert (
        "was made by the deployment 'crypto-elt crypto' and has another password than WAREHOUSE_LOADER_PASSWORD" in said
    )
    assert "No role was changed" in said
    assert "`warehouse init --take-roles`" in said
    assert works() == list(first)
    said = run(project, "init", DEV, code=1, env={"WAREHOUSE_DB": "second", "MELTANO_DB_PASSWORD": "other"}).stderr
    assert "The role meltano" in said
    assert "than MELTANO_DB_PASSWORD" in said
    run(project, "init", DEV, env={"WAREHOUSE_DB": "second"})  # shared, by the same passwords
    assert execute(superuser, "select 1", "second", ("loader", first["loader"])) == [(1,)]
    run(project, "init", DEV, "--take-roles", env=other)
    assert works() == ["transformer", "meltano"]
    said = run(project, "init", DEV, code=1).stderr
    assert "was made by the deployment 'crypto-elt second'" in said
    run(project, "init", DEV, "--take-roles")
    assert works() == list(first)
    execute(superuser, "drop database second with (force)", "postgres", autocommit=True)


def test_two_deployments_with_roles_of_their_own(initialised: Live, run: Run) -> None:
    """With a prefix the second has other passwords, rights on its own database alone, and leaves the first's alone."""
    _, project, superuser = initialised
    passwords = {f"WAREHOUSE_{role}_PASSWORD": f"two-{role}" for role in ("LOADER", "TRANSFORMER", "BI_READER")}
    second = {"WAREHOUSE_DB": "second", "WAREHOUSE_ROLE_PREFIX": "second_", "MELTANO_DB_PASSWORD": "two", **passwords}
    said = run(project, "init", DEV, env=second).stderr
    assert "roles second_loader, second_transformer, second_bi_reader are right" in said
    assert "database and role second_meltano are right" in said
    assert "changes" not in run(project, "init", DEV, env=second).stderr
    urls = {
        role: run(project, "url", DEV, "--role", role, env=second).stdout.strip()
        for role in ("loader", "transformer", "bi_reader")
    }
    assert "//second_loader:two-LOADER@" in urls["loader"]
    execute(urls["loader"], "create table raw_data.t as select 1 as n", "second")
    execute(urls["transformer"], "create table analytics.v as select * from raw_data.t", "second")
    assert execute(urls["bi_reader"], "select n from v", "second") == [(1,)]
    assert execute(urls["loader"], "select current_user", "second_meltano", ("second_meltano", "two")) == [
        ("second_meltano",)
    ]
    for url, database in ((urls["bi_reader"], "crypto"), (superuser, "second")):
        login = None if database == "crypto" else ("bi_reader", "reader-secret")
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            execute(url, "select 1", database, login)
    status = json.loads(run(project, "status", DEV, "--json", env=second).stdout)
    assert status["roles"] == ["second_bi_reader", "second_loader", "second_meltano", "second_transformer"]
    assert _lets_in(superuser, "bi_reader", "reader-secret")
    assert "change" not in run(project, "init", DEV).stderr, "the first is as it was"
    for name in ("second", "second_meltano"):
        execute(superuser, f"drop database {name} with (force)", "postgres", autocommit=True)
    names = "second_loader, second_transformer, second_bi_reader, second_meltano"
    execute(superuser, f"drop role {names}", "postgres")
    wrong = {"WAREHOUSE_ROLE_PREFIX": "No Good"}
    assert "WAREHOUSE_ROLE_PREFIX is 'No Good'" in run(project, "init", DEV, code=1, env=wrong).stderr


def test_a_role_that_nobody_has_noted(initialised: Live, run: Run) -> None:
    """One of an older release, or of a person: ours where it lets our password in."""
    _, project, superuser = initialised
    execute(superuser, "comment on role bi_reader is null; alter role bi_reader password 'theirs'")
    said = run(project, "init", DEV, code=1).stderr
    assert "The role bi_reader" in said
    assert "was made not by this deployment" in said
    execute(superuser, "alter role bi_reader password 'reader-secret'")
    run(project, "init", DEV)
    noted = execute(superuser, "select shobj_description('bi_reader'::regrole, 'pg_authid')")
    assert noted == [("crypto-elt crypto",)]


def _lets_in(url: str, role: str, word: str) -> bool:
    try:
        execute(url, "select 1", "meltano" if role == "meltano" else "crypto", (role, word))
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.parametrize("power", ["SUPER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS"])
def test_too_powerful_role_is_refused(initialised: Live, run: Run, power: str) -> None:
    _, project, superuser = initialised
    word = "superuser" if power == "SUPER" else power.lower()
    execute(superuser, f"alter role loader {word}")
    try:
        assert f"exists with {power}, which it must not have" in run(project, "init", DEV, code=1).stderr
    finally:
        execute(superuser, f"alter role loader no{word}")


def test_status_of_a_named_server(initialised: Live, run: Run) -> None:
    version, project, superuser = initialised
    execute(superuser, "create table raw_data.warehouse_origin as select 'live' as origin")
    execute(superuser, "grant select on raw_data.warehouse_origin to transformer")
    status = json.loads(run(project, "status", DEV, "--json").stdout)
    execute(superuser, "drop table raw_data.warehouse_origin")
    assert (status["running"], status["origin"]) == (True, "live")
    assert status["roles"] == ["bi_reader", "loader", "meltano", "transformer"]
    assert status["version"].startswith(f"{version}.")


def test_administrator_without_rights(initialised: Live, run: Run) -> None:
    _, project, superuser = initialised
    execute(superuser, "drop role if exists weak; create role weak login password 'w'")
    execute(superuser, "grant connect on database crypto to weak")
    reported = run(
        project, "init", DEV, code=1, env={"WAREHOUSE_ADMIN_USER": "weak", "WAREHOUSE_ADMIN_PASSWORD": "w"}
    ).stderr
    assert "rolled back" in reported
    assert "weak must have CREATEROLE and CREATEDB" in reported


@pytest.mark.parametrize(
    "change",
    [
        {"WAREHOUSE_ADMIN_PASSWORD": "not-the-word"},
        {"WAREHOUSE_PORT": "1"},
        {"WAREHOUSE_SSLMODE": "require"},
        {"WAREHOUSE_SSLMODE": "nonsense"},
        {"WAREHOUSE_PORT": "many"},
    ],
)
def test_unreachable_is_one_sentence_without_secrets(initialised: Live, run: Run, change: dict[str, str]) -> None:
    reported = run(initialised[1], "init", DEV, code=1, env=change)
    assert len(reported.stderr.strip().splitlines()) == 1
    assert reported.stderr.startswith("Error: ")
    for secret in ("b0ss:secret", "not-the-word", "reader-secret"):
        assert secret not in reported.stderr + reported.stdout


def test_missing_variables_are_named_at_once(empty_root: Path, run: Run) -> None:
    (empty_root / ".env").write_text("WAREHOUSE_HOST=127.0.0.1\nWAREHOUSE_LOADER_PASSWORD=\nWAREHOUSE_ADMIN_USER=a\n")
    reported = run(empty_root, "init", "--environment=prod", code=1).stderr
    for name in ("ADMIN_PASSWORD", "LOADER_PASSWORD", "TRANSFORMER_PASSWORD", "BI_READER_PASSWORD"):
        assert f"WAREHOUSE_{name}" in reported
    for name in ("WAREHOUSE_HOST", "WAREHOUSE_ADMIN_USER"):
        assert name not in reported
    assert "WAREHOUSE_BI_READER_PASSWORD" in run(empty_root, "psql", DEV, code=1).stderr


def test_unknown_environment(empty_root: Path, run: Run) -> None:
    assert "staging" in run(empty_root, "status", code=2, env={"MELTANO_ENVIRONMENT": "staging"}).stderr
