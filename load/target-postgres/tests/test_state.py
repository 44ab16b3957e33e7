"""A state counts what is committed, and a bookmark and its warehouse may be restored or moved without each other."""

from __future__ import annotations

import io
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from target_postgres_copy.errors import OtherWarehouseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

DAYS = ("2024-01-09", "2024-01-10", "2024-01-12", "2024-01-13")

SCHEMA_OF_ANOTHER = {
    "type": "SCHEMA",
    "stream": "things",
    "key_properties": ["id"],
    "schema": {"properties": {"id": {"type": "integer"}}},
}


def lines_of(day: str) -> list[list[str]]:
    return [["1", "a", f"{day} 10:00:00", "5", "0", ""]]


def bookmark(*days: str) -> dict[str, Any]:
    """What tap-blockchair keeps of a table after these days, each a range of its own."""
    return {
        "replication_key": "_dump_day",
        "replication_key_value": days[-1],
        "loaded": [[day, day] for day in days],
        "files": [{"day": day, "etag": "e", "length": 1, "sha256": "f"} for day in days[-2:]],
    }


def state(trades: dict[str, Any], marks: dict[str, Any] | None = None, **others: Any) -> dict[str, Any]:
    bookmarks = {"trades": trades, **others} | ({"_last_loads": marks} if marks else {})
    return {"type": "STATE", "value": {"bookmarks": bookmarks, "points": 7}}


def written(said: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.splitlines()]


@pytest.fixture
def loaded(feed: Callable[..., str], trades: Any) -> dict[str, Any]:
    """The state after four days, with a gap between them, were loaded."""

    def messages() -> Iterable[dict[str, Any]]:
        yield trades.schema()
        for number, day in enumerate(DAYS):
            yield from trades.loaded(day, lines_of(day), sha256=f"f{number}")
            yield trades.schema()
            yield state(bookmark(*DAYS[: number + 1]))

    return written(feed(messages(), check_state=True))[-1]


def test_a_state_names_the_last_load(loaded: Any, database: Any) -> None:
    last = database.query("select load_id, (loaded_at at time zone 'UTC')::text from raw_data.load_ledger order by 1")[
        -1
    ]
    assert loaded == state(bookmark(*DAYS), {"raw_data": list(last)})["value"]


def test_the_same_warehouse_goes_on(loaded: Any, feed: Callable[..., str], trades: Any) -> None:
    said = written(feed([trades.schema(), {"type": "STATE", "value": loaded}], check_state=True))
    assert said == [loaded]


@pytest.fixture
def refused(feed: Callable[..., str]) -> Callable[..., tuple[str, list[dict[str, Any]]]]:
    """What the loader said when it stopped, and the states it wrote before."""

    def run(messages: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
        out = io.StringIO()
        with pytest.raises(OtherWarehouseError) as caught:
            feed(messages, out, check_state=True)
        return str(caught.value), written(out.getvalue())

    return run


def test_a_warehouse_restored_from_the_day_before(refused: Any, loaded: Any, trades: Any, database: Any) -> None:
    database.query("delete from raw_data.load_ledger where unit like '%/2024-01-13'")
    database.query("delete from raw_data.trades where _unit like '%/2024-01-13'")
    load_id, loaded_at = loaded["bookmarks"]["_last_loads"]["raw_data"]
    prices = {"replication_key": "at", "replication_key_value": "2024-01-13"}
    before = {**loaded, "bookmarks": loaded["bookmarks"] | {"prices": prices}}
    said, states = refused([trades.schema(), {"type": "STATE", "value": before}])
    assert f"counts load {load_id} of {loaded_at} UTC, which raw_data.load_ledger of this warehouse does not" in said
    assert "(prices, trades): run the same command again." in said
    right = bookmark(*DAYS[:3])
    right["loaded"] = [["2024-01-09", "2024-01-10"], ["2024-01-12", "2024-01-12"]]
    right["files"] = right["files"][1:]
    assert states == [{"bookmarks": {"trades": right}, "points": 7}]


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ("drop table raw_data.load_ledger, raw_data.trades", False),
        ("drop table raw_data.load_ledger", False),
        # another one, which has come as far
        ("update raw_data.load_ledger set loaded_at = loaded_at + interval '1 microsecond'", True),
    ],
)
def test_a_warehouse_made_anew_or_another_one(
    refused: Any, loaded: Any, trades: Any, database: Any, change: str, kept: bool
) -> None:
    database.query(change)
    _, states = refused([trades.schema(), {"type": "STATE", "value": loaded}])
    assert [sorted(one["bookmarks"]) for one in states] == [["trades"] if kept else []]


def test_what_was_loaded_before_the_state_came_counts(refused: Any, loaded: Any, trades: Any, database: Any) -> None:
    """A tap's first state may come with its first slice: that is loaded, and stays."""
    database.query("drop table raw_data.load_ledger, raw_data.trades")
    day = "2024-01-14"
    messages = [trades.schema(), *trades.loaded(day, lines_of(day), sha256="f9"), trades.schema()]
    later = {**loaded, "bookmarks": loaded["bookmarks"] | {"trades": bookmark(*DAYS, day)}}
    _, states = refused([*messages, {"type": "STATE", "value": later}])
    assert [one["bookmarks"]["trades"]["loaded"] for one in states] == [[[day, day]]]
    assert database.query("select count(*) from raw_data.trades") == [(1,)]


@pytest.mark.parametrize("before", [True, False], ids=["the state comes first", "a slice comes first"])
@pytest.mark.parametrize(
    "change",
    ["truncate raw_data.trades", "drop table raw_data.trades", "drop table raw_data.trades_p2024_01"],
)
def test_a_table_that_was_emptied_or_dropped(
    refused: Any, loaded: Any, feed: Callable[..., str], trades: Any, database: Any, change: str, before: bool
) -> None:
    """The ledger still has its loads; the bookmark is cut by what the table lacks, and by nothing else."""
    database.query(change)
    prices = {"replication_key": "at", "replication_key_value": "2024-01-13"}
    counted = {"type": "STATE", "value": {**loaded, "bookmarks": loaded["bookmarks"] | {"prices": prices}}}
    day = "2024-01-14"
    messages = [*trades.loaded(day, lines_of(day), sha256="f9"), trades.schema()]

    said, states = refused([trades.schema(), counted] if before else [trades.schema(), *messages, counted])

    assert (
        "The bookmark counts rows of raw_data.trades, of which load_ledger has the loads, but no row is there" in said
    )
    assert "start_date on (trades): run the same command again." in said
    assert states == [{"bookmarks": {"prices": prices}, "points": 7}]
    # The next run is not stopped once more, though the table may still be empty.
    later = {"bookmarks": {"prices": prices, "trades": bookmark(day)}, "points": 7}
    assert json.loads(feed([trades.schema(), *messages, {"type": "STATE", "value": later}], check_state=True))
    assert database.query("select _unit from raw_data.trades") == [(f"trades/{day}",)]


@pytest.mark.parametrize(
    "change",
    [
        "alter table raw_data.trades detach partition raw_data.trades_p2024_01",
        "delete from raw_data.trades where _unit <> 'trades/2024-01-09'",
        (
            "alter table raw_data.trades owner to postgres; alter table raw_data.trades_p2024_01 owner to postgres;"
            "grant select on raw_data.trades to loader"
        ),
    ],
    ids=["a detached month", "a part of the rows", "no right to look"],
)
def test_a_table_whose_rows_are_there_or_are_not_known_to_be_gone(
    loaded: Any, feed: Callable[..., str], database: Any, change: str
) -> None:
    database.query(change)
    state = {"type": "STATE", "value": loaded}
    assert written(feed([SCHEMA_OF_ANOTHER, state], check_state=True)) == [loaded]


def test_a_month_that_somebody_detached_is_attached_by_the_next_load(
    loaded: Any, feed: Callable[..., str], trades: Any, database: Any
) -> None:
    database.query("alter table raw_data.trades detach partition raw_data.trades_p2024_01")
    day = "2024-01-14"
    feed([trades.schema(), {"type": "STATE", "value": loaded}, *trades.loaded(day, lines_of(day)), trades.schema()])
    assert database.query("select _unit from raw_data.trades order by 1") == [
        (f"trades/{one}",) for one in (*DAYS, day)
    ]


def test_a_state_without_a_mark_is_taken_as_it_is(feed: Callable[..., str], trades: Any) -> None:
    """One of an older release, or of another loader."""
    said = written(feed([trades.schema(), state(bookmark(*DAYS))], check_state=True))
    assert said == [state(bookmark(*DAYS))["value"]]


def test_unless_asked_for_a_state_is_passed_on_as_it_came(
    loaded: Any, feed: Callable[..., str], trades: Any, database: Any
) -> None:
    database.query("drop table raw_data.load_ledger, raw_data.trades")
    plain = state(bookmark(*DAYS), loaded["bookmarks"]["_last_loads"])
    assert written(feed([trades.schema(), plain])) == [plain["value"]]


DAY = "2024-01-09"


def messages(trades: Any, amount: str, digest: str) -> list[dict[str, Any]]:
    row = [["1", "n", f"{DAY} 12:00:00", amount, "1", "0"]]
    state = {"type": "STATE", "value": {"bookmarks": {"trades": {"replication_key_value": DAY}}}}
    return [*trades.loaded(DAY, row, sha256=digest), trades.schema(), state]


@pytest.mark.parametrize("jump", ["- interval '1 year'", "- interval '1 hour'", "+ interval '1 year'"])
def test_the_last_load_is_the_one_with_the_greatest_number(feed: Any, database: Any, trades: Any, jump: str) -> None:
    """The first load was made while the clock was off by so much."""
    ledger = "select sha256 from raw_data.load_ledger order by load_id"
    feed(messages(trades, "1", "a"))
    database.query(f"update raw_data.load_ledger set loaded_at = loaded_at {jump}")

    (state,) = feed(messages(trades, "2", "b"), check_state=True).splitlines()
    assert database.query("select amount from raw_data.trades") == [(2,)]
    feed(messages(trades, "2", "b"), check_state=True)
    assert database.query(ledger) == [("a",), ("b",)], "the same file is known as the last one"

    ((load_id, loaded_at),) = database.query(
        "select load_id, (loaded_at at time zone 'UTC')::text from raw_data.load_ledger where sha256 = 'b'"
    )
    assert json.loads(state)["bookmarks"]["_last_loads"] == {"raw_data": [load_id, loaded_at]}
    feed([trades.schema(), {"type": "STATE", "value": json.loads(state)}], check_state=True)  # taken as it is
    feed(messages(trades, "1", "a"), check_state=True)
    assert database.query("select amount from raw_data.trades") == [(1,)]
    assert database.query(ledger) == [("a",), ("b",), ("a",)]


@pytest.mark.parametrize(("seconds", "early"), [(31, True), (20, False)])
@pytest.mark.parametrize("put_back", [0, 3600, 365 * 86400])
def test_state_of_half_a_minute_ago(
    feed: Any, database: Any, monkeypatch: pytest.MonkeyPatch, seconds: int, early: bool, put_back: int
) -> None:
    """By a clock that only goes on: the machine's may be put back meanwhile."""
    real, running, ahead = time.time, time.monotonic, 0
    monkeypatch.setattr(time, "time", lambda: real() + (ahead - put_back if ahead else 0))
    monkeypatch.setattr(time, "monotonic", lambda: running() + ahead)
    out = io.StringIO()
    seen: list[tuple[str, list[tuple[Any, ...]]]] = []

    def messages() -> Iterator[str]:
        nonlocal ahead
        schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
        yield json.dumps({"type": "SCHEMA", "stream": "numbers", "key_properties": ["id"], "schema": schema})
        yield json.dumps({"type": "RECORD", "stream": "numbers", "record": {"id": 1}})
        yield json.dumps({"type": "STATE", "value": {"done": 1}})
        ahead = seconds
        yield json.dumps({"type": "RECORD", "stream": "numbers", "record": {"id": 2}})
        seen.append((out.getvalue(), database.query("select id from raw_data.numbers order by 1")))

    feed(messages(), out)

    # What the state says was written is in PostgreSQL by the time the state is out.
    assert seen == ([('{"done": 1}\n', [(1,), (2,)])] if early else [("", [])])
    assert json.loads(out.getvalue().splitlines()[-1]) == {"done": 1}


def test_a_state_without_bookmarks_counts_nothing(feed: Any) -> None:
    """Such as what tap-coingecko notes of its calls before it has loaded anything."""
    counted = {"credits": {"calls": 32, "month": "2025-01"}}
    assert written(feed([{"type": "STATE", "value": counted}], check_state=True)) == [counted]
