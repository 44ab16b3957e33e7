"""Values in PostgreSQL equal those sent, and those that the stock loader stores."""

from __future__ import annotations

import copy
import logging
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql
from target_postgres.target import TargetPostgres  # type: ignore[import-untyped]

from target_postgres_copy import upsert
from target_postgres_copy.errors import RowRefusedError
from target_postgres_copy.records import RecordPlan
from target_postgres_copy.sessions import UtcConnector
from target_postgres_copy.tables import columns_of
from target_postgres_copy.target import ExactReader
from target_postgres_copy.validation import CompiledValidator
from target_postgres_copy.values import utc_wall_time, without_nul

DATA = Path(__file__).parent / "data"
NOW = datetime(2026, 7, 1, 12, 0, 0, 5, tzinfo=UTC)
LOGGER = logging.getLogger("records")


def messages(file: str) -> list[dict[str, Any]]:
    reader = ExactReader()
    return [reader.deserialize_json(line) for line in (DATA / file).read_text().splitlines()]


class Copied:
    """Loads a stream by plan and COPY into a table of its own."""

    def __init__(self, database: Any, **config: Any) -> None:
        self.database = database
        self.config = config
        self.connector = UtcConnector({"sqlalchemy_url": database.url(), **config})

    def load(self, stream: list[dict[str, Any]]) -> None:
        schema, *records = copy.deepcopy(stream)
        name, keys = schema["stream"], schema["key_properties"]
        with self.connector._connect() as connection, connection.begin():
            full_name = self.connector.get_fully_qualified_name(name, "raw_data")
            self.connector.prepare_table(full_name, schema["schema"], keys, connection)
            cursor = connection.connection.dbapi_connection.cursor()  # type: ignore[union-attr]
            plan = RecordPlan(
                name,
                schema["schema"],
                keys,
                columns_of(cursor, "raw_data", name),  # type: ignore[arg-type]
                to_sql_type=self.connector.to_sql_type,
                dialect=connection.dialect,
                validator=CompiledValidator(schema["schema"]),
                sync_started_at=17,
                logger=LOGGER,
                add_metadata=False,
                sanitize_nul=self.connector.sanitize_null_text_characters,
            )
            rows = (plan.row(record, batched_at=NOW) for record in records)
            upsert.copy_rows(cursor, sql.Identifier("raw_data", name), plan.columns, rows)  # type: ignore[arg-type]


def stock_of(database: Any, monkeypatch: pytest.MonkeyPatch, **config: Any) -> TargetPostgres:
    monkeypatch.setenv("PGTZ", "UTC")
    database.query("create schema if not exists stock authorization loader")
    settings = database.config(default_target_schema="stock", add_record_metadata=False, activate_version=False)
    return TargetPostgres(config={**settings, **config})


def texts(database: Any, schema: str, table: str) -> list[tuple[Any, ...]]:
    """All values as PostgreSQL writes them, moments as wall times in UTC."""
    columns = database.query(
        "select attname, format_type(atttypid, null) from pg_attribute "
        f"where attrelid = '{schema}.{table}'::regclass and attnum > 0 order by attnum"
    )
    quoted = [(sql.Identifier(name).as_string(None), kind) for name, kind in columns]
    shown = ", ".join(
        f"({n} at time zone 'UTC')::text" if k.endswith("with time zone") else f"{n}::text" for n, k in quoted
    )
    rows: list[tuple[Any, ...]] = database.query(f"select {shown} from {schema}.{table} order by id")
    return rows


def test_every_type_arrives_as_with_the_stock_loader(database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = messages("exact.singer")
    # Lists of texts and numbers, and of whole and broken numbers, which the stock loader fails on.
    del stream[1]["record"]["mixed"], stream[3]["record"]["numbers"]
    stock = stock_of(database, monkeypatch, interpret_content_encoding=True)
    stock._process_schema_message(copy.deepcopy(stream[0]))
    for record in copy.deepcopy(stream[1:]):
        stock._process_record_message(record)
    stock.drain_all(is_endofpipe=True)

    Copied(database, interpret_content_encoding=True).load(stream)

    ours, theirs = texts(database, "raw_data", "exact"), texts(database, "stock", "exact")
    for record, our, their in zip(stream[1:], ours, theirs, strict=True):
        for name, mine, stocks in zip(stream[0]["schema"]["properties"], our, their, strict=True):
            assert mine == stocks, (name, record["record"].get(name))


def test_every_type_arrives_as_sent(database: Any) -> None:
    stream = messages("exact.singer")
    Copied(database, interpret_content_encoding=True).load(stream)

    def column(name: str) -> list[Any]:
        return [value for (value,) in database.query(f"select {name} from raw_data.exact order by id")]

    assert column("amount") == [record["record"].get("amount") for record in stream[1:]]
    assert column("amount::text")[1:3] == ["-1560631481361.804200000000000001", "0.00000000007821066970851871"]
    assert column("whole_or_broken")[:2] == [18446744073709551616, Decimal("1.5")]
    assert column("priced::text")[:2] == ["0.123456789012345678", "-99999999999999999999.999999999999999999"]
    assert column("big")[:2] == [2**63 - 1, -(2**63)]
    assert column("name")[:2] == ['é "x"\t\\N\n', ""]
    assert column("any_scalar") == ["true", "true", "12345678901234567890123", "0.000000075", "100", "false", None]
    assert column("untyped::text")[:3] == ['{"a": [1, 0.10]}', "true", "1.50"]
    assert column("at::text") == [
        "2026-01-01 00:00:00.041+00",
        "0001-01-01 00:00:00+00",
        "2026-01-01 00:00:00+00",
        "2026-06-30 12:00:00+00",
        "2026-01-01 00:00:00+00",
        None,
        "2026-01-01 04:41:12.5+00",
    ]
    assert column("at_or_null::text")[:2] == ["2026-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00"]
    assert column("day::text")[:3] == ["2026-01-01", "0001-01-01", "9999-12-31"]
    assert column("clock::text")[:4] == ["23:59:59.999999", "00:00:00", None, "10:00:00"]
    assert column("bytes")[:2] == [b"\x0a\xff", b""]
    assert column("nested::text")[0] == (r'{"a": [1, null, 0.123456789012345678901234567890], "b": {"c": "é\\\"\t"}}')
    assert column("numbers")[:3] == [[1, Decimal("2.5"), 894582879806664207241], [], [1, Decimal("0.10")]]
    assert column("wholes")[0] == [1, -2, 2**63 - 1]
    assert column("texts")[0] == ["a", None, '{b,"c"}', "NULL", ""]
    assert column("mixed")[0] == ["a", "1"]
    assert column("objects::text")[0] == '{"{\\"a\\": 1.10}","{}"}'
    assert column("anything")[0] == [1, "a", [True, None]]
    assert column('"camelCase ""quoted"" %s"')[0] == "%s"


MOMENTS = [
    "2026-01-01T02:30:00+02:30",
    "2026-01-01T00:00:00Z",
    "2026-03-29T01:30:00.123456+01:00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-14:00",
    "0004-02-29T00:00:00+00:30",
    "2026-01-01T00:00:00",
]


def test_a_column_without_zone_gets_the_wall_time_in_utc(database: Any) -> None:
    database.query("create table raw_data.moments (id bigint, at timestamp, at_too timestamptz)")
    database.query("alter table raw_data.moments owner to loader")
    database.query("alter role loader set timezone to 'America/New_York'")
    part = {"type": ["string", "null"], "format": "date-time"}
    schema = {"type": "object", "properties": {"id": {"type": "integer"}, "at": part, "at_too": part}}
    stream = [{"type": "SCHEMA", "stream": "moments", "key_properties": [], "schema": schema}]
    stream += [{"record": {"id": place, "at": text, "at_too": text}} for place, text in enumerate(MOMENTS)]
    try:
        Copied(database).load(stream)
    finally:
        database.query("alter role loader reset timezone")

    found = database.query("select at::text, (at_too at time zone 'UTC')::text from raw_data.moments order by id")
    assert all(without == with_zone for without, with_zone in found)
    assert [without for without, _ in found][:5] == [
        "2026-01-01 00:00:00",
        "2026-01-01 00:00:00",
        "2026-03-29 00:30:00.123456",
        "0001-12-31 10:00:00 BC",
        "10000-01-01 13:59:59.999999",
    ]


def test_wall_times() -> None:
    east, west = timezone(timedelta(hours=14)), timezone(timedelta(hours=-14))

    assert utc_wall_time(datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))) == datetime(2026, 1, 1)  # noqa: DTZ001
    assert utc_wall_time(datetime(1, 1, 1, tzinfo=east)) == "0001-12-31 10:00:00.000000 BC"
    assert utc_wall_time(datetime(9999, 12, 31, 12, tzinfo=west)) == "10000-01-01 02:00:00.000000"


def test_nul_characters(database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    properties = {
        "id": {"type": "integer"},
        "text": {"type": "string"},
        "texts": {"type": "array", "items": {"type": "string"}},
        "nested": {"type": "object"},
    }
    schema = {"type": "SCHEMA", "stream": "nul", "key_properties": ["id"], "schema": {"properties": properties}}
    record = {"id": 1, "text": "a\0b", "texts": ["\0", "x"], "nested": {"a": "\0", "b": {"c\0": ["\0"]}}}

    with pytest.raises(RowRefusedError, match=r"row 1 of the batch, column text: it holds a NUL character"):
        Copied(database).load([schema, {"record": copy.deepcopy(record)}])
    Copied(database, sanitize_null_text_characters=True).load([schema, {"record": copy.deepcopy(record)}])

    assert database.query("select * from raw_data.nul") == [(1, "a�b", ["�", "x"], {"a": "�", "b": {"c�": ["�"]}})]
    stock = stock_of(database, monkeypatch, sanitize_null_text_characters=True)
    stock._process_schema_message(schema)
    stock._process_record_message({"stream": "nul", "record": {**record, "nested": {"a": "\0"}}})
    stock.drain_all(is_endofpipe=True)
    assert database.query("select text, texts from stock.nul") == database.query("select text, texts from raw_data.nul")
    assert without_nul({"a": 1, "b": [None, "\0"]}) == {"a": 1, "b": [None, "�"]}
