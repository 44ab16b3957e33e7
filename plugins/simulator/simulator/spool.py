"""Bytes that wait in a file instead of in memory, for as long as the server runs."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK: Final = 1 << 16
_log: Final = logging.getLogger(__name__)


class Spool:
    """A file without a name in a folder, made when it is first needed; the system removes it with the process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None
        self._end = 0
        self._lock = threading.Lock()

    def add(self, content: bytes) -> Stored:
        """Put bytes away. Where the folder's disk takes no more, they stay in memory, and the log says so."""
        with self._lock:
            try:
                file, rest = self._opened(), memoryview(content)
                while rest:
                    rest = rest[os.pwrite(file, rest, self._end + len(content) - len(rest)) :]
            except OSError as error:
                _log.warning("%s takes no more of the simulated world (%s); memory holds it.", self._folder, error)
                return Stored(len(content), held=content)
            self._end += len(content)
            return Stored(len(content), self, self._end - len(content))

    def read(self, start: int, length: int) -> bytes:
        """So many of the bytes that were put away."""
        parts = []
        while length and (part := os.pread(self._opened(), length, start)):
            parts.append(part)
            start, length = start + len(part), length - len(part)
        return b"".join(parts)

    def _opened(self) -> int:
        if self._file is None:
            with TemporaryFile(dir=self._folder, buffering=0) as file:
                self._file = os.dup(file.fileno())
            weakref.finalize(self, os.close, self._file)
        return self._file


@dataclass(frozen=True)
class Stored:
    """Bytes that were put away: `size` of them from `start` on in a spool, or in memory where the disk was full."""

    size: int
    spool: Spool | None = None
    start: int = 0
    held: bytes = b""

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` to before `stop`, some at a time."""
        stop = min(stop, self.size)
        for at in range(start, stop, _CHUNK):
            length = min(_CHUNK, stop - at)
            yield self.held[at : at + length] if self.spool is None else self.spool.read(self.start + at, length)

    @property
    def content(self) -> bytes:
        """All of the bytes."""
        return self.held if self.spool is None else self.spool.read(self.start, self.size)
