from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tap_coingecko.windows import Reach, Window, candles_window, daily_window, hourly_window, recent_days

NOW = datetime(2026, 5, 18, 12, 34, 56, tzinfo=UTC)
#: CoinGecko's oldest daily point, its oldest hourly one, and its oldest candle of a span.
HISTORY_START = datetime(2013, 4, 28, tzinfo=UTC)
HOURLY_START = datetime(2018, 1, 30, tzinfo=UTC)
CANDLES_START = datetime(2018, 2, 9, tzinfo=UTC)
DAYS = (7, 14, 30, 90, 180)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.mark.parametrize(
    ("wanted", "reach", "ask_from", "keep_from"),
    [
        pytest.param(days_ago(3), 365, days_ago(91), days_ago(3), id="a short span is widened backwards"),
        pytest.param(days_ago(90), 365, days_ago(91), days_ago(90), id="90 days are still too short"),
        pytest.param(days_ago(91), 365, days_ago(91), days_ago(91), id="91 days are asked as they are"),
        pytest.param(days_ago(200), 365, days_ago(200), days_ago(200), id="a long span is asked as it is"),
        pytest.param(days_ago(364), 365, days_ago(364), days_ago(364), id="the edge less a day of margin"),
        pytest.param(days_ago(364.5), 365, days_ago(364), days_ago(364), id="within the margin"),
        pytest.param(days_ago(5000), 365, days_ago(364), days_ago(364), id="beyond the reach"),
        pytest.param(days_ago(5000), 730, days_ago(729), days_ago(729), id="beyond two years"),
        pytest.param(HISTORY_START, None, HISTORY_START, HISTORY_START, id="all there is"),
        pytest.param(days_ago(2000), None, days_ago(2000), days_ago(2000), id="no limit"),
        pytest.param(datetime(2009, 1, 3, tzinfo=UTC), None, HISTORY_START, HISTORY_START, id="before history"),
    ],
)
def test_daily_window(wanted: datetime, reach: int | None, ask_from: datetime, keep_from: datetime) -> None:
    window = daily_window(NOW, wanted, Reach(reach).floor(NOW, HISTORY_START))

    assert window == Window(ask_from, NOW, keep_from, ends_now=True)


@pytest.mark.parametrize(
    ("wanted", "ask_from", "ask_to"),
    [
        pytest.param(days_ago(0.5), days_ago(2), NOW, id="a span of a day or less would be finer"),
        pytest.param(days_ago(2), days_ago(2), NOW, id="two days"),
        pytest.param(days_ago(90), days_ago(90), NOW, id="the longest span"),
        pytest.param(days_ago(90.01), days_ago(90.01), NOW - timedelta(hours=2), id="no end near now"),
        pytest.param(days_ago(364), days_ago(364), days_ago(274), id="the first of several"),
        pytest.param(days_ago(400), days_ago(364), days_ago(274), id="beyond the reach"),
    ],
)
def test_hourly_window(wanted: datetime, ask_from: datetime, ask_to: datetime) -> None:
    window = hourly_window(NOW, wanted, Reach(365).floor(NOW, HOURLY_START))

    keep_from = max(wanted, days_ago(364)).replace(microsecond=0)
    assert window == Window(ask_from.replace(microsecond=0), ask_to, keep_from, ends_now=ask_to == NOW)


@pytest.mark.parametrize(
    ("wanted", "ask_from", "ask_to"),
    [
        pytest.param(days_ago(179), days_ago(180), NOW, id="the longest span, begun a day early"),
        pytest.param(days_ago(179.5), days_ago(180.5), days_ago(0.5), id="half a day too long"),
        pytest.param(days_ago(179.01), days_ago(180.01), NOW - timedelta(hours=2), id="no end near now"),
        pytest.param(days_ago(1000), days_ago(1001), days_ago(821), id="the first of several"),
        pytest.param(CANDLES_START, CANDLES_START, CANDLES_START + timedelta(days=180), id="nothing before the first"),
    ],
)
def test_candles_window(wanted: datetime, ask_from: datetime, ask_to: datetime) -> None:
    window = candles_window(NOW, wanted, CANDLES_START)

    assert window == Window(ask_from.replace(microsecond=0), ask_to, wanted, ends_now=ask_to == NOW)


def tiles(
    window_of: Callable[[datetime, datetime, datetime], Window], wanted: datetime, floor: datetime
) -> list[Window]:
    """Walk from a wanted start to now, as the tap does."""
    windows = [window_of(NOW, wanted, floor)]
    while not windows[-1].ends_now:
        windows.append(window_of(NOW, windows[-1].ask_to, floor))
        assert len(windows) < 200
    return windows


SINCE_2013 = st.datetimes(datetime(2012, 1, 1), NOW.replace(tzinfo=None), timezones=st.just(UTC))  # noqa: DTZ001
REACHES = st.sampled_from([None, 365, 730])


@given(SINCE_2013, REACHES, st.sampled_from([hourly_window, candles_window]), st.floats(0, 1))
def test_windows_tile_the_span(
    wanted: datetime, reach: int | None, window_of: Callable[..., Window], place: float
) -> None:
    oldest = HOURLY_START if window_of is hourly_window else CANDLES_START
    # Hourly points come for spans of 2 to 90 days, daily candles for up to 180 days.
    longest, least = (timedelta(days=days) for days in ((90, 2) if window_of is hourly_window else (180, 0)))
    floor = Reach(reach).floor(NOW, oldest)

    windows = tiles(window_of, wanted, floor)

    start = max(wanted, floor).replace(microsecond=0)
    # Every instant from the start on belongs to one window, and can be in the answer to it.
    stamp = start + place * (NOW - start)
    (owner,) = (window for window in windows if window.keeps(stamp))
    assert owner.ask_from <= stamp <= owner.ask_to
    assert not any(window.keeps(start - timedelta(milliseconds=1)) for window in windows)
    for window in windows:
        assert least <= window.ask_to - window.ask_from <= longest
        assert floor <= window.ask_from <= window.keep_from
        assert window.ask_from.microsecond == window.ask_to.microsecond == 0
        # An end just before now might be answered like one that is now.
        assert window.ends_now == (window.ask_to == NOW)
        assert window.ends_now or NOW - window.ask_to >= timedelta(hours=2)
    for border in (window.ask_to for window in windows):
        assert sum(window.keeps(border) for window in windows) == 1
    # No more calls than the span needs.
    usable = longest - (timedelta(0) if window_of is hourly_window else timedelta(days=1))
    assert len(windows) <= (NOW - start) / usable + 2


def test_a_candle_across_two_windows_is_asked_for_twice() -> None:
    """It is not published which of the two would hold it: the one of its opening or the one of its close."""
    first, second, *_ = tiles(candles_window, days_ago(1000), CANDLES_START)

    opened, closed = first.ask_to - timedelta(hours=3), first.ask_to + timedelta(hours=21)
    assert second.ask_from <= opened
    assert second.keeps(closed)
    assert not first.keeps(closed)


@given(SINCE_2013, REACHES)
def test_a_daily_window_is_one_call(wanted: datetime, reach: int | None) -> None:
    floor = Reach(reach).floor(NOW, HISTORY_START)

    (window,) = tiles(daily_window, wanted, floor)

    assert window.keep_from == max(wanted, floor).replace(microsecond=0)
    assert floor <= window.ask_from <= window.keep_from
    # Daily points come for spans of more than 90 days.
    assert window.ask_to - window.ask_from > timedelta(days=90)


@given(SINCE_2013)
def test_recent_days(wanted: datetime) -> None:
    days, keep_from = recent_days(NOW, wanted, DAYS)

    assert days in DAYS
    assert days_ago(days) <= keep_from
    assert keep_from == max(wanted, days_ago(180))
    assume(days > DAYS[0])
    assert keep_from < days_ago(DAYS[DAYS.index(days) - 1])


@given(st.integers(1, 6000), REACHES)
def test_narrowing_ends(age: int, reach: int | None) -> None:
    tried = Reach(reach)
    refused = timedelta(days=age)
    for _ in range(20):
        if not tried.narrow(refused):
            break
        floor = tried.floor(NOW, HISTORY_START)
        assert NOW - floor < refused
        # What is left can still be asked for as daily points.
        assert NOW - floor > timedelta(days=90)
        refused = NOW - floor
    else:
        pytest.fail("it would go on for ever")
    assert refused <= timedelta(days=92)


def test_the_plans_reaches_are_tried_first() -> None:
    reach = Reach(None)
    found = []
    refused = NOW - HISTORY_START
    while reach.narrow(refused):
        refused = NOW - reach.floor(NOW, HISTORY_START)
        found.append(refused.days)

    # A day less than the plans' two years and one year, and then ever less, as long as daily points come.
    assert found == [729, 722, 700, 364, 357, 330, 180, 92]


def test_what_was_refused_is_not_tried_again_an_hour_narrower() -> None:
    reach = Reach(None)

    assert reach.narrow(timedelta(days=729, minutes=59))

    assert reach.floor(NOW, HISTORY_START) == days_ago(722)


@pytest.mark.parametrize("window_of", [daily_window, hourly_window, candles_window])
def test_windows_are_asked_for_in_whole_seconds(window_of: Callable[..., Window]) -> None:
    wanted = days_ago(400) + timedelta(milliseconds=700)

    window = window_of(NOW, wanted, HISTORY_START)

    assert window.keep_from == days_ago(400)
    assert window.keeps(days_ago(400))
