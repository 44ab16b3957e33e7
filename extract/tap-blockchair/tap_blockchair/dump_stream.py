"""The dump channel's streams: which days are due, and each day's way from the source to the target.

A day passes: its version at the source (`dumps.py`, `transfer.py`), the download, the verification of the whole file
(`dumpfile.py`), its slice (`base.py`), its rows (`output.py`), its state (`state.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from singer_sdk.helpers._batch import BaseBatchFileEncoding, BatchConfig
from singer_sdk.helpers._util import utc_now
from typing_extensions import override

from tap_blockchair.base import ChainStream, StreamSlice
from tap_blockchair.batches import manifests
from tap_blockchair.dumpfile import DamagedDumpError, DayColumn, DumpError, DumpLayout, RowReader, verify
from tap_blockchair.dumps import KEPT, DumpFile, DumpSource, Listing, Version
from tap_blockchair.output import LineWriter, Progress, record_lines
from tap_blockchair.schemas import ORIGIN
from tap_blockchair.state import DayState, Loaded, spans_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping
    from pathlib import Path

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context, Record

    from tap_blockchair.schemas import Table
    from tap_blockchair.settings import Settings


_REPORTED_ROWS = 1 << 13  # between two looks at the clock


@dataclass(frozen=True)
class VerifiedFile:
    """A local file of which all but the values is verified, with the slice that it is."""

    file: DumpFile
    path: Path
    version: Version
    layout: DumpLayout
    slice: StreamSlice

    @property
    def loaded(self) -> Loaded:
        """What the state keeps of it."""
        return Loaded(self.version.etag, self.version.length, self.layout.sha256)

    def reader(self, keys: tuple[str, ...]) -> RowReader:
        """Give what reads its rows, of which these columns are the key."""
        return RowReader(self.file.name, self.path, self.layout, keys, self.slice.constants)


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

    # Which days are due.

    def due(self, listing: Listing) -> list[DumpFile]:
        """Pick the files to read, without asking for any: new days, late ones, and those that may have changed.

        Only listed days are due, so a missing one is passed over only where a later one exists, and is due again as
        soon as it is listed.
        """
        state = self.day_state(listing)
        files = [(file, file.day) for file in listing.files if file.day]
        gaps = self.missing_days(listing) if self.settings.strict_days else []
        end = gaps[0] if gaps else date.max
        return [
            file
            for file, day in files
            if self._wanted(day) and day < end and (not state.has(day) or state.may_change(day))
        ]

    def missing_days(self, listing: Listing) -> list[date]:
        """Find the days inside the index that have no file and are not loaded, within `start_date` and `end_date`."""
        listed, state = {file.day for file in listing.files if file.day}, self.day_state(listing)
        if not listed:
            return []
        span = (min(listed) + timedelta(days=number) for number in range((max(listed) - min(listed)).days))
        return [day for day in span if day not in listed and self._wanted(day) and not state.has(day)]

    def new_files(self) -> list[DumpFile]:
        """List what the next run would download: due files without those that are compared, and rarely differ."""
        self.listing = self._source.listing(self.chain, self.table_name)
        return [file for file in self.due(self.listing) if self._loaded_file(file) is None]

    def length_of(self, file: DumpFile) -> int:
        """Ask for a file's length in bytes; 0 where the source has none."""
        version = self._source.version(file)
        return (version.length or 0) if version else 0

    def day_state(self, listing: Listing | None = None) -> DayState:
        """Give the state; the listing shows where a state of the first release began."""
        self.bookmark()  # drops what the other channel wrote
        first = self.settings.start or (listing.files[0].day if listing and listing.files else None)
        return DayState(self.get_context_state(None), self.settings.recheck_days, first)

    def _wanted(self, day: date) -> bool:
        start, end = self.settings.start, self.settings.end
        return (start is None or day >= start) and (end is None or day <= end)

    def _loaded_file(self, file: DumpFile) -> Loaded | None:
        """Give the file that was loaded for the same day, if the state still holds it."""
        return self.day_state().file(file.day) if file.day else None

    def _is_loaded(self, day: date | None, sha256: str) -> bool:
        """Whether the state shows a file that an earlier run handed over as loaded."""
        state = self.day_state()
        known = state.file(day) if day else None
        return day is not None and state.has(day) and (known is None or known.sha256.startswith(sha256))

    def _report_missing(self, listing: Listing) -> str:
        """Warn of days that have no file inside the index, and give their names; nothing where there is none."""
        days = self.missing_days(listing)
        if not days:
            return ""
        spans = spans_of(days)
        named = ", ".join(f"{first}" if first == last else f"{first} to {last}" for first, last in spans)
        self.logger.warning(
            "%s: no file is listed of %s (%d of the days between others that are listed), so no row of them is loaded. "
            "Such a day has no rows, or is published late and then loaded; see at the source.",
            self.name,
            named,
            len(days),
        )
        return named

    def _report_lag(self, listing: Listing) -> None:
        state = self.day_state(listing)
        if not listing.files:
            self.logger.warning("%s: no dump day is listed.", self.name)
            return
        last, end = listing.files[-1].day, self.settings.end
        if last and state.last and last <= state.last:
            self.logger.info("%s: nothing newer, the last day listed is %s.", self.name, last)
        if last is None or listing.now is None or (end is not None and end <= last):
            return
        late = (listing.now.date() - last).days
        if late > self.settings.max_lag_days:
            self.logger.warning(
                "%s: the last day listed is %s, %d days back. The next run goes on behind it.",
                self.name,
                last,
                late,
            )

    def _empty_vanished(self, listing: Listing) -> None:
        """Empty the days whose file is gone, if index and file agree and later days are listed.

        A day without blocks has no file, so a file that is gone means that the day has no rows. Where the index ends
        before such a day, it lags, and nothing is concluded.
        """
        listed = {file.day for file in listing.files}
        state = self.day_state(listing)
        for day in state.days_with_files:
            if day in listed or not self._wanted(day) or not self._source.is_authority:
                continue
            name = _name_of(day, listing)
            if name is None or not any(other and other > day for other in listed):
                self.logger.warning("%s: day %s is not listed any more; its rows are kept.", self.name, day)
                continue
            file = DumpFile(self.chain, self.table_name, day, name)
            if self._source.version(file) is not None:
                continue
            self.logger.warning("%s: the file of %s is gone upstream; the day is emptied.", self.name, day)
            constants = {"_channel": "dumps", "_unit": file.slice_id, "_dump_day": day.isoformat()}
            self.open_slice(self._slice_of_day(file.slice_id, day, rows=0, constants=constants))
            state.remove(day)
            self.flush()

    # A day's way.

    def _verified_files(self, *, prune: bool = False) -> Iterator[tuple[VerifiedFile, Progress]]:
        """Give verified files one after the other, and empty the days that are gone."""
        with self._source.guard(self.chain, self.table_name):
            if prune:
                self._source.prune(self.chain, self.table_name, self._is_loaded)
            self.listing = listing = self._source.listing(self.chain, self.table_name)
            missing = self._report_missing(listing)
            self._report_lag(listing)
            self._empty_vanished(listing)
            due = self.due(listing)
            with Progress(self.name, len(due), sum(file.about or 0 for file in due), self.logger) as progress:
                for position, file in enumerate(due, 1):
                    progress.begin(str(file.day or "latest"))
                    verified = self._take(file, self._loaded_file(file), progress)
                    if verified is None:
                        continue
                    yield verified, progress
                    progress.finish()
                    self.logger.info(
                        "%s: %s done (%d of %d), %d rows from %d bytes.",
                        self.name,
                        f"day {file.day}" if file.day else "latest snapshot",
                        position,
                        len(due),
                        verified.layout.rows,
                        verified.layout.size,
                    )
            if missing and self.settings.strict_days:
                raise DumpError(
                    f"{self.name}: no file is listed of {missing}, and strict_days is on. The days before are loaded, "
                    "later ones wait. See at the source; if the days have no rows, set start_date behind them, or "
                    "strict_days to false."
                )

    def _take(self, file: DumpFile, known: Loaded | None, progress: Progress) -> VerifiedFile | None:
        """Get and verify a file; None where it is the one that was loaded."""
        version = self._source.version(file)
        if version is None:
            raise DumpError(f"{self.name}: {file.name} is listed, but answered 404. {KEPT} Run again later.")
        if known and known.is_of(version):
            return None
        path, version, layout = self._fetch(file, version, progress)
        verified = VerifiedFile(file, path, version, layout, self.slice_of(file, version, layout))
        if known and known.sha256 == layout.sha256:
            self.logger.info("%s: %s has a new ETag but the same content.", self.name, file.name)
            self._finish(verified)
            return None
        if known:
            self.logger.info("%s: %s was replaced; the day is sent again whole.", self.name, file.name)
        unknown = [column for column in layout.unknown if column.name not in self._announced]
        if unknown:
            self.announce(unknown, file.name)
        return verified

    def _fetch(self, file: DumpFile, version: Version, progress: Progress) -> tuple[Path, Version, DumpLayout]:
        cut = DayColumn(self._day_column, file.day) if file.day and self._day_column != "_dump_day" else None
        for last in (False, True):
            path, found = self._source.fetch(file, version, progress.downloaded)
            try:
                return path, found, verify(path, file.name, self.table, cut)
            except MemoryError:
                pass  # reported outside: here, what has filled the memory is still held
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

    @property
    def _day_column(self) -> str:
        """The column by which the source cuts days.

        Whether an uncle stands in the file of its own day or of its parent's is not documented: its file's day counts.
        """
        return {"inputs": "spending_time", "uncles": "_dump_day"}.get(self.table_name, "time")

    def slice_of(self, file: DumpFile, version: Version, layout: DumpLayout) -> StreamSlice:
        """Describe the slice that a file is.

        Raises:
            DumpError: It is no daily file.
        """
        if file.day is None:
            raise DumpError(f"{self.name}: {file.name} is no daily file. {KEPT} Check dumps_url.")
        is_mirrored = any(column.name == ORIGIN for column in layout.columns)
        channel = "mirror" if is_mirrored else "dumps"
        constants: dict[str, Any] = {"_channel": channel, "_unit": file.slice_id, "_dump_day": file.day.isoformat()}
        if self.table_name == "blocks":
            constants["is_settled"] = True
        published: dict[str, Any] = {"file": file.name, "etag": version.etag, "sha256": layout.sha256}
        return self._slice_of_day(file.slice_id, file.day, rows=layout.rows, constants=constants, **published)

    def _slice_of_day(self, slice_id: str, day: date, **more: Any) -> StreamSlice:  # noqa: ANN401 (as the fields)
        if self._day_column == "_dump_day":
            return StreamSlice(slice_id, "_dump_day", day.isoformat(), (day + timedelta(days=1)).isoformat(), **more)
        return StreamSlice.of_day(slice_id, self._day_column, day, **more)

    def _finish(self, verified: VerifiedFile) -> None:
        """Count a file as loaded, and delete it unless it is to be kept."""
        self._complete(verified)
        if not self.settings.keep_downloads:
            self._source.discard(verified.path)

    def _complete(self, verified: VerifiedFile) -> None:
        """Count a file as loaded, and send the state."""
        if verified.file.day:
            self.day_state().add(verified.file.day, verified.loaded)
        self.flush()

    # How its rows are written.

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        for verified, progress in self._verified_files():
            self.open_slice(verified.slice)
            for number, row in enumerate(verified.reader(self.table.keys).rows(), 1):
                if not number % _REPORTED_ROWS:
                    progress.rows(_REPORTED_ROWS)
                yield row
            # The generator goes on only after the last row was written, so from here on the day counts.
            self._finish(verified)

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
        for verified, _ in self._verified_files(prune=not self.settings.keep_downloads):
            if encoding.format == "tsv":
                path = self._source.handed(verified.path, verified.layout.sha256)
                self.open_slice(verified.slice)
                yield BaseBatchFileEncoding("tsv", "gzip"), [path.as_uri()]
                self._complete(verified)  # the loader reads the file later
            else:
                self.open_slice(verified.slice)
                rows = verified.reader(self.table.keys).rows()
                for manifest in manifests(self.tap_name, self.name, batch_config, rows):
                    yield encoding, manifest
                self._finish(verified)

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
        plain = not self.is_mapped and all(self.mask[("properties", name)] for name in self.schema["properties"])
        limited = self.ABORT_AT_RECORD_COUNT is not None
        if limited or not (write_messages and plain and isinstance(writer, LineWriter)):
            yield from super()._sync_records(context, write_messages=write_messages)
            return
        with self.get_record_counter() as counter, self.get_sync_timer():
            for verified, progress in self._verified_files():
                self.open_slice(verified.slice)
                now = lambda: utc_now().isoformat()  # noqa: E731
                for count, lines in record_lines(self.name, verified.reader(self.table.keys), now):
                    writer.write_lines(lines)
                    counter.increment(count)
                    progress.rows(count)
                self._finish(verified)
        self._finalize_state(self.stream_state)
        self._write_state_message()


def _name_of(day: date, listing: Listing) -> str | None:
    """Name a day's file after its neighbours."""
    for file in listing.files:
        if file.day:
            return file.name.replace(f"{file.day:%Y%m%d}", f"{day:%Y%m%d}")
    return None
