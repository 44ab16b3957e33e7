"""The dump channel's transport: which days exist, and a complete local copy of one file at a time."""

from __future__ import annotations

import re
import tempfile
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

import urllib3
from singer_sdk.exceptions import RetriableSyncError
from typing_extensions import override

from tap_blockchair import web
from tap_blockchair.dumpfile import DumpError

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable, Iterator

    import requests

    from tap_blockchair.settings import Settings

_Result = TypeVar("_Result")
_CHUNK = 1 << 16
_KEPT = "The bookmark stays where it was."


class _TransferError(RetriableSyncError):
    """A transfer that a second try may complete."""


@dataclass(frozen=True)
class DumpDay:
    """A day's dump of a table.

    Attributes:
        chain: Blockchair's path name of the chain.
        table: The dump's table.
        day: The UTC day of its rows.
        name: The file's name.
    """

    chain: str
    table: str
    day: date
    name: str

    @property
    def unit(self) -> str:
        """What is loaded whole, such as `bitcoin/blocks/2009-01-09`."""
        return f"{self.chain}/{self.table}/{self.day.isoformat()}"


class DumpSource(ABC):
    """Where dump files lie."""

    @abstractmethod
    def days(self, chain: str, table: str) -> list[DumpDay]:
        """List the days that have a file.

        Args:
            chain: Blockchair's path name of the chain.
            table: The dump's table.

        Returns:
            The days in order.
        """

    @abstractmethod
    def copy(self, day: DumpDay) -> AbstractContextManager[Path]:
        """Give a complete local file for the time of a `with` block.

        Args:
            day: One of `days()`.

        Returns:
            A context manager giving the path.
        """


class FolderDumps(DumpSource):
    """Dump files in a folder: an own mirror, laid out like the host or flat."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @override
    def days(self, chain: str, table: str) -> list[DumpDay]:
        names = (path.name for folder in self._places(chain, table) if folder.is_dir() for path in folder.iterdir())
        return _dump_days(names, chain, table)

    @override
    @contextmanager
    def copy(self, day: DumpDay) -> Iterator[Path]:
        yield next(place / day.name for place in self._places(day.chain, day.table) if (place / day.name).is_file())

    def _places(self, chain: str, table: str) -> tuple[Path, Path]:
        return self._folder / chain / table, self._folder


class HostDumps(DumpSource):
    """Blockchair's dump host or a copy of it: index pages and files over HTTP, one request at a time."""

    def __init__(self, settings: Settings, logger: logging.Logger) -> None:
        self._settings = settings
        self._logger = logger
        self._session = web.Session()
        self._session.headers["User-Agent"] = settings.user_agent

    @override
    def days(self, chain: str, table: str) -> list[DumpDay]:
        url = f"{self._settings.dumps_url}/{chain}/{table}/"
        return _dump_days(_anchors(self._patiently(lambda: self._page(url), url)), chain, table)

    @override
    @contextmanager
    def copy(self, day: DumpDay) -> Iterator[Path]:
        url = f"{self._settings.dumps_url}/{day.chain}/{day.table}/{day.name}"
        with tempfile.TemporaryDirectory(prefix="tap-blockchair-") as folder:
            path = Path(folder) / day.name
            self._patiently(lambda: self._download(url, path), url)
            yield path

    def _page(self, url: str) -> str:
        with self._get(url) as response:
            return response.text

    def _download(self, url: str, path: Path) -> None:
        """Stream a file to disk as the server stores it; urllib3 holds it against the announced length."""
        with self._get(url) as response, path.open("wb") as file:
            # Not `iter_content`: it would unzip where a server labels its .gz files as a content encoding.
            for chunk in response.raw.stream(_CHUNK, decode_content=False):
                file.write(chunk)

    def _get(self, url: str) -> requests.Response:
        key = self._settings.dumps_key
        response = self._session.get(
            url,
            params={"key": key} if key and not url.endswith("/") else None,
            headers={"Accept-Encoding": "identity"},
            stream=True,
            timeout=self._settings.timeout,
        )
        try:
            self._check(response)
        except BaseException:
            response.close()
            raise
        return response

    def _check(self, response: requests.Response) -> None:
        where, status = web.display(response.url), response.status_code
        if status == HTTPStatus.PAYMENT_REQUIRED:
            raise DumpError(
                f"{where} answered 402: the dump host's limit is used up. {_KEPT} "
                "Wait before the next run, or set dumps_key, which lifts the limit.",
            )
        if status == HTTPStatus.NOT_FOUND:
            raise DumpError(f"{where} answered 404: there is no such dump. {_KEPT} Check dumps_url and chains.")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            raise _TransferError(f"{where} answered {status} {response.reason}. {_KEPT} Run again later.")
        if status != HTTPStatus.OK:
            raise DumpError(f"{where} answered {status} {response.reason}. {_KEPT} Check dumps_url.")
        web.check_origin(response, self._settings)

    def _patiently(self, action: Callable[[], _Result], url: str) -> _Result:
        """Repeat what may succeed at a second try, for a few seconds only."""
        faults = (_TransferError, urllib3.exceptions.HTTPError, *web.NETWORK_FAULTS)
        try:
            return web.patient(action, faults, lambda details: self._report(url, details))()
        except _TransferError:
            raise
        except urllib3.exceptions.ProtocolError:
            raise DumpError(
                f"{web.display(url)}: the transfer broke off {web.TRIES} times. {_KEPT} Run again later.",
            ) from None
        except faults as error:
            fault = web.unreachable(url, "dumps_url", error)
        raise fault

    def _report(self, url: str, details: Any) -> None:  # noqa: ANN401 (the library's dictionary)
        again = f"trying again in {details['wait']:.1f} s (try {details['tries'] + 1} of {web.TRIES})"
        self._logger.warning("%s: the transfer failed, %s.", web.display(url), again)


class _Links(HTMLParser):
    """Collects the targets of all anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.targets.extend(value for name, value in attrs if name == "href" and value)


def _anchors(page: str) -> list[str]:
    """Name the files that an index page links to.

    Only the last part of a link is used, so that a page cannot send the tap to another host.
    """
    links = _Links()
    links.feed(page)
    links.close()
    return [PurePosixPath(unquote(urlsplit(target).path)).name for target in links.targets]


def _dump_days(names: Iterable[str], chain: str, table: str) -> list[DumpDay]:
    pattern = re.compile(rf"blockchair_{re.escape(chain)}_{re.escape(table)}_(\d{{8}})\.tsv\.gz")
    found: dict[date, DumpDay] = {}
    for name in names:
        match = pattern.fullmatch(name)
        if not match:
            continue
        try:
            day = datetime.strptime(match[1], "%Y%m%d").date()  # noqa: DTZ007 (a day has no zone)
        except ValueError:
            raise DumpError(f"the file {name} names no day of the calendar. {_KEPT} Check dumps_url.") from None
        found[day] = DumpDay(chain, table, day, name)
    return [found[day] for day in sorted(found)]
