"""A value that its schema does not allow or its column would change is refused, by record and by file."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import InvalidRecord

from target_postgres_copy.dump_files import DumpFile, copy_file
from target_postgres_copy.errors import SliceError
from target_postgres_copy.stream_schema import bounds_of
from target_postgres_copy.tables import RawTable

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = "2024-01-09"
MOST = 2**256 - 1
WHOLE = {"type": ["number", "null"], "minimum": 0, "maximum": MOST, "multipleOf": 1}
COUNT = {"type": ["integer", "null"], "minimum": 0}
TENS = {"type": ["number", "null"], "multipleOf": 10}
SIGNED = {"type": ["number", "null"], "minimum": -9, "maximum": 9, "multipleOf": 1}
FREE = {"type": ["number", "null"]}
LESS = "is less than 0, the least that its schema allows"
MORE = f"is greater than {MOST}, the most that its schema allows"
REFUSED = [
    (WHOLE, "-5", LESS),
    (WHOLE, "1.5", "is not whole"),
    (WHOLE, "0.000000000000000000000000000000000000000001", "is not whole"),
    (WHOLE, "1e80", MORE),
    (WHOLE, str(MOST + 1), MORE),
    (WHOLE, "NaN", "is no finite number"),
    (WHOLE, "Infinity", "is no finite number"),
    (WHOLE, "-inf", "is no finite number"),
    (COUNT, "-1", LESS),
    (TENS, "15", "is not a multiple of 10"),
    (SIGNED, "-10", "is less than -9"),
    (FREE, "nan", "is no finite number"),
    (FREE, "-Infinity", "is no finite number"),
]
TAKEN = [
    (WHOLE, str(MOST)),
    (WHOLE, "0"),
    (WHOLE, "1.000"),
    (WHOLE, r"\N"),
    (WHOLE, ""),
    (COUNT, str(2**63 - 1)),
    (TENS, "-20"),
    (SIGNED, "-9"),
    (FREE, "-1.5e80"),
]


def with_columns(trades: Any, parts: dict[str, Any], rows: int) -> dict[str, Any]:
    """The SCHEMA that opens a day's slice, with more columns."""
    schema: dict[str, Any] = copy.deepcopy(trades.schema(trades.day(DAY, rows)))
    schema["schema"]["properties"] |= parts
    return schema


def row(height: int, *more: str) -> list[str]:
    return [str(height), "n", f"{DAY} 12:00:00", "1", "1", "0", *more]


def test_a_dump_file_is_refused(feed: Any, database: Any, stream: Any) -> None:
    """A column for each case, right in the first rows and wrong in one of the last."""
    parts = {f"c{place}": part for place, (part, _, _) in enumerate(REFUSED)}
    header = (*stream.HEADER, *parts)
    good = [row(number, *["0"] * len(parts)) for number in range(1, 3)]
    feed([with_columns(stream, parts, 2), stream.batch(stream.file(good, header)), stream.schema()])

    for place, (_, value, why) in enumerate(REFUSED):
        bad = row(9, *(value if place == other else "0" for other in range(len(parts))))
        path = stream.file([*good, bad, bad], header)
        with pytest.raises(SliceError) as caught:
            feed([with_columns(stream, parts, 4), stream.batch(path), stream.schema()])
        reported = str(caught.value)
        assert f"dump file {path}, line 4, column c{place}: {value!r} {why}" in reported
        assert "(2 rows have such values); nothing of this file was loaded" in reported
    assert database.query(f"select height from raw_data.{stream.stream} order by 1") == [(1,), (2,)]


AMOUNT = {"type": ["integer", "null"], "minimum": 0, "maximum": 2_100_000_000_000_000}


@pytest.mark.parametrize(
    ("before", "value", "why"),
    [
        (AMOUNT, "1.5", "invalid input syntax for type bigint"),
        (AMOUNT, "NaN", "invalid input syntax for type bigint"),
        (AMOUNT, "1e80", "invalid input syntax for type bigint"),
        (AMOUNT, str(10**80), "out of range for type bigint"),
        (AMOUNT, "2100000000000001", "is greater than 2100000000000000, the most that its schema allows"),
        (WHOLE, "2100000000000001", "is greater than 2100000000000000, the most that its schema allows"),
        (WHOLE, "1.5", "is not whole"),
        (WHOLE, "Infinity", "is no finite number"),
    ],
)
def test_amounts_of_64_bits(feed: Any, database: Any, trades: Any, before: Any, value: str, why: str) -> None:
    """Also where the table was made with a number, which an integer's column is not."""
    header = (*trades.HEADER, "c")
    good = row(1, "2100000000000000")
    feed([with_columns(trades, {"c": before}, 1), trades.batch(trades.file([good], header)), trades.schema()])
    path = trades.file([good, row(2, value)], header)

    with pytest.raises(SliceError) as caught:
        feed([with_columns(trades, {"c": AMOUNT}, 2), trades.batch(path), trades.schema()])

    assert f"dump file {path}, line 3, column c: " in str(caught.value)
    assert why in str(caught.value)
    assert database.query("select c from raw_data.trades") == [(2_100_000_000_000_000,)]


def test_what_the_schema_allows_is_kept(feed: Any, database: Any, trades: Any) -> None:
    parts = {f"c{place}": part for place, (part, _) in enumerate(TAKEN)}
    path = trades.file([row(1, *(value for _, value in TAKEN))], (*trades.HEADER, *parts))

    feed([with_columns(trades, parts, 1), trades.batch(path), trades.schema()])

    (found,) = database.query(f"select {', '.join(parts)} from raw_data.trades")
    assert found == tuple(None if value in ("", r"\N") else Decimal(value) for _, value in TAKEN)


@pytest.mark.parametrize(("part", "value"), [case[:2] for case in REFUSED if "finite" not in case[2]])
def test_a_record_is_refused(feed: Any, database: Any, part: Any, value: str) -> None:
    """NaN and Infinity are no JSON and end with the line."""
    schema = {"properties": {"id": {"type": "integer"}, "held": part}}
    start = {"type": "SCHEMA", "stream": "things", "key_properties": ["id"], "schema": schema}
    number: Any = int(value) if value.lstrip("-").isdigit() else float(value)
    with pytest.raises(InvalidRecord, match=r"column held: .*(minimum|maximum|multiple of).*id=1"):
        feed([start, {"type": "RECORD", "stream": "things", "record": {"id": 1, "held": number}}])
    assert database.query("select 1 from raw_data.things") == []


def test_columns_of_floats(database: Any, trades: Any) -> None:
    """The loader makes none and takes none that it did not make, as a schema may ask for more than they hold."""
    columns = {"c": "double precision"}
    table = RawTable("public", "floats", columns, (), bounds_of({}, columns))
    with database.server.connect(database.name) as connection:
        connection.execute("create table public.floats (c double precision)")
        for value in ("NaN", "-Infinity"):
            file = DumpFile(trades.file([["1.5"], [value]], ("c",)).as_uri())
            with pytest.raises(SliceError, match=f"line 3, column c: '{value}' is no finite number"):
                copy_file(connection.cursor(), table.identifier, table, file, None)
        assert connection.execute("select count(*) from public.floats").fetchone() == (0,)


def test_without_validation_nothing_is_asked(feed: Any, database: Any, trades: Any) -> None:
    path = trades.file([row(1, "-5")], (*trades.HEADER, "c"))

    feed([with_columns(trades, {"c": WHOLE}, 1), trades.batch(path), trades.schema()], validate_records=False)

    assert database.query("select c from raw_data.trades") == [(Decimal(-5),)]


def test_bounds_that_a_type_keeps_by_itself_cost_nothing() -> None:
    small = {"type": "integer", "minimum": -(2**15), "maximum": 2**15 - 1, "multipleOf": 1}
    assert bounds_of({"a": small, "b": {"type": "string"}}, {"a": "smallint", "b": "text", "c": "bigint"}) == {}


MOMENT = {"type": ["string", "null"], "format": "date-time"}
CLOCK = {"type": ["string", "null"], "format": "time"}
MONEY = {"type": ["string", "null"], "format": "x-singer.decimal", "precision": 10, "scale": 2}
FINE = "is finer than a microsecond"
OFFSET = "has an offset from UTC, which its column of type time without time zone does not hold"
DIGITS = r"has more decimals than its column of type numeric\(10,2\) holds"
# What a column is for, what it would change, and why it is refused.
CHANGED: list[tuple[dict[str, Any], str, str]] = [
    (MOMENT, "2024-01-09T00:00:00.123456789Z", FINE),
    (MOMENT, "2024-01-09 00:00:00,1234561", FINE),
    (MOMENT, "20240109T000000.1234567Z", FINE),
    ({"anyOf": [{"type": "null"}, {"type": "string", "format": "date-time"}]}, "2024-01-09T00:00:00.1234567Z", FINE),
    (CLOCK, "10:00:00.1234567", FINE),
    (CLOCK, "10:00:00+02:00", OFFSET),
    (CLOCK, "10:00:00-00:30", OFFSET),
    (MONEY, "1.005", DIGITS),
    (MONEY, "0.00000000000000000000000000000000000001", DIGITS),
    (MONEY, "1005e-3", DIGITS),
]
# What is kept in full.
KEPT: list[tuple[dict[str, Any], str, str]] = [
    (MOMENT, "2024-01-09T00:00:00.123456Z", "2024-01-09 00:00:00.123456"),
    (MOMENT, "2024-01-09T00:00:00.123456000Z", "2024-01-09 00:00:00.123456"),
    (CLOCK, "10:00:00.5", "10:00:00.5"),
    (CLOCK, "10:00:00Z", "10:00:00"),
    (MONEY, "1.500", "1.50"),
    (MONEY, "-99999999.99", "-99999999.99"),
    (MONEY, "1e3", "1000.00"),
]


def messages(part: dict[str, Any], value: str, *, key: bool = False) -> list[dict[str, Any]]:
    schema = {"properties": {"id": {"type": "integer"}, "held": part}}
    keys = ["held"] if key else ["id"]
    return [
        {"type": "SCHEMA", "stream": "things", "key_properties": keys, "schema": schema},
        {"type": "RECORD", "stream": "things", "record": {"id": 1, "held": value}},
    ]


@pytest.mark.parametrize("mapped", [False, True], ids=["as sent", "by a stream map"])
@pytest.mark.parametrize(("part", "value", "why"), CHANGED)
def test_a_record_with_a_finer_value_is_refused(
    feed: Callable[..., str], database: Any, part: dict[str, Any], value: str, why: str, mapped: bool
) -> None:
    settings = {"stream_maps": {"things": {"more": "'x'"}}} if mapped else {}

    with pytest.raises(InvalidRecord, match=f"stream things is refused: column held: .* {why}.*key is id=1"):
        feed(messages(part, value), **settings)

    assert database.query("select 1 from raw_data.things") == []


def test_keys_that_differ_below_the_microsecond(feed: Callable[..., str], database: Any) -> None:
    """They would be one row."""
    first, second = (messages(MOMENT, f"2024-01-09T00:00:00.12345678{digit}Z", key=True) for digit in (8, 9))

    with pytest.raises(InvalidRecord, match=FINE):
        feed([*first, second[1]])

    assert database.query("select 1 from raw_data.things") == []


def test_what_a_column_holds_is_kept(feed: Callable[..., str], database: Any) -> None:
    properties = {f"p{place}": part for place, (part, _, _) in enumerate(KEPT)}
    schema = {"type": "SCHEMA", "stream": "things", "key_properties": [], "schema": {"properties": properties}}
    record = {f"p{place}": value for place, (_, value, _) in enumerate(KEPT)}

    # Metadata of the message, which is no data of the source, may be finer.
    sent = {"type": "RECORD", "stream": "things", "record": record, "time_extracted": "2024-01-09T00:00:00.123456789Z"}
    feed([schema, sent])

    zones = [" at time zone 'UTC'" if part is MOMENT else "" for part, _, _ in KEPT]
    shown = ", ".join(f"(p{place}{zone})::text" for place, zone in enumerate(zones))
    assert database.query(f"select {shown} from raw_data.things") == [tuple(kept for _, _, kept in KEPT)]


def test_a_dump_file_with_a_fine_time_is_refused(feed: Callable[..., str], database: Any, stream: Any) -> None:
    good = ["1", "n:00.1234567", f"{DAY} 12:00:00.5", "1", "1", "0"]  # a name that looks like a fine time
    fine = ["2", "n", f"{DAY} 12:00:00.1234567", "1", "1", "0"]

    with pytest.raises(SliceError, match=rf"dump file .*, line 3, column at: '{DAY} 12:00:00.1234567' {FINE}"):
        feed([*stream.loaded(DAY, [good, fine]), stream.schema()])
    feed([*stream.loaded(DAY, [good]), stream.schema()])

    query = f"select name, (at at time zone 'UTC')::text from raw_data.{stream.stream}"
    assert database.query(query) == [("n:00.1234567", f"{DAY} 12:00:00.5")]


@pytest.mark.parametrize(("part", "value", "why"), [case for case in CHANGED if case[0] in (CLOCK, MONEY)])
def test_a_dump_file_with_a_value_finer_than_its_column_is_refused(
    feed: Callable[..., str], database: Any, trades: Any, part: dict[str, Any], value: str, why: str
) -> None:
    header = (*trades.HEADER, "more")
    rows = [["1", "n", f"{DAY} 12:00:00", "1", "1", "0", more] for more in (r"\N", value)]
    schema = json.loads(json.dumps(trades.schema(trades.day(DAY, 2))))
    schema["schema"]["properties"]["more"] = part

    with pytest.raises(SliceError, match=f"dump file .*, line 3, column more: '.*' {why}"):
        feed([schema, trades.batch(trades.file(rows, header)), trades.schema()])

    assert database.query("select 1 from raw_data.trades") == []
