"""The SDK's own conformance tests, against the simulator."""

from __future__ import annotations

from typing import Any

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_blockchair.tap import TapBlockchair

SUITE = SuiteConfig(max_records_limit=150)


def _config(channel: str) -> dict[str, Any]:
    return {"channel": channel, "data_origin": "simulator", "requests_per_minute": 10_000}


AUTO, API = _config("auto"), _config("api")


@pytest.fixture(scope="module", autouse=True)
def _address(_world: Any) -> None:
    """Fill in where the simulator listens, which is not known when the SDK makes the classes below."""
    for config in (AUTO, API):
        config.update(api_url=_world.url, dumps_url=_world.dumps)


# Some columns are null in every row, `_line` on the API's for instance; the SDK warns of each.
@pytest.mark.filterwarnings("ignore:No records were available to test:UserWarning")
class TestAuto(get_tap_test_class(TapBlockchair, config=AUTO, suite_config=SUITE, parse_env_config=False)):  # type: ignore[misc]
    """Dumps, statistics and addresses of the three chains."""


@pytest.mark.filterwarnings("ignore:No records were available to test:UserWarning")
class TestApi(get_tap_test_class(TapBlockchair, config=API, suite_config=SUITE, parse_env_config=False)):  # type: ignore[misc]
    """Blocks, statistics and addresses of the three chains from the API."""
