"""The recipe of docs/guides/deploy.md that opens the warehouse to other machines, on Debian's PostgreSQL 15."""

import re
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import yaml

from checkout import PROJECT, clean_environ, needed
from compose import recipe, unprivileged
from waiting import free_port, wait_for

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
NAME, PASSWORD = "warehouse.example.org", "known-to-this-test"
ELSEWHERE = "127.0.0.2"  # to pg_hba.conf another machine than 127.0.0.1
TLS_REQUEST, PROTOCOL_3 = 80877103, 196608


@dataclass
class Server:
    """The server, and the file by which clients know it."""

    port: int
    authority: Path
    log: Path

    def connect(self, name: str, mode: str) -> psycopg.Connection:
        """Connect as the administrator, to an address by a name."""
        return psycopg.connect(
            host=name, hostaddr="127.0.0.1", port=self.port, user="postgres", dbname="postgres", password=PASSWORD,
            sslmode=mode, sslrootcert=str(self.authority),
        )  # fmt: skip

    def greet(self, context: ssl.SSLContext | None) -> bytes:
        """What it answers to somebody who comes from elsewhere: E is an error, R asks for the password."""
        with socket.create_connection(("127.0.0.1", self.port), 30, (ELSEWHERE, 0)) as plain:
            if context is None:
                return said(plain)
            plain.sendall(message(TLS_REQUEST))
            assert plain.recv(1) == b"S"
            with context.wrap_socket(plain, server_hostname=NAME) as secure:
                return said(secure)


def message(code: int, text: bytes = b"") -> bytes:
    return (8 + len(text)).to_bytes(4) + code.to_bytes(4) + text


def said(connection: socket.socket) -> bytes:
    connection.sendall(message(PROTOCOL_3, b"user\0postgres\0database\0postgres\0\0"))
    return connection.recv(1000)


def certificate(folder: Path) -> None:
    """A certificate that has signed itself, and its key, as the volume of the recipe holds them."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}",
         "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", "server.key", "-out", "server.crt"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    (folder / "server.key").chmod(0o600)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """PostgreSQL 15 with the command and the pg_hba.conf of the recipe."""
    there = (PROGRAMS / "postgres").is_file() and shutil.which("openssl")
    needed(there, "needs Debian's packages postgresql-15 and openssl")
    folder = tmp_path_factory.mktemp("tls")
    certificate(folder)
    rules = re.search(r"```\n(# type +database.*?)```", (PROJECT / "docs/guides/deploy.md").read_text(), re.DOTALL)
    assert rules
    (folder / "pg_hba.conf").write_text(rules[1])
    (folder / "password").write_text(PASSWORD)
    initdb = [PROGRAMS / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8"]
    subprocess.run([*unprivileged(), *initdb, f"--pwfile={folder / 'password'}"], check=True, capture_output=True)
    (service,) = yaml.safe_load(recipe("tls"))["services"].values()
    stated = " ".join(service["command"][1:])
    stated = stated.replace("/tls/", f"{folder}/").replace("/etc/postgresql/", f"{folder}/").split()
    port = free_port()
    ours = ["-clisten_addresses=127.0.0.1", "-cunix_socket_directories=", "-clog_connections=on", f"-cport={port}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*unprivileged(), PROGRAMS / "postgres", "-D", folder / "data", *stated, *ours], stdout=log, stderr=log
        )
    made = Server(port, folder / "server.crt", folder / "log")
    try:

        def is_ready() -> bool:
            assert process.poll() is None, made.log.read_text()
            return "ready to accept connections" in made.log.read_text()

        wait_for(is_ready, "the server is ready")
        yield made
    finally:
        process.terminate()
        process.wait(60)


def trusting(server: Server) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(server.authority))


def test_a_client_that_verifies_the_name_is_let_in_by_tls(server: Server) -> None:
    with server.connect(NAME, "verify-full") as connection:
        asked = "select ssl, version from pg_stat_ssl where pid = pg_backend_pid()"
        assert connection.execute(asked).fetchone() == (True, "TLSv1.3")
        ways = connection.execute("select distinct auth_method, error from pg_hba_file_rules").fetchall()
        assert ways == [("scram-sha-256", None)]
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        server.connect("another.example.org", "verify-full")


def test_who_comes_from_elsewhere_needs_tls_and_a_password(server: Server) -> None:
    refused = server.greet(None)
    assert refused.startswith(b"E")
    assert f'no pg_hba.conf entry for host "{ELSEWHERE}"'.encode() in refused
    assert b"no encryption" in refused
    asked = server.greet(trusting(server))
    assert asked.startswith(b"R")
    assert b"SCRAM-SHA-256" in asked


def test_an_older_tls_is_refused(server: Server) -> None:
    old = trusting(server)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError, match="version"):
        server.greet(old)


def test_the_warehouse_is_initialised_by_tls(server: Server, tmp_path: Path) -> None:
    named = {
        "MELTANO_PROJECT_ROOT": str(tmp_path),
        "WAREHOUSE_HOST": "127.0.0.1",
        "WAREHOUSE_PORT": str(server.port),
        "WAREHOUSE_SSLMODE": "require",
        "WAREHOUSE_ADMIN_USER": "postgres",
        "WAREHOUSE_ADMIN_PASSWORD": PASSWORD,
        **{f"{name}_PASSWORD": name for name in ("WAREHOUSE_LOADER", "WAREHOUSE_TRANSFORMER", "WAREHOUSE_BI_READER")},
        "MELTANO_DB_PASSWORD": "meltano",
    }
    (tmp_path / "meltano.yml").touch()
    done = subprocess.run(
        [sys.executable, "-m", "warehouse", "init", "--environment=prod"],
        env=clean_environ(tmp_path) | named, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    sessions = [line for line in server.log.read_text().splitlines() if "database=crypto" in line]
    assert sessions
    assert all("SSL enabled (protocol=TLSv1.3" in line for line in sessions)
