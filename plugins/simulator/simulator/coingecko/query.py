"""What a request asks for, read from its headers and parameters."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

from simulator.coingecko.chart import Granularity
from simulator.coingecko.errors import application_error, not_in_plan
from simulator.coingecko.numbers import DAY_MS, to_ms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

_MAX_PRECISION = 18
_HOURLY_LIMIT_MS = 100 * DAY_MS


class Tier(Enum):
    """Whose rules a request falls under."""

    KEYLESS = "keyless"
    DEMO = "demo"
    PRO = "pro"


def tier_of(request: Request) -> Tier:
    """The tier by the key's header or query parameter; keys themselves cannot be told apart."""
    for tier in (Tier.PRO, Tier.DEMO):
        if request.headers.get(f"x-cg-{tier.value}-api-key") or request.query_params.get(f"x_cg_{tier.value}_api_key"):
            return tier
    return Tier.KEYLESS


def required(parameters: Mapping[str, str], name: str) -> str:
    """A parameter that must be there and not empty.

    Raises:
        Refusal: It is not.
    """
    value = parameters.get(name, "")
    if not value:
        raise application_error(422, f"Missing parameter {name}")
    return value


def instant(parameters: Mapping[str, str], name: str) -> int:
    """A required instant, given as UNIX seconds or as an ISO date or date and time (UTC), as UNIX milliseconds.

    Raises:
        Refusal: It is absent or unreadable.
    """
    text = required(parameters, name)
    if re.fullmatch(r"-?\d{1,12}(\.\d{1,9})?", text):
        return int(Decimal(text) * 1000)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise application_error(400, f"invalid {name}") from None
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def span_of_days(text: str) -> int | None:
    """The parameter `days` as milliseconds; None for max.

    Raises:
        Refusal: It is neither max nor a positive number.
    """
    if text == "max":
        return None
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text) or Decimal(text) == 0:
        raise application_error(400, "invalid days")
    return int(Decimal(text) * DAY_MS)


def interval(parameters: Mapping[str, str], span: int, now: datetime) -> Granularity | None:
    """The parameter `interval` of a chart over a span in milliseconds; None when the granularity is automatic.

    Raises:
        Refusal: It is unknown, too long for hourly points, or of a higher plan.
    """
    text = parameters.get("interval", "")
    if not text:
        return None
    if text == Granularity.DAILY.value:
        return Granularity.DAILY
    if text == Granularity.HOURLY.value and span <= _HOURLY_LIMIT_MS:
        return Granularity.HOURLY
    if text == Granularity.FIVE_MINUTES.value:
        raise not_in_plan(now)  # of the Enterprise plan only
    raise application_error(400, "invalid interval")


def precision(parameters: Mapping[str, str], *, default: int | None = None) -> int | None:
    """The parameter `precision` as a number of decimals; None for full precision.

    Raises:
        Refusal: It is neither full nor 0 to 18.
    """
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
