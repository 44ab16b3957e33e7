"""What the simulator can make fail of CoinGecko: survived with exact rows, or reported in a sentence that helps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from singer_sdk.exceptions import FatalSyncError

CHART = "coingecko_market_chart"


RECOVERED: list[dict[str, Any]] = [
    {"code": 429, "headers": {"Retry-After": 1}},
    *({"code": 429, "envelope": envelope, "headers": {"Retry-After": 1}} for envelope in ("A-old", "E", "F", "F-page")),
    {"code": 429, "status": 200, "headers": {"Retry-After": 1}},
    *({"status": status} for status in (408, 500, 502, 503, 504)),
    {"status": 502, "html": True},
    {"reset": True},
    {"reset": 60},
    {"truncate": 60},
    {"length": -20},
    {"length": 20},
    {"body": "{"},
    {"slow": 100_000},
]


@pytest.mark.parametrize("action", RECOVERED, ids=str)
def test_what_passes_is_survived(
    simulator: Any, run_at: Callable[..., Any], naps: list[float], action: dict[str, Any]
) -> None:
    settings = {"coins": ["bitcoin", "dogecoin"], "start_date": "2026-04-20"}
    truth = run_at(simulator.api(), CHART, **settings)
    simulator.post("faults", [{"match": "market_chart", "after": 1, "times": 2, "action": action}])

    run = run_at(simulator.api(), CHART, **settings)

    assert run.records(CHART) == truth.records(CHART)
    assert run.state["bookmarks"] == truth.state["bookmarks"]
    assert len(naps) == (0 if "slow" in action else 2)
    if "Retry-After" in action.get("headers", {}):
        assert all(1 <= wait <= 2 for wait in naps)


def test_an_answer_that_does_not_come_is_asked_for_again(
    simulator: Any, run_at: Callable[..., Any], naps: list[float]
) -> None:
    settings = {"coins": ["bitcoin"], "start_date": "2026-04-20"}
    truth = run_at(simulator.api(), CHART, **settings)
    simulator.fault("market_chart", stall=60)

    # Nothing but the fault takes seconds; should a busy machine, that call is asked again likewise.
    run = run_at(simulator.api(), CHART, timeout=5, **settings)

    assert run.records(CHART) == truth.records(CHART)
    assert naps != []


STOPPED = [
    ({"code": 10002}, "check `api_key`", True),
    ({"code": 10005}, "not part of the plan", True),
    ({"code": 10006}, "the month's credits are used up", True),
    ({"code": 10006, "status": 401}, "the month's credits are used up", True),
    ({"code": 10010}, "a key of a paid plan was sent to the public host", True),
    ({"code": 10011}, "a Demo key was sent to the host of the paid plans", True),
    ({"code": 1020, "envelope": "F"}, "its firewall blocks this client", True),
    ({"code": 403}, "set a descriptive `user_agent`", True),
    ({"status": 404}, "there is no such coin", False),
    ({"code": 10013, "status": 404}, "there is no such coin", False),
    ({"status": 422}, "it misses a parameter", False),
    ({"status": 400}, "it does not accept the request", False),
]


@pytest.mark.parametrize(("action", "advice", "whole"), STOPPED, ids=str)
def test_what_does_not_pass_is_reported(
    simulator: Any,
    run_at: Callable[..., Any],
    naps: list[float],
    action: dict[str, Any],
    advice: str,
    whole: bool,
) -> None:
    simulator.post("faults", [{"match": "dogecoin/market_chart", "times": None, "action": action}])

    with pytest.raises(FatalSyncError) as caught:
        run_at(simulator.api(), CHART, coins=["bitcoin", "dogecoin", "ethereum"], start_date="2026-04-20")

    assert advice in str(caught.value)
    read = {row["coin_id"] for row in run_at.last.records(CHART)}  # type: ignore[attr-defined]
    assert read == ({"bitcoin"} if whole else {"bitcoin", "ethereum"})
    assert naps == []
    assert simulator.paths().count("/coins/dogecoin/market_chart/range") == 1


@pytest.mark.parametrize(
    ("plan", "key", "host", "code"), [("demo", "CG-x", "basic", 10011), ("pro", "CG-x", "demo", 10010)]
)
def test_a_key_for_the_other_host(
    simulator: Any, run_at: Callable[..., Any], plan: str, key: str, host: str, code: int
) -> None:
    with pytest.raises(FatalSyncError, match=f"code {code}"):
        run_at(simulator.api(host), CHART, plan=plan, api_key=key)
