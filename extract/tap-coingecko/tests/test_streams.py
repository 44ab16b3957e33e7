# ruff: noqa: ANN401 - the stand-in is a fixture, and its class lives in conftest, which tests do not import
from __future__ import annotations

import csv
import json
import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import FatalAPIError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHART = "coingecko_market_chart"
MARKETS = "coingecko_coins_markets"
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
    assert "bitcoin in usd: 2024-01-01 is beyond the reach of plan keyless; reading from 2025-05-19 on" in caplog.text


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
        ({"coin_id": coin, "vs_currency": "usd"}, "stamp", "2026-05-18T00:00:00.000+00:00")
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
    assert third.state == second.state


@pytest.mark.usefixtures("year")
def test_the_overlap_never_reaches_before_the_start(run_tap: Callable[..., Any]) -> None:
    state = {
        "bookmarks": {
            CHART: {
                "partitions": [
                    {
                        "context": {"coin_id": "bitcoin", "vs_currency": "usd"},
                        "replication_key": "stamp",
                        "replication_key_value": "2026-05-17T00:00:00.000+00:00",
                    }
                ]
            }
        }
    }

    rows = run_tap(CHART, state=state, start_date="2026-05-16").records(CHART)

    assert [row["stamp_date"] for row in rows] == ["2026-05-16", "2026-05-17", "2026-05-18"]


def test_every_row_of_a_real_export(
    source: Any, run_tap: Callable[..., Any], samples: Path, milliseconds: Callable[[datetime], int]
) -> None:
    with next((samples / "csv").glob("eth-usd-max.*.csv")).open() as file:
        export = list(csv.DictReader(file))
    expected = [
        (datetime.strptime(row["snapped_at"], "%Y-%m-%d %H:%M:%S %Z").replace(tzinfo=UTC), row) for row in export
    ]
    source.now = datetime(2025, 1, 14, 12, tzinfo=UTC)
    amounts = ("price", "market_cap", "total_volume")
    source.charts["ethereum"] = [
        (milliseconds(stamp), *(row[name] or "null" for name in amounts)) for stamp, row in expected
    ]

    run = run_tap(CHART, coins=["ethereum"], plan="analyst", api_key="CG-test")

    assert [
        (datetime.fromisoformat(row["stamp"]), row["stamp_date"], *(row[name] for name in amounts))
        for row in run.records(CHART)
    ] == [
        (stamp, stamp.date().isoformat(), *(Decimal(row[name]) if row[name] else None for name in amounts))
        for stamp, row in expected
    ]
    assert len(expected) == 3448
    assert sum(stamp.time().isoformat() != "00:00:00" for stamp, _ in expected) == 2
    assert len(source.requests) == 2


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

    with pytest.raises(FatalAPIError, match="finer than daily"):
        run_tap(CHART)


def test_markets_snapshot(source: Any, run_tap: Callable[..., Any], samples: Path) -> None:
    text = json.dumps(json.loads((samples / "api/coins_markets.200.json").read_text())["body"][0])
    document = json.loads((samples / "api/coins_markets.200.json").read_text(), parse_float=Decimal)["body"][0]
    source.markets["bitcoin"] = text

    rows = run_tap(MARKETS, vs_currencies=["usd", "eur"]).records(MARKETS)

    asked = source.requests[0].args
    assert (asked["vs_currency"], asked["ids"], asked["precision"]) == ("usd", "bitcoin", "full")
    assert source.paths() == ["/coins/markets"] * 2
    assert [row["vs_currency"] for row in rows] == ["usd", "eur"]
    assert {row["observed_at"] for row in rows} == {"2026-05-18T12:00:00+00:00"}
    snapshot = {name: rows[0][name] for name in document if name in rows[0]}
    assert snapshot == {name: document[name] for name in snapshot}
    assert len(snapshot) == 26
    assert rows[0]["circulating_supply"] == Decimal("20030493.0")


def test_a_coin_the_source_leaves_out_is_told(source: Any, run_tap: Callable[..., Any]) -> None:
    source.markets["bitcoin"] = '{"id":"bitcoin","symbol":"btc","name":"Bitcoin"}'

    with pytest.raises(FatalAPIError, match="no coin bitcoinn, dogecion"):
        run_tap(MARKETS, coins=["bitcoin", "bitcoinn", "dogecion"])
    assert '"id":"bitcoin"' in run_tap.text.replace(" ", "")  # type: ignore[attr-defined]


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
