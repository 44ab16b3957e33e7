"""Dump files in a folder of the user's: an own mirror, packed (`.tsv.gz`) or unpacked (`.tsv`)."""

from __future__ import annotations

import gzip
import shutil
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_blockchair.dumpfile import DumpError
from tap_blockchair.dumps import KEPT, DumpFile, Listing, Version, dump_files, folder_of
from tap_blockchair.transfer import Copies, locked, writing

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

_PACKED = ".gz"


class FolderDumps(Copies):
    """Dump files in a folder laid out like the host or flat. They are the user's, and stay.

    A file that is unpacked is packed into a folder of the tap's own, below `download_dir`: digest, verification and
    loaders are of packed files. Where a day lies there both ways, the packed file counts.
    """

    is_authority = False

    def __init__(self, folder: Path, downloads: Path) -> None:
        super().__init__(downloads / "packed")
        self._mirror = folder

    @override
    def listing(self, chain: str, table: str) -> Listing:
        # By length, so that the packed one of two comes later.
        names = sorted((path.name for place in self._places(chain, table) for path in place.iterdir()), key=len)
        return Listing(dump_files(names, chain, table, suffix=r"\.tsv(?:\.gz)?"))

    @override
    def version(self, file: DumpFile) -> Version | None:
        path = self._find(file)
        if path is None:
            return None
        about = path.stat()
        modified = datetime.fromtimestamp(int(about.st_mtime), UTC)
        return Version(f'"{about.st_mtime_ns:x}-{about.st_size:x}"', about.st_size, modified)

    @override
    def fetch(self, file: DumpFile, version: Version, report: Callable[[int], object]) -> tuple[Path, Version]:
        path = self._find(file)
        if path is None:
            raise DumpError(f"{self._mirror / file.name} has gone while the tap ran. {KEPT} Check the folder.")
        return (path if path.suffix == _PACKED else self._packed(path)), version

    @override
    def discard(self, path: Path) -> None:
        if path.parent == self._folder:
            super().discard(path)

    @override
    def handed(self, path: Path, sha256: str) -> Path:
        return super().handed(path, sha256) if path.parent == self._folder else path

    @override
    def guard(self, chain: str, table: str) -> AbstractContextManager[None]:
        unpacked = any(not file.name.endswith(_PACKED) for file in self.listing(chain, table).files)
        return locked(self._folder, chain, table) if unpacked else nullcontext()

    def _packed(self, path: Path) -> Path:
        try:
            plain = path.open("rb")
        except OSError as error:
            raise DumpError(f"{path} cannot be read ({error.strerror or error}). {KEPT} Check its owner.") from None
        copy = self._folder / f"{path.name}{_PACKED}"
        # Without name and time, so that the same rows have the same digest.
        with plain, writing(copy), copy.open("wb") as raw, gzip.GzipFile("", "wb", 1, raw, mtime=0) as packed:
            shutil.copyfileobj(plain, packed)
        return copy

    def _find(self, file: DumpFile) -> Path | None:
        paths = (place / file.name for place in self._places(file.chain, file.table))
        return next((path for path in paths if path.is_file()), None)

    def _places(self, chain: str, table: str) -> list[Path]:
        return [place for place in (self._mirror / folder_of(chain, table), self._mirror) if place.is_dir()]
