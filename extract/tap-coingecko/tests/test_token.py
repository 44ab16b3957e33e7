"""`coingecko_token`: what a project that used the Hub's tap finds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tap_coingecko.charts import Point
from tap_coingecko.shared import Answer, SharedAnswers
from tap_coingecko.tap import TapCoinGecko
from tap_coingecko.windows import Window

CHART = "coingecko_market_chart"
TOKEN = "coingecko_token"
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


#: Bitcoin in May 2026, with the anomalies of a daily series: a stray second stamp, one off midnight without a market
#: cap and a volume, a day that is missing, and the live value.
MAY = """{"prices":
    [[1778803200000, 1.25], [1778803620000, 8], [1778889900000, 4], [1779062400000, 5e-11], [1779105580000, 9]],
  "market_caps":
    [[1778803200000, 2], [1778803620000, 8], [1779062400000, 6], [1779105580000, 9]],
  "total_volumes":
    [[1778803200000, 3], [1778803620000, 8], [1778889900000, null], [1779062400000, 7], [1779105580000, 9]]
}"""


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


def test_rows(simulator: Any, run_tap: Callable[..., Any]) -> None:
    simulator.fault("market_chart", body=MAY)

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


def test_a_point_that_came_late_takes_the_place_of_another(simulator: Any, run_tap: Callable[..., Any]) -> None:
    simulator.fault("market_chart", body=MAY)
    simulator.fault("market_chart", body=MAY.replace("[1778889900000, 4]", "[1778889600000, 4.5], [1778889900000, 4]"))
    first = run_tap(TOKEN)

    rows = {row["date"]: row["price_usd"] for row in run_tap(TOKEN, state=first.state).records(TOKEN)}

    assert rows == {"2026-05-15": Decimal("1.25"), "2026-05-16": Decimal("4.5"), "2026-05-18": Decimal("5e-11")}


def test_a_date_whose_midnight_was_not_asked_for_is_left_out(simulator: Any, run_tap: Callable[..., Any]) -> None:
    """History begins at noon of 2025-05-19: a point of that afternoon is none that stands for the day."""
    simulator.post("anomalies", {"coin": "bitcoin", "day": "2025-05-19", "change": "doubled", "seconds": 13 * 3600})

    run = run_tap(CHART, TOKEN)

    assert run.records(CHART)[0]["stamp"] == "2025-05-19T13:00:00.000+00:00"
    assert run.records(TOKEN)[0]["date"] == "2025-05-20"


@pytest.mark.parametrize("start", ["2025-09-01", "2026-05-17"])
def test_rows_begin_with_the_start_date_itself(run_tap: Callable[..., Any], start: str) -> None:
    assert run_tap(TOKEN, start_date=start).records(TOKEN)[0]["date"] == start


def test_it_is_in_dollars_whatever_the_currencies(sent: Any, run_tap: Callable[..., Any]) -> None:
    run_tap(TOKEN, vs_currencies=["eur"])

    assert sent.asked("vs_currency") == [("",), ("usd",)]


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
    simulator: Any, run_tap: Callable[..., Any], settings: dict[str, Any], calls: int
) -> None:
    alone = run_tap(TOKEN, **settings).records(TOKEN)
    simulator.clear("requests")

    both = run_tap(CHART, TOKEN, **settings)

    assert both.records(TOKEN) == alone
    assert simulator.paths() == ["/coins/bitcoin/market_chart/range"] * calls


def test_what_reaches_back_less_far_is_not_shared(sent: Any, run_tap: Callable[..., Any]) -> None:
    chart = run_tap(CHART)
    sent.clear()

    both = run_tap(CHART, TOKEN, state=chart.state)

    assert sent.paths == ["/ping"] + ["/coins/bitcoin/market_chart/range"] * 2
    assert both.records(TOKEN)[0]["date"] == "2025-05-20"


def test_charts_for_the_other_stream_are_kept_up_to_a_hundred_thousand_points() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    window = Window(since, since, since, ends_now=True)
    answers = SharedAnswers()

    def keep(coin: str, points: int) -> None:
        answers.keep(coin, Answer(since, [Point(since, 1, 1, 1)] * points))

    def held(coin: str) -> bool:
        return answers.take(coin, window) is not None

    keep("a", 100_001)
    assert not held("a")
    keep("b", 60_000)
    keep("c", 40_001)
    keep("d", 40_000)
    keep("e", 1)
    assert (held("b"), held("c"), held("d"), held("e")) == (True, False, True, False)
    # Each is handed out once, and leaves its space to others.
    assert not held("b")
    keep("f", 100_000)
    assert held("f")


def test_charts_are_kept_only_for_a_stream_that_is_read(simulator: Any) -> None:
    tap = TapCoinGecko(config={"api_url": simulator.api(), "coins": ["bitcoin"], "requests_per_minute": 100_000})
    for name, stream in tap.streams.items():
        stream.selected = name == CHART

    tap.sync_all()

    now = simulator.now
    assert tap.answers.take("bitcoin", Window(now, now, now, ends_now=True)) is None


def test_a_chart_that_begins_later_is_not_handed_out() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    answers = SharedAnswers()
    for earlier, handed in ((timedelta(0), True), (timedelta(seconds=1), False)):
        answers.keep("bitcoin", Answer(since, []))
        window = Window(since - earlier, since, since - earlier, ends_now=True)
        assert (answers.take("bitcoin", window) is not None) is handed


@pytest.mark.parametrize("coins", ["bitcoin", " bitcoin ,", ["bitcoin"]])
def test_the_hubs_settings(simulator: Any, sent: Any, coins: str | list[str], naps: list[float]) -> None:
    """A configuration of the Hub's tap, `wait_time_between_requests` and `token` included."""
    given = {"token": coins} if isinstance(coins, str) else {"coins": coins}
    tap = TapCoinGecko(
        config={"api_url": simulator.api(), "start_date": "2026-01-01", "wait_time_between_requests": 5, **given}
    )
    for name, stream in tap.streams.items():
        stream.selected = name == TOKEN

    tap.sync_all()

    assert tap.config["coins"] == ["bitcoin"]
    assert sent.paths == ["/ping", "/coins/bitcoin/market_chart/range"]
    assert len(naps) == 1
    assert 4 < naps[0] <= 5
