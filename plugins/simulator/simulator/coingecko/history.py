"""The endpoints of a coin's past: charts, single days, and candles (contract 7.6 to 7.10)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from simulator.coingecko.chart import (
    BODIES,
    DAILY_DELAY_MS,
    Granularity,
    Span,
    automatic,
    automatic_body,
    candles,
    chart,
    is_published,
    live_stamp,
)
from simulator.coingecko.coins import LANGUAGES
from simulator.coingecko.errors import application_error
from simulator.coingecko.numbers import DISPLAY, Literal, rounded, shown, wire
from simulator.coingecko.query import WHOLE_DAYS, calendar_day, instant, interval, precision, required, span_of_days
from simulator.coingecko.series import ABSENT
from simulator.coingecko.times import DAY_MS, HOUR_MS, MINUTE_MS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from simulator.coingecko.anomalies import Anomalies
    from simulator.coingecko.coins import Coin
    from simulator.coingecko.prices import Prices
    from simulator.coingecko.query import Ask
    from simulator.coingecko.series import Point, Series

_EARLY_DELAY_MS: Final = 10 * MINUTE_MS
_CANDLE_LIMITS: Final = {"daily": 180, "hourly": 90}
_CANDLE_RANGE_LIMITS: Final = {"daily": 180 * DAY_MS, "hourly": 31 * DAY_MS}
_CANDLES_SINCE_MS: Final = 1_518_147_224_000


class History:
    """The endpoints over one set of prices."""

    def __init__(self, prices: Prices, anomalies: Anomalies, quirks: Collection[str]) -> None:
        self._prices = prices
        self._anomalies = anomalies
        self._hourly_for_all = "coingecko-hourly-enterprise" not in quirks
        self._chart_delay = _EARLY_DELAY_MS if "coingecko-early-midnights" in quirks else DAILY_DELAY_MS

    def coin(self, ask: Ask) -> Coin:
        """The coin that a path names.

        Raises:
            Refusal: There is none of that id.
        """
        for coin in self._prices.coins:
            if coin.coin_id == ask.coin_id:
                return coin
        raise application_error(404, "coin not found")

    def market_chart(self, ask: Ask) -> object:
        """`/coins/{id}/market_chart`."""
        required(ask.parameters, "vs_currency")
        span = span_of_days(required(ask.parameters, "days"))
        return self._chart(ask, 0 if span is None else ask.now - span, ask.now, self._chart_delay)

    def market_chart_range(self, ask: Ask) -> object:
        """`/coins/{id}/market_chart/range`."""
        required(ask.parameters, "vs_currency")
        start, end = instant(ask.parameters, "from"), instant(ask.parameters, "to")
        return self._chart(ask, start, end, DAILY_DELAY_MS)

    def history(self, ask: Ask) -> object:
        """`/coins/{id}/history`: the daily point of a date in every currency."""
        day = calendar_day(ask.parameters, "date")
        coin = self.coin(ask)
        ask.within_window(day + ask.now % DAY_MS)  # by dates, not by instants
        answer: dict[str, object] = {"id": coin.coin_id, "symbol": coin.symbol, "name": coin.name}
        if ask.says("localization", default=True):
            answer["localization"] = dict.fromkeys(LANGUAGES, coin.name)
        answer["image"] = coin.images("thumb", "small")
        maps: dict[str, dict[str, object]] = {"current_price": {}, "market_cap": {}, "total_volume": {}}
        for currency in self._prices.currencies:
            series = self._prices.series(coin.coin_id, currency)
            points = [] if series is None else self._daily(coin.coin_id, currency, series, day, ask.now)
            for values, text in zip(maps.values(), points[0][1:] if points else (), strict=False):
                if text != ABSENT:
                    values[currency] = _number(text, None)
        if any(maps.values()):
            answer["market_data"] = maps
        return {**answer, "public_interest_stats": {"alexa_rank": None, "bing_matches": None}}

    def ohlc(self, ask: Ask) -> object:
        """`/coins/{id}/ohlc`."""
        required(ask.parameters, "vs_currency")
        days = required(ask.parameters, "days")
        places = precision(ask.parameters, default=DISPLAY)
        series = self._series(ask)
        kind = ask.parameters.get("interval", "")
        if kind:
            ask.paid()
        if days not in WHOLE_DAYS or (kind and (days == "max" or int(days) > _CANDLE_LIMITS.get(kind, 0))):
            raise application_error(400, "invalid days" if not kind or kind in BODIES else "invalid interval")
        start = 0 if days == "max" else ask.now - int(days) * DAY_MS
        ask.within_window(start)
        body = BODIES[kind] if kind else automatic_body(None if days == "max" else int(days))
        return _candle_rows(series, Span(start + 1, ask.now, ask.now), body, places)

    def ohlc_range(self, ask: Ask) -> object:
        """`/coins/{id}/ohlc/range`."""
        ask.paid()
        required(ask.parameters, "vs_currency")
        start, end = instant(ask.parameters, "from"), instant(ask.parameters, "to")
        kind = required(ask.parameters, "interval")
        series = self._series(ask)
        if kind not in _CANDLE_RANGE_LIMITS:
            raise application_error(400, "invalid interval")
        if start > end or end - start > _CANDLE_RANGE_LIMITS[kind]:
            raise application_error(400, "invalid date range")
        ask.within_window(start)
        return _candle_rows(series, Span(max(start, _CANDLES_SINCE_MS), end, ask.now), BODIES[kind], None)

    def supply(self, ask: Ask) -> object:
        """`/coins/{id}/circulating_supply_chart`: daily, hourly up to 90 days; the values are strings."""
        ask.paid()
        span = span_of_days(required(ask.parameters, "days"))
        coin = self.coin(ask)
        series = self._prices.series(coin.coin_id, self._prices.currencies[0])
        if series is None:
            raise application_error(404, "coin not found")
        start = series.first if span is None else max(ask.now - span, series.first)
        step = HOUR_MS if span is not None and span <= 90 * DAY_MS else DAY_MS
        stamps = range(-(-start // step) * step, ask.now + 1, step)
        supplies = [(stamp, series.supply(stamp)) for stamp in stamps]
        return {"circulating_supply": [[stamp, wire(count)] for stamp, count in supplies if count is not None]}

    def _series(self, ask: Ask) -> Series:
        coin = self.coin(ask)
        series = self._prices.series(coin.coin_id, ask.parameters["vs_currency"])
        if series is None:
            raise application_error(400, "invalid vs_currency")
        return series

    def _chart(self, ask: Ask, start: int, end: int, delay: int) -> object:
        series = self._series(ask)
        if start > end:
            raise application_error(400, "invalid date range")
        places = precision(ask.parameters)
        ask.within_window(start)
        asked = interval(ask, end - start, hourly_for_all=self._hourly_for_all)
        granularity: Granularity = asked or automatic(start, end, ask.now)
        # From that day's midnight on, since an anomaly may move a point into the span.
        points = chart(series, Span(start // DAY_MS * DAY_MS, end, ask.now), granularity, delay)
        live = live_stamp(ask.now)
        tail = [point for point in points if point.stamp == live]
        past = [point for point in points if point.stamp != live]
        served = self._anomalies.applied(ask.coin_id, ask.parameters["vs_currency"], past, ask.now) + tail
        return _arrays([point for point in served if start <= point.stamp <= min(end, ask.now)], places)

    def _daily(self, coin: str, currency: str, series: Series, day: int, now: int) -> list[Point]:
        """The daily points of a date that can be read."""
        published = [point for point in series.daily(day, day + DAY_MS - 1) if is_published(point, now)]
        return self._anomalies.applied(coin, currency, published, now)


def _candle_rows(series: Series, span: Span, body: int, places: int | None) -> list[list[object]]:
    return [
        [candle.stamp, *(Literal(wire(shown(price, places))) for price in candle.prices)]
        for candle in candles(series, span, body)
    ]


def _arrays(points: Sequence[Point], places: int | None) -> dict[str, object]:
    texts: dict[str, list[tuple[int, str | None]]] = {
        "prices": [(point.stamp, point.price) for point in points],
        "market_caps": [(point.stamp, point.market_cap) for point in points],
        "total_volumes": [(point.stamp, point.total_volume) for point in points],
    }
    return {
        name: [[stamp, _number(text, places)] for stamp, text in pairs if text != ABSENT]
        for name, pairs in texts.items()
    }


def _number(text: str | None, places: int | None) -> Literal | None:
    if text is None:
        return None
    return Literal(text if places is None else wire(rounded(Decimal(text), places)))
