"""The dump host over HTTP: index pages, HEAD, validators and ranges (contract 6.1 and 6.2)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from html import escape
from typing import TYPE_CHECKING, Final

from fastapi import Response
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse

from simulator.vendors import error_page

if TYPE_CHECKING:
    from starlette.datastructures import Headers

    from simulator.blockchair.dump_files import DumpFile, DumpStore

_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")
_KIBI: Final = 1024
_MEDIA_TYPE: Final = "application/octet-stream"


class DumpHost:
    """Answers requests for index pages and files."""

    def __init__(self, store: DumpStore) -> None:
        self._store = store

    def answer(self, path: str, headers: Headers, now: datetime, *, head: bool = False) -> Response:
        """The response to GET or HEAD."""
        parts = path.split("/")
        if parts[-1] and len(parts) > 2:  # noqa: PLR2004 - chain, table, file
            file = self._store.find(parts[0], "/".join(parts[1:-1]), parts[-1], now)
            return _not_found() if file is None else _serve(file, headers, head=head)
        folder = tuple(part for part in parts if part)
        listed = self._listing(folder, now)
        if listed is None:
            return _not_found()
        if path and not path.endswith("/"):
            return RedirectResponse(f"{parts[-1]}/", status_code=301)
        return HTMLResponse(_index(path, listed))

    def _listing(self, folder: tuple[str, ...], now: datetime) -> list[tuple[str, str, str]] | None:
        """Name, date and rounded size of what a folder holds; None where there is no such folder."""
        tables = self._store.tables()
        if folder and (folder[0], "/".join(folder[1:])) in tables:
            return [
                (file.name, f"{datetime.fromtimestamp(file.modified, UTC):%d-%b-%Y %H:%M}", _rounded(file.size))
                for file in self._store.files(folder[0], "/".join(folder[1:]), now)
            ]
        paths = [(chain, *table.split("/")) for chain, table in tables]
        below = {path[len(folder)] for path in paths if path[: len(folder)] == folder and len(path) > len(folder)}
        return [(f"{name}/", "", "-") for name in sorted(below)] or None


def etag_of(file: DumpFile) -> str:
    """The validator, made as nginx makes it: time and size in hex."""
    return f'"{file.modified:x}-{file.size:x}"'


def _serve(file: DumpFile, headers: Headers, *, head: bool) -> Response:
    etag = etag_of(file)
    modified = format_datetime(datetime.fromtimestamp(file.modified, UTC), usegmt=True)
    about = {"ETag": etag, "Last-Modified": modified, "Accept-Ranges": "bytes"}
    if "if-match" in headers and headers["if-match"] != "*" and etag not in _listed(headers["if-match"]):
        return Response(status_code=412, headers=about)
    if "if-none-match" in headers and etag in _listed(headers["if-none-match"]):
        return Response(status_code=304, headers=about)
    start, stop, status = 0, file.size, 200
    if "range" in headers and _still(headers.get("if-range"), etag, file.modified):
        wanted = _range(headers["range"], file.size)
        if wanted is not None:
            start, stop = wanted
            if start >= stop:
                return Response(status_code=416, headers={**about, "Content-Range": f"bytes */{file.size}"})
            status = 206
            about["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
    about["Content-Length"] = str(stop - start)
    if head:
        return Response(status_code=status, headers=about, media_type=_MEDIA_TYPE)
    return StreamingResponse(file.read(start, stop), status, about, media_type=_MEDIA_TYPE)


def _listed(header: str) -> list[str]:
    return [one.strip() for one in header.split(",")]


def _still(condition: str | None, etag: str, modified: int) -> bool:
    """Whether the part that a client has belongs to this very file (If-Range)."""
    if condition is None or condition.startswith(('"', "W/")):
        return condition is None or condition == etag
    try:
        return int(parsedate_to_datetime(condition).timestamp()) == modified
    except ValueError:
        return False


def _range(header: str, size: int) -> tuple[int, int] | None:
    """Start and stop of one range; empty where nothing of it exists, None for what is ignored: several, or nonsense."""
    match = _RANGE.fullmatch(header.strip())
    if match is None or match[1] == match[2] == "":
        return None
    if not match[1]:
        return max(size - int(match[2]), 0), size if int(match[2]) else 0
    if match[2] and int(match[2]) < int(match[1]):
        return None
    return int(match[1]), min(int(match[2]) + 1, size) if match[2] else size


def _rounded(size: int) -> str:
    for unit in ("", "K", "M"):
        if size < _KIBI:
            return f"{size}{unit}"
        size = round(size / _KIBI)
    return f"{size}G"


def _index(path: str, listed: list[tuple[str, str, str]]) -> str:
    title = escape(f"Index of /{path}")
    rows = "".join(
        f'<a href="{escape(name)}">{escape(name)}</a> {date:>{max(1, 70 - len(name))}} {size:>8}\n'
        for name, date, size in listed
    )
    return (
        f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1><hr><pre>"
        f'<a href="../">../</a>\n{rows}</pre><hr></body>\n</html>\n'
    )


def _not_found() -> Response:
    return HTMLResponse(error_page(404), 404)
