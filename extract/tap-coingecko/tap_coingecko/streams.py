"""The tap's streams."""

from __future__ import annotations

import sys
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.exceptions import FatalAPIError

from tap_coingecko.charts import completed_points, looks_daily
from tap_coingecko.client import CoinGeckoStream, response_time
from tap_coingecko.schemas import CHART_SCHEMA, MARKETS_SCHEMA
from tap_coingecko.settings import MAX_COINS, parse_start_date
from tap_coingecko.windows import Window, daily_window

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    import requests
    from singer_sdk.helpers.types import Context, Record

#: How far before the bookmark an incremental run reads again: points arrive late, some after days.
OVERLAP = timedelta(days=3)


class CoinsMarketsStream(CoinGeckoStream):
    """A snapshot of the configured coins, stamped with the source's own time."""

    name = "coingecko_coins_markets"
    path = "/coins/markets"
    schema: ClassVar[dict[str, Any]] = MARKETS_SCHEMA
    primary_keys: ClassVar[tuple[str, ...]] = ("id", "vs_currency", "observed_at")

    @property
    @override
    def partitions(self) -> list[dict[str, str]]:
        return [{"vs_currency": currency} for currency in self.config["vs_currencies"]]

    @override
    def get_url_params(self, context: Context | None, next_page_token: Any | None) -> dict[str, Any]:
        return {
            "vs_currency": (context or {})["vs_currency"],
            "ids": ",".join(self.config["coins"]),
            "per_page": MAX_COINS,
            "precision": "full",
        }

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        missing = dict.fromkeys(self.config["coins"])
        for row in super().get_records(context):
            missing.pop(row["id"], None)
            yield row
        if missing:  # the source leaves out what it does not know, without a word
            raise FatalAPIError(f"CoinGecko knows no coin {', '.join(missing)}; check `coins`, which takes ids")

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        observed_at = response_time(response).isoformat()
        rows = response.json(parse_float=Decimal)
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
            raise FatalAPIError(f"CoinGecko's answer to {self.relative_path(response)} is no list of coins")
        for row in rows:
            yield {**row, "observed_at": observed_at}


class MarketChartStream(CoinGeckoStream):
    """Daily price, market capitalisation and volume: one call per coin and currency."""

    name = "coingecko_market_chart"
    path = "/coins/{coin_id}/market_chart/range"
    schema: ClassVar[dict[str, Any]] = CHART_SCHEMA
    primary_keys: ClassVar[tuple[str, ...]] = ("coin_id", "vs_currency", "granularity", "stamp")
    replication_key = "stamp"
    # Rows come in order, so a bookmark may move with each; the overlap starts below the last one, so it is not checked.
    is_sorted = True
    check_sorted = False

    _window: Window

    @property
    @override
    def partitions(self) -> list[dict[str, str]]:
        # The SDK keeps one bookmark per partition and puts the partition's columns into each row.
        return [
            {"coin_id": coin, "vs_currency": currency}
            for coin in self.config["coins"]
            for currency in self.config["vs_currencies"]
        ]

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        wanted = self._wanted_start(context)
        self._window = daily_window(self.source_now(), wanted, self.plan.reach_days)
        if wanted is not None and wanted < self._window.keep_from:
            self.logger.warning(
                "%s: %s is beyond the reach of plan %s; reading from %s on",
                " in ".join((context or {}).values()),
                wanted.date(),
                self.config["plan"],
                self._window.keep_from.date(),
            )
        yield from super().get_records(context)

    @override
    def get_url_params(self, context: Context | None, next_page_token: Any | None) -> dict[str, Any]:
        return {
            "vs_currency": (context or {})["vs_currency"],
            "from": int(self._window.ask_from.timestamp()),
            "to": int(self._window.ask_to.timestamp()),
            "precision": "full",
        }

    @override
    def parse_response(self, response: requests.Response) -> Iterable[Record]:
        path = self.relative_path(response)
        try:
            points = completed_points(response.json(parse_float=Decimal), response_time(response))
        except (ValueError, OverflowError) as error:
            raise FatalAPIError(f"CoinGecko's answer to {path} is no chart: {error}") from error
        if not looks_daily(points):
            raise FatalAPIError(f"CoinGecko answered {path} with {len(points)} points, finer than daily; none was kept")
        for point in points:
            if point.stamp >= self._window.keep_from:
                yield {
                    "granularity": "daily",
                    "stamp": point.stamp.isoformat(timespec="milliseconds"),
                    "stamp_date": point.stamp.date().isoformat(),
                    "price": point.price,
                    "market_cap": point.market_cap,
                    "total_volume": point.total_volume,
                }

    def _wanted_start(self, context: Context | None) -> datetime | None:
        starts = []
        if start_date := self.config.get("start_date"):
            starts.append(parse_start_date(start_date))
        if (bookmark := self.get_starting_timestamp(context)) is not None:
            starts.append(bookmark - OVERLAP)
        return max(starts, default=None)
