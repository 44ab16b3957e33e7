from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tap_coingecko.windows import HISTORY_START, daily_window

NOW = datetime(2026, 5, 18, 12, 34, 56, tzinfo=UTC)


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
        pytest.param(None, 365, days_ago(364), days_ago(364), id="all the plan reaches"),
        pytest.param(None, None, HISTORY_START, HISTORY_START, id="all there is"),
        pytest.param(days_ago(2000), None, days_ago(2000), days_ago(2000), id="no limit"),
        pytest.param(datetime(2009, 1, 3, tzinfo=UTC), None, HISTORY_START, HISTORY_START, id="before history"),
        pytest.param(NOW + timedelta(days=9), 365, days_ago(91), NOW + timedelta(days=9), id="a start to come"),
    ],
)
def test_window(wanted: datetime | None, reach: int | None, ask_from: datetime, keep_from: datetime) -> None:
    window = daily_window(NOW, wanted, reach)

    assert (window.ask_from, window.ask_to, window.keep_from) == (ask_from, NOW, keep_from)
    assert window.ask_to - window.ask_from > timedelta(days=90)
