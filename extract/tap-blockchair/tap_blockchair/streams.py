"""The dump channel's streams of daily files."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from singer_sdk.helpers._batch import BaseBatchFileEncoding, BatchConfig
from singer_sdk.helpers._util import utc_now
from typing_extensions import override

from tap_blockchair.base import ChainStream
from tap_blockchair.batches import manifests
from tap_blockchair.bookmarks import DayBook, Loaded
from tap_blockchair.dumpfile import DamagedDumpError, DayColumn, DumpError, DumpLayout, RowReader, verify
from tap_blockchair.dumps import KEPT, DumpFile, DumpSource, Listing, Version
from tap_blockchair.locks import locked
from tap_blockchair.progress import Progress
from tap_blockchair.units import Unit
from tap_blockchair.writer import LineWriter, record_lines

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping
    from datetime import date
    from pathlib import Path

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_blockchair.schemas import Table
    from tap_blockchair.settings import Settings


_TELL = 1 << 13  # rows between two looks at the clock


@dataclass(frozen=True)
class Taken:
    """A verified local file.

    Attributes:
        file: What it is.
        path: Where it lies.
        version: Which version it is.
        layout: What it holds.
        unit: The unit that it is.
    """

    file: DumpFile
    path: Path
    version: Version
    layout: DumpLayout
    unit: Unit

    @property
    def loaded(self) -> Loaded:
        """What the state keeps of it."""
        return Loaded(self.version.etag, self.version.length, self.layout.sha256)


class DumpStream(ChainStream):
    """A table from its daily dumps, bookmarked by the last complete day."""

    replication_key = "_dump_day"
    is_sorted = True

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

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        for taken, progress in self._days():
            self.open_unit(taken.unit)
            for number, row in enumerate(self._rows(taken), 1):
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
                self._complete(taken)  # the loader reads the file later
            else:
                self.open_unit(taken.unit)
                for manifest in manifests(self.tap_name, self.name, batch_config, self._rows(taken)):
                    yield encoding, manifest
                self._finish(taken)

    def due(self, listing: Listing) -> list[DumpFile]:
        """Pick the files to read, without asking for any: new days, late ones, and those that may have changed.

        Only listed days are due, so a missing one is passed over only where a later one exists, and is due again as
        soon as it is listed.

        Args:
            listing: The table's files.

        Returns:
            In the order of their days.
        """
        book = self._book(listing)
        files = [(file, file.day) for file in listing.files if file.day]
        return [file for file, day in files if self._wanted(day) and (not book.has(day) or book.may_change(day))]

    def new_files(self) -> list[DumpFile]:
        """List what the next run would download, for an estimate.

        Returns:
            Due files without those that are remembered: they are compared, and rarely differ.
        """
        self.listing = self._source.listing(self.chain, self.table_name)
        return [file for file in self.due(self.listing) if self._remembered(file) is None]

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
                self._source.prune(self.chain, self.table_name, self._is_loaded)
            self.listing = self._source.listing(self.chain, self.table_name)
            yield from self._days_of(self.listing)

    def _days_of(self, listing: Listing) -> Iterator[tuple[Taken, Progress]]:
        self._report_lag(listing)
        self._empty_vanished(listing)
        due = self.due(listing)
        size = sum(file.about or 0 for file in due)
        with Progress(self.name, len(due), size, self.logger) as progress:
            for position, file in enumerate(due, 1):
                progress.begin(str(file.day or "latest"))
                taken = self._take(file, self._remembered(file), progress)
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
        taken = Taken(file, path, version, layout, self._unit_of(file, version, layout))
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
        cut = DayColumn(self._day_column, file.day) if file.day and self._day_column != "_dump_day" else None
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

    def _reader(self, taken: Taken) -> RowReader:
        return RowReader(taken.file.name, taken.layout, self.table.keys, taken.unit.constants)

    def _rows(self, taken: Taken) -> Iterator[dict[str, Any]]:
        return self._reader(taken).rows(taken.path)

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
                reader = self._reader(taken)
                now = lambda: utc_now().isoformat()  # noqa: E731
                for count, lines in record_lines(self.name, taken.path, reader, taken.unit.constants, now):
                    writer.write_lines(lines)
                    counter.increment(count)
                    progress.rows(count)
                self._finish(taken)
        self._finalize_state(self.stream_state)
        self._write_state_message()

    def _unit_of(self, file: DumpFile, version: Version, layout: DumpLayout) -> Unit:
        if file.day is None:
            raise DumpError(f"{self.name}: {file.name} is no daily file. {KEPT} Check dumps_url.")
        constants: dict[str, Any] = {"_channel": "dumps", "_unit": file.unit, "_dump_day": file.day.isoformat()}
        if self.table_name == "blocks":
            constants["is_settled"] = True
        more: dict[str, Any] = {"file": file.name, "etag": version.etag, "sha256": layout.sha256}
        more |= {"rows": layout.rows, "constants": constants}
        return self._unit_of_day(file.unit, file.day, **more)

    def _unit_of_day(self, unit_id: str, day: date, **more: Any) -> Unit:  # noqa: ANN401 (as Unit's fields)
        if self._day_column == "_dump_day":
            return Unit(unit_id, "_dump_day", day.isoformat(), (day + timedelta(days=1)).isoformat(), **more)
        return Unit.of_day(unit_id, self._day_column, day, **more)

    def _finish(self, taken: Taken) -> None:
        """Count a file as loaded, and delete it unless it is to be kept."""
        self._complete(taken)
        if not self.settings.keep_downloads:
            self._source.discard(taken.path)

    def _complete(self, taken: Taken) -> None:
        if taken.file.day:
            self._book().add(taken.file.day, taken.loaded)
        self.flush()

    def _book(self, listing: Listing | None = None) -> DayBook:
        self.bookmark()  # drops what the other channel wrote
        first = self.settings.start or (listing.files[0].day if listing and listing.files else None)
        return DayBook(self.get_context_state(None), self.settings.recheck_days, first)

    def _remembered(self, file: DumpFile) -> Loaded | None:
        return self._book().file(file.day) if file.day else None

    def _is_loaded(self, day: date | None, sha256: str) -> bool:
        """Say whether a file handed over by an earlier run has done its service."""
        book = self._book()
        known = book.file(day) if day else None
        return day is not None and book.has(day) and (known is None or known.sha256.startswith(sha256))

    def _wanted(self, day: date) -> bool:
        start, end = self.settings.start, self.settings.end
        return (start is None or day >= start) and (end is None or day <= end)

    @property
    def _day_column(self) -> str:
        """The column by which the source cuts days.

        Whether an uncle stands in the file of its own day or of its parent's is not documented, so its file's day says.
        """
        return {"inputs": "spending_time", "uncles": "_dump_day"}.get(self.table_name, "time")

    def _report_lag(self, listing: Listing) -> None:
        book = self._book(listing)
        if not listing.files:
            self.logger.warning("%s: no dump day is listed.", self.name)
            return
        last = listing.files[-1].day
        if last and book.last and last <= book.last:
            self.logger.info("%s: nothing newer, the last day listed is %s.", self.name, last)
        if last and listing.now and listing.now.date() - last > timedelta(days=self.settings.max_lag_days):
            ended = self.settings.end is not None and self.settings.end <= last
            if not ended:
                self.logger.warning(
                    "%s: the last day listed is %s, %d days back. Nothing is skipped: the next run takes up there.",
                    self.name,
                    last,
                    (listing.now.date() - last).days,
                )

    def _empty_vanished(self, listing: Listing) -> None:
        """Empty the days whose file is gone, if index and file agree and later days are listed.

        A day without blocks has no file, so a file that is gone says that the day has no rows. Where the index ends
        before such a day, it lags, and nothing is concluded.
        """
        listed = {file.day for file in listing.files}
        book = self._book(listing)
        for day in book.remembered:
            if day in listed or not self._wanted(day) or not self._source.is_authority:
                continue
            name = self._name_of(day, listing)
            if name is None or not any(other and other > day for other in listed):
                self.logger.warning("%s: day %s is not listed any more; its rows are kept.", self.name, day)
                continue
            file = DumpFile(self.chain, self.table_name, day, name)
            if self._source.version(file) is not None:
                continue
            self.logger.warning("%s: the file of %s is gone upstream; the day is emptied.", self.name, day)
            constants = {"_channel": "dumps", "_unit": file.unit, "_dump_day": day.isoformat()}
            self.open_unit(self._unit_of_day(file.unit, day, rows=0, constants=constants))
            book.remove(day)
            self.flush()

    @staticmethod
    def _name_of(day: date, listing: Listing) -> str | None:
        """Name a day's file after its neighbours."""
        for file in listing.files:
            if file.day:
                return file.name.replace(f"{file.day:%Y%m%d}", f"{day:%Y%m%d}")
        return None
