"""PostgreSQL is killed, or it or the loader lacks space or memory: a slice is the old or the new one, loads go on."""

from __future__ import annotations

import json
import os
import random
import resource
import select
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from target_postgres_copy import refusals

FILE_LIMIT = 20 << 20  # bytes; a segment of the write-ahead log has 16 MiB
LOG_LIMIT = 4 << 20
DAY, NEXT, FEBRUARY = "2024-01-09", "2024-01-10", "2024-02-01"
ROWS = 5
STATE = {"type": "STATE", "value": {"step": 2}}
COUNTS = "select _unit, count(*), count(distinct _load_id) from raw_data.trades group by 1 order by 1"

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
        database.wait_until(database.server.start)  # not before the others have seen that it is dead
    database.wait_until(lambda: answers(database))


@pytest.mark.parametrize(
    ("victim", "trigger", "day", "is_committed"),
    [
        pytest.param("server", IN_COPY, NEXT, False, id="in the midst of COPY"),
        pytest.param("session", AT_COMMIT, FEBRUARY, False, id="before the commit of a new month"),
        pytest.param("session", AT_COMMIT, NEXT, True, id="between a commit and its answer"),
        pytest.param("server", AT_COMMIT, FEBRUARY, True, id="between a new month's commit and its answer"),
    ],
)
def test_killed(
    start_loader: Any,
    failure: Any,
    feed: Any,
    database: Any,
    trades: Any,
    freezing_proxy: Any,
    victim: str,
    trigger: str,
    day: str,
    is_committed: bool,
) -> None:
    """The loader ends in one sentence and writes no state; the next run loads the slice, or finds that it is there."""
    feed([*trades.loaded(DAY, lines(DAY, 1), sha256="a"), trades.schema()])
    messages = [*trades.loaded(day, lines(day, 11), sha256="b"), trades.schema(), STATE]
    loader = start_loader(**({"port": freezing_proxy.port} if is_committed else {}))
    with database.server.connect(database.name) as holder:
        holder.execute("select pg_advisory_lock(42)")
        database.query("grant usage on schema public to loader;" + trigger)
        loader.stdin.writelines(json.dumps(message) + "\n" for message in messages)
        loader.stdin.flush()
        database.wait_for(STANDS_STILL)
        if is_committed:
            freezing_proxy.freeze()
            holder.execute("select pg_advisory_unlock(42)")
            database.wait_for("select 1 from raw_data.load_ledger where sha256 = 'b'")
        kill(database, victim)
    if is_committed:
        freezing_proxy.close()

    assert failure(loader).count("The connection to PostgreSQL was lost: ") == 1
    first, second = (f"trades/{DAY}", ROWS, 1), (f"trades/{day}", ROWS, 1)
    assert database.query(COUNTS) == ([first, second] if is_committed else [first])

    assert json.loads(feed(messages)) == {"step": 2}

    assert database.query(COUNTS) == [first, second]
    ledger = "select load_id, rows_loaded, rows_deleted from raw_data.load_ledger order by 1"
    assert [row[1:] for row in database.query(ledger)] == [(ROWS, 0), (ROWS, 0)]
    assert database.query("select distinct _load_id from raw_data.trades order by 1") == [
        row[:1] for row in database.query(ledger)
    ]


@pytest.mark.parametrize("day", [NEXT, FEBRUARY], ids=["into a month", "into a new month"])
def test_a_table_that_finds_no_space(
    start_loader: Any, failure: Any, feed: Any, database: Any, trades: Any, day: str
) -> None:
    """By a limit of the server's files, which PostgreSQL meets as it meets a full disk."""
    feed([*trades.loaded(DAY, lines(DAY, 1), sha256="a"), trades.schema()])
    dice = random.Random(1)
    rows = [[str(n), dice.randbytes(900).hex(), f"{day} 12:00:00", "1.5", "1", "0"] for n in range(15_000)]
    messages = [*trades.loaded(day, rows, sha256="b"), trades.schema(), STATE]
    postmaster = int(database.server.postmaster.read_text().split()[0])
    before = resource.prlimit(postmaster, resource.RLIMIT_FSIZE, (FILE_LIMIT, resource.RLIM_INFINITY))
    try:
        said = failure(start_loader(), messages)
    finally:
        resource.prlimit(postmaster, resource.RLIMIT_FSIZE, before)
    assert said.count("PostgreSQL refused: could not extend file") == 1, said
    assert "Check free disk space. " in said
    assert "What was committed before is kept; put that right" in said

    assert database.query(COUNTS) == [(f"trades/{DAY}", ROWS, 1)]
    assert json.loads(feed(messages)) == {"step": 2}
    assert database.query(COUNTS) == [(f"trades/{DAY}", ROWS, 1), (f"trades/{day}", len(rows), 1)]


def test_a_log_that_finds_no_space(start_loader: Any, failure: Any, feed: Any, database: Any, trades: Any) -> None:
    """PostgreSQL ends itself when it cannot write its write-ahead log, and does not start before there is space."""
    feed([*trades.loaded(DAY, lines(DAY, 1), sha256="a"), trades.schema()])
    # The log's present file is written beyond the limit, which no file of the table exceeds.
    database.query("select pg_switch_wal()")
    database.query("select pg_logical_emit_message(false, 'test', repeat('x', 6000000))")
    postmaster = int(database.server.postmaster.read_text().split()[0])
    resource.prlimit(postmaster, resource.RLIMIT_FSIZE, (LOG_LIMIT, resource.RLIM_INFINITY))
    messages = [*trades.loaded(NEXT, lines(NEXT, 11), sha256="b"), trades.schema(), STATE]
    said = failure(start_loader(), messages)
    assert "PostgreSQL has ended itself: could not write" in said or "The connection to PostgreSQL was lost: " in said
    assert "What was committed before is kept, and what was under way is loaded whole or not at all" in said

    with suppress(ProcessLookupError):  # it may have given up by itself
        os.kill(postmaster, signal.SIGKILL)
    database.wait_until(database.server.start)
    assert database.query(COUNTS) == [(f"trades/{DAY}", ROWS, 1)]
    assert json.loads(feed(messages)) == {"step": 2}
    assert database.query(COUNTS) == [(f"trades/{day}", ROWS, 1) for day in (DAY, NEXT)]


def test_no_memory(start_loader: Any, failure: Any, feed: Any, database: Any, trades: Any) -> None:
    """A slice was loaded and its state is out; a record of the next one is longer than the memory."""
    loader = start_loader()
    first = [*trades.loaded(DAY, lines(DAY, 1), sha256="a"), {"type": "STATE", "value": {"step": 1}}]
    loader.stdin.writelines(json.dumps(message) + "\n" for message in first)
    loader.stdin.flush()
    assert select.select([loader.stdout], [], [], 60)[0], "no state"
    assert json.loads(loader.stdout.readline()) == {"step": 1}
    pages = int(Path(f"/proc/{loader.pid}/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (40 << 20)
    resource.prlimit(loader.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    long = trades.record(20, f"{NEXT}T00:00:00Z", name="x" * (64 << 20))
    second = [*trades.loaded(NEXT, lines(NEXT, 11), sha256="b"), trades.schema(trades.heights(20, None))]
    rest = [*second, long, trades.schema(), {"type": "STATE", "value": {"step": 2}}]
    assert failure(loader, rest).count(refusals.MEMORY) == 1
    held = [(f"trades/{DAY}", ROWS, 1), (f"trades/{NEXT}", ROWS, 1)]
    assert database.query(COUNTS) == held
    long["record"]["name"] = "x" * 1000
    feed([*second, long, trades.schema()])
    assert database.query(COUNTS) == [*held, (None, 1, 1)]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_state_that_finds_no_space(
    start_loader: Any,
    failure: Any,
    feed: Any,
    database: Any,
    trades: Any,
    unbuffered: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is committed stays, though no state counts it; the next run leaves it as it is."""
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    messages = [
        *trades.loaded(DAY, lines(DAY, 1), sha256="a"),
        trades.schema(),
        {"type": "STATE", "value": {"step": 1}},
    ]
    with Path("/dev/full").open("w") as full:
        log = failure(start_loader(stdout=full), messages)
    assert refusals.UNWRITTEN.format("No space left on device") in log
    assert json.loads(feed(messages)) == {"step": 1}
    assert database.query(COUNTS) == [(f"trades/{DAY}", ROWS, 1)]
    assert database.query("select count(*) from raw_data.load_ledger") == [(1,)]


@pytest.mark.parametrize(
    ("state", "hint"),
    [
        ("53100", "free space on it"),
        ("53200", "give it more, or lower its work_mem"),
        ("53300", "raise max_connections"),
        ("53400", "such as temp_file_limit: raise it"),
    ],
)
def test_what_the_server_lacks_is_reported(database: Any, state: str, hint: str) -> None:
    with pytest.raises(psycopg.OperationalError) as caught:
        database.query(f"do $$ begin raise exception using errcode = '{state}', message = 'out of memory'; end $$")
    assert refusals.sentence(caught.value).startswith("PostgreSQL refused: out of memory")
    assert hint in refusals.sentence(caught.value)


def test_what_libpq_lacks_is_reported() -> None:
    """It has no SQLSTATE: no server has said it."""
    assert refusals.sentence(psycopg.OperationalError("sending copy data: out of memory")) == refusals.MEMORY
