"""From a decoded RECORD message to a row for COPY, by a plan made once per schema.

The SDK copies, checks, looks up types and builds dictionaries for every record. A plan does what depends on the schema
once; per record it validates, adds the metadata, reads date-times and leaves a list of values in column order. What a
record must fulfil and what its values mean is the SDK's and the stock loader's.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import InvalidRecord, MissingKeyPropertiesError
from singer_sdk.mapper import SameRecordTransform
from singer_sdk.singerlib.exceptions import InvalidInputLine

from target_postgres_copy.errors import FinerError
from target_postgres_copy.values import converter

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping, Sequence

    from singer_sdk.mapper import StreamMap
    from singer_sdk.sinks.core import BaseJSONSchemaValidator
    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

_SHOWN = 200  # characters of a value that its error shows


def passes_unchanged(stream_maps: Sequence[StreamMap]) -> bool:
    """Whether a stream's records come to its sink as the tap sent them: no stream map, no flattening."""
    return (
        len(stream_maps) == 1 and type(stream_maps[0]) is SameRecordTransform and not stream_maps[0].flattening_enabled
    )


class RecordPlan:
    """Turns the records of one stream, under one schema, into rows of its table.

    Attributes:
        columns: Names of the row's columns, in the order of the schema's properties.
    """

    def __init__(  # noqa: PLR0913 - what a plan depends on
        self,
        stream: str,
        schema: Mapping[str, Any],
        key_properties: Sequence[str],
        stored: Mapping[str, str],
        *,
        to_sql_type: Callable[[dict[str, Any]], TypeEngine[Any]],
        dialect: Dialect,
        validator: BaseJSONSchemaValidator | None,
        sync_started_at: int,
        logger: logging.Logger,
        add_metadata: bool = True,
        sanitize_nul: bool = False,
    ) -> None:
        """Make the plan.

        Args:
            stream: The stream's name, for messages.
            schema: The sink's schema, its `_sdc_` columns included.
            key_properties: Properties every record must have.
            stored: SQL types of the table's columns as PostgreSQL writes them, with one for every property.
            to_sql_type: The connector's mapping from a property's schema to its type.
            dialect: The engine's dialect, whose bind processors convert values.
            validator: None leaves records unchecked.
            sync_started_at: When the target started, in milliseconds since 1970.
            logger: Takes the warning about fields that the schema lacks.
            add_metadata: Whether records get `_sdc_` values (setting `add_record_metadata`).
            sanitize_nul: Whether NUL characters become U+FFFD (setting `sanitize_null_text_characters`).
        """
        properties: Mapping[str, dict[str, Any]] = schema["properties"]
        self.columns: tuple[str, ...] = tuple(properties)
        self._stream = stream
        self._names = frozenset(properties)
        self._keys = tuple(key_properties)
        self._validate = validator.validate if validator else None
        self._sync_started_at = sync_started_at
        self._logger = logger
        self._add_metadata = add_metadata
        # As the SDK: fields beyond the schema are left out, with a warning unless the schema foresees them.
        self._warns = not schema.get("additionalProperties", False)
        self._warned: set[str] = set()
        self._converters: list[tuple[int, Callable[[Any], Any]]] = []
        self._null_converters: list[tuple[int, Callable[[Any], Any]]] = []
        for place, (name, part) in enumerate(properties.items()):
            conversion = converter(
                part,
                to_sql_type(part),
                stored[name],
                dialect,
                sanitize_nul=sanitize_nul,
                may_be_cut=name in _METADATA,  # when a tap extracted a record is no data of it
            )
            if conversion is not None:
                (self._null_converters if conversion.of_null else self._converters).append((place, conversion.convert))

    def row(self, message: Mapping[str, Any], *, batched_at: datetime) -> list[Any]:
        """Check the record of a RECORD message, which is changed, and give its row in the order of `columns`.

        Raises:
            InvalidInputLine: If the message holds no record.
            InvalidRecord: If the record does not conform to the schema, or a date or time cannot be read.
            MissingKeyPropertiesError: If a key property is missing.
        """
        record = message.get("record")
        if type(record) is not dict:
            raise InvalidInputLine(f"a RECORD message of stream {self._stream} holds no record")
        if self._add_metadata:
            record["_sdc_extracted_at"] = message.get("time_extracted")
            # Values of our own need no check; null is valid there.
            record["_sdc_received_at"] = record["_sdc_batched_at"] = record["_sdc_sequence"] = None
            record.setdefault("_sdc_deleted_at", None)
            record["_sdc_table_version"] = message.get("version")
            record["_sdc_sync_started_at"] = self._sync_started_at
        else:
            for name in _METADATA.intersection(record):
                del record[name]
        if self._validate is not None:
            try:
                self._validate(record)
            except InvalidRecord as error:
                raise self._refusal(error, record) from None
        if self._add_metadata:
            now = time.time()
            record["_sdc_received_at"] = datetime.fromtimestamp(now, UTC)
            record["_sdc_batched_at"] = batched_at
            record["_sdc_sequence"] = round(now * 1000)
        if self._warns and not record.keys() <= self._names:
            self._warn(record)
        for key in self._keys:
            if key not in record:
                raise MissingKeyPropertiesError(
                    f"a record of stream {self._stream} lacks its key property {key!r}; it has {', '.join(record)}"
                )
        return self.values(record)

    def validate(self, record: dict[str, Any]) -> None:
        """Validate a record by the schema; an InvalidRecord names its stream, column and key."""
        if self._validate is not None:
            try:
                self._validate(record)
            except InvalidRecord as error:
                raise self._refusal(error, record) from None

    def values(self, record: Mapping[str, Any]) -> list[Any]:
        """Give the row of a record that was validated before; dates and times are read or text.

        Raises:
            InvalidRecord: If a date or time cannot be read.
        """
        row = list(map(record.get, self.columns))
        try:
            for place, convert in self._converters:
                value = row[place]
                if value is not None:
                    row[place] = convert(value)
            for place, convert in self._null_converters:
                row[place] = convert(row[place])
        except (ValueError, TypeError) as error:
            value = repr(str(row[place])[:_SHOWN])
            why = f"{value} {error}" if isinstance(error, FinerError) else f"could not read {value} ({error})"
            raise InvalidRecord(
                f"a record of stream {self._stream} is refused: column {self.columns[place]}: {why}"
                f"{self._which(record)}",
                dict(record),
            ) from None
        return row

    def _refusal(self, error: InvalidRecord, record: dict[str, Any]) -> InvalidRecord:
        cause = error.__cause__
        path = getattr(cause, "absolute_path", ())
        where = f"column {'.'.join(str(part) for part in path)}: " if path else ""
        reason = error.error_message
        if len(reason) > 2 * _SHOWN:
            reason = f"{reason[:_SHOWN]}...{reason[-_SHOWN:]}"
        return InvalidRecord(
            f"a record of stream {self._stream} is refused: {where}{reason}{self._which(record)}", record
        )

    def _which(self, record: Mapping[str, Any]) -> str:
        known = [f"{key}={record[key]}" for key in self._keys if key in record]
        return f"; the record's key is {', '.join(known)}" if known else ""

    def _warn(self, record: Mapping[str, Any]) -> None:
        for name in record.keys() - self._names - self._warned:
            if record[name] is not None:
                self._logger.warning("No schema for record field '%s'", name)
                self._warned.add(name)


_METADATA = frozenset(
    {
        "_sdc_extracted_at",
        "_sdc_received_at",
        "_sdc_batched_at",
        "_sdc_deleted_at",
        "_sdc_sequence",
        "_sdc_table_version",
        "_sdc_sync_started_at",
    }
)
