"""The set of price series a server serves, simulated or read from exports."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING

from simulator.coingecko.coins import COINS, Coin
from simulator.coingecko.currencies import QUOTED, RATES, Currency
from simulator.coingecko.exports import read_exports
from simulator.coingecko.series import LogPath, Series, SimulatedSeries
from simulator.coingecko.times import closed_day, day_ms, to_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date, datetime

    from simulator.settings import Settings


class Prices:
    """Every price of a world; also what the simulated chains value their amounts with.

    Series are made when they are first asked for, since a world has some hundreds of them.

    Raises:
        SettingsError: The folder of price exports cannot be read.

    Attributes:
        coins: The coins that are served.
        currencies: The currencies that prices can be asked in, in the vendor's order.
    """

    def __init__(self, settings: Settings) -> None:
        self._seed = settings.seed
        self._coins = {coin.coin_id: coin for coin in COINS}
        self._exports: dict[tuple[str, str], Series] | None = None
        if settings.prices_dir is not None:
            self._exports = dict(read_exports(settings.prices_dir))
        self._price = cache(self._price_path)
        self._turnover = cache(self._turnover_path)
        self._rate = cache(self._rate_path)
        self._simulated = cache(self._simulate)
        served = {coin_id for coin_id, _ in self._exports} if self._exports is not None else self._coins.keys()
        quoted = {currency for _, currency in self._exports} if self._exports is not None else set(QUOTED)
        self.coins: tuple[Coin, ...] = tuple(coin for coin in COINS if coin.coin_id in served)
        self.currencies = tuple(code for code in QUOTED if code in quoted)

    def series(self, coin_id: str, currency: str, by: int | None = None) -> Series | None:
        """The series of a coin in a currency; None when it is not served, or begins after `by` (UNIX milliseconds)."""
        series: Series | None = None
        if self._exports is not None:
            series = self._exports.get((coin_id, currency))
        elif coin_id in self._coins and currency in self.currencies:
            series = self._simulated(coin_id, currency)
        return series if series is None or by is None or series.first <= by else None

    def units_of_bitcoin(self, currency: Currency, stamp: int) -> Decimal:
        """What a bitcoin costs in any currency of the exchange rates, at UNIX milliseconds.

        Where exports are served and bitcoin in that currency is not among them, the simulated price is taken.
        """
        series = self.series("bitcoin", currency.code) or self._simulated("bitcoin", currency.code)
        return Decimal(series.at(stamp).price)

    def close(self, coin_id: str, day: date) -> Decimal:
        """The price in USD at the end of a UTC day, zero before the coin had one.

        It is that of the daily point that closes the day; an export's day without a row holds the row before.
        """
        midnight = day_ms(day)
        known = (one for one in self._valuing(coin_id) if closed_day(one.first) <= midnight)
        return next((Decimal(series.closing(midnight).price) for series in known), Decimal(0))

    def spot(self, coin_id: str, at: datetime) -> Decimal:
        """The price in USD at an instant (aware), zero before the coin had one."""
        stamp = to_ms(at)
        known = (one for one in self._valuing(coin_id) if one.first <= stamp)
        return next((Decimal(series.at(stamp).price) for series in known), Decimal(0))

    def _valuing(self, coin_id: str) -> Iterator[Series]:
        # A chain's coin without an export keeps its simulated price: blocks are valued whatever CoinGecko serves.
        served = self.series(coin_id, "usd")
        if served is not None:
            yield served
        yield self._simulated(coin_id, "usd")

    def _simulate(self, coin_id: str, code: str) -> SimulatedSeries:
        currency = RATES[code]
        return SimulatedSeries(
            self._coins[coin_id], self._price(coin_id).at, self._rate(code), self._turnover(coin_id), currency.factor
        )

    def _price_path(self, coin_id: str) -> LogPath:
        coin = self._coins[coin_id]
        return LogPath(f"{coin_id}/price", self._seed, coin.levels, coin.volatility)

    def _turnover_path(self, coin_id: str) -> LogPath:
        coin = self._coins[coin_id]
        return LogPath(f"{coin_id}/turnover", self._seed, ((coin.first_day, coin.turnover),), 0.15)

    def _rate_path(self, code: str) -> Callable[[int], float]:
        currency = RATES[code]
        if currency.inverse_of is not None:
            price = self._price(currency.inverse_of)
            return lambda stamp: -price.at(stamp)
        return LogPath(f"usd/{code}", self._seed, currency.levels, currency.volatility).at
