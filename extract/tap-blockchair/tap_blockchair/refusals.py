"""Blockchair's refusals: what each code means, what the tap does about it, what a person can do."""

from __future__ import annotations

import re
from enum import Enum
from http import HTTPStatus
from typing import NamedTuple

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError


class Reaction(Enum):
    """What the tap does after a refusal."""

    STOP = "the run stops at once, with an error"
    WAIT = "wait for the next minute and try once more; after that the day counts as spent"
    REST = "an hour's ban: no more requests"
    SLOW = "ask less often from now on, and try again"
    RETRY = "try again a few times"
    DOUBT = "try again, but fewer times: it may be a block"


class Refusal(NamedTuple):
    """A code of the API.

    Attributes:
        meaning: What happened, in half a sentence.
        advice: What a person can do, in a sentence.
    """

    code: int
    reaction: Reaction
    meaning: str
    advice: str

    @property
    def why(self) -> str:
        """What was answered, in half a sentence."""
        return f"the API answered {self.code}: {self.meaning}"


class LimitReachedError(FatalAPIError):
    """Codes 402, 436 and 437.

    Attributes:
        why: What was answered, without the address.
        retry_after: Seconds, where the server states them.
    """

    def __init__(self, message: str, why: str, retry_after: int | None) -> None:
        super().__init__(message)
        self.why = why
        self.retry_after = retry_after


class DoubtfulError(RetriableAPIError):
    """Code 503: the server is down, or this address is blocked."""


DOUBTFUL_TRIES = 2
"""How often a request is made that is answered with 503: a blocked address must not hammer."""

_LATER = "Run again later."
_KEY = "Check api_key (BLOCKCHAIR_API_KEY in .env)"
_BAD = r"\b(?:unknown|invalid|not valid|wrong|incorrect|expired|revoked|disabled|suspended|does not exist|not found)\b"
# What Blockchair says of a wrong key is not documented, nor with which code; simulated sources answer 402.
_SPEAKS_OF_KEY = re.compile(rf"\bkey\b.{{0,40}}{_BAD}|{_BAD}.{{0,40}}\bkey\b", re.IGNORECASE)
_BLOCKED = "Do not repeat the request; a valid api_key usually lifts it."
_SPENT = "An api_key raises the limits; dumps need no points."

_REFUSALS = (
    Refusal(400, Reaction.STOP, "the request was refused as malformed", "Please report this as a fault of the tap."),
    Refusal(401, Reaction.STOP, "access was refused", f"{_KEY} and api_url."),
    Refusal(402, Reaction.WAIT, "a limit is used up (requests a minute, points a day, or a too complex one)", _SPENT),
    Refusal(404, Reaction.STOP, "there is nothing at this address", "Check api_url and chains."),
    Refusal(
        429,
        Reaction.REST,
        "banned for an hour after repeated over-limit answers",
        "Wait at least an hour; lower requests_per_minute.",
    ),
    Refusal(430, Reaction.STOP, "this network address is blocked for abuse", _BLOCKED),
    Refusal(434, Reaction.STOP, "this network address is blocked as part of a botnet", _BLOCKED),
    Refusal(435, Reaction.SLOW, "too many requests at once", "Lower requests_per_minute."),
    Refusal(436, Reaction.WAIT, "a further limit is used up", _SPENT),
    Refusal(437, Reaction.WAIT, "a limit on complex requests is used up", _SPENT),
    Refusal(500, Reaction.RETRY, "the server failed", _LATER),
    Refusal(
        503,
        Reaction.DOUBT,
        "the server is down, or this network address is blocked",
        "Run again later, not at once; if it stays, a valid api_key lifts a block.",
    ),
)
REFUSALS = {known.code: known for known in _REFUSALS}


def refusal(code: int, reason: str, said: str = "") -> Refusal:
    """Look up an HTTP status, or the envelope's own code.

    A text (`said`) by which the key is no good counts more than the code: another try cannot cure that.

    Undocumented server faults are repeated, every other undocumented code stops; the status line gives its reason.
    """
    if code < HTTPStatus.INTERNAL_SERVER_ERROR and _SPEAKS_OF_KEY.search(said):
        return Refusal(code, Reaction.STOP, "the key was refused", f"{_KEY}.")
    known = REFUSALS.get(code)
    if known:
        return known
    reaction = Reaction.RETRY if code >= HTTPStatus.INTERNAL_SERVER_ERROR else Reaction.STOP
    return Refusal(code, reaction, reason or "no reason given", _LATER)
