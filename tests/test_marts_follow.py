"""Marts that follow the loads equal marts that are built from scratch, and touch only the days that changed."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from checkout import Checkout

# Over the end of a month; blocks above the last published day come from the API.
WORLD = {
    "SIMULATOR_START": "2025-01-28",
    "SIMULATOR_DAYS": "6",
    "SIMULATOR_BLOCKS_PER_DAY": "24",
    "SIMULATOR_TRANSACTIONS_PER_BLOCK": "3",
}
LOADS = ("tap-coingecko", "target-postgres", "tap-blockchair", "target-postgres")
WITH_TIP = {"TAP_BLOCKCHAIR_TIP": "also"}
FORGET = """
do $$
declare
    found record;
begin
    for found in
        select format(
            'drop %s if exists %s.%I cascade',
            case relkind when 'v' then 'view' else 'table' end, relnamespace::regnamespace, relname
        ) as command
        from pg_class
        where relnamespace in ('staging'::regnamespace, 'intermediate'::regnamespace, 'analytics'::regnamespace)
            and relkind in ('r', 'p', 'v') and not relispartition
    loop
        execute found.command;
    end loop;
end $$
"""
# Which transaction wrote a mart's rows, by day.
WRITTEN = """
    select chain || ' ' || block_date, array_agg(distinct xmin::text order by xmin::text)
    from analytics.fct_transactions group by 1
"""


def happen(checkout: Checkout, what: str, **details: object) -> None:
    """Let something happen at the source."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{checkout.simulator()['url']}/_simulator/{what}",
        json.dumps(details).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request).close()  # noqa: S310


def build(checkout: Checkout) -> None:
    checkout.run("meltano", "run", "dbt-postgres:build")


def load(checkout: Checkout, **extra: str) -> None:
    checkout.run("meltano", "run", *LOADS, **extra)


def rebuilt(checkout: Checkout) -> dict[str, tuple[int, str]]:
    """Every table, after dbt has forgotten all it built."""
    checkout.sql_do(FORGET)
    build(checkout)
    return checkout.tables()


@contextmanager
def only_days(checkout: Checkout, *expected: str) -> Iterator[None]:
    """Expect that just these days of a mart are written."""
    before = dict(checkout.sql(WRITTEN))
    yield
    after = dict(checkout.sql(WRITTEN))
    assert {day for day in before.keys() | after.keys() if before.get(day) != after.get(day)} == set(expected)


@pytest.fixture(scope="module")
def first(checkout: Checkout) -> Checkout:
    """The world's last days."""
    checkout.make("run", **WORLD, TAP_BLOCKCHAIR_START_DATE="2025-02-01")
    return checkout


def test_nothing_new_writes_nothing(first: Checkout) -> None:
    with only_days(first):
        build(first)


def test_a_table_that_was_dropped_is_filled_whole(first: Checkout) -> None:
    before = first.tables()
    first.sql_do("drop table analytics.fct_transactions, analytics.fct_blocks cascade")
    build(first)
    assert first.tables() == before


def test_a_replaced_day(first: Checkout) -> None:
    happen(first, "replace", chain="dogecoin", table="transactions", day="2025-02-01", change="restated")
    load(first, TAP_BLOCKCHAIR_START_DATE="2025-02-01")
    with only_days(first, "dogecoin 2025-02-01"):
        build(first)
    assert first.tables() == rebuilt(first)


def test_a_price_that_comes_late(first: Checkout) -> None:
    late = "update raw_data.coingecko_market_chart set price = price * 2 where coin_id = 'ethereum'"
    first.sql_do(f"{late} and stamp = '2025-02-02'", role="loader")
    with only_days(first, "ethereum 2025-02-01"):
        build(first)
    assert first.tables() == rebuilt(first)


def test_a_backfilled_month(first: Checkout) -> None:
    load(first, TAP_BLOCKCHAIR_START_DATE="2025-01-28")
    build(first)
    assert first.sql("select count(*) from analytics.fct_blocks") == [(3 * 6 * 24,)]
    assert first.tables() == rebuilt(first)


def test_reorganisations(first: Checkout) -> None:
    happen(first, "advance", hours=14)
    load(first, **WITH_TIP)
    build(first)
    assert first.sql("select count(distinct _channel) from raw_data.bitcoin_blocks") == [(2,)]
    for chain, depth, shorter in (("bitcoin", 3, 0), ("dogecoin", 7, 2), ("ethereum", 5, 0)):
        happen(first, "reorg", chain=chain, depth=depth, shorter=shorter)
    before = first.tables()
    load(first, **WITH_TIP)
    build(first)
    after = first.tables()
    assert after["analytics.fct_blocks"] != before["analytics.fct_blocks"]
    assert after == rebuilt(first)
