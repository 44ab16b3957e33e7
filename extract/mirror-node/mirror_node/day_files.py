"""The files of days: grown block by block as plain text, then zipped, and renamed into place."""

from __future__ import annotations

import gzip
import os
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from isal import isal_zlib

from mirror_node.errors import MirrorError
from mirror_node.tables import columns, file_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date
    from pathlib import Path

    from mirror_node.chains import Chain
    from mirror_node.tables import BlockRows

_READ = 1 << 20
_LEVEL = 2
_GZIP = zlib.MAX_WBITS | 16


class DayFiles:
    """The files of one chain.

    Args:
        parts: Folder of what grows, of this program alone.
        published: Folder that the tap reads by `dumps_url`.
    """

    def __init__(self, chain: Chain, parts: Path, published: Path) -> None:
        self._chain, self._parts, self._published = chain, parts, published
        self._columns = columns(chain)
        self._open: dict[Path, BinaryIO] = {}

    def append(self, rows: BlockRows) -> dict[str, int]:
        """Add a block's lines to its day; returns the lengths of the day's files behind it."""
        ends = {}
        for table, lines in rows.tables.items():
            path = self._part(rows.day, table)
            with _writing(path):
                file = self._open.get(path)
                if file is None:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    file = self._open[path] = path.open("ab")
                file.write(lines)
                ends[table] = file.tell()
        return ends

    def sync(self) -> None:
        """Bring what was added to the disk, and close the files."""
        for path, file in self._open.items():
            with _writing(path):
                file.flush()
                os.fsync(file.fileno())
                file.close()
        self._open.clear()

    def cut(self, day: date, ends: Mapping[str, int] | None) -> None:
        """Cut a day's files off behind its last block; where it has none, delete them.

        A published day whose growing files are gone is unpacked first.
        """
        for table in self._columns:
            path = self._part(day, table)
            with _writing(path):
                if ends is None:
                    path.unlink(missing_ok=True)
                    continue
                if not path.exists() or path.stat().st_size < ends[table]:
                    self._unpack(day, table)
                with path.open("r+b") as file:
                    file.truncate(ends[table])

    def forget_others(self, days: set[date]) -> None:
        """Delete what grew for days that are not in the mirror: an interrupted run left it."""
        for folder in sorted(self._parts.glob("[0-9]*")):
            if folder.name not in {f"{day:%Y%m%d}" for day in days}:
                for path in folder.iterdir():
                    path.unlink()
                folder.rmdir()

    def publish(self, day: date) -> None:
        """Zip a day's files beside their places, then rename them, blocks last; then delete what grew."""
        ready = []
        for table, names in self._columns.items():
            place = self._published / self._chain.name / table / file_name(self._chain.name, table, day)
            beside = place.with_name(f".{place.name}.part")
            with _writing(beside, "mirror_dir"):
                place.parent.mkdir(parents=True, exist_ok=True)
                _zip(self._part(day, table), beside, "\t".join(names))
            ready.append((beside, place))
        for beside, place in ready:
            with _writing(place, "mirror_dir"):
                beside.replace(place)
                _sync_folder(place.parent)

    def forget(self, day: date) -> None:
        """Delete what grew for a day."""
        for table in self._columns:
            self._part(day, table).unlink(missing_ok=True)
        folder = self._parts / f"{day:%Y%m%d}"
        if folder.is_dir():
            folder.rmdir()

    def _unpack(self, day: date, table: str) -> None:
        """Make the growing file of a published day again: the published one without header, with a last newline."""
        place = self._published / self._chain.name / table / file_name(self._chain.name, table, day)
        path = self._part(day, table)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with gzip.open(place, "rb") as packed, path.open("wb") as file:
                packed.readline()
                any_line = False
                while data := packed.read(_READ):
                    file.write(data)
                    any_line = True
                file.write(b"\n" if any_line else b"")
        except (OSError, EOFError, zlib.error) as error:
            raise MirrorError(
                f"{place} cannot be read ({error}), but the chain was reorganised on that day. The other files are "
                "kept. Delete the chain's folder in state_dir and run again: the mirror then begins anew."
            ) from None

    def _part(self, day: date, table: str) -> Path:
        return self._parts / f"{day:%Y%m%d}" / f"{table}.tsv"


def _zip(source: Path, target: Path, header: str) -> None:
    """Zip a file behind a header; as in Blockchair's files no newline follows the last line."""
    size = source.stat().st_size if source.exists() else 0
    packer = isal_zlib.compressobj(_LEVEL, wbits=_GZIP)
    with target.open("wb") as packed:
        packed.write(packer.compress(header.encode()))
        if size:
            packed.write(packer.compress(b"\n"))
            with source.open("rb") as lines:
                left = size - 1
                while left and (data := lines.read(min(_READ, left))):
                    packed.write(packer.compress(data))
                    left -= len(data)
        packed.write(packer.flush())
        packed.flush()
        os.fsync(packed.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _writing(path: Path, setting: str = "state_dir") -> Iterator[None]:
    """Turn what the operating system refuses into a sentence."""
    try:
        yield
    except OSError as error:
        raise MirrorError(
            f"{path} cannot be written ({error.strerror or error}). Blocks up to the last commit and published days "
            f"are kept. Check {setting} and the space on its disk, then run again."
        ) from None
