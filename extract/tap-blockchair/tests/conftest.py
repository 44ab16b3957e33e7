"""Fixtures: the real samples, a dump host and an API on a local port, the simulator, and the tap run in-process."""

# ruff: noqa: ANN401 (JSON values)

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import zlib
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug import Request, Response

from tap_blockchair import schemas
from tap_blockchair.tap import TapBlockchair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_httpserver import HTTPServer

PROJECT = Path(__file__).resolve().parents[3]


def _absent(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, and CI must run these tests")
    pytest.skip(what)


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of real samples."""
    folder = Path(os.environ.get("SAMPLES_DIR") or PROJECT.parent / "shared" / "samples")
    if not folder.is_dir():
        _absent(f"no samples at {folder}: set SAMPLES_DIR")
    return folder / "blockchair"


@pytest.fixture
def answer(samples: Path) -> Callable[[str], dict[str, Any]]:
    """Reads a documented API answer, with exact numbers, by its number."""

    def read(number: str) -> dict[str, Any]:
        (path,) = (samples / "api").glob(f"{number}_*.json")
        response: dict[str, Any] = json.loads(path.read_text(), parse_float=Decimal)["response"]
        return response

    return read


@dataclass
class Run:
    """What a run of the tap wrote."""

    lines: list[str]
    error: Exception | None = None
    messages: list[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.messages = [json.loads(line, parse_float=Decimal) for line in self.lines]

    def of(self, kind: str, stream: str | None = None) -> list[dict[str, Any]]:
        return [m for m in self.messages if m["type"] == kind and stream in {None, m.get("stream")}]

    def records(self, stream: str) -> list[dict[str, Any]]:
        return [message["record"] for message in self.of("RECORD", stream)]

    def bookmark(self, stream: str) -> Any:
        states = self.of("STATE")
        return states[-1]["value"]["bookmarks"].get(stream, {}).get("replication_key_value") if states else None

    @property
    def state(self) -> dict[str, Any]:
        value: dict[str, Any] = self.of("STATE")[-1]["value"]
        return value


@pytest.fixture
def run() -> Callable[..., Run]:
    """Runs the tap in this process; an error is kept beside what was written before it."""

    def run_tap(
        config: dict[str, Any],
        *,
        state: dict[str, Any] | None = None,
        select: tuple[str, ...] = (),
        deselect: tuple[str, ...] = (),
    ) -> Run:
        stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        error = None
        with redirect_stdout(stdout):
            catalog = None
            if select:
                catalog = TapBlockchair(config=dict(config)).catalog_dict
                for entry in catalog["streams"]:
                    for part in entry["metadata"]:
                        if not part["breadcrumb"]:
                            part["metadata"]["selected"] = entry["tap_stream_id"] in select
                        elif part["breadcrumb"][-1] in deselect:
                            part["metadata"]["selected"] = False
            try:
                TapBlockchair(config=dict(config), state=state, catalog=catalog).sync_all()
            except Exception as fault:  # noqa: BLE001 (the tests look at it)
                error = fault
        stdout.seek(0)
        return Run(stdout.read().splitlines(), error)

    return run_tap


@pytest.fixture
def gz() -> Callable[..., bytes]:
    """Writes a dump file: a header, rows, no newline at the end."""

    def pack(header: str, *rows: str) -> bytes:
        return gzip.compress("\n".join((header, *rows)).encode(), mtime=0)

    return pack


@pytest.fixture
def blocks(gz: Callable[..., bytes]) -> Callable[..., bytes]:
    """Writes a Bitcoin blocks day with these heights."""

    def pack(*heights: int, chain: str = "bitcoin") -> bytes:
        filler = {"i": "1", "n": "1", "s": "ab", "t": "2024-01-01 00:00:00", "b": "1", "p": "-1"}
        columns = schemas.chain_table(chain, "blocks").columns
        filled = ((str(height) if c.name == "id" else filler[c.kind.value] for c in columns) for height in heights)
        return gz("\t".join(column.name for column in columns), *map("\t".join, filled))

    return pack


@dataclass
class DumpHost:
    """A dump host on a local port."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    queries: list[str] = field(default_factory=list)
    salt: str = ""
    gets: list[str] = field(default_factory=list)
    request: Request = field(init=False)
    ranges: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)
    unlisted: set[str] = field(default_factory=set)
    # Answers in place of a file, by path; each is used once, the last one for ever.
    instead: dict[str, list[Callable[[], Response]]] = field(default_factory=dict)

    def put(self, chain: str, table: str, day: str, content: bytes) -> str:
        """Publish a day; rows with the filler time are moved to that day."""
        name = f"{chain}/{table}/blockchair_{chain}_{table}_{day}.tsv.gz"
        self.files[name] = self.stamped(content, day)
        return name

    @staticmethod
    def stamped(content: bytes, day: str) -> bytes:
        try:
            text = gzip.decompress(content)
        except (OSError, EOFError, zlib.error):  # damaged on purpose
            return content
        moved = text.replace(b"2024-01-01 00:00:00", f"{day[:4]}-{day[4:6]}-{day[6:]} 00:00:00".encode())
        return content if moved == text else gzip.compress(moved, mtime=0)

    def serve(self, request: Request) -> Response:
        path = request.path.removeprefix("/dumps/")
        self.queries.append(request.full_path)
        self.request = request
        if path in self.instead and request.method == "GET":
            waiting = self.instead[path]
            return (waiting.pop(0) if len(waiting) > 1 else waiting[0])()
        if path in self.files:
            return self.file(path, request)
        if path.endswith("/"):
            names = [
                name.rpartition("/")[2] for name in self.files if name.startswith(path) and name not in self.unlisted
            ]
            if not names:
                return Response("<html>404 Not Found</html>", status=404, content_type="text/html")
            rows = "".join(f'<tr><td><a href="{name}">{name}</a></td><td>2K</td></tr>' for name in names)
            page = f'<html><body><a href="../">..</a><table>{rows}</table></body></html>'
            return Response(page, content_type="text/html", headers=self.headers)
        return Response("<html>404 Not Found</html>", status=404, content_type="text/html")

    def etag(self, path: str) -> str:
        return f'"{hashlib.md5(self.files[path]).hexdigest()}{self.salt}"'  # noqa: S324 (a validator)

    def file(self, path: str, request: Request) -> Response:
        content, etag = self.files[path], self.etag(path)
        modified = "Sat, 06 Jan 2024 01:20:00 GMT"
        headers = {"ETag": etag, "Last-Modified": modified, **self.headers}
        start, status = 0, 200
        if request.method == "GET":
            self.gets.append(path)
            if "Range" in request.headers:
                self.ranges.append(request.headers["Range"])
                if request.headers.get("If-Range") == etag:
                    start, status = int(request.headers["Range"].removeprefix("bytes=").rstrip("-")), 206
                    self.resumed.append(path)
                    headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return Response(content[start:], status=status, content_type="application/octet-stream", headers=headers)


@pytest.fixture
def host(httpserver: HTTPServer) -> DumpHost:
    dumps = DumpHost(httpserver.url_for("/dumps"))
    httpserver.expect_request(re.compile("/dumps/.*")).respond_with_handler(dumps.serve)
    return dumps


@dataclass
class Api:
    """An API on a local port: a chain of blocks grown from one real block, and answers put there by hand."""

    url: str
    template: dict[str, Any] = field(default_factory=dict)
    tip: int = -1
    missing: set[int] = field(default_factory=set)
    more: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, Callable[[Request], Response]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    queries: list[str] = field(default_factory=list)

    def serve(self, request: Request) -> Response:
        path = request.path.removeprefix("/api/")
        self.queries.append(request.query_string.decode())
        if path in self.answers:
            return self.answers[path](request)
        return self.respond(self.blocks(request))

    def respond(self, data: Any, **context: Any) -> Response:
        cache = {"live": True, "duration": 60, "since": "2024-05-06 07:08:09", "until": "2024-05-06 07:09:09"}
        # `state` runs ahead of the table, as it may.
        body = {"data": data, "context": {"code": 200, "state": self.tip + 7, "cache": cache, **context}}
        text = json.dumps(body, default=lambda value: {"__decimal__": str(value)})
        text = re.sub(r'\{"__decimal__": "([^"]+)"\}', r"\1", text)
        return Response(text, content_type="application/json", headers=self.headers)

    def blocks(self, request: Request) -> list[dict[str, Any]]:
        """Rows of 144 blocks a day from 2024-01-01, in the grammar the tap uses."""
        q, limit = request.args.get("q", ""), int(request.args.get("limit", 10))
        ids = [height for height in range(self.tip + 1) if height not in self.missing]
        if match := re.fullmatch(r"id\((\d+)\.\.(\d+)\)", q):
            ids = [height for height in ids if int(match[1]) <= height <= int(match[2])]
        elif match := re.fullmatch(r"id\((\d+)\)", q):
            ids = [height for height in ids if height == int(match[1])]
        elif match := re.fullmatch(r"time\(2024-01-(\d\d)\.\.\)", q):
            ids = [height for height in ids if height >= (int(match[1]) - 1) * 144]
        elif match := re.fullmatch(r"time\(\.\.2024-01-(\d\d)\)", q):
            ids = [height for height in ids if height < int(match[1]) * 144]
        else:
            assert not q, q
        if request.args.get("s", "id(desc)") == "id(desc)":
            ids.reverse()

        def row(height: int) -> dict[str, Any]:
            time = f"2024-01-{height // 144 + 1:02} 00:00:00"
            return {**self.template, "id": height, "hash": f"{height:064x}", "time": time, **self.more}

        return [row(height) for height in ids[:limit]]


@pytest.fixture
def api(httpserver: HTTPServer) -> Api:
    served = Api(httpserver.url_for("/api"))
    httpserver.expect_request(re.compile("/api/.*")).respond_with_handler(served.serve)
    return served


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads of one test are not found by the next, nor by the user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries at once: what is tested is that they happen, not how long they take."""
    monkeypatch.setattr("backoff._sync.time.sleep", lambda _seconds: None)


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A tiny simulated world; gives the server's URL."""
    yield from _simulated(tmp_path_factory)


@pytest.fixture
def own_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A world of the test's own, in which files can be replaced for good."""
    yield from _simulated(tmp_path_factory)


@pytest.fixture
def denser_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A world of the test's own with two blocks an hour, so that reorganisations stay within a day."""
    yield from _simulated(tmp_path_factory, "--blocks-per-day", "48", "--transactions-per-block", "2")


def _simulated(tmp_path_factory: pytest.TempPathFactory, *more: str) -> Iterator[str]:
    program = shutil.which("simulator")
    if not program:
        _absent("the simulator is not installed beside the tap")
        return
    place = ("--state-dir", str(tmp_path_factory.mktemp("simulator")))
    size = ("--days", "2", "--blocks-per-day", "6", "--transactions-per-block", "4")
    # Of this era, because later blocks have no uncles.
    size += ("--ethereum-era", "london", "--quirks", "duplicate-outputs,nonce-strings,cache-ignore,past-update")
    subprocess.run([program, "start", *place, "--no-env-file", *size, *more], check=True, capture_output=True)
    try:
        status = subprocess.run([program, "status", *place, "--json"], check=True, capture_output=True)
        yield json.loads(status.stdout)["url"]
    finally:
        subprocess.run([program, "stop", *place], check=True, capture_output=True)
