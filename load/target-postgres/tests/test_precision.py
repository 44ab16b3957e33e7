"""A value that its column would round or cut is refused, by record and by file; one that only looks fine is not."""

# ruff: noqa: ANN401 - fixtures, whose classes live in conftest, which tests do not import

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import InvalidRecord

from target_postgres_copy.errors import SliceError

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = "2024-01-09"
MOMENT = {"type": ["string", "null"], "format": "date-time"}
CLOCK = {"type": ["string", "null"], "format": "time"}
MONEY = {"type": ["string", "null"], "format": "x-singer.decimal", "precision": 10, "scale": 2}
FINE = "is finer than a microsecond"
OFFSET = "has an offset from UTC, which its column of type time without time zone does not hold"
DIGITS = r"has more decimals than its column of type numeric\(10,2\) holds"
# What a column is for, what it would change, and why it is refused.
REFUSED: list[tuple[dict[str, Any], str, str]] = [
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
TAKEN: list[tuple[dict[str, Any], str, str]] = [
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
@pytest.mark.parametrize(("part", "value", "why"), REFUSED)
def test_a_record_is_refused(  # noqa: PLR0913, PLR0917 - fixtures and parameters
    feed: Callable[..., str],
    database: Any,
    part: dict[str, Any],
    value: str,
    why: str,
    mapped: bool,  # noqa: FBT001
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
    properties = {f"p{place}": part for place, (part, _, _) in enumerate(TAKEN)}
    schema = {"type": "SCHEMA", "stream": "things", "key_properties": [], "schema": {"properties": properties}}
    record = {f"p{place}": value for place, (_, value, _) in enumerate(TAKEN)}

    # Metadata of the message, which is no data of the source, may be finer.
    sent = {"type": "RECORD", "stream": "things", "record": record, "time_extracted": "2024-01-09T00:00:00.123456789Z"}
    feed([schema, sent])

    zones = [" at time zone 'UTC'" if part is MOMENT else "" for part, _, _ in TAKEN]
    shown = ", ".join(f"(p{place}{zone})::text" for place, zone in enumerate(zones))
    assert database.query(f"select {shown} from raw_data.things") == [tuple(kept for _, _, kept in TAKEN)]  # noqa: S608


@pytest.mark.parametrize("partitioned", [True, False], ids=["partitioned", "plain"])
def test_a_dump_file_with_a_fine_time_is_refused(
    feed: Callable[..., str],
    database: Any,
    trades: Any,
    plain_trades: Any,
    partitioned: bool,  # noqa: FBT001
) -> None:
    stream = trades if partitioned else plain_trades
    good = ["1", "n:00.1234567", f"{DAY} 12:00:00.5", "1", "1", "0"]  # a name that looks like a fine time
    fine = ["2", "n", f"{DAY} 12:00:00.1234567", "1", "1", "0"]

    with pytest.raises(SliceError, match=rf"dump file .*, line 3, column at: '{DAY} 12:00:00.1234567' {FINE}"):
        feed([*stream.loaded(DAY, [good, fine]), stream.schema()])
    feed([*stream.loaded(DAY, [good]), stream.schema()])

    query = f"select name, (at at time zone 'UTC')::text from raw_data.{stream.stream}"  # noqa: S608
    assert database.query(query) == [("n:00.1234567", f"{DAY} 12:00:00.5")]


@pytest.mark.parametrize(("part", "value", "why"), [case for case in REFUSED if case[0] in (CLOCK, MONEY)])
def test_a_dump_file_with_a_value_finer_than_its_column_is_refused(  # noqa: PLR0913, PLR0917 - fixtures, parameters
    feed: Callable[..., str], database: Any, trades: Any, part: dict[str, Any], value: str, why: str
) -> None:
    header = (*trades.HEADER, "more")
    rows = [["1", "n", f"{DAY} 12:00:00", "1", "1", "0", more] for more in (r"\N", value)]
    schema = json.loads(json.dumps(trades.schema(trades.day(DAY, 2))))
    schema["schema"]["properties"]["more"] = part

    with pytest.raises(SliceError, match=f"dump file .*, line 3, column more: '.*' {why}"):
        feed([schema, trades.batch(trades.file(rows, header)), trades.schema()])

    assert database.query("select 1 from raw_data.trades") == []
