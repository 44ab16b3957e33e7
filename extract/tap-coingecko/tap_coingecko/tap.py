"""The tap: settings, streams, and how failures are told."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError, FatalSyncError, RetriableSyncError

from tap_coingecko.plans import PLANS
from tap_coingecko.session import Pace, SourceSession
from tap_coingecko.settings import CONFIG_JSONSCHEMA, find_problems, without_empty
from tap_coingecko.streams import CoinsMarketsStream, MarketChartStream

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_coingecko.client import CoinGeckoStream


class TapCoinGecko(Tap):
    """Singer tap for the CoinGecko API v3."""

    name = "tap-coingecko"
    package_name = "tap-coingecko"
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG_JSONSCHEMA

    @cached_property
    def session(self) -> SourceSession:
        """The HTTP session that all streams share."""
        pace = self.config.get("requests_per_minute") or PLANS[self.config["plan"]].requests_per_minute
        return SourceSession(Pace(pace))

    @override
    def discover_streams(self) -> Sequence[CoinGeckoStream]:
        return [CoinsMarketsStream(tap=self), MarketChartStream(tap=self)]

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        self._config = without_empty(self._config)
        errors = super()._validate_config(raise_errors=False) or find_problems(self.config)
        # A schema error quotes the value it refuses, which must not happen to a key.
        errors = ["Setting `api_key` must be text." if "['api_key']" in error else error for error in errors]
        if errors and raise_errors:
            raise ConfigValidationError("Config validation failed", errors=errors, schema=self.config_jsonschema)
        return errors

    @classmethod
    @override
    def invoke(cls, **kwargs: Any) -> None:
        """Run the tap; an expected failure ends in one sentence and exit status 1."""
        try:
            super().invoke(**kwargs)
        except (FatalSyncError, RetriableSyncError) as error:
            cls.logger.error("%s. What was sent before is kept; run again to go on from there.", error)  # noqa: TRY400
            sys.exit(1)
