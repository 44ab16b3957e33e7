"""CoinGecko's plans: what a client may ask, how often and how far back (contract 2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Host(Enum):
    """The two hosts, each with a header of its own for keys."""

    PUBLIC = "demo"
    PRO = "pro"


@dataclass(frozen=True)
class Plan:
    """A plan.

    Attributes:
        name: As settings and paths name it.
        host: Where it is served.
        per_minute: Calls a minute.
        credits: Calls a month; None where nobody counts.
        window_days: Days back for which history is served; None for all of it.
        fine: Whether points of five minutes can be asked for.
    """

    name: str
    host: Host
    per_minute: int
    credits: int | None
    window_days: int | None = None
    fine: bool = False

    @property
    def paid(self) -> bool:
        """Whether the paid endpoints are part of it."""
        return self.host is Host.PRO


PLANS: Final = {
    plan.name: plan
    for plan in (
        Plan("keyless", Host.PUBLIC, 5, None, 365),
        Plan("demo", Host.PUBLIC, 30, 10_000, 365),
        Plan("basic", Host.PRO, 250, 100_000, 730),
        Plan("analyst", Host.PRO, 500, 500_000),
        Plan("lite", Host.PRO, 500, 2_000_000),
        Plan("pro", Host.PRO, 1000, 3_000_000),  # its credits are not known
        Plan("enterprise", Host.PRO, 1000, 10_000_000, fine=True),  # agreed one by one
    )
}
