"""Bookmarks by height: reorganisations, chains and tables that become shorter, and an earlier start_date."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tap_blockchair.state import Heights, HeightState

TIP = 40


@pytest.mark.parametrize("name", ["blocks", "transactions", "outputs", "inputs"])
@pytest.mark.parametrize(("depth", "shorter"), [(3, 0), (7, 0), (3, 2), (7, 1), (3, 3), (6, 6), (7, 7), (9, 9)])
def test_reorganisations_replace_what_they_removed(run: Any, bitcoin: Any, name: str, depth: int, shorter: int) -> None:
    stream = f"bitcoin_{name}"
    before = run(bitcoin.config(), select=(stream,))
    bitcoin.reorganise(depth, shorter=shorter)
    after = run(bitcoin.config(), state=before.state, select=(stream,))
    assert after.error is None
    table = after.applied(stream, before.records(stream))
    assert sorted(bitcoin.keys(table, name)) == sorted(bitcoin.truth(name))
    if depth <= 6:
        assert after.slices(stream)[0]["from"] > TIP - 7
    if shorter:
        assert after.slices(stream)[-1]["to"] is None


@pytest.mark.parametrize("name", ["blocks", "transactions", "outputs", "inputs"])
def test_a_chain_that_is_shorter_than_its_bookmark_and_grows_again(run: Any, bitcoin: Any, name: str) -> None:
    stream, whole = f"bitcoin_{name}", copy.deepcopy(bitcoin.rows)
    table: list[dict[str, Any]] = []
    states: list[Any] = [None]

    def read_again() -> None:
        result = run(bitcoin.config(), state=states[-1], select=(stream,))
        assert result.error is None
        table[:] = result.applied(stream, table)
        states.append(result.state)
        assert sorted(bitcoin.keys(table, name)) == sorted(bitcoin.truth(name))

    read_again()
    bitcoin.reorganise(12, shorter=12)
    read_again()
    read_again()
    bitcoin.rows.update(copy.deepcopy(whole))
    read_again()
    # The same once more, but what comes back is another chain from below where it had ended.
    bitcoin.reorganise(12, shorter=12)
    read_again()
    bitcoin.rows.update(copy.deepcopy(whole))
    bitcoin.reorganise(20)
    read_again()


@pytest.mark.parametrize("gone", ["one", "all"])
def test_rows_that_a_table_has_lost_altogether_go(run: Any, bitcoin: Any, gone: str) -> None:
    stream, rows = "bitcoin_inputs", bitcoin.rows["bitcoin/outputs"]
    for row in rows:  # rows are few and far between, and the last one lies close to the tip
        if row["spending_block_id"] not in {TIP, None if gone == "all" else 20}:
            row["spending_block_id"] = None
    first = run(bitcoin.config(), select=(stream,))
    assert {row["spending_block_id"] for row in first.records(stream)} == {TIP, *([] if gone == "all" else [20])}
    bitcoin.reorganise(3, shorter=3)
    again = run(bitcoin.config(), state=first.state, select=(stream,))
    assert [(part["from"], part["to"], part["rows"]) for part in again.slices(stream)] == [(TIP - 5, None, 0)]
    assert sorted(bitcoin.keys(again.applied(stream, first.records(stream)), "inputs")) == bitcoin.truth("inputs")
    assert run(bitcoin.config(), state=again.state, select=(stream,)).slices(stream) == []


@pytest.mark.parametrize("name", ["blocks", "transactions", "outputs", "inputs"])
def test_moving_start_date_back_reads_only_what_is_missing(run: Any, dated: Any, name: str) -> None:
    stream, height = f"bitcoin_{name}", {"blocks": "id", "inputs": "spending_block_id"}.get(name, "block_id")
    first = run(dated.config(start_date="2024-01-05"), select=(stream,))
    assert min(row[height] for row in first.records(stream)) == 16
    # The points end in the middle of what is missing; then the rest is read, and last what lies before any date.
    table, state = first.records(stream), first.state
    for start, points in (("2024-01-03", 24), ("2024-01-03", 10_000), (None, 10_000), (None, 10_000)):
        state["api_quota"] = {}
        before = len(table)
        more = {"start_date": start} if start else {}
        result = run(dated.config(points_per_day=points, **more), state=state, select=(stream,))
        assert result.error is None
        slices = result.slices(stream)
        assert all(part["from"] >= TIP - 5 or part["to"] <= 16 for part in slices)
        table, state = result.applied(stream, table), result.state
        assert len(table) >= before
        if points == 10_000:
            assert {row[height] for row in table if row[height] < 16} == {
                row[height] for row in run(dated.config(**more), select=(stream,)).records(stream) if row[height] < 16
            }
    assert not [part for part in slices if part["from"] < TIP - 5], "nothing is missing any more"
    assert result.bookmark(stream) == TIP - 6
    assert state["bookmarks"][stream]["heights"]["covered"] == [[0, TIP - 6]]
    assert len(table) == len(run(dated.config(), select=(stream,)).records(stream))


def test_a_state_of_the_first_release_is_understood(run: Any, dated: Any) -> None:
    stream = "bitcoin_transactions"
    key = {"replication_key": "block_id", "replication_key_value": TIP - 6}
    state = {"bookmarks": {stream: {**key, "anchors": [[TIP - 6, f"{TIP - 6:064x}"]]}}}
    result = run(dated.config(start_date="2024-01-05"), state=state, select=(stream,))
    assert min(row["block_id"] for row in result.records(stream)) == TIP - 5
    back = run(dated.config(start_date="2024-01-04"), state=result.state, select=(stream,))
    assert {row["block_id"] for row in back.records(stream) if row["block_id"] < TIP - 5} == {12, 13, 14, 15}


def test_a_range_that_became_empty_is_announced_too(run: Any, bitcoin: Any) -> None:
    stream = "bitcoin_inputs"
    first = run(bitcoin.config(), select=(stream,))
    for row in bitcoin.rows["bitcoin/outputs"]:
        if row["spending_block_id"] and TIP - 5 <= row["spending_block_id"] < TIP:
            row["spending_block_id"] = None
    again = run(bitcoin.config(), state=first.state, select=(stream,))
    assert sum(part["rows"] for part in again.slices(stream)) == len(again.records(stream))
    assert sorted(bitcoin.keys(again.applied(stream, first.records(stream)), "inputs")) == bitcoin.truth("inputs")


def test_a_lagging_table_keeps_its_settled_rows(run: Any, bitcoin: Any, caplog: pytest.LogCaptureFixture) -> None:
    stream = "bitcoin_transactions"
    first = run(bitcoin.config(), select=(stream,))
    whole = bitcoin.rows["bitcoin/transactions"]
    bitcoin.rows["bitcoin/transactions"] = [r for r in whole if r["block_id"] < 20]
    again = run(bitcoin.config(), state=first.state, select=(stream,))
    assert (again.error, again.records(stream), again.bookmark(stream)) == (None, [], TIP - 6)
    assert "it ends at height 19 now; what was sent from 35 on is removed" in caplog.text
    table = again.applied(stream, first.records(stream))
    assert {row["block_id"] for row in table} == set(range(TIP - 5))
    assert run(bitcoin.config(), state=again.state, select=(stream,)).slices(stream) == []
    bitcoin.rows["bitcoin/transactions"] = whole
    back = run(bitcoin.config(), state=again.state, select=(stream,))
    assert min(row["block_id"] for row in back.records(stream)) == TIP - 5
    assert bitcoin.keys(back.applied(stream, table), "transactions") == bitcoin.truth("transactions")


def test_a_hash_that_may_come_back_outlives_lower_ones() -> None:
    state: dict[str, Any] = {}
    heights = HeightState(state)
    heights.add(Heights(0, 34))
    heights.anchor(34, "aa")
    heights.cut(28, keep_anchors=True)
    assert (heights.done, heights.unsettled) == (28, (29, 34, None))
    # The chain grows again, but not yet to the block that would show whether it is the same.
    heights.anchor(30, "bb")
    assert heights.anchors == [(34, "aa")]
    heights.cut(20)
    assert (heights.done, heights.anchors, HeightState(state).unsettled) == (20, [], (21, 34, None))
