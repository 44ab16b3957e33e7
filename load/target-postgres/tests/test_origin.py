"""Simulated and live data never meet in one warehouse."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from target_postgres_copy.errors import OriginMismatchError, SliceError
from target_postgres_copy.origin import claim
from target_postgres_copy.tables import prepare_schema

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 60  # seconds
MARK = "select origin from raw_data.warehouse_origin"


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("live", "simulator", "this warehouse holds live data; refusing to load simulated data into it"),
        ("simulator", "live", "this warehouse holds simulated data; refusing to load live data into it"),
    ],
)
def test_the_other_origin_is_refused(
    load: Callable[..., str], database: Any, first: str, second: str, words: str
) -> None:
    load("blocks.singer", data_origin=first)
    assert database.query(MARK) == [(first,)]

    with pytest.raises(OriginMismatchError, match=words):
        load("amounts.singer", data_origin=second)

    assert database.query(MARK) == [(first,)]
    assert database.tables() == ["bitcoin_blocks", "load_ledger", "load_locks", "warehouse_origin"]


def test_the_same_origin_goes_on(load: Callable[..., str], database: Any) -> None:
    load("blocks.singer", data_origin="live")
    marked = database.query("select * from raw_data.warehouse_origin")
    load("amounts.singer", data_origin="live")

    assert database.query("select * from raw_data.warehouse_origin") == marked
    assert database.tables() == ["amounts", "bitcoin_blocks", "load_ledger", "load_locks", "warehouse_origin"]


def test_a_run_without_rows_marks_nothing(feed: Any, load: Callable[..., str], database: Any) -> None:
    """So a try with the wrong key, of which no row comes, does not make a warehouse live."""
    schema = {"type": "SCHEMA", "stream": "amounts", "schema": {"properties": {"id": {"type": "integer"}}}}
    feed([{**schema, "key_properties": ["id"]}], data_origin="live")
    assert database.tables() == ["amounts", "load_ledger", "load_locks"]

    load("blocks.singer", data_origin="simulator")

    assert database.query(MARK) == [("simulator",)]


def test_a_load_that_is_rolled_back_marks_nothing(feed: Any, trades: Any, database: Any) -> None:
    record = [trades.schema(trades.heights(3, None)), trades.record(2, "2024-02-01T00:00:00Z"), trades.schema()]
    with pytest.raises(SliceError, match="1 rows lie outside its range"):
        feed(record, data_origin="live")
    assert "warehouse_origin" not in database.tables()


def test_a_load_that_only_takes_rows_away_marks_nothing(feed: Any, trades: Any, database: Any) -> None:
    rows = [trades.schema(trades.heights(3, None)), trades.record(3, "2024-02-01T00:00:00Z"), trades.schema()]
    feed(rows)
    feed([trades.schema(trades.heights(3, None)), trades.schema()], data_origin="live")
    assert database.query("select count(*) from raw_data.trades") == [(0,)]
    assert "warehouse_origin" not in database.tables()


def test_unset_checks_and_marks_nothing(load: Callable[..., str], database: Any) -> None:
    load("blocks.singer")
    assert database.tables() == ["bitcoin_blocks", "load_ledger", "load_locks"]

    load("blocks.singer", data_origin="live")
    load("amounts.singer")
    assert "amounts" in database.tables()


def test_a_schema_is_made_for_the_mark(load: Callable[..., str], database: Any) -> None:
    database.query("drop schema raw_data")
    database.query(f"grant create on database {database.name} to loader")

    load("blocks.singer", data_origin="simulator")

    assert database.query(MARK) == [("simulator",)]


def test_the_mark_is_one_of_two_words_in_one_row(load: Callable[..., str], database: Any) -> None:
    load("blocks.singer", data_origin="live")

    with pytest.raises(psycopg.errors.UniqueViolation):
        database.query("insert into raw_data.warehouse_origin (origin) values ('simulator')")
    with pytest.raises(psycopg.errors.CheckViolation):
        database.query("update raw_data.warehouse_origin set origin = 'both'")


def test_loaders_that_start_at_once(database: Any) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(8)

    def one(origin: str) -> None:
        with database.server.connect(database.name, user="loader") as connection:
            prepare_schema(connection.cursor(), "raw_data")
            start.wait(LIMIT)
            try:
                with connection.transaction():
                    claim(connection.cursor(), "raw_data", origin)
                outcomes.append(origin)
            except OriginMismatchError:
                outcomes.append("refused")

    with ThreadPoolExecutor(8) as threads:
        begun = [threads.submit(one, ("live", "simulator")[number % 2]) for number in range(8)]
        for each in begun:
            each.result(LIMIT)

    ((winner,),) = database.query(MARK)
    assert sorted(outcomes) == sorted([winner] * 4 + ["refused"] * 4)


def test_a_mark_waits_for_another_loaders_transaction(database: Any) -> None:
    """The second loader must see the first one's mark even when it looked before that was committed."""
    waiting = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"

    def second() -> None:
        with database.server.connect(database.name, user="loader") as connection, connection.transaction():
            claim(connection.cursor(), "raw_data", "live")

    with (
        ThreadPoolExecutor(1) as thread,
        database.server.connect(database.name, user="loader") as first,
    ):
        prepare_schema(first.cursor(), "raw_data")
        with first.transaction():
            claim(first.cursor(), "raw_data", "simulator")
            other = thread.submit(second)
            database.wait_for(waiting)
        with pytest.raises(OriginMismatchError):
            other.result(LIMIT)

    assert database.query(MARK) == [("simulator",)]
