"""The daily job: a raw cell that was changed behind the loader's back stops it before a mart is replaced."""

import json
import re
from collections.abc import Callable, Iterator

import pytest

from checkout import LOGS, Checkout
from gated import NOT_GATED, gated_marts
from worlds import MONTHS_END, World

NEWEST = "2025-02-05"
FLIP = "translate(merkle_root, '0123456789abcdef', '123456789abcdef0')"
BACK = "translate(merkle_root, '123456789abcdef0', '0123456789abcdef')"
CHECKS = ("meltano", "invoke", "dbt-postgres", "run", "--select", "path:models/intermediate/checks")
JOB = ("meltano", "--log-format=json", "run", "warehouse-to-marts")


def change(checkout: Checkout, heights: list[int], how: str) -> None:
    """Change the merkle roots of blocks, as no loader would."""
    among = ", ".join(map(str, heights))
    checkout.sql_do(
        f"update raw_data.bitcoin_blocks set merkle_root = {how} where id in ({among})",  # noqa: S608
        role="loader",
    )


def proof_lines(log: str) -> list[str]:
    """What the gate reports of blocks, in a log in JSON."""
    lines = [str(json.loads(line)["event"]) for line in log.splitlines() if line.startswith("{")]
    return [line for line in lines if line.startswith("check failed: ")]


@pytest.fixture(scope="module")
def first(filled: Callable[[World], Checkout]) -> Checkout:
    """A warehouse to which nothing is wrong."""
    return filled(MONTHS_END)


def heights_since(checkout: Checkout, day: str) -> list[int]:
    """The heights of the blocks from a day on."""
    found = checkout.sql("select id from raw_data.bitcoin_blocks where time >= %s order by id", day)
    return [int(str(height)) for (height,) in found]


@pytest.fixture(scope="module")
def heights(first: Checkout) -> list[int]:
    """The newest day's blocks."""
    return heights_since(first, NEWEST)


@pytest.fixture(scope="module")
def stopped(first: Checkout, heights: list[int]) -> tuple[str, dict[str, tuple[int, str]]]:
    """What the daily job says of a changed cell, and the marts as they were before; then the cell is right again."""
    before = gated_marts(first)
    change(first, heights[5:6], FLIP)
    done = first.run(*JOB, check=False)
    change(first, heights[5:6], BACK)
    assert done.returncode == 1
    return done.stdout + done.stderr, before


def test_a_changed_cell_stops_the_daily_job_and_the_message_names_the_block(
    stopped: tuple[str, object], heights: list[int]
) -> None:
    lines = proof_lines(stopped[0])
    assert len(lines) == 1
    assert lines[0].startswith(f"check failed: bitcoin block {heights[5]} of {NEWEST}, block_header_hash: ")
    assert "block_merkle_root: " in lines[0]


def test_the_marts_are_as_they_were_and_the_report_names_the_block(
    first: Checkout, stopped: tuple[str, dict[str, tuple[int, str]]], heights: list[int]
) -> None:
    models = json.loads((first.root / "transform/target/manifest.json").read_text())["nodes"].values()
    built = {
        f"analytics.{model['name']}"
        for model in models
        if model["schema"] == "analytics" and model["config"]["materialized"] != "view" and model["name"] not in LOGS
    }
    assert len(built) > 40
    assert stopped[1].keys() == built - {f"analytics.{name}" for name in NOT_GATED}
    assert gated_marts(first) == stopped[1]
    reported = first.sql(
        "select block_date::text, failed_heights from analytics.rpt_reconciliation where failed_heights <> '{}'"
    )
    assert reported == [(NEWEST, [heights[5]])]


@pytest.fixture(scope="module")
def old(first: Checkout) -> list[int]:
    """Blocks from the second day on, changed: those of the first two days are older than `recheck_days`."""
    heights = heights_since(first, "2025-01-29")
    change(first, heights, FLIP)
    return heights


def made(checkout: Checkout) -> list[tuple[object, ...]]:
    """Which transaction wrote a mart that is built anew as a whole."""
    return checkout.sql("select distinct xmin::text from analytics.fct_market_prices_daily")


@pytest.fixture(scope="module")
def seen(first: Checkout, old: list[int]) -> list[int]:
    """The same, after the checks have looked at every day."""
    first.run(*CHECKS, "--vars", "recheck: true")
    return old


def test_many_blocks_are_counted(first: Checkout, seen: list[int]) -> None:
    """Also where only the tests are run."""
    gate = ("test", "--select", "assert_no_integrity_failures")
    failed = first.run("meltano", "invoke", "dbt-postgres", *gate, check=False)
    lines = [line for line in failed.stdout.splitlines() if line.startswith("check failed: ")]
    assert failed.returncode == 1
    assert len(lines) == 21
    assert (
        lines[-1]
        == f"check failed: {len(seen) - 20} more blocks; all of them are in intermediate.int_integrity_failures"
    )


def test_a_build_without_the_gate_before_it_replaces_no_mart_and_stores_what_failed(
    first: Checkout, stopped: tuple[str, dict[str, tuple[int, str]]], seen: list[int]
) -> None:
    before = made(first)
    assert first.run("meltano", "run", "dbt-postgres:build", check=False).returncode == 1
    assert made(first) == before
    assert gated_marts(first) == stopped[1]
    stored = first.sql(
        "select distinct chain, block_height from dq.assert_no_integrity_failures"
        " where check_name in ('block_header_hash', 'block_merkle_root') order by 2"
    )
    assert stored == [("bitcoin", height) for height in seen]


def test_failed_days_are_looked_at_again_and_what_is_implausible_only_warns(first: Checkout, seen: list[int]) -> None:
    """No load says that a block is right again, and some are older than the days that the job looks at anyhow."""
    before, implausible = made(first), seen[-1]
    assert first.sql("select count(*) from intermediate.int_check_failures where block_date < '2025-01-31'") != [(0,)]
    change(first, seen, BACK)
    version = f"update raw_data.bitcoin_blocks set version_hex = {{}} where id = {implausible}"  # noqa: S608
    first.sql_do(version.format("version_hex || '0'"), role="loader")
    try:
        done = first.run(*JOB)
    finally:
        first.sql_do(version.format("left(version_hex, -1)"), role="loader")
    log = done.stdout + done.stderr
    assert proof_lines(log) == []
    assert made(first) != before
    assert "Warning in test assert_no_plausibility_failures" in log
    failures = "select check_name, chain, block_height from {}"
    found = [("block_version_forms", "bitcoin", implausible)]
    assert first.sql(failures.format("intermediate.int_check_failures")) == found
    assert first.sql(failures.format("dq.assert_no_plausibility_failures")) == found
    assert first.sql(failures.format("dq.assert_no_integrity_failures")) == []

    first.run(*CHECKS)
    assert first.sql(failures.format("intermediate.int_check_failures")) == []


@pytest.fixture
def ledger(first: Checkout) -> Iterator[Callable[[str, str], None]]:
    """Change what the ledger says of a table; afterwards it is as it was."""
    first.sql_do("create table raw_data.ledger_before as select * from raw_data.load_ledger", role="loader")

    def change_ledger(what: str, table: str) -> None:
        first.sql_do(f"update raw_data.load_ledger set {what} where table_name ~ '{table}'", role="loader")  # noqa: S608

    yield change_ledger
    first.sql_do("delete from raw_data.load_ledger", role="loader")
    first.sql_do(
        "insert into raw_data.load_ledger overriding system value select * from raw_data.ledger_before", role="loader"
    )
    first.sql_do("drop table raw_data.ledger_before", role="loader")


def freshness(checkout: Checkout) -> tuple[int, set[tuple[str, str]]]:
    """The exit code of the daily job's first task, and the tables that are old."""
    done = checkout.run("meltano", "invoke", "dbt-postgres:freshness", check=False)
    return done.returncode, set(re.findall(r"(WARN|ERROR STALE) freshness of \w+\.(\w+)", done.stdout))


def test_a_world_that_stands_still_is_not_old(first: Checkout, ledger: Callable[[str, str], None]) -> None:
    ledger("loaded_at = loaded_at - interval '30 days'", ".")
    assert freshness(first) == (0, set())


def test_a_chain_that_stays_behind_stops_the_daily_job_and_another_table_warns(
    first: Checkout, ledger: Callable[[str, str], None]
) -> None:
    ledger("last_day = last_day - 4", "^dogecoin_blocks")
    ledger("last_day = last_day - 2", "^bitcoin_blocks")
    ledger("last_day = last_day - 4", "^bitcoin_outputs")
    ledger("loaded_at = loaded_at - interval '2 days'", "^coingecko_market_chart")
    assert freshness(first) == (
        1,
        {
            ("ERROR STALE", "dogecoin_blocks"),
            ("WARN", "bitcoin_blocks"),
            ("WARN", "bitcoin_outputs"),
            ("WARN", "market_chart"),
        },
    )


def test_a_table_that_is_not_loaded_is_not_old(first: Checkout, ledger: Callable[[str, str], None]) -> None:
    ledger("table_name = 'x_' || table_name", "^(dogecoin_blocks|coingecko_market_chart)$")
    assert freshness(first) == (0, set())


def test_days_that_are_gone_are_found_and_loaded_again_by_the_command_that_is_named(first: Checkout) -> None:
    """A day whose rows were deleted, one of which the ledger knows nothing either, and prices, which have no slices."""
    held = "select chain, block_date, count(*) from intermediate.int_blocks_unioned group by 1, 2 order by 1, 2"
    priced = """
        select coin_id, vs_currency, granularity, stamp, price from raw_data.coingecko_market_chart
        union all select coin_id, vs_currency, granularity, stamp, close from raw_data.coingecko_ohlc
        order by 1, 2, 3, 4, 5
    """
    before, prices_before = first.sql(held), first.sql(priced)
    first.sql_do(
        "delete from raw_data.ethereum_blocks where _dump_day = '2025-01-31';"
        "delete from raw_data.dogecoin_blocks where _dump_day = '2025-02-02';"
        "delete from raw_data.load_ledger where table_name = 'dogecoin_blocks' and unit like '%/2025-02-02';"
        "delete from raw_data.coingecko_market_chart where coin_id = 'dogecoin' and granularity = 'daily'"
        " and stamp_date in ('2025-01-30', '2025-02-02');"
        "delete from raw_data.coingecko_ohlc where coin_id = 'bitcoin' and stamp = '2025-02-01 08:00:00+00'",
        role="loader",
    )
    # as a warehouse that never had the day
    first.sql_do("delete from intermediate.int_blocks_daily where chain = 'dogecoin' and block_date = '2025-02-02'")
    audit = first.run("meltano", "invoke", "dbt-postgres:audit", check=False)
    assert audit.returncode == 1
    lines = [line for line in audit.stdout.splitlines() if line.startswith(("check failed", "to load"))]
    ((lowest,),) = first.sql("select min(id) from raw_data.dogecoin_blocks where _dump_day = '2025-02-03'")
    assert lines[0].startswith(
        f"check failed: dogecoin block {lowest} of 2025-02-03, chain_days: no block is loaded of 2025-02-02, "
    )
    assert lines[1].startswith("check failed: ethereum 2025-01-31, unit_rows: ethereum_blocks: expected ")
    assert lines[1].endswith(" rows of the last load, found 0 and 0 others")
    assert lines[3:5] == [
        "check failed: coingecko_market_chart, dogecoin in usd, daily: rows gone: 2, stamped 2025-01-30, 2025-02-02",
        "check failed: coingecko_ohlc, bitcoin in usd, 4h: rows gone: 1, stamped 2025-02-01",
    ]
    start, stop, command = lines[2].removeprefix("to load these days again: ").split(" ", 2)
    assert (start, stop) == ("TAP_BLOCKCHAIR_START_DATE=2025-01-31", "TAP_BLOCKCHAIR_END_DATE=2025-02-02")
    first.run(*command.split(), **dict(pair.split("=") for pair in (start, stop)))
    assert first.sql(held) == before
    first.run("meltano", "run", "dbt-postgres:checks")
    start, command = lines[5].removeprefix("to load them again: ").split(" ", 1)
    assert start == "TAP_COINGECKO_START_DATE=2025-01-30"
    first.run(*command.split(), **dict([start.split("=")]))
    assert first.sql(priced) == prices_before
    again = ("--select", "int_price_rows_seen+", "--vars", "recheck: true")
    first.run("meltano", "invoke", "dbt-postgres", "build", *again)
