"""CoinGecko's routes: what is asked for, whether it may be, and the answer in the vendor's form."""

from __future__ import annotations

from decimal import Decimal
from hashlib import md5
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import Response

from simulator.coingecko.chart import Granularity, automatic, chart
from simulator.coingecko.errors import Refusal, application_error, injected, no_user_agent, outside_window
from simulator.coingecko.markets import DISPLAY, PERIODS, Market
from simulator.coingecko.numbers import DAY_MS, encode, rounded, to_ms, wire
from simulator.coingecko.query import (
    Tier,
    instant,
    interval,
    listed,
    precision,
    required,
    span_of_days,
    tier_of,
    whole,
)
from simulator.pages import error_page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.clock import Clock
    from simulator.coingecko.book import PriceBook
    from simulator.coingecko.coins import Coin
    from simulator.coingecko.series import Point, Series
    from simulator.door import Refuse
    from simulator.faults import Action

PREFIX: Final = "/coingecko/api/v3"
_WINDOW_MS: Final = 365 * DAY_MS
_HEADERS: Final = {
    "content-type": "application/json; charset=utf-8",
    "vary": "Accept-Encoding, Origin",
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "link, per-page, total",
}
_ORDERS: Final[dict[str, tuple[str, bool]]] = {
    "market_cap_desc": ("market_cap", True),
    "market_cap_asc": ("market_cap", False),
    "volume_desc": ("total_volume", True),
    "volume_asc": ("total_volume", False),
    "id_asc": ("id", False),
    "id_desc": ("id", True),
}


class CoinGecko:
    """The endpoints over one set of prices and one clock.

    Args:
        clock: The simulated clock; every rule here depends on now.
        book: The prices.
    """

    def __init__(self, clock: Clock, book: PriceBook) -> None:
        self._clock = clock
        self._book = book

    def router(self) -> APIRouter:
        """The routes, below their path prefix."""
        router = APIRouter(prefix=PREFIX)
        endpoints: dict[str, tuple[Callable[[Request], str], int]] = {
            "/ping": (self._ping, 30),
            "/coins/markets": (self._markets, 45),
            "/coins/{coin_id}/market_chart": (self._market_chart, 30),
            "/coins/{coin_id}/market_chart/range": (self._market_chart_range, 30),
            "/{rest:path}": (self._unknown, 30),
        }
        for path, (endpoint, max_age) in endpoints.items():
            router.add_api_route(path, self._answering(endpoint, max_age), methods=["GET"], response_model=None)
        return router

    def _answering(self, endpoint: Callable[[Request], str], max_age: int) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            try:
                if not request.headers.get("user-agent", "").strip():
                    raise no_user_agent(self._clock.now())
                body, status = endpoint(request).encode(), 200
                caching = f"max-age={max_age}, public, must-revalidate, s-maxage=60"
            except Refusal as refusal:
                body, status, caching = encode(refusal.body).encode(), refusal.status, "no-cache"
            tag = md5(body, usedforsecurity=False).hexdigest()
            return Response(body, status, {**_HEADERS, "cache-control": caching, "etag": f'W/"{tag}"'})

        return answer

    def _ping(self, _: Request) -> str:
        return encode({"gecko_says": "(V3) To the Moon!"})

    def _unknown(self, _: Request) -> str:
        raise application_error(404, "Incorrect path. Please check https://www.coingecko.com/api/")

    def _market_chart_range(self, request: Request) -> str:
        parameters = request.query_params
        currency = required(parameters, "vs_currency")
        start, end = instant(parameters, "from"), instant(parameters, "to")
        series = self._series(request, currency)
        if start > end:
            raise application_error(400, "invalid date range")
        return self._chart(request, series, start, end)

    def _market_chart(self, request: Request) -> str:
        currency = required(request.query_params, "vs_currency")
        span = span_of_days(required(request.query_params, "days"))
        series = self._series(request, currency)
        now = to_ms(self._clock.now())
        return self._chart(request, series, 0 if span is None else now - span, now)

    def _series(self, request: Request, currency: str) -> Series:
        coin_id = request.path_params["coin_id"]
        if coin_id not in {coin.coin_id for coin in self._book.coins}:
            raise application_error(404, "coin not found")
        series = self._book.series(coin_id, currency)
        if series is None:
            raise application_error(400, "invalid vs_currency")
        return series

    def _chart(self, request: Request, series: Series, start: int, end: int) -> str:
        now = to_ms(self._clock.now())
        if start < now - _WINDOW_MS and tier_of(request) is not Tier.PRO:
            raise outside_window(self._clock.now())
        asked = interval(request.query_params, end - start, self._clock.now())
        granularity: Granularity = asked or automatic(start, end, now)
        points = chart(series, start, end, now, granularity)
        return _arrays(points, precision(request.query_params))

    def _markets(self, request: Request) -> str:
        parameters = request.query_params
        currency = required(parameters, "vs_currency")
        if currency not in self._book.currencies:
            raise application_error(400, "invalid vs_currency")
        places = precision(parameters, default=DISPLAY)
        extras = {
            "sparkline": ["sparkline"] if parameters.get("sparkline") == "true" else [],
            "rehypothecated": ["rank"] if parameters.get("include_rehypothecated") == "true" else [],
            "changes": [name for name in listed(parameters, "price_change_percentage") if name in PERIODS],
        }
        market = Market(self._book, currency, to_ms(self._clock.now()))
        rows = market.rows(self._chosen(request), places, extras)
        key, descending = _ORDERS.get(parameters.get("order", ""), _ORDERS["market_cap_desc"])
        rows.sort(key=lambda row: (row[key] is not None, row[key] or 0), reverse=descending)
        per_page = whole(parameters, "per_page", 100, 1, 250)
        page = whole(parameters, "page", 1, 1, 1_000_000)
        return encode(rows[(page - 1) * per_page : page * per_page])

    def _chosen(self, request: Request) -> list[Coin]:
        """The coins that the strongest of the filters names; all of them without a filter."""
        filters: tuple[tuple[str, Callable[[Coin], str]], ...] = (
            ("ids", lambda coin: coin.coin_id),
            ("names", lambda coin: coin.name.lower()),
            ("symbols", lambda coin: coin.symbol),
        )
        for name, value in filters:
            wanted = {member.lower() for member in listed(request.query_params, name)}
            if wanted:
                return [coin for coin in self._book.coins if value(coin) in wanted]
        return list(self._book.coins)


def _arrays(points: Sequence[Point], places: int | None) -> str:
    def pairs(values: Sequence[tuple[int, str | None]]) -> str:
        return "[" + ",".join(f"[{stamp},{_number(text, places)}]" for stamp, text in values) + "]"

    prices = pairs([(point.stamp, point.price) for point in points])
    market_caps = pairs([(point.stamp, point.market_cap) for point in points])
    total_volumes = pairs([(point.stamp, point.total_volume) for point in points])
    return f'{{"prices":{prices},"market_caps":{market_caps},"total_volumes":{total_volumes}}}'


def _number(text: str | None, places: int | None) -> str:
    if text is None:
        return "null"
    return text if places is None else wire(rounded(Decimal(text), places))


def build_router(clock: Clock, book: PriceBook) -> APIRouter:
    """CoinGecko's routes for a server.

    Args:
        clock: The simulated clock.
        book: The prices.
    """
    return CoinGecko(clock, book).router()


def refuse(clock: Clock) -> Refuse:
    """Makes CoinGecko's answers of an error that a fault asks for."""

    def answer(path: str, action: Action) -> Response:  # noqa: ARG001 - all paths alike
        code = action.status or 200
        if action.html:
            return Response(error_page(code), code, media_type="text/html")
        body: object = action.data[0] if action.data else injected(clock.now(), code).body
        return Response(encode(body), code, _HEADERS)

    return answer
