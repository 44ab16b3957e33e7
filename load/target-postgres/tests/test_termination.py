"""A loader that gets a signal stops within seconds, wherever it is: with a true state and no half slice."""

from __future__ import annotations

import gzip
import json
import os
import select
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT = 20  # seconds from the signal to the end; the loader waits 3 s for its server, the rest is for a busy machine
PATIENCE = 60  # seconds for what has to come about before the signal
DAY, NEXT = "2024-01-09", "2024-01-10"
MANY = 300_000
SESSIONS = "select state, query from pg_stat_activity where usename = 'loader'"
COPIES = "select 1 from pg_stat_progress_copy where tuples_processed > 1000"


def line(height: int, day: str) -> list[str]:
    return [str(height), f"n{height}", f"{day} 12:00:00", "1.5", "1", "0"]


def state(step: int) -> dict[str, Any]:
    return {"type": "STATE", "value": {"step": step}}


def send(process: subprocess.Popen[str], *messages: Any) -> None:
    assert process.stdin is not None
    for message in messages:
        process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()


def next_state(process: subprocess.Popen[str]) -> Any:
    """Wait for the next state that the loader writes."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE)
    assert ready, f"the loader wrote no state within {PATIENCE} s; it is {process.poll()}"
    text = process.stdout.readline()
    assert text, f"the loader ended without a state: {process.wait(PATIENCE)}"
    return json.loads(text)


def first_load(process: subprocess.Popen[str], stream: Any) -> None:
    """Load a day of two rows, and wait for its state."""
    send(process, stream.schema(), *stream.loaded(DAY, [line(1, DAY), line(2, DAY)], sha256="a"), state(1))
    assert next_state(process) == {"step": 1}


def ended(process: subprocess.Popen[str], number: int) -> None:
    """The process ends in time, says how, and writes no other state than it had written."""
    assert process.wait(LIMIT) == (-number if number == signal.SIGKILL else 128 + number)
    assert process.stdout is not None
    assert process.stdout.read() == ""


def nothing_is_left(database: Any, *, rows: int = 2) -> None:
    """The sessions end by themselves, and the first load is all there is."""
    database.wait_until(lambda: not database.query(f"{SESSIONS} and datname = current_database()"), "sessions end")
    assert database.query("select 1 from pg_class where relpersistence = 't'") == []
    assert database.query("select height from raw_data.trades order by 1") == [(n,) for n in range(1, rows + 1)]
    assert database.query("select rows_loaded, rows_deleted from raw_data.load_ledger") == [(rows, 0)]


@pytest.fixture(scope="module")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("big") / "big.tsv.gz"
    header = "height\tname\tat\tamount\tis_new\tflag\n"
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.write(header)
        file.writelines(f"{n}\tn{n}\t{NEXT} 12:00:00\t{n}.000000000000000001\t1\t0\n" for n in range(MANY))
    return path


@pytest.fixture(params=["existing month", "new month", "staging"])
def big_slice(request: pytest.FixtureRequest, trades: Any, big_file: Path) -> list[Any]:
    """A day of many rows, on each way into the table."""
    day = "2024-02-10" if request.param == "new month" else NEXT
    if request.param == "new month":
        text = gzip.decompress(big_file.read_bytes()).replace(NEXT.encode(), day.encode())
        big_file = big_file.with_name("february.tsv.gz")
        big_file.write_bytes(gzip.compress(text, compresslevel=1))
    rows = {} if request.param == "staging" else {"rows": MANY}
    return [trades.schema(trades.day(day, **rows)), trades.batch(big_file)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_in_the_midst_of_a_copy(
    start_loader: Any, feed: Any, database: Any, trades: Any, big_slice: Any, number: signal.Signals
) -> None:
    """It leaves nothing of the slice, which the end of the copy would commit, and the next loader loads it whole."""
    loader = start_loader()
    first_load(loader, trades)
    send(loader, *big_slice, state(2), trades.schema())
    database.wait_for(COPIES)

    loader.send_signal(number)

    ended(loader, number)
    nothing_is_left(database)
    assert database.query("select 1 from pg_class where relname = 'trades_p2024_02'") == []
    feed([trades.schema(), *big_slice, trades.schema()])
    assert database.query("select count(*), count(distinct height) from raw_data.trades") == [(MANY + 2, MANY)]


BLOCKS = {
    "another loader": "begin; select from raw_data.load_locks where name = 'trades_p2024_01' for update",
    "a writer": "begin; lock table raw_data.trades_p2024_01 in exclusive mode",
    "a change of the table": "begin; lock table raw_data.trades in access exclusive mode",
}


@pytest.mark.parametrize(
    ("path", "block"), [("batch", "another loader"), ("batch", "a change of the table"), ("record", "a writer")]
)
def test_while_it_waits_for_a_lock(start_loader: Any, database: Any, trades: Any, path: str, block: str) -> None:
    loader = start_loader()
    first_load(loader, trades)
    with blocked(database, loader, trades, path, block):
        loader.terminate()

        ended(loader, signal.SIGTERM)
    nothing_is_left(database)


def test_killed_while_it_waits_for_a_lock(start_loader: Any, database: Any, trades: Any) -> None:
    """A server looks after its client only when it has something to say, unless a setting makes it."""
    loader = start_loader()
    first_load(loader, trades)
    with blocked(database, loader, trades, "record", "a writer"):
        loader.kill()

        ended(loader, signal.SIGKILL)
        nothing_is_left(database)


@contextmanager
def blocked(database: Any, loader: subprocess.Popen[str], trades: Any, path: str, block: str) -> Iterator[None]:
    """Let a loader come upon a lock."""
    with database.server.connect(database.name) as other:
        other.execute(BLOCKS[block])
        if path == "batch":
            send(loader, *trades.loaded(DAY, [line(3, DAY)], sha256="b"), state(2))
        else:
            send(loader, trades.schema(trades.heights(1, 2)), trades.record(1, f"{DAY}T00:00:00Z"), trades.schema())
        database.wait_for(f"{SESSIONS} and wait_event_type = 'Lock'")
        yield


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_while_it_waits_for_input(start_loader: Any, database: Any, trades: Any, number: int) -> None:
    """With a slice open, of which rows lie in staging."""
    loader = start_loader(batch_size_rows=10)
    first_load(loader, trades)
    records = [trades.record(number, f"{DAY}T00:00:00Z") for number in range(10)]
    send(loader, trades.schema(trades.heights(1, None)), *records, state(2))
    database.wait_for(f"{SESSIONS} and query ~* '^copy' and state = 'idle'")

    loader.send_signal(number)

    ended(loader, number)
    nothing_is_left(database)


def test_with_its_process_group(start_loader: Any, database: Any, trades: Any, tmp_path: Path) -> None:
    """As an orchestrator stops a pipeline: the tap that feeds the loader gets the signal too."""
    messages = [trades.schema(), *trades.loaded(DAY, [line(1, DAY), line(2, DAY)]), state(1)]
    record = json.dumps(trades.record(3, f"{DAY}T00:00:00Z"))
    tap = tmp_path / "tap.py"
    tap.write_text(
        "import sys\n"
        f"print(r'''{chr(10).join(map(json.dumps, messages))}''')\n"
        f"print(r'''{json.dumps(trades.schema(trades.heights(1, None)))}''', flush=True)\n"
        f"while True: sys.stdout.write(r'''{record}''' + '\\n')\n"
    )
    with subprocess.Popen([sys.executable, str(tap)], stdout=subprocess.PIPE, process_group=0) as feeding:
        loader = start_loader(stdin=feeding.stdout, process_group=feeding.pid)
        assert feeding.stdout is not None
        feeding.stdout.close()
        assert next_state(loader) == {"step": 1}
        database.wait_for(f"{SESSIONS} and query ~* '^copy'")

        os.killpg(feeding.pid, signal.SIGTERM)

        ended(loader, signal.SIGTERM)
        assert feeding.wait(LIMIT) == -signal.SIGTERM
    nothing_is_left(database)


def test_what_is_still_sent_is_read(start_loader: Any, database: Any, trades: Any) -> None:
    """Meltano hangs if what its tap has sent before it ended is not taken."""
    loader = start_loader()
    first_load(loader, trades)
    record, broken = json.dumps(trades.record(1, f"{DAY}T00:00:00Z")) + "\n", []

    def go_on() -> None:
        try:
            for _ in range(20_000):
                loader.stdin.write(record)
            loader.stdin.close()
        except BrokenPipeError as error:
            broken.append(error)

    with blocked(database, loader, trades, "record", "a writer"):
        sender = threading.Thread(target=go_on)
        sender.start()
        loader.terminate()

        ended(loader, signal.SIGTERM)
        sender.join(LIMIT)
        assert not sender.is_alive(), "what was still sent has not been read"
    assert broken == []
    nothing_is_left(database)


def test_with_a_server_that_answers_no_more(
    start_loader: Any, database: Any, trades: Any, big_file: Path, freezing_proxy: Any
) -> None:
    """A cable that is cut leaves nobody to ask for a rollback."""
    loader = start_loader(port=freezing_proxy.port)
    first_load(loader, trades)
    send(loader, trades.schema(trades.day(NEXT, MANY)), trades.batch(big_file))
    database.wait_for(COPIES)
    freezing_proxy.freeze()
    loader.terminate()

    ended(loader, signal.SIGTERM)
    freezing_proxy.close()
    nothing_is_left(database)
