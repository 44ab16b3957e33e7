"""A wrong table is noticed, whoever filled it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from loader_speed import checks
from loader_speed.contenders import Bench, Yardstick
from loader_speed.data import STREAM, Load, Source
from loader_speed.errors import WrongLoadError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader_speed.server import Server

ROWS = 700
KINDS = {
    "block_id": "integer",
    "hash": "string",
    "time": "date-time",
    "is_coinbase": "boolean",
    "lock_time": "integer",
    "fee": "number",
    "fee_usd": "number",
    "_channel": "string",
    "_unit": "string",
    "_line": "integer",
    "_dump_day": "date",
}


class Untapped(Source):
    """Files without the tap."""

    def schema(self, load: Load) -> dict[str, Any]:
        properties = {
            name: {"type": ["string", "null"], "format": kind} if "date" in kind else {"type": [kind, "null"]}
            for name, kind in KINDS.items()
        }
        return {"properties": properties}


@dataclass
class Loaded:
    """A filled table."""

    bench: Bench
    table: checks.Table
    load: Load

    def check(self) -> None:
        checks.check(self.table, list(self.load.dumps), self.bench.sample)

    def spoil(self, statement: str) -> None:
        self.table.connection.execute(statement.replace("TABLE", "raw_data.bitcoin_transactions"))


@pytest.fixture
def bench(server: Server, sample: Path, tmp_path: Path) -> Bench:
    return Bench(server, Untapped(tmp_path / "data", sample, tmp_path / "log"), sample, tmp_path)


@pytest.fixture
def loaded(bench: Bench) -> Iterator[Loaded]:
    load = bench.source.load("day", ROWS)
    yardstick = Yardstick()
    with bench.server.database("checked") as database:
        yardstick.prepare(bench, database, load)
        yardstick.run(bench, database, load)
        with bench.server.connect(database) as connection:
            yield Loaded(bench, checks.Table(connection, STREAM), load)


def test_what_psql_copied_is_right(loaded: Loaded) -> None:
    loaded.check()
    checks.check_indexes(loaded.table)


def test_the_bare_yardstick_is_right_and_leaves_lineage_empty(bench: Bench) -> None:
    load, yardstick = bench.source.load("day", ROWS), Yardstick(bare=True)
    with bench.server.database("plain") as database:
        yardstick.prepare(bench, database, load)
        usage = yardstick.run(bench, database, load)
        yardstick.check(bench, database, [load])
        with bench.server.connect(database) as connection:
            found = connection.execute("select count(_line), count(_unit) from raw_data.bitcoin_transactions")
            assert found.fetchone() == (0, 0)
    assert usage.seconds > 0


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("delete from TABLE where _line = 2", "699 rows"),
        ("insert into TABLE select * from TABLE where _line = 2", "701 rows"),
        ("update TABLE set _line = _line + 1", "_line runs from 3"),
        ("update TABLE set _line = 3 where _line = 2", "_line runs from 3"),
        ("update TABLE set _line = case _line when 2 then 3 else 2 end where _line in (2, 3)", "2 rows have not"),
        ("update TABLE set hash = upper(hash) where _line = 2", "1 rows have not"),
        ("update TABLE set time = time + interval '1 s' where _line = 2", "1 rows have not"),
        ("update TABLE set block_id = block_id + 1 where _line = 2", "1 rows have not"),
        ("update TABLE set _unit = 'another' where _line = 2", "1 rows have not"),
        ("update TABLE set _channel = null where _line = 2", "1 rows have not"),
        ("update TABLE set fee = 894582879806664200000 where fee > 100", "233 rows have values"),
        ("update TABLE set is_coinbase = not is_coinbase where _line = 2", "1 rows have values"),
        ("update TABLE set fee_usd = null where _line = 2", "1 rows have values"),
    ],
)
def test_a_wrong_row_is_noticed(loaded: Loaded, statement: str, words: str) -> None:
    loaded.spoil(statement)
    with pytest.raises(WrongLoadError, match=words):
        loaded.check()


def test_a_missing_index_is_noticed(loaded: Loaded) -> None:
    loaded.spoil("drop index raw_data.bitcoin_transactions_block_id_idx")
    with pytest.raises(WrongLoadError, match="indexes"):
        checks.check_indexes(loaded.table)


@pytest.mark.parametrize(
    ("entry", "right"),
    [
        ("1, {rows}, '{sha256}'", True),
        ("1, {rows} - 1, '{sha256}'", False),
        ("1, {rows}, 'another'", False),
        ("2, {rows}, '{sha256}'", False),
    ],
)
def test_the_ledger_must_agree_with_file_and_rows(loaded: Loaded, entry: str, *, right: bool) -> None:
    dumps = list(loaded.load.dumps)
    with pytest.raises(WrongLoadError, match="no load ledger"):
        checks.check_ledger(loaded.table, dumps)
    loaded.spoil(
        "create table raw_data.load_ledger"
        " (load_id bigint, rows_loaded bigint, sha256 text, unit text, table_name text, checksums jsonb)"
    )
    values = entry.format(rows=ROWS, sha256=dumps[0].sha256)
    loaded.spoil(f"insert into raw_data.load_ledger values ({values}, '{dumps[0].slice}', '{STREAM}')")  # noqa: S608
    if not right:
        with pytest.raises(WrongLoadError, match="ledger has for"):
            checks.check_ledger(loaded.table, dumps)
        return
    checks.check_ledger(loaded.table, dumps)
    with pytest.raises(WrongLoadError, match="no checksums"):
        checks.check_ledger(loaded.table, dumps, checksums=True)
    loaded.spoil("update raw_data.load_ledger set checksums = '{}'")
    checks.check_ledger(loaded.table, dumps, checksums=True)
    with pytest.raises(WrongLoadError, match="has checksums"):
        checks.check_ledger(loaded.table, dumps)


def test_several_days_follow_each_other(bench: Bench) -> None:
    load = bench.source.load("days", 4 * ROWS, days=4)
    days = [str(dump.tiling.day) for dump in load.dumps]
    assert days == ["2024-01-28", "2024-01-29", "2024-01-30", "2024-01-31"]
    assert load.rows == 4 * ROWS
    heights = [dump.tiling.first_height for dump in load.dumps]
    assert heights == sorted(set(heights))
    before = bench.source.earlier("earlier", 10)
    assert [str(dump.tiling.day) for dump in before.dumps][::29] == ["2024-01-01", "2024-01-30"]
    assert before.dumps[-1].tiling.first_height < heights[0]
