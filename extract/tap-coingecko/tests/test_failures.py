"""One bad coin, currency or endpoint does not stop the others, and fails the run at the end."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from singer_sdk.exceptions import FatalSyncError, RetriableAPIError

from tap_coingecko.failures import Failures

CHART, TOKEN, OHLC = "coingecko_market_chart", "coingecko_token", "coingecko_ohlc"
TODAY = datetime(2026, 5, 18, tzinfo=UTC)
DETAILS, TRENDING = "coingecko_coin_details", "coingecko_trending"
COINS = ["dogecoin", "bitcoin"]
RANGE = "/coins/dogecoin/market_chart/range"


def contexts(run: Any, stream: str) -> set[tuple[str, bool]]:
    """Coins in the state, and whether they have a bookmark."""
    partitions = run.state["bookmarks"][stream]["partitions"]
    return {(p["context"].get("coin_id", ""), "replication_key_value" in p) for p in partitions}


@pytest.mark.parametrize(
    "body",
    [
        '{"prices":[[1e400000000,1]]}',
        '{"prices":[[1778112000000,1e-400000000]]}',
        '{"prices":[[1778112000000,' + "9" * 5000 + "]]}",
        "[" * 100_000,
    ],
    ids=["a stamp", "a value", "digits", "depth"],
)
def test_an_answer_that_would_take_the_machine(
    simulator: Any, run_tap: Callable[..., Any], naps: list[float], body: str
) -> None:
    simulator.fault("/coins/dogecoin/", times=None, body=body)
    with pytest.raises(FatalSyncError) as caught:
        run_tap(CHART, coins=COINS)
    assert f"{CHART} of dogecoin" in str(caught.value)
    assert "/coins/dogecoin/market_chart/range with HTTP 200" in str(caught.value)
    assert "the answer is not JSON, or only part of it" in str(caught.value)
    assert contexts(run_tap.last, CHART) == {("dogecoin", False), ("bitcoin", True)}  # type: ignore[attr-defined]


@pytest.mark.parametrize("stream", [CHART, TOKEN, OHLC])
@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, '{"error":"coin not found"}', "there is no such coin"),
        (404, '{"error":"Could not find coin with the given id"}', "Could not find coin"),
        (404, '{"status":{"error_code":10013}}', "code 10013"),
        (400, '{"error":"invalid vs_currency"}', "invalid vs_currency"),
        (422, '{"error":"Missing parameter vs_currency"}', "it misses a parameter"),
        (200, '{"prices":"none"}', "is no"),
        (200, '{"prices":[["x"]]}', "is no"),
        (200, "5", "is no"),
    ],
)
def test_a_bad_coin(
    simulator: Any, run_tap: Callable[..., Any], stream: str, status: int, body: str, said: str
) -> None:
    simulator.fault("/coins/dogecoin/", times=None, status=status, body=body)

    with pytest.raises(FatalSyncError) as caught:
        run_tap(stream, TRENDING, coins=COINS)

    assert f"{stream} of dogecoin" in str(caught.value)
    assert said in str(caught.value)
    run = run_tap.last  # type: ignore[attr-defined]
    assert {row["coin_id"] for row in run.records(stream)} == {"bitcoin"}
    assert run.records(TRENDING) != []
    assert contexts(run, stream) == {("dogecoin", False), ("bitcoin", True)}

    # Once it is mended, the next run reads all of it, and of the other only the lookback.
    simulator.clear("faults")
    again = run_tap(stream, coins=COINS, state=run.state)
    read = {coin: [r for r in again.records(stream) if r["coin_id"] == coin] for coin in COINS}
    assert len(read["dogecoin"]) == len(run.records(stream))
    assert 0 < len(read["bitcoin"]) < len(read["dogecoin"])


def test_a_bad_currency(run_tap: Callable[..., Any]) -> None:
    with pytest.raises(
        FatalSyncError, match=r"market_chart of bitcoin, xxx, daily: .* check `coins` and `vs_currencies`"
    ):
        run_tap(CHART, vs_currencies=["xxx", "usd"])

    assert {row["vs_currency"] for row in run_tap.last.records(CHART)} == {"usd"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("body", ["", "<html>", '{"prices":[[1'])
def test_a_coin_whose_answer_is_broken_every_time(
    simulator: Any, run_tap: Callable[..., Any], naps: list[float], body: str
) -> None:
    simulator.fault(RANGE, times=None, status=200 if body.startswith("{") else 502, body=body)

    with pytest.raises(FatalSyncError, match="market_chart of dogecoin, usd, daily"):
        run_tap(CHART, coins=COINS)

    assert len(naps) == 4
    assert {row["coin_id"] for row in run_tap.last.records(CHART)} == {"bitcoin"}  # type: ignore[attr-defined]


def test_a_source_that_is_down_ends_the_run(simulator: Any, run_tap: Callable[..., Any], naps: list[float]) -> None:
    simulator.fault("market_chart", times=None, status=503, body="")

    with pytest.raises(RetriableAPIError, match="/coins/b/market_chart/range with HTTP 503"):
        run_tap(CHART, TRENDING, coins=["a", "b", "c"])

    assert len(simulator.paths()) == 2 * 5
    assert run_tap.last.records(TRENDING) == []  # type: ignore[attr-defined]


def test_two_broken_coins_with_a_good_one_between_do_not(
    simulator: Any, run_tap: Callable[..., Any], naps: list[float]
) -> None:
    simulator.fault("/coins/[ab]/market_chart", times=None, status=503, body="")

    with pytest.raises(FatalSyncError, match=r"of a, usd, daily.*of b, usd, daily"):
        run_tap(CHART, coins=["a", "bitcoin", "b"])

    assert run_tap.last.records(CHART) != []  # type: ignore[attr-defined]


@pytest.mark.parametrize("code", [10002, 10005, 10006, 10010, 10011])
def test_what_is_about_the_key_or_the_plan_stops_at_once(
    simulator: Any, sent: Any, run_tap: Callable[..., Any], code: int
) -> None:
    simulator.fault(RANGE, times=None, status=401, code=code)

    with pytest.raises(FatalSyncError, match=f"code {code}"):
        run_tap(CHART, TRENDING, coins=COINS)

    assert sent.paths == ["/ping", RANGE]


def test_a_broken_endpoint_stops_no_other(simulator: Any, run_tap: Callable[..., Any]) -> None:
    simulator.fault("/asset_platforms", times=None, status=404, body='{"error":"Incorrect path"}')

    with pytest.raises(FatalSyncError, match=r"coingecko_asset_platforms: .*HTTP 404"):
        run_tap("coingecko_asset_platforms", "coingecko_global", CHART)

    assert run_tap.last.records("coingecko_global") != []  # type: ignore[attr-defined]
    assert run_tap.last.records(CHART) != []  # type: ignore[attr-defined]


def test_many_failures_are_counted(run_tap: Callable[..., Any]) -> None:
    with pytest.raises(FatalSyncError, match=r"of c4: .*; and 3 more, see above$"):
        run_tap(DETAILS, coins=[f"c{number}" for number in range(8)])


def test_five_failures_are_reported_one_by_one(run_tap: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(FatalSyncError) as caught:
        run_tap(DETAILS, coins=[f"c{number}" for number in range(5)])

    assert str(caught.value).count("there is no such coin") == 5
    assert "more" not in str(caught.value)
    # Each was logged when it happened.
    for number in range(5):
        assert f"coingecko_coin_details of c{number}: CoinGecko refused /coins/c{number} with HTTP 404" in caplog.text
    assert caplog.text.count("Going on with the rest.") == 5


def test_failures_are_reported_once() -> None:
    failures = Failures(logging.getLogger("test"))
    failures.set_aside(TRENDING, None, ValueError("it is broken"))

    with pytest.raises(FatalSyncError, match=f"^{TRENDING}: it is broken$"):
        failures.raise_any()

    failures.raise_any()


@pytest.mark.parametrize("stream", [CHART, TOKEN, OHLC])
def test_rows_of_a_window_are_whole_or_absent(
    simulator: Any, run_tap: Callable[..., Any], stream: str, milliseconds: Callable[..., int]
) -> None:
    """A point in the middle that cannot be read takes none of the points before it along."""
    stamps = [milliseconds(TODAY - timedelta(days=day)) for day in range(6, 0, -1)]
    chart = {"prices": [[stamp, "x" if i == 3 else 1.5] for i, stamp in enumerate(stamps)]}
    candles = [[stamp, 1, 2, 1, "x" if i == 3 else 1.5] for i, stamp in enumerate(stamps)]
    simulator.fault("market_chart", times=None, body=json.dumps(chart))
    simulator.fault("ohlc", times=None, body=json.dumps(candles))

    with pytest.raises(FatalSyncError, match=f"{stream} of bitcoin"):
        run_tap(stream)

    assert run_tap.last.records(stream) == []  # type: ignore[attr-defined]
    assert all(not has_bookmark for _, has_bookmark in contexts(run_tap.last, stream))  # type: ignore[attr-defined]
