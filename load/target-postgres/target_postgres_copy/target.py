"""The target: the stock loader's behaviour, with a few settings guarded."""

from __future__ import annotations

import copy
import errno
import logging
import os
import select
import sys
import threading
import time
import uuid
from contextlib import suppress
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, ClassVar

import psycopg
from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigValidationError, SingerSDKError
from singer_sdk.singerlib.exceptions import InvalidInputLine
from sqlalchemy.exc import DBAPIError
from target_postgres.target import TargetPostgres  # type: ignore[import-untyped]

from target_postgres_copy import flattening, refusals
from target_postgres_copy.log_text import hook_log_records
from target_postgres_copy.names import NameRefusedError
from target_postgres_copy.origin import ORIGINS
from target_postgres_copy.records import ExactReader, passes_unchanged
from target_postgres_copy.sinks import CopySink
from target_postgres_copy.warehouse import Warehouse

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

_PATIENCE = 3  # seconds from a signal to the end, if nobody answers
_QUIET = 0.5  # seconds without input after which no more is waited for

_COLLISION = "Duplicate column name produced in schema: "
_OF_SCHEMAS = ("Schema has changed for stream", "Schema or key properties for", "Key properties have changed")

_OWN_SETTINGS = th.PropertiesList(
    th.Property(
        "data_origin",
        th.StringType(allowed_values=list(ORIGINS)),
        title="Data origin",
        description=(
            "Origin of the data: the first load marks the warehouse with it, and later loads with the other one are "
            "refused. Unset, nothing is checked or marked."
        ),
    ),
    th.Property(
        "backfill",
        th.BooleanType,
        default=False,
        title="Backfill",
        description=(
            "Keep a month that is new to a partitioned table apart, without index, until its last day is loaded; then "
            "it is indexed once and attached. For history in bulk: readers see a month when it is complete."
        ),
    ),
    th.Property(
        "check_state",
        th.BooleanType,
        default=False,
        title="Check state",
        description=(
            "Note the last load in each state, and stop where a state counts loads that the warehouse does not have: "
            "it was restored, made anew, or is another one. The state is cut to what the ledger holds, so that the "
            "next run reads the rest again."
        ),
    ),
    th.Property(
        "reload",
        th.BooleanType,
        default=False,
        title="Reload",
        description=(
            "Load a dump file also where the ledger says that this very file was loaded: for rows that somebody "
            "changed, or that a release with a fault stored."
        ),
    ),
    th.Property(
        "allow_empty",
        th.BooleanType,
        default=False,
        title="Allow empty files",
        description=(
            "Let a dump file that has a header and no rows take away the rows that the table holds of its day; "
            "otherwise the load stops at it and keeps them."
        ),
    ),
    th.Property(
        "lock_timeout",
        th.IntegerType(minimum=0),
        default=3600,
        title="Longest wait for a lock",
        description="Seconds that a statement waits for somebody else's lock before the load ends; 0: without end.",
    ),
    th.Property(
        "statement_timeout",
        th.IntegerType(minimum=0),
        default=0,
        title="Longest statement",
        description="Seconds that a statement may run, COPY of a whole file included; 0: without end.",
    ),
    th.Property(
        "connect_timeout",
        th.IntegerType(minimum=0),
        default=10,
        title="Longest wait for a connection",
        description="Seconds until PostgreSQL must have let a connection in; 0: without end.",
    ),
    th.Property(
        "silence_timeout",
        th.IntegerType(minimum=0),
        default=600,
        title="Longest silence",
        description=(
            "Seconds without a sign that PostgreSQL works on what it was sent, after which the load ends; a statement "
            "that runs long is at work. 0: without end."
        ),
    ),
    th.Property(
        "verify",
        th.BooleanType,
        default=False,
        title="Verify",
        description=(
            "Note in the ledger, for each dump file, checksums of its rows as PostgreSQL holds them, by column; the "
            "command audit compares them later. It reads the rows once more, which takes 6 to 13 % of a load."
        ),
    ),
    th.Property(
        "run_id",
        th.StringType,
        title="Run",
        description="Name of the pipeline run, for the load ledger; by default MELTANO_RUN_ID, else a random one.",
    ),
).to_dict()


class _StoppedError(SystemExit):
    """The process was told to stop; what it was doing is rolled back on the way."""


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Leave out what the SDK says of every new schema: each unit has one, and a line of its own when it is loaded."""
    return not (record.levelno <= logging.INFO and str(record.msg).startswith(_OF_SCHEMAS))


def _read_on() -> None:
    """Throw away what is still being sent, so that the sender can end.

    Meltano 4.4.1, told to stop, waits for its tap, and for asyncio a process has ended only when its output was read.
    What the tap has sent ahead, Meltano passes on for as long as the loader takes it, and no longer (docs/loader.md).
    """
    with suppress(OSError, ValueError):  # no input at all
        while select.select([sys.stdin], [], [], _QUIET)[0] and os.read(sys.stdin.fileno(), 1 << 20):
            pass


def _with_own_settings(stock: dict[str, Any]) -> dict[str, Any]:
    schema = copy.deepcopy(stock)
    schema["properties"] |= _OWN_SETTINGS["properties"]
    schema["properties"]["use_copy"]["description"] = "Without effect: rows always go by COPY, and exactly."
    return schema


class TargetPostgresCopy(TargetPostgres):  # type: ignore[misc]
    """Singer target for PostgreSQL."""

    package_name = "target-postgres-copy"
    config_jsonschema: ClassVar[dict[str, Any]] = _with_own_settings(TargetPostgres.config_jsonschema)
    default_sink_class = CopySink
    message_reader_class = ExactReader

    # State leaves the loader only when it has written everything it holds, by default every five minutes: a run
    # killed before that has its rows in PostgreSQL, but no bookmark. Half a minute bounds what is read twice;
    # a full batch fills in a few seconds, so flushing this often costs one smaller batch per stream and half minute.
    _MAX_RECORD_AGE_IN_MINUTES = 0.5

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the parent's, whatever that takes
        self._sound_state: dict[str, Any] | None = None
        self._written_state: dict[str, Any] | None = None
        self._state_is_checked = False
        hook_log_records()  # before anything can be logged
        self._drained_at = time.monotonic()
        try:
            super().__init__(*args, **kwargs)
        except AssertionError as error:  # how the stock loader refuses settings that do not go together
            raise ConfigValidationError(
                "Config validation failed", errors=[str(error)], schema=self.config_jsonschema
            ) from error
        self.max_parallelism = 1  # all sinks share one connection
        self.logger.addFilter(_is_worth_a_line)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The database that this process loads into."""
        run_id = self.config.get("run_id") or os.environ.get("MELTANO_RUN_ID") or str(uuid.uuid4())
        return Warehouse(self.target_connector, self.config, run_id)

    # The stock loader goes by the machine's clock: one that was put back would hold states back for as long.
    @property
    @override
    def _max_record_age_in_minutes(self) -> float:
        return (time.monotonic() - self._drained_at) / 60

    @override
    def _reset_max_record_age(self) -> None:
        self._drained_at = time.monotonic()

    @override
    def listen(self, file_input: IO[str] | None = None) -> None:
        """Read all messages.

        Args:
            file_input: Where from; None for the standard input.

        Raises:
            LockTimeoutError: If somebody else held a lock for longer than the setting `lock_timeout` says.
            SilenceError: If the server gave no sign for longer than the setting `silence_timeout` says.
        """
        try:
            super().listen(file_input)
        except (psycopg.Error, DBAPIError) as error:
            told = self.warehouse.watch.error(error)
            self.warehouse.close()  # else the pool would try to roll back later, and log that it cannot
            if told is None:
                raise
            raise told from error
        except MemoryError:
            self.warehouse.close()
            raise

    @property
    def _open_sinks(self) -> list[CopySink]:
        return [sink for sink in self._sinks_active.values() if sink.is_open]

    @override
    def get_sink(
        self,
        stream_name: str,
        *,
        record: dict[str, Any] | None = None,
        schema: dict[str, Any] | None = None,
        key_properties: Sequence[str] | None = None,
    ) -> CopySink:
        """Return a stream's sink; a new schema ends the stream's unit, so the old sink is closed before."""
        if schema is not None and (sink := self._sinks_active.pop(stream_name, None)) is not None:
            self.drain_one(sink)
            sink.close()
            sink.clean_up()
            self._pass_state_on()
        found: CopySink = super().get_sink(stream_name, record=record, schema=schema, key_properties=key_properties)
        return found

    @override
    def _process_schema_message(self, message_dict: dict[str, Any]) -> None:
        if self.config.get("flattening_enabled") and isinstance(message_dict.get("schema"), dict):
            message_dict["schema"] = flattening.with_types(message_dict["schema"])
        try:
            super()._process_schema_message(message_dict)
        except ValueError as error:
            if not str(error).startswith(_COLLISION):
                raise
            name = str(error).removeprefix(_COLLISION)
            raise NameRefusedError(
                f"stream {message_dict['stream']}: flattening makes the column {name} twice, from a property of "
                "that name and from a nested one, so nothing of it was loaded: deselect one of the two in the tap, or "
                "set flattening_max_depth to less"
            ) from None

    @override
    def _process_activate_version_message(self, message_dict: dict[str, Any]) -> None:
        self._require(message_dict, "version")
        super()._process_activate_version_message(message_dict)

    def _require(self, message: dict[str, Any], *fields: str) -> None:
        """Make sure that a message which is no record has its fields, and follows its stream's schema."""
        kind = message["type"]
        if lost := [field for field in ("stream", *fields) if field not in message]:
            raise InvalidInputLine(f"a {kind} message lacks {', '.join(lost)}: {str(message)[:200]}; put the tap right")
        if message["stream"] not in self.mapper.stream_maps:
            raise InvalidInputLine(f"a {kind} message came before the schema of its stream {message['stream']}")

    @override
    def _process_record_message(self, message_dict: dict[str, Any]) -> None:
        stream_maps = self.mapper.stream_maps.get(message_dict.get("stream", ""), [])
        if not passes_unchanged(stream_maps):  # stream maps, flattening, or a stream that has no schema
            super()._process_record_message(message_dict)
            return
        sink = self._sinks_active[stream_maps[0].stream_alias]
        sink.take(message_dict)
        if sink.is_full:
            self.drain_one(sink)
        self._handle_max_record_age()

    @override
    def _process_state_message(self, message_dict: dict[str, Any]) -> None:
        if self.config.get("check_state") and not self._state_is_checked:
            self._check_state(message_dict["value"])
        super()._process_state_message(message_dict)
        for sink in self._open_sinks:
            if sink.is_complete:
                sink.close()
        if not self._open_sinks:
            self._sound_state = self._latest_state
            if any(sink.unit is not None for sink in self._sinks_active.values()):
                self.drain_all()  # a unit has ended: what the state says of it need not wait

    def _check_state(self, state: dict[str, Any]) -> None:
        """Stop where the tap counts loads that the warehouse does not have; the state that is right goes out before."""
        self._state_is_checked = True
        if found := self.warehouse.check(state):
            right, error = found
            super()._write_state_message(right)
            raise error

    @override
    def _process_batch_message(self, message_dict: dict[str, Any]) -> None:
        self._require(message_dict, "encoding", "manifest")
        # Records that came before stand for older rows than the file's.
        for stream_map in self.mapper.stream_maps[message_dict["stream"]]:
            self.drain_one(self.get_sink(stream_map.stream_alias))
        super()._process_batch_message(message_dict)

    @override
    def process_endofpipe(self) -> None:
        ended = [sink.end() for sink in self._open_sinks]
        if all(ended):
            self._sound_state = self._latest_state
        super().process_endofpipe()
        self.warehouse.renew_statistics()
        self.warehouse.tell_detached()
        self.warehouse.close()

    def _pass_state_on(self) -> None:
        """After a unit: its rows are committed, so the state that counts them may go."""
        if not self._open_sinks:
            self._sound_state = self._latest_state
            self.drain_all()

    @override
    def _write_state_message(self, state: dict[str, Any]) -> None:
        """Write the latest state whose rows are all committed, once; a state that came while a unit was open waits."""
        sound = self._sound_state
        if sound is not None and sound != self._written_state:
            marked = self.warehouse.mark(sound) if self.config.get("check_state") else copy.deepcopy(sound)
            super()._write_state_message(marked)
            self._written_state = copy.deepcopy(sound)

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """End at once: what is not committed is rolled back by PostgreSQL, and the last state that was true is out."""
        self.logger.warning(
            "Stopped by signal %d; a unit that was open is not loaded, and what its table held is kept.", signum
        )
        # The driver asks the server to cancel, and waits; one that answers no more is not waited for.
        end = threading.Timer(_PATIENCE, os._exit, [128 + signum])
        end.daemon = True
        end.start()
        raise _StoppedError(128 + signum)

    @classmethod
    @override
    def invoke(cls, **kwargs: Any) -> None:
        """Run the target; an expected failure ends in one sentence and exit status 1."""
        try:
            super().invoke(**kwargs)
        except ConfigValidationError:
            raise  # the SDK's command tells these
        except _StoppedError:
            _read_on()
            raise
        except (SingerSDKError, InvalidInputLine) as error:
            cls.logger.error("%s", error)  # noqa: TRY400
            sys.exit(1)
        except (DBAPIError, psycopg.Error) as error:
            cls.logger.error("%s", refusals.told(error))  # noqa: TRY400
            sys.exit(1)
        except MemoryError:
            cls.logger.error("%s", refusals.MEMORY)  # noqa: TRY400
            sys.exit(1)
        except OSError as error:  # of its output: what happens to files and connections is told where it happens
            if error.errno == errno.EPIPE:
                raise  # whoever read it has ended, and says why
            cls.logger.error("%s", refusals.UNWRITTEN.format(error.strerror or error))  # noqa: TRY400
            sys.exit(1)
