"""A slice replaces itself, in one transaction, and a state waits for it."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from singer_sdk.exceptions import FatalSyncError

DAY = "2024-01-09"
NEXT = "2024-01-10"


def line(height: int, at: str = f"{DAY} 12:00:00", name: str = "n") -> list[str]:
    return [str(height), name, at, "1", "1", "0"]


def state(value: object) -> dict[str, Any]:
    return {"type": "STATE", "value": {"at": value}}


def heights(database: Any, table: str = "trades") -> list[int]:
    return [height for (height,) in database.query(f"select height from raw_data.{table} order by height, name")]


def ledger(database: Any) -> list[tuple[Any, ...]]:
    return list(
        database.query(
            "select table_name, unit, range_column, range_from, range_to, channel, file, etag, sha256, rows_loaded, "
            "rows_deleted from raw_data.load_ledger order by load_id"
        )
    )


def test_a_dump_replaces_a_dump(feed: Any, database: Any, stream: Any) -> None:
    feed([*stream.loaded(DAY, [line(1), line(2), line(3)], sha256="a", file="day.tsv.gz", etag='"1"'), stream.schema()])
    feed([*stream.loaded(NEXT, [line(4, f"{NEXT} 00:00:00")], sha256="b"), stream.schema()])
    feed([*stream.loaded(DAY, [line(2), line(5)], sha256="c", file="day.tsv.gz", etag='"2"'), stream.schema()])

    assert heights(database, stream.stream) == [2, 4, 5]
    numbers = dict(database.query(f"select height, _line from raw_data.{stream.stream}"))
    assert (numbers[2], numbers[5]) == (2, 3)
    first, _, last = ledger(database)
    bounds = (f"{DAY}T00:00:00+00:00", f"{NEXT}T00:00:00+00:00")
    assert first == (stream.stream, f"{stream.stream}/{DAY}", "at", *bounds, "dumps", "day.tsv.gz", '"1"', "a", 3, 0)
    assert last[6:] == ("day.tsv.gz", '"2"', "c", 2, 3)
    # Each row can be led back to its load.
    assert database.query(
        f"select count(*) from raw_data.{stream.stream} "
        "join raw_data.load_ledger on load_id = _load_id and unit = _unit"
    ) == [(3,)]


def test_a_dump_replaces_rows_of_the_api(feed: Any, database: Any, stream: Any) -> None:
    """Whatever slice put them there, and those of other days stay."""
    feed(
        [
            stream.schema(stream.heights(1, None)),
            stream.record(1, f"{DAY}T23:59:59Z"),
            stream.record(2, f"{DAY}T23:59:59.999999Z"),
            stream.record(3, f"{NEXT}T00:00:00Z"),
            stream.schema(),
        ]
    )

    feed([*stream.loaded(DAY, [line(1, name="n1")]), stream.schema()])

    rows = database.query(f"select height, _channel, _line from raw_data.{stream.stream} order by height")
    assert rows == [(1, "dumps", 2), (3, "api", None)]


def test_a_column_that_the_dump_lacks_becomes_null(feed: Any, database: Any, stream: Any) -> None:
    """Although the row with the same key had it from the API."""
    feed([stream.schema(stream.heights(1, None)), stream.record(1, f"{DAY}T12:00:00Z", flag=1), stream.schema()])
    assert database.query(f"select flag from raw_data.{stream.stream}") == [(1,)]

    file = stream.file([line(1, name="n1")[:-1]], stream.HEADER[:-1])
    feed([stream.schema(stream.day(DAY, 1)), stream.batch(file), stream.schema()])

    assert database.query(f"select flag, _channel from raw_data.{stream.stream}") == [(None, "dumps")]


@pytest.mark.parametrize(("again", "expected"), [([3, 4], [1, 2, 3, 4]), ([3], [1, 2, 3]), ([], [1, 2])])
def test_a_height_range_replaces_itself(feed: Any, database: Any, stream: Any, again: Any, expected: Any) -> None:
    def messages(first: int, stop: int | None, numbers: Any, hour: int) -> list[Any]:
        records = [stream.record(number, f"{DAY}T{hour:02}:00:00Z", name=f"at {hour}") for number in numbers]
        return [stream.schema(stream.heights(first, stop)), *records]

    feed([*messages(1, 3, [1, 2], 1), *messages(3, None, [3, 4, 5], 1), stream.schema()])
    feed([*messages(3, None, again, 2), stream.schema()])

    assert heights(database, stream.stream) == expected
    hours = database.query(f"select name from raw_data.{stream.stream} order by height")
    assert hours == [("at 1",), ("at 1",), *[("at 2",)] * len(again)]


def test_records_of_no_slice_replace_those_with_their_key(feed: Any, database: Any, stream: Any) -> None:
    feed([stream.schema(), *(stream.record(number, f"{DAY}T12:00:00Z") for number in (1, 2))])
    feed([stream.schema(), *(stream.record(number, f"{DAY}T12:00:00Z", flag=1) for number in (2, 3))])

    rows = database.query(f"select height, flag from raw_data.{stream.stream} order by height")
    assert rows == [(1, None), (2, 1), (3, 1)]
    assert [row[9:] for row in ledger(database)] == [(2, 0), (2, 1)]


def test_a_row_without_a_value_lies_in_no_range(feed: Any, database: Any, stream: Any) -> None:
    """Not even in one without bounds, which replaces every other row."""
    rows = [stream.record(number, f"{DAY}T12:00:00Z", flag=flag) for number, flag in ((1, None), (2, 1))]
    feed([stream.schema(), *rows])
    everything = {"id": "all", "column": "flag", "from": None, "to": None, "constants": {"_channel": "api"}}

    feed([stream.schema(everything), stream.record(3, f"{DAY}T12:00:00Z", flag=0), stream.schema()])

    assert heights(database, stream.stream) == [1, 3]


def test_a_day_that_became_empty(feed: Any, database: Any, stream: Any) -> None:
    feed([*stream.loaded(DAY, [line(1)]), *stream.loaded(NEXT, [line(2, f"{NEXT} 00:00:00")]), stream.schema()])
    feed([stream.schema(stream.day(DAY, 0)), stream.schema()])

    assert heights(database, stream.stream) == [2]
    assert [row[9:] for row in ledger(database)] == [(1, 0), (1, 0), (0, 1)]


EMPTY = {"file": "day.tsv.gz", "sha256": "e"}


@pytest.mark.parametrize("by", ["file", "records", "stream map"])
def test_a_file_without_rows_is_a_question(feed: Any, database: Any, stream: Any, by: str) -> None:
    def day(rows: int | None) -> list[Any]:
        start = stream.schema(stream.day(DAY, rows, **EMPTY))
        return [start, *([stream.batch(stream.file([]))] if by == "file" else []), stream.schema(), state("new")]

    empty = day(None if by == "stream map" else 0)  # of a changed stream, the tap does not count
    feed(
        [*stream.loaded(DAY, [line(1), line(2)]), *stream.loaded(NEXT, [line(3, f"{NEXT} 00:00:00")]), stream.schema()]
    )
    before = ledger(database)

    with pytest.raises(FatalSyncError, match=rf"{DAY}: the dump file day.tsv.gz has .* {stream.stream} holds 2 rows"):
        feed(empty)
    assert heights(database, stream.stream) == [1, 2, 3]
    assert ledger(database) == before

    assert feed(empty, allow_empty=True)
    assert heights(database, stream.stream) == [3]
    assert ledger(database)[-1][6:] == ("day.tsv.gz", None, "e", 0, 2)
    assert feed(empty)  # nothing is lost by it any more


def test_a_file_without_rows_for_a_detached_month(feed: Any, database: Any, trades: Any) -> None:
    feed([*trades.loaded(DAY, [line(1)]), trades.schema()], backfill=True)
    assert heights(database) == []

    empty = [trades.schema(trades.day(DAY, 0, **EMPTY)), trades.batch(trades.file([])), trades.schema()]
    with pytest.raises(FatalSyncError, match="trades holds 1 rows of that range"):
        feed(empty, backfill=True)

    assert heights(database, "trades_p2024_01") == [1]


@pytest.mark.parametrize(
    ("again", "replaced"), [([1, 2, 4], 3), ([1, 2], 3), ([1, 2, 3, 4], 3)], ids=["other row", "row less", "row more"]
)
def test_a_slice_that_changed_in_part_is_the_last_loads_as_a_whole(
    feed: Any, database: Any, stream: Any, again: Any, replaced: int
) -> None:
    """So that its rows can be counted against what the load brought, and the file is known when it comes again."""
    feed([*stream.loaded(DAY, [line(1), line(2), line(3)], sha256="a"), stream.schema()])
    changed = [*stream.loaded(DAY, [line(number) for number in again], sha256="b"), stream.schema()]
    feed(changed)

    assert [row[9:] for row in ledger(database)] == [(3, 0), (len(again), replaced)]
    rows = (
        f"select height, sha256, raw.ctid from raw_data.{stream.stream} as raw"
        " join raw_data.load_ledger on load_id = _load_id order by height"
    )
    found = database.query(rows)
    assert [(height, sha256) for height, sha256, _ in found] == [(number, "b") for number in again]
    feed(changed)
    assert database.query(rows) == found


def test_an_unchanged_file_is_left_alone(feed: Any, database: Any, stream: Any) -> None:
    feed([*stream.loaded(DAY, [line(1), line(2)], sha256="a"), stream.schema()])
    before = database.query(f"select ctid, xmin::text from raw_data.{stream.stream}")
    missing = stream.file([])
    missing.unlink()

    feed([stream.schema(stream.day(DAY, 2, sha256="a")), stream.batch(missing), stream.schema()])

    assert database.query(f"select ctid, xmin::text from raw_data.{stream.stream}") == before
    assert len(ledger(database)) == 1


def test_a_file_is_known_by_its_table_too(feed: Any, database: Any, trades: Any, plain_trades: Any) -> None:
    """Slices of two tables may have one name."""
    loaded = {stream.stream: stream.loaded(DAY, [line(1)], id="a day", sha256="a") for stream in (trades, plain_trades)}
    feed([*loaded["trades"], trades.schema(), *loaded["plain"], plain_trades.schema()])

    feed([*loaded["trades"], trades.schema()])

    assert [(row[0], *row[9:]) for row in ledger(database)] == [("trades", 1, 0), ("plain", 1, 0)]


def test_an_unchanged_file_is_loaded_if_rows_were_lost(feed: Any, database: Any, stream: Any) -> None:
    messages = [*stream.loaded(DAY, [line(1), line(2)], sha256="a"), stream.schema()]
    feed(messages)
    database.query(f"delete from raw_data.{stream.stream} where height = 1")

    feed(messages)

    assert heights(database, stream.stream) == [1, 2]


@pytest.mark.parametrize(
    ("heights_of_api", "held"), [((2, 3), 2), ((3, 4), 3)], ids=["in a row's place", "beside the rows"]
)
def test_an_unchanged_file_is_loaded_if_rows_of_the_api_came(
    feed: Any, database: Any, stream: Any, heights_of_api: Any, held: int
) -> None:
    """Though the day has as many rows as the file, or all the file's rows are there."""
    messages = [*stream.loaded(DAY, [line(1), line(2)], sha256="a"), stream.schema()]
    feed(messages)
    record = stream.record(heights_of_api[0], f"{DAY}T12:00:00Z")
    feed([stream.schema(stream.heights(*heights_of_api)), record, stream.schema()])
    assert len(heights(database, stream.stream)) == held

    feed(messages)

    rows = f"select height, _channel from raw_data.{stream.stream} order by height"
    assert database.query(rows) == [(1, "dumps"), (2, "dumps")]


@pytest.mark.parametrize(
    ("before", "after"), [([1, 1, 2], [1, 2, 2]), ([1, 1, 2], [1, 2]), ([1, 2], [1, 1, 2]), ([1, 1], [1, 1])]
)
def test_rows_that_occur_twice_are_counted(
    feed: Any, database: Any, trades: Any, before: list[int], after: list[int]
) -> None:
    """A table without a unique index holds equal rows, and two of one are not the same as two of another."""

    def messages(numbers: list[int]) -> list[Any]:
        records = [trades.record(number, f"{DAY}T12:00:00Z") for number in numbers]
        return [trades.schema(trades.heights(1, 9)), *records, trades.schema()]

    feed(messages(before))
    feed(messages(after))

    assert heights(database) == after
    assert [row[9:] for row in ledger(database)] == [
        (len(before), 0),
        *([(len(after), len(before))] if after != before else []),
    ]


@pytest.mark.parametrize("came", [1, 3])
def test_another_number_of_records_than_announced(feed: Any, database: Any, stream: Any, came: int) -> None:
    feed([stream.schema(stream.day(DAY)), stream.record(9, f"{DAY}T00:00:00Z"), stream.schema()])
    records = [stream.record(number, f"{DAY}T00:00:00Z") for number in range(came)]

    with pytest.raises(FatalSyncError, match=rf"2 rows were announced and {came} came; what the table held is kept"):
        feed([stream.schema(stream.day(DAY, 2)), *records, stream.schema()])

    assert heights(database, stream.stream) == [9]
    assert len(ledger(database)) == 1


def test_an_unchanged_range_is_left_alone(feed: Any, database: Any, stream: Any) -> None:
    messages = [
        stream.schema(stream.heights(1, None)),
        stream.record(1, f"{DAY}T00:00:00Z"),
        stream.record(2, "2024-02-01T00:00:00Z"),
        stream.schema(),
    ]
    feed(messages)
    before = database.query(f"select ctid, xmin::text, _sdc_batched_at from raw_data.{stream.stream}")
    feed(messages)

    assert database.query(f"select ctid, xmin::text, _sdc_batched_at from raw_data.{stream.stream}") == before
    assert len(ledger(database)) == 1


def test_records_of_one_slice_in_many_batches(feed: Any, database: Any, stream: Any) -> None:
    """All or nothing, however small the batches; the file's digest and rows are known for records too."""
    records = [stream.record(number, f"{DAY}T00:00:00Z") for number in range(25)]

    feed([stream.schema(stream.day(DAY, 25, sha256="a")), *records, stream.schema()], batch_size_rows=10)

    assert heights(database, stream.stream) == list(range(25))
    assert [row[9:] for row in ledger(database)] == [(25, 0)]


def test_rows_outside_their_slice_are_refused(feed: Any, database: Any, stream: Any) -> None:
    with pytest.raises(FatalSyncError, match=r"1 rows lie outside its range of height"):
        feed([stream.schema(stream.heights(5, 6)), stream.record(6, f"{DAY}T00:00:00Z"), stream.schema()])

    assert heights(database, stream.stream) == []


def test_an_input_that_breaks_off_loads_no_half_slice(
    feed: Any, database: Any, stream: Any, caplog: pytest.LogCaptureFixture
) -> None:
    feed([stream.schema(stream.heights(1, 3)), stream.record(1, f"{DAY}T00:00:00Z"), stream.schema(), state(1)])
    out = feed(
        [
            stream.schema(stream.heights(1, 3)),
            state(2),
            stream.record(2, f"{DAY}T00:00:00Z"),
        ]
    )

    assert heights(database, stream.stream) == [1]
    assert out == ""
    assert "the input ended before this slice did" in caplog.text


def test_a_state_waits_for_the_slices_that_were_open_when_it_came(feed: Any, stream: Any) -> None:
    seen: list[str] = []

    def messages() -> Any:
        yield stream.schema()
        yield stream.schema(stream.heights(1, 3))
        yield stream.record(1, f"{DAY}T00:00:00Z")
        yield state(1)
        yield stream.record(2, f"{DAY}T00:00:00Z")
        yield state(2)
        yield stream.schema(stream.heights(3, 5))
        yield stream.record(3, f"{DAY}T00:00:00Z")
        yield state(3)

    out = feed(messages())
    seen = [json.loads(text)["at"] for text in out.splitlines()]
    # The second slice never ended: the last state that is true says what the first one brought.
    assert seen == [2]


def test_a_state_follows_every_slice(feed: Any, database: Any, trades: Any) -> None:
    seen: list[tuple[str, list[int]]] = []
    out = io.StringIO()

    def messages() -> Any:
        for number, day in enumerate([DAY, NEXT, "2024-02-01"], 1):
            yield from trades.loaded(day, [line(number, f"{day} 00:00:00")])
            yield state(number)
            seen.append((out.getvalue(), heights(database)))
        yield trades.schema()

    feed(messages(), out)

    written = ['{"at": 1}\n', '{"at": 1}\n{"at": 2}\n', '{"at": 1}\n{"at": 2}\n{"at": 3}\n']
    assert seen == [(text, list(range(1, number + 1))) for number, text in enumerate(written, 1)]


def test_a_state_follows_a_slice_of_records_that_is_complete(feed: Any, database: Any, stream: Any) -> None:
    """Also while its rows are in the loader's memory alone, and the tap has said nothing more."""
    out, seen = io.StringIO(), []

    def messages() -> Any:
        yield stream.schema(stream.day(DAY, 2))
        yield from (stream.record(number, f"{DAY}T00:00:00Z") for number in (1, 2))
        yield state(1)
        seen.append((out.getvalue(), heights(database, stream.stream)))
        yield stream.schema()

    feed(messages(), out)

    assert seen == [('{"at": 1}\n', [1, 2])]


def test_a_state_waits_for_each_slice_that_was_open(feed: Any, database: Any, trades: Any, plain_trades: Any) -> None:
    """At the end of the input one of two is complete, and what the state says of the other is not true."""
    out = feed(
        [
            trades.schema(trades.day(DAY, 1)),
            plain_trades.schema(plain_trades.heights(1, 3)),
            plain_trades.record(1, f"{DAY}T00:00:00Z"),
            state(1),
            trades.record(1, f"{DAY}T00:00:00Z"),
        ]
    )

    assert out == ""
    assert (heights(database, "trades"), heights(database, "plain")) == ([1], [])


def test_a_slice_that_is_not_described_is_one_sentence(feed: Any, stream: Any) -> None:
    with pytest.raises(FatalSyncError, match=r"stream \w+: its x-unit lacks column, to"):
        feed([stream.schema({"id": "x", "from": 1})])
