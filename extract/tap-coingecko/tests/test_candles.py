from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tap_coingecko.ohlc import Candle, completed_candles

NOW = datetime(2026, 5, 18, 12, 50, tzinfo=UTC)
NOON = datetime(2026, 5, 18, 12, tzinfo=UTC)
FOUR_HOURS, DAY = timedelta(hours=4), timedelta(days=1)


@pytest.fixture
def candles(milliseconds: Callable[[datetime], int]) -> Callable[..., list[list[Any]]]:
    return lambda *stamps: [[milliseconds(stamp), 1, 4, Decimal("0.5"), 2] for stamp in stamps]


@pytest.mark.parametrize(
    ("tail", "now", "kept"),
    [
        pytest.param(NOON, NOW, True, id="closed long enough ago"),
        pytest.param(NOON, NOON + timedelta(minutes=39), False, id="closed just now"),
        pytest.param(NOON, NOON + timedelta(minutes=40), True, id="closed so long ago that no cache changes it"),
        pytest.param(NOON + FOUR_HOURS, NOW, False, id="closes in the future"),
        pytest.param(NOON + timedelta(minutes=3), NOW, False, id="stamped with the moment up to which it goes"),
        pytest.param(NOON - timedelta(minutes=3), NOW + DAY, False, id="the same, and nobody trades"),
    ],
)
def test_an_unfinished_candle_is_left_out(
    candles: Callable[..., Any],
    tail: datetime,
    now: datetime,
    kept: bool,
) -> None:
    first = NOON - DAY

    found = completed_candles(candles(first, tail), now, FOUR_HOURS)

    assert [candle.stamp for candle in found] == ([first, tail] if kept else [first])


def test_in_a_span_of_the_past_the_last_candle_is_whole(candles: Callable[..., Any]) -> None:
    late = NOON - DAY * 9

    assert [c.stamp for c in completed_candles(candles(late), NOW, DAY, ends_now=False)] == [late]


def test_values_and_order(milliseconds: Callable[[datetime], int]) -> None:
    answer = [[milliseconds(NOON), None, 1, 2, 3], [milliseconds(NOON - FOUR_HOURS), 1, Decimal("1e-11"), 0, 10**24]]

    assert completed_candles(answer, NOW, FOUR_HOURS) == [
        Candle(NOON - FOUR_HOURS, 1, Decimal("1e-11"), 0, 10**24),
        Candle(NOON, None, 1, 2, 3),
    ]


@pytest.mark.parametrize("answer", [{}, None, [1], [[1, 2]], [["1", 1, 1, 1, 1]], [[1, 1, 1, 1, "1"]]])
def test_what_is_no_candle_is_refused(answer: Any) -> None:
    with pytest.raises(ValueError, match=r"no list|no candle"):
        completed_candles(answer, NOW, FOUR_HOURS)


def test_candles_of_another_length_are_refused(candles: Callable[..., Any]) -> None:
    half_hours = candles(*(NOON - timedelta(minutes=30) * i for i in range(20)))
    four_days = candles(*(NOON - DAY * 4 * i for i in range(3)))

    with pytest.raises(ValueError, match="shorter"):
        completed_candles(half_hours, NOW, FOUR_HOURS)
    with pytest.raises(ValueError, match="longer"):
        completed_candles(four_days, NOW, FOUR_HOURS)
    # Gaps are none of it, nor a candle that was recorded late.
    assert len(completed_candles(candles(NOON - DAY, NOON - FOUR_HOURS, NOON), NOW, FOUR_HOURS)) == 3
    late = candles(NOON - DAY * 2, NOON - DAY + timedelta(minutes=5), NOON)
    assert len(completed_candles(late, NOW, DAY, ends_now=False)) == 3


def test_documented_answer(samples: Path) -> None:
    document = json.loads((samples / "api/coins_id_ohlc.200.json").read_text(), parse_float=Decimal)

    found = completed_candles(document["body"], datetime(2026, 5, 20, tzinfo=UTC), timedelta(minutes=30))

    assert found == [
        Candle(
            datetime(2026, 5, 19, 14, minute, tzinfo=UTC),
            *(Decimal(price) for price in prices),
        )
        for minute, prices in (
            (0, ("76769.0", "76889.0", "76744.0", "76818.0")),
            (30, ("76712.0", "76712.0", "76321.0", "76422.0")),
        )
    ]
