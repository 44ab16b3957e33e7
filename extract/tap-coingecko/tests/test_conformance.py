"""The SDK's conformance suite, against the local stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pytest_httpserver import HTTPServer
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_coingecko.tap import TapCoinGecko

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The suite builds the tap while tests are collected; its address is filled in once a server runs.
SETTINGS: dict[str, Any] = {
    "requests_per_minute": 100_000,
    "api_url": "http://127.0.0.1:9",
    "coins": ["bitcoin"],
    "granularities": ["daily", "hourly"],
}


# The stand-in's rows leave columns out, and the tap makes those null; the SDK warns of each.
@pytest.mark.filterwarnings("ignore:No records were available to test:UserWarning")
class TestStandIn(get_tap_test_class(TapCoinGecko, config=SETTINGS, suite_config=SuiteConfig(max_records_limit=20))):  # type: ignore[misc]
    @pytest.fixture(scope="class", autouse=True)
    @staticmethod
    def serve(make_source: Callable[..., Any], furnish: Callable[..., Any]) -> Iterator[None]:
        with HTTPServer() as server, pytest.MonkeyPatch.context() as patch:
            source = make_source(server, patch)
            furnish(source)
            SETTINGS["api_url"] = source.url
            yield
