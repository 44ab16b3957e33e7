"""The API channel's base: requests, refusals, and the way from JSON to a record."""

from __future__ import annotations

import time
from abc import abstractmethod
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn

from singer_sdk.exceptions import FatalAPIError, RetriableAPIError, SyncError
from singer_sdk.streams.rest import RESTStream
from typing_extensions import override

from tap_blockchair import values, web
from tap_blockchair.answers import Answer, KeyInQuery, parse_answer, retry_after
from tap_blockchair.base import ChainStream
from tap_blockchair.columns import Column, Kind
from tap_blockchair.quota import BAN, Paused, estimate
from tap_blockchair.refusals import DOUBTFUL_TRIES, DoubtfulError, LimitReachedError, Reaction, refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    import requests
    from singer_sdk import Tap
    from singer_sdk.helpers.types import Auth, Context, RequestFunc

    from tap_blockchair.quota import Quota
    from tap_blockchair.schemas import Table
    from tap_blockchair.settings import Settings

PAGE = 100
"""Rows per page; Blockchair's maximum."""


class ApiStream(ChainStream, RESTStream[Any]):
    """A stream that asks Blockchair's API."""

    STATE_MSG_FREQUENCY = PAGE  # requests are slow and cost points: what was paid for is bookmarked at every page
    _LOG_REQUEST_METRIC_URLS = False
    _doubts = 0
    ignored: frozenset[str] = frozenset()
    """Columns that the API has and the canonical form has not."""

    def __init__(  # noqa: PLR0913 (what a stream is made of)
        self,
        tap: Tap,
        *,
        chain: str,
        table_name: str,
        table: Table,
        settings: Settings,
        quota: Quota,
    ) -> None:
        self._quota = quota
        self._http = web.Session()
        self._answer: Answer | None = None
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
        return KeyInQuery(key) if key else super().authenticator

    @override
    def request_decorator(self, func: RequestFunc) -> RequestFunc:
        def allowed(request: requests.PreparedRequest, context: Context | None) -> requests.Response:
            self._quota.reserve(estimate(request.url or ""))
            return func(request, context)

        def guarded(request: requests.PreparedRequest, context: Context | None) -> requests.Response:
            try:
                return allowed(request, context)
            except LimitReachedError as limit:
                self._wait_for_the_next_minute(limit)
            try:
                return allowed(request, context)
            except LimitReachedError as limit:
                # A minute's limit is over by now, so it is the day's. Asking on would end in a ban.
                pause = self._quota.stop_today(limit.why)
            raise pause

        return web.patient(
            guarded,
            (RetriableAPIError, *web.NETWORK_FAULTS),
            self.backoff_handler,
            hopeless=lambda fault: isinstance(fault, DoubtfulError) and self._doubts >= DOUBTFUL_TRIES,
        )

    def _wait_for_the_next_minute(self, limit: LimitReachedError) -> None:
        seconds: float = self._quota.rest() if limit.retry_after is None else limit.retry_after
        if seconds > web.Pace.WINDOW + 1:
            raise self._quota.stop_for(timedelta(seconds=seconds), limit.why)
        self.logger.warning("%s Waiting %d s for the next minute, then trying once more.", limit, seconds)
        time.sleep(seconds)

    @override
    def backoff_handler(self, details: Any) -> None:
        """Log that a request is repeated."""
        self.logger.warning(
            "%s: no good answer, trying again in %.1f s (try %d of %d).",
            web.display(self.get_url(None)),
            details["wait"],
            details["tries"] + 1,
            web.TRIES,
        )

    @override
    def validate_response(self, response: requests.Response) -> None:
        answer = parse_answer(response)
        context = answer.context if answer else {}
        cost = estimate(response.url)
        self._quota.charge(response, cost, context.get("request_cost"))
        self._answer = answer
        code = response.status_code
        if response.ok and isinstance(context.get("code"), int):
            code = context["code"]
        if code >= HTTPStatus.BAD_REQUEST:
            self._refused(code, response)
        web.check_origin(response, self.settings.data_origin)
        if answer is None:
            # A proxy's page, or an answer cut short.
            raise RetriableAPIError(
                f"{self.name}: {web.display(response.url)} answered something that is not Blockchair's JSON. "
                "The bookmark stays where it was; check api_url.",
                response,
            )
        self._doubts = 0

    def _refused(self, code: int, response: requests.Response) -> NoReturn:
        detail = self._answer.context.get("error") if self._answer else None
        known = refusal(code, response.reason, str(detail or ""))
        said = f" (it says: {web.redact(str(detail))})" if detail else ""
        message = (
            f"{self.name}: {web.display(response.url)} answered {code}: {known.meaning}{said}. "
            f"The bookmark stays where it was. {known.advice}"
        )
        match known.reaction:
            case Reaction.WAIT:
                raise LimitReachedError(message, known.why, retry_after(response))
            case Reaction.REST:
                raise self._quota.stop_for(max(BAN, timedelta(seconds=retry_after(response) or 0)), known.why)
            case Reaction.SLOW:
                self._quota.pace.slow_down()
                raise RetriableAPIError(message, response)
            case Reaction.DOUBT:
                self._doubts += 1
                raise DoubtfulError(message, response)
            case Reaction.RETRY:
                raise RetriableAPIError(message, response)
            case Reaction.STOP:
                raise FatalAPIError(message)

    @override
    def get_records(self, context: Context | None) -> Iterable[dict[str, Any]]:
        row = None
        try:
            for row in self.collect(context):
                yield row
        except Paused as pause:
            if row is None:
                self._quota.note_empty(self.name, pause)
            self.logger.warning(
                "%s: stopped early, with its bookmark where its rows end: %s. What is left: %s. "
                "Resume %s with this run's state.",
                self.name,
                pause.why,
                self.left(),
                pause.resume,
            )
        except SyncError:
            self.flush()
            raise
        # The SDK ends with a STATE of its own; points were spent even where no row came.
        self.state_manager.is_flushed = False

    @override
    def log_sync_costs(self) -> None:
        """End the run with an error if a refusal left a stream without a row.

        The SDK calls this once for each stream when all are done, and has no other place for it.
        """
        self._quota.raise_if_empty()

    @abstractmethod
    def collect(self, context: Context | None) -> Iterable[dict[str, Any]]:
        """Read the stream's records.

        Raises:
            Paused: The API must not be asked any more; what was given so far counts.
        """

    def left(self) -> str:
        """Name what a pause leaves unread, in half a sentence."""
        return "this snapshot"

    def cost_of_page(self, filters: int) -> Decimal:
        """Estimate the points of a full page of this table, asked for with so many filters."""
        return estimate(f"{self.path}?q={','.join(['x'] * filters)}&limit={PAGE}")

    def price(self) -> tuple[int, Decimal]:
        """Estimate the requests and points of the next run; that may take a few cheap requests."""
        return 1, estimate(self.path)

    def ask(self, table: str | None = None, **params: str | int) -> Answer:
        """Ask once for the stream's own table or another of the chain, with the pace, retries and checks of all.

        Raises:
            FatalAPIError: It failed for good.
        """
        request = self.build_prepared_request(
            method=self.http_method,
            url=f"{self.url_base}/{self.chain}/{table}" if table else self.get_url(None),
            params=params,
            headers=self.http_headers,
        )
        try:
            self.request_decorator(self._request)(request, None)
        except web.NETWORK_FAULTS as error:
            fault = web.unreachable(request.url, "api_url", error)
        else:
            if self._answer is None:
                raise RuntimeError("an answer is used before it was validated")
            return self._answer
        raise fault

    def canonical(self, row: Mapping[str, Any], slice_id: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
        """Bring one row of the API to the dumps' form: every column of the schema, None for absent optional ones.

        `slice_id` is what the row is loaded with, its `_unit`; `more` are columns that the tap adds.

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
                    f"{self.name}: the API's answer for {slice_id} lacks the column {name}. Nothing of this answer was "
                    "taken and the bookmark stays where it was.",
                )
            record[name] = self._value(row.get(name), column, slice_id)
        return {**record, "_channel": "api", "_unit": slice_id, "_line": None, "_dump_day": None, **more}

    def _value(self, value: Any, column: Column, slice_id: str) -> Any:  # noqa: ANN401 (any JSON value)
        if column in self._extra and column not in self.table.known:
            return values.as_text(value)
        try:
            return values.from_json(value, column.kind, bare_hex=self.table.bare_hex)
        except ValueError as error:
            raise FatalAPIError(
                f"{self.name}: the API's answer for {slice_id} has an unusable value in the column {column.name}: "
                f"{error}. Nothing of this answer was taken and the bookmark stays where it was.",
            ) from None

    def _carry_unknown(self, row: Mapping[str, Any], more: Mapping[str, Any]) -> None:
        """Announce columns that Blockchair has added, before the first row that has them."""
        # `date` repeats the day of `time`; the canonical form has no date columns.
        seen = (name for name in row if not (name == "date" or name.endswith("_date")))
        known = {column.name: column for column in self.table.known}
        expected = self._announced | self.ignored | more.keys()
        unknown = [name for name in seen if name not in expected]
        if unknown:
            self._slice = None  # a SCHEMA between two slices belongs to neither
            self.announce([known.get(name, Column(name, Kind.TEXT)) for name in unknown], self.path)
