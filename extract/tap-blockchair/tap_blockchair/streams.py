"""The dump channel's streams of daily files."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from singer_sdk.helpers._batch import BaseBatchFileEncoding, BatchConfig
from singer_sdk.helpers._util import utc_now
from typing_extensions import override

from tap_blockchair.base import ChainStream
from tap_blockchair.batches import manifests
from tap_blockchair.days import Days, Taken
from tap_blockchair.dumpfile import DamagedDumpError, DayColumn, DumpError, DumpLayout, verify
from tap_blockchair.dumps import KEPT, DumpFile, DumpSource, Listing, Version
from tap_blockchair.locks import locked
from tap_blockchair.progress import Progress
from tap_blockchair.writer import LineWriter, record_lines

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping
    from pathlib import Path

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_blockchair.bookmarks import Loaded
    from tap_blockchair.schemas import Table
    from tap_blockchair.settings import Settings


_TELL = 1 << 13  # rows between two looks at the clock


class DumpStream(ChainStream):
    """A table from its daily dumps, bookmarked by the last complete day."""

    replication_key = "_dump_day"
    is_sorted = True
    days_class = Days
    """What knows which files are due."""

    def __init__(  # noqa: PLR0913 (what a stream is made of)
        self,
        tap: Tap,
        *,
        chain: str,
        table_name: str,
        table: Table,
        settings: Settings,
        source: DumpSource,
    ) -> None:
        self._source = source
        self.listing: Listing | None = None
        super().__init__(tap, chain=chain, table_name=table_name, table=table, settings=settings)
        self.days = self.days_class(self, source)

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        for taken, progress in self._days():
            self.open_unit(taken.unit)
            for number, row in enumerate(taken.reader(self.table.keys).rows(taken.path), 1):
                if not number % _TELL:
                    progress.rows(_TELL)
                yield row
            # The generator goes on only after the last row was written, so from here on the day counts.
            self._finish(taken)

    @override
    def get_batch_config(self, config: Mapping[str, Any]) -> BatchConfig | None:
        raw = config.get("batch_config")
        # `--test` wants a record, and what a stream map makes of a row stands in no dump file.
        return BatchConfig.from_dict(raw) if raw and self.ABORT_AT_RECORD_COUNT is None and not self.is_mapped else None

    @override
    def get_batches(
        self,
        batch_config: BatchConfig,
        context: Context | None = None,
    ) -> Iterable[tuple[BaseBatchFileEncoding, list[str]]]:
        encoding = batch_config.encoding
        for taken, _ in self._days(prune=not self.settings.keep_downloads):
            if encoding.format == "tsv":
                path = self._source.handed(taken.path, taken.layout.sha256)
                self.open_unit(taken.unit)
                yield BaseBatchFileEncoding("tsv", "gzip"), [path.as_uri()]
                self.days.complete(taken)  # the loader reads the file later
            else:
                self.open_unit(taken.unit)
                rows = taken.reader(self.table.keys).rows(taken.path)
                for manifest in manifests(self.tap_name, self.name, batch_config, rows):
                    yield encoding, manifest
                self._finish(taken)

    def new_files(self) -> list[DumpFile]:
        """List what the next run would download, for an estimate.

        Returns:
            Due files without those that are remembered: they are compared, and rarely differ.
        """
        self.listing = self._source.listing(self.chain, self.table_name)
        return [file for file in self.days.due(self.listing) if self.days.remembered(file) is None]

    def length_of(self, file: DumpFile) -> int:
        """Ask for a file's length.

        Args:
            file: The file.

        Returns:
            Bytes; 0 where the source tells none.
        """
        version = self._source.version(file)
        return (version.length or 0) if version else 0

    def _days(self, *, prune: bool = False) -> Iterator[tuple[Taken, Progress]]:
        """Give verified days one after the other, and delete the ones that are gone."""
        with (
            nullcontext()
            if self.settings.dumps_folder
            else locked(self.settings.download_dir, self.chain, self.table_name)
        ):
            if prune:
                self._source.prune(self.chain, self.table_name, self.days.is_loaded)
            self.listing = self._source.listing(self.chain, self.table_name)
            yield from self._days_of(self.listing)

    def _days_of(self, listing: Listing) -> Iterator[tuple[Taken, Progress]]:
        self.days.report_lag(listing)
        self.days.empty_vanished(listing)
        due = self.days.due(listing)
        size = sum(file.about or 0 for file in due)
        with Progress(self.name, len(due), size, self.logger) as progress:
            for position, file in enumerate(due, 1):
                progress.begin(str(file.day or "latest"))
                taken = self._take(file, self.days.remembered(file), progress)
                if taken is None:
                    continue
                yield taken, progress
                progress.finish()
                self.logger.info(
                    "%s: %s done (%d of %d), %d rows from %d bytes.",
                    self.name,
                    f"day {file.day}" if file.day else "latest snapshot",
                    position,
                    len(due),
                    taken.layout.rows,
                    taken.layout.size,
                )

    def _take(self, file: DumpFile, known: Loaded | None, progress: Progress) -> Taken | None:
        """Get and verify a file; None where it is the one that was loaded."""
        version = self._source.version(file)
        if version is None:
            raise DumpError(f"{self.name}: {file.name} is listed, but answered 404. {KEPT} Run again later.")
        if known and known.is_of(version):
            return None
        path, version, layout = self._fetch(file, version, progress)
        taken = Taken(file, path, version, layout, self.days.unit_of(file, version, layout))
        if known and known.sha256 == layout.sha256:
            self.logger.info("%s: %s has a new ETag but the same content.", self.name, file.name)
            self._finish(taken)
            return None
        if known:
            self.logger.info("%s: %s was replaced; the day is sent again whole.", self.name, file.name)
        unknown = [column for column in layout.unknown if column.name not in self._announced]
        if unknown:
            self.announce(unknown, file.name)
        return taken

    def _fetch(self, file: DumpFile, version: Version, progress: Progress) -> tuple[Path, Version, DumpLayout]:
        cut = DayColumn(self.days.day_column, file.day) if file.day and self.days.day_column != "_dump_day" else None
        for last in (False, True):
            path, found = self._source.fetch(file, version, progress.downloaded)
            try:
                return path, found, verify(path, file.name, self.table, cut)
            except MemoryError:
                pass  # told outside: here, what has filled the memory is still held
            except DamagedDumpError:
                self._source.discard(path)
                if last:
                    raise
                self.logger.warning("%s: %s is damaged; trying once more.", self.name, file.name)
                continue
            except DumpError:
                self._source.discard(path)
                raise
            raise DumpError(
                f"{self.name}: to read {file.name}, the memory did not suffice; one line of it may be as long as that. "
                f"{KEPT} The file is kept. Give the tap more memory (ulimit -v, a container's limit), then run again."
            )
        raise AssertionError("the second try returns or raises")

    @override
    def _sync_records(
        self,
        context: Context | None = None,
        *,
        write_messages: bool = True,
    ) -> Generator[dict[str, Any], Any, Any]:
        """Write rows as lines where the SDK has nothing to do to them; else let it.

        The SDK's loop takes most of the time: it asks for child streams, conforms and copies each record.
        """
        writer = self._tap.message_writer
        names = self.schema["properties"]
        plain = not self.is_mapped and all(self.mask[("properties", name)] for name in names)
        limited = self.ABORT_AT_RECORD_COUNT is not None
        if limited or not (write_messages and plain and isinstance(writer, LineWriter)):
            yield from super()._sync_records(context, write_messages=write_messages)
            return
        with self.get_record_counter() as counter, self.get_sync_timer():
            for taken, progress in self._days():
                self.open_unit(taken.unit)
                reader = taken.reader(self.table.keys)
                now = lambda: utc_now().isoformat()  # noqa: E731
                for count, lines in record_lines(self.name, taken.path, reader, taken.unit.constants, now):
                    writer.write_lines(lines)
                    counter.increment(count)
                    progress.rows(count)
                self._finish(taken)
        self._finalize_state(self.stream_state)
        self._write_state_message()

    def _finish(self, taken: Taken) -> None:
        """Count a file as loaded, and delete it unless it is to be kept."""
        self.days.complete(taken)
        if not self.settings.keep_downloads:
            self._source.discard(taken.path)
