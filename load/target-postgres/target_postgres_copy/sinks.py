"""The sink: the stock one, with its way into PostgreSQL replaced."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from target_postgres.sinks import PostgresSink  # type: ignore[import-untyped]

from target_postgres_copy import names
from target_postgres_copy.connector import UtcConnector
from target_postgres_copy.dumpfile import DumpFile
from target_postgres_copy.loads import Load
from target_postgres_copy.records import RecordPlan
from target_postgres_copy.tables import LONGEST_SUFFIX
from target_postgres_copy.units import PARTITION, Unit
from target_postgres_copy.validation import CompiledValidator

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk.helpers._batch import BaseBatchFileEncoding
    from singer_sdk.sinks import Sink
    from singer_sdk.sinks.core import BaseJSONSchemaValidator

    from target_postgres_copy.warehouse import Warehouse


class Drain(Protocol):
    """What a sink needs of its target."""

    @property
    def warehouse(self) -> Warehouse:
        """The database that the process loads into."""

    def drain_one(self, sink: Sink) -> None:
        """Pass on what a sink has buffered."""


class CopySink(PostgresSink):  # type: ignore[misc]
    """Rows of one stream; where the schema announces a unit, the rows of that unit.

    The stock sink makes and alters tables; rows reach them by COPY into a staging table, or a dump file by COPY into
    its month.
    """

    connector_class = UtcConnector

    def __init__(self, target: Drain, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(target, *args, **kwargs)
        self._target = target
        self.unit = Unit.of(self.stream_name, self.original_schema)
        self._load: Load | None = None

    @property
    def is_open(self) -> bool:
        """Whether a unit has begun whose rows are not in the table yet."""
        return self._load is not None and self._load.is_open

    @property
    def is_complete(self) -> bool:
        """Whether all rows that an open unit announced have come, buffered ones included."""
        return self._load is not None and self._load.lacks == self.current_size

    @override
    def get_validator(self) -> BaseJSONSchemaValidator | None:
        return CompiledValidator(self.schema) if self.validate_schema else None

    @override
    def setup(self) -> None:
        self.append_only = not self.key_properties
        self._check_names()
        warehouse = self._target.warehouse
        self._run = warehouse.run_of(self)
        self._table = warehouse.table_of(self)
        if self.unit is not None:
            self._load = Load(self._run, self._table, self.unit)

    @cached_property
    def _plan(self) -> RecordPlan:
        """How records become rows; dump files need none."""
        return RecordPlan(
            self.stream_name,
            self.schema,
            self.key_properties,
            self._table.columns,
            to_sql_type=self.connector.to_sql_type,
            dialect=self.connector._engine.dialect,  # noqa: SLF001 - the connector's only door to it
            validator=self._validator,
            sync_started_at=self.sync_started_at,
            logger=self.logger,
            add_metadata=self.include_sdc_metadata_properties,
            sanitize_nul=self.connector.sanitize_null_text_characters,
        )

    def _check_names(self) -> None:
        names.check(
            self.stream_name,
            self.table_name,
            self.schema_name,
            self.schema["properties"],
            self.key_properties,
            longest_suffix=LONGEST_SUFFIX if PARTITION in self.original_schema else "",
        )

    def take(self, message: dict[str, Any]) -> None:
        """Take a RECORD message in, as the tap sent it: what the SDK does in six steps, by a plan made once.

        Args:
            message: The message.

        Raises:
            InvalidRecord: If its record is not as the schema says.
            MissingKeyPropertiesError: If it lacks a key.
        """
        context = self._get_context(message)
        self._rows_of(context).append(self._plan.row(message, batched_at=context["batch_start_time"]))
        self.tally_record_read()
        self.record_counter_metric.increment()

    @override
    def _validate_and_parse(self, record: dict[str, Any]) -> dict[str, Any]:
        """Validate alone: the SDK would cut digits off dates and times, and the plan reads them."""
        self._plan.validate(record)
        return record

    @override
    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        self._rows_of(context).append(self._plan.values(record))

    @override
    def process_batch(self, context: dict[str, Any]) -> None:
        rows = self._rows_of(context)
        rows += [self._plan.values(record) for record in context.get("records", [])]  # of a JSONL file
        load = self._load or Load(self._run, self._table, None)
        load.add_rows(self._plan.columns, rows)
        if load is not self._load:
            load.commit()

    @override
    def process_batch_files(self, encoding: BaseBatchFileEncoding, files: Sequence[str]) -> None:
        if encoding.format != "tsv":
            super().process_batch_files(encoding, files)
            return
        load = self._load or Load(self._run, self._table, None)
        for url in files:
            load.add_file(DumpFile(url, sanitize_nul=self.connector.sanitize_null_text_characters))
        self.record_counter_metric.increment(load.seen)
        if load is not self._load:
            load.commit()
        elif load.is_open and load.lacks == 0:
            self.close()

    def close(self) -> None:
        """Commit the unit, if one is open; all its rows have come."""
        if self._load is not None and self._load.is_open:
            self._target.drain_one(self)
            self._load.commit()

    def end(self) -> bool:
        """The input has ended: commit a unit that is complete, drop one that is not; returns which."""
        if self._load is None or not self._load.is_open:
            return True
        self._target.drain_one(self)
        if self._load.lacks == 0:
            self._load.commit()
            return True
        self._load.abandon()
        self.logger.warning(
            "%s: the input ended before this unit did; it was not loaded, and what the table held is kept: run the tap "
            "again",
            self.unit.id if self.unit else self.stream_name,
        )
        return False

    @staticmethod
    def _rows_of(context: dict[str, Any]) -> list[list[Any]]:
        rows: list[list[Any]] = context.setdefault("rows", [])
        return rows
