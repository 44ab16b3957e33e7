"""A load that waits logs for whom, and does not wait for ever: for a lock, or for a server that answers no more."""

from __future__ import annotations

import os
import queue
import select
import socket
import struct
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa

from target_postgres_copy.errors import LockTimeoutError, SessionError, SilenceError
from target_postgres_copy.settings import KEEPALIVES
from target_postgres_copy.target import TargetPostgresCopy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DAY = "2024-01-09"
HELD = {
    "begin; select from raw_data.load_locks where name = 'trades_p2024_01' for update": (
        "another loader's work on trades_p2024_01, held by"
    ),
    "begin; lock table raw_data.trades_p2024_01 in exclusive mode": "table raw_data.trades_p2024_01",
    "begin; update raw_data.trades set amount = 7": "rows that another transaction writes",
}


def rows(trades: Any, height: int) -> list[dict[str, Any]]:
    opening = trades.schema(trades.heights(1, None))
    return [opening, trades.record(height, f"{DAY}T12:00:00Z"), trades.schema()]


@pytest.mark.parametrize("statement", HELD)
def test_a_wait_ends_and_names_the_holder(feed: Any, database: Any, trades: Any, statement: str) -> None:
    feed(rows(trades, 1))
    with database.server.connect(database.name) as other:
        other.execute("set application_name to 'nightly report'")
        other.execute(statement)

        with pytest.raises(LockTimeoutError) as caught:
            feed(rows(trades, 2), lock_timeout=4)

        reported = str(caught.value)
        assert reported.startswith("waited 4 s (the setting lock_timeout) for ")
        assert HELD[statement] in reported
        assert f"held by pid {other.info.backend_pid} (role postgres, application nightly report," in reported
    assert database.query("select height from raw_data.trades") == [(1,)]


def test_a_wait_is_logged_while_it_lasts(
    feed: Any, database: Any, trades: Any, caplog: pytest.LogCaptureFixture
) -> None:
    feed(rows(trades, 1))
    with database.server.connect(database.name) as other:
        other.execute("begin; lock table raw_data.trades_p2024_01 in exclusive mode")
        loading = threading.Thread(target=feed, args=[rows(trades, 2)], kwargs={"lock_timeout": 60})
        loading.start()
        database.wait_until(lambda: f"held by pid {other.info.backend_pid} " in caplog.text)
        other.execute("rollback")
        loading.join(60)
    assert database.query("select height from raw_data.trades") == [(2,)]
    assert caplog.text.count("Waiting for table raw_data.trades_p2024_01") == 1


@contextmanager
def pooler(database: Any, *, keeps: bool) -> Iterator[int]:
    """What pgbouncer does: sessions that are logged in already are lent to clients, for good or for a transaction.

    A client is given the number of no process of the server.
    """
    with ExitStack() as opened:
        done = threading.Event()
        free: queue.LifoQueue[socket.socket] = queue.LifoQueue()
        for _ in range(4):
            session = database.server.connect(database.name, user="loader")
            opened.callback(session.close)
            free.put(opened.enter_context(socket.socket(fileno=os.dup(session.fileno()))))
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        threads: list[threading.Thread] = []

        def serve() -> None:
            while not done.is_set():
                if select.select([listener], [], [], 0.05)[0]:
                    threads.append(threading.Thread(target=lend, args=[listener.accept()[0], free, done, keeps]))
                    threads[-1].start()

        threads.append(threading.Thread(target=serve))
        threads[0].start()
        try:
            yield listener.getsockname()[1]
        finally:
            done.set()
            for thread in threads:
                thread.join(60)


def lend(client: socket.socket, free: queue.Queue[socket.socket], done: threading.Event, keeps: bool) -> None:
    """Serve one client by PostgreSQL's protocol, version 3."""
    with client:
        while (start := exactly(client, 8))[4:] != struct.pack("!i", 196_608):  # it asks for encryption first
            client.sendall(b"N")
        exactly(client, struct.unpack("!i", start[:4])[0] - 8)
        client.sendall(message(b"R", struct.pack("!i", 0)))
        for name, value in {"server_encoding": "UTF8", "client_encoding": "UTF8", "server_version": "15.0"}.items():
            client.sendall(message(b"S", f"{name}\0{value}\0".encode()))
        client.sendall(message(b"K", struct.pack("!ii", 999_999_999, 1)) + message(b"Z", b"I"))
        server: socket.socket | None = None
        while not done.is_set():
            ready = select.select([client, *([server] if server else [])], [], [], 0.05)[0]
            if client in ready:
                sent = whole(client)
                if sent[:1] in (b"X", b""):
                    break
                server = server or free.get(timeout=60)
                server.sendall(sent)
            elif server in ready:
                assert server is not None
                answer = whole(server)
                client.sendall(answer)
                if answer == message(b"Z", b"I") and not keeps:
                    free.put(server)
                    server = None
        if server is not None:
            free.put(server)


def message(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("!i", len(content) + 4) + content


def whole(sender: socket.socket) -> bytes:
    """Read one message; nothing where the sender has gone."""
    head = exactly(sender, 5)
    return head + exactly(sender, struct.unpack("!i", head[1:])[0] - 4) if head else b""


def exactly(sender: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = sender.recv(size - len(found))
        if not part:
            return b""
        found += part
    return found


def test_a_pooler_that_changes_sessions_is_refused(feed: Any, database: Any, trades: Any) -> None:
    with (
        pooler(database, keeps=False) as port,
        pytest.raises(SessionError, match=rf"127\.0\.0\.1:{port} is a connection pooler .*pool_mode session"),
    ):
        feed(rows(trades, 1), port=port)
    assert database.tables() == []


def test_a_pooler_that_keeps_sessions_is_not(feed: Any, database: Any, trades: Any) -> None:
    with pooler(database, keeps=True) as port:
        feed([*rows(trades, 1), *trades.loaded(DAY, [["2", "n", f"{DAY} 12:00:00", "1", "1", "0"]])], port=port)
    assert database.query("select height from raw_data.trades") == [(2,)]


WAITS = "select 1 from pg_locks where not granted and waitstart < clock_timestamp() - interval '{} s'"


@contextmanager
def lock_held_until(database: Any, then: Callable[[], None]) -> Iterator[None]:
    """The month of `trades` is locked until a function has ended; a load is let in by the one and meets the other."""
    with database.server.connect(database.name) as other:
        other.execute("begin; lock table raw_data.trades_p2024_01 in exclusive mode")

        def end() -> None:
            then()
            other.execute("rollback")

        thread = threading.Thread(target=end)
        thread.start()
        yield
        thread.join(60)


@pytest.mark.parametrize("but_last", [False, True], ids=["all", "the load's own"])
def test_a_proxy_that_stops_forwarding(
    feed: Any, database: Any, trades: Any, freezing_proxy: Any, caplog: pytest.LogCaptureFixture, but_last: bool
) -> None:
    """Where new connections pass, the server says that it has answered long ago."""
    feed(rows(trades, 1))

    def freeze() -> None:
        if but_last:  # when the look at the server's locks has its connection
            database.wait_until(lambda: "Waiting for table raw_data.trades_p2024_01" in caplog.text)
        else:
            database.wait_for(WAITS.format(0))
        freezing_proxy.freeze(but_last=but_last)

    with lock_held_until(database, freeze), pytest.raises(SilenceError) as caught:
        feed(rows(trades, 2), port=freezing_proxy.port, silence_timeout=4)

    place = f"127.0.0.1:{freezing_proxy.port}"
    assert f"PostgreSQL at {place} did not answer for 4 s (the setting silence_timeout); what was" in str(caught.value)
    assert caplog.text.count(f"Waiting for PostgreSQL: no answer from {place} for 2 s. This load ends after 4 s") == 1
    freezing_proxy.close()
    assert database.query("select height from raw_data.trades") == [(1,)]


def test_a_server_that_is_at_work_is_waited_for(
    feed: Any, database: Any, trades: Any, caplog: pytest.LogCaptureFixture
) -> None:
    feed(rows(trades, 1))

    with lock_held_until(database, lambda: database.wait_for(WAITS.format(3))):
        feed(rows(trades, 2), silence_timeout=2)

    assert database.query("select height from raw_data.trades") == [(2,)]
    assert "no answer" not in caplog.text


def test_a_server_that_lets_nobody_in(feed: Any, trades: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(sa.exc.OperationalError, match="timeout"):
        feed(rows(trades, 1), port=listener.getsockname()[1], connect_timeout=2)


@pytest.mark.parametrize("stated", [{}, {"silence_timeout": 0, "connect_timeout": 0}])
def test_what_the_driver_is_given(database: Any, stated: dict[str, int]) -> None:
    """PostgreSQL's own means, for a machine or a network that is gone."""
    wanted = {name: str(value) for name, value in KEEPALIVES.items()}
    wanted |= {} if stated else {"connect_timeout": "10", "tcp_user_timeout": "600000"}
    connector = TargetPostgresCopy(config=database.config(**stated)).target_connector
    with connector._engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        given = driver.info.get_parameters()
    names = {*KEEPALIVES, "connect_timeout", "tcp_user_timeout"}
    assert {name: value for name, value in given.items() if name in names and value != "0"} == {
        name: value for name, value in wanted.items() if value != "0"
    }
