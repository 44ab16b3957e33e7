"""What each CoinGecko plan changes: the host, the key's header, the reach of history, candles, pace and credits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

PUBLIC_URL = "https://api.coingecko.com/api/v3"
PRO_URL = "https://pro-api.coingecko.com/api/v3"


class Candles(Enum):
    """Which candles a plan gives, and how they are asked for."""

    #: `/ohlc` without an interval: candles of four hours, 30 days back. Longer spans come in candles of four days,
    #: whose phase is not published, so that those of two runs might overlap.
    FOUR_HOURS = "4h"
    #: `/ohlc` with `interval=daily`: 180 days back.
    DAILY = "daily"
    #: `/ohlc/range`: daily candles of any span, 180 days a call.
    DAILY_RANGE = "daily, any span"


@dataclass(frozen=True, slots=True)
class Plan:
    """One CoinGecko plan.

    Attributes:
        key_header: HTTP header that carries the key; None where no key is sent.
        reach_days: Days of daily and hourly history the plan may ask for, counted from now; None for all of it.
        requests_per_minute: Default pace in calls per minute, below what the plan allows.
        monthly_credits: Calls a month that the plan includes; None where none are counted or published.
    """

    api_url: str
    key_header: str | None
    reach_days: int | None
    requests_per_minute: int
    monthly_credits: int | None
    candles: Candles


_PRO_HEADER = "x-cg-pro-api-key"

PLANS: dict[str, Plan] = {
    # About five calls a minute are let through without a key, and they are shared by everyone behind one address.
    "keyless": Plan(PUBLIC_URL, None, 365, 4, None, Candles.FOUR_HOURS),
    # Published limits for Demo differ (30 or 100 a minute); this stays under the lower one.
    "demo": Plan(PUBLIC_URL, "x-cg-demo-api-key", 365, 25, 10_000, Candles.FOUR_HOURS),
    "basic": Plan(PRO_URL, _PRO_HEADER, 730, 200, 100_000, Candles.DAILY),
    "analyst": Plan(PRO_URL, _PRO_HEADER, None, 400, 500_000, Candles.DAILY_RANGE),
    "lite": Plan(PRO_URL, _PRO_HEADER, None, 400, 2_000_000, Candles.DAILY_RANGE),
    # What these two include is agreed with the customer, or was never published in a way to rely on.
    "pro": Plan(PRO_URL, _PRO_HEADER, None, 800, None, Candles.DAILY_RANGE),
    "enterprise": Plan(PRO_URL, _PRO_HEADER, None, 800, None, Candles.DAILY_RANGE),
}
