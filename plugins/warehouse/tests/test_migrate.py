"""When there is an upgrade, what it asks dbt for, and what it mends in raw tables; with dbt: tests/test_upgrades.py."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from warehouse.cli import main
from warehouse.errors import WarehouseError
from warehouse.local import running_server
from warehouse.migrate import REVISION, migrate
from warehouse.project import Project

from .conftest import Run, Sql

# Unit a was loaded again and two of its three rows were left alone; b lost a row behind the loader's back; c is right.
LOADED = """
create table raw_data.load_ledger (
    load_id bigint, table_name text, unit text, rows_loaded bigint not null, rows_deleted bigint not null
);
insert into raw_data.load_ledger values
    (1, 'bitcoin_blocks', 'a', 3, 0), (2, 'bitcoin_blocks', 'b', 2, 0), (3, 'bitcoin_blocks', 'c', 1, 0),
    (4, 'bitcoin_blocks', 'a', 1, 1), (5, 'dogecoin_blocks', 'a', 1, 0), (6, 'bitcoin_blocks', 'b', 2, 0);
create table raw_data.bitcoin_blocks (id int primary key, _unit text, _load_id bigint);
insert into raw_data.bitcoin_blocks values (1, 'a', 1), (2, 'a', 1), (3, 'a', 4), (4, 'b', 2), (5, 'b', 6), (6, 'c', 3);
create table raw_data.bitcoin_outputs (id int, _unit text, _load_id bigint);
insert into raw_data.bitcoin_outputs values (1, 'a', 1);
"""
BUILT = """
create table intermediate.warehouse_revision (revision integer not null, marked_at timestamptz not null default now());
create unique index on intermediate.warehouse_revision ((true));
create table analytics.fct_blocks (chain text);
"""
ROWS = "select id, _load_id from raw_data.bitcoin_blocks order by 1"
COUNTS = "select load_id, rows_loaded, rows_deleted from raw_data.load_ledger order by 1"
MARK = "select revision from intermediate.warehouse_revision"
EMPTY = """
do $$
declare found record;
begin
    for found in select oid::regclass::text as name from pg_class
        where relnamespace in ('raw_data'::regnamespace, 'intermediate'::regnamespace, 'analytics'::regnamespace)
            and relkind in ('r', 'p') and not relispartition
    loop
        execute 'drop table ' || found.name || ' cascade';
    end loop;
end $$
"""


class Dbt:
    """Stands in for dbt: notes what it was asked, and does it or not."""

    def __init__(self, *succeeds: bool) -> None:
        self.succeeds, self.asked = list(succeeds), []  # type: ignore[var-annotated]

    def __call__(self, *arguments: str) -> bool:
        self.asked.append(arguments[0])
        return self.succeeds.pop(0)


@pytest.fixture(scope="module")
def serving(_template: Path, tmp_path_factory: pytest.TempPathFactory, run: Run) -> Iterator[Path]:
    """A project whose warehouse runs for this file."""
    copy = tmp_path_factory.mktemp("older") / "a project"
    shutil.copytree(_template, copy, symlinks=True)
    run(copy, "start")
    yield copy
    run(copy, "stop")


@pytest.fixture
def older(serving: Path, sql: Sql) -> Path:
    """The same, with raw tables as an older loader left them, and built tables without a mark."""
    sql(serving, "admin", EMPTY)
    sql(serving, "loader", LOADED)
    sql(serving, "transformer", BUILT)
    return serving


def upgrade(root: Path, dbt: Dbt, **options: bool) -> list[str]:
    """Migrate; returns what was said."""
    said: list[str] = []
    migrate(running_server(Project(root)), dbt, said.append, **options)
    return said


def test_rows_that_were_left_alone_name_their_last_load_and_are_counted(older: Path, sql: Sql) -> None:
    dbt = Dbt(True, True)
    assert "raw_data.bitcoin_blocks: 2 rows of a name its last load, 4, as the loader does now" in upgrade(older, dbt)
    assert sql(older, "loader", ROWS) == [(1, 4), (2, 4), (3, 4), (4, 2), (5, 6), (6, 3)]
    assert sql(older, "loader", COUNTS) == [(1, 3, 0), (2, 2, 0), (3, 1, 0), (4, 3, 3), (5, 1, 0), (6, 2, 0)]
    assert dbt.asked == ["run-operation", "build"]
    assert sql(older, "loader", "select _load_id from raw_data.bitcoin_outputs") == [(1,)]
    assert sql(older, "transformer", MARK) == [(REVISION,)]
    assert upgrade(older, Dbt()) == [f"nothing to do: the warehouse is of this release (revision {REVISION})"]


def test_dbt_and_the_command_build_the_same_revision() -> None:
    project = (Path(__file__).parents[3] / "transform/dbt_project.yml").read_text()
    assert re.findall(r"^  warehouse_revision: (.*)$", project, re.MULTILINE) == [str(REVISION)]


def test_a_dry_run_says_what_there_is_to_do_and_does_nothing(older: Path, sql: Sql) -> None:
    before = sql(older, "loader", ROWS), sql(older, "loader", COUNTS)
    dbt = Dbt(True)
    assert any("2 rows of a name its last load" in line for line in upgrade(older, dbt, dry_run=True))
    assert dbt.asked == ["run-operation"]
    assert (sql(older, "loader", ROWS), sql(older, "loader", COUNTS)) == before
    assert sql(older, "transformer", MARK) == []


@pytest.mark.parametrize(("succeeds", "said"), [((False,), "Nothing was changed"), ((True, False), "run `warehouse")])
def test_what_dbt_does_not_do_leaves_the_warehouse_an_older_one(
    older: Path, sql: Sql, succeeds: tuple[bool, ...], said: str
) -> None:
    before = sql(older, "loader", ROWS)
    with pytest.raises(WarehouseError, match=said):
        upgrade(older, Dbt(*succeeds))
    assert sql(older, "transformer", MARK) == []
    assert (sql(older, "loader", ROWS) == before) == (len(succeeds) == 1)
    upgrade(older, Dbt(True, True))
    assert sql(older, "transformer", MARK) == [(REVISION,)]


def test_a_newer_one_an_empty_one_and_one_that_is_being_upgraded_are_left_alone(older: Path, sql: Sql) -> None:
    server = running_server(Project(older))

    def meanwhile(*_: str) -> bool:
        with pytest.raises(WarehouseError, match="Another `warehouse migrate`"):
            upgrade(older, Dbt())
        return False

    with pytest.raises(WarehouseError, match="dbt cannot plan"):
        migrate(server, meanwhile, print)
    sql(older, "transformer", f"insert into intermediate.warehouse_revision select {REVISION + 1}")
    with pytest.raises(WarehouseError, match=f"newer release .*revision {REVISION + 1}"):
        upgrade(older, Dbt())
    sql(older, "transformer", "drop table analytics.fct_blocks, intermediate.warehouse_revision")
    assert upgrade(older, Dbt()) == ["nothing to do: nothing was built in this warehouse yet"]


MARCH_OF_BITCOIN = "raw_data.bitcoin_transactions for values from ('2024-03-01') to ('2024-04-01')"


def test_months_that_only_marts_have_are_named_before_they_are_lost(older: Path, sql: Sql) -> None:
    for role, name, months in (
        ("transformer", "analytics.fct_transactions", ("2024_01", "2024_02")),
        ("loader", "raw_data.bitcoin_transactions", ("2024_02",)),
        ("loader", "raw_data.dogecoin_transactions", ("2024_01", "2024_02")),
        ("loader", "raw_data.bitcoin_sv_transactions", ("2024_01", "2024_02")),
    ):
        sql(older, role, f"create table {name} (chain text, day date) partition by range (day)")
        for month in months:
            first = f"{month.replace('_', '-')}-01"
            span = f"for values from ('{first}') to ('{first}'::date + 28)"
            sql(older, role, f"create table {name}_p{month} partition of {name} {span}")
    chains = "values ('bitcoin', date '{0}'), ('dogecoin', date '{0}'), ('bitcoin-sv', date '{0}')"
    for day in ("2024-01-05", "2024-02-05"):
        sql(older, "transformer", f"insert into analytics.fct_transactions {chains.format(day)}")
    sql(older, "transformer", "insert into analytics.fct_transactions values ('dash', date '2024-02-05')")
    # new days of a mart are partitions of their own; those of a month that raw tables have are not gone
    sql(older, "loader", f"create table raw_data.bitcoin_transactions_p2024_03 partition of {MARCH_OF_BITCOIN}")
    for day in ("2024-03-05", "2024-04-01"):
        span = f"for values from ('{day}') to ('{day}'::date + 1)"
        part = f"analytics.fct_transactions_p{day.replace('-', '_')}"
        sql(older, "transformer", f"create table {part} partition of analytics.fct_transactions {span}")
        sql(older, "transformer", f"insert into {part} values ('bitcoin', '{day}')")  # noqa: S608
    gone = "bitcoin in fct_transactions_p2024_01, dash in fct_transactions_p2024_02, "
    gone += "bitcoin in fct_transactions_p2024_04_01"
    with pytest.raises(WarehouseError, match=rf"in raw_data: {gone}\. Copy"):
        upgrade(older, Dbt())
    upgrade(older, Dbt(True, True), forget=True)
    assert sql(older, "transformer", MARK) == [(REVISION,)]


def test_the_command_runs_dbt_of_its_environment_by_meltano(
    older: Path, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A meltano that writes down how it was called stands beside the interpreter."""
    program = tmp_path / "meltano"
    program.write_text(f'#!/bin/sh\necho "$PWD: $@" >> "{tmp_path}/asked"\n')
    program.chmod(0o755)
    monkeypatch.setattr("warehouse.migrate.sys.executable", str(tmp_path / "python"))
    (tmp_path / "local.env").touch()
    run(older, "migrate", "--env-file", str(tmp_path / "local.env"))
    head = f"{older}: --environment local --env-file {tmp_path}/local.env invoke --no-install dbt-postgres"
    assert (tmp_path / "asked").read_text().splitlines() == [
        f"{head} run-operation plan_migration",
        f"{head} build --full-refresh --exclude-resource-type unit_test --vars migrating: {REVISION}",
    ]
    assert main.commands["migrate"].help
