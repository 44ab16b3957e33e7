"""The set of price series a server serves, simulated or read from exports."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from simulator.coingecko.coins import COINS, RATES, Coin
from simulator.coingecko.exports import read_exports
from simulator.coingecko.numbers import DAY_MS, day_ms, to_ms
from simulator.coingecko.series import Series, SimulatedSeries

if TYPE_CHECKING:
    from datetime import date, datetime

    from simulator.settings import Settings


class PriceBook:
    """Every price of a world; also what the simulated chains value their amounts with.

    Args:
        settings: The world's parameters.

    Raises:
        SettingsError: The folder of price exports cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        simulated: dict[tuple[str, str], Series] = {
            (coin.coin_id, currency): SimulatedSeries(coin, currency, settings.seed)
            for coin in COINS
            for currency in RATES
        }
        self._served: dict[tuple[str, str], Series] = simulated
        if settings.prices_dir is not None:
            self._served = dict(read_exports(settings.prices_dir))
        self._valued = {coin.coin_id: self._served.get((coin.coin_id, "usd")) for coin in COINS}
        self._simulated = simulated
        known = {coin_id for coin_id, _ in self._served}
        self.coins: tuple[Coin, ...] = tuple(coin for coin in COINS if coin.coin_id in known)
        self.currencies = frozenset(currency for _, currency in self._served)

    def series(self, coin_id: str, currency: str) -> Series | None:
        """The series of a coin in a currency; None when it is not served."""
        return self._served.get((coin_id, currency))

    def close(self, coin_id: str, day: date) -> Decimal:
        """The price in USD at the end of a UTC day, zero before the coin had one.

        It is the daily point stamped 00:00 of the next day; an export's day without a row holds the row before.
        """
        stamp = day_ms(day) + DAY_MS
        series = self._valuing(coin_id, stamp)
        return Decimal(series.closing(stamp).price) if stamp >= series.first else Decimal(0)

    def spot(self, coin_id: str, at: datetime) -> Decimal:
        """The price in USD at an instant (aware), zero before the coin had one."""
        stamp = to_ms(at)
        series = self._valuing(coin_id, stamp)
        return Decimal(series.at(stamp).price) if stamp >= series.first else Decimal(0)

    def _valuing(self, coin_id: str, stamp: int) -> Series:
        # A chain's coin without an export keeps its simulated price: blocks are valued whatever CoinGecko serves.
        series = self._valued[coin_id]
        return series if series is not None and stamp >= series.first else self._simulated[coin_id, "usd"]
