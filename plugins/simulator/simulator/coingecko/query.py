"""What a request asks for, read from its headers and parameters; what cannot be read or had raises Refusal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from simulator.coingecko.chart import Granularity
from simulator.coingecko.errors import application_error, refusal
from simulator.coingecko.times import DAY_MS, from_ms, to_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.coingecko.access import Client

WHOLE_DAYS: Final = frozenset({"1", "7", "14", "30", "90", "180", "365", "max"})
"""What `days` may be where it is no free number."""
_MAX_PRECISION: Final = 18
_HOURLY_LIMIT_MS: Final = 100 * DAY_MS
_FINE_LIMIT_MS: Final = 10 * DAY_MS
_DAY_FIRST: Final = re.compile(r"(\d{1,2})-(\d{1,2})-(\d{4})")


@dataclass(frozen=True)
class Ask:
    """A request that was let in.

    Attributes:
        client: Who asks.
        now: The clock, UNIX milliseconds.
        parameters: The query.
        coin_id: The coin that the path names; empty where it names none.
    """

    client: Client
    now: int
    parameters: Mapping[str, str]
    coin_id: str = ""

    def within_window(self, start: int) -> None:
        """Refuse what begins (UNIX milliseconds) further back than the plan allows."""
        days = self.client.plan.window_days
        if days is not None and start < self.now - days * DAY_MS:
            raise refusal(from_ms(self.now), 10012)

    def paid(self) -> None:
        """Refuse clients without a paid plan."""
        if not self.client.plan.paid:
            raise refusal(from_ms(self.now), 10005)

    def says(self, name: str, *, default: bool = False) -> bool:
        """A parameter that is `true` or `false`."""
        text = self.parameters.get(name, "")
        return text == "true" if text else default


def required(parameters: Mapping[str, str], name: str) -> str:
    """A parameter that must be there and not empty."""
    value = parameters.get(name, "")
    if not value:
        raise application_error(422, f"Missing parameter {name}")
    return value


def instant(parameters: Mapping[str, str], name: str) -> int:
    """A required instant, given as UNIX seconds or as an ISO date or date and time (UTC), as UNIX milliseconds."""
    text = required(parameters, name)
    if re.fullmatch(r"-?\d{1,12}(\.\d{1,9})?", text):
        return int(Decimal(text) * 1000)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise application_error(400, f"invalid {name}") from None
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def span_of_days(text: str) -> int | None:
    """The parameter `days` as milliseconds; None for max."""
    if text == "max":
        return None
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text) or Decimal(text) == 0:
        raise application_error(400, "invalid days")
    return int(Decimal(text) * DAY_MS)


def calendar_day(parameters: Mapping[str, str], name: str) -> int:
    """A required day, given as dd-mm-yyyy or yyyy-mm-dd, as UNIX milliseconds of its midnight."""
    text = required(parameters, name)
    match = _DAY_FIRST.fullmatch(text)
    try:
        if match:
            moment = datetime(int(match[3]), int(match[2]), int(match[1]), tzinfo=UTC)
        else:
            moment = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise application_error(400, "invalid date") from None
    return to_ms(moment)


def interval(ask: Ask, span: int, *, hourly_for_all: bool) -> Granularity | None:
    """The parameter `interval` of a chart over a span in milliseconds; None when the granularity is automatic."""
    text = ask.parameters.get("interval", "")
    if not text:
        return None
    if text == Granularity.DAILY.value:
        return Granularity.DAILY
    fine = ask.client.plan.fine
    limits = {Granularity.HOURLY: (_HOURLY_LIMIT_MS, fine or hourly_for_all)}
    limits[Granularity.FIVE_MINUTES] = (_FINE_LIMIT_MS, fine)
    for granularity, (limit, allowed) in limits.items():
        if text == granularity.value:
            if not allowed:
                raise refusal(from_ms(ask.now), 10005)
            if span <= limit:
                return granularity
    raise application_error(400, "invalid interval")


def precision(parameters: Mapping[str, str], *, default: int | None = None) -> int | None:
    """The parameter `precision` as a number of decimals; None for full precision."""
    text = parameters.get("precision", "")
    if not text:
        return default
    if text == "full":
        return None
    if not re.fullmatch(r"\d{1,2}", text) or int(text) > _MAX_PRECISION:
        raise application_error(400, "invalid precision")
    return int(text)


def whole(parameters: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """A whole number, brought within its bounds; the default when it is absent or unreadable."""
    text = parameters.get(name, "")
    return min(max(int(text), low), high) if re.fullmatch(r"\d{1,9}", text) else default


def listed(parameters: Mapping[str, str], name: str) -> list[str]:
    """A comma separated list without its empty members."""
    return [member.strip() for member in parameters.get(name, "").split(",") if member.strip()]
