"""The README's commands as they stand, on a bare machine: a first run, another one, and one after a day has passed."""

import re
import subprocess
import sys
import urllib.request
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from checkout import BASE_PYTHON, PROJECT, Checkout
from console.pipeline import PLUGINS
from sources import get, text_rows
from tutorial import matches, steps
from worlds import README, keep, serve

BLOCKS = re.findall(r"^```sh\n(.*?)^```", (PROJECT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
# Runs this very test; CI runs it.
NOT_HERE = "make test"
# What `.env` holds where live data is loaded too; 192.0.2.1 is nobody's address.
LIVE_ENV = """
WAREHOUSE_HOST=192.0.2.1
WAREHOUSE_PORT=5432
WAREHOUSE_DB=live
WAREHOUSE_LOADER_PASSWORD=live-secret
BLOCKCHAIR_API_KEY=live-key
COINGECKO_API_KEY=live-key
COINGECKO_PLAN=pro
TARGET_POSTGRES_HOST=192.0.2.1
TAP_BLOCKCHAIR_API_URL=http://192.0.2.1
TAP_COINGECKO_API_URL=http://192.0.2.1
"""
DAYS = 14
START = date(2025, 1, 1)
DUMP_TABLES = {
    "bitcoin": ("blocks", "transactions", "outputs", "inputs"),
    "dogecoin": ("blocks", "transactions", "outputs", "inputs"),
    "ethereum": ("blocks", "transactions", "calls"),
}
ALL_DUMP_TABLES = [(chain, table) for chain, tables in DUMP_TABLES.items() for table in tables]


def served(checkout: Checkout, chain: str, table: str, day: date) -> list[dict[str, str]]:
    """Rows of a dump day, as the simulator serves them: the truth that the warehouse is held against."""
    url = f"{checkout.simulator()}/dumps/{chain}/{table}/blockchair_{chain}_{table}_{day:%Y%m%d}.tsv.gz"
    return text_rows(get(url))


def type_in(checkout: Checkout, *lines: str) -> str:
    """Run lines of the README in one shell; returns what they print."""
    typed = [re.sub(r"^make ", f"make PYTHON={BASE_PYTHON} ", line) for line in lines if not line.startswith(NOT_HERE)]
    return checkout.run("sh", "-c", "\n".join(["set -eu", *typed])).stdout


@pytest.fixture(scope="module")
def checkout(bare_checkout: Checkout) -> Checkout:
    """One in which nothing is installed."""
    return bare_checkout


@pytest.fixture(scope="module")
def first(checkout: Checkout, worlds: Path) -> str:
    """What a first run prints; what it has filled is kept for other files."""
    said = type_in(checkout, *BLOCKS[0].splitlines())
    if keep(checkout, README, worlds):
        serve(checkout, README)
    return said


def test_the_readme_shows_both_commands() -> None:
    assert len(BLOCKS) == 2
    assert "make run" in BLOCKS[0]
    assert NOT_HERE in BLOCKS[0]


def test_the_readme_shows_how_a_run_ends(first: str) -> None:
    (step, *_) = steps((PROJECT / "README.md").read_text())
    assert step.shown
    assert "verified" in step.shown
    assert matches(step.shown, first), first


def test_only_what_a_run_needs_is_installed(checkout: Checkout, first: str) -> None:
    plugins = {path.parent.name for path in (checkout.root / ".meltano").glob("*/*/venv")}
    assert plugins == set(PLUGINS)
    assert not (checkout.root / ".venv-dev").exists()


def test_the_summary_answers_what_a_person_asks(first: str) -> None:
    assert re.search(r"^bitcoin_blocks +336\b", first, re.MULTILINE)
    assert re.search(r"^fct_transactions +[\d,]+ +2025-01-01 to 2025-01-14", first, re.MULTILINE)
    assert re.search(r"^bitcoin_outputs +[\d,]+ +2025-01-01 to 2025-01-14", first, re.MULTILINE)
    assert re.search(r"^coingecko_market_chart +[\d,]+ +2024-10-01 to 2025-01-15", first, re.MULTILINE)
    assert re.search(r"^bitcoin_stats +1 +2025-01-15 to 2025-01-15", first, re.MULTILINE)
    assert re.search(r"more checks, ethereum: [\d,]+ verified, \d+ not verifiable \([a-z].*, \.\.\.\)", first)
    assert "block header hash, bitcoin: 336 verified" in first
    assert "block header hash, dogecoin: 335 verified, 1 not verifiable" in first
    for headline in (r"closed at [\d,.]+ USD on 2025-01-14", r"transactions on 2025-01-14", r"DOGE on 2025-01-14"):
        assert re.search(headline, first)
    assert "warehouse psql" in first
    assert "make env" in first
    assert "\x1b" not in first, "a pipe gets no colours"


@pytest.mark.usefixtures("first")
def test_the_estimate_takes_the_bookmarks_of_now(checkout: Checkout) -> None:
    """All is loaded. Meltano by itself hands over the state with which the last run began: an empty one."""
    columns = [line.split() for line in checkout.run("crypto-elt", "estimate").stdout.splitlines()]
    files = {stream[0]: stream[1] for stream in columns if stream[0].startswith("bitcoin_")}
    assert files["bitcoin_blocks"] == files["bitcoin_outputs"] == "0"
    assert set(files.values()) == {"0"}
    direct = checkout.run("meltano", "invoke", "tap-blockchair", "--estimate").stdout
    assert "`crypto-elt estimate` takes the bookmarks of now" in direct or "Without a state" in direct
    unknown = checkout.fails("crypto-elt", "estimate", "tap-coingecko")
    assert "tap-blockchair--dumps" in unknown


@pytest.mark.usefixtures("first")
def test_the_summary_names_missing_dump_days(checkout: Checkout) -> None:
    assert "no row is loaded of" not in checkout.run("crypto-elt", "summary").stdout
    days = ", ".join(f"'bitcoin/outputs/2025-01-{day}'" for day in ("03", "06", "07"))
    checkout.sql_do(f"update raw_data.load_ledger set unit = unit || ' away' where unit in ({days})", role="loader")  # noqa: S608
    try:
        said = checkout.run("crypto-elt", "summary").stdout
    finally:
        checkout.sql_do("update raw_data.load_ledger set unit = replace(unit, ' away', '')", role="loader")
    assert "! bitcoin_outputs: no row is loaded of 2025-01-03, 2025-01-06 to 2025-01-07, between days that are" in said
    assert said.count("no row is loaded of") == 1


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize(("chain", "table"), ALL_DUMP_TABLES)
def test_raw_holds_exactly_the_rows_of_the_source(checkout: Checkout, chain: str, table: str) -> None:
    keys = {"blocks": "hash", "transactions": "hash", "outputs": "script_hex", "inputs": "spending_signature_hex"}
    key = keys.get(table, "input_hex")
    expected = sorted(
        (f"{day:%Y-%m-%d}", number, row[key])
        for day in (START + timedelta(days=offset) for offset in range(DAYS))
        for number, row in enumerate(served(checkout, chain, table, day), start=2)
    )
    found = checkout.sql(
        f"select _dump_day::text, _line, coalesce(\"{key}\", '\\N') from raw_data.{chain}_{table}"  # noqa: S608
    )
    assert sorted(found) == expected


# Wei and satoshi; koinu beyond 64 bits follow below, because no single transaction may move so much.
@pytest.mark.usefixtures("first")
@pytest.mark.parametrize(
    ("chain", "column", "mart_column"),
    [
        ("bitcoin", "output_total", "value_base"),
        ("dogecoin", "output_total", "value_base"),
        ("ethereum", "value", "value_base"),
        ("ethereum", "fee", "fee_base"),
        ("bitcoin", "fee", "fee_base"),
        ("dogecoin", "fee", "fee_base"),
    ],
)
def test_amounts_are_equal_at_the_source_in_raw_in_staging_and_in_marts(
    checkout: Checkout, chain: str, column: str, mart_column: str
) -> None:
    expected = {
        (f"{day:%Y-%m-%d}", number): None if row[column] == "\\N" else Decimal(row[column])
        for day in (START + timedelta(days=offset) for offset in range(DAYS))
        for number, row in enumerate(served(checkout, chain, "transactions", day), start=2)
    }
    raw = checkout.sql(f'select _dump_day::text, _line, "{column}" from raw_data.{chain}_transactions')  # noqa: S608
    assert {(day, line): value for day, line, value in raw} == expected
    staged = "output_total_base" if column == "output_total" else f"{column}_base"
    model = "ethereum_transactions" if chain == "ethereum" else f"utxo_transactions where chain = '{chain}'"
    staging = checkout.sql(f"select {staged} from staging.stg_blockchair__{model}")  # noqa: S608
    marts = checkout.sql(f"select {mart_column} from analytics.fct_transactions where chain = %s", chain)  # noqa: S608
    in_order = sorted(value for value in expected.values() if value is not None)
    assert sorted(value for (value,) in staging if value is not None) == in_order
    assert sorted(value for (value,) in marts if value is not None) == in_order
    if chain == "ethereum" and column == "value":
        assert in_order[-1] > 10**18


@pytest.mark.usefixtures("first")
def test_koinu_beyond_64_bits_are_equal_at_the_source_in_raw_in_staging_and_in_marts(checkout: Checkout) -> None:
    expected = {
        int(row["id"]): Decimal(row["output_total"])
        for day in (START + timedelta(days=offset) for offset in range(DAYS))
        for row in served(checkout, "dogecoin", "blocks", day)
    }
    assert max(expected.values()) > 2**63
    raw = checkout.sql("select id, output_total from raw_data.dogecoin_blocks")
    columns, of_chain = "select block_height, output_total_base from", "where chain = 'dogecoin'"
    staging = checkout.sql(f"{columns} staging.stg_blockchair__utxo_blocks {of_chain}")
    marts = checkout.sql(f"{columns} analytics.fct_blocks {of_chain}")
    assert dict(raw) == dict(staging) == dict(marts) == expected


@pytest.mark.usefixtures("first")
def test_prices_are_equal_at_the_source_in_raw_and_in_marts(checkout: Checkout) -> None:
    url = f"{checkout.simulator()}/coingecko/api/v3/coins/dogecoin/market_chart/range"
    query = "?vs_currency=usd&from=2024-10-01&to=2025-01-15"
    request = urllib.request.Request(url + query, headers={"User-Agent": "crypto-elt tests"})  # noqa: S310 - loopback
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        text = answer.read().decode()
    listed = re.search(r'"prices": ?\[(.*?)\]\]', text)
    assert listed is not None
    prices = {int(stamp): Decimal(value) for stamp, value in re.findall(r"\[(\d+), ?([-\d.eE+]+)", listed[1])}
    daily = {stamp: value for stamp, value in prices.items() if stamp % 86_400_000 == 0}
    raw = dict(
        checkout.sql(
            "select (extract(epoch from stamp) * 1000)::bigint, price from raw_data.coingecko_market_chart"
            " where coin_id = 'dogecoin'"
        )
    )
    assert raw == daily
    marts = checkout.sql(
        "select (extract(epoch from p.close_date + 1) * 1000)::bigint, p.close_price_usd"
        " from analytics.fct_market_prices_daily as p where p.coingecko_id = 'dogecoin'"
    )
    assert dict(marts) == daily
    assert max(len(str(value).split(".")[-1]) for value in daily.values()) > 10


@pytest.mark.usefixtures("first")
def test_marts_and_raw_tables_answer_the_same_to_the_questions_of_the_benchmark(checkout: Checkout) -> None:
    asked = [sys.executable, str(checkout.root / "benchmarks/questions.py"), checkout.url("transformer")]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r" ms ", done.stdout)) == 2 * (10 + 9 + 4)


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("program", ["warehouse", "simulator"])
def test_the_servers_answer_through_meltano_too(checkout: Checkout, program: str) -> None:
    assert "127.0.0.1" in checkout.run("meltano", "invoke", f"{program}:status").stdout
    checkout.run("meltano", "invoke", f"{program}:start")


@pytest.mark.usefixtures("first")
def test_the_command_users_know_changes_nothing_where_nothing_is_new(checkout: Checkout) -> None:
    before, bookmarks = checkout.tables(), checkout.bookmarks()
    activate, command, *_ = BLOCKS[1].splitlines()
    assert command.startswith("meltano run tap-blockchair target-postgres dbt-postgres:run")
    type_in(checkout, activate, command)
    assert checkout.tables() == before
    assert checkout.bookmarks() == bookmarks


@pytest.mark.usefixtures("first")
def test_a_day_later_exactly_the_new_day_has_arrived_and_no_live_name_is_read(checkout: Checkout) -> None:
    new_day = START + timedelta(days=DAYS)
    before, bookmarks = checkout.tables(), checkout.bookmarks()
    old_rows = {table: rows_before(checkout, table, new_day) for table in day_tables()}
    activate, _, *others = BLOCKS[1].splitlines()
    assert type_in(checkout, activate, *others)
    assert "simulator advance 1" in "\n".join(others)
    env = checkout.root / ".env"
    local = env.read_text()
    env.write_text(local + LIVE_ENV)
    checkout.make("run")
    assert env.read_text() == local + LIVE_ENV
    env.write_text(local)
    said = "".join(path.read_text(errors="replace") for path in (checkout.root / ".state/run").glob("*"))
    assert [word for word in ("192.0.2.1", "live-secret", "live-key") if word in said] == []
    after = checkout.tables()
    for chain, table in ALL_DUMP_TABLES:
        rows = after[f"raw_data.{chain}_{table}"][0] - before[f"raw_data.{chain}_{table}"][0]
        assert rows == len(served(checkout, chain, table, new_day)) > 0
    assert after["raw_data.coingecko_market_chart"][0] == before["raw_data.coingecko_market_chart"][0] + 3
    assert after["analytics.fct_market_prices_daily"][0] == before["analytics.fct_market_prices_daily"][0] + 3
    assert after["analytics.fct_network_daily"][0] == before["analytics.fct_network_daily"][0] + 3
    for table, rows in old_rows.items():
        assert rows_before(checkout, table, new_day) == rows, f"{table} changed before {new_day}"
    moved = checkout.bookmarks()
    assert moved.keys() == bookmarks.keys()
    for name, state in moved.items():
        assert state != bookmarks[name], name


def day_tables() -> list[str]:
    """Tables whose rows belong to a day, with marts."""
    raw = [f"raw_data.{chain}_{table}" for chain, table in ALL_DUMP_TABLES]
    return [*raw, "analytics.fct_blocks", "analytics.fct_transactions", "analytics.fct_network_daily"]


def rows_before(checkout: Checkout, table: str, day: date) -> tuple[object, ...]:
    """Count and digest of a table's rows of the days before `day`."""
    column = "_dump_day" if table.startswith("raw_data") else "block_date"
    (row,) = checkout.sql(
        "select count(*), md5(string_agg(line, e'\\n' order by line))"  # noqa: S608
        " from (select (to_jsonb(t) - array(select column_name::text from information_schema.columns"
        " where column_name like '\\_sdc\\_%%'))::text as line"
        f" from {table} as t where {column} < %s) as lines",
        day,
    )
    return row
