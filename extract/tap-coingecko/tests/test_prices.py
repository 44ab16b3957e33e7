"""`coingecko_market_chart`: windows, bookmarks, lookback and the plan's reach, as calls and rows show them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from singer_sdk.exceptions import FatalAPIError, FatalSyncError
from werkzeug.serving import WSGIRequestHandler

from tap_coingecko.tap import TapCoinGecko

CHART = "coingecko_market_chart"
TOKEN = "coingecko_token"
RANGE = "/coins/bitcoin/market_chart/range"
AMOUNTS = ("price", "market_cap", "total_volume")
NOON = datetime(2026, 5, 18, 12, tzinfo=UTC)
#: UNIX milliseconds of 2026-05-18 00:00.
MIDNIGHT = 1_779_062_400_000


def test_one_call_per_coin_and_currency(sent: Any, run_tap: Callable[..., Any]) -> None:
    run = run_tap(CHART, coins=["bitcoin", "dogecoin"], vs_currencies=["usd", "eur"])

    assert sent.paths[0] == "/ping"
    asked = [(path.split("/")[2], *of) for path, of in zip(sent.paths[1:], sent.asked("vs_currency")[1:], strict=True)]
    assert asked == [("bitcoin", "usd"), ("bitcoin", "eur"), ("dogecoin", "usd"), ("dogecoin", "eur")]
    assert {(row["coin_id"], row["vs_currency"]) for row in run.records(CHART)} == set(asked)


def test_rows_of_a_short_span(simulator: Any, sent: Any, run_tap: Callable[..., Any]) -> None:
    before, yesterday, today, live = 1_778_889_600_000, 1_778_976_000_000, MIDNIGHT, MIDNIGHT + 43_170_000
    chart = {
        "prices": [[before, 1], [yesterday, 20590.25], [today, 20591.25], [live, 1.5]],
        "market_caps": [[before, 2], [yesterday, 1778976000000.5], [today, 1779062400000.5], [live, 2.5]],
        "total_volumes": [[before, 3], [yesterday, 1778976000], [today, 1779062400], [live, 3.5]],
    }
    simulator.fault("market_chart", body=json.dumps(chart))

    rows = run_tap(CHART, start_date="2026-05-17").records(CHART)

    # A span of more than 90 days, since a shorter one is answered hourly.
    assert sent.asked("from", "to", "precision", "interval")[1:] == [("1771243200", "1779105600", "full", "")]
    assert rows == [
        {
            "coin_id": "bitcoin",
            "vs_currency": "usd",
            "granularity": "daily",
            "stamp": f"2026-05-{day}T00:00:00.000+00:00",
            "stamp_date": f"2026-05-{day}",
            "price": Decimal(price),
            "market_cap": Decimal(market_cap),
            "total_volume": volume,
        }
        for day, price, market_cap, volume in (
            (17, "20590.25", "1778976000000.5", 1778976000),
            (18, "20591.25", "1779062400000.5", 1779062400),
        )
    ]


def test_the_plan_reach_is_kept_and_logged(
    sent: Any, run_tap: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        rows = run_tap(CHART, start_date="2024-01-01").records(CHART)

    assert sent.paths == ["/ping", RANGE]
    assert sent.asked("from", "to")[-1] == ("1747656000", "1779105600")  # 364 days up to now
    assert len(rows) == 364
    assert (
        "bitcoin, usd, daily: 2024-01-01 is beyond the reach of plan keyless; reading from 2025-05-19 on" in caplog.text
    )


@pytest.mark.parametrize(
    ("stream", "settings", "empty", "first"),
    [
        (CHART, {}, '{"prices":[]}', "2013-04-28"),
        (CHART, {"granularities": ["hourly"]}, '{"prices":[]}', "2018-01-30"),
        (TOKEN, {}, '{"prices":[]}', "2013-04-28"),
        ("coingecko_ohlc", {}, "[]", "2018-02-09"),
    ],
)
def test_where_history_begins_for_a_plan_without_limit(
    simulator: Any,
    sent: Any,
    run_tap: Callable[..., Any],
    stream: str,
    settings: dict[str, Any],
    empty: str,
    first: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    simulator.fault("/coins/", times=None, body=empty)

    run_tap(stream, plan="analyst", api_key="CG-x", start_date="2010-01-01", **settings)

    # The plan is not to blame for what the source does not have.
    assert "beyond the reach" not in caplog.text

    ((begin,), *_) = sent.asked("from")[1:]
    assert datetime.fromtimestamp(int(begin), UTC) == datetime.fromisoformat(f"{first}T00:00:00+00:00")


def test_bookmarks_over_two_runs(moving: Any, run_at: Callable[..., Any]) -> None:
    today = moving.now.date()
    start, late, tomorrow = today - timedelta(days=17), today - timedelta(days=2), today + timedelta(days=1)
    missing = {"coin": "dogecoin", "day": str(late), "change": "missing", "until": f"{tomorrow}T00:00:00"}
    moving.post("anomalies", missing)
    settings = {"coins": ["bitcoin", "dogecoin"], "start_date": str(start)}
    first = run_at(moving.api(), CHART, **settings)

    partitions = first.state["bookmarks"][CHART]["partitions"]
    assert [(p["context"], p["replication_key"], p["replication_key_value"]) for p in partitions] == [
        ({"coin_id": coin, "vs_currency": "usd", "granularity": "daily"}, "stamp", f"{today}T00:00:00.000+00:00")
        for coin in ("bitcoin", "dogecoin")
    ]
    assert len(first.records(CHART)) == 18 + 17

    moving.post("advance", {"days": 1})
    second = run_at(moving.api(), CHART, state=first.state, **settings)

    # Three days before the bookmark are read again: a point may come late.
    days = [(row["coin_id"], row["stamp_date"]) for row in second.records(CHART)]
    again = [str(today + timedelta(days=day)) for day in range(-3, 2)]
    assert days == [(coin, day) for coin in ("bitcoin", "dogecoin") for day in again]
    bookmarks = {p["replication_key_value"] for p in second.state["bookmarks"][CHART]["partitions"]}
    assert bookmarks == {f"{tomorrow}T00:00:00.000+00:00"}

    third = run_at(moving.api(), CHART, state=second.state, **settings)
    assert third.state["bookmarks"] == second.state["bookmarks"]


def state_of(value: Any, **more: str) -> dict[str, Any]:
    """A state with a bookmark of Bitcoin's daily points."""
    context = {"coin_id": "bitcoin", "vs_currency": "usd", "granularity": "daily"}
    return {"bookmarks": {CHART: {"partitions": [{"context": context, "replication_key_value": value, **more}]}}}


def test_the_lookback_never_goes_before_the_start(run_tap: Callable[..., Any]) -> None:
    state = state_of("2026-05-17T00:00:00.000+00:00", replication_key="stamp")

    rows = run_tap(CHART, state=state, start_date="2026-05-16").records(CHART)

    assert [row["stamp_date"] for row in rows] == ["2026-05-16", "2026-05-17", "2026-05-18"]


def test_amounts_are_written_as_they_came(simulator: Any, run_tap: Callable[..., Any]) -> None:
    values = ("0.123456789012345678", "123456789012345678901234", "7.821066970851871E-11")
    names = ("prices", "market_caps", "total_volumes")
    arrays = ",".join(f'"{name}":[[{MIDNIGHT},{value}]]' for name, value in zip(names, values, strict=True))
    simulator.fault("market_chart", body="{" + arrays + "}")

    run = run_tap(CHART)

    for value in values:
        assert value in run.text
    row = run.records(CHART)[0]
    assert tuple(row[name] for name in AMOUNTS) == tuple(map(Decimal, values))


def test_a_finer_answer_is_refused(simulator: Any, run_tap: Callable[..., Any]) -> None:
    hourly = [[MIDNIGHT - hour * 3_600_000, 1] for hour in range(500)]
    simulator.fault("market_chart", body=json.dumps({"prices": hourly}))

    with pytest.raises(FatalSyncError, match="500 points, which are not daily; none was kept"):
        run_tap(CHART)
    assert '"RECORD"' not in run_tap.last.text  # type: ignore[attr-defined]


def test_now_is_the_sources_clock(moving: Any, sent: Any, run_at: Callable[..., Any]) -> None:
    now = moving.now
    assert now.year >= 2031  # so that no clock of a machine shows it

    run = run_at(moving.api(), CHART, coins=["bitcoin"])

    assert sent.asked("to")[-1] == (str(int(now.timestamp())),)
    bookmark = run.state["bookmarks"][CHART]["partitions"][0]["replication_key_value"]
    assert bookmark == f"{now.date()}T00:00:00.000+00:00"


@pytest.mark.parametrize("stated", ["soon", "Mon, 18 May 2026 12:00:00 -0000"])
def test_no_clock_but_the_sources(
    httpserver: HTTPServer, run_at: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, stated: str
) -> None:
    monkeypatch.setattr(WSGIRequestHandler, "date_time_string", lambda *_: stated)
    httpserver.expect_request("/api/v3/ping").respond_with_data("{}")

    with pytest.raises(FatalAPIError, match="no readable Date header"):
        run_at(httpserver.url_for("/api/v3"), CHART)


def bookmarks(run: Any, stream: str) -> dict[str, str]:
    partitions = run.state["bookmarks"][stream]["partitions"]
    return {"/".join(p["context"].values()): p.get("replication_key_value") for p in partitions}


def test_hourly_windows(simulator: Any, sent: Any, run_tap: Callable[..., Any]) -> None:
    run = run_tap(CHART, granularities=["hourly"])

    assert sent.paths == ["/ping"] + [RANGE] * 5
    spans = [(int(first), int(last)) for first, last in sent.asked("from", "to")[1:]]
    assert all(86_400 * 2 <= last - first <= 86_400 * 90 for first, last in spans)
    assert spans[-1][1] == int(NOON.timestamp())
    rows = run.records(CHART)
    truth = simulator.points("bitcoin", "usd", NOON - timedelta(days=364), "hourly")
    assert [row["stamp"] for row in rows] == list(truth)
    assert {row["stamp"]: tuple(row[name] for name in AMOUNTS) for row in rows} == truth
    assert {row["granularity"] for row in rows} == {"hourly"}
    assert bookmarks(run, CHART) == {"bitcoin/usd/hourly": rows[-1]["stamp"]}


def test_both_granularities_have_bookmarks_of_their_own(sent: Any, run_tap: Callable[..., Any]) -> None:
    settings = {"granularities": ["daily", "hourly"], "start_date": "2026-05-01"}
    first = run_tap(CHART, **settings)
    sent.clear()
    second = run_tap(CHART, state=first.state, **settings)

    marks = bookmarks(second, CHART)
    assert marks["bitcoin/usd/daily"] == "2026-05-18T00:00:00.000+00:00"
    assert marks["bitcoin/usd/hourly"].startswith("2026-05-18T11:0")
    assert sent.paths == ["/ping", RANGE, RANGE]
    # The lookback is read again, from three days before the bookmark on, to the millisecond.
    since = datetime.fromisoformat(marks["bitcoin/usd/hourly"]) - timedelta(days=3)
    known, again = ([row for row in run.records(CHART) if row["granularity"] == "hourly"] for run in (first, second))
    assert again == [row for row in known if datetime.fromisoformat(row["stamp"]) >= since]
    assert 3 * 24 <= len(again) <= 3 * 24 + 1


def test_a_broken_backfill_goes_on_at_its_window(
    simulator: Any, sent: Any, run_tap: Callable[..., Any], naps: list[float]
) -> None:
    whole = run_tap(CHART, granularities=["hourly"])
    simulator.fault("market_chart", after=2, times=5, status=500, body="")
    with pytest.raises(FatalSyncError, match="HTTP 500"):
        run_tap(CHART, granularities=["hourly"])
    broken = run_tap.last  # type: ignore[attr-defined]
    sent.clear()

    rest = run_tap(CHART, granularities=["hourly"], state=broken.state)

    assert sent.paths == ["/ping"] + [RANGE] * 3
    rows = {row["stamp"]: row for row in [*broken.records(CHART), *rest.records(CHART)]}
    assert sorted(rows) == [row["stamp"] for row in whole.records(CHART)]
    assert min(row["stamp"] for row in rest.records(CHART)) > min(rows)
    assert bookmarks(rest, CHART) == bookmarks(whole, CHART)


@pytest.mark.parametrize("granularity", ["daily", "hourly"])
def test_an_earlier_start_date_fills_what_is_missing(run_tap: Callable[..., Any], granularity: str) -> None:
    settings = {"granularities": [granularity]}
    whole = run_tap(CHART, start_date="2026-01-15", **settings)
    late = run_tap(CHART, start_date="2026-05-01", **settings)
    earlier = run_tap(CHART, start_date="2026-01-15", state=late.state, **settings)
    again = run_tap(CHART, start_date="2026-01-15", state=earlier.state, **settings)

    assert earlier.records(CHART) == whole.records(CHART)
    assert bookmarks(earlier, CHART) == bookmarks(whole, CHART) == bookmarks(late, CHART)
    assert len(again.records(CHART)) < 80
    # A later start date takes nothing back, and does not make the next earlier one a new one.
    later = run_tap(CHART, start_date="2026-05-10", state=again.state, **settings)
    assert len(run_tap(CHART, start_date="2026-01-15", state=later.state, **settings).records(CHART)) < 80


def test_a_broken_filling_leaves_the_bookmark_where_it_was(
    simulator: Any, run_tap: Callable[..., Any], naps: list[float]
) -> None:
    late = run_tap(CHART, start_date="2026-05-01", granularities=["hourly"])
    simulator.fault("market_chart", after=1, times=5, status=500, body="")
    with pytest.raises(FatalSyncError, match="HTTP 500"):
        run_tap(CHART, start_date="2026-01-15", granularities=["hourly"], state=late.state)
    broken = run_tap.last  # type: ignore[attr-defined]

    rest = run_tap(CHART, start_date="2026-01-15", granularities=["hourly"], state=broken.state)

    assert broken.records(CHART) != []
    assert bookmarks(broken, CHART) == bookmarks(late, CHART)
    # What is missing is still known to be missing.
    whole = run_tap(CHART, start_date="2026-01-15", granularities=["hourly"])
    assert rest.records(CHART) == whole.records(CHART)


@pytest.mark.parametrize("granularity", ["daily", "hourly"])
def test_a_plan_that_reaches_less_far_than_it_says(
    simulator: Any, sent: Any, run_tap: Callable[..., Any], granularity: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = {"plan": "basic", "api_key": "CG-x", "coins": ["bitcoin", "dogecoin"], "granularities": [granularity]}
    simulator.fault("market_chart", times=3, code=10012)

    with caplog.at_level(logging.WARNING):
        run = run_tap(CHART, **settings)

    # 729, 722 and 700 days are refused once, not once for each coin.
    days = [(NOON.timestamp() - int(first)) / 86_400 for (first,) in sent.asked("from")[1:]]
    assert days[:4] == [729, 722, 700, 364]
    assert max(days[4:]) == 364
    rows = run.records(CHART)
    oldest = {coin: min(row["stamp"] for row in rows if row["coin_id"] == coin) for coin in ("bitcoin", "dogecoin")}
    assert {stamp[:10] for stamp in oldest.values()} <= {"2025-05-19", "2025-05-20"}
    assert "code 10012" in caplog.text
    assert "asking again from 2025-05-19 on, what lies before is left out" in caplog.text
    assert "`start_date`" in caplog.text
    # The next run tries the plan again, and then goes on from the bookmarks.
    simulator.fault("market_chart", times=3, code=10012)
    again = run_tap(CHART, state=run.state, **settings)
    assert len(again.records(CHART)) < len(rows) / 2
    assert bookmarks(again, CHART) == bookmarks(run, CHART)


def test_a_reach_of_nothing_is_reported_for_each_coin(simulator: Any, run_tap: Callable[..., Any]) -> None:
    simulator.fault("market_chart", times=None, code=10012)

    with pytest.raises(FatalSyncError) as caught:
        run_tap(CHART, coins=["bitcoin", "dogecoin"])

    assert str(caught.value).count("code 10012") == 2
    # 364, 357, 330, 180 and 92 days of the first coin, and 92 of the second.
    assert simulator.paths() == [RANGE] * 5 + ["/coins/dogecoin/market_chart/range"]


@pytest.mark.parametrize(
    ("start", "calls"), [("2027-01-01", 0), ("2026-05-18T12:00:01", 0), ("2026-05-18T12:00:00", 1)]
)
def test_a_start_to_come_costs_no_call(sent: Any, run_tap: Callable[..., Any], start: str, calls: int) -> None:
    run = run_tap(CHART, TOKEN, start_date=start)

    assert run.records(CHART) + run.records(TOKEN) == []
    assert sent.paths == ["/ping"] + [RANGE] * calls


@pytest.mark.parametrize("value", ["x", 5, {"a": 1}])
def test_a_bookmark_that_is_no_time(run_tap: Callable[..., Any], value: Any) -> None:
    with pytest.raises(
        FatalAPIError, match=r"of coingecko_market_chart of bitcoin, usd, daily is .*, which is no time"
    ):
        run_tap(CHART, state=state_of(value))


def test_a_bookmark_of_another_column_counts_for_nothing(run_tap: Callable[..., Any]) -> None:
    run = run_tap(CHART, state=state_of("2026-05-17", replication_key="stamp_date"), start_date="2026-05-01")

    assert len(run.records(CHART)) == 18
    assert bookmarks(run, CHART) == {"bitcoin/usd/daily": "2026-05-18T00:00:00.000+00:00"}


def test_an_unknown_key_beside_the_arrays(
    simulator: Any, run_tap: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    simulator.fault("market_chart", body=f'{{"prices":[[{MIDNIGHT},1]],"total_supplies":[[{MIDNIGHT},2]]}}')

    rows = run_tap(CHART).records(CHART)

    assert [row["price"] for row in rows] == [1]
    assert "also holds total_supplies, which is not read" in caplog.text


@pytest.mark.parametrize("stream", [CHART, TOKEN])
def test_a_catalog_that_asks_for_the_full_table(simulator: Any, run_at: Callable[..., Any], stream: str) -> None:
    catalog = TapCoinGecko(config={}).catalog_dict
    for entry in catalog["streams"]:
        entry["replication_method"] = "FULL_TABLE"
        entry.pop("replication_key", None)
        for metadata in entry["metadata"]:
            metadata["metadata"].pop("valid-replication-keys", None)
    settings = {"coins": ["bitcoin"], "start_date": "2026-05-01", "catalog": catalog}

    first = run_at(simulator.api(), stream, **settings)
    again = run_at(simulator.api(), stream, state=first.state, **settings)

    assert len(again.records(stream)) == len(first.records(stream)) == 18
