"""Clocks that jump: the machine's is not looked at; the source's, put back, opens no quota and lengthens no pause."""

from __future__ import annotations

import sys
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from itertools import cycle
from typing import Any

import pytest
import requests

from tap_blockchair.quota import Paused, Quota
from tap_blockchair.settings import Settings

NOON, HOUR, DAY, YEAR = datetime(2024, 1, 3, 12, tzinfo=UTC), timedelta(hours=1), timedelta(days=1), timedelta(days=365)


@pytest.fixture
def jumping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each look of the tap at the machine's clock find another time."""
    jumps = cycle([-HOUR, YEAR, -YEAR, HOUR])
    seconds = time.time

    def moved(kind: Any) -> Any:
        class Moved(type(kind)):  # type: ignore[misc]
            def __instancecheck__(cls, one: object) -> bool:
                return isinstance(one, kind)

            def __call__(cls, *parts: Any, **more: Any) -> Any:
                return kind(*parts, **more)

        def now(_kind: Any, zone: Any = None) -> datetime:
            return datetime.now(zone) + next(jumps)

        def today(_kind: Any) -> Any:
            return kind.today() + next(jumps)

        return Moved("Jumping", (kind,), {"now": classmethod(now), "today": classmethod(today)})

    for name, module in list(sys.modules.items()):
        for clock in (date, datetime):
            if name.startswith("tap_blockchair.") and getattr(module, clock.__name__, None) is clock:
                monkeypatch.setattr(module, clock.__name__, moved(clock))
    monkeypatch.setattr(time, "time", lambda: seconds() + next(jumps).total_seconds())


def test_the_machines_clock_changes_nothing(
    run: Any, chain: Any, host: Any, blocks: Any, request: pytest.FixtureRequest
) -> None:
    """Rows and bookmarks of API, dumps and snapshots; only when a row came is the machine's to say."""
    host.put("bitcoin", "blocks", "20240101", blocks(*range(5)))
    config = {"chains": ["bitcoin"], "api_url": chain.url, "dumps_url": host.url, "requests_per_minute": 1000}
    config |= {"tip": "also", "points_per_day": 1000, "start_date": "2024-01-01"}
    undisturbed = run(config)
    request.getfixturevalue("jumping")
    found = run(config)
    assert (undisturbed.error, found.error) == (None, None)
    for stream in ("bitcoin_blocks", "bitcoin_stats", "bitcoin_addresses"):
        assert found.records(stream) == undisturbed.records(stream) != []
    assert found.state == undisturbed.state
    again = run(config, state=found.state)
    assert again.state["bookmarks"] == found.state["bookmarks"]


class Source:
    """A quota, whose source's clock a test sets."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        self.state: dict[str, Any] = {} if state is None else state
        settings = Settings.from_config({"points_per_day": 100, "requests_per_minute": 1000})
        self.quota = Quota(settings, lambda: self.state)

    def answer(self, now: datetime, points: int = 1) -> None:
        response = requests.Response()
        response.status_code, response.headers["Date"] = 200, format_datetime(now, usegmt=True)
        self.quota.charge(response, Decimal(points), points)


@pytest.mark.parametrize("back", [timedelta(hours=13), YEAR], ids=["over midnight", "a year"])
def test_points_stay_spent_when_the_sources_clock_is_put_back(back: timedelta) -> None:
    source = Source()
    source.answer(NOON, 100)
    source.answer(NOON - back, 0)
    assert source.quota.left == 0
    with pytest.raises(Paused, match="points_per_day allows 100 points, 100 are spent"):
        source.quota.reserve(Decimal(1))
    source.answer(NOON - back + DAY, 0)
    assert source.quota.left == 100


@pytest.mark.parametrize("ahead", [HOUR, YEAR], ids=["an hour", "a year"])
def test_a_pause_is_no_longer_than_it_was_set(ahead: timedelta) -> None:
    """Set while the source's clock was ahead; a later run finds it right again."""
    first = Source()
    first.answer(NOON + ahead)
    assert first.quota.stop_for(HOUR, "banned").until == NOON + ahead + HOUR
    later = Source(first.state)
    later.answer(NOON)
    with pytest.raises(Paused, match="banned") as paused:
        later.quota.reserve(Decimal(1))
    assert paused.value.until == NOON + HOUR
    last = Source(later.state)
    last.answer(NOON + HOUR)
    last.quota.reserve(Decimal(1))
    assert not {"until", "since", "why"} & last.state["api_quota"].keys()
