"""Where dump files lie: which there are, which version each is, and a local copy of one at a time."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import date, datetime
from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from typing_extensions import override

from tap_blockchair.dumpfile import DumpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractContextManager
    from pathlib import Path

KEPT = "The bookmark stays where it was."
_LATEST = "latest"
_FOLDERS = {"erc20_transactions": ("erc-20", "transactions"), "erc20_tokens": ("erc-20", "tokens")}
_SIZE = re.compile(r"\s(\d+(?:\.\d+)?)([KMGT]?)\s*$", re.IGNORECASE)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


@dataclass(frozen=True)
class DumpFile:
    """A day's dump of a table, or its latest snapshot.

    Attributes:
        day: The UTC day of its rows; None for a latest snapshot.
        about: Bytes as the index page shows them, rounded; None where it shows none.
    """

    chain: str
    table: str
    day: date | None
    name: str
    about: int | None = field(default=None, compare=False)

    @property
    def slice_id(self) -> str:
        """What is loaded whole, such as `bitcoin/blocks/2009-01-09`."""
        return f"{self.chain}/{self.table}/{self.day.isoformat() if self.day else _LATEST}"

    @property
    def folder(self) -> str:
        """The file's folder below the dump host's root."""
        return folder_of(self.chain, self.table)


@dataclass(frozen=True)
class Listing:
    """A table's daily files in the order of their days, or its one latest file; and the source's time, if known."""

    files: list[DumpFile]
    now: datetime | None = None


@dataclass(frozen=True)
class Version:
    """What distinguishes files of the same name: the server's validator, bytes, and the time of publication."""

    etag: str | None
    length: int | None
    modified: datetime | None = None


class DumpSource(ABC):
    """Where dump files lie."""

    # Whether a file that is gone means that its rows are gone. In a folder it means that somebody tidied up.
    is_authority = True

    @abstractmethod
    def listing(self, chain: str, table: str) -> Listing:
        """List the files of a table."""

    @abstractmethod
    def version(self, file: DumpFile) -> Version | None:
        """Ask for a file's version without reading it; None where there is no such file."""

    @abstractmethod
    def fetch(self, file: DumpFile, version: Version, report: Callable[[int], object]) -> tuple[Path, Version]:
        """Give a complete local copy of a listed file, and the version that it holds: perhaps newer than that of HEAD.

        `report` gets the number of bytes of each part that arrived.
        """

    @abstractmethod
    def discard(self, path: Path) -> None:
        """Delete a local copy that is damaged or no longer needed; a source's own file stays."""

    @abstractmethod
    def prune(self, chain: str, table: str, is_loaded: Callable[[date | None, str], bool]) -> None:
        """Delete the copies that were handed over by earlier runs and have since been loaded.

        `is_loaded` looks into the state, by the file's day (None: latest) and the first digits of its sha256.
        """

    @abstractmethod
    def handed(self, path: Path, sha256: str) -> Path:
        """Give a file the name under which a loader may keep it; a newer version of the day gets another."""

    @abstractmethod
    def guard(self, chain: str, table: str) -> AbstractContextManager[None]:
        """Be the only run that uses a table's copies."""


def folder_of(chain: str, table: str) -> str:
    """Name a table's folder below the dump host's root."""
    return "/".join((chain, *_FOLDERS.get(table, (table,))))


def dump_files(
    names: Iterable[str], chain: str, table: str, sizes: dict[str, int] | None = None, suffix: str = r"\.tsv\.gz"
) -> list[DumpFile]:
    """Pick a table's files out of a folder's names: the daily ones in order; where there is none, the latest snapshot.

    Sizes are in bytes by name, rounded. Of two names for a day the later one is taken.

    Raises:
        DumpError: A name has a day that is not in the calendar.
    """
    prefix = "_".join(_FOLDERS.get(table, (chain, table)))
    pattern = re.compile(rf"blockchair_{re.escape(prefix)}_(\d{{8}}|{_LATEST}){suffix}")
    found: dict[date | None, DumpFile] = {}
    for name in names:
        match = pattern.fullmatch(name)
        if not match:
            continue
        try:
            day = None if match[1] == _LATEST else datetime.strptime(match[1], "%Y%m%d").date()  # noqa: DTZ007 (a day)
        except ValueError:
            raise DumpError(f"the file {name} names no day of the calendar. {KEPT} Check dumps_url.") from None
        found[day] = DumpFile(chain, table, day, name, (sizes or {}).get(name))
    days = sorted(day for day in found if day)
    return [found[day] for day in days] or [file for file in found.values() if file.day is None]


class _Links(HTMLParser):
    """Collects the targets of all anchors, and the size that follows each."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.sizes: dict[str, int] = {}

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            # Only the last part of a link is used, so that a page cannot send the tap to another host.
            targets = (value for name, value in attrs if name == "href" and value)
            self.names.extend(PurePosixPath(unquote(urlsplit(target).path)).name for target in targets)

    @override
    def handle_data(self, data: str) -> None:
        match = _SIZE.search(f" {data.rstrip()}")
        if match and self.names and data.strip() != self.names[-1]:
            self.sizes[self.names[-1]] = int(float(match[1]) * _UNITS[match[2].upper()])


def index_page(page: str) -> tuple[list[str], dict[str, int]]:
    """Read the files' names from an index page, and their sizes in bytes as far as it shows them (rounded)."""
    links = _Links()
    links.feed(page)
    links.close()
    return links.names, links.sizes
