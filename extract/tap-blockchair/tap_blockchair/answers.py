"""What the API answers: the envelope with exact numbers, its rows, its time, and where the key goes in the question."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import requests
from singer_sdk.exceptions import FatalAPIError

from tap_blockchair import values

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Answer:
    """A good answer of the API.

    Attributes:
        data: Rows, an object, or an empty list where nothing was found.
        context: The envelope's second half.
        date: The Date header, if any.
    """

    data: Any
    context: Mapping[str, Any]
    date: str | None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of a table; none where nothing was found.

        Raises:
            FatalAPIError: The data are something else.
        """
        if isinstance(self.data, list) and all(isinstance(row, dict) for row in self.data):
            return self.data
        raise FatalAPIError("the API answered something that is not rows of a table; the bookmark stays where it was.")

    @property
    def observed_at(self) -> str:
        """The moment the server computed the data, RFC 3339 in UTC; never this machine's clock.

        Raises:
            FatalAPIError: The answer tells no time at all.
        """
        cache = self.context.get("cache")
        if isinstance(cache, dict) and cache.get("since"):
            return values.time(str(cache["since"]))
        if self.date:
            return parsedate_to_datetime(self.date).astimezone(UTC).isoformat()
        raise FatalAPIError("the answer tells neither context.cache.since nor a Date, so a snapshot has no time.")


def parse_answer(response: requests.Response) -> Answer | None:
    """Read the envelope with exact numbers.

    Args:
        response: Any answer.

    Returns:
        Data and context, or None where the body is not Blockchair's envelope.
    """
    try:
        body = response.json(parse_float=Decimal)
        data, context = body["data"], body.get("context") or {}
    except (requests.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None
    if not isinstance(context, dict):
        return None
    return Answer([] if data is None else data, context, response.headers.get("Date"))


class KeyInQuery:
    """Puts the key into a request's address, once: requests are repeated and pass here each time."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request."""
        if "key" not in parse_qs(urlsplit(request.url or "").query):
            request.prepare_url(request.url, {"key": self._key})
        return request


def retry_after(response: requests.Response) -> int | None:
    """Read how long the server asks to stay away.

    Args:
        response: Any answer.

    Returns:
        Seconds; None where it says nothing, or nothing that is a number of seconds.
    """
    text = response.headers.get("Retry-After", "")
    return int(text) if text.isascii() and text.isdigit() else None
