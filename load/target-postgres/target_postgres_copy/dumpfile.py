"""A dump file on its way into COPY: decompressed, its header read, its bytes passed on without looking at rows."""

from __future__ import annotations

import re
import zlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import unquote, urlparse

from isal import igzip, isal_zlib

from target_postgres_copy.units import UnitError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_CHUNK = 1 << 20
_DAMAGE: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error, cast("type[Exception]", isal_zlib.error))
# COPY's text format reads a backslash as the start of an escape; a dump knows only the whole field `\N`.
_BARE_BACKSLASH = re.compile(rb"(?!\A)(?<![\t\n])\\|\\(?!N(?:[\t\n]|\Z))")


class DumpFile:
    r"""A verified dump: gzip, UTF-8, a header, tab-separated fields without quoting, `\N` for null.

    Args:
        url: Where it lies, `file://...` or a path.
        sanitize_nul: Whether NUL characters become U+FFFD, as the setting `sanitize_null_text_characters` says.
    """

    def __init__(self, url: str, *, sanitize_nul: bool = False) -> None:
        parts = urlparse(url)
        if parts.scheme not in ("", "file"):
            msg = f"cannot read the batch file {url}: only files on this machine are loaded"
            raise UnitError(msg)
        self.path = Path(unquote(parts.path))
        self._sanitize_nul = sanitize_nul

    @property
    def name(self) -> str:
        """The file's name, without folder."""
        return self.path.name

    @cached_property
    def columns(self) -> list[str]:
        """The names of the columns, in the file's order.

        Raises:
            UnitError: If there is no such file, or it is no gzip file with a header.
        """
        try:
            with self._open() as file:
                header = file.readline()
        except _DAMAGE as error:
            raise self._unreadable(error) from error
        if not header.strip():
            raise self._unreadable("it has no header")
        return header.decode().rstrip("\n").split("\t")

    def chunks(self) -> Iterator[bytes]:
        """Read all rows as they stand, escaped as COPY's text format wants them.

        Yields:
            Whole lines, about a megabyte at a time.

        Raises:
            UnitError: If the file is damaged.
        """
        try:
            with self._open() as file:
                file.readline()
                while chunk := file.read(_CHUNK) + file.readline():
                    yield self._escaped(chunk)
        except _DAMAGE as error:
            raise self._unreadable(error) from error

    def chosen(self, wanted: Collection[str], nullable: Collection[str]) -> Iterator[bytes]:
        """Read all rows with some columns only, and with empty fields made null: slower, every row is looked at.

        Args:
            wanted: The columns to keep; others are left out.
            nullable: Columns in which an empty field is null; in others it is empty text.

        Yields:
            Whole lines, about a megabyte at a time.

        Raises:
            UnitError: If the file is damaged.
        """
        places = [(place, name in nullable) for place, name in enumerate(self.columns) if name in wanted]
        for chunk in self.chunks():
            lines = []
            for line in chunk.removesuffix(b"\n").split(b"\n"):
                fields = line.split(b"\t")
                # A line that is too short is left as it is: COPY names it.
                cut = [fields[place] or (b"\\N" if null else b"") for place, null in places if place < len(fields)]
                lines.append(b"\t".join(cut if len(fields) == len(self.columns) else fields))
            yield b"\n".join(lines) + b"\n"

    def _open(self) -> BinaryIO:
        return cast("BinaryIO", igzip.open(self.path, "rb"))  # type: ignore[no-untyped-call]

    def _escaped(self, chunk: bytes) -> bytes:
        if b"\\" in chunk and not _has_only_null_marks(chunk):
            chunk = _BARE_BACKSLASH.sub(rb"\\\\", chunk)
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r", b"\\r")
        if self._sanitize_nul and b"\0" in chunk:
            chunk = chunk.replace(b"\0", "\ufffd".encode())
        return chunk

    def _unreadable(self, why: object) -> UnitError:
        return UnitError(
            f"cannot read the dump file {self.path}: {why}; nothing of it was loaded, what the table held is kept: "
            "run the tap again, it fetches the file anew"
        )


def _has_only_null_marks(chunk: bytes) -> bool:
    found = chunk.count(b"\\")
    after = chunk.count(b"\\N\t") + chunk.count(b"\\N\n") + chunk.endswith(b"\\N")
    before = chunk.count(b"\t\\N") + chunk.count(b"\n\\N") + chunk.startswith(b"\\N")
    return found == after == before
