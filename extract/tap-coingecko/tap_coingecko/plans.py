"""What each CoinGecko plan changes: the host, the key's header, the reach of history and the call rate."""

from __future__ import annotations

from dataclasses import dataclass

PUBLIC_URL = "https://api.coingecko.com/api/v3"
PRO_URL = "https://pro-api.coingecko.com/api/v3"


@dataclass(frozen=True, slots=True)
class Plan:
    """One CoinGecko plan.

    Attributes:
        api_url: API root that the plan's calls go to.
        key_header: HTTP header that carries the key; None where no key is sent.
        reach_days: Days of daily history the plan may ask for, counted from now; None for all of it.
        requests_per_minute: Default pace in calls per minute, below what the plan allows.
    """

    api_url: str
    key_header: str | None
    reach_days: int | None
    requests_per_minute: int


_PRO_HEADER = "x-cg-pro-api-key"

PLANS: dict[str, Plan] = {
    # About five calls a minute are let through without a key, and they are shared by everyone behind one address.
    "keyless": Plan(PUBLIC_URL, None, 365, 4),
    # Published limits for Demo differ (30 or 100 a minute); this stays under the lower one.
    "demo": Plan(PUBLIC_URL, "x-cg-demo-api-key", 365, 25),
    "basic": Plan(PRO_URL, _PRO_HEADER, 730, 200),
    "analyst": Plan(PRO_URL, _PRO_HEADER, None, 400),
    "lite": Plan(PRO_URL, _PRO_HEADER, None, 400),
    "pro": Plan(PRO_URL, _PRO_HEADER, None, 800),
    "enterprise": Plan(PRO_URL, _PRO_HEADER, None, 800),
}
