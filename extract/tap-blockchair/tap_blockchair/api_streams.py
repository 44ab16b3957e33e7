"""The API channel's blocks, statistics and top addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from singer_sdk.exceptions import FatalAPIError
from singer_sdk.pagination import BaseAPIPaginator, OffsetPaginator, SinglePagePaginator
from typing_extensions import override

from tap_blockchair.client import PAGE, Answer, ApiStream
from tap_blockchair.quota import estimate

if TYPE_CHECKING:
    from collections.abc import Iterable

    import requests
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.streams.rest import HTTPRequest, PageContext


class Heights(NamedTuple):
    """A closed range of block heights."""

    first: int
    last: int


class HeightPaginator(BaseAPIPaginator[Heights]):
    """Walks up closed ranges that end at full hundreds, so that the same blocks come in the same units."""

    def __init__(self, span: Heights) -> None:
        super().__init__(self._window(span.first, span.last))
        self._last = span.last

    @override
    def has_more(self, response: requests.Response) -> bool:
        return self.current_value.last < self._last

    @override
    def get_next(self, response: requests.Response) -> Heights:
        return self._window(self.current_value.last + 1, self._last)

    @staticmethod
    def _window(first: int, last: int) -> Heights:
        return Heights(first, min(first - first % PAGE + PAGE - 1, last))


class BlocksStream(ApiStream):
    """Blocks from the API, bookmarked by the highest settled height."""

    replication_key = "id"
    is_sorted = True
    _settled = -1
    _span = Heights(0, -1)
    _page = Heights(0, -1)

    @override
    def collect(self, context: Context | None) -> Iterable[dict[str, Any]]:
        self._span = self._due()
        if self._span.first <= self._span.last:
            yield from super().collect(context)
        else:
            self.logger.info("%s: nothing new.", self.name)

    @override
    def get_new_paginator(self) -> HeightPaginator:
        return HeightPaginator(self._span)

    @override
    def get_http_request(self, *, page: PageContext[Heights]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        self._page = page.next_page_token or self._span
        request.params = {"q": f"id({self._page.first}..{self._page.last})", "s": "id(asc)", "limit": PAGE}
        return request

    @override
    def to_records(self, answer: Answer) -> Iterable[dict[str, Any]]:
        asked = self._page
        found = [row.get("id") for row in answer.rows]
        missing = sorted(set(range(asked.first, asked.last + 1)) - set(found))
        if missing or len(found) != asked.last - asked.first + 1:
            raise FatalAPIError(
                f"{self.name}: asked for the blocks {asked.first} to {asked.last}, got {len(found)} rows"
                f"{f', block {missing[0]} is missing' if missing else ''}. Nothing of this range was taken and the "
                "bookmark stays before it; run again later.",
            )
        unit = f"{self.chain}/blocks/heights/{asked.first}-{asked.last}"
        for row in answer.rows:
            yield self.canonical(row, unit, is_settled=row["id"] <= self._settled)

    @override
    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        """Keep the bookmark at the settled height, so that blocks above it are read again.

        The SDK's hook for that, the signpost, works on unsorted streams only; those cannot be resumed.
        """
        if latest_record["id"] <= self._settled:
            super()._increment_stream_state(latest_record, context=context)

    def _due(self) -> Heights:
        # The highest row there is. `context.state` may run ahead of the table or come from a cache.
        tip = self._edge(s="id(desc)")
        if tip is None:
            return Heights(0, -1)
        self._settled = tip - self.settings.finality[self.chain]
        done, start, end = self.bookmark(), self.settings.start, self.settings.end
        if done is not None:
            first: int | None = int(done) + 1
        else:
            first = self._edge(s="id(asc)", **({"q": f"time({start}..)"} if start else {}))
        last = self._edge(q=f"time(..{end})", s="id(desc)") if end else tip
        return Heights(tip + 1 if first is None else first, -1 if last is None else min(last, tip))

    @override
    def left(self) -> str:
        if self._span.first > self._span.last:
            return "its blocks"
        first = max(self._span.first, self._page.first)
        requests_left = (self._span.last - first) // PAGE + 1
        points = estimate(f"?q=id(1..2)&limit={PAGE}", self.base_cost) * requests_left
        return f"the blocks {first} to {self._span.last}, about {points.normalize():f} points"

    def _edge(self, **params: str) -> int | None:
        rows = self.ask(**params, limit=1).rows
        return int(rows[0]["id"]) if rows else None


class SnapshotStream(ApiStream):
    """A view of the present, kept by the moment of observation."""

    # Activating a version would delete the earlier snapshots, which are the point.
    emit_activate_version_messages = False


class StatsStream(SnapshotStream):
    """A chain's statistics."""

    base_cost = 1

    @override
    def get_new_paginator(self) -> SinglePagePaginator:
        return SinglePagePaginator()

    @override
    def to_records(self, answer: Answer) -> Iterable[dict[str, Any]]:
        if not isinstance(answer.data, dict):
            raise FatalAPIError(f"{self.name}: the API has no statistics at the moment; run again later.")
        seen = answer.observed_at
        yield self.canonical(answer.data, f"{self.chain}/stats/{seen}", observed_at=seen)


class AddressesStream(SnapshotStream):
    """The richest addresses, largest first."""

    _observed_at: str | None = None
    _ranked: set[str]

    @override
    def collect(self, context: Context | None) -> Iterable[dict[str, Any]]:
        self._observed_at, self._ranked = None, set()
        # All pages before the first row: half a ranking is not a snapshot.
        yield from list(super().collect(context))

    @override
    def get_new_paginator(self) -> AddressPaginator:
        return AddressPaginator(self.settings.top_addresses)

    @override
    def get_http_request(self, *, page: PageContext[int]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        offset = page.next_page_token or 0
        request.params = {"limit": min(PAGE, self.settings.top_addresses - offset), "offset": offset}
        return request

    @override
    def to_records(self, answer: Answer) -> Iterable[dict[str, Any]]:
        # One moment for all pages: it identifies the snapshot.
        self._observed_at = self._observed_at or answer.observed_at
        unit = f"{self.chain}/addresses/{self._observed_at}"
        for row in answer.rows:
            # The ranking may move between two pages and show an address twice.
            if row["address"] in self._ranked:
                continue
            self._ranked.add(row["address"])
            yield self.canonical(row, unit, observed_at=self._observed_at, rank=len(self._ranked))


class AddressPaginator(OffsetPaginator):
    """Pages by offset up to the wanted number of addresses."""

    def __init__(self, wanted: int) -> None:
        super().__init__(start_value=0, page_size=PAGE)
        self._wanted = wanted

    @override
    def has_more(self, response: requests.Response) -> bool:
        return self.current_value + PAGE < self._wanted
