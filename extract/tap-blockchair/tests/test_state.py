"""What a dump stream's state remembers: replaced, late, lagging, vanished and backfilled days."""

from __future__ import annotations

import gzip
import json
import os
from datetime import date, timedelta
from typing import Any

import pytest
import requests

from tap_blockchair.state import DayState, Loaded

BLOCKS = ("bitcoin_blocks",)
FILE = Loaded('"e"', 1, "ab" * 32)


@pytest.fixture
def week(host: Any, blocks: Any) -> Any:
    """Five days with two blocks each."""
    for day in range(1, 6):
        host.put("bitcoin", "blocks", f"2024010{day}", blocks(10 * day, 10 * day + 1))
    return host


def test_a_replaced_day_is_sent_again_whole_and_nothing_else_is_downloaded(
    run: Any, week: Any, asked: Any, blocks: Any
) -> None:
    first = run(week.config(), select=BLOCKS)
    asked.clear()
    week.put("bitcoin", "blocks", "20240104", blocks(40))
    second = run(week.config(), state=first.state, select=BLOCKS)
    assert second.error is None
    assert second.ids == [40]
    (part,) = second.slices()
    assert (part["id"], part["column"], part["rows"]) == ("bitcoin/blocks/2024-01-04", "time", 1)
    assert (part["from"], part["to"]) == ("2024-01-04T00:00:00+00:00", "2024-01-05T00:00:00+00:00")
    assert [name[-15:-7] for name in asked.files] == ["20240104"]
    asked.clear()
    third = run(week.config(), state=second.state, select=BLOCKS)
    assert (third.ids, asked.files, third.bookmark("bitcoin_blocks")) == ([], [], "2024-01-05")


def test_a_day_outside_the_window_is_not_looked_at(run: Any, week: Any, asked: Any, blocks: Any) -> None:
    state = run(week.config(), select=BLOCKS).state
    week.put("bitcoin", "blocks", "20240103", blocks(99))
    asked.clear()
    assert run(week.config(), state=state, select=BLOCKS).ids == []
    assert [sent.method for sent in asked] == ["GET", "HEAD", "HEAD"], "the index, and two days"
    assert run(week.config(recheck_days=0), state=state, select=BLOCKS).ids == []


def test_a_new_etag_with_the_same_content_is_noted_and_not_sent(run: Any, week: Any, asked: Any) -> None:
    first = run(week.config(), select=BLOCKS)
    for path in week.folder.rglob("*.gz"):
        week.touch(path)
    asked.clear()
    second = run(week.config(), state=first.state, select=BLOCKS)
    assert (second.ids, second.slices(), len(asked.files)) == ([], [], 2)
    asked.clear()
    third = run(week.config(), state=second.state, select=BLOCKS)
    assert (third.ids, asked.files) == ([], [])


def test_state_has_what_it_says_and_stays_small(run: Any, week: Any) -> None:
    state = run(week.config(), select=BLOCKS).state["bookmarks"]["bitcoin_blocks"]
    assert state["loaded"] == [["2024-01-01", "2024-01-05"]]
    assert [file["day"] for file in state["files"]] == ["2024-01-04", "2024-01-05"]
    length = week.path("bitcoin", "blocks", "20240105").stat().st_size
    url = f"{week.url}/bitcoin/blocks/blockchair_bitcoin_blocks_20240105.tsv.gz"
    etag = requests.head(url, timeout=60).headers["ETag"]
    assert (state["files"][1]["etag"], state["files"][1]["length"]) == (etag, length)
    kept: dict[str, Any] = {}
    day = date(2009, 1, 3)
    for number in range(6000):
        if number % 7:  # a gap every week, which no chain has
            DayState(kept, 2).add(day + timedelta(days=number), FILE)
    assert len(json.dumps(kept)) < 4096
    assert DayState(kept, 2).has(day + timedelta(days=5998))
    assert not DayState(kept, 2).has(day + timedelta(days=5992))


def test_moving_start_date_back_loads_only_what_is_missing(run: Any, week: Any) -> None:
    first = run(week.config(start_date="2024-01-04"), select=BLOCKS)
    assert first.ids == [40, 41, 50, 51]
    second = run(week.config(start_date="2024-01-02"), state=first.state, select=BLOCKS)
    assert second.ids == [20, 21, 30, 31]
    assert second.bookmark("bitcoin_blocks") == "2024-01-05"
    assert second.state["bookmarks"]["bitcoin_blocks"]["loaded"] == [["2024-01-02", "2024-01-05"]]
    third = run(week.config(), state=second.state, select=BLOCKS)
    assert third.ids == [10, 11]


def test_a_backfill_that_stops_half_way_goes_on_there(run: Any, week: Any, blocks: Any) -> None:
    state = run(week.config(start_date="2024-01-05"), select=BLOCKS).state
    whole = week.path("bitcoin", "blocks", "20240103").read_bytes()
    week.put("bitcoin", "blocks", "20240103", b"<html>402</html>")
    second = run(week.config(), state=state, select=BLOCKS)
    assert second.error
    assert second.ids == [10, 11, 20, 21]
    assert second.bookmark("bitcoin_blocks") == "2024-01-05"
    week.put("bitcoin", "blocks", "20240103", whole)
    assert run(week.config(), state=second.state, select=BLOCKS).ids == [30, 31, 40, 41]


def test_a_state_of_the_first_release_is_understood(run: Any, week: Any) -> None:
    state = {"bookmarks": {"bitcoin_blocks": {"replication_key": "_dump_day", "replication_key_value": "2024-01-04"}}}
    result = run(week.config(recheck_days=0), state=state, select=BLOCKS)
    assert result.ids == [50, 51]
    assert result.state["bookmarks"]["bitcoin_blocks"]["loaded"] == [["2024-01-01", "2024-01-05"]]


def test_a_vanished_day_is_emptied_when_index_and_file_agree(run: Any, week: Any, blocks: Any) -> None:
    state = run(week.config(), select=BLOCKS).state
    week.path("bitcoin", "blocks", "20240104").unlink()
    second = run(week.config(), state=state, select=BLOCKS)
    assert second.ids == []
    assert [(part["id"], part["rows"]) for part in second.slices()] == [("bitcoin/blocks/2024-01-04", 0)]
    kinds = [m["type"] for m in second.messages]
    assert kinds.index("STATE", kinds.index("SCHEMA", kinds.index("SCHEMA") + 1)), "the state follows the empty slice"
    assert run(week.config(), state=second.state, select=BLOCKS).slices() == []
    week.put("bitcoin", "blocks", "20240104", blocks(40, 41))
    assert run(week.config(), state=second.state, select=BLOCKS).ids == [40, 41], "it came back"


def test_a_vanished_day_that_is_not_wanted_keeps_its_rows(run: Any, week: Any) -> None:
    state = run(week.config(), select=BLOCKS).state
    week.path("bitcoin", "blocks", "20240104").unlink()
    second = run(week.config(start_date="2024-01-05"), state=state, select=BLOCKS)
    assert (second.error, second.slices()) == (None, [])
    assert [part["rows"] for part in run(week.config(), state=second.state, select=BLOCKS).slices()] == [0]


def test_a_day_that_is_listed_and_not_there_stops_the_stream(run: Any, week: Any) -> None:
    week.fault("20240103", {"status": 404}, method="HEAD", times=None)
    result = run(week.config(), select=BLOCKS)
    assert "20240103.tsv.gz is listed, but answered 404" in str(result.error)
    assert (result.ids, result.bookmark("bitcoin_blocks")) == ([10, 11, 20, 21], "2024-01-02")


def test_a_day_that_only_the_index_has_lost_keeps_its_rows(run: Any, week: Any) -> None:
    state = run(week.config(), select=BLOCKS).state
    page = requests.get(f"{week.url}/bitcoin/blocks/", timeout=60).text
    lines = [line for line in page.splitlines() if "20240104" not in line]
    week.fault("^/dumps/bitcoin/blocks/$", {"body": "\n".join(lines)})
    second = run(week.config(), state=state, select=BLOCKS)
    assert (second.error, second.slices()) == (None, [])


def test_a_tip_that_vanished_is_a_lag_and_its_rows_stay(
    run: Any, week: Any, blocks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    state = run(week.config(), select=BLOCKS).state
    week.path("bitcoin", "blocks", "20240105").unlink()
    second = run(week.config(), state=state, select=BLOCKS)
    assert (second.ids, second.slices(), second.bookmark("bitcoin_blocks")) == ([], [], "2024-01-05")
    assert "2024-01-05 is not listed any more; its rows are kept" in caplog.text


def test_a_tidied_folder_empties_nothing(run: Any, host: Any, blocks: Any) -> None:
    for day in ("20240101", "20240102"):
        path = host.put("bitcoin", "blocks", day, blocks(int(day)))
    config = host.config(dumps_url=host.folder.as_uri())
    state = run(config, select=BLOCKS).state
    host.path("bitcoin", "blocks", "20240101").unlink()
    assert run(config, state=state, select=BLOCKS).slices() == []
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), mtime=9))
    os.utime(path, (9, 9))
    assert run(config, state=state, select=BLOCKS).ids == [20240102], "other bytes, other sha256: sent again"


@pytest.mark.parametrize(("days_back", "warned"), [(1, False), (3, False), (4, True)])
def test_a_lagging_chain_waits_and_warns_by_the_hosts_clock(
    run: Any,
    host: Any,
    blocks: Any,
    days_back: int,
    caplog: pytest.LogCaptureFixture,
    warned: bool,
) -> None:
    last = date(2024, 1, 3) - timedelta(days=days_back)  # on the third the simulator's clock stands
    host.put("bitcoin", "blocks", f"{last:%Y%m%d}", blocks(1))
    result = run(host.config(), select=BLOCKS)
    assert result.bookmark("bitcoin_blocks") == last.isoformat()
    assert (f"the last day listed is {last}, {days_back} days back" in caplog.text) is warned
    assert ("the last day listed is" in caplog.text) is warned
    caplog.clear()
    assert run(host.config(end_date=last.isoformat()), state=result.state, select=BLOCKS).ids == []
    assert "days back" not in caplog.text, "what is wanted is there"


def test_a_row_outside_its_day_stops_the_day(run: Any, host: Any, blocks: Any) -> None:
    path = host.put("bitcoin", "blocks", "20240101", blocks(1))
    path.rename(host.path("bitcoin", "blocks", "20240102"))
    result = run(host.config(), select=BLOCKS)
    assert "line 2: time is '2024-01-01 00:00:00', not a time of the file's day 2024-01-02" in str(result.error)
    assert result.ids == []
