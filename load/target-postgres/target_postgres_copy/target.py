"""The target: Singer messages in, states out.

A message goes to the sink of its stream (`sinks.py`); a state goes out when all rows that it counts are committed.
"""

from __future__ import annotations

import copy
import errno
import logging
import math
import os
import re
import select
import sys
import threading
import time
import uuid
from contextlib import suppress
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, ClassVar

import msgspec
import psycopg
from singer_sdk.contrib.msgspec import MsgSpecReader
from singer_sdk.contrib.msgspec import decoder as exact_decoder
from singer_sdk.exceptions import ConfigValidationError, SingerSDKError
from singer_sdk.singerlib.exceptions import InvalidInputLine
from sqlalchemy.exc import DBAPIError
from target_postgres.target import TargetPostgres  # type: ignore[import-untyped]

from target_postgres_copy import flattening, refusals
from target_postgres_copy.command import explained
from target_postgres_copy.errors import NameRefusedError
from target_postgres_copy.records import passes_unchanged
from target_postgres_copy.settings import OWN_SETTINGS
from target_postgres_copy.sinks import CopySink
from target_postgres_copy.warehouse import Warehouse

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    import click

_PATIENCE = 3  # seconds from a signal to the end, if nobody answers
_QUIET = 0.5  # seconds without input after which no more is waited for
_FAILED = 5.0  # a tap that still works is not read to its end
_SHOWN = 200  # characters of an unreadable line that its error shows
#: Control characters, tabs and ends of lines too, and those that hide text or turn its direction.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")

_COLLISION = "Duplicate column name produced in schema: "
_OF_SCHEMAS = ("Schema has changed for stream", "Schema or key properties for", "Key properties have changed")


class _StoppedError(SystemExit):
    """A signal stopped the process; what it was doing is rolled back on the way."""


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Leave out what the SDK logs of every new schema: each slice has one, and a line of its own when it is loaded."""
    return not (record.levelno <= logging.INFO and str(record.msg).startswith(_OF_SCHEMAS))


def _read_on(longest: float = math.inf) -> None:
    """Throw away what is still being sent, so that the sender can end; for so many seconds at most.

    Meltano 4.4.1 waits for its tap when it gets a signal, and for asyncio a process has ended only when its output was
    read. What the tap has sent ahead, Meltano passes on only while the loader takes it (docs/concepts/loader.md).
    Where a tap has ended when its loader fails, Meltano writes the rest to a pipe without a reader, and shows its own
    traceback.
    """
    end = time.monotonic() + longest
    with suppress(OSError, ValueError):  # no input at all
        while select.select([sys.stdin], [], [], _QUIET)[0] and os.read(sys.stdin.fileno(), 1 << 20):
            if time.monotonic() > end:
                return


def _with_own_settings(stock: dict[str, Any]) -> dict[str, Any]:
    schema = copy.deepcopy(stock)
    schema["properties"] |= OWN_SETTINGS["properties"]
    schema["properties"]["use_copy"]["description"] = "Without effect: rows always go by COPY, and exactly."
    return schema


def visible(text: str) -> str:
    r"""Write out what a terminal would obey or hide: `\x1b` in place of an escape character, and so on."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def _hook_log_records() -> None:
    """Make all log records visible at their birth: filters of loggers and handlers would miss libraries' loggers."""
    make_record = logging.getLogRecordFactory()
    if getattr(make_record, "is_visible", False):
        return

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401 - as the factory it wraps
        record = make_record(*args, **kwargs)
        try:
            message = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit the message: logging reports that itself
            return record
        if (shown := visible(message)) != message:
            record.msg, record.args = shown, ()
        if record.exc_info and record.exc_info[0] is not None:
            lines = (record.exc_text or logging.Formatter().formatException(record.exc_info)).split("\n")
            record.exc_text = "\n".join(map(visible, lines))
        return record

    factory.is_visible = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(factory)


class ExactReader(MsgSpecReader):
    """Reads Singer messages with msgspec: every number exact, every unreadable line one sentence.

    Reads what the SDK's default reader reads, to equal values. It refuses three things more, none of which is JSON or
    can be stored: `NaN`, `Infinity` and `-Infinity`, and half a surrogate pair.
    """

    def __init__(self) -> None:
        super().__init__()
        self._line = 0

    @override
    def deserialize_json(self, line: str) -> dict[str, Any]:
        """Decode one line; a number with a point or exponent becomes a Decimal, one without an int.

        Raises:
            InvalidInputLine: If the line is no JSON object, naming its number and beginning.
        """
        self._line += 1
        try:
            message = exact_decoder.decode(line)
        except (msgspec.DecodeError, ArithmeticError, RecursionError, UnicodeError) as error:
            # A decimal with an exponent beyond all bounds raises without a text.
            raise InvalidInputLine(self._complaint(line, str(error) or "a number out of bounds")) from None
        if type(message) is not dict:
            raise InvalidInputLine(self._complaint(line, "not an object"))
        return message

    @override
    def _process_unknown_message(self, message_dict: dict[str, Any]) -> None:
        raise InvalidInputLine(
            f"line {self._line} of the input has the type {message_dict.get('type')!r}, which is none of Singer's. "
            "What was committed before is kept; put the tap right and run again."
        )

    def _complaint(self, line: str, reason: str) -> str:
        reason = reason.removeprefix("JSON is malformed: ").splitlines()[0]
        text = line.strip()
        shown = f"{text[:_SHOWN]!a}{'...' if len(text) > _SHOWN else ''}"
        return (
            f"line {self._line} of the input is not a Singer message: {reason}; it begins {shown}. "
            "What was committed before is kept; put the tap right and run again."
        )


# Settings without which there is no connection, and what the project's live environments take them from.
_NEEDED = {
    "host": "WAREHOUSE_HOST",
    "port": "WAREHOUSE_PORT",
    "user": "loader",
    "password": "WAREHOUSE_LOADER_PASSWORD",
}


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
        _hook_log_records()  # before anything can be logged
        self._drained_at = time.monotonic()
        try:
            super().__init__(*args, **kwargs)
        except AssertionError as error:  # how the stock loader refuses settings that do not go together
            empty = [f"{name} ({variable})" for name, variable in _NEEDED.items() if not self.config.get(name)]
            where = "set it in .env (in the environment local, `warehouse start` does)"
            fault = f"{', '.join(empty)} is empty: {where}." if empty else str(error)
            raise ConfigValidationError(
                "Config validation failed", errors=[fault], schema=self.config_jsonschema
            ) from error
        self.max_parallelism = 1  # all sinks share one connection
        self.logger.addFilter(_is_worth_a_line)

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        return explained(super().get_singer_command())

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
        """Read all messages; a LockTimeoutError or SilenceError ends a wait that was too long."""
        try:
            super().listen(file_input)
        except (psycopg.Error, DBAPIError) as error:
            waited = self.warehouse.watch.error(error)
            self.warehouse.close()  # else the pool would try to roll back later, and log that it cannot
            if waited is None:
                raise
            raise waited from error
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
        """Return a stream's sink; a new schema ends the stream's slice, so the old sink is closed before."""
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
        """Make sure that a message which is no record has its fields, and comes after its stream's schema."""
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
            if any(sink.slice is not None for sink in self._sinks_active.values()):
                self.drain_all()  # a slice has ended: what the state counts of it need not wait

    def _check_state(self, state: dict[str, Any]) -> None:
        """Stop where the tap counts loads that the warehouse does not have, after a state that is right."""
        self._state_is_checked = True
        if found := self.warehouse.check(state):
            right, error = found
            super()._write_state_message(right)
            raise error

    @override
    def _process_batch_message(self, message_dict: dict[str, Any]) -> None:
        self._require(message_dict, "encoding", "manifest")
        # Records that came before are older than the file's rows.
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
        self.warehouse.warn_of_detached()
        self.warehouse.close()

    def _pass_state_on(self) -> None:
        """After a slice: its rows are committed, so the state that counts them may go."""
        if not self._open_sinks:
            self._sound_state = self._latest_state
            self.drain_all()

    @override
    def _write_state_message(self, state: dict[str, Any]) -> None:
        """Write the latest state whose rows are all committed, once; a state that came while a slice was open waits."""
        sound = self._sound_state
        if sound is not None and sound != self._written_state:
            marked = self.warehouse.mark(sound) if self.config.get("check_state") else copy.deepcopy(sound)
            super()._write_state_message(marked)
            self._written_state = copy.deepcopy(sound)

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """End at once: what is not committed is rolled back by PostgreSQL, and the last state that was true is out."""
        self.logger.warning(
            "Stopped by signal %d; a slice that was open is not loaded, and what its table held is kept.", signum
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
            _read_on(_FAILED)
            raise  # the SDK's command reports these
        except _StoppedError:
            _read_on()
            raise
        except (SingerSDKError, InvalidInputLine) as error:
            cls.logger.error("%s", error)  # noqa: TRY400
            _read_on(_FAILED)
            sys.exit(1)
        except (DBAPIError, psycopg.Error) as error:
            cls.logger.error("%s", refusals.sentence(error))  # noqa: TRY400
            _read_on(_FAILED)
            sys.exit(1)
        except MemoryError:
            cls.logger.error("%s", refusals.MEMORY)  # noqa: TRY400
            sys.exit(1)
        except OSError as error:  # of its output: errors of files and connections are reported where they happen
            if error.errno == errno.EPIPE:
                raise  # whoever read it has ended, and reports why
            cls.logger.error("%s", refusals.UNWRITTEN.format(error.strerror or error))  # noqa: TRY400
            # Python writes what its buffer holds once more at the end, and would end with status 120.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
