"""The rows of `/coins/markets`, all of them read off the series."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from simulator.coingecko.chart import Granularity, Span, chart, live_stamp
from simulator.coingecko.coins import IMAGE_HOST, Coin
from simulator.coingecko.numbers import EXACT, amount, change, known, rounded, shown
from simulator.coingecko.times import DAY_MS, HOUR_MS, iso_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from simulator.coingecko.prices import Prices
    from simulator.coingecko.series import Series

PERIODS: Final = {  # /coins/markets knows all but 60d
    "1h": HOUR_MS,
    "24h": DAY_MS,
    "7d": 7 * DAY_MS,
    "14d": 14 * DAY_MS,
    "30d": 30 * DAY_MS,
    "60d": 60 * DAY_MS,
    "200d": 200 * DAY_MS,
    "1y": 365 * DAY_MS,
}
_PERCENT_PLACES: Final = 5
_WEEK_MS: Final = 7 * DAY_MS

Row = dict[str, object]


class Market:
    """What a coin is worth now and how that came about."""

    def __init__(self, prices: Prices, currency: str, now: int) -> None:
        self._prices = prices
        self._currency = currency
        self._now = now
        self._live = live_stamp(now)
        self._ranks = self._rank()

    def rows(self, coins: Iterable[Coin], places: int | None, extras: Mapping[str, list[str]]) -> list[Row]:
        """One row per coin that has a series and a first day before now, its prices with so many decimals.

        Optional parts are in `extras`: `sparkline` and `rehypothecated` when their lists are not empty, `changes` with
        the names of periods.
        """
        return [self._row(coin, series, places, extras) for coin in coins if (series := self._series(coin)) is not None]

    def _series(self, coin: Coin) -> Series | None:
        return self._prices.series(coin.coin_id, self._currency, by=self._live)

    def _rank(self) -> dict[str, int]:
        caps: dict[str, Decimal] = {}
        for coin in self._prices.coins:
            series = self._series(coin)
            if series is not None:
                caps[coin.coin_id] = Decimal(series.at(self._live).market_cap or 0)
        ordered = sorted(caps, key=lambda coin_id: (-caps[coin_id], coin_id))
        return {coin_id: place for place, coin_id in enumerate(ordered, start=1)}

    def _row(self, coin: Coin, series: Series, places: int | None, extras: Mapping[str, list[str]]) -> Row:
        live = series.at(self._live)
        price, market_cap = Decimal(live.price), known(live.market_cap)
        day_ago = max(self._live - DAY_MS, series.first)
        before = series.at(day_ago)
        hours = chart(series, Span(self._now - DAY_MS, self._now, self._now), Granularity.HOURLY)
        recent = [Decimal(point.price) for point in hours]
        supply = series.supply(self._live)
        daily_low, daily_high = series.extremes(self._now)
        highest = max(daily_high, live, key=lambda point: Decimal(point.price))
        lowest = min(daily_low, live, key=lambda point: Decimal(point.price))
        rank = self._ranks[coin.coin_id]
        row: Row = {
            "id": coin.coin_id,
            "symbol": coin.symbol,
            "name": coin.name,
            "image": IMAGE_HOST + coin.image,
            "current_price": shown(price, places),
            "market_cap": amount(market_cap, places),
            "market_cap_rank": rank,
            "fully_diluted_valuation": amount(_diluted(coin, price, market_cap), places),
            "total_volume": amount(known(live.total_volume), places),
            "high_24h": shown(max(recent), places),
            "low_24h": shown(min(recent), places),
            "price_change_24h": EXACT.subtract(price, Decimal(before.price)),
            "price_change_percentage_24h": change(price, Decimal(before.price), _PERCENT_PLACES),
            "market_cap_change_24h": _difference(market_cap, known(before.market_cap)),
            "market_cap_change_percentage_24h": change(market_cap, known(before.market_cap), _PERCENT_PLACES),
            "circulating_supply": supply,
            "total_supply": total if (total := coin.total_supply) is not None else supply,
            "max_supply": coin.max_supply,
            "ath": shown(Decimal(highest.price), places),
            "ath_change_percentage": change(price, Decimal(highest.price), _PERCENT_PLACES),
            "ath_date": iso_ms(highest.stamp),
            "atl": shown(Decimal(lowest.price), places),
            "atl_change_percentage": change(price, Decimal(lowest.price), _PERCENT_PLACES),
            "atl_date": iso_ms(lowest.stamp),
            "roi": self._return_on_sale(coin, price),
            "last_updated": iso_ms(live.stamp),
        }
        if extras.get("rehypothecated"):
            row["market_cap_rank_with_rehypothecated"] = rank
        if extras.get("sparkline"):
            week = chart(series, Span(self._now - _WEEK_MS, self._now, self._now), Granularity.HOURLY)
            row["sparkline_in_7d"] = {"price": [Decimal(point.price) for point in week[:-1]]}
        for name in extras.get("changes", []):
            past = self._live - PERIODS[name]
            then = Decimal(series.at(past).price) if past >= series.first else None
            row[f"price_change_percentage_{name}_in_currency"] = change(price, then, 14)
        return row

    def _return_on_sale(self, coin: Coin, price: Decimal) -> Row | None:
        """Return since a first public sale that was priced in bitcoin; only ethereum had one here."""
        bitcoin = self._prices.series("bitcoin", self._currency)
        if coin.coin_id != "ethereum" or bitcoin is None:
            return None
        sale_price = Decimal("0.00055")  # bitcoin per ether, about the mean of the 2014 sale
        times = EXACT.divide(EXACT.divide(price, Decimal(bitcoin.at(self._live).price)), sale_price) - 1
        return {"times": rounded(times, 14), "currency": "btc", "percentage": rounded(times * 100, 12)}


def _diluted(coin: Coin, price: Decimal, market_cap: Decimal | None) -> Decimal | None:
    return market_cap if coin.max_supply is None else EXACT.multiply(price, coin.max_supply)


def _difference(value: Decimal | None, before: Decimal | None) -> Decimal | None:
    return None if value is None or before is None else EXACT.subtract(value, before)
