"""The month's calls: counted over runs through the state, and kept below a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalAPIError

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from datetime import datetime

#: Where the account lies in the tap's state, beside the bookmarks.
STATE_KEY = "credits"


class Credits:
    """An account of calls in a calendar month, UTC, by the source's clock.

    CoinGecko charges a call; whether a failed one costs is documented both ways, so all are counted.

    Args:
        budget: Most calls a month; None for no limit.
        account: `{"month": "2026-11", "calls": 12}`, changed in place; empty at the first run.
    """

    def __init__(self, budget: int | None, account: MutableMapping[str, Any]) -> None:
        self._budget = budget
        self._account = account
        self._resume = ""
        #: Calls of this run.
        self.calls = 0

    @property
    def month(self) -> str:
        """The month that is counted, as 2026-11; empty before the source's clock was ever read."""
        return str(self._account.get("month", ""))

    @property
    def calls_in_month(self) -> int:
        """Calls of that month so far, those of earlier runs included."""
        calls = self._account.get("calls", 0)
        return calls if isinstance(calls, int) else 0

    def spend(self) -> None:
        """Count a call that is about to be made.

        Raises:
            FatalAPIError: If the month's budget is spent. A run's first call is always let through: only its answer
                shows which month it is.
        """
        if self._budget is not None and self._resume and self.calls_in_month >= self._budget:
            raise FatalAPIError(
                f"the {self._budget} calls of {self.month} are spent (setting `monthly_credits`); "
                f"raise it, or run again from {self._resume} on"
            )
        self.calls += 1
        self._account["calls"] = self.calls_in_month + 1

    def learn(self, now: datetime) -> None:
        """Begin a new month where the source's clock shows one; the call it came with counts for its month."""
        month = f"{now:%Y-%m}"
        self._resume = f"{now.year + now.month // 12}-{now.month % 12 + 1:02}-01"
        if self.month != month:
            # A clock that was put back begins no new month: what was called counts until the next one begins.
            if self.month and month > self.month:
                self._account["calls"] = 1
            self._account["calls"] = self.calls_in_month
            self._account["month"] = month
