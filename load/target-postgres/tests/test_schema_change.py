"""A changed schema meets a table that exists, and the recipes of docs/reference/raw-tables.md change the table."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from singer_sdk.singerlib.json import serialize_json

from target_postgres_copy.errors import SchemaChangeError
from target_postgres_copy.schema_change import dependent_views, fits
from target_postgres_copy.sessions import UtcConnector
from target_postgres_copy.stream_schema import Partitioning
from target_postgres_copy.tables import PartitionedTable, columns_of

# Properties, and values at the ends of what they allow.
WANTED: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "flag16": ({"type": "integer", "minimum": -(2**15), "maximum": 2**15 - 1}, [-(2**15), 0, 2**15 - 1]),
    "int32": ({"type": "integer", "minimum": -(2**31), "maximum": 2**31 - 1}, [-(2**31), 2**31 - 1]),
    "integer": ({"type": "integer"}, [-(2**63), 2**63 - 1, 2**53 + 1]),
    "number": (
        {"type": "number"},
        [Decimal("1.5"), 894582879806664207241, Decimal("0.123456789012345678901234567890")],
    ),
    "money": ({"type": "string", "format": "x-singer.decimal", "precision": 10, "scale": 2}, ["-99999999.99", "0.01"]),
    "price": (
        {"type": "string", "format": "x-singer.decimal", "precision": 38, "scale": 18},
        ["9" * 20 + "." + "9" * 18],
    ),
    "string": ({"type": "string"}, ["a", "", "trailing ", "é" * 300]),
    "boolean": ({"type": "boolean"}, [True, False]),
    "date": ({"type": "string", "format": "date"}, ["0001-01-01", "9999-12-31"]),
    "date-time": (
        {"type": "string", "format": "date-time"},
        ["2026-01-01T00:00:00.123456+02:00", "0001-01-01T00:00:00Z"],
    ),
    "time": ({"type": "string", "format": "time"}, ["23:59:59.999999"]),
    "uuid": ({"type": "string", "format": "uuid"}, ["12345678-1234-5678-1234-567812345678"]),
    "object": ({"type": "object"}, [{"a": [1, {"b": None}]}, {}]),
    "integers": ({"type": "array", "items": {"type": "integer"}}, [[1, 2**63 - 1], []]),
    "numbers": ({"type": "array", "items": {"type": "number"}}, [[1, 894582879806664207241]]),
    "strings": ({"type": "array", "items": {"type": "string"}}, [["a", "{b,}", "NULL"]]),
    "objects": ({"type": "array", "items": {"type": "object"}}, [[{"a": 1}, {}]]),
}
# What a column of a type takes; whatever is not named here stops the load.
TAKES: dict[str, set[str]] = {
    "smallint": {"flag16"},
    "integer": {"flag16", "int32"},
    "bigint": {"flag16", "int32", "integer"},
    "numeric": {"flag16", "int32", "integer", "number", "money", "price"},
    "numeric(10,2)": {"flag16", "money"},
    "numeric(38,18)": {"flag16", "int32", "integer", "money", "price"},
    "double precision": {"flag16", "int32"},
    "real": {"flag16"},
    "text": set(WANTED),
    "character varying": set(WANTED),
    "character varying(300)": set(),
    "character(300)": set(),
    "boolean": {"boolean"},
    "date": {"date"},
    "timestamp without time zone": {"date", "date-time"},
    "timestamp with time zone": {"date", "date-time"},
    "timestamp(3) with time zone": set(),
    "time without time zone": {"time"},
    "uuid": {"uuid"},
    "bytea": set(),
    "jsonb": {"object"},
    "json": {"object"},
    "bigint[]": {"integers"},
    "numeric[]": {"integers", "numbers"},
    "text[]": {"integers", "numbers", "strings", "objects"},
    "jsonb[]": {"objects"},
    "inet": set(),
}


def connector_of(database: Any) -> UtcConnector:
    return UtcConnector({"sqlalchemy_url": database.url()})


def prepare(connector: UtcConnector, name: str, properties: dict[str, Any], keys: tuple[str, ...] = ()) -> sa.Table:
    with connector._connect() as connection, connection.begin():
        full_name = connector.get_fully_qualified_name(name, "raw_data")
        return connector.prepare_table(full_name, {"properties": properties}, keys, connection)


def refused(connector: UtcConnector, name: str, properties: dict[str, Any]) -> str | None:
    try:
        prepare(connector, name, properties, ("id",))
    except SchemaChangeError as error:
        return str(error)
    return None


def types(database: Any, table: str = "things") -> dict[str, str]:
    with database.server.connect(database.name) as connection, connection.cursor() as cursor:
        return columns_of(cursor, "raw_data", table)


def given(database: Any, statement: str) -> None:
    database.query(f"set role loader; {statement}")


def schema(properties: dict[str, Any], stream: str = "things", **more: Any) -> dict[str, Any]:
    return {"type": "SCHEMA", "stream": stream, "key_properties": ["id"], "schema": {"properties": properties} | more}


def record(stream: str = "things", **values: Any) -> dict[str, Any]:
    return {"type": "RECORD", "stream": stream, "record": values}


@pytest.fixture
def send(feed: Callable[..., str]) -> Callable[..., None]:
    """Send messages through the target, decimals as they stand."""
    return lambda *messages: feed(map(serialize_json, messages), add_record_metadata=False, activate_version=False)


def test_the_lock_no_type_changes_and_no_digit_is_lost(database: Any, send: Callable[..., None]) -> None:
    """Beside each column stands one of just the type wanted, loaded with the same values: both hold the same."""
    connector = connector_of(database)
    taken: dict[str, set[str]] = {kind: set() for kind in TAKES}
    messages: list[dict[str, Any]] = []
    tables: list[tuple[str, str, str]] = []
    for number, kind in enumerate(TAKES):
        for name, (part, values) in WANTED.items():
            table = f"t{number}_{name}".replace("-", "_")
            given(database, f"create table raw_data.{table} (id bigint primary key, held {kind})")
            properties = {"id": {"type": "integer"}, "held": part, "exact": part}
            if (refusal := refused(connector, table, properties)) is not None:
                assert f"column held of raw_data.{table} is {kind}, the schema now asks for " in refusal
                assert types(database, table) == {"id": "bigint", "held": kind}
                continue
            taken[kind].add(name)
            tables.append((table, kind, types(database, table)["exact"]))
            messages.append(schema(properties, table))
            messages += [record(table, id=n, held=value, exact=value) for n, value in enumerate(values)]
    assert taken == TAKES

    send(*messages)

    for table, kind, wanted in tables:
        assert types(database, table)["held"] == kind
        text = "held::text::numeric" if kind.startswith("numeric(") else "held::text"  # 1.00 is no integer's text
        same = f"{text}::{wanted} is not distinct from exact"
        found = database.query(f"select {same}, held::text, exact::text from raw_data.{table}")
        assert found
        assert all(same for same, *_ in found), (kind, table, found)


ID = {"type": "integer"}
WHOLE = {"type": ["integer", "null"]}
BROKEN = {"type": ["number", "null"]}
TEXT = {"type": ["string", "null"]}
TIME = {"type": ["string", "null"], "format": "date-time"}


def test_an_integer_that_becomes_a_number_stops_the_load(database: Any, send: Callable[..., None]) -> None:
    """The stock loader stores 1.5 as 2 here."""
    send(schema({"id": ID, "price": WHOLE}), record(id=1, price=1))

    with pytest.raises(SchemaChangeError) as caught:
        send(schema({"id": ID, "price": BROKEN, "new": TEXT}), record(id=2, price=Decimal("1.5")))

    assert str(caught.value) == (
        "column price of raw_data.things is bigint, the schema now asks for numeric, which it cannot hold without "
        "loss, and no view depends on it: nothing was loaded; change the table as docs/reference/raw-tables.md says, "
        "then run again"
    )
    assert database.query("select id, price from raw_data.things") == [(1, 1)]
    assert types(database) == {"id": "bigint", "price": "bigint", "_load_id": "bigint"}


def test_what_came_before_in_the_same_run_is_kept(database: Any, send: Callable[..., None]) -> None:
    messages = [schema({"id": ID, "price": WHOLE}), record(id=1, price=1)]

    with pytest.raises(SchemaChangeError):
        send(*messages, schema({"id": ID, "price": BROKEN}), record(id=2, price=Decimal("1.5")))

    assert database.query("select id, price from raw_data.things") == [(1, 1)]


def test_several_columns_are_named(database: Any) -> None:
    given(database, "create table raw_data.things (id bigint, a bigint, b smallint, c text)")

    with pytest.raises(SchemaChangeError, match=r"column a of .* asks for numeric \(as do b\), which"):
        prepare(connector_of(database), "things", {"a": BROKEN, "b": WHOLE, "c": TEXT})


def test_a_view_and_what_stands_on_it_are_named(database: Any) -> None:
    given(database, "create table raw_data.things (id bigint, price bigint, name text)")
    database.query(
        """
        create schema staging;
        create view staging.prices as select price from raw_data.things;
        create materialized view staging.sums as select sum(price) as total from staging.prices;
        create view staging."All" as select * from raw_data.things;
        create view staging.names as select name from raw_data.things;
        create view staging.others as select 1 as price;
        """
    )

    with pytest.raises(
        SchemaChangeError, match=r'and views staging\."All", staging\.prices, staging\.sums depend on it: '
    ):
        prepare(connector_of(database), "things", {"price": BROKEN})
    with database.server.connect(database.name) as connection, connection.cursor() as cursor:
        assert dependent_views(cursor, "raw_data", "things", "name") == ['staging."All"', "staging.names"]
        assert dependent_views(cursor, "raw_data", "things", "id") == ['staging."All"']


def test_a_new_property_adds_a_column_below_a_view(database: Any, send: Callable[..., None]) -> None:
    send(schema({"id": ID}), record(id=1))
    database.query("create view raw_data.seen as select * from raw_data.things")

    send(schema({"id": ID, 'o"dd %s': BROKEN, "at": TIME}), record(id=2, **{'o"dd %s': Decimal("1.5")}))

    assert types(database) == {
        "id": "bigint",
        "_load_id": "bigint",
        'o"dd %s': "numeric",
        "at": "timestamp with time zone",
    }
    assert database.query('select id, "o""dd %s" from raw_data.things order by id') == [(1, None), (2, Decimal("1.5"))]


def test_the_table_returned_has_the_new_columns(database: Any) -> None:
    connector = connector_of(database)

    assert list(prepare(connector, "things", {"a": TEXT}).columns.keys()) == ["a"]
    assert list(prepare(connector, "things", {"a": TEXT, "b": TEXT}).columns.keys()) == ["a", "b"]


def test_a_property_that_went_away_keeps_its_column(database: Any, send: Callable[..., None]) -> None:
    send(schema({"id": ID, "old": TEXT, "name": TEXT}), record(id=1, old="x", name="a"))
    send(schema({"id": ID, "name": TEXT}), record(id=1, name="b"), record(id=2, name="c"))

    assert database.query("select id, old, name from raw_data.things order by id") == [(1, "x", "b"), (2, None, "c")]


def test_a_naive_column_is_left_alone(database: Any, send: Callable[..., None]) -> None:
    given(database, "create table raw_data.things (id bigint primary key, at timestamp)")
    database.query("alter role loader set timezone to 'America/New_York'")
    try:
        send(schema({"id": ID, "at": TIME}), record(id=1, at="2026-01-01T02:00:00+02:00"))
    finally:
        database.query("alter role loader reset timezone")

    assert types(database)["at"] == "timestamp without time zone"
    assert database.query("select at::text from raw_data.things") == [("2026-01-01 00:00:00",)]


@pytest.mark.parametrize(
    ("stored", "wanted", "expected"),
    [
        ("numeric(10,2)", "DECIMAL(9, 2)", True),
        ("numeric(10,2)", "DECIMAL(9, 1)", True),
        ("numeric(10,2)", "DECIMAL(11, 3)", False),
        ("numeric(10,2)", "DECIMAL(11, 2)", False),
        ("numeric(10,-2)", "SMALLINT", False),
        ("numeric(5,0)", "SMALLINT", True),
        ("numeric(4,0)", "SMALLINT", False),
        ("numeric", "DECIMAL", True),
        ("character varying", "VARCHAR", True),
        ("text", "BYTEA", False),
        ("bytea", "BYTEA", True),
        ("vector", "VECTOR", True),
        ("bigint[]", "BIGINT", False),
        ("bigint", "BIGINT[]", False),
    ],
)
def test_more_types(stored: str, wanted: str, expected: bool) -> None:
    assert fits(stored, wanted) is expected


def test_a_driver_named_in_a_url_is_replaced() -> None:
    for named in ("postgresql", "postgresql+psycopg2", "postgresql+psycopg"):
        connector = UtcConnector({"sqlalchemy_url": f"{named}://me:p%40ss@h:1/d?sslmode=require"})
        assert connector.sqlalchemy_url == "postgresql+psycopg://me:p%40ss@h:1/d?sslmode=require"


DOCS = Path(__file__).parents[3] / "docs/reference/raw-tables.md"


def recipe(name: str, **replaced: str) -> str:
    """A recipe of docs/reference/raw-tables.md, for the tables of a test."""
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


def test_recipe_wider(database: Any, send: Callable[..., None]) -> None:
    send(schema({"id": ID, "reward": WHOLE}), record(id=1, reward=2**53 + 1))
    database.query(TWO_VIEWS)
    changed = [schema({"id": ID, "reward": BROKEN}), record(id=2, reward=1.5)]
    with pytest.raises(SchemaChangeError, match=r"views staging\.on_top, staging\.stg_things depend on it"):
        send(*changed)
    in_order = run_as_loader(database, recipe("views", **BLOCKS))
    assert [name for (name,) in in_order] == ["staging.on_top", "staging.stg_things"]

    run_as_loader(database, recipe("wider", **BLOCKS))
    send(*changed)

    assert types(database)["reward"] == "numeric"
    assert database.query("select reward from raw_data.things order by id") == [(2**53 + 1,), (Decimal("1.5"),)]


def test_recipe_timestamptz(database: Any, send: Callable[..., str]) -> None:
    database.query(
        'set role loader; create table raw_data.things (id bigint primary key, at timestamp, "A t" timestamp, day date)'
    )
    moments = {"at": "2026-07-01T12:00:00Z", "A t": "0001-01-01T00:00:00Z"}
    changed = [schema({"id": ID, "at": TIME, "A t": TIME}), record(id=1, **moments)]
    send(*changed)
    database.query(TWO_VIEWS)

    run_as_loader(database, recipe("timestamptz", **BLOCKS))
    before = database.query("select xmin::text from raw_data.things")
    send(*changed)

    assert list(types(database).values())[:4] == ["bigint", *["timestamp with time zone"] * 2, "date"]
    assert database.query("select at, (\"A t\" at time zone 'UTC')::text from raw_data.things") == [
        (datetime(2026, 7, 1, 12, tzinfo=UTC), "0001-01-01 00:00:00")
    ]
    assert database.query("select xmin::text from raw_data.things") == before  # the same moments: no row was written


def test_recipe_another_type(database: Any, send: Callable[..., None]) -> None:
    send(schema({"id": ID, "version_hex": {"type": "boolean"}}), record(id=1, version_hex=True))
    with pytest.raises(SchemaChangeError, match="is boolean"):
        send(schema({"id": ID, "version_hex": TEXT}), record(id=2, version_hex="1"))
    database.query("set role loader; alter table raw_data.things alter column version_hex type text using '7'")
    database.query(TWO_VIEWS)

    run_as_loader(database, recipe("another type", **BLOCKS))
    send(schema({"id": ID, "version_hex": BROKEN}), record(id=2, version_hex=1.5))

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
