"""Raw months that dump files hold leave the warehouse and come back; marts keep every row meanwhile."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from checkout import RUN_TIME_COLUMNS, Checkout, kill_group
from waiting import wait_for
from worlds import LOADS, RETAINED, World

pytestmark = pytest.mark.long(part="retention")
JANUARY = "raw_data.bitcoin_transactions_p2025_01"
# Of dogecoin, whose earlier outputs nobody loaded, and ethereum, whose dumps do not say what was burned, no day is
# verified unless these may be left open; the first day of each has no day before it.
OPEN = (
    *("input_origin", "input_recipient", "block_reward", "block_header_hash", "block_chainwork", "block_median_time"),
    *("block_parent", "chain_days", "block_base_fee", "block_gas_limit", "block_total_difficulty"),
)
ACCEPTED = tuple(word for check in OPEN for word in ("--accept", check))
# What says of itself that months are archived, and what is about runs.
MARKED = ("analytics.rpt_day_status", "analytics.rpt_reconciliation")
ROWS = """
    select count(*), md5(coalesce(string_agg(line, e'\\n' order by line collate "C"), ''))
    from (select (to_jsonb(t) - %s::text[])::text as line from raw_data.{name} as t) as lines
"""
Tables = dict[str, tuple[int, str]]


@pytest.fixture(scope="module")
def world(filled: Callable[[World], Checkout]) -> Checkout:
    return filled(RETAINED)


@pytest.fixture(scope="module")
def archive(world: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that were loaded, in a folder that no later run tidies up."""
    folder = tmp_path_factory.mktemp("archive") / "dumps"
    shutil.copytree(world.root / ".state" / "downloads", folder)
    return folder


def rows_of_january(world: Checkout) -> Tables:
    """Rows and a digest of what raw tables have of January, run-time columns left out."""
    found: Tables = {}
    dropped = """
        select relname from pg_class
        where relnamespace = 'raw_data'::regnamespace and relname ~ '(transactions|outputs|inputs|calls)_p2025_01$'
    """
    for (name,) in world.sql(dropped):
        ((count, digest),) = world.sql(ROWS.format(name=name), list(RUN_TIME_COLUMNS))
        found[str(name).removesuffix("_p2025_01")] = (int(str(count)), str(digest))
    return found


@pytest.fixture(scope="module")
def january(world: Checkout) -> Tables:
    """What raw tables had of January before anything was archived."""
    return rows_of_january(world)


@pytest.fixture(scope="module")
def loaded(world: Checkout, january: Tables) -> Tables:
    """Every table as it was before anything was archived."""
    return world.tables()


def retain(world: Checkout, archive: Path, *more: str) -> str:
    return world.run("warehouse", "retain", "--months", "1", "--archive", str(archive), *more).stdout


def restore(world: Checkout, archive: Path, *more: str) -> tuple[str, ...]:
    return "warehouse", "retain", "--restore", "2025-01", "--archive", str(archive), *more


def archived(world: Checkout) -> list[tuple[object, ...]]:
    return world.sql("select table_name, state from raw_data.archived_months order by 1")


def built(tables: Tables) -> Tables:
    """The tables that dbt makes, but for those that name archived days."""
    return {name: found for name, found in tables.items() if not name.startswith("raw_data.") and name not in MARKED}


def build(world: Checkout) -> None:
    world.run("meltano", "run", "dbt-postgres:run")


@pytest.mark.usefixtures("loaded")
def test_the_plan_changes_nothing(world: Checkout, archive: Path) -> None:
    said = retain(world, archive)
    assert "bitcoin 2025-01: " in said
    assert said.splitlines()[0].endswith("can be dropped")
    assert "dogecoin 2025-01" in said
    assert "2025-01-29 is unverifiable (input_origin, input_recipient)" in said
    assert "ethereum 2025-01" in said
    assert "2025-01-29 is unverifiable (block_reward)" in said
    assert "2025-02" not in said
    assert world.sql("select to_regclass('raw_data.archived_months')") == [(None,)]


DAY = "chain = 'bitcoin' and block_date = '2025-01-30'"
CHANGED = "(select max(change_id) from intermediate.int_changed_days)"
# What speaks against it: how it comes about, how that is undone, by which role, and what is said of it.
REASONS = {
    "failed": (
        f"update analytics.rpt_day_status set day_status = 'failed' where {DAY}",  # noqa: S608
        f"update analytics.rpt_day_status set day_status = 'verified' where {DAY}",  # noqa: S608
        "transformer",
        "2025-01-30 is failed",
    ),
    "never checked": (
        f"update analytics.rpt_day_status set day_status = 'unverifiable' where {DAY}",  # noqa: S608
        f"update analytics.rpt_day_status set day_status = 'verified' where {DAY}",  # noqa: S608
        "transformer",
        "2025-01-30 is unverifiable",
    ),
    "unsettled": (
        f"update analytics.rpt_day_status set is_final = false where {DAY}",  # noqa: S608
        f"update analytics.rpt_day_status set is_final = true where {DAY}",  # noqa: S608
        "transformer",
        "2025-01-30 is not settled",
    ),
    "a load that no build has seen": (
        f"update intermediate.int_loads_tracked set load_id = -load_id where {DAY.replace('block_date', 'first_day')}",  # noqa: S608
        "update intermediate.int_loads_tracked set load_id = -load_id where load_id < 0",
        "transformer",
        "4 loads of it are not in the marts yet",
    ),
    "a mart that was held back": (
        "update intermediate.model_watermarks set change_id = 0 where model_name = 'fct_transactions'",
        f"update intermediate.model_watermarks set change_id = {CHANGED} where model_name = 'fct_transactions'",  # noqa: S608
        "transformer",
        "left them out: fct_transactions",
    ),
    "rows of the API": (
        "update raw_data.bitcoin_outputs set _load_id = -_load_id where time::date = '2025-01-30'",
        "update raw_data.bitcoin_outputs set _load_id = -_load_id where _load_id < 0",
        "loader",
        "rows of bitcoin_outputs of 2025-01-30 came from no dump file",
    ),
    "the other source's rows to compare": (
        "create table raw_compared.bitcoin_outputs as select * from raw_data.bitcoin_outputs",
        "drop table raw_compared.bitcoin_outputs",
        "loader",
        "raw_compared.bitcoin_outputs has rows of the month",
    ),
}


@pytest.mark.parametrize("reason", REASONS)
def test_a_month_stays_for_a_reason(world: Checkout, archive: Path, loaded: Tables, reason: str) -> None:
    spoil, mend, role, words = REASONS[reason]
    world.sql_do(spoil, role=role)
    try:
        said = retain(world, archive, "--chain", "bitcoin", "--execute", *ACCEPTED)
    finally:
        world.sql_do(mend, role=role)
    assert "bitcoin 2025-01" in said
    assert "stays: " in said
    assert words in said
    assert world.tables() == loaded


def test_a_month_stays_whose_file_is_not_in_the_archive_as_it_was(
    world: Checkout, archive: Path, loaded: Tables
) -> None:
    (path,) = archive.rglob("blockchair_bitcoin_outputs_20250130.*.tsv.gz")
    content = path.read_bytes()
    try:
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert f"{path} is another file than the one that was loaded" in retain(world, archive, "--execute")
        path.unlink()
        assert f"blockchair_bitcoin_outputs_20250130.tsv.gz is not in {archive}" in retain(world, archive, "--execute")
    finally:
        path.write_bytes(content)
    assert world.tables() == loaded


def test_a_kill_leaves_the_month_and_no_note(world: Checkout, archive: Path, loaded: Tables) -> None:
    """At the drop itself, which waits for a reader, after the month was noted."""
    with psycopg.connect(world.url("transformer")) as reader:
        reader.execute(f"select count(*) from {JANUARY}")  # noqa: S608
        words = ("warehouse", "retain", "--months", "1", "--archive", str(archive), "--chain", "bitcoin", "--execute")
        process = world.start(*words)
        waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like 'drop table%'"
        wait_for(lambda: bool(world.sql(waiting, role="admin")), "the drop to wait")
        kill_group(process)
    assert world.sql("select to_regclass('raw_data.archived_months')") == [(None,)]
    assert world.tables() == loaded


def test_a_reader_is_waited_for_but_not_for_long(world: Checkout, archive: Path, loaded: Tables) -> None:
    with psycopg.connect(world.url("transformer")) as reader:
        reader.execute(f"select count(*) from {JANUARY}")  # noqa: S608
        words = ("warehouse", "retain", "--months", "1", "--archive", str(archive), "--execute")
        assert "bitcoin 2025-01 is in use for more than 10s, and stays" in world.fails(*words)
    assert world.tables() == loaded


def test_a_month_stays_while_dbt_is_at_work(world: Checkout, archive: Path, loaded: Tables) -> None:
    words = ("warehouse", "retain", "--months", "1", "--archive", str(archive), "--execute")
    with psycopg.connect(world.url("transformer"), application_name="dbt"):
        assert "dbt is at work, so bitcoin 2025-01 stays" in world.fails(*words)
    assert world.tables() == loaded


@pytest.fixture(scope="module")
def dropped(world: Checkout, archive: Path, loaded: Tables) -> Tables:
    """Every table after January was dropped from raw tables of all chains, and marts were built."""
    said = retain(world, archive, "--execute", *ACCEPTED)
    assert [line.endswith("dropped") for line in said.splitlines()] == [True] * 3
    build(world)
    return world.tables()


def test_rows_are_gone_and_noted(world: Checkout, loaded: Tables, dropped: Tables) -> None:
    rows = dict(world.sql("select table_name, rows from raw_data.archived_months where state = 'archived'"))
    assert len(rows) == 9
    for table, count in rows.items():
        name = f"raw_data.{table}"
        assert dropped[name][0] == loaded[name][0] - int(str(count))
        assert world.sql(f"select to_regclass('{name}_p2025_01')") == [(None,)]
    assert {table for table, state in archived(world) if state == "kept"} >= {"bitcoin_blocks", "ethereum_blocks"}
    for table in ("bitcoin_blocks", "dogecoin_blocks", "ethereum_blocks"):
        assert dropped[f"raw_data.{table}"] == loaded[f"raw_data.{table}"]
    noted = "select sum(cast(file ->> 'rows' as int)), sum(distinct rows) from raw_data.archived_months, "
    noted += "jsonb_array_elements(files) as file where table_name = 'bitcoin_outputs'"
    assert world.sql(noted) == [(rows["bitcoin_outputs"],) * 2]


def test_marts_and_checks_keep_their_rows(world: Checkout, loaded: Tables, dropped: Tables) -> None:
    assert built(dropped) == built(loaded)
    for mart in MARKED:
        marked = f"select distinct to_char(block_date, 'YYYY-MM'), is_archived from {mart} order by 1"  # noqa: S608
        assert world.sql(marked) == [("2025-01", True), ("2025-02", False)]
    of_day = f"select day_status, verified_count > 0 from analytics.rpt_day_status where {DAY}"  # noqa: S608
    assert world.sql(of_day) == [("verified", True)]


@pytest.mark.usefixtures("dropped")
def test_people_are_told(world: Checkout) -> None:
    summary = " ".join(world.run("crypto-elt", "summary").stdout.split())
    assert "bitcoin: raw rows of 2025-01 are only in the archive; its days were verified before" in summary
    health = world.run("crypto-elt", "health", "--json", check=False).stdout
    assert '"bitcoin 2025-01"' in health


def test_a_late_close_of_an_archived_day_takes_no_row(world: Checkout, loaded: Tables, dropped: Tables) -> None:
    gone = "from raw_data.coingecko_market_chart where coin_id = 'bitcoin' and granularity = 'daily' "
    gone += "and stamp_date = '2025-01-31'"
    world.sql_do(f"create table raw_data.aside as select * {gone}", role="loader")
    world.sql_do(f"delete {gone}", role="loader")
    build(world)
    world.sql_do("insert into raw_data.coingecko_market_chart select * from raw_data.aside", role="loader")
    world.sql_do("drop table raw_data.aside", role="loader")
    build(world)
    causes = f"select count(*) > 0 from intermediate.int_changed_days where {DAY} and causes like '%price%'"  # noqa: S608
    assert world.sql(causes) == [(True,)]
    assert world.tables() == dropped


def test_a_rebuild_is_refused(world: Checkout, dropped: Tables) -> None:
    dbt = ("meltano", "invoke", "dbt-postgres")
    for command in (
        ("build", "--full-refresh"),
        ("run", "--full-refresh", "--select", "fct_transactions"),
        ("run", "--select", "int_check_transaction_parts", "--vars", "recheck: true"),
    ):
        said = " ".join(world.fails(*dbt, *command).split())
        assert "Raw rows of 2025-01 are only in the archive" in said
        assert "warehouse retain --restore 2025-01 --archive FOLDER" in said
    assert world.tables() == dropped
    world.run(*dbt, "run", "--full-refresh", "--select", "fct_blocks", "rpt_day_status")  # of what is all there
    assert world.tables() == dropped


@pytest.mark.usefixtures("dropped")
def test_the_same_files_again_are_skipped(world: Checkout) -> None:
    again = ("meltano", "run", "--full-refresh", "--state-id-suffix=again", "tap-blockchair", "target-postgres")
    world.run(*again, **RETAINED.loaded)
    assert world.sql(f"select to_regclass('{JANUARY}')") == [(None,)]


def test_the_next_day_is_built_beside_them(world: Checkout, dropped: Tables) -> None:
    world.at_source("advance", days=1)
    world.run("meltano", "run", *LOADS, **RETAINED.loaded)
    world.run("meltano", "run", "dbt-postgres:build")
    days = "select count(*), count(*) filter (where is_archived) from analytics.rpt_day_status"
    assert world.sql(days) == [(30, 12)]
    assert world.sql("select count(distinct block_date) from analytics.fct_transactions where chain = 'bitcoin'") == [
        (10,)
    ]


def test_another_file_of_an_archived_day_is_refused(world: Checkout) -> None:
    """After the day that came, so that all that is compared below has this file in it."""
    world.at_source("replace", chain="bitcoin", table="transactions", day="2025-01-30")
    again = ("meltano", "run", "--full-refresh", "--state-id-suffix=late", "tap-blockchair", "target-postgres")
    said = " ".join(world.fails(*again, **RETAINED.loaded).split())
    assert "raw_data.bitcoin_transactions: the month 2025-01 is in the archive" in said
    assert "warehouse retain --restore 2025-01" in said
    assert world.sql(f"select to_regclass('{JANUARY}')") == [(None,)]


def test_a_month_comes_back_whole_or_not_at_all(world: Checkout, archive: Path) -> None:
    (path,) = archive.rglob("blockchair_bitcoin_outputs_20250130.*.tsv.gz")
    aside = path.rename(path.with_suffix(".aside"))
    said = world.fails(*restore(world, archive))
    assert "Nothing was loaded, since 1 files are not in the archive as they were loaded" in said
    assert "archived" in {state for _, state in archived(world)}
    assert world.sql(f"select to_regclass('{JANUARY}')") == [(None,)]
    aside.rename(path)
    assert "2024-12 is not archived; archived are: bitcoin 2025-01" in world.fails(
        "warehouse", "retain", "--restore", "2024-12", "--archive", str(archive)
    )


@pytest.fixture(scope="module")
def returned(world: Checkout, archive: Path) -> Tables:
    """Every table after January came back, by a restore that was killed and one that went on, and after a build."""
    process = world.start(*restore(world, archive))
    wait_for(
        lambda: bool(world.sql(f"select 1 where to_regclass('{JANUARY}') is not null")), "the first day to come back"
    )
    kill_group(process)
    time.sleep(1)
    half = {state for table, state in archived(world) if table.startswith("bitcoin")}
    assert half == {"returning"}
    assert "a restore of it has not come to its end" in retain(world, archive, "--execute", *ACCEPTED)
    before = built(world.tables())
    build(world)  # which sees a part of the month
    assert built(world.tables()) == before
    world.run(*restore(world, archive))
    assert archived(world) == []
    build(world)
    return world.tables()


def test_a_restored_month_is_what_it_was(world: Checkout, january: Tables, returned: Tables) -> None:
    assert rows_of_january(world) == january
    assert len(january) == 9
    assert returned["raw_data.bitcoin_transactions"][0] > january["bitcoin_transactions"][0] > 0


def test_all_equals_a_rebuild(world: Checkout, returned: Tables) -> None:
    world.run("meltano", "invoke", "dbt-postgres", "build", "--full-refresh", "--exclude-resource-type", "unit_test")
    assert world.tables() == returned
