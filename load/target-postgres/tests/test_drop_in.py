"""A drop-in: what the stock loader makes of its own samples and of the SDK's, this one makes too."""

from __future__ import annotations

import importlib.util
import io
import json
import os
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from target_postgres.target import TargetPostgres  # type: ignore[import-untyped]

from target_postgres_copy.target import TargetPostgresCopy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import psycopg
    from sqlalchemy import Engine

    Tables = dict[str, tuple[list[tuple[str, str]], list[tuple[Any, ...]]]]

# When and by which load a row came, and the tables that keep account of that.
_OF_THE_RUN = (
    "_sdc_extracted_at",
    "_sdc_received_at",
    "_sdc_batched_at",
    "_sdc_sequence",
    "_sdc_sync_started_at",
    "_load_id",
)
_OF_THE_LOADER = ("load_ledger", "load_locks", "warehouse_origin")


# More of them, and others each time, where the variable names a number.
EXAMPLES = int(os.environ.get("EXAMPLES", "30"))


@dataclass
class Outcome:
    """What a loader made of messages.

    Attributes:
        refusal: The error's text; empty where all was loaded.
        tables: By name the columns with their types, and the rows in an order of their own.
        state: The last state that was written.
    """

    refusal: str
    tables: Tables
    state: str


def outcome(
    loader: type[TargetPostgres], connection: psycopg.Connection[Any], lines: Sequence[str], config: dict[str, Any]
) -> Outcome:
    """Send lines through a loader, and look at what is in its schema then."""
    refusal, out = "", io.StringIO()
    target = None
    try:
        target = loader(config=config)
        with redirect_stdout(out):
            target.listen(iter(lines))  # type: ignore[arg-type]
    except Exception as error:  # noqa: BLE001 - whatever a loader refuses by
        refusal = str(error) or type(error).__name__
    finally:
        if isinstance(target, TargetPostgresCopy):
            target.warehouse.close()
    states = out.getvalue().splitlines()
    return Outcome(refusal, _tables(connection, str(config["default_target_schema"])), states[-1] if states else "")


def _tables(connection: psycopg.Connection[Any], schema: str) -> Tables:
    found = {}
    names = connection.execute(
        "select relname from pg_class where relnamespace = to_regnamespace(%s) and relkind in ('r', 'p')"
        " and not relispartition and relname <> all(%s) order by 1",
        [schema, list(_OF_THE_LOADER)],
    ).fetchall()
    for (name,) in names:
        columns = connection.execute(
            "select attname::text, format_type(atttypid, atttypmod) from pg_attribute"
            " where attrelid = format('%%I.%%I', %s::text, %s::text)::regclass and attnum > 0 and not attisdropped"
            " and attname <> all(%s) order by 1",
            [schema, name, list(_OF_THE_RUN)],
        ).fetchall()
        quoted = ['"' + column.replace('"', '""') + '"' for column, _ in columns]
        # When a row was marked as deleted is the run's, whether it was is not.
        listed = ", ".join(f"{name} is not null" if name == '"_sdc_deleted_at"' else name for name in quoted) or "1"
        rows = connection.execute(f'select {listed} from "{schema}"."{name}"'.encode()).fetchall()
        found[name] = (
            [(column, kind.replace("without time zone", "with time zone")) for column, kind in columns],
            sorted((tuple(map(_in_utc, row)) for row in rows), key=repr),
        )
    return found


def _in_utc(value: Any) -> Any:
    """The stock loader's times have no zone and are UTC."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return value


def assert_equal(database: Any, messages: Sequence[dict[str, Any]] | Sequence[str], **settings: Any) -> Outcome:
    """Send the same through both; returns what this loader made of it."""
    lines = [line if isinstance(line, str) else json.dumps(line) for line in messages]
    database.query("create schema stock authorization loader; create schema ours authorization loader")
    with database.server.connect(database.name) as connection:
        connection.execute("set time zone 'UTC'")
        stock, ours = (
            outcome(loader, connection, lines, database.config(default_target_schema=schema, **settings))
            for loader, schema in ((TargetPostgres, "stock"), (TargetPostgresCopy, "ours"))
        )
    database.query("drop schema stock cascade; drop schema ours cascade")
    assert bool(ours.refusal) == bool(stock.refusal), (ours.refusal, stock.refusal)
    assert "\n" not in ours.refusal.strip()
    if not ours.refusal:
        assert ours.tables == stock.tables
        assert ours.state == stock.state
    return ours


def samples() -> Iterator[Path]:
    """The samples in both packages, each content once."""
    seen = set()
    for package, folder in (("target_postgres", "tests/data_files"), ("singer_sdk", "testing/target_test_streams")):
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.submodule_search_locations
        for path in sorted(Path(spec.submodule_search_locations[0], folder).glob("*.singer")):
            if path.read_text() not in seen:
                seen.add(path.read_text())
                yield path


SAMPLES = {path.stem: path for path in samples()}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_gives_the_same_tables_and_state(database: Any, name: str) -> None:
    assert_equal(database, SAMPLES[name].read_text().splitlines(keepends=True))


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=12)
WHOLE = st.integers(-(2**53), 2**53)
# What both read exactly: the stock loader's numbers go through floats.
NUMBERS = st.one_of(WHOLE, st.decimals(-1000, 1000, places=3).map(float))
# Of a time with an offset, in a batch, the stock loader keeps the clock and drops the offset.
TIMES = st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
VALUES: dict[str, tuple[dict[str, Any], st.SearchStrategy[Any]]] = {
    "integer": ({"type": ["integer"]}, WHOLE),
    "number": ({"type": ["number"]}, NUMBERS),
    "string": ({"type": ["string"]}, TEXTS),
    "boolean": ({"type": ["boolean"]}, st.booleans()),
    "date-time": ({"type": ["string"], "format": "date-time"}, TIMES),
    "date": ({"type": ["string"], "format": "date"}, st.dates().map(date.isoformat)),
    "texts": ({"type": ["array"], "items": {"type": ["string", "null"]}}, st.lists(st.none() | TEXTS, max_size=3)),
    "numbers": ({"type": ["array"], "items": {"type": "integer"}}, st.lists(WHOLE, max_size=3)),
    "either": ({"type": ["string", "integer"]}, TEXTS | WHOLE),
    "union": ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, WHOLE),
    "object": (
        {"type": ["object"], "properties": {"a": {"type": ["integer", "null"]}, "b": {"type": ["string", "null"]}}},
        st.fixed_dictionaries({}, optional={"a": st.none() | WHOLE, "b": st.none() | TEXTS}),
    ),
}


@st.composite
def streams(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A schema of some properties, nullable or not, and records that have them, lack them or have something else."""
    kinds = draw(
        st.dictionaries(st.sampled_from(["a", "B", "c_d", "select", "ü"]), st.sampled_from(sorted(VALUES)), max_size=4)
    )
    properties, values = {"id": {"type": "integer"}}, {}
    for name, kind in kinds.items():
        schema, strategy = VALUES[kind]
        if "type" in schema and draw(st.booleans()):
            schema = {**schema, "type": [*schema["type"], "null"]}
            strategy |= st.none()
        properties[name] = schema
        values[name] = strategy
    wrong = draw(st.sampled_from([None, None, None, "text", {"x": 1}, True]))
    records = draw(st.lists(st.fixed_dictionaries({"id": st.integers(1, 4)}, optional=values), max_size=6))
    if wrong is not None and values and records:
        records[-1][draw(st.sampled_from(sorted(values)))] = wrong
    keys = draw(st.sampled_from([["id"], []]))
    return [
        {
            "type": "SCHEMA",
            "stream": "things",
            "key_properties": keys,
            "schema": {"type": "object", "properties": properties},
        },
        *({"type": "RECORD", "stream": "things", "record": record} for record in records),
        {"type": "STATE", "value": {"bookmarks": {"things": len(records)}}},
    ]


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(messages=streams(), flattened=st.booleans(), by_batch=st.booleans())
def test_whatever_comes_gives_the_same_tables_or_both_refuse(
    database: Any,
    engines: list[Engine],
    tmp_path: Path,
    messages: list[dict[str, Any]],
    flattened: bool,
    by_batch: bool,
) -> None:
    # Flattened, the stock loader leaves a union's column out or takes it for text.
    assume(not (flattened and any("anyOf" in part for part in messages[0]["schema"]["properties"].values())))
    if by_batch and len(messages) > 2:  # of a file without lines the stock loader makes a row of nulls
        path = tmp_path / "things.jsonl"
        path.write_text("".join(json.dumps(message["record"]) + "\n" for message in messages[1:-1]))
        encoding = {"format": "jsonl", "compression": "none"}
        batch = {"type": "BATCH", "stream": "things", "encoding": encoding, "manifest": [path.as_uri()]}
        messages = [messages[0], batch, messages[-1]]
    depth = {"flattening_enabled": True, "flattening_max_depth": 2} if flattened else {}
    try:
        assert_equal(database, messages, **depth)
    finally:
        while engines:
            engines.pop().dispose()
