"""A private PostgreSQL server with the settings of the project's own warehouse."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from loader_speed.errors import BenchError

# The warehouse's server as it is, whichever release serves it; its class makes one of the embedded release only.
from warehouse.cluster import SETTINGS, find_binaries
from warehouse.errors import WarehouseError
from warehouse.identity import choose_identity

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
SCHEMA = "raw_data"
LOADER = "loader"
_SECONDS = 300


@dataclass(frozen=True)
class Server:
    """A running server; the password is the superuser's and the loader's."""

    programs: Path
    port: int
    password: str

    def connect(self, database: str = "postgres", user: str = "postgres") -> psycopg.Connection[Any]:
        """Open a session in UTC that commits each statement."""
        return psycopg.connect(
            host=HOST,
            port=self.port,
            user=user,
            password=self.password,
            dbname=database,
            autocommit=True,
            options="-c timezone=UTC",
        )

    def release(self) -> str:
        """The server's version, such as `18.6`."""
        with self.connect() as connection:
            row = connection.execute("show server_version").fetchone()
        return str(row[0]).split()[0] if row else "unknown"

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """An empty database with a schema for raw tables that belongs to the loader; dropped at the end."""
        with self.connect() as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            grant = "grant create on database {} to {}"  # dlt's merge makes a schema for staging
            connection.execute(sql.SQL(grant).format(sql.Identifier(name), sql.Identifier(LOADER)))
        with self.connect(name) as connection:
            made = sql.SQL("create schema {} authorization {}").format(sql.Identifier(SCHEMA), sql.Identifier(LOADER))
            connection.execute(made)
        try:
            yield name
        finally:
            with self.connect() as connection:
                connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

    def settle(self, database: str) -> None:
        """Bring a database to rest, so that a measured load pays for nothing that came before it."""
        with self.connect(database) as connection:
            connection.execute("vacuum (analyze)")
            connection.execute("checkpoint")


@contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """Make a cluster in an empty folder, which the caller deletes, serve it, stop it.

    The programs are those that POSTGRES_BIN names, else the embedded ones.
    """
    data, password_file, log = folder / "data", folder / "password", folder / "server.log"
    folder.mkdir(parents=True)
    try:
        named = os.environ.get("POSTGRES_BIN")
        programs = Path(named) if named else find_binaries()
        identity = choose_identity(data)
    except WarehouseError as error:
        raise BenchError(str(error)) from error
    password = secrets.token_urlsafe(12)
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    data.mkdir(mode=0o700)
    for path in (folder, data, password_file):
        identity.give(path)

    def call(program: str, *arguments: str) -> None:
        with log.open("a") as said:  # to a file: a server started here would keep a pipe open
            done = subprocess.run(
                [*identity.prefix, str(programs / program), "-D", str(data), *arguments],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd="/",
                timeout=_SECONDS,
            )
        if done.returncode != 0:
            last = "\n".join(f"  {line}" for line in log.read_text(errors="replace").splitlines()[-5:])
            raise BenchError(f"PostgreSQL's {program} in {programs} failed:\n{last}")

    call("initdb", "-U", "postgres", "--auth=scram-sha-256", f"--pwfile={password_file}", "-E", "UTF8", "--no-locale")
    password_file.unlink()
    with (data / "postgresql.conf").open("a") as conf:
        conf.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    options = f"-p {port} -c listen_addresses={HOST} -c unix_socket_directories=''"
    call("pg_ctl", "-w", "-l", str(folder / "postgres.log"), "-o", options, "start")
    server = Server(programs, port, password)
    try:
        with server.connect() as connection:
            made = sql.SQL("create role {} login password {}").format(sql.Identifier(LOADER), sql.Literal(password))
            connection.execute(made)
        yield server
    finally:
        call("pg_ctl", "-w", "-m", "fast", "stop")
