"""The dump channel's stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_blockchair.base import ChainStream
from tap_blockchair.dumpfile import read_rows, verify
from tap_blockchair.dumps import DumpDay, DumpSource, FolderDumps, HostDumps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from singer_sdk.helpers.types import Context, Record


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
