from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_coingecko.charts import (
    SERIES,
    SETTLED_AFTER,
    Point,
    completed_points,
    first_of_each_date,
    fits,
    is_midnight,
)
from tap_coingecko.windows import Granularity

NOW = datetime(2026, 5, 18, 12, 0, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAILY, HOURLY = Granularity.DAILY, Granularity.HOURLY
TODAY = datetime(2026, 5, 18, tzinfo=UTC)
YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture
def chart(milliseconds: Callable[[datetime], int]) -> Callable[..., dict[str, Any]]:
    """Build an answer from lists of (stamp, value)."""

    def make(**series: list[tuple[datetime, Any]]) -> dict[str, Any]:
        return {name: [[milliseconds(stamp), value] for stamp, value in items] for name, items in series.items()}

    return make


def stamps(points: list[Point]) -> list[datetime]:
    return [point.stamp for point in points]


def test_arrays_are_joined_by_stamp(chart: Callable[..., Any]) -> None:
    answer = chart(
        prices=[(YESTERDAY, 1), (TODAY, 2)],
        market_caps=[(TODAY, Decimal("20.5"))],
        total_volumes=[(YESTERDAY - timedelta(days=1), 100), (YESTERDAY, None), (TODAY, 300)],
    )

    assert completed_points(answer, NOW) == [
        Point(YESTERDAY - timedelta(days=1), None, None, 100),
        Point(YESTERDAY, 1, None, None),
        Point(TODAY, 2, Decimal("20.5"), 300),
    ]


@pytest.mark.parametrize("absent", [{}, {"market_caps": None}, {"market_caps": []}])
def test_an_absent_array_is_null(chart: Callable[..., Any], absent: dict[str, Any]) -> None:
    answer = chart(prices=[(TODAY, 1)], total_volumes=[(TODAY, 3)]) | absent

    assert completed_points(answer, NOW) == [Point(TODAY, 1, None, 3)]


def test_empty_answer(chart: Callable[..., Any]) -> None:
    assert completed_points(chart(prices=[], market_caps=[], total_volumes=[]), NOW) == []


@pytest.mark.parametrize(
    ("now", "tail", "kept"),
    [
        pytest.param(NOW, NOW - timedelta(seconds=20), False, id="live value of today"),
        pytest.param(NOW, TODAY, True, id="today's midnight"),
        pytest.param(TODAY + timedelta(minutes=20), TODAY - timedelta(minutes=11), False, id="cached since yesterday"),
        pytest.param(NOW, TODAY + timedelta(milliseconds=1), False, id="a millisecond off midnight"),
        pytest.param(NOW, NOW - timedelta(days=3), False, id="of a coin that nobody trades"),
        pytest.param(NOW, TODAY + timedelta(days=1), False, id="a midnight to come"),
        pytest.param(TODAY + timedelta(minutes=39), TODAY, False, id="a midnight that may still be provisional"),
        pytest.param(TODAY + timedelta(minutes=40), TODAY, True, id="a midnight that no cache can change any more"),
    ],
)
def test_live_tail(chart: Callable[..., Any], now: datetime, tail: datetime, kept: bool) -> None:
    first = TODAY - timedelta(days=5)
    answer = chart(prices=[(first, 1), (tail, 2)], market_caps=[(first, 1), (tail, 2)])

    assert stamps(completed_points(answer, now)) == ([first, tail] if kept else [first])


def test_off_midnight_points_are_kept_with_their_stamp(chart: Callable[..., Any]) -> None:
    late = TODAY + timedelta(minutes=5, seconds=11, milliseconds=7)
    old = TODAY - timedelta(days=40) + timedelta(minutes=5, seconds=23)
    tail = NOW - timedelta(seconds=5)
    answer = chart(prices=[(old, 1), (late, 2), (tail, 3)])

    assert stamps(completed_points(answer, NOW)) == [old, late]


def test_a_live_stamp_is_left_out_of_every_column(chart: Callable[..., Any]) -> None:
    tail, slower_tail = NOW - timedelta(seconds=5), NOW - timedelta(seconds=9)
    answer = chart(
        prices=[(TODAY, 1), (slower_tail, 1), (tail, 2)],
        market_caps=[(TODAY, 1), (slower_tail, 2)],
        total_volumes=[(TODAY, 1)],
    )

    assert stamps(completed_points(answer, NOW)) == [TODAY]


@pytest.mark.parametrize(("ago", "kept"), [(timedelta(days=1), True), (timedelta(days=1, milliseconds=-1), False)])
def test_the_last_stamp_of_one_array_is_live_within_a_day(
    chart: Callable[..., Any],
    ago: timedelta,
    kept: bool,
) -> None:
    answer = chart(prices=[(YESTERDAY, 1), (NOW - timedelta(seconds=5), 2)], market_caps=[(NOW - ago, 1)])

    assert stamps(completed_points(answer, NOW)) == ([YESTERDAY, NOW - ago] if kept else [YESTERDAY])


def test_what_is_stamped_after_now_is_left_out(chart: Callable[..., Any]) -> None:
    answer = chart(prices=[(NOW, 1), (NOW + timedelta(milliseconds=1), 2)])

    assert stamps(completed_points(answer, NOW, HOURLY, ends_now=False)) == [NOW]


@pytest.mark.parametrize(
    ("tail", "ends_now", "kept"),
    [
        pytest.param(NOW - timedelta(seconds=20), True, False, id="live"),
        pytest.param(NOW - timedelta(minutes=31), True, False, id="live when the answer was cached"),
        pytest.param(NOW - timedelta(days=3), True, False, id="live, of a coin that nobody trades"),
        pytest.param(NOW - timedelta(days=3), False, True, id="a span of the past has no live value"),
        pytest.param(TODAY, True, False, id="an hourly point at midnight is like any other"),
    ],
)
def test_live_tail_of_hourly_points(chart: Callable[..., Any], tail: datetime, ends_now: bool, kept: bool) -> None:
    first = TODAY - timedelta(days=5)
    answer = chart(prices=[(first, 1), (tail, 2)], market_caps=[(first, 1)])

    assert stamps(completed_points(answer, NOW, HOURLY, ends_now=ends_now)) == ([first, tail] if kept else [first])


def test_the_first_stamp_of_a_date_stands_for_it() -> None:
    late = [TODAY, TODAY + timedelta(minutes=5), TODAY + timedelta(days=1, minutes=9), TODAY + timedelta(days=3)]

    chosen = first_of_each_date([Point(stamp, 1, 1, 1) for stamp in late])

    assert stamps(chosen) == [late[0], late[2], late[3]]


def test_a_stamp_in_exponent_form() -> None:
    answer = json.loads('{"prices":[[1.7790624e12,1],[1779062400000.0,2]]}', parse_float=Decimal)

    assert completed_points(answer, NOW) == [Point(TODAY, 2, None, None)]


@pytest.mark.parametrize("text", ["0.123456789012345678", "7.821066970851871e-11", "1560631481361.8042", "20030493.0"])
def test_numbers_are_exact(text: str) -> None:
    answer = json.loads(f'{{"prices":[[1779062400000,{text}]]}}', parse_float=Decimal)

    assert completed_points(answer, NOW)[0].price == Decimal(text)


@pytest.mark.parametrize(
    "answer",
    [
        [],
        ["prices"],
        "prices",
        {},
        {"error": "x"},
        {"prices": {}},
        {"prices": [[1]]},
        {"prices": [["1", 2]]},
        {"prices": [[1, "2"]]},
        {"prices": [1]},
        {"prices": [[1.5, 2]]},
        {"prices": [[1, 2, 3]]},
    ],
)
def test_what_is_no_chart_is_refused(answer: Any) -> None:
    with pytest.raises(ValueError, match=r"holds none|no list|is no stamp"):
        completed_points(answer, NOW)


def test_an_answer_fits_its_granularity() -> None:
    def every(hours: float, number: int) -> list[Point]:
        return [Point(TODAY + timedelta(hours=hours * i), 1, 1, 1) for i in range(number)]

    assert fits(every(24, 91), DAILY)
    assert fits(every(24, 1), DAILY)
    assert fits([], DAILY)
    assert fits(every(12, 4), DAILY)
    assert not fits(every(8, 5), DAILY)
    assert not fits(every(1, 91 * 24), DAILY)
    assert not fits(every(6, 40), DAILY)
    assert fits(every(1, 90 * 24), HOURLY)
    assert fits(every(7, 40), HOURLY)
    assert fits(every(24, 2), HOURLY)
    assert not fits(every(24, 3), HOURLY)
    assert not fits(every(1 / 12, 280), HOURLY)


def known_columns(chart: dict[str, Any]) -> dict[str, dict[datetime, Any]]:
    """Read the arrays without the tap."""
    return {
        column: {EPOCH + timedelta(milliseconds=stamp): value for stamp, value in chart.get(name) or []}
        for name, column in SERIES.items()
    }


NOW_MS = (NOW - EPOCH) // timedelta(milliseconds=1)
#: Midnights, stamps near them and any others, up to and after now.
STAMPS = st.one_of(
    st.integers(0, 400).map(lambda days: NOW_MS - NOW_MS % 86_400_000 - days * 86_400_000),
    st.integers(-5, 400 * 86_400).map(lambda seconds: NOW_MS - seconds * 1000),
    st.integers(NOW_MS - 3 * 86_400_000, NOW_MS + 86_400_000),
)
VALUES = st.one_of(st.none(), st.integers(0, 10**24), st.decimals(allow_nan=False, allow_infinity=False, min_value=0))
ARRAYS = st.one_of(
    st.none(), st.lists(st.tuples(STAMPS, VALUES).map(list), max_size=30, unique_by=lambda pair: pair[0])
)
CHARTS = st.fixed_dictionaries({"prices": ARRAYS}, optional={"market_caps": ARRAYS, "total_volumes": ARRAYS})
SPANS = st.tuples(st.sampled_from(Granularity), st.booleans())


@given(CHARTS, SPANS)
def test_joining_loses_and_makes_up_nothing(chart: dict[str, Any], span: tuple[Granularity, bool]) -> None:
    granularity, ends_now = span
    columns = known_columns(chart)

    points = completed_points(chart, NOW, granularity, ends_now=ends_now)

    # In order, each stamp once.
    assert stamps(points) == sorted(set(stamps(points)))
    # Each value is that of its own stamp, and a stamp that an array lacks is null there.
    for point in points:
        assert [point.price, point.market_cap, point.total_volume] == [
            columns[name].get(point.stamp) for name in ("price", "market_cap", "total_volume")
        ]
    # What is left out is the future, a midnight of just now, or a live stamp: the last of an array.
    everything = {stamp for values in columns.values() for stamp in values}
    assert set(stamps(points)) <= everything
    for stamp in everything - set(stamps(points)):
        is_live = ends_now and any(stamp == max(values) for values in columns.values() if values)
        is_new = granularity is DAILY and is_midnight(stamp) and stamp > NOW - SETTLED_AFTER
        assert stamp > NOW or is_new or is_live


@given(CHARTS)
def test_no_live_value_is_ever_a_close(chart: dict[str, Any]) -> None:
    everything = {stamp for values in known_columns(chart).values() for stamp in values}

    kept = stamps(completed_points(chart, NOW))

    if everything and not is_midnight(max(everything)):
        assert max(everything) not in kept
    # Completed midnights are all there, whatever else is in the answer.
    assert {stamp for stamp in everything if is_midnight(stamp) and stamp <= NOW - SETTLED_AFTER} <= set(kept)


@given(CHARTS, st.randoms(use_true_random=False))
def test_the_order_within_arrays_does_not_matter(chart: dict[str, Any], dice: Any) -> None:
    mixed = {name: None if pairs is None else dice.sample(pairs, len(pairs)) for name, pairs in chart.items()}

    assert completed_points(mixed, NOW) == completed_points(chart, NOW)


@given(CHARTS)
def test_json_keeps_every_digit(chart: dict[str, Any]) -> None:
    def text(value: Any) -> str:
        return "null" if value is None else str(value)

    arrays = {
        name: "null" if pairs is None else "[" + ",".join(f"[{stamp},{text(value)}]" for stamp, value in pairs) + "]"
        for name, pairs in chart.items()
    }
    answer = json.loads(
        "{" + ",".join(f'"{name}":{array}' for name, array in arrays.items()) + "}", parse_float=Decimal
    )

    assert completed_points(answer, NOW) == completed_points(chart, NOW)


def test_documented_answer(samples: Path) -> None:
    # Both end with a point that is live where the span ends now, and an ordinary one where it does not.
    for name in ("coins_id_market_chart", "coins_id_market_chart_range"):
        document = json.loads((samples / f"api/{name}.200.json").read_text(), parse_float=Decimal)
        now = datetime(2026, 5, 19, 12, tzinfo=UTC)

        points = completed_points(document["body"], now, HOURLY, ends_now=False)

        assert completed_points(document["body"], now) == points[:1]
        assert points == [
            Point(
                datetime(2026, 5, 17, 14, 24, 59, 41_000, tzinfo=UTC),
                Decimal("77953.82550382407"),
                Decimal("1560631481361.8042"),
                Decimal("18688431751.857048"),
            ),
            Point(
                datetime(2026, 5, 17, 14, 29, 59, 661_000, tzinfo=UTC),
                Decimal("78052.87543398788"),
                Decimal("1562027330524.267"),
                Decimal("18974828816.446976"),
            ),
        ]
