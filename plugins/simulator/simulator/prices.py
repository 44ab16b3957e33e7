"""The door through which the simulated chains ask for prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import date, datetime
    from decimal import Decimal


class PriceSource(Protocol):
    """US dollar prices of the chains' coins, by CoinGecko's coin id, which is the chain's name."""

    def close(self, coin_id: str, day: date) -> Decimal:
        """The price in USD at the end of a UTC day, that is at 00:00 of the next one."""

    def spot(self, coin_id: str, at: datetime) -> Decimal:
        """The price in USD at an instant (aware)."""
