"""Tables of which dumps give the published days and the API what lies above them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_blockchair import schemas
from tap_blockchair.blocks import BlocksStream
from tap_blockchair.dump_stream import DumpStream
from tap_blockchair.heights import HeightStream, Plan, Planner
from tap_blockchair.keyset import KeysetStream
from tap_blockchair.state import Heights, HeightState, Unsettled

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from decimal import Decimal

    from singer_sdk import Tap
    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.helpers.types import Context, Record

    from tap_blockchair.base import StreamSlice
    from tap_blockchair.columns import Column
    from tap_blockchair.dumps import DumpSource
    from tap_blockchair.quota import Quota
    from tap_blockchair.settings import Settings

TIPPED = ("blocks", "uncles")
"""Tables whose tip is cheap enough for the API's free quota."""

_UNCLE_AGE = 7
"""An uncle is named by one of the seven blocks after its parent, whose time may lie before its own."""


class TippedStream(DumpStream):
    """A table from its daily dumps, and above the last published day from the API.

    Both parts are of one stream: same schema, slices that replace each other's rows, states side by side.
    """

    def __init__(  # noqa: PLR0913 (what a stream is made of)
        self,
        tap: Tap,
        *,
        chain: str,
        table_name: str,
        settings: Settings,
        source: DumpSource,
        quota: Quota,
    ) -> None:
        # What the API has and dumps lack (Ethereum's London columns) is null in the rows of dumps.
        table = schemas.api_table(chain, table_name)
        super().__init__(tap, chain=chain, table_name=table_name, table=table, settings=settings, source=source)
        reader = _BlocksTip if table_name == "blocks" else _UnclesTip
        self._tip: _BlocksTip | _UnclesTip = reader(self, tap, quota)
        self._at_tip = False

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        return self._tip.get_records(context) if self._at_tip else super().get_records(context)

    @override
    def _sync_records(
        self,
        context: Context | None = None,
        *,
        write_messages: bool = True,
    ) -> Generator[dict[str, Any], Any, Any]:
        self._at_tip = False
        if self.settings.tip != "only":
            yield from super()._sync_records(context, write_messages=write_messages)
        self._at_tip = True
        yield from super(DumpStream, self)._sync_records(context, write_messages=write_messages)

    @override
    def _sync_batches(self, batch_config: BatchConfig, context: Context | None = None) -> None:
        if self.settings.tip != "only":
            super()._sync_batches(batch_config, context)
        # No file holds the API's rows.
        self._at_tip = True
        for _ in super(DumpStream, self)._sync_records(context):
            pass

    @override
    def log_sync_costs(self) -> None:
        self._tip.log_sync_costs()

    def price_of_tip(self) -> tuple[int, Decimal]:
        """Estimate the requests and points of the part that the API gives."""
        return self._tip.price()

    def first_open_day(self) -> date | None:
        """Find the day after the last one that is published or loaded; None where there is none."""
        if self.listing is None:
            self.listing = self._source.listing(self.chain, self.table_name)
        days = [day for day in (*(file.day for file in self.listing.files), self.day_state().last) if day]
        return max(days) + timedelta(days=1) if days else None


class _TipPlanner(Planner):
    """Plans from the first day that no dump has."""

    _stream: _Tip

    @override
    def state(self) -> HeightState:
        return HeightState(self._stream.get_context_state(None).setdefault("heights", {}))

    @override
    def keep(self) -> None:
        # The place that people look at is the dump days'.
        self._stream.flush()

    @override
    def plan(self) -> Plan:
        self._stream.share_columns(self._stream.whole)
        start, end = self.start(self.state()), self._stream.settings.end
        if start is None:
            self._stream.logger.warning(
                "%s: no dump day is published, and without start_date the API is not asked for the whole chain.",
                self._stream.name,
            )
            return Plan()
        if end and end < start:
            return Plan()
        return super().plan()

    @override
    def start(self, state: HeightState) -> date | None:
        # A day that was published once does not come back to the API where an index is cut short.
        published = [day for day in (self._stream.whole.first_open_day(), state.above) if day]
        if published:
            state.above = max(published)
        days = [day for day in (state.above, self._stream.settings.start) if day]
        return max(days, default=None)

    @override
    def resume(self, state: HeightState, wanted: int) -> int:
        first, unsettled = super().resume(state, wanted), state.unsettled
        if first >= wanted or (unsettled and not self._stands(unsettled)):
            # Dumps replace by time. What a reorganisation has moved to another day is found by its height only.
            return first
        state.leave()
        return wanted

    def _stands(self, part: Unsettled) -> bool:
        return part.hash is not None and self._stream.blocks.hash_of(part.last) == part.hash


class _UnclesPlanner(_TipPlanner):
    """Plans some blocks earlier, since an uncle is named late."""

    @override
    def lowest(self, state: HeightState) -> int | None:
        first = super().lowest(state)
        return None if first is None else max(0, first - _UNCLE_AGE)

    @override
    def anchors(self, plan: Plan, span: Heights) -> list[int]:
        return [*super().anchors(plan, span), span.last]


class _Tip(HeightStream):
    """The API's part of a table; its messages are those of the whole stream."""

    is_cheap = True
    whole: TippedStream

    @override
    def make_planner(self) -> Planner:
        return _TipPlanner(self)

    @override
    def open_slice(self, stream_slice: StreamSlice) -> None:
        self.whole.open_slice(stream_slice)

    @override
    def announce(self, columns: Sequence[Column], where: str) -> None:
        self.whole.announce(columns, where)
        self.share_columns(self.whole)


class _BlocksTip(_Tip, BlocksStream):
    """The newest blocks."""

    def __init__(self, whole: TippedStream, tap: Tap, quota: Quota) -> None:
        self.whole = whole
        super().__init__(
            tap, chain=whole.chain, table_name="blocks", table=whole.table, settings=whole.settings, quota=quota
        )


class _UnclesTip(_Tip, KeysetStream):
    """The newest uncles."""

    def __init__(self, whole: TippedStream, tap: Tap, quota: Quota) -> None:
        self.whole = whole
        super().__init__(tap, chain=whole.chain, table_name="uncles", settings=whole.settings, quota=quota)

    @override
    def make_planner(self) -> Planner:
        return _UnclesPlanner(self)
