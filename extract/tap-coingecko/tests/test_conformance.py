"""The SDK's conformance suite, against the local stand-in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from pytest_httpserver import HTTPServer
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_coingecko.tap import TapCoinGecko

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The suite builds the tap while tests are collected; its address is filled in once a server runs.
SETTINGS: dict[str, Any] = {"requests_per_minute": 100_000, "api_url": "http://127.0.0.1:9", "coins": ["bitcoin"]}

MARKET_ROW = json.dumps(
    {
        "id": "bitcoin",
        "symbol": "btc",
        "name": "Bitcoin",
        "image": "https://example.org/bitcoin.png",
        "market_cap_rank": 1,
        "max_supply": None,
        "roi": {"times": 1.5, "currency": "btc", "percentage": 150},
        **dict.fromkeys(("ath_date", "atl_date", "last_updated"), "2026-05-18T11:59:00.123Z"),
        **dict.fromkeys(
            (
                "current_price",
                "market_cap",
                "fully_diluted_valuation",
                "total_volume",
                "high_24h",
                "low_24h",
                "price_change_24h",
                "price_change_percentage_24h",
                "market_cap_change_24h",
                "market_cap_change_percentage_24h",
                "circulating_supply",
                "total_supply",
                "ath",
                "ath_change_percentage",
                "atl",
                "atl_change_percentage",
            ),
            12.5,
        ),
    }
)


class TestStandIn(get_tap_test_class(TapCoinGecko, config=SETTINGS, suite_config=SuiteConfig(max_records_limit=20))):  # type: ignore[misc]
    @pytest.fixture(scope="class", autouse=True)
    @staticmethod
    def serve(make_source: Callable[..., Any]) -> Iterator[None]:
        with HTTPServer() as server, pytest.MonkeyPatch.context() as patch:
            source = make_source(server, patch)
            today = datetime(2026, 5, 18, tzinfo=UTC)
            days = [today - timedelta(days=day) for day in range(99, -1, -1)]
            source.charts["bitcoin"] = [(int(day.timestamp()) * 1000, "1.5", "2", "3") for day in days]
            source.markets["bitcoin"] = MARKET_ROW
            SETTINGS["api_url"] = source.url
            yield
