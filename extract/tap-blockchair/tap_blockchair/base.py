"""What all streams share: name, columns, bookmark, units, and columns that turn up unannounced."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.streams.core import Stream
from typing_extensions import override

from tap_blockchair.columns import json_schema
from tap_blockchair.schemas import provenance_columns
from tap_blockchair.units import ANNOTATION, PARTITION, partitioning, time_column

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers._batch import BatchConfig
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import SchemaMessage

    from tap_blockchair.columns import Column
    from tap_blockchair.schemas import Table
    from tap_blockchair.settings import Settings
    from tap_blockchair.units import Unit


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
        self._unit: Unit | None = None
        super().__init__(
            tap,
            # A hyphen would be read as the border between schema and table.
            name=f"{chain}_{table_name}".replace("-", "_"),
            schema=json_schema(columns, (*table.keys, "_channel", "_unit")),
        )
        self.primary_keys = table.keys

    def open_unit(self, unit: Unit) -> None:
        """Send SCHEMA with a unit's description: the rows that follow are that unit, and replace its range.

        A stream calls this in `get_records` (or what that calls), before it yields the unit's first row, and also
        where the unit has no row at all: then the range became empty, and a loader deletes what it has there. The SDK
        writes a row before it asks for the next one, so rows yielded earlier stand before the message. For a page of
        heights 100 to 199 of the API, known to hold 100 rows:

            self.open_unit(Unit.of_heights("bitcoin/blocks/heights/100-199", "id", 100, 199, rows=100))
            yield from rows

        A unit's rows come in one piece, and its bookmark after its last row. Snapshots, which never replace an
        earlier one, open no unit.

        Args:
            unit: What follows.
        """
        self._unit = unit
        self._write_schema_message()

    @property
    def is_mapped(self) -> bool:
        """Whether stream maps change or filter this stream's records."""
        return not (len(self.stream_maps) == 1 and type(self.stream_maps[0]) is SameRecordTransform)

    @override
    def get_batch_config(self, config: Mapping[str, Any]) -> BatchConfig | None:
        """Use no batch files: an API stream's units are small, and their SCHEMA messages come between its rows."""
        return None

    @override
    def _generate_schema_messages(self) -> Generator[SchemaMessage, None, None]:
        for message in super()._generate_schema_messages():
            properties = message.schema["properties"]
            cut = partitioning(self.table_name)
            if cut is not None and {cut["column"], *cut["index"]} <= properties.keys():
                message.schema = {**message.schema, PARTITION: cut}
            # A loader cannot replace by a column that a stream map or the selection has taken away.
            if self._unit is not None and self._unit.column in properties:
                annotation = self._unit.annotation(counted=not self.is_mapped)
                time = time_column(self.table_name)
                if time in properties:
                    annotation["time"] = time
                message.schema = {**message.schema, ANNOTATION: annotation}
            yield message

    @override
    def finalize_state_progress_markers(self, state: dict[str, Any] | None = None) -> None:
        """Send a plain SCHEMA message where the table was read to its end: the last unit has all its rows.

        The SDK calls this for each stream that has not failed, and has no other place for it.
        """
        super().finalize_state_progress_markers(state)
        if self._unit is not None:
            self._unit = None
            self._write_schema_message()

    @override
    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        """Leave the bookmark alone: a row says that its day or range has begun, not that it is complete."""

    def bookmark(self) -> Any | None:  # noqa: ANN401 (a day or a height)
        """Read where the last run ended.

        The SDK's starting value is not used: it mixes the bookmark, after which reading goes on, with `start_date`,
        with which reading begins.

        Returns:
            The replication key's value, or None at the first run.
        """
        state = self.get_context_state(None)
        if state.get("replication_key") in {None, self.replication_key}:
            return state.get("replication_key_value")
        # Dumps are bookmarked by day and the API by height. After a change of channel one says nothing about the other.
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
        """Take over the columns that another stream of the same table has announced.

        Args:
            other: The stream.
        """
        self._extra, self._announced = other._extra, other._announced

    def announce(self, columns: Sequence[Column], where: str) -> None:
        """Add columns that the schema did not foresee, and send SCHEMA again before their first row.

        This ends the unit that is open, if any. So a stream looks at all rows of a unit before it opens the unit.

        Args:
            columns: The new columns.
            where: The file or address that has them.
        """
        names = ", ".join(column.name for column in columns)
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
        self._unit = None
        self._write_schema_message()
