"""`coingecko_token`: what a project that used the Hub's tap finds."""

# ruff: noqa: ANN401 - the stand-in is a fixture, and its class lives in conftest, which tests do not import
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tap_coingecko.tap import TapCoinGecko

if TYPE_CHECKING:
    from collections.abc import Callable

CHART = "coingecko_market_chart"
TOKEN = "coingecko_token"
TODAY = datetime(2026, 5, 18, tzinfo=UTC)
#: The stream of the Hub's tap: column and JSON types, without "null".
HUB = {
    "date": {"string"},
    "price_usd": {"number"},
    "market_cap_usd": {"number"},
    "total_volume_usd": {"number"},
    "community_data": {"object"},
    "public_interest_stats": {"object"},
}
HUB_COMMUNITY = {
    "twitter_followers": {"number"},
    "reddit_average_posts_48h": {"number"},
    "reddit_average_comments_48h": {"number"},
    "reddit_subscribers": {"number"},
    "reddit_accounts_active_48h": {"string"},
}


@pytest.fixture
def days(source: Any, milliseconds: Callable[[datetime], int]) -> None:
    """Bitcoin in May 2026, with the oddities of a daily series."""
    live = source.now - timedelta(seconds=20)
    points = [
        (TODAY - timedelta(days=3), "1.25", "2", "3"),
        (TODAY - timedelta(days=3) + timedelta(minutes=7), "8", "8", "8"),
        (TODAY - timedelta(days=2) + timedelta(minutes=5), "4", None, "null"),
        (TODAY, "5e-11", "6", "7"),
        (live, "9", "9", "9"),
    ]
    source.charts["bitcoin"] = [(milliseconds(stamp), *values) for stamp, *values in points]


def types(properties: dict[str, Any]) -> dict[str, set[str]]:
    return {name: {*([t] if isinstance(t := p["type"], str) else t)} - {"null"} for name, p in properties.items()}


def test_the_schema_is_the_hubs_with_the_coin() -> None:
    stream = TapCoinGecko(config={}).streams[TOKEN]

    properties = stream.schema["properties"]
    assert types(properties) == {"coin_id": {"string"}, **HUB}
    # A date that were typed as one would be another column type in the warehouse.
    assert "format" not in properties["date"]
    assert types(properties["community_data"]["properties"]) == HUB_COMMUNITY
    assert types(properties["public_interest_stats"]["properties"]) == {"alexa_rank": {"number"}}
    assert tuple(stream.primary_keys) == ("coin_id", "date")


@pytest.mark.usefixtures("days")
def test_rows(run_tap: Callable[..., Any]) -> None:
    run = run_tap(TOKEN)

    # The date is that of the point's own midnight, whose value it is; the first stamp of a date stands for it.
    expected = [("2026-05-15", "1.25", 2, 3), ("2026-05-16", "4", None, None), ("2026-05-18", "5e-11", 6, 7)]
    assert run.records(TOKEN) == [
        {
            "coin_id": "bitcoin",
            "date": date,
            "price_usd": Decimal(price),
            "market_cap_usd": market_cap,
            "total_volume_usd": volume,
            "community_data": None,
            "public_interest_stats": None,
        }
        for date, price, market_cap, volume in expected
    ]
    (partition,) = run.state["bookmarks"][TOKEN]["partitions"]
    assert (partition["replication_key"], partition["replication_key_value"]) == ("date", "2026-05-18")


@pytest.mark.usefixtures("days")
def test_a_point_that_came_late_takes_the_place_of_another(
    source: Any, run_tap: Callable[..., Any], milliseconds: Callable[[datetime], int]
) -> None:
    first = run_tap(TOKEN)
    source.charts["bitcoin"].insert(2, (milliseconds(TODAY - timedelta(days=2)), "4.5", "4", "4"))

    rows = {row["date"]: row["price_usd"] for row in run_tap(TOKEN, state=first.state).records(TOKEN)}

    assert rows == {"2026-05-15": Decimal("1.25"), "2026-05-16": Decimal("4.5"), "2026-05-18": Decimal("5e-11")}


@pytest.mark.usefixtures("days")
def test_it_is_in_dollars_whatever_the_currencies(source: Any, run_tap: Callable[..., Any]) -> None:
    run_tap(TOKEN, vs_currencies=["eur"])

    assert source.asked("vs_currency") == [("",), ("usd",)]


@pytest.mark.usefixtures("days")
@pytest.mark.parametrize(
    ("settings", "calls"),
    [
        pytest.param({}, 1, id="shared"),
        pytest.param({"vs_currencies": ["eur", "usd"]}, 2, id="shared among currencies"),
        pytest.param({"vs_currencies": ["eur"]}, 2, id="nothing to share"),
        pytest.param({"granularities": ["hourly"], "start_date": "2026-05-01"}, 2, id="no daily points to share"),
    ],
)
def test_the_two_streams_share_a_call(
    source: Any, run_tap: Callable[..., Any], settings: dict[str, Any], calls: int
) -> None:
    alone = run_tap(TOKEN, **settings).records(TOKEN)
    source.requests.clear()

    both = run_tap(CHART, TOKEN, **settings)

    assert both.records(TOKEN) == alone
    assert len(source.requests) == 1 + calls


@pytest.mark.usefixtures("days")
def test_what_reaches_back_less_far_is_not_shared(source: Any, run_tap: Callable[..., Any]) -> None:
    chart = run_tap(CHART)
    source.charts["bitcoin"] = source.charts["bitcoin"][2:]
    source.charts["bitcoin"].insert(0, ((int(TODAY.timestamp()) - 86_400 * 200) * 1000, "1", "1", "1"))
    source.requests.clear()

    both = run_tap(CHART, TOKEN, state=chart.state)

    assert source.paths() == ["/ping"] + ["/coins/bitcoin/market_chart/range"] * 2
    assert both.records(TOKEN)[0]["date"] == (TODAY - timedelta(days=200)).date().isoformat()


@pytest.mark.parametrize("coins", ["bitcoin", " bitcoin ,", ["bitcoin"]])
def test_the_hubs_settings(source: Any, run_tap: Callable[..., Any], coins: str | list[str], naps: list[float]) -> None:
    """A configuration of the Hub's tap, `wait_time_between_requests` and `token` included."""
    source.charts["bitcoin"] = [(int(TODAY.timestamp()) * 1000, "1", "1", "1")]
    given = {"token": coins} if isinstance(coins, str) else {"coins": coins}
    tap = TapCoinGecko(
        config={"api_url": source.url, "start_date": "2026-01-01", "wait_time_between_requests": 5, **given}
    )
    for name, stream in tap.streams.items():
        stream.selected = name == TOKEN

    tap.sync_all()

    assert tap.config["coins"] == ["bitcoin"]
    assert source.paths() == ["/ping", "/coins/bitcoin/market_chart/range"]
    assert len(naps) == 1
    assert 4 < naps[0] <= 5
