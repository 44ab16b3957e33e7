"""What all streams share: name, columns, state, slices, and columns that turn up unannounced.

A slice is what is loaded whole: a dump day, or a range of heights. The contract with loaders is
`docs/reference/slices.md`.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.streams.core import Stream
from typing_extensions import override

from tap_blockchair.columns import json_schema
from tap_blockchair.schemas import ORIGIN, provenance_columns

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import SchemaMessage

    from tap_blockchair.columns import Column
    from tap_blockchair.schemas import Table
    from tap_blockchair.settings import Settings

# Keys in a SCHEMA message's `schema`: the slice that follows, and how to partition a table of millions of rows a month.
_SLICE = "x-unit"
_PARTITION = "x-partition"
_PARTITIONED = {"transactions": "", "outputs": "", "inputs": "spending_", "calls": "", "erc20_transactions": ""}


@dataclass(frozen=True)
class StreamSlice:
    """Rows that arrive together and replace a range of a table.

    Attributes:
        id: What rows carry in `_unit`, such as `bitcoin/blocks/2009-01-09`.
        column: The column whose range is replaced. Rows in which it is null are never replaced.
        start: First value replaced (included): an RFC 3339 time or a height; None: no lower bound.
        stop: First value above the range (excluded), likewise; None: no upper bound.
        rows: How many rows follow, where that is known beforehand; fewer mean that the slice is incomplete.
        file: Name of the dump file that holds the slice, as published.
        etag: Its entity tag.
        sha256: Its digest, as published, compressed.
        constants: Columns with the same value in every row, which a batch file does not carry.
    """

    id: str
    column: str
    start: str | int | None
    stop: str | int | None
    rows: int | None = None
    file: str | None = None
    etag: str | None = None
    sha256: str | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_day(cls, slice_id: str, column: str, day: date, **more: Any) -> StreamSlice:  # noqa: ANN401 (the fields above)
        """Describe a UTC day, from midnight to the next midnight."""
        start = datetime.combine(day, time(), tzinfo=UTC)
        return cls(slice_id, column, start.isoformat(), (start + timedelta(days=1)).isoformat(), **more)

    @classmethod
    def of_heights(cls, slice_id: str, column: str, first: int, last: int | None, **more: Any) -> StreamSlice:  # noqa: ANN401
        """Describe a closed range of block heights, without an upper bound where `last` is None."""
        return cls(slice_id, column, first, None if last is None else last + 1, **more)

    def annotation(self, *, counted: bool = True) -> dict[str, Any]:
        """Write the slice as a SCHEMA message carries it.

        Args:
            counted: Whether all rows of the source arrive, so that their number and digest can be verified.
        """
        about: dict[str, Any] = {"id": self.id, "column": self.column, "from": self.start, "to": self.stop}
        if counted and self.rows is not None:
            about["rows"] = self.rows
        about |= {name: value for name, value in (("file", self.file), ("etag", self.etag)) if value is not None}
        if counted and self.sha256 is not None:
            about["sha256"] = self.sha256
        if self.constants:
            about["constants"] = dict(self.constants)
        return about


class ChainStream(Stream):
    """A table of one chain."""

    # Values are converted column by column, exactly; the SDK's generic pass over every field would find nothing to do.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    def __init__(self, tap: Tap, *, chain: str, table_name: str, table: Table, settings: Settings) -> None:
        self.chain = chain
        self.table_name = table_name
        self.table = table
        self.settings = settings
        columns = (*table.columns, *provenance_columns(table_name))
        self._announced = {column.name for column in columns}
        self._extra: tuple[Column, ...] = ()
        self._slice: StreamSlice | None = None
        super().__init__(
            tap,
            # A hyphen would be read as the border between schema and table.
            name=f"{chain}_{table_name}".replace("-", "_"),
            schema=json_schema(columns, (*table.keys, "_channel", "_unit")),
        )
        self.primary_keys = table.keys

    def open_slice(self, stream_slice: StreamSlice) -> None:
        """Send SCHEMA with a slice's description: the rows that follow are that slice, and replace its range.

        A stream calls this before it yields the slice's first row, and also where the slice has no row: then a loader
        deletes what it has in the range. The SDK writes a row before it asks for the next one, so rows yielded earlier
        stand before the message. A slice's rows come in one piece, and its state after its last row. Snapshots, which
        never replace an earlier one, open no slice.
        """
        self._slice = stream_slice
        self._write_schema_message()

    @property
    def is_mapped(self) -> bool:
        """Whether stream maps change or filter this stream's records."""
        return not (len(self.stream_maps) == 1 and type(self.stream_maps[0]) is SameRecordTransform)

    @override
    def get_batch_config(self, config: Mapping[str, Any]) -> BatchConfig | None:
        """Use no batch files: an API stream's slices are small, and their SCHEMA messages come between its rows."""
        return None

    @override
    def _generate_schema_messages(self) -> Generator[SchemaMessage, None, None]:
        for message in super()._generate_schema_messages():
            properties = message.schema["properties"]
            if self.table_name in _PARTITIONED:
                side = _PARTITIONED[self.table_name]
                partition = {"column": f"{side}time", "interval": "month", "index": [f"{side}block_id"]}
                if {f"{side}time", f"{side}block_id"} <= properties.keys():
                    message.schema = {**message.schema, _PARTITION: partition}
            # A loader cannot replace by a column that a stream map or the selection has taken away.
            if self._slice is not None and self._slice.column in properties:
                annotation = self._slice.annotation(counted=not self.is_mapped)
                time_column = "spending_time" if self.table_name == "inputs" else "time"  # of the block that it is in
                if time_column in properties:
                    annotation["time"] = time_column
                message.schema = {**message.schema, _SLICE: annotation}
            yield message

    @override
    def finalize_state_progress_markers(self, state: dict[str, Any] | None = None) -> None:
        """Send a plain SCHEMA message where the table was read to its end: the last slice has all its rows.

        The SDK calls this for each stream that has not failed, and has no other place for it.
        """
        super().finalize_state_progress_markers(state)
        if self._slice is not None:
            self._slice = None
            self._write_schema_message()

    @override
    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        """Leave the bookmark alone: a row shows that its slice has begun, not that it is complete."""

    def bookmark(self) -> Any | None:  # noqa: ANN401 (a day or a height)
        """Read where the last run ended; None at the first run.

        The SDK's starting value is not used: it mixes the bookmark, after which reading goes on, with `start_date`,
        with which reading begins.
        """
        state = self.get_context_state(None)
        if state.get("replication_key") in {None, self.replication_key}:
            return state.get("replication_key_value")
        # Dumps are bookmarked by day and the API by height: neither is a value of the other.
        self.logger.warning(
            "The state of %s was written by the other channel (%s); starting again from start_date.",
            self.name,
            state["replication_key"],
        )
        for part in ("replication_key", "replication_key_value"):
            state.pop(part, None)
        return None

    def flush(self) -> None:
        """Send the state."""
        self.state_manager.is_flushed = False
        self._write_state_message()

    def share_columns(self, other: ChainStream) -> None:
        """Take over the columns that another stream of the same table has announced."""
        self._extra, self._announced = other._extra, other._announced

    def announce(self, columns: Sequence[Column], where: str) -> None:
        """Add columns that the schema did not foresee, and send SCHEMA again before their first row.

        This ends the slice that is open, if any. So a stream looks at all rows of a slice before it opens the slice.
        The log names the columns, and where they are: a file or an address.
        """
        names = ", ".join(column.name for column in columns if column.name != ORIGIN)
        if names:
            self.logger.warning("%s has columns that are new here and are carried along: %s.", where, names)
        self._extra += tuple(columns)
        self._announced.update(column.name for column in columns)
        added = json_schema(columns, ())["properties"]
        for schema in (self._schema, self._input_schema):
            if schema is not None:
                schema["properties"].update(copy.deepcopy(added))
        # The registered schema is the one after selection; keep that, and let stream maps see the new columns.
        selected = copy.deepcopy(self.stream_maps[0].raw_schema)
        selected["properties"].update(added)
        self._tap.mapper.register_raw_stream_schema(self.name, selected, self.primary_keys)
        self._stream_maps = None
        self._slice = None
        self._write_schema_message()
