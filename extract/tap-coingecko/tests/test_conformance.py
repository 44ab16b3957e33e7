"""The SDK's conformance suite, all streams, against a simulator whose objects have an undocumented key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_coingecko.tap import TapCoinGecko

# The suite builds the tap while tests are collected; the address is filled in once the simulator runs.
KEYLESS: dict[str, Any] = {
    "requests_per_minute": 100_000,
    "api_url": "http://127.0.0.1:9",
    "data_origin": "simulator",
    "granularities": ["daily", "hourly"],
    "start_date": "2024-09-01",
}
ANALYST = {**KEYLESS, "plan": "analyst", "api_key": "CG-x"}
SUITE = SuiteConfig(max_records_limit=20)


@pytest.fixture(scope="module", autouse=True)
def _address(start_simulator: Callable[..., Any]) -> None:
    simulator = start_simulator("--quirks", "coingecko-extra-keys")
    KEYLESS["api_url"], ANALYST["api_url"] = simulator.api("keyless"), simulator.api("analyst")


# Some columns are null for these coins, such as contract addresses of a chain's own coin; the SDK warns of each.
@pytest.mark.filterwarnings("ignore:No records were available to test:UserWarning")
class TestKeyless(get_tap_test_class(TapCoinGecko, config=KEYLESS, suite_config=SUITE)):  # type: ignore[misc]
    """Without a key."""


@pytest.mark.filterwarnings("ignore:No records were available to test:UserWarning")
class TestAnalyst(get_tap_test_class(TapCoinGecko, config=ANALYST, suite_config=SUITE)):  # type: ignore[misc]
    """With a paid plan."""
