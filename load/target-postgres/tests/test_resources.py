"""No memory, no space for the output, limits of the server: one sentence, and the next run loads all."""

from __future__ import annotations

import json
import resource
import select
from pathlib import Path
from typing import Any

import psycopg
import pytest

from target_postgres_copy import refusals

PATIENCE = 60  # seconds
DAY, NEXT = "2024-01-09", "2024-01-10"
COUNTS = "select _unit, count(*) from raw_data.trades group by 1 order by 1"


def lines(day: str, first: int) -> list[list[str]]:
    return [[str(n), f"n{n}", f"{day} 12:00:00", "1.5", "1", "0"] for n in range(first, first + 5)]


def test_no_memory(start_loader: Any, failure: Any, feed: Any, database: Any, trades: Any) -> None:
    """A slice was loaded and its state is out; a record of the next one is longer than the memory."""
    loader = start_loader()
    first = [*trades.loaded(DAY, lines(DAY, 1), sha256="a"), {"type": "STATE", "value": {"step": 1}}]
    loader.stdin.writelines(json.dumps(message) + "\n" for message in first)
    loader.stdin.flush()
    assert select.select([loader.stdout], [], [], PATIENCE)[0], "no state"
    assert json.loads(loader.stdout.readline()) == {"step": 1}
    pages = int(Path(f"/proc/{loader.pid}/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (40 << 20)
    resource.prlimit(loader.pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    long = trades.record(20, f"{NEXT}T00:00:00Z", name="x" * (64 << 20))
    second = [*trades.loaded(NEXT, lines(NEXT, 11), sha256="b"), trades.schema(trades.heights(20, None))]
    rest = [*second, long, trades.schema(), {"type": "STATE", "value": {"step": 2}}]
    assert failure(loader, rest).count(refusals.MEMORY) == 1
    held = [(f"trades/{DAY}", 5), (f"trades/{NEXT}", 5)]
    assert database.query(COUNTS) == held
    long["record"]["name"] = "x" * 1000
    feed([*second, long, trades.schema()])
    assert database.query(COUNTS) == [*held, (None, 1)]


def test_a_state_that_finds_no_space(start_loader: Any, failure: Any, feed: Any, database: Any, trades: Any) -> None:
    """What is committed stays, though no state counts it; the next run leaves it as it is."""
    messages = [
        *trades.loaded(DAY, lines(DAY, 1), sha256="a"),
        trades.schema(),
        {"type": "STATE", "value": {"step": 1}},
    ]
    with Path("/dev/full").open("w") as full:
        log = failure(start_loader(stdout=full), messages)
    assert refusals.UNWRITTEN.format("No space left on device") in log
    assert json.loads(feed(messages)) == {"step": 1}
    assert database.query(COUNTS) == [(f"trades/{DAY}", 5)]
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
