"""Records become rows as the stock loader would have them: the same values, the same refusals."""

from __future__ import annotations

import logging
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql
from singer_sdk.exceptions import InvalidRecord, MissingKeyPropertiesError
from singer_sdk.mapper import PluginMapper
from singer_sdk.singerlib.exceptions import InvalidInputLine
from singer_sdk.sinks.core import Sink
from target_postgres.target import TargetPostgres  # type: ignore[import-untyped]

from target_postgres_copy import upsert
from target_postgres_copy.records import RecordPlan, passes_unchanged
from target_postgres_copy.sessions import UtcConnector
from target_postgres_copy.validation import CompiledValidator

DATA = Path(__file__).parent / "data"
NOW = datetime(2026, 7, 1, 12, 0, 0, 5, tzinfo=UTC)
LOGGER = logging.getLogger("records")


def plan_of(
    schema: dict[str, Any], keys: list[str], stored: dict[str, str] | None = None, **options: Any
) -> RecordPlan:
    connector = UtcConnector({"sqlalchemy_url": "postgresql://nobody@127.0.0.1/none", **options.pop("config", {})})
    schema = {**schema, "properties": dict(schema["properties"])}
    if options.get("add_metadata", True):
        Sink._add_sdc_metadata_to_schema(type("Any", (), {"schema": schema})())  # type: ignore[arg-type]
    kinds = {name: kind.lower() for name, kind in connector.sql_types(schema).items()}
    return RecordPlan(
        "things",
        schema,
        keys,
        kinds | (stored or {}),
        to_sql_type=connector.to_sql_type,
        dialect=connector._engine.dialect,
        validator=options.pop("validator", CompiledValidator(schema)),
        sync_started_at=17,
        logger=LOGGER,
        **options,
    )


def row_of(plan: RecordPlan, record: dict[str, Any], **message: Any) -> dict[str, Any]:
    return dict(zip(plan.columns, plan.row({"record": record, **message}, batched_at=NOW), strict=True))


RECORDS: list[tuple[str, Any]] = [
    ("a date that is none", {"day": "2026-02-30"}),
    ("a day with a time", {"day": "2026-01-01T00:00:00"}),
    ("a week", {"day": "2026-W01-1"}),
    ("a time that is none", {"clock": "25:00"}),
    ("a moment that is none", {"at": "yesterday"}),
    ("a moment without a day", {"at": "00:00:00"}),
    ("a moment of year 0", {"at": "0000-01-01T00:00:00Z"}),
    ("a moment of year 10000", {"at": "10000-01-01T00:00:00Z"}),
    ("a leap second", {"at": "2016-12-31T23:59:60Z"}),
    ("a seventh digit of a second that is 0", {"at": "2026-01-01T00:00:00.1234560Z"}),
    ("a moment with a space", {"at": "2026-01-01 00:00:00+00:00"}),
    ("an empty moment", {"at": ""}),
    ("a moment as text in a union", {"maybe": "no"}),
    ("a number as a moment", {"at": 5}),
    ("a broken integer", {"count": Decimal("1.5")}),
    ("a whole decimal", {"count": Decimal("1.0")}),
    ("true as an integer", {"count": True}),
    ("a text as a number", {"amount": "1"}),
    ("a number as a text", {"name": 1}),
    ("no key", {"id": ...}),
    ("a null key", {"id": None}),
    ("nothing but the key", {}),
    ("an unknown field", {"other": [1]}),
    ("a metadata field of another kind", {"_sdc_sequence": "x", "_sdc_received_at": 5}),
    ("a deletion mark", {"_sdc_deleted_at": "2026-01-01T00:00:00Z"}),
    ("a deletion mark that is none", {"_sdc_deleted_at": "x"}),
    ("a deletion mark of another type", {"_sdc_deleted_at": 1}),
]
THINGS = {
    "type": "object",
    "properties": {
        "id": {"type": ["integer", "null"]},
        "count": {"type": ["integer", "null"]},
        "amount": {"type": ["number", "null"]},
        "name": {"type": ["string", "null"]},
        "at": {"type": ["string", "null"], "format": "date-time"},
        "maybe": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
        "day": {"type": ["string", "null"], "format": "date"},
        "clock": {"type": ["string", "null"], "format": "time"},
    },
}


@pytest.fixture(scope="module")
def stock_sink() -> Iterator[TargetPostgres]:
    """A stock target that never connects: records are judged before that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("target_postgres.sinks.PostgresSink.setup", lambda _self: None)
        target = TargetPostgres(config={"sqlalchemy_url": "postgresql+psycopg://nobody@127.0.0.1/none"})
        target._process_schema_message({"stream": "things", "schema": THINGS, "key_properties": ["id"]})
        yield target


@pytest.mark.parametrize(
    ("record", "message"),
    [
        *((record, {}) for _, record in RECORDS),
        ({}, {"time_extracted": "x"}),
        ({}, {"time_extracted": 1}),
        ({}, {"time_extracted": "2026-01-01T00:00:00Z", "version": 5}),
        ({}, {"version": "5"}),
        ({}, {"version": Decimal("1.5")}),
    ],
    ids=[
        *(name for name, _ in RECORDS),
        "bad time",
        "time of another type",
        "version",
        "bad version",
        "broken version",
    ],
)
def test_the_same_records_are_refused(stock_sink: TargetPostgres, record: Any, message: Any) -> None:
    record = {name: value for name, value in ({"id": 1} | record).items() if value is not ...}
    sink = stock_sink.get_sink("things")
    sink._pending_batch = None
    try:
        stock_sink._process_record_message({"stream": "things", "record": dict(record), **message})
        expected = sink._pending_batch["records"][0]
    except Exception as error:  # noqa: BLE001 - of whatever kind
        expected = error

    plan = plan_of(THINGS, ["id"])
    if isinstance(expected, Exception):
        with pytest.raises((InvalidRecord, MissingKeyPropertiesError), match="a record of stream things"):
            row_of(plan, dict(record), **message)
        return
    row = row_of(plan, dict(record), **message)
    ours_alone = {"_sdc_received_at", "_sdc_batched_at", "_sdc_sequence", "_sdc_sync_started_at"}
    for name in row.keys() - ours_alone:
        value = expected.get(name)
        if isinstance(value, str) and name == "_sdc_extracted_at":
            value = datetime.fromisoformat(value)
        assert row[name] == value, name
        assert type(row[name]) is type(value), name


def test_metadata() -> None:
    before = datetime.now(UTC)
    message = {"time_extracted": "2026-01-01T00:00:00Z", "version": 3}
    row = row_of(plan_of(THINGS, ["id"]), {"id": 1, "_sdc_deleted_at": "2026-01-02T00:00:00Z"}, **message)
    after = datetime.now(UTC)

    assert row["_sdc_extracted_at"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert before <= row["_sdc_received_at"] <= after
    assert row["_sdc_batched_at"] == NOW
    assert row["_sdc_deleted_at"] == datetime(2026, 1, 2, tzinfo=UTC)
    assert row["_sdc_sequence"] == round(row["_sdc_received_at"].timestamp() * 1000)
    assert row["_sdc_table_version"] == 3
    assert row["_sdc_sync_started_at"] == 17


def test_no_metadata() -> None:
    plan = plan_of({**THINGS, "additionalProperties": False}, ["id"], add_metadata=False)
    row = row_of(plan, {"id": 1, "_sdc_extracted_at": "2026-01-01T00:00:00Z", "_sdc_sequence": 1}, version=3)

    assert list(row) == list(THINGS["properties"])
    with pytest.raises(InvalidRecord, match="_sdc_other"):
        row_of(plan, {"id": 1, "_sdc_other": 1})


def test_an_unknown_field_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    plan = plan_of(THINGS, ["id"])
    for value in (None, 1, 2):
        assert "other" not in row_of(plan, {"id": 1, "other": value, "more": None})
    row_of(plan_of({**THINGS, "additionalProperties": True}, ["id"]), {"id": 1, "foreseen": 1})

    assert [record.getMessage() for record in caplog.records] == ["No schema for record field 'other'"]


def test_a_refusal_names_stream_column_and_key() -> None:
    plan = plan_of(THINGS, ["id"])

    with pytest.raises(InvalidRecord) as caught:
        row_of(plan, {"id": 7, "amount": "x" * 100_000})
    assert str(caught.value).startswith(
        "Record Message Validation Error: a record of stream things is refused: column amount: 'xxx"
    )
    assert str(caught.value).endswith("is not of type 'number', 'null'; the record's key is id=7")
    assert len(str(caught.value)) < 1000
    with pytest.raises(InvalidRecord, match=r"column day: could not read '2026-02-30' .*; the record's key is id=7$"):
        row_of(plan, {"id": 7, "day": "2026-02-30"})
    with pytest.raises(InvalidInputLine, match="a RECORD message of stream things holds no record"):
        plan.row({"record": [1]}, batched_at=NOW)


def test_unchecked_records() -> None:
    plan = plan_of(THINGS, ["id"], validator=None)

    assert row_of(plan, {"id": "x", "count": "y"})["count"] == "y"
    with pytest.raises(InvalidRecord, match="column day"):
        row_of(plan, {"id": 1, "day": 5})


def test_records_that_the_sdk_has_read_already() -> None:
    plan = plan_of(THINGS, ["id"], {"maybe": "timestamp without time zone"})
    moment = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    row = dict(
        zip(plan.columns, plan.values({"id": 1, "at": moment, "maybe": moment, "day": "2026-01-01"}), strict=True)
    )

    assert row["at"] is moment
    assert row["maybe"] == datetime(2026, 1, 1)  # noqa: DTZ001
    assert row["day"].isoformat() == "2026-01-01"


def test_a_text_column_of_old_keeps_the_source_s_text() -> None:
    stored = {"at": "text", "count": "text", "amount": "text", "day": "text"}
    row = row_of(plan_of(THINGS, ["id"], stored), {"id": 1, "at": "2026-01-01T00:00:00Z", "count": 5, "amount": 5})

    assert (row["at"], row["count"], row["amount"]) == ("2026-01-01T00:00:00Z", "5", "5")
    with pytest.raises(InvalidRecord, match="column day"):
        row_of(plan_of(THINGS, ["id"], stored), {"id": 1, "day": "2026-02-30"})


def test_which_streams_are_unchanged() -> None:
    def maps(**config: Any) -> Any:
        mapper = PluginMapper(plugin_config=config, logger=LOGGER)
        mapper.register_raw_stream_schema("things", THINGS, ["id"])
        return mapper.stream_maps["things"]

    assert passes_unchanged(maps())
    assert not passes_unchanged(maps(stream_maps={"things": {"more": "id"}}))
    assert not passes_unchanged(maps(stream_maps={"things": {"__alias__": "others"}}))
    assert not passes_unchanged(maps(stream_maps={"things": None}))
    assert not passes_unchanged(maps(flattening_enabled=True, flattening_max_depth=1))
    assert passes_unchanged(maps(stream_maps={"others": {"more": "id"}}))


def test_rows_are_read_one_by_one(database: Any) -> None:
    database.query("create table raw_data.many (id bigint, name text)")

    def rows() -> Iterator[tuple[int, str]]:
        yield from ((place, "x" * 100) for place in range(200_000))

    with database.server.connect(database.name) as connection, connection.cursor() as cursor:
        tracemalloc.start()
        assert upsert.copy_rows(cursor, sql.Identifier("raw_data", "many"), ["id", "name"], rows()) == 200_000
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert peak < 2_000_000  # the rows' texts alone are 20 MB
    assert database.query("select count(*), max(id) from raw_data.many") == [(200_000, 199_999)]
