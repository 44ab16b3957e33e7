"""The recipes of docs/raw-tables.md do what they say, and loads go on afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from target_postgres_copy.errors import SchemaChangeError
from target_postgres_copy.stream_schema import Partitioning
from target_postgres_copy.tables import PartitionedTable, columns_of

DOCS = Path(__file__).parents[3] / "docs" / "raw-tables.md"
ID = {"type": "integer"}
WHOLE = {"type": ["integer", "null"]}
BROKEN = {"type": ["number", "null"]}
TEXT = {"type": ["string", "null"]}
TIME = {"type": ["string", "null"], "format": "date-time"}


@pytest.fixture
def send(feed: Callable[..., str]) -> Callable[..., str]:
    return partial(feed, add_record_metadata=False, activate_version=False)


def schema(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "SCHEMA", "stream": "things", "key_properties": ["id"], "schema": {"properties": properties}}


def record(**values: Any) -> dict[str, Any]:
    return {"type": "RECORD", "stream": "things", "record": values}


def types(database: Any) -> dict[str, str]:
    with database.server.connect(database.name) as connection, connection.cursor() as cursor:
        return columns_of(cursor, "raw_data", "things")


def recipe(name: str, **replaced: str) -> str:
    """A recipe of docs/raw-tables.md, for the tables of a test."""
    blocks = re.findall(r"```sql\n-- recipe: (.*?)\n(.*?)```", DOCS.read_text(), re.DOTALL)
    found = dict(blocks)[name]
    for old, new in replaced.items():
        found = found.replace(old, new)
    return str(found)


BLOCKS = {"raw_data.bitcoin_blocks": "raw_data.things", "staging.stg_blockchair__utxo_blocks": "staging.stg_things"}
TWO_VIEWS = """
    create schema staging; grant usage, create on schema staging to loader; set role loader;
    create view staging.stg_things as select * from raw_data.things;
    create view staging.on_top as select * from staging.stg_things;
"""


def run_as_loader(database: Any, statements: str) -> list[tuple[Any, ...]]:
    with database.server.connect(database.name) as connection:
        connection.execute("set role loader; set time zone 'America/New_York'")
        cursor = connection.execute(statements)
        return cursor.fetchall() if cursor.description else []


def test_recipe_wider(database: Any, send: Callable[..., str]) -> None:
    send([schema({"id": ID, "reward": WHOLE}), record(id=1, reward=2**53 + 1)])
    database.query(TWO_VIEWS)
    changed = [schema({"id": ID, "reward": BROKEN}), record(id=2, reward=1.5)]
    with pytest.raises(SchemaChangeError, match=r"views staging\.on_top, staging\.stg_things depend on it"):
        send(changed)
    in_order = run_as_loader(database, recipe("views", **BLOCKS))
    assert [name for (name,) in in_order] == ["staging.on_top", "staging.stg_things"]

    run_as_loader(database, recipe("wider", **BLOCKS))
    send(changed)

    assert types(database)["reward"] == "numeric"
    assert database.query("select reward from raw_data.things order by id") == [(2**53 + 1,), (Decimal("1.5"),)]


def test_recipe_timestamptz(database: Any, send: Callable[..., str]) -> None:
    database.query(
        'set role loader; create table raw_data.things (id bigint primary key, at timestamp, "A t" timestamp, day date)'
    )
    moments = {"at": "2026-07-01T12:00:00Z", "A t": "0001-01-01T00:00:00Z"}
    changed = [schema({"id": ID, "at": TIME, "A t": TIME}), record(id=1, **moments)]
    send(changed)
    database.query(TWO_VIEWS)

    run_as_loader(database, recipe("timestamptz", **BLOCKS))
    before = database.query("select xmin::text from raw_data.things")
    send(changed)

    assert list(types(database).values())[:4] == ["bigint", *["timestamp with time zone"] * 2, "date"]
    assert database.query("select at, (\"A t\" at time zone 'UTC')::text from raw_data.things") == [
        (datetime(2026, 7, 1, 12, tzinfo=UTC), "0001-01-01 00:00:00")
    ]
    assert database.query("select xmin::text from raw_data.things") == before  # the same moments: no row was written


def test_recipe_another_type(database: Any, send: Callable[..., str]) -> None:
    send([schema({"id": ID, "version_hex": {"type": "boolean"}}), record(id=1, version_hex=True)])
    with pytest.raises(SchemaChangeError, match="is boolean"):
        send([schema({"id": ID, "version_hex": TEXT}), record(id=2, version_hex="1")])
    database.query("set role loader; alter table raw_data.things alter column version_hex type text using '7'")
    database.query(TWO_VIEWS)

    run_as_loader(database, recipe("another type", **BLOCKS))
    send([schema({"id": ID, "version_hex": BROKEN}), record(id=2, version_hex=1.5)])

    assert database.query("select version_hex from raw_data.things order by id") == [(7,), (Decimal("1.5"),)]


def test_recipe_months(database: Any, feed: Callable[..., str], plain_trades: Any, trades: Any) -> None:
    """A table without partitions becomes what the loader would have made, and loads go on into it."""
    trades.stream = plain_trades.stream = "flat"
    plain_trades.is_partitioned = False
    days = ["2024-01-30", "2024-01-31", "2024-02-01"]
    for number, day in enumerate(days):
        feed(plain_trades.loaded(day, [[str(number), f"n{number}", f"{day} 23:59:59", "1.5", "1", "0"]]))
    rows = "select height, at, amount, _line, _unit, _load_id from raw_data.flat order by height"
    before = database.query(rows)
    names = {"bitcoin_transactions": "flat", "range (time)": "range (at)", "brin (time)": "brin (at)"}
    names |= {"(block_id)": "(height)", "time >=": "at >=", "time <": "at <", "'month', time": "'month', at"}

    run_as_loader(database, recipe("months", **names))

    assert database.query(rows) == before
    assert len(before) == 3
    months = "select inhrelid::regclass::text from pg_inherits where inhparent = 'raw_data.flat'::regclass order by 1"
    assert database.query(months) == [("raw_data.flat_p2024_01",), ("raw_data.flat_p2024_02",)]
    # As the loader makes it: the same indexes, and a day is replaced in place.
    with database.server.connect(database.name) as connection, connection.cursor() as cursor:
        described = Partitioning.of(
            "made", {"properties": {"at": {}, "height": {}}, "x-partition": trades.schema()["schema"]["x-partition"]}
        )
        assert described is not None
        columns = columns_of(cursor, "raw_data", "flat")
        PartitionedTable("raw_data", "made", {}, partitioning=described).create(cursor, columns)
    indexes = "select replace(indexdef, tablename, '') from pg_indexes where tablename = '{}' order by 1"
    assert database.query(indexes.format("flat")) == database.query(indexes.format("made"))
    feed(trades.loaded("2024-01-31", [["7", "n7", "2024-01-31 01:00:00", "2", "1", "0"]]))
    feed(trades.loaded("2024-03-01", [["8", "n8", "2024-03-01 01:00:00", "2", "1", "0"]]))
    assert database.query("select height, _line from raw_data.flat order by height") == [(0, 2), (2, 2), (7, 2), (8, 2)]
    assert database.query("select count(*) from raw_data.flat_p2024_03") == [(1,)]


def test_every_recipe_is_tested() -> None:
    assert set(re.findall(r"-- recipe: (.*)", DOCS.read_text())) == {
        "views",
        "wider",
        "timestamptz",
        "another type",
        "months",
    }
