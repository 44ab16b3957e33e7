"""PostgreSQL is killed or has no space during a load: a slice is the old or the new one, and the next load goes on."""

# ruff: noqa: ANN401 - fixtures, whose classes live in conftest, which tests do not import

from __future__ import annotations

import json
import os
import random
import resource
import select
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE_LIMIT = 20 << 20  # bytes; a segment of the write-ahead log has 16 MiB
LOG_LIMIT = 4 << 20
PATIENCE = 60  # seconds for what has to come about
DAY, NEXT, FEBRUARY = "2024-01-09", "2024-01-10", "2024-02-01"
ROWS = 5

# Where a load stands still: at a row in the midst of COPY, or between the last statement and the commit.
STAND_STILL = """
create function public.stand_still() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock(42);
    return new;
end $$;
"""
IN_COPY = f"""{STAND_STILL}
create trigger stand_still before insert on raw_data.trades for each row when (new.height = 13)
execute function public.stand_still()
"""
AT_COMMIT = f"""{STAND_STILL}
create constraint trigger stand_still after insert on raw_data.load_ledger deferrable initially deferred for each row
execute function public.stand_still()
"""
STANDS_STILL = "select pid from pg_stat_activity where usename = 'loader' and wait_event_type = 'Lock'"


@pytest.fixture(scope="module")
def server(start_server: Any, programs: Any) -> Any:
    """A server of this module's own, since it does not live long."""
    return start_server(programs=programs)


def lines(day: str, first: int) -> list[list[str]]:
    return [[str(n), f"n{n}", f"{day} 12:00:00", "1.5", "1", "0"] for n in range(first, first + ROWS)]


def wait_until(is_so: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "never true"
        select.select([], [], [], 0.02)


def answers(database: Any) -> bool:
    try:
        return bool(database.query("select 1"))
    except psycopg.OperationalError:
        return False


def kill(database: Any, victim: str) -> None:
    """Kill sessions of the loader, at which PostgreSQL ends all, or its first process, which is started again."""
    if victim == "session":
        for (pid,) in database.query("select pid from pg_stat_activity where usename = 'loader'"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    else:
        os.kill(int(database.server.postmaster.read_text().split()[0]), signal.SIGKILL)
        wait_until(database.server.start)  # not before the others have seen that it is dead
    wait_until(lambda: answers(database))


@pytest.mark.parametrize(
    ("victim", "trigger", "day", "is_committed"),
    [
        pytest.param("server", IN_COPY, NEXT, False, id="in the midst of COPY"),
        pytest.param("session", AT_COMMIT, FEBRUARY, False, id="before the commit of a new month"),
        pytest.param("session", AT_COMMIT, NEXT, True, id="between a commit and its answer"),
        pytest.param("server", AT_COMMIT, FEBRUARY, True, id="between a new month's commit and its answer"),
    ],
)
def test_killed(  # noqa: PLR0913, PLR0917 - fixtures
    start_loader: Any,
    feed: Any,
    database: Any,
    trades: Any,
    freezing_proxy: Any,
    tmp_path: Path,
    victim: str,
    trigger: str,
    day: str,
    is_committed: bool,  # noqa: FBT001
) -> None:
    """The loader ends in one sentence and writes no state; the next run loads the slice, or finds that it is there."""
    feed([*trades.loaded(DAY, lines(DAY, 1), sha256="a"), trades.schema()])
    messages = [*trades.loaded(day, lines(day, 11), sha256="b"), trades.schema(), {"type": "STATE", "value": {"step": 2}}]
    loader = start_loader(**({"port": freezing_proxy.port} if is_committed else {}))
    with database.server.connect(database.name) as holder:
        holder.execute("select pg_advisory_lock(42)")
        database.query("grant usage on schema public to loader;" + trigger)
        loader.stdin.writelines(json.dumps(message) + "\n" for message in messages)
        loader.stdin.flush()
        wait_until(lambda: database.query(STANDS_STILL))
        if is_committed:
            freezing_proxy.freeze()
            holder.execute("select pg_advisory_unlock(42)")
            wait_until(lambda: database.query("select 1 from raw_data.load_ledger where sha256 = 'b'"))
        kill(database, victim)
    if is_committed:
        freezing_proxy.close()

    assert loader.communicate(timeout=PATIENCE)[0] == ""
    assert loader.returncode == 1
    said = (tmp_path / "config_0.log").read_text()
    assert "Traceback" not in said
    assert said.count("| ERROR ") == said.count("The connection to PostgreSQL was lost: ") == 1, said

    counts = "select _unit, count(*), count(distinct _load_id) from raw_data.trades group by 1 order by 1"
    first, second = (f"trades/{DAY}", ROWS, 1), (f"trades/{day}", ROWS, 1)
    assert database.query(counts) == ([first, second] if is_committed else [first])

    assert json.loads(feed(messages)) == {"step": 2}

    assert database.query(counts) == [first, second]
    ledger = "select load_id, rows_loaded, rows_deleted from raw_data.load_ledger order by 1"
    assert [row[1:] for row in database.query(ledger)] == [(ROWS, 0), (ROWS, 0)]
    assert database.query("select distinct _load_id from raw_data.trades order by 1") == [
        row[:1] for row in database.query(ledger)
    ]


@pytest.mark.parametrize("day", [NEXT, FEBRUARY], ids=["into a month", "into a new month"])
def test_a_table_that_finds_no_room(  # noqa: PLR0913, PLR0917 - fixtures
    start_loader: Any, feed: Any, database: Any, trades: Any, tmp_path: Path, day: str
) -> None:
    """By a limit of the server's files, which PostgreSQL meets as it meets a full disk."""
    feed([*trades.loaded(DAY, lines(DAY, 1), sha256="a"), trades.schema()])
    dice = random.Random(1)  # noqa: S311 - nothing secret
    rows = [[str(n), dice.randbytes(900).hex(), f"{day} 12:00:00", "1.5", "1", "0"] for n in range(15_000)]
    messages = [*trades.loaded(day, rows, sha256="b"), trades.schema(), {"type": "STATE", "value": {"step": 2}}]
    postmaster = int(database.server.postmaster.read_text().split()[0])
    before = resource.prlimit(postmaster, resource.RLIMIT_FSIZE, (FILE_LIMIT, resource.RLIM_INFINITY))
    try:
        loader = start_loader()
        states, _ = loader.communicate("".join(json.dumps(message) + "\n" for message in messages), timeout=PATIENCE)
    finally:
        resource.prlimit(postmaster, resource.RLIMIT_FSIZE, before)
    assert (states, loader.returncode) == ("", 1)
    said = (tmp_path / "config_0.log").read_text()
    assert "Traceback" not in said
    assert said.count("| ERROR ") == said.count("PostgreSQL refused: could not extend file") == 1, said
    assert "Check free disk space. " in said
    assert "What was committed before is kept; put that right" in said

    counts = "select _unit, count(*) from raw_data.trades group by 1 order by 1"
    assert database.query(counts) == [(f"trades/{DAY}", ROWS)]
    assert json.loads(feed(messages)) == {"step": 2}
    assert database.query(counts) == [(f"trades/{DAY}", ROWS), (f"trades/{day}", len(rows))]


def test_a_log_that_finds_no_room(start_loader: Any, feed: Any, database: Any, trades: Any, tmp_path: Path) -> None:
    """PostgreSQL ends itself when it cannot write its write-ahead log, and does not start before there is space."""
    feed([*trades.loaded(DAY, lines(DAY, 1), sha256="a"), trades.schema()])
    # The log's present file is written beyond the limit, which no file of the table exceeds.
    database.query("select pg_switch_wal()")
    database.query("select pg_logical_emit_message(false, 'test', repeat('x', 6000000))")
    postmaster = int(database.server.postmaster.read_text().split()[0])
    resource.prlimit(postmaster, resource.RLIMIT_FSIZE, (LOG_LIMIT, resource.RLIM_INFINITY))
    messages = [*trades.loaded(NEXT, lines(NEXT, 11), sha256="b"), trades.schema(), {"type": "STATE", "value": {"step": 2}}]
    loader = start_loader()
    states, _ = loader.communicate("".join(json.dumps(message) + "\n" for message in messages), timeout=PATIENCE)
    assert (states, loader.returncode) == ("", 1)
    said = (tmp_path / "config_0.log").read_text()
    assert "Traceback" not in said
    assert said.count("| ERROR ") == 1, said
    assert "PostgreSQL has ended itself: could not write" in said or "The connection to PostgreSQL was lost: " in said
    assert "What was committed before is kept, and what was under way is loaded whole or not at all" in said

    with suppress(ProcessLookupError):  # it may have given up by itself
        os.kill(postmaster, signal.SIGKILL)
    wait_until(database.server.start)
    assert database.query("select _unit, count(*) from raw_data.trades group by 1") == [(f"trades/{DAY}", ROWS)]
    assert json.loads(feed(messages)) == {"step": 2}
    counts = "select _unit, count(*) from raw_data.trades group by 1 order by 1"
    assert database.query(counts) == [(f"trades/{DAY}", ROWS), (f"trades/{NEXT}", ROWS)]
