"""Refusals in the envelopes that CoinGecko uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Refusal(Exception):  # noqa: N818 - an answer of the vendor, not a failure of the program
    """An answer that is not 200.

    Attributes:
        status: HTTP status.
        body: JSON body.
    """

    def __init__(self, status: int, body: dict[str, object]) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


def application_error(status: int, message: str) -> Refusal:
    """A plain sentence under `error`: bad parameters and unknown coins."""
    return Refusal(status, {"error": message})


def no_user_agent(now: datetime) -> Refusal:
    """A request without a descriptive User-Agent."""
    message = "Please add a descriptive User-Agent to your request."
    return Refusal(403, {"status": _status(now, 403, message)})


def not_in_plan(now: datetime) -> Refusal:
    """An endpoint or an option of a higher plan."""
    message = "This request is limited to PRO API subscribers."
    return Refusal(401, {"status": _status(now, 10005, message)})


def outside_window(now: datetime) -> Refusal:
    """A request that reaches further back than the plan allows; refused whole."""
    message = (
        "Your request exceeds the allowed time range. Public API users are limited to querying historical data within "
        "the past 365 days. Upgrade to a paid plan to enjoy full historical data access: "
        "https://www.coingecko.com/en/api/pricing. "
    )
    return Refusal(401, {"error": {"status": _status(now, 10012, message)}})


def injected(now: datetime, code: int) -> Refusal:
    """An error that a fault asks for."""
    return Refusal(code, {"status": _status(now, code, "A fault was asked for.")})


def _status(now: datetime, code: int, message: str) -> dict[str, object]:
    return {"timestamp": now.isoformat(timespec="milliseconds"), "error_code": code, "error_message": message}
