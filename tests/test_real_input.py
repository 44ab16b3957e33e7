"""The published dump days and price export, through the same pipeline as everything else."""

import csv
import gzip
import re
import sys
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from checkout import PROJECT, Checkout
from sources import from_dump, text_rows
from worlds import LOADS, World, serve

DUMPS = {
    "bitcoin_blocks": ("blockchair_bitcoin_blocks_20090109.tsv.gz", 14),
    "bitcoin_transactions": ("blockchair_bitcoin_transactions_20090109.tsv.gz", 14),
    "bitcoin_outputs": ("blockchair_bitcoin_outputs_20090109.tsv.gz", 14),
    "bitcoin_inputs": ("blockchair_bitcoin_inputs_20090112.tsv.gz", 7),
}
SETTINGS = {
    "TAP_BLOCKCHAIR_CHAINS": '["bitcoin"]',
    "TAP_BLOCKCHAIR_CHANNEL": "dumps",
    "TAP_COINGECKO_COINS": '["ethereum"]',
    "TAP_COINGECKO_PLAN": "analyst",
    "TAP_COINGECKO_API_KEY": "CG-any",
    "TAP_COINGECKO_START_DATE": "2013-01-01",
    "TAP_COINGECKO__SELECT": '["coingecko_market_chart.*"]',
}


@pytest.fixture(scope="module")
def loaded(filled: Callable[[World], Checkout], samples: Path) -> Checkout:
    """The samples served by the simulator, then loaded, modelled and tested by the ordinary commands."""
    served = {
        "SIMULATOR_DUMPS_DIR": str(samples / "blockchair/dumps"),
        "SIMULATOR_PRICES_DIR": str(samples / "coingecko/csv"),
        "SIMULATOR_NOW": "2025-01-14T06:00:00",
    }
    return filled(World("real-samples", served, SETTINGS, by_the_ordinary_commands))


def by_the_ordinary_commands(checkout: Checkout, world: World) -> None:
    serve(checkout, world)
    checkout.run("meltano", "run", *LOADS, "dbt-postgres:build", **world.loaded)


def rows_of(path: Path) -> list[dict[str, str]]:
    """Rows of a dump file, as text."""
    return text_rows(path.read_bytes())


@pytest.mark.parametrize("table", DUMPS)
def test_every_value_of_every_row_lands_exactly(loaded: Checkout, samples: Path, table: str) -> None:
    name, count = DUMPS[table]
    expected = rows_of(samples / "blockchair/dumps" / name)
    assert len(expected) == count
    columns = list(expected[0])
    types = dict(
        loaded.sql(
            "select column_name, data_type from information_schema.columns"
            " where table_schema = 'raw_data' and table_name = %s",
            table,
        )
    )
    listed = ", ".join(f'"{column}"' for column in columns)
    found = loaded.sql(f'select {listed} from raw_data."{table}" order by _dump_day, _line')  # noqa: S608
    assert len(found) == count
    for row, source in zip(found, expected, strict=True):
        assert dict(zip(columns, row, strict=True)) == {
            column: from_dump(value, str(types[column])) for column, value in source.items()
        }


def test_headers_verify_as_far_as_their_parents_are_there(loaded: Checkout) -> None:
    found = loaded.sql(
        "select block_height, result from intermediate.int_check_block_header_hash"
        " where chain = 'bitcoin' order by block_height"
    )
    assert found == [(1, "unverifiable"), *((height, "verified") for height in range(2, 15))]


def test_the_summary_says_what_could_not_be_verified(loaded: Checkout) -> None:
    said = loaded.run("crypto-elt", "summary").stdout
    assert "13 verified" in said
    assert "1 not verifiable" in said


def test_satoshi_sums_match_the_files(loaded: Checkout, samples: Path) -> None:
    for table, model, raw_column in (
        ("bitcoin_outputs", "staging.stg_blockchair__utxo_outputs", "value"),
        ("bitcoin_inputs", "staging.stg_blockchair__utxo_inputs", "value"),
    ):
        expected = sum(int(row[raw_column]) for row in rows_of(samples / "blockchair/dumps" / DUMPS[table][0]))
        assert loaded.sql(f'select sum("{raw_column}") from raw_data."{table}"') == [(Decimal(expected),)]  # noqa: S608
        assert loaded.sql(f"select sum(value_base) from {model} where chain = 'bitcoin'") == [(Decimal(expected),)]  # noqa: S608
    assert sum(int(row["value"]) for row in rows_of(samples / "blockchair/dumps" / DUMPS["bitcoin_inputs"][0])) == (
        17_900_000_000
    )
    rewards = loaded.sql("select sum(reward_base) from analytics.fct_blocks")
    assert rewards == [(Decimal(14 * 5_000_000_000),)]


def test_every_close_of_the_export_is_on_its_day(loaded: Checkout, samples: Path) -> None:
    export = next((samples / "coingecko/csv").glob("eth-usd-max.*.csv"))
    closes: dict[date, Decimal] = {}
    for row in csv.DictReader(export.read_text().splitlines()):
        stamp = datetime.fromisoformat(row["snapped_at"].removesuffix(" UTC")).date()
        # Up to 2018-01-29 a point is dated by the day that it closes, then by the one after. Both close 2018-01-29.
        closes[stamp if stamp < date(2018, 1, 30) else stamp - timedelta(days=1)] = Decimal(row["price"])
    rows = loaded.sql(
        "select close_date, close_price_usd from analytics.fct_market_prices_daily"
        " where coingecko_id = 'ethereum' and close_price_usd is not null order by 1"
    )
    assert rows == sorted(closes.items())
    days = [date(2015, 8, 7) + timedelta(days=number) for number in range(3448)]
    assert [day for day, _ in rows] == [day for day in days if day != date(2015, 8, 9)]  # which the export lacks
    missing = loaded.sql("select close_date from analytics.fct_market_prices_daily where price_status = 'missing'")
    assert missing == [(date(2015, 8, 9),)]
    found = dict(rows)
    assert found[date(2015, 8, 7)] == Decimal("2.83162")
    assert found[date(2017, 12, 6)] == Decimal("448.328222164605")  # stamped 2017-12-06
    assert found[date(2018, 1, 28)] == Decimal("1237.3241758467964")  # stamped 2018-01-28
    assert found[date(2018, 1, 29)] == Decimal("1161.9086430994253")  # stamped 2018-01-30 00:05:11
    assert found[date(2018, 1, 30)] == Decimal("1058.0960529662955")  # stamped 2018-01-31
    assert found[date(2018, 2, 1)] == Decimal("1021.2693786534147")  # stamped 2018-02-02
    assert found[date(2025, 1, 13)] == Decimal("3134.5520394596483")


# Code to a database, a shell, a template, a page, a sheet; what a terminal obeys; what hides or turns text.
PAID = (
    "select address from analytics.fct_transaction_outputs join analytics.dim_address using (address_key)"
    " order by block_height limit 8"
)
HOSTILE = (
    "'; drop table raw_data.bitcoin_blocks; --",
    '"); $(touch /tmp/x) `id` %s %(x)s {0}',
    "{{ 7*7 }}{% raw %}",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "[x](javascript:alert(1)) **b** | [red]a[/bold]",
    "=cmd|' /C calc'!A0",
    "\x1b[2J\x1b]0;title\x07\x9b2J",
    "abc\u202edef\u2066\u200b",
)
ALL_AT_ONCE = " ".join(HOSTILE)
PAGE = """
import os
from airflow_ext import reconciliation as page

report = page.read_report(os.environ, None, None, None)
asked = {"chain": None, "only": None, "until": None}
print(page._html(200, report=report, asked=asked, older=None).body.decode())
"""


def rewritten(source: Path, target: Path, **changed: tuple[str, ...]) -> None:
    """Copy a dump file with other values in the first rows of some columns."""
    rows = rows_of(source)
    for column, values in changed.items():
        for row, value in zip(rows, values, strict=False):
            row[column] = value
    text = "\n".join(["\t".join(rows[0]), *("\t".join(row.values()) for row in rows)])
    target.write_bytes(gzip.compress(text.encode()))


@pytest.mark.long(part="compatibility")
def test_hostile_names_are_kept_as_they_are_and_harmless_where_a_person_looks(
    loaded: Checkout, samples: Path, tmp_path: Path
) -> None:
    """The same days, published anew: names of miners and recipients, types, scripts and versions are only text."""
    for table, changed in {
        "bitcoin_blocks": {"guessed_miner": HOSTILE, "version_hex": (ALL_AT_ONCE,)},
        "bitcoin_transactions": {},
        "bitcoin_outputs": {"recipient": HOSTILE, "type": HOSTILE, "script_hex": HOSTILE},
        "bitcoin_inputs": {"recipient": HOSTILE[:7], "type": HOSTILE[:7], "script_hex": HOSTILE[:7]},
    }.items():
        name = DUMPS[table][0]
        rewritten(samples / "blockchair/dumps" / name, tmp_path / name, **changed)
    loaded.run("simulator", "stop")
    served = {"SIMULATOR_DUMPS_DIR": str(tmp_path), "SIMULATOR_PRICES_DIR": str(samples / "coingecko/csv")}
    loaded.run("simulator", "start", **served, SIMULATOR_NOW="2025-01-14T07:00:00")
    again = ("--full-refresh", "--state-id-suffix=again", "tap-blockchair", "target-postgres", "dbt-postgres:build")
    done = loaded.run("meltano", "run", *again, **SETTINGS)

    for query in (
        "select recipient from raw_data.bitcoin_outputs order by block_id limit 8",
        "select type from raw_data.bitcoin_outputs order by block_id limit 8",
        "select script_hex from raw_data.bitcoin_outputs order by block_id limit 8",
        "select guessed_miner from raw_data.bitcoin_blocks order by id limit 8",
        PAID,
        "select script_type from analytics.fct_transaction_outputs order by block_height limit 8",
        "select miner from analytics.fct_blocks order by block_height limit 8",
    ):
        assert loaded.sql(query) == [(text,) for text in HOSTILE], query
    miners = loaded.sql("select miner from analytics.fct_blocks join analytics.dim_miner using (miner_key, miner)")
    assert {miner for (miner,) in miners} >= set(HOSTILE)
    ((reasons,),) = loaded.sql("select reasons from analytics.rpt_reconciliation where block_date = '2009-01-09'")
    assert ALL_AT_ONCE in str(reasons)

    summary = loaded.run("crypto-elt", "summary").stdout
    assert "version_hex: expected 1, found " in summary
    reader = urlsplit(loaded.url("bi_reader"))
    login = {"HOST": str(reader.hostname), "PORT": str(reader.port), "PASSWORD": unquote(str(reader.password))}
    environ = {f"AIRFLOW_EXT_WAREHOUSE_{name}": value for name, value in login.items()}
    page = loaded.run(sys.executable, "-c", PAGE, AIRFLOW_HOME=str(tmp_path), **environ).stdout
    page = page[page.index("<!doctype html>") :]
    log = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)  # dbt's own colours
    for shown in (summary, page):
        assert r"\x1b[2J\x1b]0;title\x07\x9b2J abc\u202edef\u2066\u200b" in shown
        assert "{{ 7*7 }}{% raw %}" in shown
    for shown in (summary, page, log):
        assert all(letter.isprintable() or letter in "\n\t" for letter in shown)
    assert "[x](javascript:alert(1)) **b** | [red]a[/bold]" in summary
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    assert "<img" not in page

    # what the gate prints of such reasons
    macro = (PROJECT / "transform/macros/gate.sql").read_text()
    (unprintable,) = re.findall(r"^ +(\[\[:cntrl:\].*\])$", macro, re.MULTILINE)
    printed = loaded.sql("select regexp_replace(%s, %s, '?', 'g')", ALL_AT_ONCE, unprintable)
    assert printed == [("".join(letter if letter.isprintable() else "?" for letter in ALL_AT_ONCE),)]
