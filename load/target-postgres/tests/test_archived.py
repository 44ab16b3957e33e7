"""Months of which rows are only in dump files: nothing is loaded into them but by a restore."""

from __future__ import annotations

from typing import Any

import pytest

from target_postgres_copy.errors import SliceError

DAY, NEXT = "2024-01-30", "2024-02-01"
HELD = "select height, amount from raw_data.trades order by 1"
SHA = {"file": "trades_20240130.tsv.gz", "sha256": "aa"}


def line(height: int, day: str, amount: int = 1) -> list[str]:
    return [str(height), "n", f"{day} 12:00:00", str(amount), "1", "0"]


def loaded(trades: Any, day: str, *lines: list[str], **more: Any) -> list[Any]:
    return [*trades.loaded(day, lines, **more), trades.schema()]


def note(database: Any, state: str) -> None:
    """What `warehouse retain` writes, as far as the loader reads it."""
    database.query("create table if not exists raw_data.archived_months (table_name text, month date, state text)")
    database.query("grant select on raw_data.archived_months to public")
    database.query("delete from raw_data.archived_months")
    database.query(f"insert into raw_data.archived_months values ('trades', '2024-01-01', '{state}')")


@pytest.fixture
def archived(feed: Any, database: Any, trades: Any) -> None:
    """Two months, of which the first is dropped and noted."""
    feed(loaded(trades, DAY, line(1, DAY), **SHA) + loaded(trades, NEXT, line(2, NEXT)))
    database.query("drop table raw_data.trades_p2024_01")
    note(database, "archived")


@pytest.mark.usefixtures("archived")
def test_the_file_that_was_archived_is_skipped(feed: Any, database: Any, trades: Any) -> None:
    feed(loaded(trades, DAY, line(1, DAY), **SHA))

    assert database.query(HELD) == [(2, 1)]
    assert database.query("select count(*) from raw_data.load_ledger") == [(2,)]


@pytest.mark.usefixtures("archived")
def test_another_file_of_an_archived_day_is_refused(feed: Any, database: Any, trades: Any) -> None:
    with pytest.raises(SliceError, match=r"month 2024-01 is in the archive.*warehouse retain --restore 2024-01"):
        feed(loaded(trades, DAY, line(1, DAY, 7), sha256="bb"))

    assert database.query(HELD) == [(2, 1)]
    assert database.query("select to_regclass('raw_data.trades_p2024_01')") == [(None,)]


@pytest.mark.parametrize("in_slice", [True, False])
@pytest.mark.usefixtures("archived")
def test_rows_of_the_api_are_refused(feed: Any, database: Any, trades: Any, *, in_slice: bool) -> None:
    opened = trades.schema(trades.heights(1, 2) if in_slice else None)
    with pytest.raises(SliceError, match=r"month 2024-01 is in the archive"):
        feed([opened, trades.record(1, f"{DAY}T12:00:00Z"), trades.schema()])

    assert database.query(HELD) == [(2, 1)]


def test_a_month_that_stayed_beside_others_takes_no_other_rows(feed: Any, database: Any, trades: Any) -> None:
    feed(loaded(trades, DAY, line(1, DAY), **SHA))
    note(database, "kept")

    feed(loaded(trades, DAY, line(1, DAY), **SHA))
    for sha256 in ("bb", None):  # a file that goes straight into its month, and rows by a temporary table
        opened = trades.day(DAY, **({"sha256": sha256} if sha256 else {})) | {"time": "at"}
        rows = loaded(trades, DAY, line(1, DAY, 7), sha256="bb") if sha256 else [
            trades.schema(opened), trades.record(1, f"{DAY}T12:00:00Z", amount=7), trades.schema()
        ]  # fmt: skip
        with pytest.raises(SliceError, match=r"month 2024-01 is in the archive"):
            feed(rows)

    assert database.query(HELD) == [(1, 1)]


@pytest.mark.usefixtures("archived")
def test_a_restore_loads_it_again(feed: Any, database: Any, trades: Any) -> None:
    note(database, "returning")

    feed(loaded(trades, DAY, line(1, DAY), **SHA))

    assert database.query(HELD) == [(1, 1), (2, 1)]


def test_a_table_of_which_all_is_archived_was_not_emptied(feed: Any, database: Any, trades: Any) -> None:
    """A bookmark that counts its rows is kept: the tap would else read all of them again."""
    feed(loaded(trades, DAY, line(1, DAY), **SHA))
    (mark,) = database.query("select load_id, cast(loaded_at at time zone 'UTC' as text) from raw_data.load_ledger")
    state = {"bookmarks": {"trades": {"loaded": [[DAY, DAY]]}, "_last_loads": {"raw_data": list(mark)}}}
    database.query("drop table raw_data.trades_p2024_01")
    note(database, "archived")

    feed([{"type": "STATE", "value": state}, trades.schema()], check_state=True)
