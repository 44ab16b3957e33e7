"""A changed schema: columns are added, no type changes, and no digit is lost."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from singer_sdk.singerlib.json import serialize_json

from target_postgres_copy.errors import SchemaChangeError
from target_postgres_copy.schema_change import dependent_views, fits
from target_postgres_copy.sessions import UtcConnector
from target_postgres_copy.tables import columns_of
from target_postgres_copy.target import TargetPostgresCopy

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
def send(database: Any) -> Callable[..., None]:
    """Send messages through the target, decimals as they stand."""

    def run(*messages: dict[str, Any]) -> None:
        target = TargetPostgresCopy(config=database.config(add_record_metadata=False, activate_version=False))
        try:
            target.listen(serialize_json(message) for message in messages)  # type: ignore[arg-type]
        finally:
            target.warehouse.close()

    return run


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
        "loss, and no view depends on it: nothing was loaded; change the table as docs/raw-tables.md says, then run "
        "again"
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
