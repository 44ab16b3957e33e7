"""Loads of the same month take turns, by locks that a reader of the database can neither guess nor take."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from psycopg import errors

from target_postgres_copy import load as load_module
from target_postgres_copy.tables import lock, prepare_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

LIMIT = 60  # seconds
DAY = "2024-01-09"
WAITING = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
# By their names; an advisory lock is as good as any other where a login knows the number.
NAMES = ["warehouse_origin", "load_ledger", "trades", "trades_p2024_01", "trades_p2024_02"]


@pytest.fixture
def reader(database: Any) -> Iterator[psycopg.Connection[Any]]:
    """A session of `bi_reader`, which may look into the schema of the raw tables, and read them all."""
    database.query(f"create role bi_reader login password '{database.server.password}'")
    database.query("grant usage on schema raw_data to bi_reader")
    database.query("alter default privileges for role loader in schema raw_data grant select on tables to bi_reader")
    try:
        with database.server.connect(database.name, user="bi_reader") as connection:
            yield connection
    finally:
        database.query("drop owned by bi_reader; drop role bi_reader")


def day_of(trades: Any, height: int, day: str) -> list[dict[str, Any]]:
    """A dump day of one row."""
    return [*trades.loaded(day, [[str(height), "n", f"{day} 12:00:00", "1", "1", "0"]]), trades.schema()]


def test_advisory_locks_of_a_reader_hold_no_load(
    feed: Any, database: Any, trades: Any, reader: psycopg.Connection[Any]
) -> None:
    for name in NAMES:
        reader.execute("select pg_advisory_lock(hashtext(%s))", [name])
        reader.execute("select pg_advisory_lock(hashtext('raw_data'), hashtext(%s))", [name])
    record = [trades.schema(trades.heights(3, None)), trades.record(3, "2024-02-01T00:00:00Z"), trades.schema()]
    days = [*day_of(trades, 1, DAY), *day_of(trades, 2, "2024-01-10")]

    feed([*days, *record], lock_timeout=3, data_origin="live")

    assert database.query("select height from raw_data.trades order by 1") == [(1,), (2,), (3,)]


@pytest.mark.parametrize("refused", ["for update", "for no key update", "for share", "for key share", "in share mode"])
def test_a_reader_may_not_take_a_loader_s_lock(
    feed: Any, trades: Any, reader: psycopg.Connection[Any], refused: str
) -> None:
    """Though its role may read the table of locks, which no role but the loader's should."""
    feed([trades.schema()])
    verb = "begin; lock table" if refused.startswith("in") else "select from"
    with pytest.raises(errors.InsufficientPrivilege):
        reader.execute(f"{verb} raw_data.load_locks {refused}".encode())


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_the_first_loaders_make_the_locks_at_once(database: Any, end: str) -> None:
    """Neither sees what the other one is making."""
    database.query("drop schema raw_data")
    database.query(f"grant create on database {database.name} to loader")
    with (
        database.server.connect(database.name, user="loader") as first,
        database.server.connect(database.name, user="loader") as second,
        ThreadPoolExecutor(1) as thread,
    ):
        first.execute("begin")
        prepare_schema(first.cursor(), "raw_data")
        made = thread.submit(prepare_schema, second.cursor(), "raw_data")
        database.wait_for(WAITING)
        first.execute(end.encode())
        made.result(LIMIT)
        with second.transaction():
            lock(second.cursor(), "raw_data", "trades")
    assert database.query("select name from raw_data.load_locks") == [("trades",)]


@pytest.mark.parametrize("is_known", [False, True])
def test_a_lock_lasts_until_its_transaction_ends(database: Any, is_known: bool) -> None:
    """Of a name that nobody has locked before, and of one that has its row."""
    with (
        database.server.connect(database.name, user="loader") as first,
        database.server.connect(database.name, user="loader") as second,
        ThreadPoolExecutor(1) as thread,
    ):
        prepare_schema(first.cursor(), "raw_data")
        if is_known:
            lock(first.cursor(), "raw_data", "trades")
        for ending in ("rollback", "commit"):
            first.execute("begin")
            second.execute("begin")
            lock(first.cursor(), "raw_data", "trades")
            lock(second.cursor(), "raw_data", "others")
            taken = thread.submit(lock, second.cursor(), "raw_data", "trades")
            database.wait_for(WAITING)
            assert not taken.done()
            first.execute(ending.encode())
            taken.result(LIMIT)
            second.execute("rollback")


def test_who_waits_for_a_month_keeps_nobody_from_its_table(feed: Any, database: Any, trades: Any) -> None:
    """Rows of two months: the loader of the second has to attach it to the table before it lets go."""
    feed([trades.schema()])
    rows = [trades.record(month, f"2024-0{month}-01T00:00:00Z") for month in (1, 2)]
    with database.server.connect(database.name, user="loader") as other, ThreadPoolExecutor(1) as thread:
        other.execute("begin")
        lock(other.cursor(), "raw_data", "trades_p2024_02")
        loading = thread.submit(feed, [trades.schema(trades.heights(1, None)), *rows, trades.schema()])
        database.wait_for(WAITING)
        other.execute("set local lock_timeout = '5s'; lock table raw_data.trades in share update exclusive mode")
        other.execute("commit")
        loading.result(LIMIT)
    assert database.query("select height from raw_data.trades order by 1") == [(1,), (2,)]


def test_a_reader_waits_for_no_load(feed: Any, database: Any, trades: Any) -> None:
    """The columns of the month are altered before the load; that is committed at once, while the lock goes on."""
    feed(day_of(trades, 1, DAY))
    with (
        database.server.connect(database.name) as other,
        database.server.connect(database.name) as reading,
        ThreadPoolExecutor(1) as thread,
    ):
        other.execute("begin; lock table raw_data.load_ledger in share mode")
        loading = thread.submit(feed, day_of(trades, 2, "2024-01-10"))
        database.wait_for(WAITING)
        reading.execute("set lock_timeout to '3s'")
        assert reading.execute("select height from raw_data.trades").fetchall() == [(1,)]
        other.execute("rollback")
        loading.result(LIMIT)
    assert database.query("select height from raw_data.trades order by 1") == [(1,), (2,)]


def test_a_load_does_not_wait_long_for_a_reader(
    feed: Any, database: Any, trades: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the slice goes by a staging table, which alters nothing."""
    monkeypatch.setattr(load_module, "_PATIENCE", "200ms")
    feed(day_of(trades, 1, DAY))
    with ThreadPoolExecutor(1) as thread, database.server.connect(database.name) as reading:
        reading.execute("begin; select height from raw_data.trades")
        thread.submit(feed, day_of(trades, 2, "2024-01-10")).result(LIMIT)
        assert reading.execute("select height from raw_data.trades order by 1").fetchall() == [(1,), (2,)]
