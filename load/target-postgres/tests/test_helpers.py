"""What the tests rest on: servers of their own, processes that end, and messages that say what they are taken for."""

# ruff: noqa: ANN401 - fixtures, whose classes live in conftest, which tests do not import

from __future__ import annotations

import gzip
import json
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

DAY = "2024-02-29"


def test_a_server_takes_another_port_where_one_is_taken(start_server: Any, server: Any, debian: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        other = start_server(programs=debian("15"), ports=[taken])
    assert other.port not in (taken, server.port)
    with other.connect() as connection:
        assert connection.info.server_version < 160000
        assert connection.execute("select 1 from pg_roles where rolname = 'loader' and not rolsuper").fetchall()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host="127.0.0.1", port=other.port, user="postgres", password="wrong", dbname="postgres")


def test_a_database_is_the_test_s_own(server: Any, database: Any) -> None:
    assert database.tables() == []
    database.query("set role loader; create table raw_data.mine ()")
    assert database.tables() == ["mine"]
    with server.connect() as connection:
        names = [name for (name,) in connection.execute("select datname from pg_database").fetchall()]
    assert database.name in names
    assert (database.config()["database"], database.config(port=1)["port"]) == (database.name, 1)


class TestWhatIsLeft:
    """One story in order: a test leaves a loader running and a database in use, and the next finds neither."""

    left: tuple[int, str]

    def test_leaves_them(self, start_loader: Any, database: Any, trades: Any) -> None:
        loader = start_loader()
        loader.stdin.write(json.dumps(trades.schema()) + "\n")
        loader.stdin.flush()
        type(self).left = (loader.pid, database.name)

    def test_finds_neither(self, server: Any) -> None:
        number, name = self.left
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)
        with server.connect() as connection:
            assert connection.execute("select 1 from pg_database where datname = %s", [name]).fetchall() == []


@pytest.fixture(params=["trades", "plain"])
def stream(request: pytest.FixtureRequest, trades: Any, plain_trades: Any) -> Any:
    return {"trades": trades, "plain": plain_trades}[request.param]


def test_a_day_s_messages_are_those_of_a_tap(stream: Any) -> None:
    lines = [["1", "n", f"{DAY} 00:00:00", "1", "1", "0"], ["2", "", f"{DAY} 23:59:59", "2", "0", r"\N"]]

    schema, batch = stream.loaded(DAY, lines, sha256="a")

    unit = schema["schema"]["x-unit"]
    start, stop = (datetime.fromisoformat(unit[name]) for name in ("from", "to"))
    assert (start, stop - start) == (datetime(2024, 2, 29, tzinfo=UTC), timedelta(days=1))
    assert (unit["id"], unit["rows"], unit["sha256"]) == (f"{stream.stream}/{DAY}", 2, "a")
    assert ("x-partition" in schema["schema"]) is stream.cut
    assert {unit["column"], *schema["key_properties"]} <= schema["schema"]["properties"].keys()
    (url,) = batch["manifest"]
    header, *rows = gzip.decompress(Path(urlsplit(url).path).read_bytes()).decode().split("\n")
    assert header.split("\t") == list(stream.HEADER)
    assert [row.split("\t") for row in rows] == lines
    record = stream.record(7, f"{DAY}T00:00:00Z", flag=1)["record"]
    assert record.keys() <= schema["schema"]["properties"].keys()
    assert (record["height"], record["at"], record["flag"]) == (7, f"{DAY}T00:00:00Z", 1)
