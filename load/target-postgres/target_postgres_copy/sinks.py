"""The sink: takes the messages of one slice and loads them (`load.py`), if PostgreSQL can hold their names."""

from __future__ import annotations

import json
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from target_postgres.sinks import PostgresSink  # type: ignore[import-untyped]

from target_postgres_copy.dump_files import DumpFile
from target_postgres_copy.errors import NameRefusedError
from target_postgres_copy.load import Load
from target_postgres_copy.own_names import LEDGER, LOAD_ID, LOCKS, ORIGIN
from target_postgres_copy.records import RecordPlan
from target_postgres_copy.sessions import UtcConnector
from target_postgres_copy.stream_schema import PARTITION, StreamSlice
from target_postgres_copy.tables import LONGEST_SUFFIX
from target_postgres_copy.validation import CompiledValidator

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from singer_sdk.helpers._batch import BaseBatchFileEncoding
    from singer_sdk.sinks import Sink

    from target_postgres_copy.warehouse import Warehouse


# Bytes of an identifier, from PostgreSQL's NAMEDATALEN of 64. A longer one is cut off without an error.
_LONGEST = 63
_OWN_TABLES = {LEDGER, LOCKS, ORIGIN}
# https://www.postgresql.org/docs/current/ddl-system-columns.html
_SYSTEM = {"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"}
_SHOWN = 80


class Drain(Protocol):
    """What a sink needs of its target."""

    @property
    def warehouse(self) -> Warehouse:
        """The database that the process loads into."""

    def drain_one(self, sink: Sink) -> None:
        """Pass on what a sink has buffered."""


class CopySink(PostgresSink):  # type: ignore[misc]
    """Rows of one stream; where the schema announces a slice, the rows of that slice."""

    connector_class = UtcConnector

    def __init__(self, target: Drain, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(target, *args, **kwargs)
        self._target = target
        self.slice = StreamSlice.of(self.stream_name, self.original_schema)
        self._load: Load | None = None

    @property
    def is_open(self) -> bool:
        """Whether a slice has begun whose rows are not in the table yet."""
        return self._load is not None and self._load.is_open

    @property
    def is_complete(self) -> bool:
        """Whether all rows that an open slice announced have come, buffered ones included."""
        return self._load is not None and self._load.remaining == self.current_size

    @override
    def get_validator(self) -> None:
        """None: records are validated by `_plan`, and dump files by COPY."""

    @override
    def setup(self) -> None:
        self.append_only = not self.key_properties
        _check_names(self)
        self._warehouse = self._target.warehouse
        self._table = self._warehouse.table_of(self)
        if self.slice is not None:
            self._load = Load(self._warehouse, self._table, self.slice)

    @cached_property
    def _plan(self) -> RecordPlan:
        """How records become rows; dump files need none."""
        return RecordPlan(
            self.stream_name,
            self.schema,
            self.key_properties,
            self._table.columns,
            to_sql_type=self.connector.to_sql_type,
            dialect=self.connector._engine.dialect,  # noqa: SLF001 - the connector gives no other access
            validator=CompiledValidator(self.schema) if self.validate_schema else None,
            sync_started_at=self.sync_started_at,
            logger=self.logger,
            add_metadata=self.include_sdc_metadata_properties,
            sanitize_nul=self.connector.sanitize_null_text_characters,
        )

    def take(self, message: dict[str, Any]) -> None:
        """Take a RECORD message in, as the tap sent it: what the SDK does in six steps, by a plan made once."""
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
        load = self._load or Load(self._warehouse, self._table, None)
        load.add_rows(self._plan.columns, rows)
        if load is not self._load:
            load.commit()

    @override
    def process_batch_files(self, encoding: BaseBatchFileEncoding, files: Sequence[str]) -> None:
        if encoding.format != "tsv":
            super().process_batch_files(encoding, files)
            return
        load = self._load or Load(self._warehouse, self._table, None)
        for url in files:
            load.add_file(DumpFile(url, sanitize_nul=self.connector.sanitize_null_text_characters))
        self.record_counter_metric.increment(load.seen)
        if load is not self._load:
            load.commit()
        elif load.is_open and load.remaining == 0:
            self.close()

    def close(self) -> None:
        """Commit the slice, if one is open; all its rows have come."""
        if self._load is not None and self._load.is_open:
            self._target.drain_one(self)
            self._load.commit()

    def end(self) -> bool:
        """The input has ended: commit a slice that is complete, drop one that is not; returns which."""
        if self._load is None or not self._load.is_open:
            return True
        self._target.drain_one(self)
        if self._load.remaining == 0:
            self._load.commit()
            return True
        self._load.abandon()
        self.logger.warning(
            "%s: the input ended before this slice did; it was not loaded, and what the table held is kept: run the "
            "tap again",
            self.slice.id if self.slice else self.stream_name,
        )
        return False

    @staticmethod
    def _rows_of(context: dict[str, Any]) -> list[list[Any]]:
        rows: list[list[Any]] = context.setdefault("rows", [])
        return rows


def _check_names(sink: CopySink) -> None:
    """Refuse names that PostgreSQL cannot hold, or that are the loader's own, before anything is made."""
    stream, schema, table, keys = sink.stream_name, sink.schema_name, sink.table_name, sink.key_properties
    columns = sink.schema["properties"]
    longest_suffix = LONGEST_SUFFIX if PARTITION in sink.original_schema else ""
    if schema is not None and (fault := _fault(schema)):
        raise NameRefusedError(
            f"the schema {_shown(schema)} {fault}, so nothing was loaded: set default_target_schema to another name"
        )
    fault = "is the name of a table of the loader's own" if table in _OWN_TABLES else _fault(table, longest_suffix)
    if fault:
        raise _refused(stream, f"its table's name {_shown(table)} {fault}", {"__alias__": "another_name"})
    lost = [key for key in keys if key not in columns]
    if lost:
        kept = [key for key in keys if key in columns]
        what = f"its key property {_shown(lost[0])} is not in its schema, which has {', '.join(sorted(columns)[:10])}"
        # With the keys that are left; where none is, rows are appended.
        raise _refused(stream, what, {"__key_properties__": kept})
    for name, what in _unfit(columns):
        raise _refused(stream, f"its property {_shown(name)} {what}", _renamed(name, keys))


def _unfit(columns: Collection[str]) -> Iterator[tuple[str, str]]:
    for name in columns:
        if fault := _fault(name):
            yield name, fault
        elif name in _SYSTEM:
            yield name, "has the name of a system column"
        elif name == LOAD_ID:
            yield name, "has the name of the column that names a row's load"


def _fault(name: str, suffix: str = "") -> str | None:
    if not name:
        return "is empty, and PostgreSQL has no column or table without a name"
    if "\0" in name:
        return "holds a NUL character, which no name in PostgreSQL can"
    size, most = len(name.encode()), _LONGEST - len(suffix)
    if size > most:
        of_months = f" and {most} where the table is partitioned by month" if suffix else ""
        return f"has {size} bytes, and PostgreSQL cuts names off after {_LONGEST}{of_months}"
    return None


def _renamed(name: str, keys: Sequence[str]) -> dict[str, Any]:
    expression = name if name.isidentifier() and name.isascii() else f"record[{name!r}]"
    renamed: dict[str, Any] = {"another_name": expression, name: None}
    if name in keys:
        renamed["__key_properties__"] = ["another_name" if key == name else key for key in keys]
    return renamed


def _refused(stream: str, what: str, stream_map: dict[str, Any]) -> NameRefusedError:
    # Flattening comes after stream maps, and joins names by two underscores.
    flat = " (of a flattened property, rename the outermost one, or set flattening_max_key_length)"
    mended = json.dumps({stream: stream_map}, ensure_ascii=False)
    hint = flat if any("__" in name[1:-1] for name in stream_map if not name.startswith("__")) else ""
    return NameRefusedError(
        f"stream {_shown(stream)}: {what}, so nothing of it was loaded: set stream_maps to {mended}{hint}"
    )


def _shown(name: str) -> str:
    return repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}...")
