"""`warehouse unite` on three small warehouses, each a database of one server, and a serving database beside them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from warehouse.errors import WarehouseError
from warehouse.local import running_server
from warehouse.project import Project
from warehouse.united_chains import read_chains
from warehouse.united_sql import mapping_statement

from .conftest import Run

CHAINS = ("bitcoin", "dogecoin", "bitcoin-cash")
KEYS = {"bitcoin": 11, "dogecoin": 12, "bitcoin-cash": 13}
# What the marts of a chain are like, of few columns: {chain}, {key}, {newest} and {flag} differ.
MARTS = """
create schema analytics;
grant usage on schema analytics to bi_reader;
create table analytics.dim_asset (asset_key bigint, symbol text, chain text);
insert into analytics.dim_asset values ({key}, upper('{chain}'), '{chain}'), (-1, 'unknown', null), (99, 'XMR', null);
create table analytics.dim_miner (miner_key bigint, chain text);
insert into analytics.dim_miner values ({key} * 10, '{chain}'), (-1, 'unknown');
create table analytics.dim_block (block_key bigint, chain text);
insert into analytics.dim_block values ({key} * 100, '{chain}'), (-1, 'unknown');
create table analytics.dim_transaction_flags (flag_key bigint, flag text);
insert into analytics.dim_transaction_flags values (1, 'common'), ({key}, '{flag}');
create table analytics.fct_market_prices_daily (asset_key bigint, price numeric);
insert into analytics.fct_market_prices_daily values (11, 1.5), (12, 2.5), (13, 3.5);
create table analytics.fct_pipeline_runs (pipeline_run_key bigint, chain text);
insert into analytics.fct_pipeline_runs values (1, null), (2, '{chain}');
create table analytics.fct_blocks (block_key bigint, chain text, day date, fees numeric(78, 0))
    partition by list (chain);
create table analytics.fct_blocks_one partition of analytics.fct_blocks default;
insert into analytics.fct_blocks select n, '{chain}', date '2025-01-01' + n, {key} * n from generate_series(1, 50) as n;
comment on table analytics.fct_blocks is 'One row per block; it''s a fact.';
comment on column analytics.fct_blocks.fees is 'In base units.';
create table analytics.fct_network_daily (chain text, day date, fees numeric);
insert into analytics.fct_network_daily select chain, day, fees from analytics.fct_blocks;
create view analytics.bi_blocks as select {key}::bigint as asset_key, block_key from analytics.fct_blocks;
create table analytics.rpt_latest_changes (
    change_key bigint, asset_key bigint, change_ratio numeric, change_rank bigint
);
insert into analytics.rpt_latest_changes values ({key}, {key}, {key} * 0.01, 1), ({key} + 100, {key}, null, null),
    (99, 99, 0.2, 2);
create table analytics.rpt_reconciliation (
    reconciliation_key bigint, asset_key bigint, date_key integer, chain text, block_date date, reasons text
);
insert into analytics.rpt_reconciliation values ({key}, {key}, 20250101, '{chain}', '2025-01-01', null);
create table analytics.dim_date (
    date_key integer, date_day date, month_name text, day_offset integer, is_complete_bitcoin boolean,
    is_complete_dogecoin boolean, reward_epoch_bitcoin integer, is_complete_day boolean
);
insert into analytics.dim_date
select to_char(day, 'YYYYMMDD')::integer, day, to_char(day, 'FMMonth'), day - date '{newest}',
    '{chain}' = 'bitcoin' and day <= '{newest}', '{chain}' = 'dogecoin' and day <= '{newest}',
    case when '{chain}' = 'bitcoin' and day <= '{newest}' then 4 end, day <= '{newest}'
from generate_series(timestamp '2025-01-01', '2025-01-05', '1 day') as days (stamp)
cross join lateral (select stamp::date) as named (day);
insert into analytics.dim_date values (-1, null, null, null, false, false, null, false);
create table analytics.secret (n integer);
grant select on all tables in schema analytics to bi_reader;
create schema raw_data;
create table raw_data.load_ledger as select 1 as n;
"""
NEWEST = {"bitcoin": "2025-01-04", "dogecoin": "2025-01-02", "bitcoin-cash": "2025-01-03"}

Ask = Callable[..., list[tuple[Any, ...]]]


def database_of(chain: str) -> str:
    return chain.replace("-", "_")


@pytest.fixture
def variables(root: Path, run: Run) -> dict[str, str]:
    """A running server with a warehouse of each chain, and what names them to `unite`."""
    run(root, "start")
    server = running_server(Project(root))
    admin = server.url("admin")
    found = {"WAREHOUSE_CHAINS": ", ".join(CHAINS)}
    for chain in CHAINS:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f"create database {database_of(chain)} template template0".encode())
        said = MARTS.format(chain=chain, key=KEYS[chain], newest=NEWEST[chain], flag=f"of {chain}")
        with psycopg.connect(admin, dbname=database_of(chain)) as connection:
            connection.execute(said.encode())
        prefix = f"WAREHOUSE_{database_of(chain).upper()}"
        found |= {
            f"{prefix}_HOST": server.host,
            f"{prefix}_PORT": str(server.port),
            f"{prefix}_DB": database_of(chain),
            f"{prefix}_BI_READER_PASSWORD": server.login("bi_reader").password,
        }
    return found


@pytest.fixture
def ask(root: Path, variables: dict[str, str]) -> Ask:
    """Ask as a login, of the serving database unless said otherwise: ``ask(query, role="bi_reader", chain="")``."""
    assert variables

    def execute(query: str, role: str = "bi_reader", chain: str = "") -> list[tuple[Any, ...]]:
        database = database_of(chain) if chain else "crypto"
        with psycopg.connect(running_server(Project(root)).url(role), dbname=database) as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    return execute


@pytest.fixture
def unite(root: Path, run: Run, variables: dict[str, str]) -> Callable[..., str]:
    """Run the command; what it prints on both channels: ``unite("--check", code=1)``."""

    def execute(*arguments: str, code: int = 0, env: dict[str, str] | None = None) -> str:
        done = run(root, "unite", *arguments, code=code, env=variables | (env or {}))
        return done.stdout + done.stderr

    return execute


def close(ask: Ask, chain: str, *, is_open: bool = False) -> None:
    """Let a chain's warehouse accept nobody, as if it were down; or again."""
    # The same server has all databases, so the one that is closed is that of the chain.
    ask(f"alter database {database_of(chain)} allow_connections {is_open}".lower(), role="admin")
    ask(
        f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database_of(chain)}'"  # noqa: S608
        " and pid <> pg_backend_pid()",
        role="admin",
    )


def test_the_serving_database_answers_like_one_warehouse(unite: Callable[..., str], ask: Ask) -> None:
    assert "12 tables unite bitcoin, dogecoin, bitcoin-cash" in unite()
    assert ask("select chain, count(*), sum(fees) from fct_blocks group by chain order by chain") == [
        (chain, 50, KEYS[chain] * 1275) for chain in sorted(CHAINS)
    ]
    assert ask("select asset_key, count(*) from bi_blocks group by asset_key order by 1") == [
        (key, 50) for key in sorted(KEYS.values())
    ]
    # rows of no chain once, not once a server
    assert ask("select asset_key from dim_asset order by 1") == [(-1,), (11,), (12,), (13,), (99,)]
    assert ask("select miner_key from dim_miner order by 1") == [(-1,), (110,), (120,), (130,)]
    assert ask("select block_key from dim_block order by 1") == [(-1,), (1100,), (1200,), (1300,)]
    assert ask("select flag_key from dim_transaction_flags order by 1") == [(1,), (11,), (12,), (13,)]
    assert ask("select * from fct_market_prices_daily order by 1") == [(11, 1.5), (12, 2.5), (13, 3.5)]
    assert ask("select count(*) from fct_pipeline_runs") == [(4,)]
    assert ask("select change_key, change_rank from rpt_latest_changes where change_rank is not null order by 2") == [
        (99, 1),
        (13, 2),
        (12, 3),
        (11, 4),
    ]
    assert ask("select obj_description('analytics.fct_blocks'::regclass)") == [("One row per block; it's a fact.",)]
    assert ask("select col_description('analytics.fct_blocks'::regclass, 4)") == [("In base units.",)]
    assert ask("select to_regclass('analytics.secret')") == [(None,)]


def test_days_are_put_together_of_all_chains(unite: Callable[..., str], ask: Ask) -> None:
    unite()
    days = ask(
        "select date_key, day_offset, is_complete_bitcoin, is_complete_dogecoin, reward_epoch_bitcoin, is_complete_day"
        " from dim_date order by date_key"
    )
    assert days == [
        (-1, None, False, False, None, False),
        (20250101, -3, True, True, 4, True),
        (20250102, -2, True, True, 4, True),
        (20250103, -1, True, False, 4, False),
        (20250104, 0, True, False, 4, False),
        (20250105, 1, False, False, None, False),
    ]


def test_sums_are_made_on_the_chains_servers_at_once(unite: Callable[..., str], ask: Ask) -> None:
    unite()
    plan = "\n".join(
        line for (line,) in ask("explain (verbose) select chain, sum(fees) from fct_blocks group by chain")
    )
    assert plan.count("Async Foreign Scan") == len(CHAINS)
    assert plan.count("Remote SQL: SELECT chain, sum(fees) FROM analytics.fct_blocks GROUP BY 1") == len(CHAINS)
    plan = "\n".join(line for (line,) in ask("explain (verbose) select * from fct_blocks where chain = 'dogecoin'"))
    assert "chain_dogecoin" in plan
    assert "chain_bitcoin" not in plan
    # a view over the servers is narrowed as well
    plan = "\n".join(line for (line,) in ask("explain (verbose) select * from dim_block where chain = 'dogecoin'"))
    assert "chain_dogecoin" in plan
    assert "Foreign Scan on chain_bitcoin_cash" not in plan


def test_a_second_run_makes_nothing_anew_and_takes_new_rows(unite: Callable[..., str], ask: Ask) -> None:
    unite()
    before = ask("select oid, relname from pg_class where relnamespace = 'analytics'::regnamespace order by 1")
    ask("insert into analytics.dim_miner values (111, 'bitcoin')", role="admin", chain="bitcoin")
    ask("insert into analytics.fct_pipeline_runs values (3, 'bitcoin')", role="admin", chain="bitcoin")
    said = unite("--check", code=1)
    assert said.splitlines() == [
        "stale: rows of bitcoin that are kept here are of its load 2, its marts of load 3; run `warehouse unite`"
    ]
    assert "made" not in unite()
    assert unite("--check") == ""
    assert ask("select oid, relname from pg_class where relnamespace = 'analytics'::regnamespace order by 1") == before
    assert ask("select count(*) from dim_miner") == [(5,)]


def test_daily_marts_are_kept_here_where_that_is_asked_for(unite: Callable[..., str], ask: Ask) -> None:
    unite("--copy-daily")
    assert ask("select count(*) from fct_network_daily") == [(150,)]
    close(ask, "dogecoin")
    assert ask("select count(*) from fct_network_daily") == [(150,)]
    close(ask, "dogecoin", is_open=True)
    assert "rows of 9 are kept here" in unite()
    assert "rows of 7 are kept here" in unite("--no-copy-daily")


def test_new_columns_are_taken_when_all_have_them(unite: Callable[..., str], ask: Ask) -> None:
    unite()
    add = "alter table analytics.fct_blocks add column size bigint default 7"
    ask(add, role="admin", chain="bitcoin")
    assert unite("--check", code=1) == "missing: fct_blocks.size is left out: only bitcoin has it\n"
    assert ask("select count(*) from fct_blocks") == [(150,)]
    assert "fct_blocks.size is left out: only bitcoin has it" in unite()
    for chain in CHAINS[1:]:
        ask(add, role="admin", chain=chain)
    said = unite("--check", code=1)
    assert said.startswith("changed: tables or columns of the chains' warehouses are not those that are united")
    assert "tables are made anew" in unite()
    assert ask("select sum(size) from fct_blocks") == [(1050,)]
    ask("alter table analytics.fct_blocks alter column size type numeric", role="admin", chain="dogecoin")
    said = unite(code=1)
    assert "fct_blocks.size is bigint on bitcoin and numeric on dogecoin" in said
    assert "warehouse migrate" in said


def test_a_chain_that_is_down_is_named_and_the_others_answer(unite: Callable[..., str], ask: Ask) -> None:
    unite()
    close(ask, "dogecoin")
    with pytest.raises(psycopg.OperationalError, match='could not connect to server "chain_dogecoin"'):
        ask("select sum(fees) from fct_blocks")
    assert ask("select count(*) from fct_blocks where chain in ('bitcoin', 'bitcoin-cash')") == [(100,)]
    assert ask("select count(*) from bi_blocks where asset_key = 11") == [(50,)]
    (line,) = unite("--check", code=1).splitlines()
    assert line.startswith("unreachable: dogecoin does not answer: database dogecoin at 127.0.0.1:")
    assert "WAREHOUSE_DOGECOIN_HOST" in line
    assert ask("select chain, is_reachable from rpt_united_chains order by 1") == [
        ("bitcoin", True),
        ("bitcoin-cash", True),
        ("dogecoin", False),
    ]
    ((reasons,),) = ask("select reasons from rpt_reconciliation where chain = 'dogecoin' and block_date is null")
    assert reasons.startswith("MISSING: dogecoin does not answer")
    # a run goes on for those that answer, keeps what it has of the other, and ends with an error
    ask("insert into analytics.dim_miner values (111, 'bitcoin')", role="admin", chain="bitcoin")
    said = unite(code=1)
    assert "Error: dogecoin does not answer" in said
    assert ask("select count(*) from dim_miner") == [(5,)]
    close(ask, "dogecoin", is_open=True)
    assert unite("--check") == ""
    assert ask("select count(*) from rpt_reconciliation") == [(3,)]
    assert ask("select count(*) from fct_blocks") == [(150,)]


WAYS = [
    "select * from united.made",
    "select umoptions from pg_user_mapping",
    "create foreign table analytics.x (n integer) server chain_bitcoin options (schema_name 'raw_data')",
    "import foreign schema raw_data from server chain_bitcoin into analytics",
    "alter foreign table chain_bitcoin.fct_blocks options (set schema_name 'raw_data', set table_name 'load_ledger')",
    "alter server chain_bitcoin options (set dbname 'postgres')",
    "alter user mapping for bi_reader server chain_bitcoin options (set user 'transformer')",
    "create user mapping for public server chain_bitcoin options (user 'transformer', password 'x')",
    "drop user mapping for bi_reader server chain_bitcoin",
    "create server other foreign data wrapper postgres_fdw options (host '127.0.0.1')",
    "create extension dblink",
    "insert into fct_blocks values (1, 'bitcoin', null, 1)",
    "truncate chain_bitcoin.fct_blocks",
    "set role transformer",
    "grant usage on foreign server chain_bitcoin to bi_reader",
]


def test_the_reader_reaches_nothing_but_marts_through_foreign_servers(unite: Callable[..., str], ask: Ask) -> None:
    unite()
    refused = (
        *(errors.InsufficientPrivilege, errors.ObjectNotInPrerequisiteState, errors.FeatureNotSupported),
        errors.UndefinedObject,
    )
    for way in WAYS:
        with pytest.raises(refused):
            ask(f"set transaction read write; {way}")
    assert ask("select distinct umoptions is null from pg_user_mappings") == [(True,)]


def test_nothing_is_left_when_it_is_removed(unite: Callable[..., str], ask: Ask) -> None:
    count = (
        "select (select count(*) from pg_namespace), (select count(*) from pg_class where relkind in ('r', 'v', 'f',"
        " 'p') and relnamespace > 16383), (select count(*) from pg_foreign_server),"
        " (select count(*) from pg_extension),"
        " (select count(*) from pg_db_role_setting where setrole = 0)"
    )
    before = ask(count, role="admin")
    unite("--copy-daily")
    assert ask(count, role="admin") != before
    unite("--remove")
    assert ask(count, role="admin") == before
    assert "united nothing" in unite("--remove")
    assert ask("select count(*) from analytics.fct_blocks", role="admin", chain="bitcoin") == [(50,)]


def test_what_is_somebodys_is_left_alone(unite: Callable[..., str], ask: Ask) -> None:
    unite()
    ask("create view analytics.mine as select count(*) from analytics.dim_miner", role="transformer")
    said = unite("--copy-daily", code=1)
    assert "Something was made upon a united table (view analytics.mine depends on" in said
    assert ask("select count(*) from fct_blocks") == [(150,)]
    ask("drop view analytics.mine; create table analytics.fct_own (n int)", role="transformer")
    said = unite(code=1)
    assert "has marts of its own (fct_own, ...)" in said
    assert "WAREHOUSE_DB" in said


def test_a_dry_run_says_where_rows_come_from_and_makes_nothing(unite: Callable[..., str], ask: Ask) -> None:
    said = unite("--dry-run")
    assert "fct_blocks: each chain's own rows, asked there" in said
    assert "fct_market_prices_daily: rows of the first chain's server, asked there" in said
    assert ask("select count(*) from pg_foreign_server", role="admin") == [(0,)]
    assert "unites nothing yet" in unite("--check", code=1)


def test_nothing_is_united_while_a_chain_was_never_reached(unite: Callable[..., str], ask: Ask) -> None:
    close(ask, "dogecoin")
    said = unite(code=1)
    assert "Nothing is united yet, and for that every chain has to answer. dogecoin does not answer" in said
    assert ask("select to_regclass('analytics.fct_blocks')") == [(None,)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Set WAREHOUSE_CHAINS in .env"),
        ({"WAREHOUSE_CHAINS": "bitcoin,bitcoin"}, "each once"),
        ({"WAREHOUSE_CHAINS": "Bit'coin"}, "Blockchair's names"),
        (
            {"WAREHOUSE_CHAINS": "bitcoin"},
            "Set WAREHOUSE_BITCOIN_HOST and WAREHOUSE_BITCOIN_BI_READER_PASSWORD in .env",
        ),
        ({"WAREHOUSE_CHAINS": "x", "WAREHOUSE_X_HOST": "h", "WAREHOUSE_X_PORT": "0"}, "WAREHOUSE_X_PORT is '0'"),
        ({"WAREHOUSE_CHAINS": "x", "WAREHOUSE_X_HOST": "h", "WAREHOUSE_X_SSLMODE": "yes"}, "WAREHOUSE_X_SSLMODE"),
    ],
)
def test_a_setting_that_is_missing_or_wrong_is_named(given: dict[str, str], said: str) -> None:
    password = {"WAREHOUSE_X_BI_READER_PASSWORD": "p"}
    with pytest.raises(WarehouseError, match=said):
        read_chains(given | password)


def test_a_password_is_set_where_it_is_another_or_cannot_be_seen() -> None:
    (chain,) = read_chains({"WAREHOUSE_CHAINS": "x", "WAREHOUSE_X_HOST": "h", "WAREHOUSE_X_BI_READER_PASSWORD": "it's"})
    assert mapping_statement(chain, "bi_reader", {"user": "bi_reader", "password": "it's"}) is None
    said = mapping_statement(chain, "bi_reader", {})
    assert said is not None
    assert said.as_string(None) == (
        "alter user mapping for \"bi_reader\" server \"chain_x\" options (set user 'bi_reader', set password 'it''s')"
    )
