"""What the tests rest on: servers of their own, processes that end, and messages that say what they are taken for."""

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


class TestDatabase:
    """One story in order: what one test leaves in the database, and a loader that runs, the next one does not find."""

    loader: int
    session: psycopg.Connection[Any]

    def test_leaves_all_it_can(self, start_loader: Any, feed: Any, database: Any, trades: Any) -> None:
        feed([*trades.loaded(DAY, [["1", "n", f"{DAY} 00:00:00", "1", "1", "0"]]), trades.schema()])
        assert database.tables() == ["load_ledger", "load_locks", "trades", "trades_p2024_02"]
        for statement in (
            "create schema another; create view another.seen as select * from raw_data.trades",
            "create table public.mine ()",
            "grant create on database test to loader",
            "alter role loader set timezone to 'America/New_York'",
            "alter role loader in database test set timezone to 'America/New_York'",
            "alter database test set timezone to 'America/New_York'",
        ):
            database.query(statement)
        loader = start_loader()
        loader.stdin.write(json.dumps(trades.schema()) + "\n")
        loader.stdin.flush()
        type(self).loader = loader.pid
        type(self).session = database.server.connect("test")

    def test_finds_nothing(self, database: Any) -> None:
        with pytest.raises(psycopg.OperationalError):
            self.session.execute("select 1")
        self.session.close()
        with pytest.raises(ProcessLookupError):
            os.kill(self.loader, 0)
        assert database.tables() == []
        found = {
            "schemas": "select nspname from pg_namespace where nspname !~ '^pg_|^information_schema$' order by 1",
            "tables": "select relname from pg_class where relnamespace = 'public'::regnamespace",
            "settings": "select setconfig from pg_db_role_setting",
            "rights": "select 1 where has_database_privilege('loader', 'test', 'create')",
        }
        assert {what: database.query(query) for what, query in found.items()} == {
            "schemas": [("public",), ("raw_data",)],
            "tables": [],
            "settings": [],
            "rights": [],
        }


def test_a_day_s_messages_are_those_of_a_tap(stream: Any) -> None:
    lines = [["1", "n", f"{DAY} 00:00:00", "1", "1", "0"], ["2", "", f"{DAY} 23:59:59", "2", "0", r"\N"]]

    schema, batch = stream.loaded(DAY, lines, sha256="a")

    stream_slice = schema["schema"]["x-unit"]
    start, stop = (datetime.fromisoformat(stream_slice[name]) for name in ("from", "to"))
    assert (start, stop - start) == (datetime(2024, 2, 29, tzinfo=UTC), timedelta(days=1))
    assert (stream_slice["id"], stream_slice["rows"], stream_slice["sha256"]) == (f"{stream.stream}/{DAY}", 2, "a")
    assert ("x-partition" in schema["schema"]) is stream.is_partitioned
    assert {stream_slice["column"], *schema["key_properties"]} <= schema["schema"]["properties"].keys()
    (url,) = batch["manifest"]
    header, *rows = gzip.decompress(Path(urlsplit(url).path).read_bytes()).decode().split("\n")
    assert header.split("\t") == list(stream.HEADER)
    assert [row.split("\t") for row in rows] == lines
    record = stream.record(7, f"{DAY}T00:00:00Z", flag=1)["record"]
    assert record.keys() <= schema["schema"]["properties"].keys()
    assert (record["height"], record["at"], record["flag"]) == (7, f"{DAY}T00:00:00Z", 1)
