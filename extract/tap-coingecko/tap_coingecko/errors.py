"""Reading CoinGecko's error answers: several envelopes, and HTTP statuses that mean more than one thing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_coingecko import answers

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

#: The code of a call that reaches further back than the plan.
BEYOND_REACH = 10012
#: Longest piece of the source's own words that is passed on.
MAX_TEXT = 200

_KEY = "check `api_key` (COINGECKO_API_KEY in .env), and that `plan` (COINGECKO_PLAN) is the plan it belongs to"
_BAD = r"\b(?:unknown|invalid|not valid|wrong|incorrect|expired|revoked|disabled|missing|does not exist|not found)\b"
_SPEAKS_OF_KEY = re.compile(rf"\bkey\b.{{0,40}}{_BAD}|{_BAD}.{{0,40}}\bkey\b", re.IGNORECASE)

_CODE_ADVICE: Mapping[int, str] = {
    1020: "its firewall blocks this client; check `user_agent` and the address calls come from",
    10002: f"the API key is missing or not known; {_KEY}",
    10005: "this endpoint is not part of the plan; deselect the stream or correct `plan`",
    10006: "the month's credits are used up; wait for the reset or raise the plan",
    10010: "a key of a paid plan was sent to the public host; set `plan` to the paid plan (and leave `api_url` unset)",
    10011: "a Demo key was sent to the host of the paid plans; set `plan` to demo (and leave `api_url` unset)",
    BEYOND_REACH: "the plan does not reach back that far; set `start_date` later, or correct `plan`",
}

_STATUS_ADVICE: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: "it does not accept the request; check `coins` and `vs_currencies`",
    HTTPStatus.UNAUTHORIZED: f"it does not accept the key; {_KEY}",
    HTTPStatus.FORBIDDEN: "it blocks this client; set a descriptive `user_agent`",
    HTTPStatus.NOT_FOUND: "there is no such coin or address; check `coins` and `api_url`",
    HTTPStatus.REQUEST_TIMEOUT: "it did not get the request in time; run again",
    HTTPStatus.UNPROCESSABLE_ENTITY: "it misses a parameter; check `coins` and `vs_currencies`",
    HTTPStatus.TOO_MANY_REQUESTS: "too many calls; lower `requests_per_minute` or run again later",
}

#: Codes that another try cannot cure, whatever the status they come with (10006 has been seen with 429).
_TERMINAL_CODES = frozenset(_CODE_ADVICE)
_RETRIABLE_STATUSES = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
#: Statuses that blame what one call asked for, and not the key, the client or the plan.
_ASKED_AMISS = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY})


class AsideError(FatalAPIError):
    """What was asked for cannot be had; other coins, currencies and streams may go on."""


class BeyondReachError(AsideError):
    """The call reached further back than the plan (code 10012); a narrower one may pass."""


class TooManyCallsError(RetriableAPIError):
    """The rate limit: it holds for every call, whatever it asks for."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that holds no data.

    Attributes:
        code: CoinGecko's or its CDN's error code, if the answer holds one.
        text: The answer's own words, shortened; empty for a web page.
    """

    status: int
    code: int | None
    text: str

    @property
    def is_about_key(self) -> bool:
        """Whether the answer says that the key is no good, in words where it has no code for that."""
        return self.status < HTTPStatus.INTERNAL_SERVER_ERROR and _SPEAKS_OF_KEY.search(self.text) is not None

    @property
    def is_retriable(self) -> bool:
        """Whether the same call may succeed later without anyone changing a setting."""
        if self.code in _TERMINAL_CODES or self.is_about_key:
            return False
        return (
            self.status in _RETRIABLE_STATUSES
            or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            or self.code == HTTPStatus.TOO_MANY_REQUESTS
            or (self.status == HTTPStatus.OK and self.code is None)  # a body cut short or not JSON at all
        )

    def error(self, path: str, response: requests.Response) -> FatalAPIError | RetriableAPIError:
        """Make the exception, by how far the trouble goes.

        A `RetriableAPIError` is for what passes, and keeps the answer, from which a retry reads how long to wait; an
        `AsideError` for what ends this coin, currency or stream; another `FatalAPIError` for what ends the run.
        """
        message = self.sentence(path)
        if self.is_retriable:
            limited = HTTPStatus.TOO_MANY_REQUESTS in {self.status, self.code}
            return (TooManyCallsError if limited else RetriableAPIError)(message, response)
        if self.code == BEYOND_REACH:
            return BeyondReachError(message)
        if self.code not in _TERMINAL_CODES and self.status in _ASKED_AMISS and not self.is_about_key:
            return AsideError(message)
        return FatalAPIError(message)

    def sentence(self, path: str) -> str:
        """State what happened and what to do, in one sentence without a full stop."""
        code = "" if self.code is None or self.code == self.status else f", code {self.code}"
        advice = (
            _CODE_ADVICE.get(self.code or 0)
            or (f"it does not accept the key; {_KEY}" if self.is_about_key else None)
            or (_STATUS_ADVICE[HTTPStatus.TOO_MANY_REQUESTS] if self.code == HTTPStatus.TOO_MANY_REQUESTS else None)
            or _STATUS_ADVICE.get(self.status)
            or ("it is in trouble; run again later" if self.is_retriable else "this answer is not known; see its text")
        )
        said = f" (it said: {self.text})" if self.text else ""
        return f"CoinGecko refused {path} with HTTP {self.status}{code}: {advice}{said}"


def read_refusal(response: requests.Response, secret: str | None = None) -> Refusal | None:
    """Read an error in any of the envelopes CoinGecko uses; None for an answer with data.

    The code is the top-level `error_code`, else `status.error_code`, else `error.status.error_code`; plain text
    may hold the CDN's `error code: N`.

    Args:
        response: Any answer.
        secret: A text that must not be passed on, should the answer repeat it.
    """
    try:
        code, text = _read_json(answers.read(response))
    except (ValueError, RecursionError):  # no JSON, a number too long for Python, or JSON nested too deep
        code, text = _read_text(response)
    else:
        if response.status_code == HTTPStatus.OK and code is None:
            return None
    if secret:
        text = text.replace(secret, "(redacted)")
    return Refusal(response.status_code, code, _shorten(text))


def _read_text(response: requests.Response) -> tuple[int | None, str]:
    text = response.text.strip()
    found = re.search(r"error code: (\d+)", text)
    code = int(found[1]) if found else None
    if response.status_code == HTTPStatus.OK:
        return code, "the answer is not JSON, or only part of it"
    return code, "" if text.startswith("<") else text


def _read_json(body: object) -> tuple[int | None, str]:
    top = _mapping(body)
    error = top.get("error")
    statuses = [_mapping(top.get("status")), _mapping(_mapping(error).get("status"))]
    codes = [top.get("error_code"), *(status.get("error_code") for status in statuses)]
    texts = [*(status.get("error_message") for status in statuses), error]
    code = next((code for code in codes if isinstance(code, int)), None)
    return code, next((text for text in texts if isinstance(text, str)), "")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _shorten(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= MAX_TEXT else words[: MAX_TEXT - 3] + "..."
