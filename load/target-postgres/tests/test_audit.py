"""Raw rows are held against the checksums of their load, or against their file."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from target_postgres_copy.audit import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY, NEXT = "2024-01-09", "2024-01-10"
ROWS = [
    ["1", "a", f"{DAY} 01:00:00", "1.50", "1", "0"],
    ["2", "ü\\x", f"{DAY} 02:00:00", "894582879806664207241", "0", "-1"],
    ["3", "", f"{DAY} 03:00:00", r"\N", r"\N", r"\N"],
]


@pytest.fixture
def audit(database: Any, tmp_path: Path) -> Callable[..., tuple[int, list[str], str]]:
    """Run the command: its status, the slices that differ, and its last line."""

    def run(*arguments: str) -> tuple[int, list[str], str]:
        config = tmp_path / "audit.json"
        config.write_text(json.dumps(database.config()))
        result = CliRunner().invoke(main, ["--config", str(config), *arguments], catch_exceptions=False)
        return result.exit_code, result.stdout.splitlines(), result.stderr.splitlines()[-1]

    return run


def loaded(stream: Any, day: str, rows: list[list[str]]) -> list[dict[str, Any]]:
    path = stream.file(rows)
    about = {"file": path.name, "sha256": sha256(path.read_bytes()).hexdigest(), "time": "at"}
    return [stream.schema(stream.day(day, len(rows), **about)), stream.batch(path), stream.schema()]


# What somebody does to the rows, and what the audit says.
CHANGES = {
    "update raw_data.{} set amount = amount + 1 where height = 1": "differs in amount",
    "update raw_data.{} set name = 'b', flag = 0 where height = 3": "differs in name, flag",
    "update raw_data.{} set amount = null where height = 2": "differs in amount",
    "update raw_data.{} set height = 3 - height where height < 3": "differs in height",
    "delete from raw_data.{} where height = 2": "3 rows were loaded, 2 are there",
    "insert into raw_data.{} (height, name, at) values (9, '', '2024-01-09 1:00Z')": "3 rows were loaded, 4 are there",
    "alter table raw_data.{} drop column flag": "the columns flag are gone",
}


@pytest.mark.parametrize("before", [False, True], ids=["first day", "later day"])
def test_rows_that_were_changed_by_hand(feed: Any, database: Any, stream: Any, audit: Any, before: bool) -> None:
    first = loaded(stream, NEXT, [["7", "n", f"{NEXT} 12:00:00", "1", "1", "0"]])
    if before:
        feed(first, verify=True)
    feed(loaded(stream, DAY, ROWS), verify=True)
    all_right = f"{1 + before} slices are as they were loaded, 0 differ. Not compared: 0 without checksums, 0 whose"
    assert audit()[:2] == (0, [])
    assert audit()[2].startswith(all_right)

    for change, said in CHANGES.items():
        table = stream.stream
        database.query(f"create schema kept; create table kept.held as table raw_data.{table}")
        database.query(change.format(table))
        status, lines, _ = audit()
        dropped = "drop column" in change  # of all days
        assert (status, len(lines)) == (1, 1 + (before and dropped)), change
        assert lines[0].startswith(f"{table}  {table}/{DAY}  load "), lines
        assert lines[0].endswith(f": {said}"), (change, lines)
        if not dropped:
            database.query(
                f"delete from raw_data.{table}; insert into raw_data.{table} select * from kept.held; "
                "drop schema kept cascade"
            )
            assert audit()[0] == 0


def test_a_column_that_was_widened_is_the_same(feed: Any, database: Any, stream: Any, audit: Any) -> None:
    feed(loaded(stream, DAY, ROWS), verify=True)
    database.query(f"alter table raw_data.{stream.stream} alter column height type numeric, alter flag type bigint")
    assert audit()[0] == 0


@pytest.mark.parametrize("verify", [False, True])
def test_a_month_that_somebody_has_detached(feed: Any, database: Any, trades: Any, audit: Any, verify: bool) -> None:
    """All its rows are there, and no reader of the table sees them; of a backfill that is in order."""
    february, march = ([["7", "n", f"2024-0{month}-01 01:00:00", "1", "1", "0"]] for month in (2, 3))
    feed([*loaded(trades, DAY, ROWS), *loaded(trades, "2024-02-01", february)], verify=verify)
    feed(loaded(trades, "2024-03-01", march), backfill=True)
    assert audit()[:2] == (0, [])
    database.query("alter table raw_data.trades detach partition raw_data.trades_p2024_01")
    status, (line,), _ = audit()
    assert status == 1
    assert line.startswith(f"trades  trades/{DAY}  load ")
    assert "its month trades_p2024_01 was detached from the table, whose readers do not see it: attach it" in line


def test_what_cannot_be_compared_is_reported(feed: Any, stream: Any, audit: Any) -> None:
    feed(loaded(stream, DAY, ROWS))
    assert audit()[2].endswith("1 without checksums, 0 whose days a later load changed.")

    feed(loaded(stream, DAY, ROWS), verify=True, reload=True)
    late = stream.schema(stream.heights(3, 4))
    late["schema"]["x-unit"]["time"] = "at"
    feed([late, stream.record(3, f"{DAY}T03:00:00Z"), stream.schema()])
    assert audit()[:2] == (0, [])
    assert audit()[2].startswith(
        "0 slices are as they were loaded, 0 differ. Not compared: 0 without checksums, 1 whose"
    )


def test_tables_and_days_are_chosen(feed: Any, database: Any, stream: Any, audit: Any) -> None:
    feed(loaded(stream, DAY, ROWS), verify=True)
    feed(loaded(stream, NEXT, [["7", "n", f"{NEXT} 12:00:00", "1", "1", "0"]]), verify=True)
    database.query(f"update raw_data.{stream.stream} set amount = 0 where height = 1")
    assert audit("--days", "1")[:2] == (0, [])
    assert audit("--table", "others")[:2] == (0, [])
    assert audit("--days", "2", "--table", stream.stream)[0] == 1


def test_against_the_files(feed: Any, database: Any, stream: Any, audit: Any, tmp_path: Path) -> None:
    """Without any checksum of the ledger, also where a loader stored wrong from the start."""
    messages = loaded(stream, DAY, ROWS)
    feed(messages)
    folder = ("--against-files", str(tmp_path))
    assert audit(*folder)[:2] == (0, [])
    database.query(f"update raw_data.{stream.stream} set name = 'Ã¼' where height = 2")
    assert audit(*folder)[1][0].endswith(": differs in name")

    (path,) = tmp_path.glob("*.tsv.gz")
    path.write_bytes(path.read_bytes() + b"\0")
    assert audit(*folder)[1][0].endswith("is another file than the one that was loaded")
    path.unlink()
    assert audit(*folder)[2].endswith("Not compared: 1 without a file, 0 whose days a later load changed.")
    assert database.query("select count(*) from pg_class where relname like 'staging%'") == [(0,)]


def test_checksums_are_the_same_on_each_release(feed: Any, database: Any, trades: Any) -> None:
    """Each release must read what an older one has noted."""
    feed(loaded(trades, DAY, ROWS), verify=True)
    ((sums,),) = database.query("select checksums from raw_data.load_ledger")
    assert sums == {
        "height": ["bigint", 9554534970965825539],
        "name": ["text", -6518778670901003491],
        "at": ["timestamp with time zone", 936420511522722564],
        "amount": ["numeric", 7042811403817645280],
        "is_new": ["boolean", 8216542324169087353],
        "flag": ["smallint", -4036774175373209130],
    }
