"""What a model has taken in: all that it read, nothing that came after, and its tests read just that."""

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from checkout import Checkout
from worlds import FEBRUARY, World

MODEL = "fct_transactions"
LOGS = ("int_loads_tracked", "int_price_changes", "int_chain_days", "int_changed_days")
PRICE = "update raw_data.coingecko_market_chart set price = price * 2 where coin_id = 'ethereum' and stamp = '{}'"
# Which transaction wrote a mart's rows of a day, and how many they are.
WRITTEN = f"select min(xmin::text), count(*) from analytics.{MODEL} where chain = '{{}}' and block_date = '{{}}'"  # noqa: S608
# Post-hooks run in the model's transaction, after it has read which days changed.
TRANSFERS = "int_transaction_transfers"
TWICE = f"""
      {TRANSFERS}:
        +post-hook: >-
          insert into intermediate.{TRANSFERS}
          select * from intermediate.{TRANSFERS} where chain = 'bitcoin' and block_date = '2025-02-02' limit 1
"""  # noqa: S608
NEXT_CHANGE = "nextval('intermediate.change_id')"
LOG_CHANGE = "insert into intermediate.int_changed_days (change_id, chain, block_date, causes) values"
MEANWHILE = f"""
      {MODEL}:
        +post-hook: >-
          insert into intermediate.int_changed_days (change_id, chain, block_date, causes)
          values (nextval('intermediate.change_id'), 'bitcoin', '2025-02-02', 'load')
"""  # noqa: S608


def dbt(checkout: Checkout, *arguments: str, check: bool = True) -> int:
    return checkout.run("meltano", "invoke", "dbt-postgres", *arguments, check=check).returncode


def change_price(checkout: Checkout, stamp: str) -> None:
    """Let a close change; the point at midnight is the close of the day before."""
    checkout.sql_do(PRICE.format(stamp), role="loader")


def written(checkout: Checkout, chain: str, day: str) -> tuple[object, ...]:
    return checkout.sql(WRITTEN.format(chain, day))[0]


@pytest.fixture(scope="module")
def built(filled: Callable[[World], Checkout]) -> Checkout:
    """A small warehouse."""
    return filled(FEBRUARY)


@pytest.fixture
def project_file(built: Checkout) -> Path:
    """dbt_project.yml, which is as it was again afterwards."""
    return built.root / "transform/dbt_project.yml"


def test_one_run_waits_for_another_and_for_no_reader(built: Checkout) -> None:
    """At its first log, not before; bi_reader holds the lock that an older release took for it."""
    waiting = "select query from pg_stat_activity where usename = 'transformer' and wait_event_type = 'Lock'"
    with (
        ThreadPoolExecutor(1) as thread,
        psycopg.connect(built.url("bi_reader")) as reader,
        psycopg.connect(built.url("transformer")) as other,
    ):
        key = '"crypto"."intermediate"."model_watermarks"'
        reader.execute("select pg_advisory_lock(hashtext(%s))", [key])
        other.execute("lock table intermediate.model_watermarks in share update exclusive mode")
        run = thread.submit(dbt, built, "run", "--select", "int_loads_tracked")
        deadline = time.monotonic() + 120
        while not (found := built.sql(waiting, role="admin")):
            assert not run.done(), "the run did not wait"
            assert time.monotonic() < deadline, "the run never came to wait"
            time.sleep(0.05)
        assert "lock table" in str(found)
        other.rollback()
        assert run.result(300) == 0


def test_an_older_warehouse_gets_the_new_column(built: Checkout) -> None:
    built.sql_do("alter table intermediate.model_watermarks drop column previous_change_id")
    built.sql_do(
        "delete from intermediate.model_watermarks where model_name in ('int_loads_tracked', 'int_chain_days')"
    )
    change_price(built, "2025-02-02")
    before = written(built, "ethereum", "2025-02-01"), written(built, "ethereum", "2025-02-03")
    dbt(built, "build", "--select", *LOGS, MODEL)
    after = written(built, "ethereum", "2025-02-01"), written(built, "ethereum", "2025-02-03")
    assert after[0][0] != before[0][0]
    assert after[1] == before[1]


def test_a_model_that_was_held_back_is_tested_on_all_that_it_took_in(built: Checkout) -> None:
    for stamp in ("2025-02-03", "2025-02-05"):
        change_price(built, stamp)
        dbt(built, "run", "--select", *LOGS)
    dbt(built, "run", "--select", MODEL)
    damage = f"update analytics.{MODEL} set date_key = %s where chain = 'ethereum' and block_date = '%s'"  # noqa: S608
    for day, found in (("2025-02-02", True), ("2025-02-04", True), ("2025-02-03", False)):
        built.sql_do(damage % (19990101, day))
        assert (dbt(built, "test", "--select", MODEL, check=False) != 0) is found, day
        built.sql_do(damage % (int(day.replace("-", "")), day))
    # nothing is new to the next build, and what failed before must not pass for it
    built.sql_do(damage % (19990101, "2025-02-02"))
    dbt(built, "run", "--select", MODEL)
    assert dbt(built, "test", "--select", MODEL, check=False) != 0
    built.sql_do(damage % (20250202, "2025-02-02"))


def test_days_that_failed_are_tested_until_they_pass_and_then_no_more(built: Checkout, project_file: Path) -> None:
    """Whatever came meanwhile; a test of one table alone reads none of them again, one that compares tables does."""

    def rebuild(day: str | None, *, passes: bool) -> None:
        if day:
            built.sql_do(f"{LOG_CHANGE} ({NEXT_CHANGE}, 'bitcoin', '{day}', 'load')")
        assert (dbt(built, "build", "--select", TRANSFERS, check=False) == 0) is passes, day

    def read() -> str:
        results = json.loads((built.root / "transform/target/run_results.json").read_text())["results"]
        return "".join(one["compiled_code"] for one in results if "unique_combination" in one["unique_id"])

    as_it_was = project_file.read_text()
    rebuild("2025-02-03", passes=True)
    project_file.write_text(as_it_was.replace("    intermediate:\n", f"    intermediate:{TWICE}"))
    rebuild("2025-02-02", passes=False)
    project_file.write_text(as_it_was)
    rebuild("2025-02-04", passes=False)
    assert "'2025-02-02" in read()
    assert "'2025-02-04" in read()
    rebuild(None, passes=False)
    rebuild("2025-02-02", passes=True)
    rebuild(None, passes=True)
    assert "(false)" in read()
    assert "'2025-02" not in read()
    rebuild("2025-02-05", passes=True)
    assert "'2025-02-05" in read()
    assert "'2025-02-02" not in read()
    dbt(built, "run", "--select", MODEL)


def test_a_change_that_is_logged_while_a_model_is_built_is_the_next_builds(built: Checkout, project_file: Path) -> None:
    as_it_was = project_file.read_text()
    change_price(built, "2025-02-04")
    dbt(built, "run", "--select", "int_price_changes", "int_changed_days")
    before = written(built, "bitcoin", "2025-02-02")
    assert before[0] is not None
    project_file.write_text(as_it_was.replace("    marts:\n", f"    marts:{MEANWHILE}"))
    dbt(built, "run", "--select", MODEL)
    project_file.write_text(as_it_was)
    assert written(built, "bitcoin", "2025-02-02") == before
    dbt(built, "run", "--select", MODEL)
    after = written(built, "bitcoin", "2025-02-02")
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_a_load_that_came_before_its_heights_are_known_waits(built: Checkout) -> None:
    """As when two runs overlap: one has seen a load when the other has passed the heights and writes the log."""
    again = "insert into raw_data.load_ledger select (jsonb_populate_record(l, jsonb_build_object('load_id', %s))).*"
    newest = "from raw_data.load_ledger as l where table_name = 'bitcoin_blocks' and first_day = '2025-02-03' limit 1"
    ((load_id,),) = built.sql("select max(load_id) + 1 from raw_data.load_ledger")
    built.sql_do(f"{again % load_id} {newest}", role="loader")
    logged = "select count(*) from intermediate.int_changed_days where chain = 'bitcoin' and change_id > {}"
    logged += " and causes like '%{}%'"
    ((start,),) = built.sql("select max(change_id) from intermediate.int_changed_days")
    dbt(built, "run", "--select", "int_loads_tracked")
    dbt(built, "run", "--select", "int_changed_days")
    assert built.sql(logged.format(start, "load")) == [(0,)]
    dbt(built, "run", "--select", "int_chain_days", "int_changed_days")
    assert built.sql(logged.format(start, "load")) == [(1,)]
    assert built.sql(logged.format(start, "lookback")) != [(0,)]


def test_the_log_of_loads_keeps_its_rows_under_its_new_name(built: Checkout) -> None:
    """Else each load would be new again, and each day be rebuilt."""
    dbt(built, "run", "--select", *LOGS, MODEL)
    log, newest = "select * from intermediate.{} order by 1", "select max(change_id) from intermediate.int_changed_days"
    before = built.sql(log.format("int_loads_tracked")), built.sql(newest), written(built, "bitcoin", "2025-02-02")
    built.sql_do("alter table intermediate.int_loads_tracked rename to int_loads_followed")
    built.sql_do(
        "update intermediate.model_watermarks set model_name = 'int_loads_followed' "
        "where model_name = 'int_loads_tracked'"
    )
    dbt(built, "run", "--select", *LOGS, MODEL)
    after = built.sql(log.format("int_loads_tracked")), built.sql(newest), written(built, "bitcoin", "2025-02-02")
    assert after == before
    assert built.sql("select to_regclass('intermediate.int_loads_followed')") == [(None,)]
    names = "select count(*) from intermediate.model_watermarks where model_name = '{}'"
    assert built.sql(names.format("int_loads_followed")) == [(0,)]


def test_changes_are_tracked_by_numbers_and_not_by_times(built: Checkout) -> None:
    """As when the server's clock was a year ahead, and a load comes when it is right again."""
    built.sql_do("update raw_data.load_ledger set loaded_at = loaded_at + interval '1 year'", role="loader")
    built.sql_do("update intermediate.model_watermarks set applied_at = applied_at + interval '1 year'")
    changed, other = written(built, "bitcoin", "2025-02-02"), written(built, "bitcoin", "2025-02-05")
    ((load_id,),) = built.sql("select max(load_id) + 1 from raw_data.load_ledger")
    new = f"jsonb_build_object('load_id', {load_id}, 'loaded_at', l.loaded_at - interval '1 year')"
    built.sql_do(
        f"insert into raw_data.load_ledger select (jsonb_populate_record(l, {new})).* from raw_data.load_ledger as l "  # noqa: S608
        "where table_name = 'bitcoin_transactions' and first_day = '2025-02-02' limit 1",
        role="loader",
    )
    dbt(built, "run", "--select", *LOGS, MODEL)
    after = written(built, "bitcoin", "2025-02-02")
    assert after[0] != changed[0]
    assert after[1] == changed[1]
    assert written(built, "bitcoin", "2025-02-05") == other


@pytest.mark.parametrize(
    ("meta", "ranges"),
    [
        ("{}", "2025-01-31..2025-02-01"),
        ("{'days_beside': true}", "2025-01-30..2025-02-02"),
        ("{'days_after': 29}", "2025-01-31..2025-03-02"),
        # the windows that look back at the day after, too
        ("{'days_beside': true, 'days_after': 29}", "2025-01-30..2025-03-03"),
        ("{'cumulative': true, 'days_beside': true}", "2025-01-30..9999-12-31"),
        ("{'periods': true}", "2025-01-01..2025-01-02 2025-01-27..2025-01-28"),
        # the day after is of another month
        (
            "{'periods': true, 'days_beside': true}",
            "2025-01-01..2025-01-02 2025-01-27..2025-01-28 2025-02-01..2025-02-02",
        ),
    ],
)
def test_a_models_meta_says_which_days_a_changed_one_brings_along(built: Checkout, meta: str, ranges: str) -> None:
    log = "(select 1 as change_id, 'bitcoin' as chain, date '2025-01-31' as block_date)"
    asked = (
        f"{{% set node = {{'config': {{'meta': {meta}}}, 'depends_on': {{'nodes': []}}}} %}}"
        f'{{% if execute %}}{{% for span in run_query(ranges_of_days("{log}", 0, 1, node)).rows %}}'
        "[{{ span.first_day }}..{{ span.stop_day }}]{% endfor %}{% endif %}"
    )
    said = built.run("meltano", "invoke", "dbt-postgres", "--quiet", "compile", "--inline", asked).stdout
    assert " ".join(re.findall(r"\[(\d.*?)\]", said)) == ranges


# What a thread finds that asks while dbt enters the tables of a schema that is none of the project's into its cache.
HALF_CACHED = (
    "{% do adapter.cache_added(api.Relation.create("
    "database=target.dbname, schema='raw_data', identifier='bitcoin_blocks', type='table')) %}"
)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("{{ raw_table('blockchair', 'bitcoin_inputs') }}", 'from "crypto"."raw_data"."bitcoin_inputs"'),
        ("{{ '_load_id' in raw_columns('blockchair', 'bitcoin_inputs') }}", "True"),
        ("{{ last_changed(source('blockchair', 'bitcoin_inputs')) }}", 'from "crypto"."raw_data"."load_ledger"'),
    ],
)
def test_a_raw_table_is_there_though_dbts_cache_does_not_have_it_yet(built: Checkout, asked: str, said: str) -> None:
    """Else it would be built as an empty relation, and nothing of it would be missed."""
    compiled = built.run("meltano", "invoke", "dbt-postgres", "--quiet", "compile", "--inline", HALF_CACHED + asked)
    assert said in compiled.stdout
