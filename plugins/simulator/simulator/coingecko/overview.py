"""The market as a whole: totals, rates, trends, categories and lists (contract 7.3 and 7.12 to 7.19)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from simulator.coingecko.chart import DAILY_DELAY_MS, live_stamp
from simulator.coingecko.coins import CATEGORIES, IMAGE_HOST, PLATFORMS, Category
from simulator.coingecko.currencies import RATES
from simulator.coingecko.details import platforms
from simulator.coingecko.errors import application_error
from simulator.coingecko.numbers import DOUBLE, EXACT, change, rounded
from simulator.coingecko.query import WHOLE_DAYS, required
from simulator.coingecko.times import DAY_MS, HOUR_MS, iso_ms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.coingecko.coins import Coin
    from simulator.coingecko.prices import Prices
    from simulator.coingecko.query import Ask

_TRENDING: Final = 7
_ORDERS: Final = {
    "market_cap_desc": ("market_cap", True),
    "market_cap_asc": ("market_cap", False),
    "name_desc": ("name", True),
    "name_asc": ("name", False),
    "market_cap_change_24h_desc": ("market_cap_change_24h", True),
    "market_cap_change_24h_asc": ("market_cap_change_24h", False),
}


class _Worth(NamedTuple):
    """Market capitalisation and trailing 24 h volume of some coins in one currency."""

    market_cap: Decimal
    volume: Decimal


class Overview:
    """The endpoints over one set of prices."""

    def __init__(self, prices: Prices) -> None:
        self._prices = prices

    def coins_list(self, ask: Ask) -> object:
        """`/coins/list`; no coin of this world was ever deactivated."""
        if ask.parameters.get("status", "active") == "inactive":
            return []
        with_platforms = ask.says("include_platform")
        return [
            {"id": coin.coin_id, "symbol": coin.symbol, "name": coin.name}
            | ({"platforms": platforms(coin)} if with_platforms else {})
            for coin in sorted(self._prices.coins, key=lambda one: one.coin_id)
        ]

    def currencies(self, _: Ask) -> object:
        """`/simple/supported_vs_currencies`."""
        return list(self._prices.currencies)

    def exchange_rates(self, ask: Ask) -> object:
        """`/exchange_rates`: units of each currency for one bitcoin, at the live stamp."""
        live = live_stamp(ask.now)
        return {
            "rates": {
                code: {
                    "name": currency.name,
                    "unit": currency.unit,
                    "value": rounded(self._prices.units_of_bitcoin(currency, live), 3),
                    "type": currency.kind,
                }
                for code, currency in RATES.items()
            }
        }

    def totals(self, ask: Ask) -> object:
        """`/global`."""
        live = live_stamp(ask.now)
        coins = self._listed(live)
        now = {currency: self._worth(coins, currency, live) for currency in self._prices.currencies}
        main = self._main()
        total, before = now[main], self._worth(coins, main, live - DAY_MS)
        shares = {
            coin.symbol: rounded(EXACT.divide(self._worth([coin], main, live).market_cap * 100, total.market_cap), 14)
            for coin in coins
            if total.market_cap
        }
        return {
            "data": {
                "active_cryptocurrencies": len(coins),
                "upcoming_icos": 0,
                "ongoing_icos": 49,
                "ended_icos": 3376,
                "markets": 1476,
                "total_market_cap": {currency: worth.market_cap for currency, worth in now.items()},
                "total_volume": {currency: worth.volume for currency, worth in now.items()},
                "market_cap_percentage": dict(sorted(shares.items(), key=lambda share: -share[1])[:10]),
                "market_cap_change_percentage_24h_usd": change(total.market_cap, before.market_cap, 14),
                "volume_change_percentage_24h_usd": change(total.volume, before.volume, 14),
                "updated_at": live // 1000,
            }
        }

    def totals_chart(self, ask: Ask) -> object:
        """`/global/market_cap_chart`: hourly for one day, else daily."""
        ask.paid()
        days = required(ask.parameters, "days")
        if days not in WHOLE_DAYS:
            raise application_error(400, "invalid days")
        currency = ask.parameters.get("vs_currency", self._main())
        if currency not in self._prices.currencies:
            raise application_error(400, "invalid vs_currency")
        step = HOUR_MS if days == "1" else DAY_MS
        first = min(
            series.first for coin in self._prices.coins if (series := self._prices.series(coin.coin_id, currency))
        )
        start = first if days == "max" else max(ask.now - int(days) * DAY_MS, first)
        last = ask.now if step == HOUR_MS else ask.now - DAILY_DELAY_MS
        stamps = range(-(-start // step) * step, last + 1, step)
        worths = [(stamp, self._worth(self._listed(stamp), currency, stamp)) for stamp in stamps]
        return {
            "market_cap_chart": {
                "market_cap": [[stamp, worth.market_cap] for stamp, worth in worths],
                "volume": [[stamp, worth.volume] for stamp, worth in worths],
            }
        }

    def asset_platforms(self, ask: Ask) -> object:
        """`/asset_platforms`."""
        only_nfts = ask.parameters.get("filter") == "nft"
        return [
            {
                "id": platform.platform_id,
                "chain_identifier": platform.chain,
                "name": platform.name,
                "shortname": platform.short,
                "native_coin_id": platform.native,
                "image": {
                    size: f"{IMAGE_HOST}/asset_platforms/images/{platform.picture.format(size=size)}"
                    for size in ("thumb", "small", "large")
                },
            }
            for platform in PLATFORMS
            if platform.has_nfts or not only_nfts
        ]

    def categories(self, ask: Ask) -> object:
        """`/coins/categories`; a category without coins has null amounts and stands last."""
        rows = [self._category(category, ask.now) for category in CATEGORIES]
        key, descending = _ORDERS.get(ask.parameters.get("order", ""), _ORDERS["market_cap_desc"])
        known = [row for row in rows if row[key] is not None]
        known.sort(key=lambda row: row[key], reverse=descending)  # type: ignore[arg-type,return-value]
        return known + [row for row in rows if row[key] is None]

    def categories_list(self, _: Ask) -> object:
        """`/coins/categories/list`."""
        return [{"category_id": category.category_id, "name": category.name} for category in CATEGORIES]

    def trending(self, ask: Ask) -> object:
        """`/search/trending`: the coins whose price rose most within a day, one NFT and the largest category."""
        live = live_stamp(ask.now)
        main = self._main()
        coins = self._listed(live - DAY_MS)
        ranked = sorted(coins, key=lambda coin: -(self._rise(coin, main, live) or 0))[:_TRENDING]
        caps = sorted(coins, key=lambda coin: -self._worth([coin], main, live).market_cap)
        ranks = {coin.coin_id: place for place, coin in enumerate(caps, start=1)}
        items = [{"item": self._item(coin, ranks, score, live)} for score, coin in enumerate(ranked)]
        category = max(CATEGORIES, key=lambda one: self._worth(self._members(one, live), main, live).market_cap)
        return {"coins": items, "nfts": [_NFT], "categories": [self._trending_category(category, live)]}

    def _main(self) -> str:
        return "usd" if "usd" in self._prices.currencies else self._prices.currencies[0]

    def _listed(self, stamp: int) -> list[Coin]:
        """The coins that had a price in the main currency at an instant."""
        main = self._main()
        return [coin for coin in self._prices.coins if self._prices.series(coin.coin_id, main, by=stamp) is not None]

    def _worth(self, coins: Iterable[Coin], currency: str, stamp: int) -> _Worth:
        market_cap = volume = Decimal(0)
        for coin in coins:
            series = self._prices.series(coin.coin_id, currency, by=stamp)
            if series is not None:
                point = series.at(stamp)
                market_cap = EXACT.add(market_cap, Decimal(point.market_cap or 0))
                volume = EXACT.add(volume, Decimal(point.total_volume or 0))
        return _Worth(DOUBLE.plus(market_cap), DOUBLE.plus(volume))

    def _members(self, category: Category, stamp: int) -> list[Coin]:
        """A category's coins at an instant, the largest first."""
        members = [coin for coin in self._listed(stamp) if category.name in coin.categories]
        return sorted(members, key=lambda coin: -self._worth([coin], self._main(), stamp).market_cap)

    def _category(self, category: Category, now: int) -> dict[str, object]:
        live = live_stamp(now)
        members = self._members(category, live)
        worth = self._worth(members, self._main(), live) if members else None
        before = self._worth(members, self._main(), live - DAY_MS)
        return {
            "id": category.category_id,
            "name": category.name,
            "market_cap": worth and worth.market_cap,
            "market_cap_change_24h": worth and change(worth.market_cap, before.market_cap, 14),
            "content": category.content,
            "top_3_coins_id": [coin.coin_id for coin in members[:3]],
            "top_3_coins": [_small(coin) for coin in members[:3]],
            "volume_24h": worth and worth.volume,
            "updated_at": iso_ms(live),
        }

    def _rise(self, coin: Coin, currency: str, live: int) -> Decimal | None:
        series = self._prices.series(coin.coin_id, currency, by=live - DAY_MS)
        if series is None:
            return None
        return change(Decimal(series.at(live).price), Decimal(series.at(live - DAY_MS).price), 14)

    def _item(self, coin: Coin, ranks: dict[str, int], score: int, live: int) -> dict[str, object]:
        series = self._prices.series(coin.coin_id, self._main())
        if series is None:
            raise TypeError(f"{coin.coin_id} is not listed.")
        point = series.at(live)
        bitcoin = self._prices.units_of_bitcoin(RATES[self._main()], live)
        worth = self._worth([coin], self._main(), live)
        number = int(coin.image.split("/")[3])
        price_btc = rounded(EXACT.divide(Decimal(point.price), bitcoin), 22)
        changes = {currency: self._rise(coin, currency, live) for currency in self._prices.currencies}
        return {
            "id": coin.coin_id,
            "coin_id": number,
            "name": coin.name,
            "symbol": coin.symbol.upper(),
            "market_cap_rank": ranks[coin.coin_id],
            **coin.images("thumb", "small", "large"),
            "slug": coin.coin_id,
            "price_btc": price_btc,
            "score": score,
            "data": {
                "price": Decimal(point.price),
                "price_btc": format(price_btc, "f"),
                "price_change_percentage_24h": changes,
                "market_cap": f"${worth.market_cap:,.0f}",
                "market_cap_btc": format(rounded(EXACT.divide(worth.market_cap, bitcoin), 12), "f"),
                "total_volume": f"${worth.volume:,.0f}",
                "total_volume_btc": format(rounded(EXACT.divide(worth.volume, bitcoin), 12), "f"),
                "sparkline": f"https://data.coingecko.com/coins/{number}/sparkline.svg",
                "content": None,
            },
        }

    def _trending_category(self, category: Category, live: int) -> dict[str, object]:
        main, members = self._main(), self._members(category, live)
        bitcoin = self._prices.units_of_bitcoin(RATES[main], live)
        worth = self._worth(members, main, live)
        changes = {
            currency: change(
                self._worth(members, currency, live).market_cap,
                self._worth(members, currency, live - DAY_MS).market_cap,
                14,
            )
            for currency in self._prices.currencies
        }
        return {
            "id": category.number,
            "name": category.name,
            "top_3_coins_images": [_small(coin) for coin in members[:3]],
            "market_cap_1h_change": change(worth.market_cap, self._worth(members, main, live - HOUR_MS).market_cap, 14),
            "slug": category.category_id,
            "coins_count": str(len(members)),
            "data": {
                "market_cap": worth.market_cap,
                "market_cap_btc": DOUBLE.divide(worth.market_cap, bitcoin),
                "total_volume": worth.volume,
                "total_volume_btc": DOUBLE.divide(worth.volume, bitcoin),
                "market_cap_change_percentage_24h": changes,
                "sparkline": f"https://data.coingecko.com/categories/{category.number}/sparkline.svg",
            },
        }


def _small(coin: Coin) -> str:
    return IMAGE_HOST + coin.image.replace("/large/", "/small/").partition("?")[0]


_NFT: Final[dict[str, object]] = {
    "id": "simulated-collection",
    "name": "Simulated Collection",
    "symbol": "SIMC",
    "thumb": f"{IMAGE_HOST}/nft_contracts/images/1/standard/simulated-collection.jpg",
    "nft_contract_id": 1,
    "native_currency_symbol": "eth",
    "floor_price_in_native_currency": Decimal("6.98"),
    "floor_price_24h_percentage_change": Decimal("8.231790820932737"),
    "data": {
        "floor_price": "6.98 ETH",
        "floor_price_in_usd_24h_percentage_change": "8.231790820932737",
        "h24_volume": "6.10 ETH",
        "h24_average_sale_price": "6.10 ETH",
        "sparkline": "https://data.coingecko.com/nft/1/sparkline.svg",
        "content": None,
    },
}
