# ruff: noqa: ANN401 - the stand-in is a fixture, and its class lives in conftest, which tests do not import
from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tap_coingecko.charts import Point, completed_points, looks_daily

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2026, 5, 18, 12, 0, tzinfo=UTC)
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
        pytest.param(NOW, NOW - timedelta(hours=24), True, id="a day old: recorded late, not live"),
        pytest.param(NOW, TODAY + timedelta(days=1), False, id="a midnight to come"),
    ],
)
def test_live_tail(chart: Callable[..., Any], now: datetime, tail: datetime, kept: bool) -> None:  # noqa: FBT001
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


def test_order_of_the_source_does_not_matter(chart: Callable[..., Any]) -> None:
    answer = chart(prices=[(NOW - timedelta(hours=1), 3), (TODAY, 2), (YESTERDAY, 1)])

    assert stamps(completed_points(answer, NOW)) == [YESTERDAY, TODAY]


@pytest.mark.parametrize("text", ["0.123456789012345678", "7.821066970851871e-11", "1560631481361.8042", "20030493.0"])
def test_numbers_are_exact(text: str) -> None:
    answer = json.loads(f'{{"prices":[[1779062400000,{text}]]}}', parse_float=Decimal)

    assert completed_points(answer, NOW)[0].price == Decimal(text)


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        {"error": "x"},
        {"prices": {}},
        {"prices": [[1]]},
        {"prices": [["1", 2]]},
        {"prices": [[1, "2"]]},
        {"prices": [1]},
    ],
)
def test_what_is_no_chart_is_refused(answer: Any) -> None:
    with pytest.raises(ValueError, match=r"holds|list"):
        completed_points(answer, NOW)


def test_hourly_points_do_not_look_daily() -> None:
    def every(hours: int, number: int) -> list[Point]:
        return [Point(NOW + timedelta(hours=hours * i), 1, 1, 1) for i in range(number)]

    assert looks_daily(every(24, 91))
    assert looks_daily(every(24, 1))
    assert looks_daily([])
    assert not looks_daily(every(1, 91 * 24))
    assert not looks_daily(every(6, 40))


def test_documented_answer(samples: Path) -> None:
    for name in ("coins_id_market_chart", "coins_id_market_chart_range"):
        document = json.loads((samples / f"api/{name}.200.json").read_text(), parse_float=Decimal)

        points = completed_points(document["body"], datetime(2026, 5, 19, 12, tzinfo=UTC))

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
