"""Everything about one coin, and the prices of several (contract 7.5 and 7.11)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from simulator.coingecko.chart import Granularity, Span, chart, live_stamp
from simulator.coingecko.coins import CATEGORIES, LANGUAGES
from simulator.coingecko.errors import application_error
from simulator.coingecko.markets import PERIODS, Market
from simulator.coingecko.numbers import DISPLAY, EXACT, amount, change, known, rounded, shown
from simulator.coingecko.query import listed, precision, required
from simulator.coingecko.times import DAY_MS, iso_ms

if TYPE_CHECKING:
    from simulator.coingecko.coins import Coin
    from simulator.coingecko.prices import Prices
    from simulator.coingecko.query import Ask

_CHANGE: Final = "price_change_percentage"


def details(prices: Prices, coin: Coin, ask: Ask) -> object:
    """`/coins/{id}`."""
    live = live_stamp(ask.now)
    answer: dict[str, object] = {
        "id": coin.coin_id,
        "symbol": coin.symbol,
        "name": coin.name,
        "web_slug": coin.coin_id,
        "asset_platform_id": coin.platforms[0][0] if coin.platforms else None,
        "platforms": platforms(coin) or {"": ""},
        "detail_platforms": {
            name: {"decimal_place": places, "contract_address": address} for name, address, places in coin.platforms
        }
        or {"": {"decimal_place": None, "contract_address": ""}},
        "block_time_in_minutes": coin.block_minutes,
        "hashing_algorithm": coin.algorithm,
        "categories": list(coin.categories),
    }
    if ask.says("include_categories_details"):
        ids = {category.name: category.category_id for category in CATEGORIES}
        answer["categories_details"] = [{"id": ids[name], "name": name} for name in coin.categories]
    answer |= {
        "preview_listing": False,
        "public_notice": None,
        "additional_notices": [],
        "has_supply_breakdown": False,
    }
    if ask.says("localization", default=True):
        answer["localization"] = dict.fromkeys(LANGUAGES, coin.name)
    every = {currency: _row(prices, coin, currency, ask.now) for currency in prices.currencies}
    rows = {currency: row for currency, row in every.items() if row is not None}
    rank = next(iter(rows.values()))["market_cap_rank"] if rows else None
    answer |= {
        "description": {"en": f"{coin.name}, as this simulator knows it."},
        "links": _links(coin),
        "image": coin.images("thumb", "small", "large"),
        "country_origin": "",
        "genesis_date": coin.genesis,
        "sentiment_votes_up_percentage": Decimal("84.07"),
        "sentiment_votes_down_percentage": Decimal("15.93"),
        "watchlist_portfolio_users": 1_541_900 // (rank or 1),
        "market_cap_rank": rank,
        "market_cap_rank_with_rehypothecated": rank,
    }
    if ask.says("market_data", default=True) and rows:
        answer["market_data"] = _market_data(prices, coin, rows, ask)
    answer |= {"status_updates": [], "last_updated": iso_ms(live)}
    if ask.says("tickers", default=True) and rows:
        answer["tickers"] = _tickers(coin, rows, live)
    return answer


def platforms(coin: Coin) -> dict[str, object]:
    """The contract addresses of a token by platform; empty for a native coin."""
    return {name: address for name, address, _ in coin.platforms}


def simple_price(prices: Prices, coins: list[Coin], ask: Ask) -> object:
    """`/simple/price`."""
    required(ask.parameters, "vs_currencies")
    if not any(ask.parameters.get(name) for name in ("ids", "names", "symbols")):
        raise application_error(422, "Missing parameter ids")
    places = precision(ask.parameters, default=DISPLAY)
    live = live_stamp(ask.now)
    answer: dict[str, object] = {}
    for coin in sorted(coins, key=lambda one: one.coin_id):
        values: dict[str, object] = {}
        for currency in listed(ask.parameters, "vs_currencies"):
            series = prices.series(coin.coin_id, currency, by=live)
            if series is None:
                continue
            point = series.at(live)
            price = Decimal(point.price)
            values[currency] = shown(price, places)
            if ask.says("include_market_cap"):
                values[f"{currency}_market_cap"] = known(point.market_cap)
            if ask.says("include_24hr_vol"):
                values[f"{currency}_24h_vol"] = known(point.total_volume)
            if ask.says("include_24hr_change"):
                before = series.at(live - DAY_MS).price if live - DAY_MS >= series.first else None
                values[f"{currency}_24h_change"] = change(price, known(before), 14)
        if values and ask.says("include_last_updated_at"):
            values["last_updated_at"] = live // 1000
        answer[coin.coin_id] = values
    return answer


def _row(prices: Prices, coin: Coin, currency: str, now: int) -> dict[str, Any] | None:
    rows = Market(prices, currency, now).rows([coin], DISPLAY, {"changes": list(PERIODS)})
    return rows[0] if rows else None


def _market_data(prices: Prices, coin: Coin, rows: dict[str, dict[str, Any]], ask: Ask) -> dict[str, object]:
    main = rows.get("usd") or next(iter(rows.values()))

    def by_currency(*keys: str) -> dict[str, object]:
        return {key: {currency: row[key] for currency, row in rows.items() if row[key] is not None} for key in keys}

    def of_main(*keys: str) -> dict[str, object]:
        return {key: main[key] for key in keys}

    def in_currency(*keys: str) -> dict[str, object]:
        return {f"{key}_in_currency": values for key, values in by_currency(*keys).items()}

    diluted, supply = main["fully_diluted_valuation"], main["circulating_supply"]
    data: dict[str, object] = {
        **by_currency("current_price"),
        **dict.fromkeys(("total_value_locked", "mcap_to_tvl_ratio", "fdv_to_tvl_ratio")),
        "roi": main["roi"],
        **by_currency("ath", "ath_change_percentage", "ath_date", "atl", "atl_change_percentage", "atl_date"),
        **by_currency("market_cap", "fully_diluted_valuation"),
        "market_cap_fdv_ratio": None if not diluted else rounded(EXACT.divide(main["market_cap"], diluted), 2),
        "market_cap_rank": main["market_cap_rank"],
        "outstanding_token_value_usd": None,
        "market_cap_rank_with_rehypothecated": main["market_cap_rank"],
        **by_currency("total_volume", "high_24h", "low_24h"),
        **of_main("price_change_24h", "price_change_percentage_24h"),
        **{f"{_CHANGE}_{period}": amount(main[f"{_CHANGE}_{period}_in_currency"], 5) for period in list(PERIODS)[2:]},
        **of_main("market_cap_change_24h", "market_cap_change_percentage_24h"),
        **in_currency("price_change_24h"),
        **by_currency(*(f"{_CHANGE}_{period}_in_currency" for period in PERIODS)),
        **in_currency("market_cap_change_24h", "market_cap_change_percentage_24h"),
        "total_supply": supply if coin.total_supply is None else coin.total_supply,
        "max_supply": coin.max_supply,
        "max_supply_infinite": coin.max_supply is None,
        "circulating_supply": supply,
        "outstanding_supply": None,
        "last_updated": main["last_updated"],
    }
    if ask.says("sparkline"):
        series = prices.series(coin.coin_id, "usd" if "usd" in rows else next(iter(rows)))
        span = Span(ask.now - 7 * DAY_MS, ask.now, ask.now)
        week = [] if series is None else chart(series, span, Granularity.HOURLY)
        data["sparkline_7d"] = {"price": [Decimal(point.price) for point in week[:-1]]}
    return data


def _links(coin: Coin) -> dict[str, object]:
    """Links with the empty strings and nulls that the vendor's have."""
    return {
        "homepage": [coin.homepage, "", ""],
        "whitepaper": "",
        "blockchain_site": ["", None],
        "official_forum_url": [""],
        "chat_url": [""],
        "announcement_url": ["", ""],
        "snapshot_url": None,
        "twitter_screen_name": "",
        "facebook_username": "",
        "bitcointalk_thread_identifier": None,
        "telegram_channel_identifier": "",
        "subreddit_url": f"https://www.reddit.com/r/{coin.reddit}/" if coin.reddit else None,
        "repos_url": {"github": list(coin.github), "bitbucket": []},
    }


def _tickers(coin: Coin, rows: dict[str, dict[str, Any]], live: int) -> list[dict[str, object]]:
    """One market per coin; the vendor has up to a hundred."""
    main = rows.get("usd") or next(iter(rows.values()))
    at = iso_ms(live)[:19] + "+00:00"
    kept = [currency for currency in ("btc", "eth", "usd") if currency in rows]
    return [
        {
            "base": coin.symbol.upper(),
            "target": "USDT",
            "market": {"name": "Simulated", "identifier": "simulated", "has_trading_incentive": False},
            "last": main["current_price"],
            "volume": amount(EXACT.divide(main["total_volume"], main["current_price"]), 5)
            if main["total_volume"] and main["current_price"]
            else None,
            "converted_last": {currency: rows[currency]["current_price"] for currency in kept},
            "converted_volume": {currency: rows[currency]["total_volume"] for currency in kept},
            "trust_score": None,
            "bid_ask_spread_percentage": Decimal("0.010014"),
            "timestamp": at,
            "last_traded_at": at,
            "last_fetch_at": at,
            "is_anomaly": False,
            "is_stale": False,
            "trade_url": None,
            "token_info_url": None,
            "coin_id": coin.coin_id,
            "target_coin_id": "tether",
        }
    ]
