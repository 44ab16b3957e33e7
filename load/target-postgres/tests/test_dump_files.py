"""Dump files of slices: what arrives, how it lies, and what a file that is not as it should be leads to."""

from __future__ import annotations

import gzip
import re
import sys
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from psycopg import sql
from singer_sdk.exceptions import FatalSyncError

import target_postgres_copy
from target_postgres_copy.dump_files import set_defaults

WEI = "894582879806664207241"


def line(height: int, at: str, name: str = "n", amount: str = "1", is_new: str = "1", flag: str = "0") -> list[str]:
    return [str(height), name, at, amount, is_new, flag]


def test_every_value_is_the_file_s(feed: Any, database: Any, trades: Any) -> None:
    rows = [
        ["1", "", "2024-01-09 00:00:00", WEI, "1", "-1"],
        [r"\N", r"\N", "2024-01-09 23:59:59", "0.000000000000000001", "0", r"\N"],
        ["9223372036854775807", 'é "quoted" \\ back\\nslash \\N in it', "2024-01-09 12:00:00", "-5e-7", r"\N", "1"],
    ]
    path = trades.file(rows)

    feed([trades.schema(), trades.schema(trades.day("2024-01-09", 3)), trades.batch(path), trades.schema()])

    odd = 'é "quoted" \\ back\\nslash \\N in it'
    found = database.query(
        "select height, name, at, amount, is_new, flag, _line, _channel, _unit from raw_data.trades order by _line"
    )
    assert [row[:6] for row in found] == [
        (1, "", datetime(2024, 1, 9, tzinfo=UTC), Decimal(WEI), True, -1),
        (None, None, datetime(2024, 1, 9, 23, 59, 59, tzinfo=UTC), Decimal("1e-18"), False, None),
        (2**63 - 1, odd, datetime(2024, 1, 9, 12, tzinfo=UTC), Decimal("-5e-7"), None, 1),
    ]
    assert [row[6:] for row in found] == [(line, "dumps", "trades/2024-01-09") for line in (2, 3, 4)]
    ((extracted, received, batched, sequence, started),) = database.query(
        "select distinct _sdc_extracted_at, _sdc_received_at, _sdc_batched_at, _sdc_sequence, _sdc_sync_started_at "
        "from raw_data.trades"
    )
    assert extracted == received == batched
    assert started <= sequence
    assert abs(batched.timestamp() * 1000 - started) < 600_000


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize(
    ("header", "fields"),
    [
        (("flag", "at", "amount", "name", "height", "is_new"), ["", "2024-01-09 00:00:00", "7", "", "5", ""]),
        (("height", "added", "name", "at", "amount"), ["5", "x\\y", "", "2024-01-09 00:00:00", "7"]),
        (("at", "height", "name", "amount", "flag", "last"), ["2024-01-09 00:00:00", "5", "", "7", "", ""]),
    ],
    ids=["reordered", "one more and two fewer", "one more, empties"],
)
def test_columns_are_bound_by_name(feed: Any, database: Any, trades: Any, header: Any, fields: Any, end: str) -> None:
    """And an empty field is null but in text, whether or not the file ends with a newline."""
    path = trades.file([fields, fields], header, end=end)

    feed([trades.schema(trades.day("2024-01-09", 2)), trades.batch(path), trades.schema()])

    row = (5, "", datetime(2024, 1, 9, tzinfo=UTC), Decimal(7), None, None)
    found = database.query("select height, name, at, amount, is_new, flag, _line from raw_data.trades order by _line")
    assert found == [(*row, 2), (*row, 3)]


def test_carriage_returns_and_end_marks_are_text(feed: Any, database: Any, trades: Any) -> None:
    names = ["a\rb", "\\.", "c\\\r", "\\N\\N", "\\\\N"]
    rows = [line(number, "2024-01-09 00:00:00", name) for number, name in enumerate(names)]

    feed([*trades.loaded("2024-01-09", rows), trades.schema()])

    assert database.query("select name from raw_data.trades order by height") == [(name,) for name in names]


def test_a_nul_is_refused_or_replaced(feed: Any, database: Any, trades: Any) -> None:
    messages = [*trades.loaded("2024-01-09", [line(1, "2024-01-09 00:00:00", "a\0b")]), trades.schema()]

    with pytest.raises(FatalSyncError, match=r"line 2.*0x00"):
        feed(messages)
    feed(messages, sanitize_null_text_characters=True)

    assert database.query("select name from raw_data.trades") == [("a\ufffdb",)]


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        (line(3, "2024-01-09 00:00:00", amount="x1"), r"line 4, column amount: .*numeric.*x1"),
        (line(3, "2024-01-32 00:00:00"), r"line 4, column at: .*2024-01-32"),
        (line(3, "2024-01-09 00:00:00", flag="70000"), r"line 4, column flag: .*70000"),
        (line(2**63, "2024-01-09 00:00:00"), r"line 4, column height: .*9223372036854775808"),
        (
            line(3, "2024-02-01 00:00:00"),
            r"line 4: new row .* violates (check .*rows_of_the_month|partition constraint)",
        ),
        (line(3, "2024-01-09 00:00:00")[:-1], r"line 4: missing data for column .flag."),
        ([*line(3, "2024-01-09 00:00:00"), "more"], r"line 4: extra data"),
    ],
)
@pytest.mark.parametrize("before", [False, True], ids=["new month", "month there"])
def test_a_bad_row_is_named_and_nothing_is_lost(
    feed: Any, database: Any, trades: Any, bad: list[str], expected: str, *, before: bool
) -> None:
    if before:
        feed([*trades.loaded("2024-01-09", [line(1, "2024-01-09 00:00:00")]), trades.schema()])
    held = database.query("select height, _load_id from raw_data.trades") if before else []
    rows = [line(1, "2024-01-09 00:00:00"), line(2, "2024-01-09 00:00:00"), bad]

    with pytest.raises(FatalSyncError, match=expected) as caught:
        feed([*trades.loaded("2024-01-09", rows), trades.schema()])

    assert ".tsv.gz, line 4" in str(caught.value)
    assert "what the table held is kept" in str(caught.value)
    assert database.query("select height, _load_id from raw_data.trades") == held
    assert len(database.query("select * from raw_data.load_ledger")) == len(held)
    if not before:
        assert database.tables() == ["load_ledger", "load_locks", "trades"]


@pytest.mark.parametrize("damage", ["missing", "cut", "no gzip", "empty"])
def test_a_file_that_cannot_be_read(feed: Any, database: Any, trades: Any, damage: str) -> None:
    rows = [line(number, "2024-01-09 00:00:00", name=str(number) * 9) for number in range(50_000)]
    path = trades.file(rows)
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-100_000])
    else:
        path.write_bytes(b"<html>" if damage == "no gzip" else gzip.compress(b""))

    with pytest.raises(FatalSyncError, match=r"cannot read the dump file .*\.tsv\.gz: .*run the tap again"):
        feed([trades.schema(trades.day("2024-01-09", len(rows))), trades.batch(path), trades.schema()])

    assert database.query("select count(*) from raw_data.trades") == [(0,)]


@pytest.mark.parametrize("before", [False, True], ids=["new month", "month there"])
@pytest.mark.parametrize("held", [1, 3])
def test_a_file_with_another_number_of_rows(feed: Any, database: Any, trades: Any, held: int, *, before: bool) -> None:
    if before:
        feed([*trades.loaded("2024-01-09", [line(9, "2024-01-09 00:00:00")]), trades.schema()])
    path = trades.file([line(number, "2024-01-09 00:00:00") for number in range(held)])

    with pytest.raises(FatalSyncError, match=rf"2 rows were announced and .* holds {held}"):
        feed([trades.schema(trades.day("2024-01-09", 2)), trades.batch(path), trades.schema()])

    assert database.query("select height from raw_data.trades") == ([(9,)] if before else [])


def test_a_dump_day_passes_the_files_of_the_walk_through(feed: Any, trades: Any) -> None:
    """`docs/concepts/loader.md` names them all, in links, before what a run's beginning or only other rows pass."""
    package = Path(target_postgres_copy.__file__).parent
    page = (package.parents[2] / "docs/concepts/loader.md").read_text()
    section = page.split("## How a dump day")[1].split("\n\n")[1]

    def calls(*days: str) -> Counter[str]:
        called: Counter[str] = Counter()

        def note(frame: FrameType, event: str, _argument: object) -> None:
            file = Path(frame.f_code.co_filename)
            if event == "call" and file.parent == package:
                called[file.name] += 1

        messages: list[Any] = [trades.schema()]
        for day in days:
            messages += trades.loaded(day, [line(1, f"{day} 00:00:00")], sha256=day)
            messages += [trades.schema(), {"type": "STATE", "value": {"bookmarks": {"trades": {"day": day}}}}]
        sys.setprofile(note)
        try:
            feed(messages, check_state=True, data_origin="simulator")
        finally:
            sys.setprofile(None)
        return called

    calls("2024-01-09")  # makes the table
    a_day = calls("2024-02-10")
    in_its_month, in_a_new_month = calls("2024-03-11", "2024-03-12"), calls("2024-04-11", "2024-05-12")
    passed = (in_its_month - a_day) | (in_a_new_month - a_day)
    assert passed.keys() == set(re.findall(r"target_postgres_copy/(\w+\.py)\)", section))


def test_a_file_whose_slice_is_a_range_of_dates_is_loaded(feed: Any, database: Any, plain_trades: Any) -> None:
    """As that of uncles: dates have no zone, and the table no months."""
    opened = plain_trades.day("2024-01-09", 1) | {"column": "_dump_day", "from": "2024-01-09", "to": "2024-01-10"}
    opened["constants"] |= {"_dump_day": "2024-01-09"}
    schema = plain_trades.schema(opened)
    dated = {"_dump_day": {"type": ["null", "string"], "format": "date"}}
    schema["schema"]["properties"] = schema["schema"]["properties"] | dated

    feed([schema, plain_trades.batch(plain_trades.file([line(1, "2024-01-09 00:00:00")]))])

    assert database.query("select height, _dump_day::text from raw_data.plain") == [(1, "2024-01-09")]


def test_the_default_that_numbers_lines_has_a_statement_of_its_own() -> None:
    """Citus refuses it beside other changes."""
    said: list[str] = []

    class Cursor:
        def execute(self, statement: sql.Composed) -> None:
            said.append(statement.as_string(None))

    numbers = sql.SQL("nextval('lines')")
    given = {"_unit": sql.Literal("u"), "_line": numbers, "_load_id": sql.Literal(7)}
    set_defaults(Cursor(), sql.Identifier("t"), given)  # type: ignore[arg-type]
    assert said == [
        'alter table "t" alter column "_unit" set default \'u\', alter column "_load_id" set default 7',
        'alter table "t" alter column "_line" set default nextval(\'lines\')',
    ]
