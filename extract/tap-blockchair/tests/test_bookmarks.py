"""Bookmarks by themselves: what counts as loaded, what is missing, what may still change."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tap_blockchair.dumps import Version
from tap_blockchair.state import DayState, Heights, HeightState, Loaded, Unsettled

FILE = Loaded('"e"', 1, "ab" * 32)


def day(number: int) -> date:
    return date(2024, 1, number)


def loaded(*numbers: int) -> tuple[dict[str, Any], DayState]:
    state: dict[str, Any] = {}
    for number in numbers:
        DayState(state, 2).add(day(number), FILE)
    return state, DayState(state, 2)


def test_days_that_adjoin_are_one_range_in_whatever_order_they_come() -> None:
    kept, state = loaded(5, 3, 7, 4)
    assert kept["loaded"] == [["2024-01-03", "2024-01-05"], ["2024-01-07", "2024-01-07"]]
    assert [number for number in range(1, 10) if state.has(day(number))] == [3, 4, 5, 7]
    assert (state.last, kept["replication_key_value"]) == (day(7), "2024-01-07")


def test_only_the_last_days_may_change_and_their_files_are_remembered() -> None:
    _, state = loaded(3, 4, 5)
    assert [number for number in range(1, 10) if state.may_change(day(number))] == [4, 5]
    assert state.days_with_files == [day(4), day(5)]
    assert (state.file(day(3)), state.file(day(4))) == (None, FILE)


@pytest.mark.parametrize(("gone", "left"), [(3, [4, 5]), (4, [3, 5]), (5, [3, 4]), (6, [3, 4, 5])])
def test_a_day_that_is_taken_out(gone: int, left: list[int]) -> None:
    kept, state = loaded(3, 4, 5)
    state.remove(day(gone))
    again = DayState(kept, 2)
    assert [number for number in range(1, 10) if again.has(day(number))] == left
    assert again.file(day(gone)) is None
    assert again.last == day(left[-1])


def test_the_last_range_may_go() -> None:
    kept, state = loaded(3)
    state.remove(day(3))
    assert (DayState(kept, 2).last, kept["replication_key_value"], kept["files"]) == (None, None, [])
    assert not DayState(kept, 2).may_change(day(3))


def test_of_too_many_gaps_the_oldest_counts_as_final() -> None:
    kept: dict[str, Any] = {}
    first = date(2009, 1, 3).toordinal()
    for number in range(0, 204, 2):
        DayState(kept, 2).add(date.fromordinal(first + number), FILE)
    state = DayState(kept, 2)
    assert [number for number in range(1, 203, 2) if state.has(date.fromordinal(first + number))] == [1, 3]


@pytest.mark.parametrize(("first", "begins"), [(day(2), "2024-01-02"), (day(9), "2024-01-04"), (None, "2024-01-04")])
def test_a_state_that_has_the_last_day_only(first: date | None, begins: str) -> None:
    state: dict[str, Any] = {"replication_key_value": "2024-01-04"}
    DayState(state, 2, first)
    assert state["loaded"] == [[begins, "2024-01-04"]]


@pytest.mark.parametrize(
    ("etag", "version", "same"),
    [
        ('"e"', Version('"e"', 1), True),
        ('"e"', Version('"f"', 1), False),
        ('"e"', Version('"e"', 2), False),
        (None, Version(None, 1), False),
    ],
)
def test_which_file_is_the_one_that_was_loaded(etag: str | None, version: Version, *, same: bool) -> None:
    assert Loaded(etag, 1, "ab").is_of(version) is same


def test_a_bookmark_made_anew_from_a_ledger_knows_no_length() -> None:
    assert Loaded('"e"', None, "ab").is_of(Version('"e"', 7))
    assert not Loaded('"f"', None, "ab").is_of(Version('"e"', 7))


@pytest.mark.parametrize(
    ("wanted", "missing"),
    [
        ((0, 35), [(0, 4), (10, 19), (30, 35)]),
        ((4, 30), [(4, 4), (10, 19), (30, 30)]),
        ((5, 29), [(10, 19)]),
        ((0, 3), [(0, 3)]),
        ((0, 4), [(0, 4)]),
        ((12, 14), [(12, 14)]),
        ((6, 8), []),
        ((31, 30), []),
        ((9, 10), [(10, 10)]),
    ],
)
def test_what_is_missing_between_covered_heights(wanted: tuple[int, int], missing: list[tuple[int, int]]) -> None:
    state = HeightState({"covered": [[5, 9], [20, 29]]})
    assert state.gaps(*wanted) == missing
    assert state.done == 29
    assert HeightState({}).gaps(*wanted) == ([wanted] if wanted[0] <= wanted[1] else [])


@pytest.mark.parametrize(
    ("more", "covered"),
    [
        ((10, 19), [[5, 29]]),
        ((10, 18), [[5, 18], [20, 29]]),
        ((11, 19), [[5, 9], [11, 29]]),
        ((0, 3), [[0, 3], [5, 9], [20, 29]]),
        ((0, 40), [[0, 40]]),
        ((6, 7), [[5, 9], [20, 29]]),
    ],
)
def test_heights_that_adjoin_are_one_range(more: tuple[int, int], covered: list[list[int]]) -> None:
    state = HeightState({"covered": [[5, 9], [20, 29]]})
    state.add(Heights(*more))
    assert [list(pair) for pair in state.covered] == covered


OLD = Unsettled(245, 250, "aa")


@pytest.mark.parametrize(
    ("old", "sent", "settled", "top", "covered", "unsettled"),
    [
        # A slice far below the tip, one at the tip, and one at the tip of a chain of which all counts at once.
        (None, (200, 299), 344, None, [[200, 299]], None),
        (None, (200, 250), 244, OLD, [[200, 244]], OLD),
        (None, (200, 250), 250, Unsettled(251, 250, "aa"), [[200, 250]], None),
        # Slices that end below the tip, above what had been sent before, within it, and above all that is settled.
        (OLD, (245, 299), 304, None, [[245, 299]], None),
        (OLD, (245, 247), 247, None, [[245, 247]], Unsettled(248, 250, "aa")),
        (OLD, (245, 260), 247, None, [[245, 247]], Unsettled(248, 260, None)),
        (OLD, (245, 250), 247, None, [[245, 247]], Unsettled(248, 250, None)),
        (OLD, (245, 249), 240, None, [], OLD),
        (None, (245, 249), 245, None, [[245, 245]], Unsettled(246, 249, None)),
    ],
)
def test_a_slice_counts_as_far_as_it_is_settled(
    old: Unsettled | None,
    sent: tuple[int, int],
    settled: int,
    top: Unsettled | None,
    covered: list[list[int]],
    unsettled: Unsettled | None,
) -> None:
    state = HeightState({})
    state.unsettled = old
    state.complete(Heights(*sent), sent[0], settled, top)
    assert ([list(pair) for pair in state.covered], state.unsettled) == (covered, unsettled)


def test_a_higher_hash_is_remembered_and_a_lower_one_is_not() -> None:
    state = HeightState({})
    for height in (5, 7, 7, 6):
        state.anchor(height, f"{height}a")
    assert state.anchors == [(5, "5a"), (7, "7a")]
    for height in range(8, 40):
        state.anchor(height, f"{height}a")
    assert (state.anchors[-1], len(state.anchors) < 20) == ((39, "39a"), True)


@pytest.mark.parametrize(
    ("height", "covered", "unsettled", "anchors"),
    [
        (29, [[5, 9], [20, 29]], Unsettled(30, 33, "cc"), [(9, "aa"), (29, "bb")]),
        (28, [[5, 9], [20, 28]], Unsettled(29, 33, None), [(9, "aa")]),
        (20, [[5, 9], [20, 20]], Unsettled(21, 33, None), [(9, "aa")]),
        (15, [[5, 9]], Unsettled(20, 33, None), [(9, "aa")]),
        (5, [[5, 5]], Unsettled(6, 33, None), []),
        (None, [], Unsettled(5, 33, None), []),
    ],
)
def test_what_lies_above_a_cut_is_open_again(
    height: int | None, covered: list[list[int]], unsettled: Unsettled, anchors: list[tuple[int, str]]
) -> None:
    raw = {"covered": [[5, 9], [20, 29]], "unsettled": [30, 33, "cc"], "anchors": [[9, "aa"], [29, "bb"]]}
    state = HeightState(raw)
    state.cut(height)
    assert ([list(pair) for pair in state.covered], state.unsettled, state.anchors) == (covered, unsettled, anchors)
    kept = HeightState({**raw, "anchors": [[9, "aa"], [29, "bb"]]})
    kept.cut(height, keep_anchors=True)
    assert kept.anchors == [(9, "aa"), (29, "bb")]
    kept.leave()
    assert (kept.covered, kept.unsettled, kept.anchors) == ([], None, [])
