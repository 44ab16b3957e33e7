"""The dump channel's tables of which only a latest snapshot is dumped."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_blockchair.bookmarks import Loaded
from tap_blockchair.days import Days
from tap_blockchair.dumpfile import DumpError
from tap_blockchair.dumps import KEPT, DumpFile, Listing, Version
from tap_blockchair.streams import DumpStream
from tap_blockchair.units import Unit

if TYPE_CHECKING:
    from datetime import date

    from tap_blockchair.days import Taken
    from tap_blockchair.dumpfile import DumpLayout


class _Latest(Days):
    """The one file that replaces the one before."""

    @override
    def due(self, listing: Listing) -> list[DumpFile]:
        return [file for file in listing.files if file.day is None]

    @override
    def unit_of(self, file: DumpFile, version: Version, layout: DumpLayout) -> Unit:
        if version.modified is None:
            raise DumpError(
                f"{self._stream.name}: {file.name} has no Last-Modified, so the snapshot has no time. {KEPT}"
            )
        constants: dict[str, Any] = {
            "_channel": "dumps",
            "_unit": file.unit,
            "_dump_day": version.modified.date().isoformat(),
        }
        # Addresses share their table with dated snapshots of the API, which stay; tokens have it for themselves.
        dated = self._stream.table_name == "addresses"
        if dated:
            constants["observed_at"] = version.modified.isoformat()
        more: dict[str, Any] = {"file": file.name, "etag": version.etag, "sha256": layout.sha256}
        more |= {"rows": layout.rows, "constants": constants}
        return Unit(file.unit, "_dump_day" if dated else "address", None, None, **more)

    @override
    def remembered(self, file: DumpFile) -> Loaded | None:
        known = self._stream.get_context_state(None).get("latest")
        return Loaded.of(known) if known else None

    @override
    def complete(self, taken: Taken) -> None:
        state = self._stream.get_context_state(None)
        state["replication_key"] = self._stream.replication_key
        state["replication_key_value"] = taken.unit.constants["_dump_day"]
        state["latest"] = asdict(taken.loaded)
        self._stream.flush()

    @override
    def is_loaded(self, day: date | None, sha256: str) -> bool:
        known = self._stream.get_context_state(None).get("latest")
        return known is not None and known["sha256"].startswith(sha256)

    @override
    def report_lag(self, listing: Listing) -> None:
        if not self.due(listing):
            self._stream.logger.warning("%s: no latest snapshot is listed.", self._stream.name)

    @override
    def empty_vanished(self, listing: Listing) -> None:
        """Keep the last snapshot where there is no newer one."""


class LatestStream(DumpStream):
    """A table of which only the latest snapshot is dumped; it replaces the one before."""

    days_class = _Latest
