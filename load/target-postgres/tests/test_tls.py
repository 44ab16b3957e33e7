"""A server that lets nobody in without TLS, as Debian's PostgreSQL 15 is set up with it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

DAY, NEXT = "2024-01-09", "2024-01-10"


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate that has signed itself, and its key."""
    if shutil.which("openssl") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no openssl: install Debian's package of that name")
    public, key = folder / f"{name}.crt", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(public)]
    subprocess.run(command, check=True, capture_output=True)
    return public, key


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"), "server")


@pytest.fixture(scope="session")
def server(start_server: Any, debian: Any, authority: tuple[Path, Path]) -> Any:
    def prepare(data: Path) -> str:
        for file in authority:
            shutil.copy(file, data)
        (data / "server.key").chmod(0o600)
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
        return "-c ssl=on"

    programs = Path(named) if (named := os.environ.get("POSTGRES_BIN")) else debian("15")
    return start_server(programs=programs, prepare=prepare, sslmode="require")


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_slices_by_file_and_by_records(feed: Any, database: Any, trades: Any, authority: Any, mode: str) -> None:
    sessions: list[Any] = []

    def messages() -> Any:
        yield from trades.loaded(DAY, [["1", "n1", f"{DAY} 12:00:00", "1.5", "1", "0"]])
        yield trades.schema(trades.day(NEXT, 1))
        yield trades.record(2, f"{NEXT}T00:00:00Z")
        yield trades.schema()
        query = "select ssl, version from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'loader'"
        sessions.extend(database.query(query))

    feed(messages(), ssl_enable=True, ssl_mode=mode, ssl_certificate_authority=str(authority[0]))

    rows = database.query("select height, amount, _channel from raw_data.trades order by 1")
    assert rows == [(1, 1.5, "dumps"), (2, 2, "api")]
    assert sessions
    assert {(ssl, version >= "TLSv1.2") for ssl, version in sessions} == {(True, True)}


REFUSALS = {"disable": "no encryption", "verify-ca": "certificate verify failed"}


@pytest.mark.parametrize("mode", REFUSALS)
def test_a_refusal_is_one_sentence(
    start_loader: Any, failure: Any, database: Any, trades: Any, tmp_path: Path, mode: str
) -> None:
    """Without TLS by the server, with a certificate that a stranger has signed by the loader."""
    trusted, _ = certificate(tmp_path, "stranger")
    loader = start_loader(ssl_enable=True, ssl_mode=mode, ssl_certificate_authority=str(trusted))

    reported = failure(loader, [trades.schema()])
    assert REFUSALS[mode] in reported
    assert "PostgreSQL refused: " in reported
    assert database.server.password not in reported
    assert database.tables() == []
