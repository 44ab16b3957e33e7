"""What the simulated vendors share: error pages, the usage of a client, and where prices come from."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import date, datetime


class PriceSource(Protocol):
    """US dollar prices of the chains' coins, by CoinGecko's coin id, which is the chain's name."""

    def close(self, coin_id: str, day: date) -> Decimal:
        """The price in USD at the end of a UTC day, that is at 00:00 of the next one."""

    def spot(self, coin_id: str, at: datetime) -> Decimal:
        """The price in USD at an instant (aware)."""


@dataclass
class Usage:
    """What one key, or everybody without one, has used: a fixed window of a minute, and one of a day or a month.

    Time is the simulated clock's: while it stands still, so do the windows.
    """

    minute: datetime | None = None
    requests: int = 0
    period: date | None = None
    spent: Decimal = Decimal(0)

    def roll(self, now: datetime, period: date) -> None:
        """Begin a new window where one has come; `period` is the day, or the first day of the month."""
        minute = now.replace(second=0, microsecond=0)
        if self.minute != minute:
            self.minute, self.requests = minute, 0
        if self.period != period:
            self.period, self.spent = period, Decimal(0)


def error_page(code: int) -> str:
    """The page of a code, in HTML, as a web server writes it."""
    known = code in {status.value for status in HTTPStatus}
    title = f"{code} {HTTPStatus(code).phrase}" if known else str(code)
    return f"<html>\n<head><title>{title}</title></head>\n<body>\n<center><h1>{title}</h1></center>\n</body>\n</html>\n"
