"""Streams of points in time: read in windows from the bookmark on, and narrowed where the plan reaches less far."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE
from typing_extensions import override

from tap_coingecko.bookmarks import Bookmark
from tap_coingecko.client import CoinGeckoStream
from tap_coingecko.errors import BeyondReachError
from tap_coingecko.settings import parse_start_date

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from singer_sdk.helpers.types import Context, Record

    from tap_coingecko.windows import Window

#: How far before the bookmark a run reads again: points arrive late, some after days.
LOOKBACK = timedelta(days=3)


class HistoryStream(CoinGeckoStream, ABC):
    """A stream of points in time, incremental for each of its parts."""

    is_sorted = True
    check_sorted = False

    #: The column of the stamp. A catalog may name another replication key, or none, but not another column.
    stamp_column: ClassVar[str] = "stamp"

    def pairs(self, *granularities: str) -> list[dict[str, str]]:
        """Give the parts of the stream: each coin in each currency in these granularities.

        The SDK keeps one bookmark per part and puts the part's columns into each row.
        """
        return [
            {"coin_id": coin, "vs_currency": currency, "granularity": granularity}
            for coin in self.config["coins"]
            for currency in self.config["vs_currencies"]
            for granularity in granularities
        ]

    @abstractmethod
    def oldest(self, part: Mapping[str, str]) -> datetime:
        """Give the instant before which the source has nothing for a part, whatever the plan."""

    @abstractmethod
    def window(self, part: Mapping[str, str], now: datetime, wanted: datetime, floor: datetime) -> Window:
        """Compute the first window from a wanted start on, not before the floor."""

    @abstractmethod
    def rows(self, part: Mapping[str, str], window: Window) -> Iterable[tuple[datetime, Record]]:
        """Read a window of a part: its completed points, oldest first, each with its stamp.

        Raises:
            BeyondReachError: If the window goes further back than the plan.
        """

    @override
    def read(self, context: Context | None) -> Iterator[Record]:
        part: Mapping[str, str] = context or {}
        now = self.source_now()
        bookmark = self.bookmark(context)
        is_new = bookmark.latest is None
        start, wanted = self._start(part, bookmark, now)
        while wanted <= now:
            window = self.window(part, now, wanted, self._tap.reach.floor(now, self.oldest(part)))
            try:
                points = list(self.rows(part, window))
            except BeyondReachError as refusal:
                if not self._tap.reach.narrow(now - window.ask_from):
                    raise
                allowed = self._tap.reach.floor(now, self.oldest(part)).date()
                self.logger.warning("%s; asking again from %s on, what lies before is left out", refusal, allowed)
                start, wanted = self._start(part, bookmark, now)
                continue
            yield from (row for _, row in points)
            # The SDK has written those rows by now, so the bookmark is never ahead of them.
            if points:
                latest, row = points[-1]
                bookmark.move(latest, row[self.stamp_column])
            if is_new or (window.ends_now and not bookmark.covers(start)):
                bookmark.began(start)
            self.state_manager.is_flushed = False
            self._write_state_message()
            if window.ends_now:
                return
            wanted = window.ask_to

    def bookmark(self, context: Context | None) -> Bookmark:
        """Read the bookmark of a part; where the catalog asks for a full table, there is none."""
        name = " of ".join((self.name, ", ".join((context or {}).values())))
        is_full = self.replication_method == REPLICATION_FULL_TABLE
        return Bookmark({} if is_full else self.get_context_state(context), self.stamp_column, name)

    def _start(self, part: Mapping[str, str], bookmark: Bookmark, now: datetime) -> tuple[datetime, datetime]:
        """Give from when on history is wanted at all, and from when on in this run."""
        floor = start = self._tap.reach.floor(now, self.oldest(part))
        if start_date := self.config.get("start_date"):
            start = max(parse_start_date(start_date), floor)
        if bookmark.latest is not None and bookmark.covers(start):
            return start, max(start, bookmark.latest - LOOKBACK)
        if start_date and parse_start_date(start_date) < floor and floor > self.oldest(part):
            self.logger.warning(
                "%s: %s is beyond the reach of plan %s; reading from %s on",
                ", ".join(part.values()),
                parse_start_date(start_date).date(),
                self.config["plan"],
                floor.date(),
            )
        return start, start

    @override
    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        """Leave the bookmark alone: it moves when a window is complete."""

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Use none: it would be this machine's clock."""
