"""A server that answers no more does not hold the loader; one that is at work does."""

# ruff: noqa: ANN401 - fixtures, whose classes live in conftest, which tests do not import

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa

from target_postgres_copy.errors import SilenceError
from target_postgres_copy.settings import KEEPALIVES
from target_postgres_copy.target import TargetPostgresCopy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DAY = "2024-01-09"
WAITS = "select 1 from pg_locks where not granted and waitstart < clock_timestamp() - interval '{} s'"


def rows(trades: Any, height: int) -> list[dict[str, Any]]:
    opening = trades.schema(trades.heights(1, None))
    return [opening, trades.record(height, f"{DAY}T12:00:00Z"), trades.schema()]


def wait_until(is_so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


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
def test_a_proxy_that_stops_forwarding(  # noqa: PLR0913, PLR0917 - fixtures
    feed: Any,
    database: Any,
    trades: Any,
    freezing_proxy: Any,
    caplog: pytest.LogCaptureFixture,
    but_last: bool,  # noqa: FBT001
) -> None:
    """Where new connections pass, the server says that it has answered long ago."""
    feed(rows(trades, 1))

    def freeze() -> None:
        if but_last:  # when the look at the server's locks has its connection
            wait_until(lambda: "Waiting for table raw_data.trades_p2024_01" in caplog.text)
        else:
            wait_until(lambda: database.query(WAITS.format(0)))
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

    with lock_held_until(database, lambda: wait_until(lambda: database.query(WAITS.format(3)))):
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
