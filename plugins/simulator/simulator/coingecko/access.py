"""Who may ask: hosts, keys, calls a minute and credits a month."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, NamedTuple

from simulator.coingecko.errors import refusal, throttled
from simulator.coingecko.plans import PLANS, Host, Plan
from simulator.vendors import Usage

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.requests import Request

    from simulator.settings import Settings

_MINUTE: Final = 60


class _Key(NamedTuple):
    """A key that exists; a plan or credits of None are those of the place where it is used."""

    plan: Plan | None
    credits: int | None


class Client(NamedTuple):
    """Who asks.

    Attributes:
        plan: Whose rules apply.
        key: The key; empty without one.
        credits: Credits a month; None where nobody counts.
        per_minute: Calls a minute; None where nobody counts.
        spent: Credits used this month.
    """

    plan: Plan
    key: str
    credits: int | None
    per_minute: int | None
    spent: int = 0


class Access:
    """The clients of all plans and what they used."""

    def __init__(self, settings: Settings) -> None:
        self._keys = dict(_known(given) for given in settings.coingecko_keys)
        self._by_plan = settings.coingecko_limits == "plan"
        self._per_minute = settings.coingecko_per_minute
        self._credits = settings.coingecko_credits
        self._all_calls_cost = "coingecko-failures-cost" in settings.quirks
        self._quota_status = 401 if "coingecko-quota-401" in settings.quirks else 429
        self._usages: dict[str, Usage] = {}
        self._lock = threading.Lock()

    def admit(self, request: Request, place: str, now: datetime) -> Client:
        """Let a client in and count its call.

        Raises:
            Refusal: The key is of the other host, missing or unknown, or the minute or the month is used up.
        """
        plan, key = self._identified(request, place, now)
        known = self._keys.get(key)
        limit = self._credits or (plan.credits if self._by_plan else None)
        client = Client(
            plan,
            key,
            limit if known is None or known.credits is None else known.credits,
            self._per_minute or (plan.per_minute if self._by_plan else None),
        )
        with self._lock:
            usage = self._usage(client, now)
            usage.requests += 1  # also a call that is refused
            if client.per_minute is not None and usage.requests > client.per_minute:
                raise throttled(now, _MINUTE - now.second, keyless=not key)
            if client.key and client.credits is not None and usage.spent >= client.credits:
                raise refusal(now, 10006, self._quota_status)
            return client._replace(spent=int(usage.spent))

    def charge(self, client: Client, now: datetime, *, good: bool) -> None:
        """Take a credit for an answer; a failed one costs none, unless the world says otherwise."""
        if good or self._all_calls_cost:
            with self._lock:
                self._usage(client, now).spent += 1

    def _identified(self, request: Request, place: str, now: datetime) -> tuple[Plan, str]:
        pro, demo = _key(request, "pro"), _key(request, "demo")
        key = pro or demo
        known = self._keys.get(key)
        of_demo = bool(key) and (not pro if known is None or known.plan is None else known.plan.host is Host.PUBLIC)
        host = PLANS[place].host if place else Host.PRO if pro else Host.PUBLIC
        if host is Host.PUBLIC and key and (pro or not of_demo):
            raise refusal(now, 10010)
        if host is Host.PRO and key and (not pro or of_demo):
            raise refusal(now, 10011)
        if (host is Host.PRO and not key) or (key and self._keys and known is None):
            raise refusal(now, 10002)
        if known is not None and known.plan is not None:
            return known.plan, key
        if host is Host.PUBLIC:
            return PLANS["demo" if key else "keyless"], key
        return PLANS[place or "pro"], key

    def _usage(self, client: Client, now: datetime) -> Usage:
        usage = self._usages.setdefault(client.key, Usage())
        usage.roll(now, now.date().replace(day=1))
        return usage


def _key(request: Request, kind: str) -> str:
    """The key in a host's header or query parameter; empty without one."""
    return request.headers.get(f"x-cg-{kind}-api-key") or request.query_params.get(f"x_cg_{kind}_api_key") or ""


def _known(given: str) -> tuple[str, _Key]:
    key, *parts = given.split(":")
    plan = next((PLANS[part] for part in parts if part in PLANS), None)
    credits_ = next((int(part) for part in parts if part.isdigit()), None)
    return key, _Key(plan, credits_)
