"""The dump host over HTTP: one connection, a HEAD before each file, and transfers that go on where they broke off.

Downloads lie in a folder that one run at a time uses for a table; what the disk refuses is reported in a sentence.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import urllib3
from singer_sdk.exceptions import RetriableSyncError
from typing_extensions import override

from tap_blockchair import web
from tap_blockchair.dumpfile import DumpError
from tap_blockchair.dumps import KEPT, DumpFile, DumpSource, Listing, Version, dump_files, folder_of, index_page

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from datetime import date
    from pathlib import Path

    import requests

    from tap_blockchair.settings import Settings

_Result = TypeVar("_Result")
_CHUNK = 1 << 14  # at the throttled 10 kB/s a sign of life every other second
_SUFFIX = ".tsv.gz"
_NAMED_DIGITS = 12  # of the digest, in a handed file's name
_HANDED = re.compile(r"(blockchair_.+_(?:\d{8}|latest))\.([0-9a-f]{12})\.tsv\.gz")
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_ARRIVED = "What arrived is kept, and the next run goes on behind it."
_RESUMED = f"{KEPT} Run again later; what arrived is kept and the next run goes on behind it."


class _TransferError(RetriableSyncError):
    """A transfer that a second try may complete."""


class _GivenUpError(DumpError):
    """A transfer that several tries have not completed."""


class Copies(DumpSource):
    """What becomes of the copies of dump files that lie in a folder of the tap's own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @override
    def discard(self, path: Path) -> None:
        with writing(path):  # some file systems need space to delete
            path.unlink(missing_ok=True)
            _note_of(path).unlink(missing_ok=True)

    @override
    def handed(self, path: Path, sha256: str) -> Path:
        mark = f".{sha256[:_NAMED_DIGITS]}{_SUFFIX}"
        if path.name.endswith(mark):
            return path
        handed = path.with_name(path.name.removesuffix(_SUFFIX) + mark)
        with writing(handed):
            if _note_of(path).exists():
                _note_of(path).replace(_note_of(handed))
            return path.replace(handed)

    @override
    def prune(self, chain: str, table: str, is_loaded: Callable[[date | None, str], bool]) -> None:
        for path in sorted(self._folder.glob(f"blockchair_*{_SUFFIX}")):
            match = _HANDED.fullmatch(path.name)
            file = next(iter(dump_files([match[1] + _SUFFIX], chain, table)), None) if match else None
            if match and file and is_loaded(file.day, match[2]):
                self.discard(path)

    @override
    def guard(self, chain: str, table: str) -> AbstractContextManager[None]:
        return locked(self._folder, chain, table)


class HostDumps(Copies):
    """Blockchair's dump host or a copy of it: index pages and files over HTTP, one request at a time."""

    def __init__(self, settings: Settings, logger: logging.Logger) -> None:
        super().__init__(settings.download_dir)
        self._settings = settings
        self._logger = logger
        self._session = web.Session()
        self._session.headers["User-Agent"] = settings.user_agent

    @override
    def listing(self, chain: str, table: str) -> Listing:
        folder = folder_of(chain, table)
        response = self._patiently(lambda: self._page(folder), self._url(folder))
        if response is None:
            # A host that has the chain but not the table is the right host.
            if self._patiently(lambda: self._page(chain), self._url(chain)) is None:
                raise self._missing(self._url(folder))
            return Listing([])
        names, sizes = index_page(response.text)
        return Listing(dump_files(names, chain, table, sizes), _http_time(response.headers.get("Date")))

    @override
    def version(self, file: DumpFile) -> Version | None:
        url = self._file_url(file)

        def head() -> Version | None:
            with self._ask("HEAD", url) as response:
                return None if response.status_code == HTTPStatus.NOT_FOUND else _version(response)

        return self._patiently(head, url)

    @override
    def fetch(self, file: DumpFile, version: Version, report: Callable[[int], object]) -> tuple[Path, Version]:
        download = _Download(self._folder / file.name, self._file_url(file), version)
        if download.finished():
            self._logger.info("%s is here already, complete; it is not downloaded again.", file.name)
            return download.path, download.version
        # A connection that breaks every now and then is no reason to give up, as long as bytes arrive.
        while True:
            before = download.best
            try:
                self._patiently(lambda: self._go_on(download, report), download.url)
            except _GivenUpError:
                if download.best <= before:
                    raise
            else:
                return download.path, download.version

    def _page(self, folder: str) -> requests.Response | None:
        with self._ask("GET", self._url(folder)) as response:
            if response.status_code == HTTPStatus.NOT_FOUND:
                return None
            _ = response.content  # read before the connection is closed
            return response

    def _go_on(self, download: _Download, report: Callable[[int], object]) -> None:
        """Stream a file to disk as the server stores it, behind what is there; its length is held against HEAD's."""
        if not download.whole():  # else the last run ended between a file's last byte and its name
            self._receive(download, report)
        with writing(download.path):
            download.finish()

    def _receive(self, download: _Download, report: Callable[[int], object]) -> None:
        with self._ask("GET", download.url, download.headers()) as response:
            if response.status_code == HTTPStatus.NOT_FOUND:
                raise self._missing(download.url)
            with writing(download.path), download.open(response) as file:
                # Not `iter_content`: it would unzip where a server labels its .gz files as a content encoding.
                for chunk in response.raw.stream(_CHUNK, decode_content=False):
                    file.write(chunk)
                    download.best = max(download.best, file.tell())
                    report(len(chunk))

    def _ask(self, method: str, url: str, headers: dict[str, str] | None = None) -> requests.Response:
        key = self._settings.dumps_key
        response = self._session.request(
            method,
            url,
            params={"key": key} if key and not url.endswith("/") else None,
            headers={"Accept-Encoding": "identity", **(headers or {})},
            stream=True,
            timeout=self._settings.timeout,
            allow_redirects=True,
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
                f"{where} answered 402: the dump host's limit is used up. {KEPT} "
                "Wait before the next run, or set dumps_key, which lifts the limit.",
            )
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            raise _TransferError(f"{where} answered {status} {response.reason}. {KEPT} Run again later.")
        if status == HTTPStatus.NOT_FOUND:
            return
        if status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}:
            key = " and dumps_key (BLOCKCHAIR_DUMPS_KEY in .env)" if self._settings.dumps_key else ""
            raise DumpError(f"{where} answered {status} {response.reason}. {KEPT} Check dumps_url{key}.")
        web.check_origin(response, self._settings.data_origin)

    @staticmethod
    def _missing(url: str) -> DumpError:
        return DumpError(f"{web.display(url)} answered 404: there is no such dump. {KEPT} Check dumps_url and chains.")

    def _url(self, folder: str) -> str:
        return f"{self._settings.dumps_url}/{folder}/"

    def _file_url(self, file: DumpFile) -> str:
        return f"{self._settings.dumps_url}/{file.folder}/{file.name}"

    def _patiently(self, action: Callable[[], _Result], url: str) -> _Result:
        """Repeat what may succeed at a second try, for a few seconds only."""
        faults = (_TransferError, urllib3.exceptions.HTTPError, *web.NETWORK_FAULTS)
        try:
            return web.patient(action, faults, lambda details: self._report(url, details))()
        except _TransferError as error:
            reason = str(error)
        except urllib3.exceptions.ReadTimeoutError:
            reason = (
                f"{web.display(url)}: nothing came for {self._settings.timeout} s, {web.TRIES} times (the setting "
                f"timeout). {_RESUMED}"
            )
        except urllib3.exceptions.ProtocolError:
            reason = f"{web.display(url)}: the transfer broke off {web.TRIES} times. {_RESUMED}"
        except faults as error:
            reason = str(web.unreachable(url, "dumps_url", error))
        raise _GivenUpError(reason)

    def _report(self, url: str, details: Any) -> None:  # noqa: ANN401 (the library's dictionary)
        again = f"trying again in {details['wait']:.1f} s (try {details['tries'] + 1} of {web.TRIES})"
        self._logger.warning("%s: the transfer failed, %s.", web.display(url), again)


class _Download:
    """A file on its way: a part, and a note saying of which version it is a part."""

    def __init__(self, path: Path, url: str, version: Version) -> None:
        self.path = path
        self.url = url
        self.version = version
        self._part = path.with_name(f"{path.name}.part")
        self.best = self._part.stat().st_size if self._resumable() else 0

    def finished(self) -> bool:
        """Whether an earlier run has this very version complete; it may have handed it over already."""
        if self.version.length is None or not _validator(self.version):
            return False
        stem = self.path.name.removesuffix(_SUFFIX)
        for path in (self.path, *sorted(self.path.parent.glob(f"{stem}.*{_SUFFIX}"))):
            if path.is_file() and path.stat().st_size == self.version.length and _read_note(path) == self._note():
                self.path = path
                return True
        return False

    def whole(self) -> bool:
        """Whether all bytes are here and only the file's name is missing."""
        return self._resumable() and self._part.stat().st_size == self.version.length

    def headers(self) -> dict[str, str]:
        """Ask for the rest only, provided that the file is still the same."""
        validator = _validator(self.version)
        if not self._resumable() or validator is None:
            return {}
        return {"Range": f"bytes={self._part.stat().st_size}-", "If-Range": validator}

    def open(self, response: requests.Response) -> BinaryIO:
        """Open the part where the answer's bytes belong."""
        if response.status_code == HTTPStatus.OK:
            found = _version(response)
            # The answer itself says which file it is: it may have been replaced since HEAD.
            self.version = found if found.etag or found.length is not None else self.version
            self._part.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._part.unlink(missing_ok=True)
            _note_of(self._part).write_text(json.dumps(self._note()))
            return self._part.open("wb")
        match = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        have = self._part.stat().st_size if self._part.exists() else 0
        if response.status_code != HTTPStatus.PARTIAL_CONTENT or not match or int(match[1]) != have:
            self._part.unlink(missing_ok=True)
            raise _TransferError(f"{web.display(self.url)} sent another part than asked for. {KEPT} Run again later.")
        return self._part.open("ab")

    def finish(self) -> None:
        """Count the file as complete."""
        size, expected = self._part.stat().st_size, self.version.length
        if expected is not None and size != expected:
            if size > expected:
                self._part.unlink()
            raise _TransferError(
                f"{web.display(self.url)} has {expected} bytes, but {size} arrived. {KEPT} Run again later.",
            )
        _note_of(self._part).replace(_note_of(self.path))
        self._part.replace(self.path)

    def _resumable(self) -> bool:
        return _validator(self.version) is not None and self._part.exists() and _read_note(self._part) == self._note()

    def _note(self) -> dict[str, Any]:
        return {"url": self.url, "validator": _validator(self.version), "length": self.version.length}


def _version(response: requests.Response) -> Version:
    length = response.headers.get("Content-Length")
    return Version(
        response.headers.get("ETag"),
        int(length) if length and length.isdigit() else None,
        _http_time(response.headers.get("Last-Modified")),
    )


def _validator(version: Version) -> str | None:
    """Give what If-Range may name: a strong ETag, else the time of the last change."""
    if version.etag and not version.etag.startswith("W/"):
        return version.etag
    return format_datetime(version.modified, usegmt=True) if version.modified else None


def _note_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _read_note(path: Path) -> Any:  # noqa: ANN401 (any JSON value)
    try:
        return json.loads(_note_of(path).read_text())
    except (OSError, ValueError):
        return None


def _http_time(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except ValueError:
        return None


@contextmanager
def writing(what: object, setting: str = "download_dir", *, kept: str = _ARRIVED) -> Iterator[None]:
    """Turn what the operating system refuses of a file into a sentence: a full disk before all.

    The sentence names the file or folder, the setting for its place, and what the next run finds. Faults of the network
    are no OSError here, urllib3 has its own for them.

    Raises:
        DumpError: The operating system refused.
    """
    try:
        yield
    except OSError as error:
        reason = f"{what} cannot be written ({error.strerror or error}). {KEPT}"
    else:
        return
    raise DumpError(f"{reason} Check {setting} and the space on its disk, then run again. {kept}".rstrip())


@contextmanager
def locked(folder: Path, chain: str, table: str) -> Iterator[None]:
    """Be the only run that uses a table's files in a folder, which is made if need be.

    The operating system frees the lock when a run ends, however it ends.

    Raises:
        DumpError: Another run holds it, or the folder takes no file.
    """
    path = folder / f"{chain}_{table}.lock"
    with writing(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        with ExitStack() as opened:
            with writing(path):
                file = opened.enter_context(path.open("ab"))
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise DumpError(
                        f"another run of the tap is using the files of {chain} {table} in {folder}. This one "
                        "stops, its bookmark where it was: run it again later, or give it a download_dir of its own.",
                    ) from None
            # The run before may have deleted the file between its opening and its locking here.
            if not _is(path, file.fileno()):
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
