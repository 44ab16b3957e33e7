"""The daily files of a table: which are due, which are loaded, and which unit each is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tap_blockchair.bookmarks import DayBook, Loaded
from tap_blockchair.dumpfile import DumpError, DumpLayout, RowReader
from tap_blockchair.dumps import KEPT, DumpFile, DumpSource, Listing, Version
from tap_blockchair.units import Unit

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from tap_blockchair.base import ChainStream


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

    def reader(self, keys: tuple[str, ...]) -> RowReader:
        """Give what reads its rows.

        Args:
            keys: The table's key.
        """
        return RowReader(self.file.name, self.layout, keys, self.unit.constants)


class Days:
    """The days of one table.

    Args:
        stream: The stream, for its settings, its state and its log.
        source: Where the files lie.
    """

    def __init__(self, stream: ChainStream, source: DumpSource) -> None:
        self._stream = stream
        self._source = source

    def due(self, listing: Listing) -> list[DumpFile]:
        """Pick the files to read, without asking for any: new days, late ones, and those that may have changed.

        Only listed days are due, so a missing one is passed over only where a later one exists, and is due again as
        soon as it is listed.

        Args:
            listing: The table's files.

        Returns:
            In the order of their days.
        """
        book = self.book(listing)
        files = [(file, file.day) for file in listing.files if file.day]
        return [file for file, day in files if self._wanted(day) and (not book.has(day) or book.may_change(day))]

    def unit_of(self, file: DumpFile, version: Version, layout: DumpLayout) -> Unit:
        """Say which unit a file is.

        Raises:
            DumpError: If it is no daily file.
        """
        if file.day is None:
            raise DumpError(f"{self._stream.name}: {file.name} is no daily file. {KEPT} Check dumps_url.")
        constants: dict[str, Any] = {"_channel": "dumps", "_unit": file.unit, "_dump_day": file.day.isoformat()}
        if self._stream.table_name == "blocks":
            constants["is_settled"] = True
        more: dict[str, Any] = {"file": file.name, "etag": version.etag, "sha256": layout.sha256}
        more |= {"rows": layout.rows, "constants": constants}
        return self._unit_of_day(file.unit, file.day, **more)

    def complete(self, taken: Taken) -> None:
        """Count a file as loaded, and send the state."""
        if taken.file.day:
            self.book().add(taken.file.day, taken.loaded)
        self._stream.flush()

    def book(self, listing: Listing | None = None) -> DayBook:
        """Give the bookmark; the listing says where a state of the first release began."""
        self._stream.bookmark()  # drops what the other channel wrote
        first = self._stream.settings.start or (listing.files[0].day if listing and listing.files else None)
        return DayBook(self._stream.get_context_state(None), self._stream.settings.recheck_days, first)

    def remembered(self, file: DumpFile) -> Loaded | None:
        """Give what is remembered of the file that was loaded for the same day."""
        return self.book().file(file.day) if file.day else None

    def is_loaded(self, day: date | None, sha256: str) -> bool:
        """Say whether a file handed over by an earlier run has done its service."""
        book = self.book()
        known = book.file(day) if day else None
        return day is not None and book.has(day) and (known is None or known.sha256.startswith(sha256))

    def report_lag(self, listing: Listing) -> None:
        """Log how far the listed days reach."""
        book, stream = self.book(listing), self._stream
        if not listing.files:
            stream.logger.warning("%s: no dump day is listed.", stream.name)
            return
        last = listing.files[-1].day
        if last and book.last and last <= book.last:
            stream.logger.info("%s: nothing newer, the last day listed is %s.", stream.name, last)
        if last and listing.now and listing.now.date() - last > timedelta(days=stream.settings.max_lag_days):
            ended = stream.settings.end is not None and stream.settings.end <= last
            if not ended:
                stream.logger.warning(
                    "%s: the last day listed is %s, %d days back. Nothing is skipped: the next run takes up there.",
                    stream.name,
                    last,
                    (listing.now.date() - last).days,
                )

    def empty_vanished(self, listing: Listing) -> None:
        """Empty the days whose file is gone, if index and file agree and later days are listed.

        A day without blocks has no file, so a file that is gone says that the day has no rows. Where the index ends
        before such a day, it lags, and nothing is concluded.
        """
        listed = {file.day for file in listing.files}
        book, stream = self.book(listing), self._stream
        for day in book.remembered:
            if day in listed or not self._wanted(day) or not self._source.is_authority:
                continue
            name = _name_of(day, listing)
            if name is None or not any(other and other > day for other in listed):
                stream.logger.warning("%s: day %s is not listed any more; its rows are kept.", stream.name, day)
                continue
            file = DumpFile(stream.chain, stream.table_name, day, name)
            if self._source.version(file) is not None:
                continue
            stream.logger.warning("%s: the file of %s is gone upstream; the day is emptied.", stream.name, day)
            constants = {"_channel": "dumps", "_unit": file.unit, "_dump_day": day.isoformat()}
            stream.open_unit(self._unit_of_day(file.unit, day, rows=0, constants=constants))
            book.remove(day)
            stream.flush()

    def _wanted(self, day: date) -> bool:
        start, end = self._stream.settings.start, self._stream.settings.end
        return (start is None or day >= start) and (end is None or day <= end)

    def _unit_of_day(self, unit_id: str, day: date, **more: Any) -> Unit:  # noqa: ANN401 (as Unit's fields)
        if self.day_column == "_dump_day":
            return Unit(unit_id, "_dump_day", day.isoformat(), (day + timedelta(days=1)).isoformat(), **more)
        return Unit.of_day(unit_id, self.day_column, day, **more)

    @property
    def day_column(self) -> str:
        """The column by which the source cuts days.

        Whether an uncle stands in the file of its own day or of its parent's is not documented, so its file's day says.
        """
        return {"inputs": "spending_time", "uncles": "_dump_day"}.get(self._stream.table_name, "time")


def _name_of(day: date, listing: Listing) -> str | None:
    """Name a day's file after its neighbours."""
    for file in listing.files:
        if file.day:
            return file.name.replace(f"{file.day:%Y%m%d}", f"{day:%Y%m%d}")
    return None
