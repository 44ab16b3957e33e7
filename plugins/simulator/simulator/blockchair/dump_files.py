"""The files of the dump host: made from the world, or real ones from a folder."""

from __future__ import annotations

import gzip
import io
import re
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

from simulator.blockchair.columns import Money, dump_text
from simulator.blockchair.tables import TABLES, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from simulator.blockchair.world import World
    from simulator.prices import PriceSource

_PUBLISHED_AFTER: Final = timedelta(minutes=30)
"""How long after its end a day's files appear."""
_NAME: Final = re.compile(r"blockchair_(?P<chain>[a-z-]+)_(?P<table>[a-z]+)_(?P<day>\d{8})\.tsv\.gz")
_CHUNK: Final = 1 << 16


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
        london: Whether Ethereum's files end with London's columns.
    """

    def __init__(self, world: World, prices: PriceSource, *, london: bool = False) -> None:
        self._world = world
        self._london = london
        self._tables = {key: table for key, table in TABLES.items() if key[0] in world.chains}
        self._money = {table.chain: Money(prices, table.chain, table.unit) for table in self._tables.values()}
        self._made: dict[tuple[str, str, date], MadeFile | None] = {}
        self._lock = threading.Lock()

    def tables(self) -> list[tuple[str, str]]:
        """Chain and table of every folder."""
        return sorted(self._tables)

    def files(self, chain: str, table: str, now: datetime) -> Iterable[DumpFile]:
        """The published files of a folder, the oldest first."""
        start = self._world.parameters.start
        days = (start + timedelta(days=number) for number in range((_last_published(now) - start).days + 1))
        return [made for made in (self._file(chain, table, day) for day in days) if made is not None]

    def find(self, chain: str, table: str, name: str, now: datetime) -> DumpFile | None:
        """One published file; None where there is none."""
        match = _NAME.fullmatch(name)
        if match is None or (match["chain"], match["table"]) != (chain, table) or (chain, table) not in self._tables:
            return None
        try:
            day = datetime.strptime(match["day"], "%Y%m%d").replace(tzinfo=UTC).date()
        except ValueError:
            return None
        return self._file(chain, table, day) if day <= _last_published(now) else None

    def _file(self, chain: str, table: str, day: date) -> MadeFile | None:
        """The file of a day; None for a day without rows."""
        key = chain, table, day
        with self._lock:
            if key not in self._made:
                self._made[key] = self._make(self._tables[chain, table], day)
            return self._made[key]

    def _make(self, table: Table, day: date) -> MadeFile | None:
        columns, money = table.dump_columns(london=self._london), self._money[table.chain]
        lines = [
            "\t".join([dump_text(column, row, money) for column in columns])
            for block in self._world.blocks_of(table.chain, day)
            for row in table.rows(block)
        ]
        if not lines:
            return None
        header = "\t".join(column.name for column in columns)
        name = f"blockchair_{table.chain}_{table.name}_{day:%Y%m%d}.tsv"
        published = int(_publication(day).timestamp())
        # One member with the original name and a fixed time, and no line end after the last row, as published files.
        packed = io.BytesIO()
        with gzip.GzipFile(filename=name, mode="wb", compresslevel=6, fileobj=packed, mtime=published) as stream:
            stream.write("\n".join([header, *lines]).encode())
        return MadeFile(f"{name}.gz", packed.getvalue(), published)


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


def _publication(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), tzinfo=UTC) + _PUBLISHED_AFTER


def _last_published(now: datetime) -> date:
    return (now - _PUBLISHED_AFTER).date() - timedelta(days=1)
