"""Months of a partitioned table: made with the first load, kept detached by a backfill, taken out when they are old."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from singer_sdk.exceptions import FatalSyncError

from target_postgres_copy.months import main
from target_postgres_copy.target import TargetPostgresCopy

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 60  # seconds
ATTACHED = "select inhrelid::regclass::text from pg_inherits where inhparent = 'raw_data.trades'::regclass order by 1"


def line(height: int, day: str) -> list[str]:
    return [str(height), "n", f"{day} 12:00:00", "1", "1", "0"]


def days(stream: Any, *wanted: str, first: int = 1) -> list[Any]:
    return [message for at, day in enumerate(wanted, first) for message in stream.loaded(day, [line(at, day)])]


@pytest.fixture
def command(database: Any, tmp_path: Path) -> Any:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(database.config()))

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(main, ["--config", str(config), *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_months_are_partitions_from_the_first_load(feed: Any, database: Any, trades: Any) -> None:
    feed([*days(trades, "2023-12-31", "2024-01-01", "2024-01-31"), trades.schema()])

    assert database.query(ATTACHED) == [("raw_data.trades_p2023_12",), ("raw_data.trades_p2024_01",)]
    where = (
        "select tableoid::regclass::text, array_agg(height order by height) from raw_data.trades group by 1 order by 1"
    )
    assert database.query(where) == [
        ("raw_data.trades_p2023_12", [1]),
        ("raw_data.trades_p2024_01", [2, 3]),
    ]  # fmt: skip
    # Each month has the table's two indexes, and no other or left-over constraint or default but the next load's.
    made = [text for (text,) in database.query("select indexdef from pg_indexes where tablename = 'trades_p2024_01'")]
    assert sorted(text.split(" USING ")[1] for text in made) == [
        "brin (at) WITH (pages_per_range='32')",
        "btree (height)",
    ]
    assert database.query("select 1 from pg_constraint where conrelid = 'raw_data.trades_p2024_01'::regclass") == []


def test_a_read_of_one_day_looks_at_one_month(feed: Any, database: Any, trades: Any) -> None:
    feed([*days(trades, *(f"2023-{month:02}-15" for month in range(1, 13))), trades.schema()])

    plan = database.query("explain select * from raw_data.trades where at >= '2023-05-15Z' and at < '2023-05-16Z'")

    assert "trades_p2023_05" in str(plan)
    assert "trades_p2023_06" not in str(plan)


def test_a_backfill_keeps_a_month_detached_until_its_last_day(feed: Any, database: Any, trades: Any) -> None:
    feed([trades.schema(), *days(trades, "2024-01-28", "2024-01-29", first=0), trades.schema()], backfill=True)
    assert database.query("select count(*) from raw_data.trades") == [(0,)]
    assert database.query("select indexdef from pg_indexes where tablename = 'trades_p2024_01'") == []

    # A day that comes again replaces itself there too.
    feed([*days(trades, "2024-01-29", "2024-01-30", first=7), trades.schema()], backfill=True)
    assert database.query("select height from raw_data.trades_p2024_01 order by 1") == [(0,), (7,), (8,)]

    feed([*days(trades, "2024-01-31", first=9), trades.schema()], backfill=True)

    assert database.query("select height from raw_data.trades order by 1") == [(0,), (7,), (8,), (9,)]
    assert len(database.query("select 1 from pg_indexes where tablename = 'trades_p2024_01'")) == 2
    assert database.query("select 1 from pg_constraint where conrelid = 'raw_data.trades_p2024_01'::regclass") == []


def test_a_backfill_that_goes_on_completes_what_it_leaves(feed: Any, database: Any, trades: Any) -> None:
    """Early chains have months whose last days have no file."""
    feed([*days(trades, "2023-11-02", "2023-12-09", "2024-02-10"), trades.schema()], backfill=True)

    assert database.query(ATTACHED) == [("raw_data.trades_p2023_11",), ("raw_data.trades_p2023_12",)]


def test_a_load_that_is_no_backfill_attaches_first(feed: Any, database: Any, trades: Any) -> None:
    feed([*days(trades, "2024-01-09"), trades.schema()], backfill=True)
    feed([*days(trades, "2024-01-10", first=2), trades.schema()])

    assert database.query("select height from raw_data.trades order by 1") == [(1,), (2,)]


@pytest.mark.parametrize("backfill", [False, True])
def test_records_of_detached_months(feed: Any, database: Any, trades: Any, *, backfill: bool) -> None:
    feed([*days(trades, "2024-01-09"), trades.schema()], backfill=True)
    record = trades.record(5, "2024-01-09T00:00:00Z")

    feed([trades.schema(trades.day("2024-01-09", 1)), record, trades.schema()], backfill=backfill)

    assert database.query("select height from raw_data.trades_p2024_01") == [(5,)]
    assert database.query("select height from raw_data.trades") == ([] if backfill else [(5,)])


def test_a_table_whose_name_begins_alike_is_another_one(feed: Any, database: Any, trades: Any, tmp_path: Path) -> None:
    """Its detached months are no places of this table's rows."""
    more = type(trades)(tmp_path, stream="trades_more")
    feed([*days(more, "2024-01-09"), more.schema()], backfill=True)
    feed([*days(trades, "2024-01-09"), trades.schema()], backfill=True)
    record = trades.record(5, "2024-01-09T00:00:00Z")

    feed([trades.schema(trades.heights(0, None)), record, trades.schema()])

    assert database.query("select height from raw_data.trades") == [(5,)]
    assert database.query("select height from raw_data.trades_more_p2024_01") == [(1,)]
    assert database.query(ATTACHED) == [("raw_data.trades_p2024_01",)]


@pytest.mark.parametrize(
    ("length", "fits"), [(63 - len("_p2024_01_line_seq"), True), (64 - len("_p2024_01_line_seq"), False)]
)
def test_a_name_that_leaves_no_space_for_its_months_is_refused(
    feed: Any, database: Any, trades: Any, tmp_path: Path, length: int, *, fits: bool
) -> None:
    """PostgreSQL would cut the names of its months and their sequences down, without a word."""
    long = type(trades)(tmp_path, stream="t" * length)
    messages = [*days(long, "2024-01-09"), long.schema()]
    if fits:
        feed(messages)
        assert f"{long.stream}_p2024_01" in database.tables()
        return
    with pytest.raises(FatalSyncError, match=r"has 46 bytes, and PostgreSQL cuts names off after 63 and 45 where"):
        feed(messages)
    assert long.stream not in database.tables()


def test_a_detached_month_gets_columns_that_came_later(feed: Any, database: Any, trades: Any) -> None:
    feed([*days(trades, "2024-01-09"), trades.schema()], backfill=True)
    trades.PROPERTIES = {**trades.PROPERTIES, "added": {"type": ["string", "null"]}}

    feed([*days(trades, "2024-01-10", first=2), trades.schema()])

    assert database.query("select height, added from raw_data.trades order by 1") == [(1, None), (2, None)]


def test_what_all_rows_of_a_new_month_share_is_kept_once(feed: Any, database: Any, trades: Any) -> None:
    feed([*days(trades, "2024-01-09", "2024-01-10"), trades.schema()])

    rows = (
        "select height, _line, _channel, _unit, _sdc_received_at = _sdc_batched_at, unit"
        " from raw_data.trades join raw_data.load_ledger on load_id = _load_id order by 1"
    )
    slices = ["trades/2024-01-09", "trades/2024-01-10"]
    expected = [(height, 2, "dumps", stream_slice, True, stream_slice) for height, stream_slice in enumerate(slices, 1)]
    assert database.query(rows) == expected
    once = (
        "select attname from pg_attribute where attrelid = 'raw_data.trades_p2024_01'::regclass and atthasmissing"
        " and attname in ('height', '_line', '_channel', '_unit', '_load_id', '_sdc_extracted_at') order by 1"
    )
    assert database.query(once) == [("_channel",), ("_load_id",), ("_sdc_extracted_at",), ("_unit",)]
    database.query("vacuum full raw_data.trades_p2024_01")
    assert database.query(rows) == expected


def test_a_new_month_has_the_parent_s_required_columns(feed: Any, database: Any, trades: Any) -> None:
    feed([*days(trades, "2024-01-09"), trades.schema()])
    database.query("alter table raw_data.trades alter height set not null, alter _unit set not null")

    feed([*days(trades, "2024-02-09", first=2), trades.schema()])

    assert database.query("select height, _unit from raw_data.trades order by 1") == [
        (1, "trades/2024-01-09"),
        (2, "trades/2024-02-09"),
    ]


def test_a_backfill_checks_each_row_s_month(feed: Any, database: Any, trades: Any) -> None:
    path = trades.file([line(1, "2024-01-09"), line(2, "2024-02-09")])

    with pytest.raises(FatalSyncError, match=r"line 3"):
        feed([trades.schema(trades.day("2024-01-09", 2)), trades.batch(path), trades.schema()], backfill=True)

    assert database.tables() == ["load_ledger", "load_locks", "trades"]


def test_months_are_listed_attached_and_taken_out(feed: Any, database: Any, trades: Any, command: Any) -> None:
    feed([*days(trades, "2023-11-30", "2023-12-31"), trades.schema()])
    feed([*days(trades, "2024-01-09", first=3), trades.schema()], backfill=True)
    assert [text.split()[:2] + text.split()[-1:] for text in command("list").splitlines()] == [
        ["trades", "2023-11", "attached"],
        ["trades", "2023-12", "attached"],
        ["trades", "2024-01", "yet"],
    ]

    assert command("attach", "--month", "2024-01") == "trades: attached 2024-01\n"
    assert command("attach") == "No month is detached.\n"
    assert "would take 2023-11 out" in command("detach", "--before", "2023-12", "--dry-run")
    assert database.query("select height from raw_data.trades order by 1") == [(1,), (2,), (3,)]

    database.query("drop table raw_data.load_locks")  # as a release without it leaves a warehouse
    assert command("detach", "--before", "2023-12") == "trades: took 2023-11 out, kept as trades_old_2023_11\n"
    assert database.query("select height from raw_data.trades order by 1") == [(2,), (3,)]
    assert database.query("select height from raw_data.trades_old_2023_11") == [(1,)]
    command("detach", "--before", "2024-02", "--table", "trades", "--drop")
    assert database.query("select height from raw_data.trades") == []
    assert database.tables() == ["load_ledger", "load_locks", "trades", "trades_old_2023_11"]

    # What was taken out is not looked for: a day that comes once more begins its month anew.
    feed([*days(trades, "2023-11-30"), trades.schema()])
    assert database.query("select height from raw_data.trades") == [(1,)]


def detach(database: Any) -> None:
    """As an operator does, without the command."""
    database.query("alter table raw_data.trades detach partition raw_data.trades_p2024_01")


def test_a_month_that_somebody_detached_is_reported_until_it_is_back(
    feed: Any, database: Any, trades: Any, command: Any, caplog: pytest.LogCaptureFixture
) -> None:
    feed([*days(trades, "2024-01-09", "2024-02-09"), trades.schema()])
    detach(database)

    feed([*days(trades, "2024-02-10", first=3), trades.schema()])

    assert "raw_data.trades_p2024_01 was detached from raw_data.trades: its rows are kept, and no reader" in caplog.text
    assert "`target-postgres-copy-months attach --month 2024-01` makes it part of the table again" in caplog.text
    assert database.query("select height from raw_data.trades_p2024_01") == [(1,)]
    assert "2024-01" in command("list").splitlines()[0]
    assert command("list").splitlines()[0].endswith("detached by hand: not visible in the table")

    caplog.clear()
    assert command("attach", "--month", "2024-01") == "trades: attached 2024-01\n"
    feed([*days(trades, "2024-02-11", first=4), trades.schema()])
    assert "detached" not in caplog.text
    assert database.query("select height from raw_data.trades order by 1") == [(1,), (2,), (3,), (4,)]


def test_a_month_of_a_backfill_is_not_reported_as_detached(
    feed: Any, trades: Any, command: Any, caplog: pytest.LogCaptureFixture
) -> None:
    feed([*days(trades, "2024-01-09"), trades.schema()], backfill=True)

    assert "detached" not in caplog.text
    assert command("list").splitlines()[0].endswith("detached: not visible in the table yet")


@pytest.mark.parametrize("way", ["a day's file again", "another day's file", "heights"])
def test_a_load_into_a_month_that_somebody_detached(
    feed: Any, database: Any, trades: Any, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    """It is attached before, and the ledger says so, for who follows it: all rows are there, and each once."""
    first = [*days(trades, "2024-01-09", "2024-01-10"), trades.schema()]
    feed(first)
    detach(database)

    if way == "a day's file again":
        feed(first)
    elif way == "another day's file":
        feed([*days(trades, "2024-01-11", first=3), trades.schema()])
    else:
        feed([trades.schema(trades.heights(2, None)), trades.record(3, "2024-01-11T00:00:00Z"), trades.schema()])

    found = {"a day's file again": [(1,), (2,)], "another day's file": [(1,), (2,), (3,)], "heights": [(1,), (3,)]}
    assert database.query("select height from raw_data.trades order by 1") == found[way]
    assert database.query(ATTACHED) == [("raw_data.trades_p2024_01",)]
    attached = "select first_day::text, last_day::text from raw_data.load_ledger where unit is null"
    assert database.query(attached) == [("2024-01-01", "2024-01-31")]
    assert "was detached" not in caplog.text


def test_an_unknown_table_is_one_sentence(database: Any, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(database.config()))

    result = CliRunner().invoke(main, ["--config", str(config), "list", "--table", "nothing"])

    assert result.exit_code == 1
    assert result.output == "Error: no partitioned table in schema raw_data: nothing; there are: none\n"


def test_loaders_that_start_at_once_make_one_table(database: Any, trades: Any) -> None:
    """Each its own day of a new month: both are there, and no loader stumbles over the other's table."""
    days_at_once = ["2024-01-09", "2024-01-10", "2024-01-11", "2024-02-01"]
    start = threading.Barrier(len(days_at_once))

    def one(height: int, day: str) -> None:
        messages = [*trades.loaded(day, [line(height, day)]), trades.schema()]
        target = TargetPostgresCopy(config=database.config())
        start.wait(LIMIT)
        target.listen(json.dumps(message) for message in messages)  # type: ignore[arg-type]

    with ThreadPoolExecutor(len(days_at_once)) as threads:
        for each in [threads.submit(one, *pair) for pair in enumerate(days_at_once)]:
            each.result(LIMIT)

    assert database.query("select height from raw_data.trades order by 1") == [(0,), (1,), (2,), (3,)]
