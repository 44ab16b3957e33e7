"""Makes a lost bookmark anew from the ledger, which knows of every dump file its table, day and digest."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from warehouse.errors import WarehouseError
from warehouse.rights import RAW
from warehouse.server import connect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warehouse.bookmarks import Bookmarks
    from warehouse.server import Server

LOADER = "target-postgres"
TAPS = ("tap-blockchair--dumps", "tap-blockchair")
_DAY = timedelta(days=1)
_RECHECKED = 30
"""Days of which files are named, so that the tap compares them by HEAD; it drops those that it no longer compares."""

# Where the loader notes the last load, as if of a stream; it compares that with the ledger before it trusts a bookmark.
_MARK = "_last_loads"
# The last load of each dump day, by what was replaced whole (chain/table/day). One that holds no row any more is none.
_FILES = r"""
with last_loads as (
    select distinct on (table_name, unit) table_name, cast(right(unit, 10) as date) as day, channel, etag, sha256
    from raw_data.load_ledger
    where unit ~ '/\d{4}-\d\d-\d\d$'
    order by table_name, unit, load_id desc
)
select table_name, day, etag, sha256 from last_loads
where channel = 'dumps' and sha256 is not null
order by table_name, day
"""
_NEWEST = """
select load_id, (loaded_at at time zone 'UTC')::text from raw_data.load_ledger order by load_id desc limit 1
"""


def rebuild(server: Server, bookmarks: Bookmarks, tap: str, *, overwrite: bool = False) -> dict[str, str]:
    """Write the bookmark of a tap's dump days; returns the last day of each stream.

    Heights of the API and CoinGecko's prices are not in it: they are read again in minutes.

    Raises:
        WarehouseError: The tap has a bookmark already, or the ledger knows no dump file.
    """
    name = f"{bookmarks.environment}:{tap}-to-{LOADER}"
    if name in bookmarks.read() and not overwrite:
        raise WarehouseError(
            f"{name} has a bookmark, which stays as it is. --overwrite replaces it by what the ledger holds."
        )
    with connect(server, "transformer") as connection:
        ledger = connection.execute("select to_regclass(%s)", (f"{RAW}.load_ledger",)).fetchone()
        files = connection.execute(_FILES.encode()).fetchall() if ledger and ledger[0] else []
        if not files:
            raise WarehouseError(
                f"The ledger of {server.database} knows no dump file: there is nothing to rebuild from."
            )
        newest = connection.execute(_NEWEST).fetchone()
    streams = {
        stream: _bookmark([(day, etag, sha256) for table, day, etag, sha256 in files if table == stream])
        for stream in dict.fromkeys(table for table, *_ in files)
    }
    marks = {_MARK: {RAW: list(newest or ())}}
    bookmarks.write({name: {"completed": {"singer_state": {"bookmarks": {**streams, **marks}}}, "partial": {}}})
    return {stream: bookmark["replication_key_value"] for stream, bookmark in streams.items()}


def _bookmark(files: list[tuple[date, str | None, str]]) -> dict[str, Any]:
    """The bookmark of one stream, of files in the order of their days."""
    last = files[-1][0]
    return {
        "replication_key": "_dump_day",
        "replication_key_value": last.isoformat(),
        "loaded": _ranges(day for day, *_ in files),
        "files": [
            {"day": day.isoformat(), "etag": etag, "length": None, "sha256": sha256}
            for day, etag, sha256 in files
            if day > last - _RECHECKED * _DAY
        ],
    }


def _ranges(days: Iterable[date]) -> list[list[str]]:
    """Ascending days as closed ranges."""
    ranges: list[list[date]] = []
    for day in days:
        if ranges and day == ranges[-1][1] + _DAY:
            ranges[-1][1] = day
        else:
            ranges.append([day, day])
    return [[first.isoformat(), last.isoformat()] for first, last in ranges]
