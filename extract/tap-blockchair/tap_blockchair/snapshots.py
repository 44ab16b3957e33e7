"""The API channel's dated snapshots: statistics and top addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_blockchair.client import PAGE, ApiStream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

    from singer_sdk.helpers.types import Context


class StatsStream(ApiStream):
    """A chain's statistics, kept by the moment of observation."""

    # Activating a version would delete the earlier snapshots, which are the point.
    emit_activate_version_messages = False

    @override
    def collect(self, context: Context | None) -> Iterable[dict[str, Any]]:
        answer = self.ask()
        if not isinstance(answer.data, dict):
            raise FatalAPIError(f"{self.name}: the API has no statistics at the moment; run again later.")
        seen = answer.observed_at
        yield self.canonical(answer.data, f"{self.chain}/stats/{seen}", observed_at=seen)


class AddressesStream(ApiStream):
    """The richest addresses, largest first, kept by the moment of observation."""

    emit_activate_version_messages = False

    @override
    def collect(self, context: Context | None) -> Iterable[dict[str, Any]]:
        wanted, observed_at = self.settings.top_addresses, ""
        ranked: dict[str, dict[str, Any]] = {}
        # All pages and records before the first row: half a ranking is not a snapshot.
        for offset in range(0, wanted, PAGE):
            answer = self.ask(limit=min(PAGE, wanted - offset), offset=offset)
            # One moment for all pages: it identifies the snapshot.
            observed_at = observed_at or answer.observed_at
            for row in answer.rows(texts=("address",)):
                # The ranking may move between two pages and show an address twice.
                ranked.setdefault(row["address"], row)
        slice_id = f"{self.chain}/addresses/{observed_at}"
        yield from [
            self.canonical(row, slice_id, observed_at=observed_at, rank=rank)
            for rank, row in enumerate(ranked.values(), 1)
        ]

    @override
    def price(self) -> tuple[int, Decimal]:
        pages = -(-self.settings.top_addresses // PAGE)
        return pages, pages * self.cost_of_page(0)
