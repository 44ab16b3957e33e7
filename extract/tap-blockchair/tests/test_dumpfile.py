"""A dump file is checked whole, portion by portion, and the guilty line is named wherever the portions are cut."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import pytest

from tap_blockchair import schemas
from tap_blockchair.dumpfile import DamagedDumpError, DayColumn, DumpError, lines_of, verify

TABLE = schemas.chain_table("bitcoin", "outputs")
NAMES = [column.name for column in TABLE.columns]
DAY = DayColumn("time", date(2024, 1, 1))
HEADER = "\t".join(NAMES)


def row(number: int, **values: str) -> str:
    made = {"time": f"2024-01-01 00:00:{number:02}", "type": "pubkeyhash"}
    return "\t".join({**made, **values}.get(name, str(number)) for name in NAMES)


ROWS = [row(number) for number in range(9)]


@pytest.fixture(params=[50, 333, 1 << 21], ids=lambda size: f"{size} bytes at a time")
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tap_blockchair.dumpfile._UNZIPPED", request.param)
    monkeypatch.setattr("tap_blockchair.dumpfile._READ", max(16, request.param // 8))
    return tmp_path / "file.tsv.gz"


@pytest.mark.parametrize("end", ["", "\n"], ids=["bare", "newline"])
@pytest.mark.parametrize("count", [0, 1, 9])
def test_a_sound_file(path: Path, count: int, end: str) -> None:
    lines = [HEADER, *ROWS[:count]]
    path.write_bytes(gzip.compress(("\n".join(lines) + end).encode()))
    layout = verify(path, "file", TABLE, DAY)
    assert (layout.rows, layout.size) == (count, path.stat().st_size)
    assert [line.decode() for portion in lines_of(path, "file") for line in portion] == lines


def test_members_one_after_another_are_one_file(path: Path) -> None:
    path.write_bytes(gzip.compress(f"{HEADER}\n{ROWS[0]}\n".encode()) + gzip.compress(ROWS[1].encode()))
    assert verify(path, "file", TABLE, DAY).rows == 2


FAULTS = {
    "field too few": ([row(1).rpartition("\t")[0]], 0, "10 fields, but the header has 11"),
    "field too many": ([row(1) + "\t"], 0, "12 fields, but the header has 11"),
    "a tab moved to the next line": ([row(1).rpartition("\t")[0], row(2) + "\tx"], 0, "10 fields"),
    "a line torn in two": ([row(1).replace("pubkeyhash", "pub\nkeyhash")], 0, "8 fields"),
    "an empty line": ([""], 0, "1 fields"),
    "another day": ([row(1, time="2024-01-02 00:00:00")], 0, "time is '2024-01-02 00:00:00', not a time of the file's"),
    "the day elsewhere": ([row(1, time="x", type="2024-01-01 00:00:00")], 0, "time is 'x'"),
    "no blank behind the day": ([row(1, time="2024-01-01T00:00:00")], 0, "time is '2024-01-01T00:00:00'"),
    "NUL": ([row(1), row(2, recipient="a\0b")], 1, "a NUL character"),
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("before", [0, 4, 9])
@pytest.mark.parametrize("after", [1, 9])
def test_the_guilty_line_is_named(path: Path, name: str, before: int, after: int) -> None:
    rows, offset, fault = FAULTS[name]
    path.write_bytes(gzip.compress("\n".join([HEADER, *ROWS[:before], *rows, *ROWS[:after]]).encode()))
    with pytest.raises(DumpError) as caught:
        verify(path, "file", TABLE, DAY)
    assert str(caught.value).startswith(f"file, line {2 + before + offset}: {fault}")


@pytest.mark.parametrize("name", ["field too few", "another day", "NUL"])
def test_the_last_line_counts_too(path: Path, name: str) -> None:
    rows, offset, fault = FAULTS[name]
    path.write_bytes(gzip.compress("\n".join([HEADER, *ROWS, *rows]).encode()))
    with pytest.raises(DumpError, match=rf"line {11 + offset}: .*{fault[:8]}"):
        verify(path, "file", TABLE, DAY)


@pytest.mark.parametrize("cut", [1, 9, 40])
def test_a_file_that_ends_early(path: Path, cut: int) -> None:
    path.write_bytes(gzip.compress("\n".join([HEADER, *ROWS]).encode())[:-cut])
    with pytest.raises(DamagedDumpError, match="damaged or incomplete"):
        verify(path, "file", TABLE, DAY)


def test_what_follows_the_gzip_is_refused(path: Path) -> None:
    path.write_bytes(gzip.compress(HEADER.encode()) + b"<html>")
    with pytest.raises(DamagedDumpError, match="damaged or incomplete"):
        verify(path, "file", TABLE, DAY)
