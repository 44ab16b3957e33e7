"""The published dump days and price export, through the same pipeline as everything else."""

import csv
import gzip
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from checkout import Checkout
from worlds import World, serve

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
    blocks = ("tap-coingecko", "target-postgres", "tap-blockchair", "target-postgres", "dbt-postgres:build")
    checkout.run("meltano", "run", *blocks, **world.loaded)


def rows_of(path: Path) -> list[dict[str, str]]:
    """Rows of a dump file, as text."""
    lines = gzip.decompress(path.read_bytes()).decode().split("\n")
    names = lines[0].split("\t")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:]]


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
            column: as_stored(value, str(types[column])) for column, value in source.items()
        }


def as_stored(text: str, data_type: str) -> object:
    """What a dump's text means in a column of `data_type`."""
    if data_type == "numeric":
        return Decimal(text)
    if data_type in ("bigint", "smallint"):
        return int(text)
    if data_type == "boolean":
        return {"1": True, "0": False}[text]
    if data_type == "timestamp with time zone":
        return datetime.fromisoformat(f"{text}+00:00")
    return text


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
