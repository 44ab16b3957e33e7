# ruff: noqa: ANN401 - the stand-in is a fixture, and its class lives in conftest, which tests do not import
from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import FatalAPIError, FatalSyncError
from werkzeug import Response

from tap_coingecko.tap import TapCoinGecko

if TYPE_CHECKING:
    from collections.abc import Callable

CHART = "coingecko_market_chart"
TOKEN = "coingecko_token"
HOUR = 3_600_000
TODAY = datetime(2026, 5, 18, tzinfo=UTC)


@pytest.fixture
def year(source: Any, midnights: Callable[..., Any], milliseconds: Callable[[datetime], int]) -> None:
    """Give the source two years of bitcoin, with a live value at the end."""
    live = (milliseconds(source.now) - 30_000, "1.5", "2.5", "3.5")
    source.charts["bitcoin"] = [*midnights(TODAY - timedelta(days=730), TODAY), live]


@pytest.mark.usefixtures("year")
def test_one_call_per_coin_and_currency(source: Any, run_tap: Callable[..., Any]) -> None:
    source.charts["dogecoin"] = source.charts["bitcoin"]

    run = run_tap(CHART, coins=["bitcoin", "dogecoin"], vs_currencies=["usd", "eur"])

    asked = [(request.path.split("/")[4], request.args["vs_currency"]) for request in source.requests[1:]]
    assert source.paths()[0] == "/ping"
    assert asked == [("bitcoin", "usd"), ("bitcoin", "eur"), ("dogecoin", "usd"), ("dogecoin", "eur")]
    assert {(row["coin_id"], row["vs_currency"]) for row in run.records(CHART)} == set(asked)


@pytest.mark.usefixtures("year")
def test_rows_of_a_short_span(source: Any, run_tap: Callable[..., Any]) -> None:
    rows = run_tap(CHART, start_date="2026-05-17").records(CHART)

    request = source.requests[-1]
    assert int(request.args["to"]) - int(request.args["from"]) > 90 * 86_400
    assert request.args["precision"] == "full"
    assert "interval" not in request.args
    assert rows == [
        {
            "coin_id": "bitcoin",
            "vs_currency": "usd",
            "granularity": "daily",
            "stamp": f"2026-05-{day}T00:00:00.000+00:00",
            "stamp_date": f"2026-05-{day}",
            "price": Decimal(f"{20_590 + day - 17}.25"),
            "market_cap": Decimal(f"{1_778_976_000_000 + 86_400_000 * (day - 17)}.5"),
            "total_volume": 1_778_976_000 + 86_400 * (day - 17),
        }
        for day in (17, 18)
    ]


@pytest.mark.usefixtures("year")
def test_the_plan_reach_is_kept_and_told(
    source: Any, run_tap: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        rows = run_tap(CHART, start_date="2024-01-01").records(CHART)

    assert int(source.requests[-1].args["from"]) == int((source.now - timedelta(days=364)).timestamp())
    assert len(source.requests) == 2
    assert len(rows) == 364
    assert (
        "bitcoin, usd, daily: 2024-01-01 is beyond the reach of plan keyless; reading from 2025-05-19 on" in caplog.text
    )


@pytest.mark.usefixtures("year")
def test_bookmarks_over_two_runs(
    source: Any, run_tap: Callable[..., Any], midnights: Callable[..., Any], milliseconds: Callable[[datetime], int]
) -> None:
    late = TODAY - timedelta(days=2)
    source.charts["dogecoin"] = [point for point in source.charts["bitcoin"] if point[0] != milliseconds(late)]
    settings = {"coins": ["bitcoin", "dogecoin"], "start_date": "2026-05-01"}
    first = run_tap(CHART, **settings)

    partitions = first.state["bookmarks"][CHART]["partitions"]
    assert [(p["context"], p["replication_key"], p["replication_key_value"]) for p in partitions] == [
        ({"coin_id": coin, "vs_currency": "usd", "granularity": "daily"}, "stamp", "2026-05-18T00:00:00.000+00:00")
        for coin in ("bitcoin", "dogecoin")
    ]
    assert len(first.records(CHART)) == 18 + 17

    source.now += timedelta(days=1)
    for coin in source.charts:
        source.charts[coin] = midnights(TODAY - timedelta(days=730), TODAY + timedelta(days=1))
    second = run_tap(CHART, state=first.state, **settings)

    days = [(row["coin_id"], row["stamp_date"]) for row in second.records(CHART)]
    assert days == [(coin, f"2026-05-{day}") for coin in ("bitcoin", "dogecoin") for day in range(15, 20)]
    bookmarks = {p["replication_key_value"] for p in second.state["bookmarks"][CHART]["partitions"]}
    assert bookmarks == {"2026-05-19T00:00:00.000+00:00"}

    third = run_tap(CHART, state=second.state, **settings)
    assert third.state["bookmarks"] == second.state["bookmarks"]


@pytest.mark.usefixtures("year")
def test_the_overlap_never_reaches_before_the_start(run_tap: Callable[..., Any]) -> None:
    state = {
        "bookmarks": {
            CHART: {
                "partitions": [
                    {
                        "context": {"coin_id": "bitcoin", "vs_currency": "usd", "granularity": "daily"},
                        "replication_key": "stamp",
                        "replication_key_value": "2026-05-17T00:00:00.000+00:00",
                    }
                ]
            }
        }
    }

    rows = run_tap(CHART, state=state, start_date="2026-05-16").records(CHART)

    assert [row["stamp_date"] for row in rows] == ["2026-05-16", "2026-05-17", "2026-05-18"]


def test_amounts_are_written_as_they_came(
    source: Any, run_tap: Callable[..., Any], milliseconds: Callable[[datetime], int]
) -> None:
    values = ("0.123456789012345678", "123456789012345678901234", "7.821066970851871E-11")
    source.charts["bitcoin"] = [(milliseconds(TODAY), *values)]

    run = run_tap(CHART)

    for value in values:
        assert value in run.text
    row = run.records(CHART)[0]
    assert (row["price"], row["market_cap"], row["total_volume"]) == tuple(map(Decimal, values))


def test_a_finer_answer_is_refused(
    source: Any, run_tap: Callable[..., Any], milliseconds: Callable[[datetime], int]
) -> None:
    source.charts["bitcoin"] = [(milliseconds(TODAY - timedelta(hours=hour)), "1", "1", "1") for hour in range(500)]

    with pytest.raises(FatalSyncError, match="500 points, which are not daily; none was kept"):
        run_tap(CHART)
    assert '"RECORD"' not in run_tap.last.text  # type: ignore[attr-defined]


def test_now_is_the_sources_clock(source: Any, run_tap: Callable[..., Any], midnights: Callable[..., Any]) -> None:
    source.now = datetime(2031, 7, 1, 1, tzinfo=UTC)
    source.charts["bitcoin"] = midnights(datetime(2031, 1, 1, tzinfo=UTC), datetime(2031, 7, 1, tzinfo=UTC))

    run = run_tap(CHART)

    assert int(source.requests[-1].args["to"]) == int(source.now.timestamp())
    bookmark = run.state["bookmarks"][CHART]["partitions"][0]["replication_key_value"]
    assert bookmark == "2031-07-01T00:00:00.000+00:00"


def test_no_clock_but_the_sources(source: Any, run_tap: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(source), "date", "soon")

    with pytest.raises(FatalAPIError, match="no readable Date header"):
        run_tap(CHART)


def bookmarks(run: Any, stream: str) -> dict[str, str]:
    partitions = run.state["bookmarks"][stream]["partitions"]
    return {"/".join(p["context"].values()): p.get("replication_key_value") for p in partitions}


@pytest.fixture
def hours(source: Any, milliseconds: Callable[[datetime], int]) -> None:
    """Give the source four hundred days of bitcoin by the hour, some seconds late, with a live value at the end."""
    now = milliseconds(source.now)
    past = [now - now % HOUR - i * HOUR + 41_331 + i for i in range(9600, 0, -1)]
    source.hourly["bitcoin"] = [(stamp, f"{stamp}.25", None, "1") for stamp in [*past, now - 5_000]]


@pytest.mark.usefixtures("hours")
def test_hourly_windows(source: Any, run_tap: Callable[..., Any]) -> None:
    run = run_tap(CHART, granularities=["hourly"])

    assert source.paths() == ["/ping"] + ["/coins/bitcoin/market_chart/range"] * 5
    spans = [(int(first), int(last)) for first, last in source.asked("from", "to")[1:]]
    assert all(86_400 * 2 <= last - first <= 86_400 * 90 for first, last in spans)
    assert spans[-1][1] == int(source.now.timestamp())
    rows = run.records(CHART)
    start = source.now - timedelta(days=364)
    wanted = [stamp for stamp, *_ in source.hourly["bitcoin"][:-1] if stamp >= start.timestamp() * 1000]
    assert [round(datetime.fromisoformat(row["stamp"]).timestamp() * 1000) for row in rows] == wanted
    assert [row["price"] for row in rows] == [Decimal(f"{stamp}.25") for stamp in wanted]
    assert {(row["granularity"], row["market_cap"], row["total_volume"]) for row in rows} == {("hourly", None, 1)}
    assert bookmarks(run, CHART) == {"bitcoin/usd/hourly": rows[-1]["stamp"]}


@pytest.mark.usefixtures("hours", "year")
def test_both_granularities_have_bookmarks_of_their_own(source: Any, run_tap: Callable[..., Any]) -> None:
    settings = {"granularities": ["daily", "hourly"], "start_date": "2026-05-01"}
    first = run_tap(CHART, **settings)
    source.requests.clear()
    second = run_tap(CHART, state=first.state, **settings)

    marks = bookmarks(second, CHART)
    assert marks["bitcoin/usd/daily"] == "2026-05-18T00:00:00.000+00:00"
    assert marks["bitcoin/usd/hourly"].startswith("2026-05-18T11:00:41")
    assert len(source.requests) == 3
    hourly = [row["stamp"] for row in second.records(CHART) if row["granularity"] == "hourly"]
    # The overlap is read again, from the bookmark to the millisecond.
    assert len(hourly) == 3 * 24 + 1
    assert hourly[-1] == marks["bitcoin/usd/hourly"]


@pytest.mark.usefixtures("hours")
def test_a_broken_backfill_goes_on_at_its_window(source: Any, run_tap: Callable[..., Any], naps: list[float]) -> None:
    whole = run_tap(CHART, granularities=["hourly"])
    source.failures = [None, None, None, *(Response("", 500) for _ in range(5))]  # the ping and two windows pass
    with pytest.raises(FatalSyncError, match="HTTP 500"):
        run_tap(CHART, granularities=["hourly"])
    broken = run_tap.last  # type: ignore[attr-defined]
    source.requests.clear()

    rest = run_tap(CHART, granularities=["hourly"], state=broken.state)

    assert len(source.requests) == 1 + 3
    rows = {row["stamp"]: row for row in [*broken.records(CHART), *rest.records(CHART)]}
    assert sorted(rows) == [row["stamp"] for row in whole.records(CHART)]
    assert min(row["stamp"] for row in rest.records(CHART)) > min(rows)
    assert bookmarks(rest, CHART) == bookmarks(whole, CHART)


@pytest.mark.usefixtures("year", "hours")
@pytest.mark.parametrize("granularity", ["daily", "hourly"])
def test_an_earlier_start_date_fills_what_is_missing(
    source: Any, run_tap: Callable[..., Any], granularity: str
) -> None:
    settings = {"granularities": [granularity]}
    whole = run_tap(CHART, start_date="2025-09-01", **settings)
    late = run_tap(CHART, start_date="2026-05-01", **settings)
    earlier = run_tap(CHART, start_date="2025-09-01", state=late.state, **settings)
    again = run_tap(CHART, start_date="2025-09-01", state=earlier.state, **settings)

    assert earlier.records(CHART) == whole.records(CHART)
    assert bookmarks(earlier, CHART) == bookmarks(whole, CHART) == bookmarks(late, CHART)
    assert len(again.records(CHART)) < 80
    # A later start date takes nothing back, and does not make the next earlier one a new one.
    later = run_tap(CHART, start_date="2026-05-10", state=again.state, **settings)
    assert len(run_tap(CHART, start_date="2025-09-01", state=later.state, **settings).records(CHART)) < 80


@pytest.mark.usefixtures("hours")
def test_a_broken_filling_leaves_the_bookmark_where_it_was(
    source: Any, run_tap: Callable[..., Any], naps: list[float]
) -> None:
    late = run_tap(CHART, start_date="2026-05-01", granularities=["hourly"])
    source.failures = [None, None, *(Response("", 500) for _ in range(5))]  # the ping and a window pass
    with pytest.raises(FatalSyncError, match="HTTP 500"):
        run_tap(CHART, start_date="2025-09-01", granularities=["hourly"], state=late.state)
    broken = run_tap.last  # type: ignore[attr-defined]

    rest = run_tap(CHART, start_date="2025-09-01", granularities=["hourly"], state=broken.state)

    assert broken.records(CHART) != []
    assert bookmarks(broken, CHART) == bookmarks(late, CHART)
    # What is missing is still known to be missing.
    whole = run_tap(CHART, start_date="2025-09-01", granularities=["hourly"])
    assert rest.records(CHART) == whole.records(CHART)


@pytest.mark.usefixtures("year", "hours")
@pytest.mark.parametrize("granularity", ["daily", "hourly"])
def test_a_plan_that_reaches_less_far_than_it_says(
    source: Any, run_tap: Callable[..., Any], granularity: str, caplog: pytest.LogCaptureFixture
) -> None:
    source.reach = timedelta(days=365)
    source.charts["dogecoin"], source.hourly["dogecoin"] = source.charts["bitcoin"], source.hourly["bitcoin"]
    settings = {"plan": "basic", "api_key": "CG-x", "coins": ["bitcoin", "dogecoin"], "granularities": [granularity]}

    with caplog.at_level(logging.WARNING):
        run = run_tap(CHART, **settings)

    rows = run.records(CHART)
    oldest = {coin: min(row["stamp"] for row in rows if row["coin_id"] == coin) for coin in ("bitcoin", "dogecoin")}
    assert {stamp[:10] for stamp in oldest.values()} <= {"2025-05-19", "2025-05-20"}
    # 729, 722 and 700 days are refused once, not once for each coin.
    refused = [
        first for (first,) in source.asked("from") if first and int(first) < (source.now - source.reach).timestamp()
    ]
    assert len(refused) == 3
    assert "code 10012" in caplog.text
    assert "asking again from 2025-05-19 on, what lies before is left out" in caplog.text
    assert "`start_date`" in caplog.text
    # The next run tries the plan again, and then goes on from the bookmarks.
    again = run_tap(CHART, state=run.state, **settings)
    assert len(again.records(CHART)) < len(rows) / 2
    assert bookmarks(again, CHART) == bookmarks(run, CHART)


@pytest.mark.usefixtures("year")
def test_a_reach_of_nothing_is_told_for_each_coin(source: Any, run_tap: Callable[..., Any]) -> None:
    source.reach = timedelta(days=1)
    source.charts["dogecoin"] = source.charts["bitcoin"]

    with pytest.raises(FatalSyncError) as caught:
        run_tap(CHART, coins=["bitcoin", "dogecoin"])

    assert str(caught.value).count("code 10012") == 2
    assert len(source.requests) < 12


@pytest.mark.usefixtures("year")
def test_a_start_to_come_costs_no_call(source: Any, run_tap: Callable[..., Any]) -> None:
    run = run_tap(CHART, TOKEN, start_date="2027-01-01")

    assert run.records(CHART) + run.records(TOKEN) == []
    assert source.paths() == ["/ping"]


@pytest.mark.parametrize("value", ["x", 5, {"a": 1}])
def test_a_bookmark_that_is_no_time(run_tap: Callable[..., Any], value: Any) -> None:
    context = {"coin_id": "bitcoin", "vs_currency": "usd", "granularity": "daily"}
    state = {"bookmarks": {CHART: {"partitions": [{"context": context, "replication_key_value": value}]}}}

    with pytest.raises(
        FatalAPIError, match=r"of coingecko_market_chart of bitcoin, usd, daily is .*, which is no time"
    ):
        run_tap(CHART, state=state)


def test_an_unknown_key_beside_the_arrays(
    source: Any, run_tap: Callable[..., Any], caplog: pytest.LogCaptureFixture, milliseconds: Callable[[datetime], int]
) -> None:
    source.answers["/coins/bitcoin/market_chart/range"] = (
        f'{{"prices":[[{milliseconds(TODAY)},1]],"total_supplies":[[{milliseconds(TODAY)},2]]}}'
    )

    rows = run_tap(CHART).records(CHART)

    assert [row["price"] for row in rows] == [1]
    assert "also holds total_supplies, which is not read" in caplog.text


@pytest.mark.usefixtures("year")
@pytest.mark.parametrize("stream", [CHART, TOKEN])
def test_a_catalog_that_asks_for_the_full_table(source: Any, run_at: Callable[..., Any], stream: str) -> None:
    catalog = TapCoinGecko(config={}).catalog_dict
    for entry in catalog["streams"]:
        entry["replication_method"] = "FULL_TABLE"
        entry.pop("replication_key", None)
        for metadata in entry["metadata"]:
            metadata["metadata"].pop("valid-replication-keys", None)
    settings = {"coins": ["bitcoin"], "start_date": "2026-05-01", "catalog": catalog}

    first = run_at(source.url, stream, **settings)
    again = run_at(source.url, stream, state=first.state, **settings)

    assert len(again.records(stream)) == len(first.records(stream)) == 18
