"""Who may ask how much (contract 5.1): points a day and requests a minute, bans for those who do not listen."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from simulator.vendors import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

_PATIENCE: Final = 5
"""So many refusals within an hour are answered with 402; the next request is banned. The real number is unknown."""
_HOUR: Final = timedelta(hours=1)


class OverLimitError(Exception):
    """A request that is not answered; `code` is the HTTP status, 402 or 429."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass
class _Account:
    """A client's limits, None for none, and what it has used."""

    points_per_day: int | None = None
    requests_per_minute: int | None = None
    can_be_banned: bool = False
    usage: Usage = field(default_factory=Usage)
    refused: list[datetime] = field(default_factory=list)
    banned_until: datetime | None = None


class Quotas:
    """The limits of all clients: those of one without a key, and of the keys that exist, `key` or `key:points a day`.

    Where no key is named, every key is good.
    """

    def __init__(
        self, points_per_day: int | None = None, requests_per_minute: int | None = None, keys: Sequence[str] = ()
    ) -> None:
        self._keyless = _Account(points_per_day, requests_per_minute, can_be_banned=True)
        self._keyed: dict[str, _Account] = {}
        for given in keys:
            key, _, points = given.partition(":")
            self._keyed[key] = _Account(int(points) if points else None)
        self._any_key = not keys
        self._lock = threading.Lock()

    def admit(self, key: str | None, now: datetime) -> None:
        """Count a request.

        Raises:
            OverLimitError: The client is banned, its minute is full, its day is spent, or its key is unknown.
        """
        with self._lock:
            account = self._account(key)
            if account.banned_until is not None and now < account.banned_until:
                raise OverLimitError(429, "This address is banned for an hour: too many requests over the limit")
            account.usage.roll(now, now.date())
            if account.points_per_day is not None and account.usage.spent >= account.points_per_day:
                raise self._refusal(account, now, "The points of the day are spent")
            if account.requests_per_minute is not None and account.usage.requests >= account.requests_per_minute:
                raise self._refusal(account, now, "Too many requests in this minute")
            account.usage.requests += 1

    def charge(self, key: str | None, cost: float, now: datetime) -> None:
        """Take an answer's points.

        Raises:
            OverLimitError: There are not enough left today; nothing is taken.
        """
        points = Decimal(str(cost))
        with self._lock:
            account = self._account(key)
            account.usage.roll(now, now.date())
            if account.points_per_day is not None and account.usage.spent + points > account.points_per_day:
                raise self._refusal(account, now, "The points left today are fewer than this request costs")
            account.usage.spent += points

    def plan(self, key: str | None, now: datetime) -> tuple[int | None, Decimal]:
        """Points a day (None for no limit) and points used today of a key.

        Raises:
            OverLimitError: The key is unknown.
        """
        with self._lock:
            account = self._account(key)
            account.usage.roll(now, now.date())
            return account.points_per_day, account.usage.spent

    def _account(self, key: str | None) -> _Account:
        if key is None:
            return self._keyless
        if self._any_key:
            return self._keyed.setdefault(key, _Account())
        if key not in self._keyed:  # what the vendor says of it is not known
            raise OverLimitError(402, "This key is unknown")
        return self._keyed[key]

    @staticmethod
    def _refusal(account: _Account, now: datetime, text: str) -> OverLimitError:
        account.refused = [at for at in account.refused if now - at < _HOUR]
        if account.can_be_banned and len(account.refused) >= _PATIENCE:
            account.banned_until, account.refused = now + _HOUR, []
            return OverLimitError(429, "This address is banned for an hour: too many requests over the limit")
        account.refused.append(now)
        return OverLimitError(402, text)
