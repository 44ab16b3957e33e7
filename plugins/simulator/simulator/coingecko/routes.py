"""CoinGecko's routes: who asks, what for, and the answer in the vendor's form."""

from __future__ import annotations

import gzip
from hashlib import md5
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.responses import Response
from starlette.routing import Mount, Route, Router

from simulator.coingecko.access import Access, Client
from simulator.coingecko.anomalies import Anomalies
from simulator.coingecko.coins import CATEGORIES
from simulator.coingecko.details import details, simple_price
from simulator.coingecko.errors import Refusal, application_error, injected, refusal
from simulator.coingecko.history import History
from simulator.coingecko.markets import PERIODS, Market
from simulator.coingecko.numbers import DISPLAY, encode
from simulator.coingecko.overview import Overview
from simulator.coingecko.plans import PLANS
from simulator.coingecko.query import Ask, listed, precision, required, whole
from simulator.coingecko.times import to_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from simulator.clock import Clock
    from simulator.coingecko.coins import Coin
    from simulator.coingecko.prices import Prices
    from simulator.faults import Action
    from simulator.settings import Settings

_ROOT: Final = "/api/v3"
_HEADERS: Final = {
    "vary": "Accept-Encoding, Origin",
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "link, per-page, total",
    "server": "cloudflare",
    "x-runtime": "0.004210",
}
_PAID: Final = (
    "/key",
    "/coins/list/new",
    "/coins/top_gainers_losers",
    "/coins/{coin_id}/ohlc/range",
    "/coins/{coin_id}/circulating_supply_chart",
    "/coins/{coin_id}/circulating_supply_chart/range",
    "/coins/{coin_id}/total_supply_chart",
    "/coins/{coin_id}/total_supply_chart/range",
    "/coins/{coin_id}/supply_breakdown",
    "/global/market_cap_chart",
    "/exchanges/{exchange_id}/volume_chart/range",
    "/nfts/markets",
    "/nfts/{nft_id}/market_chart",
    "/nfts/{nft_id}/tickers",
    "/news",
    "/insights",
)
"""What public plans are refused, whether or not it is served here."""
_ORDERS: Final[dict[str, tuple[str, bool]]] = {
    "market_cap_desc": ("market_cap", True),
    "market_cap_asc": ("market_cap", False),
    "volume_desc": ("total_volume", True),
    "volume_asc": ("total_volume", False),
    "id_asc": ("id", False),
    "id_desc": ("id", True),
}
_UNKNOWN_KEY: Final = {"simulated_later_addition": {"since": "2026-11-01", "values": [1, None]}}


class _Endpoint(NamedTuple):
    """What answers, and for how many seconds the answer may be kept: by clients, and by what lies between."""

    answer: Callable[[Ask], object]
    max_age: int = 30
    shared: int = 60


class CoinGecko:
    """The endpoints over one set of prices and one clock; `anomalies` are those of single days of the prices."""

    def __init__(self, settings: Settings, clock: Clock, prices: Prices) -> None:
        self.anomalies = Anomalies()
        self._clock = clock
        self._prices = prices
        self._access = Access(settings)
        self._unknown_keys = "coingecko-extra-keys" in settings.quirks
        history = History(prices, self.anomalies, settings.quirks)
        overview = Overview(prices)
        self._endpoints: dict[str, _Endpoint] = {
            "/ping": _Endpoint(lambda _: {"gecko_says": "(V3) To the Moon!"}),
            "/key": _Endpoint(self._key),
            "/simple/price": _Endpoint(lambda ask: simple_price(prices, self._chosen(ask), ask)),
            "/simple/supported_vs_currencies": _Endpoint(overview.currencies),
            "/coins/list": _Endpoint(overview.coins_list, 300, 300),
            "/coins/markets": _Endpoint(self._markets, 45),
            "/coins/categories": _Endpoint(overview.categories, 300, 300),
            "/coins/categories/list": _Endpoint(overview.categories_list, 300, 300),
            "/coins/{coin_id}": _Endpoint(lambda ask: details(prices, history.coin(ask), ask), 30, 30),
            "/coins/{coin_id}/history": _Endpoint(history.history, 30, 1800),
            "/coins/{coin_id}/market_chart": _Endpoint(history.market_chart),
            "/coins/{coin_id}/market_chart/range": _Endpoint(history.market_chart_range),
            "/coins/{coin_id}/ohlc": _Endpoint(history.ohlc, 900, 900),
            "/coins/{coin_id}/ohlc/range": _Endpoint(history.ohlc_range, 900, 900),
            "/coins/{coin_id}/circulating_supply_chart": _Endpoint(history.supply),
            "/global": _Endpoint(overview.totals, 600, 600),
            "/global/market_cap_chart": _Endpoint(overview.totals_chart),
            "/asset_platforms": _Endpoint(overview.asset_platforms, 300, 300),
            "/exchange_rates": _Endpoint(overview.exchange_rates),
            "/search/trending": _Endpoint(overview.trending, 600, 600),
        }

    def routes(self) -> Mount:
        """The routes below `/coingecko`: of both hosts at once, and of each plan's host below the plan's name."""
        refused = {path: _Endpoint(_not_here) for path in _PAID if path not in self._endpoints}
        served = {**self._endpoints, **refused, "/{rest:path}": _Endpoint(_not_here)}
        below = Router(
            [
                Route(path, self._answering(endpoint, paid=path in _PAID), methods=["GET"])
                for path, endpoint in served.items()
            ]
        )
        hosts = [Mount(f"/{place}{_ROOT}" if place else _ROOT, below) for place in ("", *PLANS)]
        return Mount("/coingecko", routes=hosts)

    def refuse(self, path: str, action: Action) -> Response:  # noqa: ARG002 - all paths alike
        """CoinGecko's answer to a request that a fault spoils."""
        if action.empties:
            return _response(200, encode(action.data))
        spoilt = injected(self._clock.now(), action)
        return _response(spoilt.status, spoilt.text, spoilt.media, spoilt.headers)

    def _answering(self, endpoint: _Endpoint, *, paid: bool) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            above = request.scope["root_path"].removesuffix(_ROOT).rpartition("/")[2]
            place = above if above in PLANS else ""
            zipped = "gzip" in request.headers.get("accept-encoding", "")
            try:
                text = encode(self._good(request, endpoint, place, paid=paid))
            except Refusal as refused:
                headers = {"cache-control": "no-cache", **refused.headers}
                return _response(refused.status, refused.text, refused.media, headers, zipped=zipped)
            caching = f"max-age={endpoint.max_age}, public, must-revalidate, s-maxage={endpoint.shared}"
            return _response(200, text, headers={"cache-control": caching}, zipped=zipped)

        return answer

    def _good(self, request: Request, endpoint: _Endpoint, place: str, *, paid: bool) -> object:
        """The answer's content, after all that may refuse it, in the vendor's order."""
        now = self._clock.now()
        if not request.headers.get("user-agent", "").strip():
            raise refusal(now, 403)
        client = self._access.admit(request, place, now)
        good = False
        try:
            ask = Ask(client, to_ms(now), request.query_params, request.path_params.get("coin_id", ""))
            if paid:
                ask.paid()
            content = endpoint.answer(ask)
            good = True
        finally:
            self._access.charge(client, now, good=good)
        return _with_unknown_key(content) if self._unknown_keys else content

    def _key(self, ask: Ask) -> object:
        client: Client = ask.client
        plan = client.plan
        limit = client.credits or plan.credits or 0
        per_minute = client.per_minute or plan.per_minute
        return {
            "plan": plan.name.capitalize(),
            "rate_limit_request_per_minute": per_minute,
            "monthly_call_credit": limit,
            "current_total_monthly_calls": client.spent,
            "current_remaining_monthly_calls": max(limit - client.spent, 0),
            "api_key_rate_limit_request_per_minute": per_minute,
            "api_key_monthly_call_credit": limit,
            "api_key_current_total_monthly_calls": client.spent,
        }

    def _markets(self, ask: Ask) -> object:
        parameters = ask.parameters
        currency = required(parameters, "vs_currency")
        if currency not in self._prices.currencies:
            raise application_error(400, "invalid vs_currency")
        places = precision(parameters, default=DISPLAY)
        periods = set(PERIODS) - {"60d"}
        extras = {
            "sparkline": ["sparkline"] if ask.says("sparkline") else [],
            "rehypothecated": ["rank"] if ask.says("include_rehypothecated") else [],
            "changes": [name for name in listed(parameters, "price_change_percentage") if name in periods],
        }
        rows = Market(self._prices, currency, ask.now).rows(self._chosen(ask), places, extras)
        key, descending = _ORDERS.get(parameters.get("order", ""), _ORDERS["market_cap_desc"])
        rows.sort(key=lambda row: (row[key] is not None, row[key] or 0), reverse=descending)
        per_page = whole(parameters, "per_page", 100, 1, 250)
        page = whole(parameters, "page", 1, 1, 1_000_000)
        return rows[(page - 1) * per_page : page * per_page]

    def _chosen(self, ask: Ask) -> list[Coin]:
        """The coins that the strongest of the filters names; all of them without a filter."""
        category = ask.parameters.get("category")
        if category:
            name = next((one.name for one in CATEGORIES if one.category_id == category), None)
            return [coin for coin in self._prices.coins if name in coin.categories]
        filters: tuple[tuple[str, Callable[[Coin], str]], ...] = (
            ("ids", lambda coin: coin.coin_id),
            ("names", lambda coin: coin.name.lower()),
            ("symbols", lambda coin: coin.symbol),
        )
        for name, value in filters:
            wanted = {member.lower() for member in listed(ask.parameters, name)}
            if wanted:
                return [coin for coin in self._prices.coins if value(coin) in wanted]
        return list(self._prices.coins)


def _not_here(_: Ask) -> object:
    raise application_error(404, "Incorrect path. Please check https://www.coingecko.com/api/")


def _with_unknown_key(content: object) -> object:
    """An answer whose objects say more than was known of them: the outer one, or each row."""
    if isinstance(content, dict):
        return {**content, **_UNKNOWN_KEY}
    if isinstance(content, list):
        return [{**row, **_UNKNOWN_KEY} if isinstance(row, dict) else row for row in content]
    return content


def _response(
    status: int,
    text: str,
    media: str = "application/json; charset=utf-8",
    headers: dict[str, str] | None = None,
    *,
    zipped: bool = False,
) -> Response:
    """An answer with the headers that the vendor's real ones had (contract 3)."""
    body = text.encode()
    tag = md5(body, usedforsecurity=False).hexdigest()
    own = {
        "content-type": media,
        "etag": f'W/"{tag}"',
        "age": "0",
        "cf-cache-status": "MISS",
        "cf-ray": f"{tag[:16]}-SIM",
        "x-request-id": f"{tag[:8]}-{tag[8:12]}-{tag[12:16]}-{tag[16:20]}-{tag[20:]}",
    }
    if zipped:
        body, own["content-encoding"] = gzip.compress(body, 6, mtime=0), "gzip"
    return Response(body, status, {**_HEADERS, **own, **(headers or {})})
