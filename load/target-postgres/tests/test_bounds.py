"""Numbers that their schema does not allow: refused in dump files and records, by file, line and column."""

# ruff: noqa: ANN401 - fixtures, whose classes live in conftest, which tests do not import

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
from singer_sdk.exceptions import InvalidRecord

from target_postgres_copy.dump_files import DumpFile, copy_file
from target_postgres_copy.stream_schema import bounds_of
from target_postgres_copy.tables import RawTable
from target_postgres_copy.errors import SliceError

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


@pytest.mark.parametrize("partitioned", [True, False], ids=["partitioned", "plain"])
def test_a_dump_file_is_refused(feed: Any, database: Any, trades: Any, plain_trades: Any, partitioned: bool) -> None:  # noqa: FBT001
    """A column for each case, right in the first rows and wrong in one of the last."""
    stream = trades if partitioned else plain_trades
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
    assert database.query(f"select height from raw_data.{stream.stream} order by 1") == [(1,), (2,)]  # noqa: S608


def test_what_the_schema_allows_is_kept(feed: Any, database: Any, trades: Any) -> None:
    parts = {f"c{place}": part for place, (part, _) in enumerate(TAKEN)}
    path = trades.file([row(1, *(value for _, value in TAKEN))], (*trades.HEADER, *parts))

    feed([with_columns(trades, parts, 1), trades.batch(path), trades.schema()])

    (found,) = database.query(f"select {', '.join(parts)} from raw_data.trades")  # noqa: S608
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
