"""The dump channel's tables of which only a latest snapshot is dumped."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_blockchair.base import StreamSlice
from tap_blockchair.dump_stream import DumpStream, VerifiedFile
from tap_blockchair.dumpfile import DumpError
from tap_blockchair.dumps import KEPT, DumpFile, Listing, Version
from tap_blockchair.state import Loaded

if TYPE_CHECKING:
    from datetime import date

    from tap_blockchair.dumpfile import DumpLayout


class LatestStream(DumpStream):
    """A table of one file, which replaces the one before."""

    @override
    def due(self, listing: Listing) -> list[DumpFile]:
        return [file for file in listing.files if file.day is None]

    @override
    def slice_of(self, file: DumpFile, version: Version, layout: DumpLayout) -> StreamSlice:
        if version.modified is None:
            raise DumpError(f"{self.name}: {file.name} has no Last-Modified, so the snapshot has no time. {KEPT}")
        published: dict[str, Any] = {"file": file.name, "etag": version.etag, "sha256": layout.sha256}
        day = version.modified.date().isoformat()
        constants: dict[str, Any] = {"_channel": "dumps", "_unit": file.slice_id, "_dump_day": day}
        # Addresses share their table with dated snapshots of the API, which stay; tokens have it for themselves.
        dated = self.table_name == "addresses"
        if dated:
            constants["observed_at"] = version.modified.isoformat()
        column = "_dump_day" if dated else "address"
        return StreamSlice(file.slice_id, column, None, None, rows=layout.rows, constants=constants, **published)

    @override
    def _loaded_file(self, file: DumpFile) -> Loaded | None:
        known = self.get_context_state(None).get("latest")
        return Loaded.of(known) if known else None

    @override
    def _is_loaded(self, day: date | None, sha256: str) -> bool:
        known = self.get_context_state(None).get("latest")
        return known is not None and known["sha256"].startswith(sha256)

    @override
    def _complete(self, verified: VerifiedFile) -> None:
        state = self.get_context_state(None)
        state["replication_key"] = self.replication_key
        state["replication_key_value"] = verified.slice.constants["_dump_day"]
        state["latest"] = asdict(verified.loaded)
        self.flush()

    @override
    def _report_lag(self, listing: Listing) -> None:
        if not self.due(listing):
            self.logger.warning("%s: no latest snapshot is listed.", self.name)

    @override
    def _empty_vanished(self, listing: Listing) -> None:
        """Keep the last snapshot where there is no newer one."""
