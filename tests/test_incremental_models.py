"""Incremental marts equal marts that are built from scratch, and touch only the days that changed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from checkout import Checkout
from worlds import FEBRUARY, LOADS, World

NEWEST, DAY_BEFORE = "2025-02-05", "2025-02-04"
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
# The key of a raw row's transaction, as the warehouse describes it.
KEY = "('x' || left(md5('{{chain}}|' || {height} || '|' || {transaction}), 16))::bit(64)::bigint"
OF_OUTPUT = KEY.format(height="block_id", transaction="transaction_hash")
OF_INPUT = KEY.format(height="spending_block_id", transaction="spending_transaction_hash")
OF_CALL = KEY.format(height="block_id", transaction="coalesce(transaction_hash, _unit || '#' || _line)")
# Facts that track a chain's raw table, and the column by which either names what a row is of.
FACTS = {
    "fct_blocks": ("blocks", "hash", "block_hash"),
    "fct_transactions": ("transactions", "hash", "transaction_hash"),
    "fct_transaction_outputs": ("outputs", OF_OUTPUT, "transaction_key"),
    "fct_transaction_inputs": ("inputs", OF_INPUT, "transaction_key"),
    "fct_eth_calls": ("calls", OF_CALL, "transaction_key"),
    "fct_token_transfers": ("erc20_transactions", OF_OUTPUT, "transaction_key"),
}
PARTITIONED = """
    select relname, oid::bigint from pg_class
    where relnamespace = 'analytics'::regnamespace and relkind = 'p' order by 1
"""
ROOM = """
    select relname, pg_relation_size(oid) from pg_class
    where relnamespace = 'analytics'::regnamespace and relispartition and relkind = 'r' order by 1
"""
UNPRICED_FACTS = ("fct_eth_calls", "fct_token_transfers")
BY_DATE = ("fct_transactions", "fct_transaction_outputs", "fct_transaction_inputs", *UNPRICED_FACTS)
PARTITIONS = """
    select substr(relname, length(%s) + 2) from pg_inherits inner join pg_class on inhrelid = oid
    where inhparent = %s::regclass order by 1
"""
# Facts that say by their amounts alone whether the day has a close.
UNMARKED_FACTS = ("fct_transaction_outputs", "fct_transaction_inputs")
BY_AMOUNT = "case when value_usd is null then 'missing' else 'priced' end"
UTXO_FACTS = ("fct_blocks", "fct_transactions", "fct_transaction_outputs", "fct_transaction_inputs")
FACTS_OF = {
    "bitcoin": UTXO_FACTS,
    "dogecoin": UTXO_FACTS,
    "ethereum": ("fct_blocks", "fct_transactions", *UNPRICED_FACTS),
}
RAW = "select {raw_name} from raw_data.{chain}_{table}"
IN_FACTS = "select {name} from analytics.{fact} where chain = '{chain}'"
Named = dict[tuple[str, str], set[object]]


def build(checkout: Checkout) -> None:
    """Without the data tests, which are run once, over what comes of the whole story."""
    checkout.run("meltano", "run", "dbt-postgres:run")


def partitions(checkout: Checkout, fact: str) -> list[object]:
    return [name for (name,) in checkout.sql(PARTITIONS, fact, f"analytics.{fact}")]


def load(checkout: Checkout, **extra: str) -> None:
    checkout.run("meltano", "run", *LOADS, **extra)


def rebuilt(checkout: Checkout) -> dict[str, tuple[int, str]]:
    """Every table, after dbt has forgotten all it built; gate and data tests hold for each day of it."""
    checkout.sql_do(FORGET)
    checkout.run("meltano", "run", "dbt-postgres:build")
    return checkout.tables()


def written(checkout: Checkout) -> dict[tuple[str, str], object]:
    """Which transactions wrote each fact's rows, by chain and day."""
    found: dict[tuple[str, str], object] = {}
    for fact in FACTS:
        query = f"""
            select chain || ' ' || block_date, array_agg(distinct xmin::text order by xmin::text)
            from analytics.{fact} group by 1
        """  # noqa: S608
        found |= {(fact, str(day)): by for day, by in checkout.sql(query)}
    return found


@contextmanager
def only_days(checkout: Checkout, *expected: str) -> Iterator[None]:
    """Expect that just these days are written, in each fact of their chain."""
    before = written(checkout)
    yield
    after = written(checkout)
    found = {place for place in before.keys() | after.keys() if before.get(place) != after.get(place)}
    assert found == {(fact, day) for day in expected for fact in FACTS_OF[day.split()[0]]}


def hashes(checkout: Checkout, query: str) -> Named:
    """What a query finds, by the fact that tracks a chain's raw table and the chain."""
    found = {}
    for chain, facts in FACTS_OF.items():
        for fact in facts:
            table, raw_name, name = FACTS[fact]
            raw_key = raw_name.format(chain=chain)
            asked = query.format(chain=chain, table=table, raw_name=raw_key, fact=fact, name=name)
            found[fact, chain] = {value for (value,) in checkout.sql(asked)}
    return found


@contextmanager
def orphans_leave(checkout: Checkout, *places: tuple[str, str]) -> Iterator[None]:
    """Expect that what the source took back in these facts and chains leaves them, and that its successors come."""
    raw_before, before = hashes(checkout, RAW), hashes(checkout, IN_FACTS)
    assert before == raw_before
    yield
    raw_after, after = hashes(checkout, RAW), hashes(checkout, IN_FACTS)
    assert {place for place in raw_after if raw_before[place] - raw_after[place]} == set(places)
    for place in places:
        orphans, successors = raw_before[place] - raw_after[place], raw_after[place] - raw_before[place]
        assert not orphans & after[place], f"{place}: orphans stay"
        assert successors <= after[place], f"{place}: successors lack"
    assert after == raw_after


def closes(checkout: Checkout, chain: str, day: str) -> set[object]:
    """How a chain's rows of a day are priced, in each fact with amounts in USD and in the day's own row."""
    facts = (*(fact for fact in FACTS_OF[chain] if fact not in UNPRICED_FACTS), "fct_network_daily")
    status = {fact: BY_AMOUNT if fact in UNMARKED_FACTS else "price_status" for fact in facts}
    query = " union ".join(
        f"select {status[fact]} from analytics.{fact} where chain = '{chain}' and block_date = '{day}'"  # noqa: S608
        for fact in facts
    )
    return {status for (status,) in checkout.sql(query)}


@pytest.fixture(scope="module")
def first(filled: Callable[[World], Checkout]) -> Checkout:
    """The second of two months."""
    return filled(FEBRUARY)


@pytest.fixture(scope="module")
def built(first: Checkout) -> dict[str, tuple[int, str]]:
    """Every table as the first build left it."""
    return first.tables()


EVERY_FACT = [(fact, chain) for chain, facts in FACTS_OF.items() for fact in facts]
# The close of 1 February, where the marts look first and where they look then.
ETHER_CLOSE = {
    "coingecko_market_chart": "coin_id = 'ethereum' and granularity = 'daily' and stamp = '2025-02-02'",
    "coingecko_token": "coin_id = 'ethereum' and date = '2025-02-02'",
}


@pytest.fixture(scope="module")
def lost_close(first: Checkout) -> dict[str, str]:
    """The rows of a close, as JSON by table: it goes before the next build, and so comes late."""
    return {
        table: str(row)
        for table, where in ETHER_CLOSE.items()
        for (row,) in first.sql(f"select to_jsonb(t)::text from raw_data.{table} as t where {where}")  # noqa: S608
    }


class TestWhatHappensToAWarehouse:
    """In order: each test goes on with the warehouse that the one before it left."""

    def test_nothing_new_writes_nothing(self, first: Checkout, built: dict[str, tuple[int, str]]) -> None:
        """Not even where a release has added a column: it is null until the table is rebuilt."""
        assert built["analytics.fct_transactions"][0]
        first.sql_do("alter table analytics.fct_transactions drop column fee_usd cascade")
        with only_days(first):
            build(first)
        assert first.sql("select count(*), count(fee_usd) from analytics.fct_transactions") == [
            (built["analytics.fct_transactions"][0], 0)
        ]

    def test_a_table_that_was_dropped_is_filled_whole(self, first: Checkout, built: dict[str, tuple[int, str]]) -> None:
        """Also with the column that it lacked."""
        first.sql_do("drop table analytics.fct_transactions, analytics.fct_blocks cascade")
        build(first)
        assert first.tables() == built

    def test_replaced_days(self, first: Checkout, lost_close: dict[str, str]) -> None:
        """Of a day half the blocks are others, with all that is in them; of another, miners; and a close is gone."""
        assert lost_close.keys() == ETHER_CLOSE.keys()
        for chain in FACTS_OF:
            first.at_source("reorg", chain=chain, depth=12)
        first.at_source("replace", chain="dogecoin", table="blocks", day=DAY_BEFORE, change="restated")
        before = first.tables()
        miners = (
            f"select distinct miner from analytics.fct_blocks where chain = 'dogecoin' and block_date = '{DAY_BEFORE}'"  # noqa: S608
        )
        assert not [name for (name,) in first.sql(miners) if "(restated)" in str(name)]
        assert closes(first, "ethereum", "2025-02-01") == {"priced"}
        days = [f"{chain} {NEWEST}" for chain in FACTS_OF]
        with (
            only_days(first, *days, f"dogecoin {DAY_BEFORE}", "ethereum 2025-02-01"),
            orphans_leave(first, *EVERY_FACT),
        ):
            load(first, TAP_BLOCKCHAIR_START_DATE="2025-02-01")
            for table, where in ETHER_CLOSE.items():
                first.sql_do(f"delete from raw_data.{table} where {where}", role="loader")  # noqa: S608
            build(first)
        after = first.tables()
        assert {fact for fact in FACTS if before[f"analytics.{fact}"] == after[f"analytics.{fact}"]} == set()
        assert [name for (name,) in first.sql(miners) if "(restated)" not in str(name)] == []
        assert closes(first, "ethereum", "2025-02-01") == {"missing"}

    def test_a_full_refresh_fills_the_partitioned_tables_and_replaces_none(self, first: Checkout) -> None:
        """Which is a rebuild too: the replaced days above equal it, and what stands there wrongly goes."""
        before, partitioned = first.tables(), first.sql(PARTITIONED)
        assert set(BY_DATE) <= {str(name) for name, _ in partitioned}
        first.sql_do("update analytics.fct_transactions set fee_usd = 1")
        first.sql_do("delete from analytics.fct_eth_calls where block_date = '2025-02-01'")
        assert first.tables() != before
        first.run("meltano", "invoke", "dbt-postgres", "run", "--full-refresh")
        assert first.tables() == before
        assert first.sql(PARTITIONED) == partitioned
        # each row is stored once: a second rebuild takes no more space, and leaves the same partitions
        held = first.sql(ROOM)
        first.run("meltano", "invoke", "dbt-postgres", "run", "--full-refresh", "--select", *BY_DATE)
        assert first.sql(ROOM) == held
        assert first.tables() == before

    def test_a_price_that_comes_late(self, first: Checkout, lost_close: dict[str, str]) -> None:
        with only_days(first, "ethereum 2025-02-01"):
            for table, row in lost_close.items():
                quoted = row.replace("'", "''")
                known = f"jsonb_populate_record(null::raw_data.{table}, '{quoted}')"
                first.sql_do(f"insert into raw_data.{table} select ({known}).*", role="loader")
            build(first)
        assert closes(first, "ethereum", "2025-02-01") == {"priced"}

    def test_a_backfilled_month(self, first: Checkout) -> None:
        load(first, TAP_BLOCKCHAIR_START_DATE="2025-01-28")
        build(first)
        assert first.sql("select count(*) from analytics.fct_blocks") == [(3 * 9 * 24,)]

    def test_new_days_are_partitions_and_a_month_that_was_over_is_one(self, first: Checkout) -> None:
        days = [f"p2025_02_0{day}" for day in range(1, 6)]
        assert {fact: partitions(first, fact) for fact in BY_DATE} == {fact: ["p2025_01", *days] for fact in BY_DATE}

    def test_the_days_of_a_month_that_is_over_are_merged(self, first: Checkout) -> None:
        """Of the one table that has a later one, and as soon as nobody reads it."""
        before, newer = first.tables(), "analytics.fct_transactions_p2025_03_01"
        first.sql_do(
            f"create table {newer} partition of analytics.fct_transactions"
            " for values from ('2025-03-01') to ('2025-03-02')"
        )
        at_once = ("run-operation", "merge_days", "--args", "{lock_timeout: 100ms}")
        with psycopg.connect(first.url("bi_reader")) as reader:
            reader.execute("select count(*) from analytics.fct_transactions")
            first.run("meltano", "invoke", "dbt-postgres", *at_once)
            assert partitions(first, "fct_transactions")[-2:] == ["p2025_02_05", "p2025_03_01"]
        first.run("meltano", "invoke", "dbt-postgres:merge-days")
        assert partitions(first, "fct_transactions") == ["p2025_01", "p2025_02", "p2025_03_01"]
        assert partitions(first, "fct_eth_calls")[-1] == "p2025_02_05"
        assert first.tables() == before
        first.sql_do(f"drop table {newer}")
        indexes = "select count(*) from pg_indexes where schemaname = 'analytics' and tablename = %s"
        assert first.sql(indexes, "fct_transactions_p2025_02") == first.sql(indexes, "fct_transactions")

    def test_reorganisations(self, first: Checkout) -> None:
        """At the tip only, into the last published day, and through it into the one before; then all is built anew."""
        first.at_source("advance", hours=14)  # to 20:00, at a block an hour
        load(first, **WITH_TIP)
        build(first)
        assert first.sql("select count(distinct _channel) from raw_data.bitcoin_blocks") == [(2,)]
        for chain, depth, shorter in (("ethereum", 5, 0), ("dogecoin", 28, 2), ("bitcoin", 52, 0)):
            first.at_source("reorg", chain=chain, depth=depth, shorter=shorter)
        deep = [(fact, chain) for fact, chain in EVERY_FACT if chain != "ethereum"]
        with orphans_leave(first, *deep, ("fct_blocks", "ethereum")):
            load(first, **WITH_TIP)
            build(first)
        assert first.tables() == rebuilt(first)
