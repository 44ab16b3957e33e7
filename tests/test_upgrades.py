"""Warehouses that older commits have filled are brought to this release by one command.

`tests/data/upgrades` holds what `make run` of five commits left. Each becomes what this release builds from the same
raw rows in an empty warehouse: every mart, cell by cell.
"""

import json
import lzma
import re
import shlex
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from checkout import PROJECT, Checkout, kill_group
from sources import get
from test_incremental_models import FORGET
from waiting import wait_for
from warehouse.migrate import REVISION

DATA = PROJECT / "tests/data/upgrades"
# The world from which those commits filled them.
WORLD = {
    "SIMULATOR_START": "2025-01-30",
    "SIMULATOR_DAYS": "4",
    "SIMULATOR_BLOCKS_PER_DAY": "6",
    "SIMULATOR_TRANSACTIONS_PER_BLOCK": "3",
    "TAP_BLOCKCHAIR_START_DATE": "2025-01-30",
    "TAP_COINGECKO_START_DATE": "2025-01-20",
}
# What lists all coins of the simulated CoinGecko, of which there are more than when those commits asked it.
WHOLE_MARKET = {
    f"raw_data.coingecko_{name}"
    for name in ("categories", "coin_details", "coins_list", "coins_markets", "exchange_rates", "global", "trending")
}
STATES = ("tap-coingecko-to-target-postgres", "tap-blockchair-to-target-postgres")
CHAINS = ("bitcoin", "dogecoin", "ethereum")
MARK = "select revision from intermediate.warehouse_revision"
LOADS = "select load_id, table_name, unit, rows_loaded from raw_data.load_ledger order by 1"
# Kind, columns and indexes of all that dbt builds but the seeds and what tests store.
SHAPES = """
    select
        relation.oid::regclass::text,
        relation.relkind::text,
        (
            select
                string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull), ', ' order by attnum)
            from pg_attribute where attrelid = relation.oid and attnum > 0 and not attisdropped
        ),
        (
            select string_agg(definition, ', ' order by definition)
            from (
                select indisunique || substring(pg_get_indexdef(indexrelid) from ' USING .*') as definition
                from pg_index where indrelid = relation.oid
            ) as indexes
        )
    from pg_class as relation
    where relnamespace in ('intermediate'::regnamespace, 'analytics'::regnamespace)
        and relkind in ('r', 'p', 'v') and not relispartition
    order by 1
"""
UPGRADED = "the warehouse is of this release brought to it"
Tables = dict[str, tuple[int, str]]

pytestmark = pytest.mark.long(part="upgrades")


def restore(checkout: Checkout, commit: str, folder: Path) -> None:
    """Put what a commit has filled into the place of the local warehouse, as a restored backup."""
    script = folder / f"{commit}.sql"
    script.write_bytes(lzma.decompress((DATA / f"{commit}.sql.xz").read_bytes()))
    admin = urlsplit(checkout.url("admin"))
    with psycopg.connect(admin._replace(path="/postgres").geturl(), autocommit=True) as connection:
        connection.execute("drop database if exists crypto with (force)")
        connection.execute("create database crypto encoding 'UTF8' template template0")
    checkout.run("warehouse", "psql", "--role", "admin", "-qv", "ON_ERROR_STOP=1", "-f", str(script))
    checkout.run("warehouse", "init")


def as_analyst(checkout: Checkout, command: str) -> None:
    """Let somebody else do something, in a schema of their own."""
    checkout.sql_do(f"set role analyst; {command}", role="admin")


def raw(tables: Tables) -> Tables:
    """The raw tables; what a row says of its load is left out."""
    return {name: found for name, found in tables.items() if name.startswith("raw_data.")}


def rebuilt(checkout: Checkout) -> Tables:
    """Every table as this release builds it in a warehouse that holds nothing but raw rows."""
    checkout.sql_do(FORGET)
    checkout.run(
        *("meltano", "invoke", "dbt-postgres", "build"),
        *("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"),
    )
    return checkout.tables()


def guide(page: str, heading: str) -> list[list[str]]:
    """The project's commands in a paragraph or list of a page, in their order."""
    text = (PROJECT / page).read_text().split(heading, 1)[1].split("\n\n", 1)[0].replace("\n", " ")
    return [shlex.split(found) for found in re.findall(r"`((?:make|warehouse|meltano) [^`]+)`", text)]


def keep_bookmarks(checkout: Checkout, commit: str, renamed: dict[str, str]) -> None:
    """Give the checkout's Meltano the bookmarks of a commit, under other state ids at choice."""
    for line in (DATA / f"{commit}.json").read_text().splitlines():
        kept = json.loads(line)
        name = renamed.get(kept["id"], kept["id"])
        checkout.run("meltano", "state", "set", "--force", name, json.dumps(kept["state"]))


def downloads(checkout: Checkout) -> list[str]:
    """The dump files that the simulator has sent, as often as it has."""
    log = json.loads(get(f"{checkout.simulator()}/_simulator/requests"))["log"]
    sent = (entry for entry in log if (entry["method"], entry["status"]) == ("GET", 200))
    return sorted(entry["path"].rsplit("/", 1)[-1] for entry in sent if entry["path"].endswith(".gz"))


def migrate(checkout: Checkout, *options: str, fails: bool = False) -> str:
    """Upgrade; what it prints."""
    done = checkout.run("meltano", "invoke", "warehouse:migrate", *options, check=not fails)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


@pytest.fixture(scope="module")
def served(checkout: Checkout) -> Checkout:
    """A checkout of this release with a running server, and somebody who reads the marts."""
    checkout.run("warehouse", "start")
    checkout.sql_do("create role analyst", role="admin")
    return checkout


@pytest.fixture
def older(request: pytest.FixtureRequest, served: Checkout, tmp_path: Path) -> Checkout:
    """The same, with the warehouse of the test's commit, and a view of somebody else on a mart that stays as it is."""
    restore(served, request.param, tmp_path)
    served.sql_do(
        "create schema mine authorization analyst; grant usage on schema analytics, staging to analyst;"
        "grant select on all tables in schema analytics to analyst; grant select on staging.assets to analyst",
        role="admin",
    )
    as_analyst(
        served,
        "create view mine.bands as select * from analytics.dim_age_band;"
        "create view mine.coins as select * from staging.assets",
    )
    return served


def check_upgraded(checkout: Checkout) -> None:
    """That the warehouse is what this release makes of its raw rows, and somebody's view is there."""
    assert checkout.sql(MARK) == [(REVISION,)]
    assert checkout.sql("select count(*) > 3 from mine.bands", role="admin") == [(True,)]
    # what no model makes any more is gone, but for that on which somebody's view stands
    former = "stg_blockchair__(bitcoin|dogecoin)_.*|assets|subsidies"
    staged = "select relname from pg_class where relnamespace = 'staging'::regnamespace and relkind in ('r', 'v')"
    assert checkout.sql(f"{staged} and relname ~ '^({former})$'") == [("assets",)]
    check_as_rebuilt(checkout)


def check_as_rebuilt(checkout: Checkout) -> None:
    """That every table has the rows, columns and indexes that this release builds from the raw rows."""
    upgraded, shapes = checkout.tables(), checkout.sql(SHAPES)
    assert len(upgraded) > 110
    again = rebuilt(checkout)
    assert shapes == checkout.sql(SHAPES)
    assert {name for name in again if upgraded.get(name) != again[name]} == set()
    assert upgraded.keys() == again.keys()


@pytest.mark.parametrize("older", ["1d73d7d"], indirect=True)
def test_the_oldest_stops_before_anything_and_is_then_upgraded(older: Checkout) -> None:
    before, loads = older.tables(), older.sql(LOADS)
    built = older.run("meltano", "run", "dbt-postgres:build", check=False)
    assert built.returncode != 0
    assert "An older release has filled this warehouse: run `meltano invoke warehouse:migrate` once" in built.stderr

    as_analyst(older, "create view mine.blocks as select * from analytics.fct_blocks")
    lost = "would be lost: analytics.fct_blocks: mine.blocks (of analyst). Nothing was changed."
    assert lost in migrate(older, fails=True)
    assert older.tables() == before
    as_analyst(older, "drop view mine.blocks")

    planned = migrate(older, "--dry-run")
    left_alone = "raw_data.bitcoin_blocks: 4 rows of bitcoin/blocks/2025-02-02 name its last load"
    assert "other columns or indexes: analytics.fct_blocks" in planned
    assert left_alone in planned
    assert older.tables() == before
    assert older.sql(LOADS) == loads

    assert left_alone in migrate(older)
    assert raw(older.tables()) == raw(before)
    counted = "select distinct rows_loaded, count(*) over () from raw_data.load_ledger join raw_data.bitcoin_blocks"
    last = "load_id = _load_id and _unit = unit where unit = 'bitcoin/blocks/2025-02-02'"
    assert older.sql(f"{counted} on {last}") == [(6, 6)]
    after, loads = older.tables(), older.sql(LOADS)
    assert "nothing to do" in migrate(older)
    assert (older.tables(), older.sql(LOADS)) == (after, loads)
    check_upgraded(older)


@pytest.mark.parametrize("older", ["77ba8eb"], indirect=True)
def test_an_upgrade_that_was_killed_is_done_by_the_next(older: Checkout) -> None:
    before = older.tables()
    reshaped = "select true from pg_attribute where attrelid = 'analytics.fct_blocks'::regclass and attname = %s"
    with psycopg.connect(older.url("transformer"), autocommit=True) as connection:
        assert connection.execute(reshaped, ["reward_epoch_key"]).fetchone() is None
        running = older.start("warehouse", "migrate", output=subprocess.DEVNULL)
        try:
            wait_for(
                lambda: running.poll() is not None or connection.execute(reshaped, ["reward_epoch_key"]).fetchone(),
                "fct_blocks is new",
            )
            assert running.poll() is None
        finally:
            kill_group(running)
        assert connection.execute(MARK).fetchone() is None

    migrate(older)
    assert raw(older.tables()) == raw(before)
    check_upgraded(older)


@pytest.mark.parametrize(("older", "commit"), [("c0fc5dc", "c0fc5dc"), ("6350ee7", "6350ee7")], indirect=["older"])
def test_make_run_upgrades_where_it_has_to_and_goes_on_from_the_bookmarks(older: Checkout, commit: str) -> None:
    before = older.tables()
    keep_bookmarks(older, commit, {})
    older.run("simulator", "reset")  # another test's has its own reorganisations
    older.run("simulator", "start", **WORLD)
    older.at_source("reorg", chain="bitcoin", depth=4)
    assert UPGRADED in older.make("run", **WORLD).stdout
    found, held = raw(older.tables()), raw(before)
    assert found.keys() == held.keys()
    assert {name for name in held if found[name] != held[name]} <= WHOLE_MARKET
    check_upgraded(older)
    assert UPGRADED not in older.make("run", **WORLD).stdout


def test_a_live_deployment_is_upgraded_as_the_guide_says_and_takes_the_next_day(
    served: Checkout, tmp_path: Path
) -> None:
    restore(served, "a41e206", tmp_path)
    served.run("simulator", "reset")
    served.run("simulator", "start", **WORLD)
    served.at_source("reorg", chain="bitcoin", depth=4)
    jobs = {"tap-blockchair-to-target-postgres": "tap-blockchair--dumps-to-target-postgres"}
    keep_bookmarks(served, "a41e206", {f"local:{name}": f"prod:{jobs.get(name, name)}" for name in STATES})
    url = served.simulator()
    live = served.own_database("crypto") | {name: day for name, day in WORLD.items() if name.startswith("TAP_")}
    live |= {"TAP_BLOCKCHAIR_API_URL": f"{url}/blockchair", "TAP_BLOCKCHAIR_DUMPS_URL": f"{url}/dumps"}
    live |= {"TAP_COINGECKO_API_URL": f"{url}/coingecko/api/v3", "TAP_COINGECKO_REQUESTS_PER_MINUTE": "600"}
    live |= {f"{name}_DATA_ORIGIN": "simulator" for name in ("TAP_BLOCKCHAIR", "TAP_COINGECKO", "TARGET_POSTGRES")}
    (load,) = [words for words in guide("README.md", "## Live data in three steps\n") if words[0] == "meltano"]

    before = served.tables()
    refused = served.fails("meltano", "--environment=prod", "run", "warehouse-to-marts", **live)
    assert "run `meltano invoke warehouse:migrate` once" in refused
    block = (PROJECT / "docs/guides/upgrade.md").read_text().split("## Without containers\n```sh\n", 1)[1]
    typed = [shlex.split(line) for line in block.split("```", 1)[0].splitlines()]
    backup, env, upgrade = [words for words in typed if words[0] in {"make", "warehouse"}]
    served.run(*backup, **live)
    served.make(env[1])
    done = served.run(*upgrade, **live)
    assert "building every table anew from raw rows" in done.stdout + done.stderr
    assert raw(served.tables()) == raw(before)

    served.run("simulator", "advance", "1")
    served.run(*load, **live)
    assert downloads(served) == [f"blockchair_{chain}_blocks_20250203.tsv.gz" for chain in CHAINS]
    assert served.sql("select max(block_date)::text from analytics.fct_blocks") == [("2025-02-03",)]
    assert served.sql(MARK) == [(REVISION,)]
    check_as_rebuilt(served)
