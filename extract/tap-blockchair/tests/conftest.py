"""Fixtures: the real samples, the simulator, and the tap run in-process."""

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
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, unquote_plus, urlsplit

import pytest
import requests
from typing_extensions import override

from tap_blockchair import schemas
from tap_blockchair.chains import CHAINS
from tap_blockchair.tap import TapBlockchair
from tap_blockchair.web import Session

PROJECT = Path(__file__).resolve().parents[3]
TINY = ["--days=2", "--blocks-per-day=6", "--transactions-per-block=4"]
# Named in its registry as in the tap's.
SIMULATED = [
    chain
    for chain in CHAINS
    if f'"{chain}"' in (PROJECT / "plugins/simulator/simulator/blockchair/chains.py").read_text()
]
CHAIN = ["--start=2024-01-01", "--now=2024-01-03T18:40:09", "--blocks-per-day=90", "--transactions-per-block=1"]


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

    @property
    def ids(self) -> list[int]:
        """Heights of Bitcoin's blocks."""
        return [record["id"] for record in self.records("bitcoin_blocks")]

    def slices(self, stream: str | None = None) -> list[dict[str, Any]]:
        return [m["schema"]["x-unit"] for m in self.of("SCHEMA", stream) if "x-unit" in m["schema"]]

    def applied(self, stream: str, table: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The table after a loader has taken the messages, as `docs/reference/slices.md` describes it."""
        loader = Loader()
        loader.tables[stream] = list(table)
        loader.load(self)
        return loader.tables[stream]

    def bookmark(self, stream: str) -> Any:
        states = self.of("STATE")
        return states[-1]["value"]["bookmarks"].get(stream, {}).get("replication_key_value") if states else None

    @property
    def state(self) -> dict[str, Any]:
        value: dict[str, Any] = self.of("STATE")[-1]["value"]
        return value


def unpack(manifest: list[str], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Read the file of a BATCH message into records, as `docs/reference/slices.md` describes it to a loader."""
    (url,) = manifest
    content = Path(unquote(urlsplit(url).path)).read_bytes()
    part, properties = schema["x-unit"], schema["properties"]
    assert hashlib.sha256(content).hexdigest() == part["sha256"]
    header, *lines = gzip.decompress(content).decode().split("\n")
    names, rows = header.split("\t"), []
    for number, line in enumerate(lines, 2):
        fields = {name: as_json(text, properties[name]) for name, text in zip(names, line.split("\t"), strict=True)}
        rows.append({**dict.fromkeys(properties), **fields, **part["constants"], "_line": number})
    assert len(rows) == part["rows"]
    return rows


def as_json(text: str, column: dict[str, Any]) -> Any:
    """Read a dump's field by its column's schema."""
    kind = column.get("format", column["type"][0])
    if text == "\\N" or (text == "" and kind != "string"):
        return None
    if kind == "date-time":
        return text.replace(" ", "T") + "+00:00"
    return {"integer": int, "number": Decimal, "boolean": "1".__eq__, "string": str}[kind](text)


class Loader:
    """A loader in memory, as `docs/reference/slices.md` describes it: it replaces by slice, and keeps the latest state.

    Args:
        by_key: Whether a row also replaces one with the same key.
    """

    def __init__(self, *, by_key: bool = False) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {}
        self.state: dict[str, Any] | None = None
        self._by_key = by_key
        self._schemas: dict[str, dict[str, Any]] = {}

    def load(self, result: Run) -> None:
        for message in result.messages:
            self.take(message)

    def take(self, message: dict[str, Any]) -> None:
        kind, stream = message["type"], message.get("stream", "")
        rows = self.tables.setdefault(stream, [])
        if kind == "STATE":
            self.state = message["value"]
        elif kind == "SCHEMA":
            self._schemas[stream] = message
            if part := message["schema"].get("x-unit"):
                rows[:] = [row for row in rows if not self._is_replaced(row, part)]
        else:
            schema = self._schemas[stream]
            rows += [message["record"]] if kind == "RECORD" else unpack(message["manifest"], schema["schema"])
            if self._by_key:
                rows[:] = {tuple(row[name] for name in schema["key_properties"]): row for row in rows}.values()

    @staticmethod
    def _is_replaced(row: dict[str, Any], part: dict[str, Any]) -> bool:
        value, low, high = row[part["column"]], part["from"], part["to"]
        return value is not None and low <= value and (high is None or value < high)


@pytest.fixture
def loader() -> type[Loader]:
    """Makes a loader in memory."""
    return Loader


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


class Sent(NamedTuple):
    """A request of the tap."""

    method: str
    path: str
    query: str
    range: str | None


class Asked(list[Sent]):
    """The tap's requests, in order."""

    @property
    def files(self) -> list[str]:
        """Names of the files that were downloaded, or begun."""
        return [sent.path.rpartition("/")[2] for sent in self if sent.method == "GET" and sent.path.endswith(".gz")]

    @property
    def ranges(self) -> list[str]:
        return [sent.range for sent in self if sent.range]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Notes what the tap asks for in this process, whoever answers."""
    requests_made, send = Asked(), Session.send

    def noted(session: Session, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        url = urlsplit(request.url or "")
        query = unquote_plus(url.query)
        requests_made.append(Sent(request.method or "", url.path, query, request.headers.get("Range")))
        return send(session, request, **more)

    monkeypatch.setattr(Session, "send", noted)
    return requests_made


@dataclass
class Server:
    """A running simulator; that of `chain` has 90 Bitcoin blocks a day, and its clock shows 2024-01-03 18:40:09."""

    root: str

    @property
    def url(self) -> str:
        return f"{self.root}/blockchair"

    @property
    def dumps(self) -> str:
        return f"{self.root}/dumps"

    def config(self, **more: Any) -> dict[str, Any]:
        config = {"chains": ["bitcoin"], "channel": "api", "api_url": self.url, "dumps_url": self.dumps}
        return {**config, "requests_per_minute": 1000, **more}

    @cached_property
    def tip(self) -> int:
        """The height of the last block; asked before a test spoils the answers, and when the clock has moved."""
        return int(requests.get(f"{self.url}/bitcoin/blocks?limit=1", timeout=60).json()["data"][0]["id"])

    def post(self, what: str, body: Any) -> Any:
        response = requests.post(f"{self.root}/_simulator/{what}", json=body, timeout=60)
        assert response.ok, response.text
        if what == "advance":
            vars(self).pop("tip", None)
        return response.json()

    def fault(self, match: str, action: dict[str, Any], *, times: int | None = 1, **rule: Any) -> None:
        """Spoil answers; the simulator's README describes rules and actions."""
        self.post("faults", [{"match": match, "action": action, "times": times, **rule}])

    def alter(self, path: str, query: str, change: Callable[[Any], object]) -> None:
        """Let the API's answer to a query be the true one, changed."""
        answer = requests.get(f"{self.url}/{path}?{query}", timeout=60).json()
        change(answer)
        self.fault(f"/{path}$", {"body": json.dumps(answer)}, query=re.escape(query), times=None)

    def heal(self) -> None:
        requests.delete(f"{self.root}/_simulator/faults", timeout=60).raise_for_status()


@dataclass
class DumpFolder(Server):
    """The simulator's dump host, and the folder whose files it serves."""

    folder: Path
    published: int = 0

    @property
    def url(self) -> str:
        return f"{self.root}/dumps"

    @override
    def config(self, **more: Any) -> dict[str, Any]:
        return {"chains": ["bitcoin"], "channel": "dumps", "dumps_url": self.url, **more}

    def put(self, chain: str, table: str, day: str, content: bytes) -> Path:
        """Publish a day, a second after the file before; rows with the filler time are moved to that day."""
        path = self.path(chain, table, day)
        with suppress(OSError, EOFError, zlib.error):  # damaged on purpose
            text, filler = gzip.decompress(content), b"2024-01-01 00:00:00"
            if filler in text:
                moved = text.replace(filler, f"{day[:4]}-{day[4:6]}-{day[6:]} 00:00:00".encode())
                content = gzip.compress(moved, mtime=0)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.touch(path)
        return path

    def path(self, chain: str, table: str, day: str) -> Path:
        prefix = table.replace("/", "_") if "/" in table else f"{chain}_{table}"
        return self.folder / chain / table / f"blockchair_{prefix}_{day}.tsv.gz"

    def touch(self, path: Path) -> None:
        """Give a file another ETag."""
        moment = datetime(2024, 1, 6, 1, 20, tzinfo=UTC).timestamp() + self.published
        os.utime(path, (moment, moment))
        self.published += 1


@pytest.fixture(scope="session")
def _served(simulated: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("dumps")
    with simulated(*CHAIN, "--dumps-dir", str(folder)) as served:
        yield served.root, folder


@pytest.fixture
def host(_served: tuple[str, Path]) -> Iterator[DumpFolder]:
    """A simulated dump host that serves what a test puts there."""
    dumps = DumpFolder(*_served)
    yield dumps
    dumps.heal()
    for path in dumps.folder.iterdir():
        shutil.rmtree(path)


@pytest.fixture
def chain(_served: tuple[str, Path]) -> Iterator[Server]:
    """A simulated API with some 250 Bitcoin blocks."""
    served = Server(_served[0])
    assert 200 < served.tip < 260
    yield served
    served.heal()


@pytest.fixture
def own_chain(simulated: Callable[..., Any]) -> Iterator[Server]:
    """The same API for a test that moves the clock."""
    with simulated(*CHAIN) as served:
        yield served


@pytest.fixture
def envelope() -> Callable[..., dict[str, Any]]:
    """Wraps data of an answer made by hand, observed at 2024-05-06 07:08:09."""

    def wrap(data: Any, **context: Any) -> dict[str, Any]:
        return {"data": data, "context": {"code": 200, "cache": {"since": "2024-05-06 07:08:09"}, **context}}

    return wrap


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads of one test are not found by the next, nor by the user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries at once: what is tested is that they happen, not how long they take."""
    monkeypatch.setattr("backoff._sync.time.sleep", lambda _seconds: None)


@pytest.fixture(params=SIMULATED)
def simulated_chain(request: pytest.FixtureRequest) -> str:
    """Each chain that the simulator has."""
    return str(request.param)


@pytest.fixture(scope="session")
def _world(simulated: Callable[..., Any]) -> Iterator[Server]:
    with simulated(*TINY, f"--chains={','.join(SIMULATED)}") as served:
        yield served


@pytest.fixture
def simulator(_world: Server) -> Iterator[Server]:
    """A tiny simulated world of more than the usual chains."""
    yield _world
    _world.heal()


@pytest.fixture
def own_simulator(simulated: Callable[..., Any]) -> Iterator[Server]:
    """A tiny world whose chain or files are changed for good."""
    with simulated(*TINY) as served:
        yield served


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., AbstractContextManager[Server]]:
    """Runs a simulator of another world."""
    return contextmanager(partial(_simulated, tmp_path_factory))


def _simulated(tmp_path_factory: pytest.TempPathFactory, *world: str) -> Iterator[Server]:
    program = shutil.which("simulator")
    if not program:
        _absent("the simulator is not installed beside the tap")
        return
    place = ("--state-dir", str(tmp_path_factory.mktemp("simulator")))
    # Of this era, because later blocks have no uncles.
    odd = ("--ethereum-era", "london", "--quirks", "duplicate-outputs,nonce-strings,cache-ignore,past-update")
    subprocess.run([program, "start", *place, "--no-env-file", *odd, *world], check=True, capture_output=True)
    try:
        status = subprocess.run([program, "status", *place, "--json"], check=True, capture_output=True)
        yield Server(json.loads(status.stdout)["url"])
    finally:
        subprocess.run([program, "stop", *place], check=True, capture_output=True)
