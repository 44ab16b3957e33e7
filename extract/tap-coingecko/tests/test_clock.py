"""Clocks that jump: the machine's is not looked at, and the source's, put back, does not open the month's budget."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any

import pytest
from singer_sdk.exceptions import FatalSyncError

from tap_coingecko.credits import Credits

CHART, MARKETS = "coingecko_market_chart", "coingecko_coins_markets"


@pytest.fixture
def jumping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each look of the tap at the machine's clock find another time."""
    hour, year = timedelta(hours=1), timedelta(days=365)
    jumps = cycle([-hour, year, -year, hour])
    seconds = time.time

    class Kind(type):
        def __instancecheck__(cls, one: object) -> bool:
            return isinstance(one, datetime)

        def __call__(cls, *parts: Any, **more: Any) -> datetime:
            return datetime(*parts, **more)  # noqa: DTZ001 - as it was called

    def now(_kind: Any, zone: Any = None) -> datetime:
        return datetime.now(zone) + next(jumps)

    jumping = Kind("Jumping", (datetime,), {"now": classmethod(now)})
    for name, module in list(sys.modules.items()):
        if name.startswith("tap_coingecko.") and getattr(module, "datetime", None) is datetime:
            monkeypatch.setattr(module, "datetime", jumping)
    monkeypatch.setattr(time, "time", lambda: seconds() + next(jumps).total_seconds())


def test_the_machines_clock_changes_nothing(run_tap: Callable[..., Any], request: pytest.FixtureRequest) -> None:
    """Rows, observed_at and bookmarks; only when a row came is the machine's to say."""
    settings = {"start_date": "2026-05-01", "granularities": ["daily", "hourly"]}
    undisturbed = run_tap(CHART, MARKETS, **settings)
    request.getfixturevalue("jumping")

    found = run_tap(CHART, MARKETS, **settings)

    for stream in (CHART, MARKETS):
        assert found.records(stream) == undisturbed.records(stream) != []
    assert found.state == undisturbed.state
    again = run_tap(CHART, state=found.state, **settings)
    assert again.state["bookmarks"] == found.state["bookmarks"]


def test_a_bookmark_that_the_sources_clock_has_not_reached(moving: Any, run_at: Callable[..., Any]) -> None:
    """As where that clock was put back by a year: nothing is read, and the bookmark stays until it is right again."""
    settings = {"start_date": "2031-06-01", "coins": ["bitcoin"]}
    first = run_at(moving.api(), CHART, **settings)
    key = '"replication_key_value": "2031'
    ahead = json.loads(json.dumps(first.state["bookmarks"]).replace(key, key.replace("2031", "2032")))
    assert ahead != first.state["bookmarks"]

    run = run_at(moving.api(), CHART, state={**first.state, "bookmarks": ahead}, **settings)

    assert run.records(CHART) == []
    assert run.state["bookmarks"] == ahead


def test_calls_stay_spent_when_the_sources_clock_is_put_back() -> None:
    account: dict[str, Any] = {}
    november, october, december = (datetime(2026, month, 15, tzinfo=UTC) for month in (11, 10, 12))
    credits_of_run = Credits(3, account)
    for now in (november, november, october):
        credits_of_run.spend()
        credits_of_run.learn(now)
    assert account == {"month": "2026-10", "calls": 3}

    with pytest.raises(FatalSyncError, match=r"the 3 calls of 2026-10 are spent .* run again from 2026-11-01 on"):
        credits_of_run.spend()
    credits_of_run.learn(december)
    assert account == {"month": "2026-12", "calls": 1}
