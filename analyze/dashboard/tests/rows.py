"""Rows as the warehouse gives them, made by hand."""

import datetime as dt
from typing import Any

from dashboard.view import View
from dashboard.warehouse import Rows

FIRST = dt.date(2025, 1, 30)
COINS = {"bitcoin": "Bitcoin", "dogecoin": "Dogecoin"}


def view(*coins: str) -> View:
    """Three days of some coins, or of all."""
    return View(coins or tuple(COINS), COINS, FIRST, FIRST + dt.timedelta(days=2), "92", tuple(COINS))


def rows(*found: dict[str, Any]) -> Rows:
    """Rows with the columns of the first."""
    return Rows(list(found), list(found[0]) if found else [])


def day(number: int, coin: str = "bitcoin", state: str = "verified", **columns: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    """A coin's day."""
    date = FIRST + dt.timedelta(days=number)
    return {"day": date, "coin": coin, "asset_name": COINS[coin], "day_status": state} | columns
