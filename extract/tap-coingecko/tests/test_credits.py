"""The month's calls: counted over runs, kept below a budget, by the source's clock."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from singer_sdk.exceptions import FatalSyncError

from tap_coingecko.credits import Credits
from tap_coingecko.plans import PLANS
from tap_coingecko.tap import TapCoinGecko

LIST, TRENDING = "coingecko_asset_platforms", "coingecko_trending"


def test_every_call_counts_also_a_failed_one(simulator: Any, run_tap: Callable[..., Any], naps: list[float]) -> None:
    simulator.fault("/search/trending", status=500, body="")
    simulator.fault("/search/trending", code=429, envelope="E")

    first = run_tap(TRENDING)
    second = run_tap(TRENDING, state=first.state)

    assert first.state["credits"] == {"month": "2026-05", "calls": 3}
    assert second.state["credits"] == {"month": "2026-05", "calls": 4}
    assert simulator.paths() == ["/search/trending"] * 4


def test_the_budget_ends_the_run(simulator: Any, run_tap: Callable[..., Any]) -> None:
    markets = "coingecko_coins_markets"

    with pytest.raises(
        FatalSyncError, match=r"the 2 calls of 2026-05 are spent \(setting `monthly_credits`\)"
    ) as caught:
        run_tap(markets, vs_currencies=["usd", "eur", "gbp"], monthly_credits=2)

    assert "run again from 2026-06-01 on" in str(caught.value)
    assert simulator.paths() == ["/coins/markets"] * 2
    run = run_tap.last  # type: ignore[attr-defined]
    assert [row["vs_currency"] for row in run.records(markets)] == ["usd", "eur"]


def test_later_runs_hold_it_too(simulator: Any, run_tap: Callable[..., Any]) -> None:
    state = {"bookmarks": {}, "credits": {"month": "2026-05", "calls": 5}}

    with pytest.raises(FatalSyncError, match="the 5 calls of 2026-05"):
        run_tap(TRENDING, LIST, state=state, monthly_credits=5)
    # One call is made: only the source says which month it is.
    assert len(simulator.paths()) == 1


def test_a_new_month_begins_anew(run_tap: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    state = {"bookmarks": {}, "credits": {"month": "2026-04", "calls": 5}}

    run = run_tap(TRENDING, LIST, state=state, monthly_credits=5)

    assert run.state["credits"] == {"month": "2026-05", "calls": 2}


def test_december() -> None:
    account = Credits(1, {})
    account.spend()
    account.learn(datetime(2026, 12, 31, 23, 59, tzinfo=UTC))

    with pytest.raises(FatalSyncError, match="2027-01-01"):
        account.spend()
    account.learn(datetime(2027, 1, 1, tzinfo=UTC))
    assert (account.month, account.calls_in_month) == ("2027-01", 1)


@pytest.mark.parametrize(
    ("kept", "calls"),
    [({}, 1), ({"month": "x", "calls": "y"}, 1), ({"calls": "y"}, 1), ({"calls": 3}, 4), ("x", 1), (None, 1)],
)
def test_an_account_that_cannot_be_read_begins_anew(run_tap: Callable[..., Any], kept: Any, calls: int) -> None:
    run = run_tap(TRENDING, state={"bookmarks": {}, "credits": kept}, monthly_credits=10)

    assert run.state["credits"] == {"month": "2026-05", "calls": calls}


def test_calls_of_this_run_are_counted_beside_those_of_the_month() -> None:
    account = Credits(None, {"month": "2026-05", "calls": 5})

    account.spend()
    account.spend()

    assert (account.calls, account.calls_in_month) == (2, 7)


@pytest.mark.parametrize(("month", "resume"), [(1, "2026-02-01"), (9, "2026-10-01"), (11, "2026-12-01")])
def test_the_day_from_which_calls_are_free_again(month: int, resume: str) -> None:
    account = Credits(1, {})
    account.spend()
    account.learn(datetime(2026, month, 15, tzinfo=UTC))

    with pytest.raises(FatalSyncError, match=f"run again from {resume} on"):
        account.spend()


@pytest.mark.parametrize("plan", PLANS)
def test_the_plan_sets_the_budget(plan: str) -> None:
    key = {"api_key": "CG-x"} if PLANS[plan].key_header else {}
    limit = PLANS[plan].monthly_credits
    account = {"month": "2026-05", "calls": 10**9 if limit is None else limit}
    tap = TapCoinGecko(config={"plan": plan, **key}, state={"bookmarks": {}, "credits": account})
    tap.credits.learn(datetime(2026, 5, 2, tzinfo=UTC))

    if limit is None:
        tap.credits.spend()
    else:
        with pytest.raises(FatalSyncError, match=f"the {limit} calls"):
            tap.credits.spend()
    assert (limit is None) == (plan in {"keyless", "pro", "enterprise"})
