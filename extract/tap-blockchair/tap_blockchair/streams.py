"""The streams: daily dumps, and the API's blocks, statistics and top addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from singer_sdk.exceptions import FatalAPIError
from singer_sdk.pagination import BaseAPIPaginator, OffsetPaginator, SinglePagePaginator
from typing_extensions import override

from tap_blockchair.base import ChainStream
from tap_blockchair.client import PAGE, Answer, ApiStream
from tap_blockchair.dumpfile import read_rows, verify
from tap_blockchair.dumps import DumpDay, DumpSource, FolderDumps, HostDumps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import requests
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.streams.rest import HTTPRequest, PageContext


class DumpStream(ChainStream):
    """A table from its daily dumps, bookmarked by the last complete day."""

    replication_key = "_dump_day"
    is_sorted = True

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        source = self._source()
        days = list(self._due(source.days(self.chain, self.table_name)))
        for position, day in enumerate(days, 1):
            with source.copy(day) as path:
                layout = verify(path, day.name, self.table)
                unknown = [column for column in layout.unknown if column.name not in self._announced]
                if unknown:
                    self.announce(unknown, day.name)
                constants: dict[str, Any] = {"_channel": "dumps", "_unit": day.unit, "_dump_day": day.day.isoformat()}
                if self.table_name == "blocks":
                    constants["is_settled"] = True
                yield from read_rows(path, day.name, layout, self.table.keys, constants)
            # The generator goes on only after the last row was written, so from here on the day counts.
            self._complete(day)
            self.logger.info(
                "%s: day %s done (%d of %d), %d rows from %d bytes.",
                self.name,
                day.day,
                position,
                len(days),
                layout.rows,
                layout.size,
            )

    @override
    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        """Leave the bookmark alone: a row says that its day has begun, not that it is complete."""

    def _complete(self, day: DumpDay) -> None:
        super()._increment_stream_state({"_dump_day": day.day.isoformat()})
        self.state_manager.is_flushed = False
        # In BATCH mode the rows are still on their way to a file; the SDK sends the state after it.
        if self.get_batch_config(self.config) is None:
            self._write_state_message()

    def _source(self) -> DumpSource:
        folder = self.settings.dumps_folder
        return FolderDumps(folder) if folder else HostDumps(self.settings, self.logger)

    def _due(self, days: list[DumpDay]) -> Iterator[DumpDay]:
        """Pick the days to read. Only listed days are, so a missing one is passed over only once a later one exists."""
        done = self.bookmark()
        if not days:
            self.logger.warning("%s: no dump day is listed.", self.name)
        elif done is not None and days[-1].day.isoformat() <= done:
            self.logger.info("%s: nothing new, the last day listed is %s.", self.name, days[-1].day)
        for day in days:
            if self.settings.start and day.day < self.settings.start:
                continue
            if self.settings.end and day.day > self.settings.end:
                continue
            if done is None or day.day.isoformat() > done:
                yield day


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
    def get_records(self, context: Context | None) -> Iterable[dict[str, Any]]:
        self._span = self._due()
        if self._span.first <= self._span.last:
            yield from super().get_records(context)
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

    def _edge(self, **params: str) -> int | None:
        rows = self.ask(**params, limit=1).rows
        return int(rows[0]["id"]) if rows else None


class SnapshotStream(ApiStream):
    """A view of the present, kept by the moment of observation."""

    # Activating a version would delete the earlier snapshots, which are the point.
    emit_activate_version_messages = False


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
    def get_records(self, context: Context | None) -> Iterable[dict[str, Any]]:
        self._observed_at, self._ranked = None, set()
        yield from super().get_records(context)

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
