"""The ledger holds on which days rows came or went."""

from __future__ import annotations

from datetime import date
from typing import Any

FIRST, SECOND, THIRD = (date(2024, 1, day) for day in (9, 10, 11))


def days(database: Any) -> list[tuple[date | None, date | None]]:
    return list(database.query("select first_day, last_day from raw_data.load_ledger order by load_id"))


def timed(schema: dict[str, Any]) -> dict[str, Any]:
    """A slice's schema that names the time column, as this project's tap does."""
    schema["schema"]["x-unit"]["time"] = "at"
    return schema


def test_a_day(feed: Any, database: Any, stream: Any) -> None:
    """The whole day, by whatever way its file went and though its rows lie at noon."""
    row = ["1", "n", f"{FIRST} 12:00:00", "1", "1", "0"]
    schema, *rows = stream.loaded(str(FIRST), [row])
    feed([timed(schema), *rows, stream.schema()])
    assert days(database) == [(FIRST, FIRST)]


def test_heights(feed: Any, database: Any, stream: Any) -> None:
    """The days of the rows that came and of those that went, in UTC."""
    old = timed(stream.schema(stream.heights(1, None)))
    feed([old, stream.record(1, f"{FIRST}T00:00:00Z"), stream.record(2, f"{SECOND}T23:59:59Z"), stream.schema()])
    new = timed(stream.schema(stream.heights(2, None)))
    feed([new, stream.record(2, f"{THIRD}T23:30:00-00:15"), stream.schema()])
    empty = timed(stream.schema(stream.heights(2, 9)))
    feed([empty, stream.schema()])
    assert days(database) == [(FIRST, SECOND), (SECOND, THIRD), (THIRD, THIRD)]


def test_a_tap_that_names_no_time(feed: Any, database: Any, stream: Any) -> None:
    feed([stream.schema(stream.heights(1, None)), stream.record(1, f"{FIRST}T12:00:00Z"), stream.schema()])
    assert days(database) == [(None, None)]


def test_a_ledger_of_an_older_release_gets_the_columns(feed: Any, database: Any, stream: Any) -> None:
    feed([stream.schema(stream.heights(1, None)), stream.record(1, f"{FIRST}T12:00:00Z"), stream.schema()])
    database.query(
        "alter table raw_data.load_ledger drop column first_day, drop column last_day, drop column checksums"
    )
    feed([timed(stream.schema(stream.heights(1, None))), stream.record(1, f"{SECOND}T12:00:00Z"), stream.schema()])
    assert days(database) == [(None, None), (FIRST, SECOND)]


def test_a_detached_month_is_entered_when_it_can_be_seen(feed: Any, database: Any, trades: Any) -> None:
    for day, height in (("2024-01-30", 1), ("2024-01-31", 2)):
        schema, *rows = trades.loaded(day, [[str(height), "n", f"{day} 12:00:00", "1", "1", "0"]])
        feed([timed(schema), *rows, trades.schema()], backfill=True)
    entries = "select unit is null, rows_loaded, first_day, last_day from raw_data.load_ledger order by load_id"
    assert database.query(entries) == [
        (False, 1, date(2024, 1, 30), date(2024, 1, 30)),
        (False, 1, date(2024, 1, 31), date(2024, 1, 31)),
        (True, 0, date(2024, 1, 1), date(2024, 1, 31)),
    ]
