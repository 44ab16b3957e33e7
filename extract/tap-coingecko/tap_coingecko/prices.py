"""The streams of prices: `coingecko_market_chart`, and `coingecko_token`, which older projects know."""

from __future__ import annotations

from abc import ABC
from datetime import datetime, time
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_coingecko import answers
from tap_coingecko.charts import SERIES, completed_points, first_of_each_date, fits
from tap_coingecko.client import response_time
from tap_coingecko.errors import AsideError
from tap_coingecko.history import HistoryStream
from tap_coingecko.schemas import CHART_SCHEMA, TOKEN_SCHEMA
from tap_coingecko.shared import Answer
from tap_coingecko.windows import (
    HISTORY_START,
    HOURLY_START,
    Granularity,
    Window,
    daily_window,
    hourly_window,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk.helpers.types import Record

USD = "usd"


class ChartStream(HistoryStream, ABC):
    """A stream that reads market charts by span."""

    path = "/coins/{coin_id}/market_chart/range"

    @override
    def oldest(self, part: Mapping[str, str]) -> datetime:
        return HISTORY_START if _granularity(part) is Granularity.DAILY else HOURLY_START

    @override
    def window(self, part: Mapping[str, str], now: datetime, wanted: datetime, floor: datetime) -> Window:
        compute = daily_window if _granularity(part) is Granularity.DAILY else hourly_window
        return compute(now, wanted, floor)

    def chart(self, part: Mapping[str, str], window: Window) -> Answer:
        """Ask for a chart, and give all completed points of the answer.

        Raises:
            AsideError: If it is no chart, or one of another granularity.
        """
        granularity = _granularity(part)
        response = self.ask(
            self.path.replace("{coin_id}", part["coin_id"]),
            vs_currency=part.get("vs_currency", USD),
            precision="full",
            **{"from": int(window.ask_from.timestamp()), "to": int(window.ask_to.timestamp())},
        )
        path, now = self.relative_path(response), response_time(response)
        body = answers.read(response)
        try:
            points = completed_points(body, now, granularity, ends_now=window.ends_now)
        except ValueError as error:
            raise AsideError(f"CoinGecko's answer to {path} is no chart: {error}") from error
        if not fits(points, granularity):
            raise AsideError(
                f"CoinGecko answered {path} with {len(points)} points, which are not {granularity.value}; none was kept"
            )
        if unknown := body.keys() - SERIES:
            self.logger.warning("%s also holds %s, which is not read", path, self.redacted(", ".join(sorted(unknown))))
        return Answer(window.ask_from, points)


class MarketChartStream(ChartStream):
    """Price, market capitalisation and volume of each stamp: daily, hourly or both."""

    name = "coingecko_market_chart"
    schema: ClassVar[dict[str, Any]] = CHART_SCHEMA
    primary_keys: ClassVar[tuple[str, ...]] = ("coin_id", "vs_currency", "granularity", "stamp")
    replication_key = "stamp"

    @property
    @override
    def partitions(self) -> list[dict[str, str]]:
        return self.pairs(*self.config["granularities"])

    @override
    def rows(self, part: Mapping[str, str], window: Window) -> Iterator[tuple[datetime, Record]]:
        answer = self.chart(part, window)
        is_token = _granularity(part) is Granularity.DAILY and part["vs_currency"] == USD
        if is_token and self._tap.streams[TokenStream.name].selected:  # it comes after this stream
            self._tap.answers.keep(part["coin_id"], answer)
        for point in answer.points:
            if window.keeps(point.stamp):
                yield (
                    point.stamp,
                    {
                        "stamp": point.stamp.isoformat(timespec="milliseconds"),
                        "stamp_date": point.stamp.date().isoformat(),
                        "price": point.price,
                        "market_cap": point.market_cap,
                        "total_volume": point.total_volume,
                    },
                )


class TokenStream(ChartStream):
    """The daily values in US dollars, under the names of the Hub's tap, and for many coins."""

    name = "coingecko_token"
    schema: ClassVar[dict[str, Any]] = TOKEN_SCHEMA
    primary_keys: ClassVar[tuple[str, ...]] = ("coin_id", "date")
    replication_key = stamp_column = "date"

    @property
    @override
    def partitions(self) -> list[dict[str, str]]:
        return [{"coin_id": coin} for coin in self.config["coins"]]

    @override
    def rows(self, part: Mapping[str, str], window: Window) -> Iterator[tuple[datetime, Record]]:
        answer = self._tap.answers.take(part["coin_id"], window) or self.chart(part, window)
        for point in first_of_each_date(answer.points):
            midnight = datetime.combine(point.stamp.date(), time(), point.stamp.tzinfo)
            # A date whose midnight was not asked for has not shown its first stamp.
            if window.keeps(point.stamp) and midnight >= answer.ask_from:
                yield (
                    midnight,
                    {
                        "date": midnight.date().isoformat(),
                        "price_usd": point.price,
                        "market_cap_usd": point.market_cap,
                        "total_volume_usd": point.total_volume,
                        # The source does not send these any more.
                        "community_data": None,
                        "public_interest_stats": None,
                    },
                )


def _granularity(part: Mapping[str, str]) -> Granularity:
    return Granularity(part.get("granularity", Granularity.DAILY.value))
