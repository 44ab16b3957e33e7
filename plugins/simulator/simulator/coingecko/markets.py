"""The rows of `/coins/markets`, all of them read off the series."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from simulator.coingecko.chart import Granularity, chart, live_stamp
from simulator.coingecko.numbers import DAY_MS, EXACT, HOUR_MS, iso_ms, rounded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from simulator.coingecko.book import PriceBook
    from simulator.coingecko.coins import Coin
    from simulator.coingecko.series import Series

DISPLAY: Final = -1
"""Stands for the rounding of a request that asks for no precision."""
PERIODS: Final = {
    "1h": HOUR_MS,
    "24h": DAY_MS,
    "7d": 7 * DAY_MS,
    "14d": 14 * DAY_MS,
    "30d": 30 * DAY_MS,
    "200d": 200 * DAY_MS,
    "1y": 365 * DAY_MS,
}
_IMAGE_HOST: Final = "https://coin-images.coingecko.com"
_PERCENT_PLACES: Final = 5
_WEEK_MS: Final = 7 * DAY_MS

Row = dict[str, object]


class Market:
    """What a coin is worth now and how that came about.

    Args:
        book: The prices.
        currency: A currency that the book serves.
        now: The clock, UNIX milliseconds.
    """

    def __init__(self, book: PriceBook, currency: str, now: int) -> None:
        self._book = book
        self._currency = currency
        self._now = now
        self._live = live_stamp(now)
        self._ranks = self._rank()

    def rows(self, coins: Iterable[Coin], places: int | None, extras: Mapping[str, list[str]]) -> list[Row]:
        """One row per coin that has a series and a first day before now.

        Args:
            coins: Which coins, in any order.
            places: Decimals of prices; None for all digits, DISPLAY for the rounding of a page.
            extras: Optional parts: `sparkline` and `rehypothecated` when their lists are not empty, `changes` with
                the names of periods.
        """
        return [
            self._row(coin, series, places, extras)
            for coin in coins
            if (series := self._series(coin)) is not None and coin.coin_id in self._ranks
        ]

    def _series(self, coin: Coin) -> Series | None:
        return self._book.series(coin.coin_id, self._currency)

    def _rank(self) -> dict[str, int]:
        caps: dict[str, Decimal] = {}
        for coin in self._book.coins:
            series = self._series(coin)
            if series is not None and series.first <= self._live:
                caps[coin.coin_id] = Decimal(series.at(self._live).market_cap or 0)
        ordered = sorted(caps, key=lambda coin_id: (-caps[coin_id], coin_id))
        return {coin_id: place for place, coin_id in enumerate(ordered, start=1)}

    def _row(self, coin: Coin, series: Series, places: int | None, extras: Mapping[str, list[str]]) -> Row:
        live = series.at(self._live)
        price, market_cap = Decimal(live.price), _decimal(live.market_cap)
        day_ago = max(self._live - DAY_MS, series.first)
        before = series.at(day_ago)
        hours = chart(series, self._now - DAY_MS, self._now, self._now, Granularity.HOURLY)
        recent = [Decimal(point.price) for point in hours]
        supply = series.supply(self._live)
        history = [*series.daily(series.first, self._now), live]
        highest = max(history, key=lambda point: Decimal(point.price))
        lowest = min(history, key=lambda point: Decimal(point.price))
        rank = self._ranks[coin.coin_id]
        row: Row = {
            "id": coin.coin_id,
            "symbol": coin.symbol,
            "name": coin.name,
            "image": _IMAGE_HOST + coin.image,
            "current_price": _shown(price, places),
            "market_cap": _amount(market_cap, places),
            "market_cap_rank": rank,
            "fully_diluted_valuation": _amount(_diluted(coin, price, market_cap), places),
            "total_volume": _amount(_decimal(live.total_volume), places),
            "high_24h": _shown(max(recent), places),
            "low_24h": _shown(min(recent), places),
            "price_change_24h": EXACT.subtract(price, Decimal(before.price)),
            "price_change_percentage_24h": _change(price, Decimal(before.price), _PERCENT_PLACES),
            "market_cap_change_24h": _difference(market_cap, _decimal(before.market_cap)),
            "market_cap_change_percentage_24h": _change(market_cap, _decimal(before.market_cap), _PERCENT_PLACES),
            "circulating_supply": supply,
            "total_supply": supply,
            "max_supply": coin.max_supply,
            "ath": _shown(Decimal(highest.price), places),
            "ath_change_percentage": _change(price, Decimal(highest.price), _PERCENT_PLACES),
            "ath_date": iso_ms(highest.stamp),
            "atl": _shown(Decimal(lowest.price), places),
            "atl_change_percentage": _change(price, Decimal(lowest.price), _PERCENT_PLACES),
            "atl_date": iso_ms(lowest.stamp),
            "roi": self._return_on_sale(coin, price),
            "last_updated": iso_ms(live.stamp),
        }
        if extras.get("rehypothecated"):
            row["market_cap_rank_with_rehypothecated"] = rank
        if extras.get("sparkline"):
            week = chart(series, self._now - _WEEK_MS, self._now, self._now, Granularity.HOURLY)
            row["sparkline_in_7d"] = {"price": [Decimal(point.price) for point in week[:-1]]}
        for name in extras.get("changes", []):
            past = self._live - PERIODS[name]
            then = Decimal(series.at(past).price) if past >= series.first else None
            row[f"price_change_percentage_{name}_in_currency"] = _change(price, then, 14)
        return row

    def _return_on_sale(self, coin: Coin, price: Decimal) -> Row | None:
        """Return since a first public sale that was priced in bitcoin; only ethereum had one here."""
        bitcoin = self._book.series("bitcoin", self._currency)
        if coin.coin_id != "ethereum" or bitcoin is None:
            return None
        sale_price = Decimal("0.00055")  # bitcoin per ether, about the mean of the 2014 sale
        times = EXACT.divide(EXACT.divide(price, Decimal(bitcoin.at(self._live).price)), sale_price) - 1
        return {"times": rounded(times, 14), "currency": "btc", "percentage": rounded(times * 100, 12)}


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _diluted(coin: Coin, price: Decimal, market_cap: Decimal | None) -> Decimal | None:
    return market_cap if coin.max_supply is None else EXACT.multiply(price, coin.max_supply)


def _difference(value: Decimal | None, before: Decimal | None) -> Decimal | None:
    return None if value is None or before is None else EXACT.subtract(value, before)


def _change(value: Decimal | None, before: Decimal | None, places: int) -> Decimal | None:
    """The change in percent of the earlier value."""
    if value is None or not before:
        return None
    return rounded(EXACT.divide(value - before, before) * 100, places)


def _shown(price: Decimal, places: int | None) -> Decimal:
    """A price as asked for; on a page: whole from 10,000 on, cents from 1 on, six digits below."""
    if places is None:
        return price
    if places == DISPLAY:
        places = 0 if price >= 10_000 else 2 if price >= 1 else 5 - price.adjusted() if price else 0  # noqa: PLR2004
    return rounded(price, places)


def _amount(value: Decimal | None, places: int | None) -> Decimal | None:
    """A large amount as asked for; whole on a page."""
    if value is None or places is None:
        return value
    return rounded(value, 0 if places == DISPLAY else places)
