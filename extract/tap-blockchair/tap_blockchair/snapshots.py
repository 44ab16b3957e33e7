"""The API channel's dated snapshots: statistics and top addresses."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalAPIError
from singer_sdk.pagination import OffsetPaginator, SinglePagePaginator
from typing_extensions import override

from tap_blockchair.client import PAGE, ApiStream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    import requests
    from singer_sdk.helpers.types import Context
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_blockchair.answers import Answer


class SnapshotStream(ApiStream):
    """A view of the present, kept by the moment of observation."""

    # Activating a version would delete the earlier snapshots, which are the point.
    emit_activate_version_messages = False

    @override
    def parse_response(self, response: requests.Response) -> Iterable[dict[str, Any]]:
        yield from self.to_records(self._parsed())

    @abstractmethod
    def to_records(self, answer: Answer) -> Iterable[dict[str, Any]]:
        """Turn the answer to one page into records in the dumps' form."""


class StatsStream(SnapshotStream):
    """A chain's statistics."""

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
        slice_id = f"{self.chain}/addresses/{self._observed_at}"
        for row in answer.rows(texts=("address",)):
            # The ranking may move between two pages and show an address twice.
            if row["address"] in self._ranked:
                continue
            self._ranked.add(row["address"])
            yield self.canonical(row, slice_id, observed_at=self._observed_at, rank=len(self._ranked))

    @override
    def price(self) -> tuple[int, Decimal]:
        pages = -(-self.settings.top_addresses // PAGE)
        return pages, pages * self.cost_of_page(0)


class AddressPaginator(OffsetPaginator):
    """Pages by offset up to the wanted number of addresses."""

    def __init__(self, wanted: int) -> None:
        super().__init__(start_value=0, page_size=PAGE)
        self._wanted = wanted

    @override
    def has_more(self, response: requests.Response) -> bool:
        return self.current_value + PAGE < self._wanted
