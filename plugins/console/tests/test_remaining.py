"""The time that a part of a run will still take."""

from console.remaining import Remaining


def test_the_time_left_follows_the_pace_so_far_and_begins_anew_with_each_part() -> None:
    now = [100.0]
    remaining = Remaining(lambda: now[0])

    def said(text: str, after: float) -> str:
        now[0] += after
        return remaining.words(text).removeprefix(text)

    assert said("loading bitcoin_blocks", 1) == ""
    assert said("loading bitcoin_blocks, 2025-01-01 (day 1 of 100)", 1) == ""
    assert said("loading bitcoin_blocks, 2025-01-05 (day 5 of 100)", 8) == "", "too few days to tell"
    assert said("loading bitcoin_blocks, 2025-01-11 (day 11 of 100)", 12) == ", about 3 min left", "2 s a day, 89 days"
    assert said("loading bitcoin_blocks, 2025-04-01 (day 91 of 100)", 160) == ", about 20 s left"
    assert said("loading bitcoin_blocks, 2025-04-10 (day 100 of 100)", 18) == ""
    assert said("building and testing models, 1 of 200", 1) == "", "another part has a pace of its own"
    assert said("building and testing models, 101 of 200", 9000) == ", about 2.5 h left"
    assert said("building and testing models, 1 of 150", 1) == ""
    assert said("building and testing models, 101 of 150", 10) == "", "seconds are not worth a word"
