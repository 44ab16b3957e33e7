"""Refusals in the envelopes that CoinGecko uses (contract 4.1), A to F."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.coingecko.numbers import encode
from simulator.vendors import error_page

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from simulator.faults import Action

_JSON: Final = "application/json; charset=utf-8"
_TEXT: Final = "text/plain; charset=utf-8"
_PRICING: Final = "https://www.coingecko.com/en/api/pricing"
_STATUSES: Final = {403: 403, 429: 429, 1015: 429, 1020: 403, 10006: 429, 10010: 400, 10011: 400}
"""The status of a code; 401 for the others."""
_PLAIN: Final = {
    400: "invalid vs_currency",
    404: "coin not found",
    422: "Missing parameter vs_currency",
}
"""What application errors say, which have no code."""
_MESSAGES: Final = {
    403: "Please add a descriptive User-Agent to your request.",
    429: (
        f"You've exceeded the Rate Limit. Please visit {_PRICING} to subscribe to our API plans for higher rate limits."
    ),
    10002: "API Key Missing. Please make sure you're using the right authentication method.",
    10005: "This request is limited to PRO API subscribers.",
    10006: f"You have reached your monthly calls limit. Please visit {_PRICING} to upgrade your plan.",
    10010: (
        "If you are using Pro API key, please change your root URL from api.coingecko.com to pro-api.coingecko.com."
    ),
    10011: (
        "If you are using Demo API key, please change your root URL from pro-api.coingecko.com to api.coingecko.com."
    ),
    10012: (
        "Your request exceeds the allowed time range. Public API users are limited to querying historical data within "
        f"the past 365 days. Upgrade to a paid plan to enjoy full historical data access: {_PRICING}. "
    ),
}


class Refusal(Exception):  # noqa: N818 - an answer of the vendor, not a failure of the program
    """An answer that is no good one.

    Attributes:
        status: HTTP status.
        text: The body.
        media: Its content type.
        headers: What it has besides the usual headers.
    """

    def __init__(self, status: int, text: str, media: str = _JSON, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.text = text
        self.media = media
        self.headers = dict(headers or {})


def application_error(status: int, message: str) -> Refusal:
    """A plain sentence under `error`: bad parameters and unknown coins."""
    return Refusal(status, encode({"error": message}))


def refusal(now: datetime, code: int, status: int | None = None) -> Refusal:
    """What the vendor answers where a code says why; the window's code has an envelope of its own."""
    text, media = _enveloped("B" if code == 10012 else "A", now, code, None)  # noqa: PLR2004
    return Refusal(_STATUSES.get(code, 401) if status is None else status, text, media)


def throttled(now: datetime, seconds: int, *, keyless: bool) -> Refusal:
    """A client whose minute is full, and the whole seconds for which it shall wait."""
    text, media = _enveloped("E" if keyless else "A", now, 429, None)
    return Refusal(429, text, media, {"retry-after": str(seconds)})


def injected(now: datetime, action: Action) -> Refusal:
    """What a fault asks for: a code, or a status, or both, in the envelope it names or in the usual one."""
    code, status = action.code, action.status
    if status is None:
        status = 200 if code is None and action.envelope is None else _STATUSES.get(code or 429, 401)
    if action.html:
        return Refusal(status, error_page(status), "text/html")
    envelope = action.envelope
    if envelope is None:
        plain = code is None and status in _PLAIN
        envelope = "C" if plain else "B" if code == 10012 else "A"  # noqa: PLR2004
    if code is None and envelope == "C":
        return Refusal(status, encode({"error": action.message or _PLAIN.get(status, "A fault was asked for.")}))
    text, media = _enveloped(envelope, now, status if code is None else code, action.message)
    return Refusal(status, text, media)


def _enveloped(envelope: str, now: datetime, code: int, message: str | None) -> tuple[str, str]:
    """Body and content type: A to F, `A-old` as A was before it had a time, `F-page` for the page of F."""
    message = message or _MESSAGES.get(code, "A fault was asked for.")
    old: dict[str, object] = {"error_code": code, "error_message": message}
    status: dict[str, object] = {"timestamp": now.isoformat(timespec="milliseconds"), **old}
    forms: dict[str, object] = {
        "A": {"status": status},
        "A-old": {"status": old},
        "B": {"error": {"status": status}},
        "C": {"error": message},
        "D": {"error_code": code, "status": {"error_message": message}},
    }
    if envelope in forms:
        return encode(forms[envelope]), _JSON
    if envelope == "E":
        return "Throttled\n", _TEXT
    if envelope == "F-page":
        return error_page(code), "text/html"
    return f"error code: {code}", _TEXT
