"""The files of the dump host: made from the world, or real ones from a folder."""

from __future__ import annotations

import gzip
import io
import re
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import chain as chain_up
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

from simulator.blockchair.columns import Money
from simulator.blockchair.sheets import CHANGES, Sheet, written
from simulator.blockchair.snapshots import snapshots_of
from simulator.blockchair.tables import tables_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from simulator.blockchair.world import World
    from simulator.prices import PriceSource

_PUBLISHED_AFTER: Final = timedelta(minutes=30)
"""How long after its end a day's files appear."""
_REBUILT_AFTER: Final = timedelta(hours=1, minutes=20)
"""When in a day the latest addresses and tokens appear."""
_A_SECOND: Final = timedelta(seconds=1)
_DATED: Final = re.compile(r"(?P<stem>blockchair_\w+(?:-\w+)*)_(?P<day>\d{8})\.tsv\.gz")
_NAME: Final = re.compile(r"blockchair_(?P<chain>[a-z-]+)_(?P<table>[a-z]+)_(?:\d{8}|latest)\.tsv\.gz")
_CHUNK: Final = 1 << 16
_BATCH: Final = 1000


class DumpFile(Protocol):
    """A file as the dump host offers it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def size(self) -> int:
        """Its bytes."""

    @property
    def modified(self) -> int:
        """When it was published, seconds since 1970."""

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Its bytes from `start` to before `stop`."""


class DumpStore(Protocol):
    """All files of a dump host."""

    def tables(self) -> list[tuple[str, str]]:
        """Chain and table of every folder."""

    def files(self, chain: str, table: str, now: datetime) -> Iterable[DumpFile]:
        """The published files of a folder, the oldest first."""

    def find(self, chain: str, table: str, name: str, now: datetime) -> DumpFile | None:
        """One published file; None where there is none."""


@dataclass(frozen=True)
class MadeFile:
    """A file made from the world."""

    name: str
    content: bytes
    modified: int

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.content)

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Its bytes from `start` to before `stop`."""
        yield self.content[start:stop]


class WorldDumps:
    """The world's days as dump files, each made when first asked for and kept.

    Args:
        world: The chains.
        prices: For the USD columns.
        quirks: Oddities that are switched on.
    """

    def __init__(self, world: World, prices: PriceSource, quirks: Collection[str] = ()) -> None:
        self._world = world
        self._quirks = frozenset(quirks)
        self._tables = {
            (chain, table.name): table
            for chain in world.chains
            for table in tables_of(chain).values()
            if table.in_dumps
        }
        self._views = {(view.chain, view.name): view for chain in world.chains for view in snapshots_of(chain)}
        self._money = {view.chain: Money(prices, view.chain, view.unit) for view in self._views.values()}
        self._made: dict[tuple[str, str, date], MadeFile | None] = {}
        self._modified: dict[tuple[str, str, date], int] = {}
        self._changes: dict[tuple[str, str, date], list[str]] = {}
        self._late: dict[tuple[str, str], int] = {}
        self._lock = threading.Lock()

    def tables(self) -> list[tuple[str, str]]:
        """Chain and table of every folder."""
        return sorted({**self._tables, **self._views})

    def files(self, chain: str, table: str, now: datetime) -> Iterable[DumpFile]:
        """The published files of a folder, the oldest first."""
        last, start = self._last(chain, table, now), self._world.parameters.start
        if (chain, table) in self._views:
            days = iter([last] if last >= start else [])
        else:
            days = iter([start + timedelta(days=number) for number in range((last - start).days + 1)])
        return [made for made in (self._file(chain, table, day) for day in days) if made is not None]

    def find(self, chain: str, table: str, name: str, now: datetime) -> DumpFile | None:
        """One published file; None where there is none."""
        if (chain, table) in self._views:
            return next((file for file in self.files(chain, table, now) if file.name == name), None)
        if (chain, table) not in self._tables:
            return None
        match = _DATED.fullmatch(name)
        if match is None or match["stem"] != self._tables[chain, table].file_stem:
            return None
        try:
            day = datetime.strptime(match["day"], "%Y%m%d").replace(tzinfo=UTC).date()
        except ValueError:
            return None
        return self._file(chain, table, day) if day <= self._last(chain, table, now) else None

    def rebuild(self, chain: str, first: date, now: datetime) -> list[str]:
        """Make the published files of a chain anew, because the world under them has changed.

        Args:
            chain: Which chain.
            first: From which day on.
            now: The simulated instant; the files carry it.

        Returns:
            Names of the tables that had such files.
        """
        touched = set()
        with self._lock:
            for key in [key for key in self._made if key[0] == chain and key[2] >= first]:
                del self._made[key]
            for table in (one for of, one in self._tables if of == chain):
                days = (self._last(chain, table, now) - first).days + 1
                for day in (first + timedelta(days=number) for number in range(days)):
                    self._touch((chain, table, day), now)
                    touched.add(table)
            for view in (one for of, one in self._views if of == chain):
                last = self._last(chain, view, now)
                if last > first:
                    self._touch((chain, view, last), now)
                    touched.add(view)
        return sorted(touched)

    def change(self, chain: str, table: str, day: date | None, change: str, now: datetime) -> DumpFile:
        """Make a published file anew with changed content.

        Args:
            chain: Which chain.
            table: Which table.
            day: Which day; None for the latest file.
            change: One of CHANGES; it adds to earlier ones.
            now: The simulated instant; the file carries it.

        Returns:
            The new file.

        Raises:
            ValueError: There is no such file, or the change does nothing to it.
        """
        if change not in CHANGES:
            raise ValueError(f"change is {change!r}, but must be one of {', '.join(CHANGES)}.")
        last = self._last(chain, table, now)
        day = last if day is None else day
        before = self._file(chain, table, day) if (chain, table) in self.tables() and day <= last else None
        if before is None:
            raise ValueError(f"No file of {chain} {table} is published for {day}.")
        key = chain, table, day
        with self._lock:
            self._changes.setdefault(key, []).append(change)
            after = self._make(key)
            if after is None or gzip.decompress(after.content) == gzip.decompress(before.content):
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
        """The last published day; of a view, the day whose first instant it shows."""
        now -= timedelta(days=self._late.get((chain, table), 0))
        if (chain, table) in self._views:
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
        rows: Iterator[object]
        money = self._money[chain]
        if (chain, name) in self._views:
            view = self._views[chain, name]
            columns, rows = view.dump_columns(), iter(view.rows(self._world, midnight_of(day) - _A_SECOND))
            published = int((midnight_of(day) + _REBUILT_AFTER).timestamp())
            stem = f"{view.file_stem}_latest.tsv"
        else:
            table = self._tables[chain, name]
            columns = table.dump_columns(london="london-columns" in self._quirks)
            rows = (row for block in self._world.blocks_of(chain, day) for row in table.rows(block))
            published = int((midnight_of(day) + timedelta(days=1) + _PUBLISHED_AFTER).timestamp())
            stem = f"{table.file_stem}_{day:%Y%m%d}.tsv"
        first = next(rows, None)
        if first is None:
            return None
        sheet = Sheet(columns, written(columns, chain_up((first,), rows), money))
        sheet.distort(self._quirks)
        for change in self._changes.get(key, ()):
            sheet.change(change)
        return packed(stem, sheet, self._modified.get(key, published), final="final-newline" in self._quirks)


def midnight_of(day: date) -> datetime:
    """The first instant of a UTC day."""
    return datetime.combine(day, time(), tzinfo=UTC)


def batched(lines: Iterator[str]) -> Iterator[list[str]]:
    """Lines by the thousand, so that neither many small writes nor one large text are made of them."""
    while some := list(islice(lines, _BATCH)):
        yield some


def packed(name: str, sheet: Sheet, modified: int, *, final: bool) -> MadeFile:
    """One gzip member with the original name and a fixed time, as published files.

    Args:
        name: The original name.
        sheet: Its content.
        modified: Seconds since 1970.
        final: Whether the last row ends with a line end, which published files do without.
    """
    content = io.BytesIO()
    with gzip.GzipFile(filename=name, mode="wb", compresslevel=6, fileobj=content, mtime=modified) as stream:
        end = b""
        for some in batched(sheet.lines()):
            stream.write(end + "\n".join(some).encode())
            end = b"\n"
        if final:
            stream.write(b"\n")
    return MadeFile(f"{name}.gz", content.getvalue(), modified)


@dataclass(frozen=True)
class RealFile:
    """A file of a folder, served as it is."""

    path: Path

    @property
    def name(self) -> str:
        """Its name."""
        return self.path.name

    @cached_property
    def size(self) -> int:
        """Its bytes."""
        return self.path.stat().st_size

    @cached_property
    def modified(self) -> int:
        """When it last changed, seconds since 1970."""
        return int(self.path.stat().st_mtime)

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Its bytes from `start` to before `stop`."""
        with self.path.open("rb") as stream:
            stream.seek(start)
            while start < stop and (chunk := stream.read(min(_CHUNK, stop - start))):
                start += len(chunk)
                yield chunk


class FolderDumps:
    """Real dump files, lying flat in a folder or in `{chain}/{table}/` below it; the clock plays no part.

    Args:
        folder: The folder; it may change while it is served.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def tables(self) -> list[tuple[str, str]]:
        """Chain and table of every folder."""
        return sorted({(chain, table) for chain, table, _ in self._found()})

    def files(self, chain: str, table: str, now: datetime) -> Iterable[DumpFile]:  # noqa: ARG002 - real files ignore it
        """The files of a folder, the oldest first."""
        return [RealFile(path) for path in self._of(chain, table)]

    def find(self, chain: str, table: str, name: str, now: datetime) -> DumpFile | None:  # noqa: ARG002
        """One file; None where there is none."""
        return next((RealFile(path) for path in self._of(chain, table) if path.name == name), None)

    def _of(self, chain: str, table: str) -> list[Path]:
        found = {path.name: path for *key, path in self._found() if key == [chain, table]}
        return [found[name] for name in sorted(found)]

    def _found(self) -> Iterator[tuple[str, str, Path]]:
        for pattern in ("*.tsv.gz", "*/*/*.tsv.gz"):
            for path in sorted(self._folder.glob(pattern)):
                match = _NAME.fullmatch(path.name)
                if match is not None and path.is_file():
                    yield match["chain"], match["table"], path
