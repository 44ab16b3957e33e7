"""Killed with SIGKILL at random moments, the loader leaves each slice as it was or as it shall be, and nothing else.

`KILLS=50 pytest load/target-postgres/tests/test_kill.py` kills fifty times on each release of PostgreSQL, by default
it is two; `SEED` chooses the input and the moments.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from target_postgres_copy.months import main as months

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    Row = tuple[Any, ...]
    Content = dict[tuple[int, str], Row]

KILLS = int(os.environ.get("KILLS", "2"))
SEED = os.environ.get("SEED") or "1"
# Beginnings and ends of months; heights rise with them.
DAYS = ["2023-12-31", "2024-01-01", "2024-01-30", "2024-01-31", "2024-02-01", "2024-02-29", "2024-03-01", "2024-03-31"]
PER_DAY = 10_000
COLUMNS = ("height", "name", "at", "amount", "is_new", "flag", "_channel", "_unit", "_line")
BATCH_ROWS = 400
LIMIT = 60  # seconds


@dataclass(frozen=True)
class Replacement:
    """A slice: what heights it covers, and what they hold afterwards."""

    first: int
    stop: int
    rows: Content

    def apply(self, content: Content) -> Content:
        return {key: row for key, row in content.items() if not self.first <= row[0] < self.stop} | self.rows


@dataclass(frozen=True)
class Upsert:
    """A record that belongs to no slice."""

    row: Row

    def apply(self, content: Content) -> Content:
        return content | {self.row[:2]: self.row}


@dataclass
class Step:
    """What a tap sends between two states, and what that does to each table."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    changes: dict[str, list[Replacement | Upsert]] = field(default_factory=dict)


class Source:
    """A tap's endless output: a seeded mix of slices, in steps with a state after each."""

    def __init__(self, folder: Path, trades: Any, plain: Any) -> None:
        self.streams = {
            "trades": trades,
            "plain": plain,
            "snapshots": type(trades)(folder, stream="snapshots", is_partitioned=False),
        }
        self.random = random.Random(f"input {SEED}")
        self.steps: list[Step] = []
        self._versions = count(1)
        self._batches: dict[tuple[str, int], list[Any]] = {}

    def after(self, step: int) -> Iterator[dict[str, Any]]:
        """What the tap sends when it goes on from a state."""
        yield from (stream.schema() for stream in self.streams.values())
        for number in count(step + 1):
            yield from self.step(number).messages
            yield {"type": "STATE", "value": {"step": number}}

    def until(self, first: int, last: int) -> Iterator[dict[str, Any]]:
        """The same up to a state, and the end of the output."""
        for message in self.after(first):
            yield message
            if message == {"type": "STATE", "value": {"step": last}}:
                break
        yield from (stream.schema() for stream in self.streams.values())

    def step(self, number: int) -> Step:
        """Steps count from 1."""
        while len(self.steps) < number:
            self.steps.append(self._new_step())
        return self.steps[number - 1]

    def _new_step(self) -> Step:
        step, kinds = Step(), [self._file, self._file, self._same_file, self._day_of_records, self._heights, self._open]
        self.random.choice([*kinds, self._snapshots])(step, self.random.choice(["trades", "plain"]))
        return step

    def _file(self, step: Step, name: str) -> None:
        """A day's dump, new or changed, also an empty one."""
        day = self.random.randrange(len(DAYS))
        stream, rows = self.streams[name], self._rows(day * PER_DAY, self.random.choice([0, 5, 600, 9000]))
        slice_id = f"{name}/{DAYS[day]}"
        held = [(*row[:6], "dumps", slice_id, line) for line, row in enumerate(rows, 2)]
        path = stream.file([_fields(row) for row in rows])
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        stream_slice = stream.day(DAYS[day], len(rows), sha256=digest, file=path.name)
        messages = [stream.schema(), stream.schema(stream_slice), stream.batch(path)]
        self._batches[name, day] = [messages, Replacement(day * PER_DAY, (day + 1) * PER_DAY, _content(held))]
        self._add(step, name, *self._batches[name, day])

    def _same_file(self, step: Step, name: str) -> None:
        """The day's last dump once more, whatever has come since."""
        day = self.random.randrange(len(DAYS))
        if (name, day) in self._batches:
            self._add(step, name, *self._batches[name, day])

    def _day_of_records(self, step: Step, name: str) -> None:
        day, stream = self.random.randrange(len(DAYS)), self.streams[name]
        rows = self._rows(day * PER_DAY, self.random.randrange(2000))
        stream_slice = stream.day(DAYS[day], len(rows))
        rows = [(*row[:6], "dumps", stream_slice["id"], line) for line, row in enumerate(rows, 2)]
        messages = [stream.schema(), stream.schema(stream_slice), *self._records(name, rows)]
        self._add(step, name, messages, Replacement(day * PER_DAY, (day + 1) * PER_DAY, _content(rows)))

    def _heights(self, step: Step, name: str) -> None:
        """Heights that lie in one day or extend into the next; how many rows follow is not known."""
        first = self.random.randrange(len(DAYS)) * PER_DAY + self.random.choice([0, 300])
        stop = first + self.random.choice([500, PER_DAY])
        rows = [row for row in self._rows(first, self.random.randrange(900)) if row[0] < stop]
        if stop % PER_DAY and stop > first + PER_DAY // 2:
            rows += self._rows(stop // PER_DAY * PER_DAY, 200)
        rows = [(*row[:6], "api", f"{name}/{first}", None) for row in rows if row[0] < len(DAYS) * PER_DAY]
        stream = self.streams[name]
        messages = [stream.schema(), stream.schema(stream.heights(first, stop)), *self._records(name, rows)]
        if self.random.random() < 0.5:  # else the slice ends with the stream's next one, and its state waits
            messages.append(stream.schema())
        self._add(step, name, messages, Replacement(first, stop, _content(rows)))

    def _snapshots(self, step: Step, _name: str) -> None:
        rows = [(*row[:6], "api", None, None) for row in self._rows(0, self.random.randrange(1500))]
        messages = [self.streams["snapshots"].schema(), *self._records("snapshots", rows)]
        self._add(step, "snapshots", messages, *map(Upsert, rows))

    def _open(self, step: Step, name: str) -> None:
        """A slice that stays open while another stream's comes and goes."""
        outer = Step()
        self._heights(outer, name)
        cut = self.random.randrange(2, len(outer.messages) + 1)
        self._add(step, name, outer.messages[:cut], *outer.changes[name])
        self.random.choice([self._file, self._day_of_records])(step, "plain" if name == "trades" else "trades")
        self._snapshots(step, "")
        step.messages += outer.messages[cut:]

    def _add(self, step: Step, name: str, messages: list[Any], *changes: Replacement | Upsert) -> None:
        step.messages += messages
        step.changes.setdefault(name, []).extend(changes)

    def _rows(self, first: int, number: int) -> list[Row]:
        """Rows of heights from one on; every version has other amounts, and some other names."""
        version, found = next(self._versions), []
        for height in range(first, first + number):
            at = datetime.fromisoformat(DAYS[min(height // PER_DAY, len(DAYS) - 1)]).replace(tzinfo=UTC)
            at += timedelta(seconds=height % PER_DAY)
            name = f"n{height}" if height % 3 else f"n{height} of {version}"
            amount = 894582879806664207241 * version + height if height % 2 else height
            found.append((height, name, at, amount, (None, True, False)[height % 3], height % 2 - 1))
        return found

    def _records(self, name: str, rows: list[Row]) -> list[dict[str, Any]]:
        return [
            {
                "type": "RECORD",
                "stream": name,
                "record": dict(zip(COLUMNS, row, strict=True)) | {"at": row[2].isoformat()},
            }
            for row in rows
        ]


def _content(rows: list[Row]) -> Content:
    return {row[:2]: row for row in rows}


def _fields(row: Row) -> list[str]:
    height, name, at, amount, is_new, flag = row
    new = "\\N" if is_new is None else str(int(is_new))
    return [str(height), name, f"{at:%Y-%m-%d %H:%M:%S}", str(amount), new, str(flag)]


class Warehouse:
    """What is in PostgreSQL, detached months included."""

    def __init__(self, database: Any) -> None:
        self._database = database

    def places(self, table: str) -> list[str]:
        rows = self._database.query(
            "select oid::regclass::text from pg_class "
            "where relnamespace = 'raw_data'::regnamespace and relkind in ('r', 'p') "
            f"and (relname = '{table}' or relname ~ '^{table}_p[0-9]' and not relispartition)"
        )
        return [name for (name,) in rows]

    def content(self, table: str) -> Content:
        columns = ", ".join(COLUMNS)
        rows = [row for place in self.places(table) for row in self._database.query(f"select {columns} from {place}")]
        # In UTC whatever the session's zone, and a second row of the same key is seen.
        content = _content([(*row[:2], row[2].astimezone(UTC), int(row[3]), *row[4:]) for row in rows])
        assert len(content) == len(rows)
        return content

    def check_ledger(self, table: str) -> None:
        """Every row's load is in the ledger, has brought no more rows than it says, and all of them add up."""
        loads = {
            load_id: (loaded, deleted)
            for load_id, loaded, deleted in self._database.query(
                f"select load_id, rows_loaded, rows_deleted from raw_data.load_ledger where table_name = '{table}'"
            )
        }
        held: dict[int, int] = {}
        for place in self.places(table):
            for load_id, rows in self._database.query(f"select _load_id, count(*) from {place} group by 1"):
                held[load_id] = held.get(load_id, 0) + rows
        assert held.keys() <= loads.keys()
        assert all(rows <= loads[load_id][0] for load_id, rows in held.items())
        assert sum(held.values()) == sum(loaded - deleted for loaded, deleted in loads.values())

    def wait_for_sessions(self) -> None:
        """A server notices that its client is gone within seconds."""
        query = "select state, query from pg_stat_activity where usename = 'loader' and datname = current_database()"
        self._database.wait_until(lambda: not self._database.query(query), "sessions end")

    def check_nothing_is_left(self) -> None:
        nothing = {
            "temporary tables": "select relname from pg_class where relpersistence = 't'",
            "invalid indexes": "select indexrelid::regclass from pg_index where not indisvalid",
        }
        for what, query in nothing.items():
            assert self._database.query(query) == [], what

    def check_nothing_is_half(self) -> None:
        """Once no month is detached any more, every one is whole."""
        nothing = {
            "months that are no partition": "select relname from pg_class where relkind = 'r' and not relispartition "
            r"and relname ~ '_p\d{4}_\d\d$'",
            "checks of months": "select conrelid::regclass from pg_constraint where conname = 'rows_of_the_month'",
            "sequences of no month": "select relname from pg_class as s where relkind = 'S' and not exists "
            "(select from pg_depend where objid = s.oid and classid = 'pg_class'::regclass and deptype in ('a', 'i'))",
            "months without an index": "select relname from pg_class as m where relispartition and relkind = 'r' "
            "and (select count(*) from pg_index where indrelid = m.oid and indisvalid) <> 2",
        }
        for what, query in nothing.items():
            assert self._database.query(query) == [], what


class Killer:
    """Runs the loader, kills it, and knows what it may have left."""

    def __init__(self, source: Source, database: Any, start_loader: Any) -> None:
        self._source = source
        self._database = database
        self._start = start_loader
        self._warehouse = Warehouse(database)
        self._random = random.Random(f"moments {SEED}")
        self.step = 0  # of the last state that a loader wrote
        self.contents: dict[str, Content] = {name: {} for name in source.streams}

    def run(self, last: int | None = None) -> None:
        """Let a loader go on from the last state: up to a step and to its end, or until it is killed."""
        backfill = last is None and self._random.random() < 0.3
        process = self._start(batch_size_rows=BATCH_ROWS, backfill=backfill, allow_empty=True)
        messages = self._source.after(self.step) if last is None else self._source.until(self.step, last)
        feeder = threading.Thread(target=_feed, args=[process, messages], daemon=True)
        feeder.start()
        if last is None:
            self._wait_for_a_moment(process)
            process.kill()
            assert process.wait(LIMIT) == -signal.SIGKILL
        else:
            assert process.wait(2 * LIMIT) == 0
        feeder.join(LIMIT)
        assert not feeder.is_alive(), "the loader has ended, and what feeds it has not"
        before = self.step
        states = [json.loads(text)["step"] for text in process.stdout.read().splitlines()]
        assert states == sorted(states)
        self.step = states[-1] if states else before
        self._warehouse.wait_for_sessions()
        self._warehouse.check_nothing_is_left()
        for table in self._source.streams:
            self._check(table, before)

    def _wait_for_a_moment(self, process: subprocess.Popen[str]) -> None:
        """Some time after it has a session; every other one just after a file's COPY into a month has begun."""
        deadline = time.monotonic() + LIMIT
        session = "select 1 from pg_stat_activity where usename = 'loader' and datname = current_database()"
        copy = "select 1 from pg_stat_progress_copy join pg_class on oid = relid where relpersistence = 'p'"
        with self._database.server.connect(self._database.name) as connection:
            while not connection.execute(session).fetchall():
                assert process.poll() is None, f"the loader ended by itself: {process.poll()}"
                assert time.monotonic() < deadline, f"the loader has no session after {LIMIT} s"
                time.sleep(0.01)
            if self._random.random() < 0.5:
                time.sleep(self._random.uniform(0, 1.5))
                return
            time.sleep(self._random.uniform(0, 0.5))
            while not connection.execute(copy).fetchall():
                assert process.poll() is None, f"the loader ended by itself: {process.poll()}"
                assert time.monotonic() < deadline, f"no file's COPY into a month has begun after {LIMIT} s"
                time.sleep(0.001)
            time.sleep(self._random.uniform(0, 0.03))

    def _check(self, table: str, before: int) -> None:
        """A table holds what it held, then the first slices sent since, whole ones; and all that the state counts."""
        found, content = self._warehouse.content(table), self.contents[table]
        sent = [
            (number, change)
            for number in range(before + 1, len(self._source.steps) + 1)
            for change in self._source.step(number).changes.get(table, [])
        ]
        counted = sum(number <= self.step for number, _ in sent)
        for done in range(len(sent) + 1):
            if done:
                content = sent[done - 1][1].apply(content)
            if done >= counted and content == found:
                break
        else:
            pytest.fail(f"{table} holds half a slice, or less than the state says (SEED={SEED})")
        self.contents[table] = found
        if found:
            self._warehouse.check_ledger(table)


def _feed(process: subprocess.Popen[str], messages: Iterator[dict[str, Any]]) -> None:
    assert process.stdin is not None
    try:
        for message in messages:
            process.stdin.write(json.dumps(message) + "\n")
        process.stdin.close()
    except BrokenPipeError:
        pass  # killed


# Each is undone by itself.
DAMAGE = [
    "update raw_data.plain set amount = -amount where height = (select min(height) from raw_data.plain)",
    "update raw_data.plain set _load_id = -_load_id where height = (select min(height) from raw_data.plain)",
    "update raw_data.load_ledger set rows_loaded = -rows_loaded where load_id in (select _load_id from raw_data.plain)",
]


def test_the_checks_see_what_a_killed_loader_could_leave(
    start_loader: Any, database: Any, trades: Any, plain_trades: Any, tmp_path: Path
) -> None:
    source = Source(tmp_path, trades, plain_trades)
    changed: set[str] = set()
    steps = next(n for n in count(1) if (changed := changed | source.step(n).changes.keys()) >= source.streams.keys())
    killer, warehouse = Killer(source, database, start_loader), Warehouse(database)
    killer.run(last=steps)
    assert all(killer.contents.values())

    def check() -> None:
        for table in source.streams:
            killer._check(table, killer.step)

    for damage in DAMAGE:
        database.query(damage)
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            check()
        database.query(damage)
        check()
    database.query("insert into raw_data.trades select * from raw_data.trades limit 1")
    with pytest.raises(AssertionError):
        check()
    database.query("create table raw_data.trades_p1999_01 ()")
    with pytest.raises(AssertionError, match="months that are no partition"):
        warehouse.check_nothing_is_half()


@pytest.mark.long(part="kills")
def test_killed_at_random(start_loader: Any, database: Any, trades: Any, plain_trades: Any, tmp_path: Path) -> None:
    source = Source(tmp_path, trades, plain_trades)
    killer = Killer(source, database, start_loader)
    for _ in range(KILLS):
        killer.run()

    killer.run(last=len(source.steps))

    truth: dict[str, Content] = {name: {} for name in source.streams}
    for step in source.steps:
        for name, changes in step.changes.items():
            for change in changes:
                truth[name] = change.apply(truth[name])
    assert killer.step == len(source.steps)
    assert killer.contents == truth
    config = tmp_path / "config.json"
    config.write_text(json.dumps(database.config()))
    assert CliRunner().invoke(months, ["--config", str(config), "attach"]).exit_code == 0
    Warehouse(database).check_nothing_is_half()
