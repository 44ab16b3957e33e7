"""The files of the dump host: made from the world, or real ones from a folder."""

from __future__ import annotations

import gzip
import re
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain as chain_up
from typing import TYPE_CHECKING, Final

from simulator.blockchair.dump_content import CHANGES, DumpContent, written
from simulator.blockchair.table import Money
from simulator.blockchair.tables import block_tables, snapshots
from simulator.blockchair.world import ChainView

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from simulator.blockchair.world import World
    from simulator.spool import Stored
    from simulator.vendors import PriceSource

_PUBLISHED_AFTER: Final = timedelta(minutes=30)
"""How long after its end a day's files appear."""
_REBUILT_AFTER: Final = timedelta(hours=1, minutes=20)
"""When in a day the latest addresses and tokens appear."""
_A_SECOND: Final = timedelta(seconds=1)
_DATED: Final = re.compile(r"(?P<stem>blockchair_\w+(?:-\w+)*)_(?P<day>\d{8})\.tsv\.gz")
_NAME: Final = re.compile(r"blockchair_(?P<chain>[a-z-]+)_(?P<table>[a-z]+)_(?:\d{8}|latest)\.tsv\.gz")
_CHUNK: Final = 1 << 16


@dataclass(frozen=True)
class MadeFile:
    """A file made from the world; `modified` is in seconds since 1970."""

    name: str
    stored: Stored
    modified: int

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.stored.size

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Its bytes from `start` to before `stop`."""
        return self.stored.read(start, stop)

    def text(self) -> bytes:
        """What is packed in it."""
        return gzip.decompress(self.stored.content)


@dataclass(frozen=True)
class RealFile:
    """A file of a folder, served as it is."""

    path: Path
    name: str
    size: int
    modified: int

    @classmethod
    def at(cls, path: Path) -> RealFile:
        """The file with the size and the time that it has now."""
        stat = path.stat()
        return cls(path, path.name, stat.st_size, int(stat.st_mtime))

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Its bytes from `start` to before `stop`."""
        with self.path.open("rb") as stream:
            stream.seek(start)
            while start < stop and (chunk := stream.read(min(_CHUNK, stop - start))):
                start += len(chunk)
                yield chunk


DumpFile = MadeFile | RealFile


class WorldDumps:
    """The world's days as dump files, each made when first asked for and kept in the world's spool."""

    def __init__(self, world: World, prices: PriceSource, quirks: Collection[str] = ()) -> None:
        self._world = world
        self._quirks = frozenset(quirks)
        self._tables = {
            (chain, table.name): table
            for chain in world.chains
            for table in (*block_tables(chain), *snapshots(chain))
            if table.in_dumps
        }
        self._money = {chain: Money(prices, chain) for chain in world.chains}
        self._made: dict[tuple[str, str, date], MadeFile | None] = {}
        self._modified: dict[tuple[str, str, date], int] = {}
        self._changes: dict[tuple[str, str, date], list[str]] = {}
        self._late: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def tables(self) -> list[tuple[str, str]]:
        """Chain and table of every folder."""
        return sorted(self._tables)

    def files(self, chain: str, table: str, now: datetime) -> Iterable[DumpFile]:
        """The published files of a folder, the oldest first."""
        last, start = self._last(chain, table, now), self._world.settings.start
        if not self._tables[chain, table].per_block:
            start = max(start, last)
        days = [start + timedelta(days=number) for number in range((last - start).days + 1)]
        return [made for made in (self._file(chain, table, day) for day in days) if made is not None]

    def find(self, chain: str, table: str, name: str, now: datetime) -> DumpFile | None:
        """One published file; None where there is none."""
        if (chain, table) not in self._tables:
            return None
        if not self._tables[chain, table].per_block:
            return next((file for file in self.files(chain, table, now) if file.name == name), None)
        match = _DATED.fullmatch(name)
        if match is None or match["stem"] != self._tables[chain, table].file_stem:
            return None
        try:
            day = datetime.strptime(match["day"], "%Y%m%d").replace(tzinfo=UTC).date()
        except ValueError:
            return None
        return self._file(chain, table, day) if day <= self._last(chain, table, now) else None

    def rebuild(self, chain: str, first: date, now: datetime) -> list[str]:
        """Make the published files of a chain anew, from a day on, because the world under them has changed.

        Returns:
            Names of the tables that had such files.
        """
        touched = set()
        with self._lock:
            for key in [key for key in self._made if key[0] == chain and key[2] >= first]:
                del self._made[key]
            for table in (table for of, table in self._tables if of == chain):
                last = self._last(chain, table, now)
                days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
                if not self._tables[chain, table].per_block:
                    days = [last] if last > first else []
                for day in days:
                    self._touch((chain, table, day), now)
                    touched.add(table)
        return sorted(touched)

    def change(self, chain: str, table: str, day: date | None, change: str, now: datetime) -> DumpFile:
        """Make a published file anew with changed content, on top of earlier changes; `day` is None for the latest.

        Raises:
            ValueError: There is no such file, or the change does nothing to it.
        """
        if change not in CHANGES:
            raise ValueError(f"change is {change!r}, but must be one of {', '.join(CHANGES)}.")
        last = self._last(chain, table, now) if (chain, table) in self._tables else date.min
        day = last if day is None else day
        before = self._file(chain, table, day) if day <= last else None
        if before is None:
            raise ValueError(f"No file of {chain} {table} is published for {day}.")
        key = chain, table, day
        with self._lock:
            self._changes.setdefault(key, []).append(change)
            after = self._make(key)
            if after is None or after.text() == before.text():
                self._changes[key].pop()
                raise ValueError(f"Nothing in {before.name} can be {change}.")
            self._touch(key, now)
            self._made[key] = made = self._make(key)
        return made or before

    def delay(self, chain: str, table: str | None, days: int) -> None:
        """Let files appear so many days later than usual; without a table, those of the whole chain.

        Raises:
            ValueError: There is no such table, or the number is below 0.
        """
        keys = [key for key in self.tables() if key[0] == chain and table in (None, key[1])]
        if not keys or days < 0:
            raise ValueError(f"{chain} {table or ''} cannot be delayed by {days} days.")
        self._late.update(dict.fromkeys(keys, days))

    def _touch(self, key: tuple[str, str, date], now: datetime) -> None:
        """Note when a file was made anew; never the same instant twice."""
        self._made.pop(key, None)
        self._modified[key] = max(int(now.timestamp()), self._modified.get(key, 0) + 1)

    def _last(self, chain: str, table: str, now: datetime) -> date:
        """The last published day; of a snapshot, the day whose first instant it shows."""
        now -= timedelta(days=self._late.get((chain, table), 0))
        if not self._tables[chain, table].per_block:
            return (now - _REBUILT_AFTER).date()
        return (now - _PUBLISHED_AFTER).date() - timedelta(days=1)

    def _file(self, chain: str, table: str, day: date) -> MadeFile | None:
        """The file of a day; None for a day without rows."""
        key = chain, table, day
        with self._lock:
            if key not in self._made:
                self._made[key] = self._make(key)
            return self._made[key]

    def _make(self, key: tuple[str, str, date]) -> MadeFile | None:
        chain, name, day = key
        table = self._tables[chain, name]
        columns = table.dump_columns(london="london-columns" in self._quirks)
        midnight = datetime.combine(day, time(), tzinfo=UTC)
        rows: Iterator[object]
        if table.per_block:
            rows = (row for block in self._world.blocks_of(chain, day) for row in table.rows(block))
            published, suffix = midnight + timedelta(days=1) + _PUBLISHED_AFTER, f"{day:%Y%m%d}"
        else:
            rows = iter(table.rows(ChainView(world=self._world, chain=chain, now=midnight - _A_SECOND)))
            published, suffix = midnight + _REBUILT_AFTER, "latest"
        first = next(rows, None)
        if first is None:
            return None
        content = DumpContent(columns, written(columns, chain_up((first,), rows), self._money[chain]))
        content.distort(self._quirks)
        for change in self._changes.get(key, ()):
            CHANGES[change](content)
        modified = self._modified.get(key, int(published.timestamp()))
        stem = f"{table.file_stem}_{suffix}.tsv"
        packed = content.packed(stem, modified, final="final-newline" in self._quirks)
        return MadeFile(f"{stem}.gz", self._world.spool.add(packed), modified)


class FolderDumps:
    """Real dump files, lying flat in a folder or in `{chain}/{table}/` below it; the clock plays no part."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def tables(self) -> list[tuple[str, str]]:
        """Chain and table of every folder."""
        return sorted({(chain, table) for chain, table, _ in self._found()})

    def files(self, chain: str, table: str, now: datetime) -> Iterable[DumpFile]:  # noqa: ARG002 - real files ignore it
        """The files of a folder, the oldest first."""
        return [RealFile.at(path) for path in self._of(chain, table)]

    def find(self, chain: str, table: str, name: str, now: datetime) -> DumpFile | None:  # noqa: ARG002
        """One file; None where there is none."""
        return next((RealFile.at(path) for path in self._of(chain, table) if path.name == name), None)

    def _of(self, chain: str, table: str) -> list[Path]:
        found = {path.name: path for *key, path in self._found() if key == [chain, table]}
        return [found[name] for name in sorted(found)]

    def _found(self) -> Iterator[tuple[str, str, Path]]:
        for pattern in ("*.tsv.gz", "*/*/*.tsv.gz"):
            for path in sorted(self._folder.glob(pattern)):
                match = _NAME.fullmatch(path.name)
                if match is not None and path.is_file():
                    yield match["chain"], match["table"], path


DumpStore = WorldDumps | FolderDumps
"""All files of a dump host."""
