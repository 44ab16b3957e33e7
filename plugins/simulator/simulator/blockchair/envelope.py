"""The envelope of the API: `data` and a `context` with its keys in the order of the contract (1.3)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from fastapi import Response

if TYPE_CHECKING:
    from collections.abc import Collection
    from decimal import Decimal

    from simulator.blockchair.table import Json

_RENDER_TIME: Final = 0.004
_QUERY_TIME: Final = 0.1
_FULL_TIME: Final = 0.104
_PAST: Final = "2023-11-12 02:00:00"
_API: Final[dict[str, Json]] = {
    "version": "2.0.95-ie",
    "last_major_update": "2022-11-07 02:00:00",
    "next_major_update": None,
    "documentation": "https://blockchair.com/api/docs",
    "notice": "Simulated: nothing here comes from a real chain.",
}


COST_HEADER: Final = "x-simulated-points"
"""States to the server's own log of requests what an answer cost; it never leaves the server."""
ERRORS: Final = {
    400: "The request cannot be understood",
    402: "A limit is exceeded: wait for the next minute or the next day, or use a key",
    404: "Nothing is found here",
    429: "Too many requests over the limit: this address is banned for an hour",
    430: "This address is blocked: use a key",
    434: "This address is blocked: use a key",
    435: "Too many requests a second or at once",
    436: "A limit is exceeded",
    437: "A limit is exceeded",
    500: "The server failed",
    503: "The server cannot answer",
}
"""What an error says where its cause says nothing more exact (contract 5.2)."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an endpoint found.

    Attributes:
        data: The payload; None on errors.
        code: HTTP status, repeated in the context.
        error: What went wrong.
        source: The letter of the backend.
        paging: Context keys between source and state: limit, offset, rows, total_rows.
        state: Context keys about the tip.
        duration: Seconds the answer may be kept.
        shown_duration: What the context says of it.
        cost: Points charged.
    """

    data: Json
    code: int = 200
    error: str | None = None
    source: str = "D"
    paging: dict[str, Json] = field(default_factory=dict)
    state: dict[str, Json] = field(default_factory=dict)
    duration: int = 60
    shown_duration: int | str | None = None
    cost: float = 1


def failure(code: int, error: str) -> Answer:
    """An error's answer: no data, no state, no source."""
    return Answer(data=None, code=code, error=error)


def respond(answer: Answer, now: datetime, servers: str, price: Decimal, quirks: Collection[str] = ()) -> Response:
    """The response that carries an answer."""
    shown = "Ignore" if "cache-ignore" in quirks else answer.shown_duration
    failed = answer.error is not None
    context: dict[str, Json] = {"code": answer.code}
    if failed:
        context["error"] = answer.error
    else:
        context |= {"source": answer.source, **answer.paging, **answer.state}
    context |= {
        "market_price_usd": float(price),
        "cache": {
            "live": True,
            "duration": answer.duration if shown is None else shown,
            "since": f"{now:%Y-%m-%d %H:%M:%S}",
            "until": f"{now + timedelta(seconds=answer.duration):%Y-%m-%d %H:%M:%S}",
            "time": None,
        },
        "api": _API | ({"next_major_update": _PAST} if "past-update" in quirks else {}),
        "servers": "API4" if failed else servers,
        "time": None if failed else _QUERY_TIME,
        "render_time": _RENDER_TIME,
        "full_time": _RENDER_TIME if failed else _FULL_TIME,
        "request_cost": answer.cost,
    }
    return Response(
        encode({"data": answer.data, "context": context}),
        status_code=answer.code,
        media_type="application/json",
        headers={
            "cache-control": "no-cache, private",
            "access-control-allow-origin": "*",
            COST_HEADER: str(answer.cost),
        },
    )


def encode(value: Json) -> str:
    r"""JSON as PHP writes it: `\/`, no fraction on whole floats, `5.9e-8`, `[]` for an empty map, whole integers."""
    match value:
        case str():
            return json.dumps(value).replace("/", r"\/")
        case float():
            return _real(value)
        case dict():
            if not value:
                return "[]"
            return "{" + ",".join(f"{encode(key)}:{encode(one)}" for key, one in value.items()) + "}"
        case list():
            return "[" + ",".join(map(encode, value)) + "]"
        case _:
            return json.dumps(value)


def _real(value: float) -> str:
    text = repr(value)
    if "e" in text:
        mantissa, exponent = text.split("e")
        return f"{mantissa}{'' if '.' in mantissa else '.0'}e{int(exponent):+d}"
    return text.removesuffix(".0")
