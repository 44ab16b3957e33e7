"""What the API answers: the envelope with exact numbers, its rows, its time, and where the key goes in the question."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote_plus, urlsplit

from singer_sdk.exceptions import FatalAPIError

from tap_blockchair import dumpfile, values
from tap_blockchair.web import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

_KEPT = "Nothing of it was taken and the bookmark stays where it was; run again later."


@dataclass(frozen=True)
class Answer:
    """A good answer of the API: its data, an empty list where nothing was found, and the envelope's second half.

    Attributes:
        date: The Date header, if any.
        asked: The question's address, without secrets, for messages.
    """

    data: Any
    context: Mapping[str, Any]
    date: str | None
    asked: str = "the API"

    def rows(self, *numbers: str, texts: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """Give the rows of a table; none where nothing was found.

        The tap itself reads some columns: `numbers`, which are integers afterwards, and `texts`.

        Raises:
            FatalAPIError: The data are something else, or such a column has another value.
        """
        if not isinstance(self.data, list):
            raise FatalAPIError(f"{self.asked} answered something that is not rows of a table. {_KEPT}")
        for place, row in enumerate(self.data, 1):
            if not isinstance(row, dict):
                raise FatalAPIError(f"{self.asked} answered rows of which the {place}. is no row. {_KEPT}")
            for name in numbers:
                row[name] = self._number(row, name, place)
            for name in texts:
                if not isinstance(row.get(name), str):
                    raise FatalAPIError(f"{self.asked} answered a row, the {place}., without a text in {name}. {_KEPT}")
        return self.data

    def _number(self, row: Mapping[str, Any], name: str, place: int) -> int:
        value = row.get(name)
        try:
            if value is not None and not isinstance(value, bool):
                return values.whole(value)
        except ValueError:
            pass
        raise FatalAPIError(f"{self.asked} answered a row, the {place}., without a whole number in {name}. {_KEPT}")

    @property
    def observed_at(self) -> str:
        """The moment the server computed the data, RFC 3339 in UTC; never this machine's clock.

        Raises:
            FatalAPIError: The answer has no time at all.
        """
        cache = self.context.get("cache")
        try:
            if isinstance(cache, dict) and cache.get("since"):
                return dumpfile.time(str(cache["since"]))
            if self.date:
                return parsedate_to_datetime(self.date).astimezone(UTC).isoformat()
        except ValueError:
            pass  # a text that is no time
        raise FatalAPIError(
            f"{self.asked} has no time, neither context.cache.since nor a Date header, so a snapshot has none. {_KEPT}"
        )


def parse_answer(response: requests.Response) -> Answer | None:
    """Read the envelope with exact numbers; None where the body is not Blockchair's envelope."""
    try:
        body = response.json(parse_float=Decimal)
        if "\\ud" in response.text.lower():
            body = _encodable(body)
        data, context = body["data"], body.get("context") or {}
    # A number too long for Python is a ValueError, an exponent beyond those of Decimal an ArithmeticError.
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError):
        return None
    if not isinstance(context, dict):
        return None
    asked = redact(unquote_plus(redact(response.url or "the API")))
    return Answer([] if data is None else data, context, response.headers.get("Date"), asked)


def _encodable(value: Any) -> Any:  # noqa: ANN401 (any JSON value)
    """Put U+FFFD where a text has half of a surrogate pair, which no UTF-8 can hold."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    if isinstance(value, dict):
        return {_encodable(name): _encodable(item) for name, item in value.items()}
    return value


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
    """Read how many seconds the server asks to wait; None where it gives no number of seconds."""
    text = response.headers.get("Retry-After", "")
    return int(text) if text.isascii() and text.isdigit() else None
