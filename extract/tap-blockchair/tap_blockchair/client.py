"""The API channel's base: requests, errors, envelope, and the way from JSON to a record."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests
from singer_sdk.authenticators import APIKeyAuthenticator
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from singer_sdk.streams.rest import RESTStream
from typing_extensions import override

from tap_blockchair import values, web
from tap_blockchair.base import ChainStream
from tap_blockchair.redaction import redact
from tap_blockchair.schemas import Column, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Auth, Context, RequestFunc

    from tap_blockchair.schemas import Table
    from tap_blockchair.settings import Settings

PAGE = 100
"""Rows per page; Blockchair's maximum."""

_LIMIT = (
    "a limit is used up (requests a minute, points a day, or a request too complex)",
    "Wait a minute, or until 00:00 UTC if the day's points are spent; an api_key raises the limits.",
)
_BLOCKED = ("this network address is blocked", "Do not repeat the request; a valid api_key usually lifts it.")
_MEANINGS = {
    400: ("the request was refused as malformed", "Please report this as a fault of the tap."),
    402: _LIMIT,
    404: ("there is nothing at this address", "Check api_url and chains."),
    429: ("banned for an hour after repeated over-limit answers", "Wait at least an hour; lower requests_per_minute."),
    430: _BLOCKED,
    434: _BLOCKED,
    435: ("too many requests at once", "Lower requests_per_minute."),
    436: _LIMIT,
    437: _LIMIT,
    503: ("the server is down, or this network address is blocked", "Run again later."),
}
_RETRIABLE = frozenset({435})


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


def parse_answer(response: requests.Response) -> Answer:
    """Read the envelope with exact numbers.

    Args:
        response: An answer with a good status.

    Returns:
        Data and context.

    Raises:
        FatalAPIError: The body is not Blockchair's envelope.
    """
    try:
        body = response.json(parse_float=Decimal)
        data, context = body["data"], body.get("context") or {}
    except (requests.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise FatalAPIError(
            f"{web.display(response.url)} answered something that is not Blockchair's JSON. "
            "The bookmark stays where it was; check api_url.",
        ) from None
    return Answer([] if data is None else data, context, response.headers.get("Date"))


class ApiStream(ChainStream, RESTStream[Any]):
    """A stream that asks Blockchair's API."""

    STATE_MSG_FREQUENCY = PAGE  # requests are slow and cost points: what was paid for is bookmarked at every page
    _LOG_REQUEST_METRIC_URLS = False

    def __init__(  # noqa: PLR0913 (what a stream is made of)
        self,
        tap: Tap,
        *,
        chain: str,
        table_name: str,
        table: Table,
        settings: Settings,
        pace: web.Pace,
    ) -> None:
        self._pace = pace
        self._http = web.Session()
        super().__init__(tap, chain=chain, table_name=table_name, table=table, settings=settings)
        self.path = f"/{chain}/{table_name}"

    @property
    @override
    def url_base(self) -> str:
        return self.settings.api_url

    @property
    @override
    def requests_session(self) -> requests.Session:
        return self._http

    @property
    @override
    def timeout(self) -> int:
        return self.settings.timeout

    @property
    @override
    def authenticator(self) -> Auth:
        key = self.settings.api_key
        return APIKeyAuthenticator(key="key", value=key, location="params") if key else super().authenticator

    @override
    def request_decorator(self, func: RequestFunc) -> RequestFunc:
        def paced(request: requests.PreparedRequest, context: Context | None) -> requests.Response:
            self._pace.wait()
            return func(request, context)

        return web.patient(paced, (RetriableAPIError, *web.NETWORK_FAULTS), self.backoff_handler)

    @override
    def backoff_handler(self, details: Any) -> None:
        """Say in a line that a request is repeated."""
        self.logger.warning(
            "%s: no good answer, trying again in %.1f s (try %d of %d).",
            web.display(self.get_url(None)),
            details["wait"],
            details["tries"] + 1,
            web.TRIES,
        )

    @override
    def validate_response(self, response: requests.Response) -> None:
        status = response.status_code
        if status >= HTTPStatus.BAD_REQUEST:
            message = self.response_error_message(response)
            if status in _RETRIABLE or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise RetriableAPIError(message, response)
            raise FatalAPIError(message)
        web.check_origin(response, self.settings)

    @override
    def response_error_message(self, response: requests.Response) -> str:
        status = response.status_code
        meaning, advice = _MEANINGS.get(status, (response.reason or "no reason given", "Run again later."))
        try:
            detail = str(response.json()["context"]["error"])
        except (requests.JSONDecodeError, KeyError, TypeError):
            detail = ""
        said = f" (it says: {redact(detail)})" if detail else ""
        return (
            f"{self.name}: {web.display(response.url)} answered {status}: {meaning}{said}. "
            f"The bookmark stays where it was. {advice}"
        )

    @override
    def request_records(self, context: Context | None) -> Iterable[dict[str, Any]]:
        try:
            yield from super().request_records(context)
        except web.NETWORK_FAULTS as error:
            fault = web.unreachable(self.get_url(context), "api_url", error)
        else:
            return
        raise fault

    def ask(self, **params: str | int) -> Answer:
        """Make one request beside the pages, with the same pace, retries and checks.

        Args:
            params: Query parameters.

        Returns:
            The answer.

        Raises:
            FatalAPIError: It failed for good.
        """
        request = self.build_prepared_request(
            method=self.http_method,
            url=self.get_url(None),
            params=params,
            headers=self.http_headers,
        )
        try:
            return parse_answer(self.request_decorator(self._request)(request, None))
        except web.NETWORK_FAULTS as error:
            fault = web.unreachable(request.url, "api_url", error)
        raise fault

    @override
    def parse_response(self, response: requests.Response) -> Iterable[dict[str, Any]]:
        yield from self.to_records(parse_answer(response))

    @abstractmethod
    def to_records(self, answer: Answer) -> Iterable[dict[str, Any]]:
        """Turn an answer into records in the dumps' form.

        Args:
            answer: The answer to one page.

        Returns:
            Records.
        """

    def canonical(self, row: Mapping[str, Any], unit: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        """Bring one row of the API to the dumps' form.

        Args:
            row: As the API gave it.
            unit: What the row was loaded with, see `_unit`.
            more: Columns that the tap adds.

        Returns:
            A record with every column of the schema; absent optional ones are None.

        Raises:
            FatalAPIError: A required column is missing or a value does not fit its column.
        """
        self._carry_unknown(row, more)
        record: dict[str, Any] = {}
        for column in (*self.table.columns, *self._extra):
            name = column.name
            if name in more:
                continue
            if name not in row and column.required and column not in self._extra:
                raise FatalAPIError(
                    f"{self.name}: the API's answer lacks the column {name}. Nothing of this answer was taken "
                    "and the bookmark stays where it was.",
                )
            record[name] = self._value(row.get(name), column)
        return {
            **record,
            **more,
            "_channel": "api",
            "_unit": unit,
            "_line": None,
            "_dump_day": None,
        }

    def _value(self, value: Any, column: Column) -> Any:  # noqa: ANN401 (any JSON value)
        if column in self._extra and column not in self.table.known:
            return values.as_text(value)
        try:
            return values.from_json(value, column.kind, bare_hex=self.table.bare_hex)
        except ValueError as error:
            raise FatalAPIError(
                f"{self.name}: the API's answer has an unusable value in the column {column.name}: {error}. "
                "Nothing of this answer was taken and the bookmark stays where it was.",
            ) from None

    def _carry_unknown(self, row: Mapping[str, Any], more: Mapping[str, Any]) -> None:
        """Announce columns that Blockchair has added, before the first row that has them."""
        # `date` repeats the day of `time`; the canonical form has no date columns.
        seen = (name for name in row if not (name == "date" or name.endswith("_date")))
        known = {column.name: column for column in self.table.known}
        unknown = [name for name in seen if name not in self._announced and name not in more]
        if unknown:
            self.announce([known.get(name, Column(name, Kind.TEXT)) for name in unknown], self.path)
