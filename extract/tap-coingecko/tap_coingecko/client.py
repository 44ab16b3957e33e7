"""What all CoinGecko streams share: host, key, origin check, error reading, retries, and failures set aside."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any

from singer_sdk.authenticators import APIKeyAuthenticator, SimpleAuthenticator
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.streams import RESTStream
from typing_extensions import override

from tap_coingecko.errors import AsideError, TooManyCallsError, read_refusal
from tap_coingecko.plans import PLANS, Plan
from tap_coingecko.session import stated_time

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from datetime import datetime

    import requests
    from backoff.types import Details
    from singer_sdk.helpers.types import Auth, Context, Record

    from tap_coingecko.session import SourceSession
    from tap_coingecko.shared import SharingTap

#: Header by which the local stand-in marks every answer.
ORIGIN_HEADER = "X-Data-Origin"
#: Seconds to wait after a 429 that states no time.
RATE_LIMIT_SECONDS = 60.0
#: Longest wait between two tries, where the source does not ask for more.
MAX_BACKOFF_SECONDS = 60.0
_MOST_SECONDS = 1e9  # that can be added to a date


class CoinGeckoStream(RESTStream[Any], ABC):
    """A stream of the CoinGecko API."""

    # The key is a header that an HTTP client would carry along to wherever a redirect points.
    allow_redirects = False
    # Rows are shaped to their schema here, exactly; the SDK's pass over them would drop what it does not know.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    _tap: SharingTap

    @cached_property
    def plan(self) -> Plan:
        """The plan that the settings name."""
        return PLANS[self.config["plan"]]

    @property
    @override
    def url_base(self) -> str:
        return str(self.config.get("api_url") or self.plan.api_url).rstrip("/")

    @property
    @override
    def authenticator(self) -> Auth:
        if self.plan.key_header is None:
            return SimpleAuthenticator()
        return APIKeyAuthenticator(key=self.plan.key_header, value=self.config["api_key"], location="header")

    @property
    @override
    def http_headers(self) -> dict[str, str]:
        return {"Accept": "application/json"}

    @property
    @override
    def timeout(self) -> int:
        return int(self.config["timeout"])

    @property
    @override
    def requests_session(self) -> SourceSession:
        # One session for all streams: the pace and the source's clock are the source's, not a stream's.
        return self._tap.session

    @override
    def get_new_paginator(self) -> None:
        """Every answer is complete."""

    @abstractmethod
    def read(self, context: Context | None) -> Iterable[Record]:
        """Read the rows of one part of the stream, such as a coin and a currency.

        Raises:
            AsideError: If this part cannot be had, and others may.
            FatalAPIError: If nothing can be had.
            RetriableAPIError: If the source failed, all tries taken together.
        """

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        try:
            yield from self.read(context)
        except (AsideError, RetriableAPIError) as error:
            is_test = self.ABORT_AT_RECORD_COUNT is not None
            if is_test or (isinstance(error, RetriableAPIError) and not _is_answered(error)):
                raise
            self._tap.failures.set_aside(self.name, context, error)
        else:
            self._tap.failures.answered()

    @override
    def log_sync_costs(self) -> None:
        """End the run with an error if anything was set aside.

        The SDK calls this once for each stream when all are done, and has no other place for it.
        """
        self._tap.conclude()

    def ask(self, path: str, **parameters: str | int) -> requests.Response:
        """Ask for a path below the API root, with all the tries it may take.

        Raises:
            FatalAPIError: If the source refused; an `AsideError` if only what was asked for is to blame.
            RetriableAPIError: If all tries failed.
        """
        request = self.build_prepared_request(
            method="GET", url=self.url_base + path, params=parameters, headers=self.http_headers
        )
        return self.request_decorator(self._request)(request, None)

    def source_now(self) -> datetime:
        """Give the source's clock: the Date of its latest answer; before the first one, a ping is sent.

        Raises:
            FatalAPIError: If the source states no time.
        """
        if (now := self.requests_session.source_time) is not None:
            return now
        return response_time(self.ask("/ping"))

    @override
    def validate_response(self, response: requests.Response) -> None:
        self._check_origin(response)
        refusal = read_refusal(response, secret=self.config.get("api_key"))
        if refusal is not None:
            error = refusal.error(self.relative_path(response), response)
            if isinstance(error, RetriableAPIError):
                self._check_wait(response, error)
            raise error

    def _check_wait(self, response: requests.Response, error: RetriableAPIError) -> None:
        """End the run where the source asks to wait longer than the setting `max_wait`."""
        stated, limit = _retry_after(response), self.config["max_wait"]
        if stated is None or stated <= limit:
            return
        now = stated_time(response)
        until = now + timedelta(seconds=min(stated, _MOST_SECONDS)) if now else None
        again = f"after {until:%Y-%m-%d %H:%M} UTC" if until else f"in {stated:.0f} s"
        raise FatalAPIError(
            f"{error}. It asks to wait {stated:.0f} s, which is longer than `max_wait` ({limit} s): run again {again}"
        )

    def _check_origin(self, response: requests.Response) -> None:
        simulated = response.headers.get(ORIGIN_HEADER) == "simulator"
        match self.config.get("data_origin"):
            case "live" if simulated:
                raise FatalAPIError(
                    f"`data_origin` is live, but {self.url_base} answers with simulated data; "
                    "correct `api_url` or the environment"
                )
            case "simulator" if not simulated:
                raise FatalAPIError(
                    f"`data_origin` is simulator, but {self.url_base} does not mark its data as simulated; "
                    "correct `api_url` or the environment"
                )

    def relative_path(self, response: requests.Response) -> str:
        """Give an answer's path below the API root, without query."""
        url = (response.url or "").partition("?")[0]
        return url.removeprefix(self.url_base) or url

    def redacted(self, text: str) -> str:
        """Cut the key out of the source's own words, which might repeat it."""
        key = self.config.get("api_key")
        return text.replace(key, "(redacted)") if key else text

    @override
    def backoff_wait_generator(self) -> Generator[float, Any, None]:
        error: Any = yield 0.0
        for attempt in count():
            error = yield _seconds_to_wait(error, attempt)

    @override
    def backoff_handler(self, details: Details) -> None:
        self.log(
            "%s; try %d of %d follows in %.0f s",
            details.get("exception"),
            details["tries"] + 1,
            self.backoff_max_tries(),
            details.get("wait", 0.0),
            level=logging.WARNING,
        )


def response_time(response: requests.Response) -> datetime:
    """Read the source's clock from an answer's Date header, in UTC.

    Raises:
        FatalAPIError: If it has none: no other clock may stand in for the source's.
    """
    if (now := stated_time(response)) is None:
        raise FatalAPIError(
            "the answer has no readable Date header, so the source's time is unknown; check what `api_url` is"
        )
    return now


def _is_answered(error: RetriableAPIError) -> bool:
    """Whether the source answered at all, and not that there were too many calls: then another part may succeed."""
    return error.response is not None and not isinstance(error, TooManyCallsError)


def _seconds_to_wait(error: object, attempt: int) -> float:
    """Follow `Retry-After`, as far as `max_wait`; else wait a minute after a 429, and 1, 2, 4 ... s after the rest."""
    response = getattr(error, "response", None)
    if response is not None and (stated := _retry_after(response)) is not None:
        return stated
    if isinstance(error, TooManyCallsError):
        return RATE_LIMIT_SECONDS
    return min(2.0**attempt, MAX_BACKOFF_SECONDS)


def _retry_after(response: requests.Response) -> float | None:
    """Read `Retry-After`: seconds, or a date by the source's own clock."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
        return max(0.0, (until - response_time(response)).total_seconds())
    except (TypeError, ValueError, FatalAPIError):
        return None
