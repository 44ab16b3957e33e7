"""Text that is code to a database, a shell, a page, a sheet or a terminal: stored as it is, and harmless in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from psycopg import sql
from singer_sdk.exceptions import FatalSyncError

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = "2024-01-09"
#: None has a tab or an end of line, which a dump's field cannot hold.
HOSTILE = [
    "'; drop table raw_data.trades; --",
    '"); delete from raw_data.trades; ("',
    "$(touch /tmp/x) `id` ; rm -rf ~ && | > <",
    "<script>alert(1)</script><img src=x onerror=alert(1)>&lt;",
    "[click](javascript:alert(1)) **b** | a | # h",
    "{{ 7*7 }}{% raw %} ${7*7} %s %(x)s %d {0} {name}",
    "=cmd|' /C calc'!A0 +1+1 -1 @SUM(1) =HYPERLINK(\"http://x\")",
    "\x1b[2J\x1b]0;title\x07\x9b31m\b\x7f",
    "abc\u202edef\u2066\u200b\ufeff\u2028",
    "\\N \\. \\t \\x41 \\",
    "\u0430\u0440\u0440\u04cf\u0435 Z\u0351\u036b\u0343 \U0001f600",
]
RECORDED = [*HOSTILE, "two\nlines\r\nand a\ttab", "\\N", "\\."]


def test_values_are_stored_as_they_are(feed: Callable[..., str], database: Any, trades: Any) -> None:
    rows = [[str(place), text, f"{DAY} 00:00:00", "1", "1", "0"] for place, text in enumerate(HOSTILE)]
    feed([*trades.loaded(DAY, rows), trades.schema()])
    assert database.query("select name from raw_data.trades order by height") == [(text,) for text in HOSTILE]

    # as records, which take the place of those rows
    records = [trades.record(place, f"{DAY}T01:00:00+00:00", name=text) for place, text in enumerate(RECORDED)]
    feed([trades.schema(trades.heights(0, 100)), *records, trades.schema()])
    assert database.query("select name from raw_data.trades order by height") == [(text,) for text in RECORDED]


@pytest.mark.parametrize("name", ['t"; drop table raw_data.load_ledger; x', "t %s %% {0} $1 :a", "t\x1b[31m'<b>"])
def test_names_of_tables_and_columns_are_names_and_nothing_else(
    feed: Callable[..., str], database: Any, name: str
) -> None:
    """And a load into the table again, and a new column, find it."""
    columns = {"id": {"type": "integer"}, name: {"type": ["string", "null"]}}
    for more in ({}, {f"{name}2": {"type": ["string", "null"]}}):
        schema = {"type": "object", "properties": columns | more}
        feed(
            [
                {"type": "SCHEMA", "stream": name, "key_properties": ["id"], "schema": schema},
                {"type": "RECORD", "stream": name, "record": {"id": 1, name: "a"} | dict.fromkeys(more, "b")},
            ]
        )
    assert set(database.tables()) >= {"load_ledger", name}
    columns_of = sql.Identifier("raw_data", name), sql.Identifier(name), sql.Identifier(f"{name}2")
    with database.server.connect(database.name) as connection:
        query = sql.SQL("select {1}, {2} from {0}").format(*columns_of)
        assert connection.execute(query).fetchall() == [("a", "b")]
    assert database.query("select table_name from raw_data.load_ledger") == [(name,)] * 2


def test_a_slice_and_a_file_of_a_hostile_name(feed: Callable[..., str], database: Any, trades: Any) -> None:
    stream_slice = trades.day(DAY, 1, file="x'\x1b[31m; drop.tsv.gz") | {"id": "a/'; drop table x; --\x1b[2J"}
    path = trades.file([["1", "n", f"{DAY} 00:00:00", "1", "1", "0"]])
    hostile = path.rename(path.with_name("a'; $(id) %s\x1b[31m \u202e.tsv.gz"))
    feed([trades.schema(stream_slice), trades.batch(hostile), trades.schema()])
    ledger = database.query("select unit, file from raw_data.load_ledger")
    assert ledger == [(stream_slice["id"], stream_slice["file"])]


def test_the_log_shows_such_text_and_controls_no_terminal(
    start_loader: Any, failure: Any, trades: Any, caplog: pytest.LogCaptureFixture, feed: Callable[..., str]
) -> None:
    """A value that its column refuses is quoted in the error, and by PostgreSQL with the line it came in."""
    bad = "\x1b[2J\x9b31m\u202eproof failed"
    rows = [["1", "n", f"{DAY} 00:00:00", bad, "1", "0"]]
    stream_slice = trades.day(DAY, 1) | {"id": f"trades/{bad}"}
    with pytest.raises(FatalSyncError):
        feed([trades.schema(stream_slice), trades.batch(trades.file(rows)), trades.schema()])

    path = trades.file(rows)
    hostile = path.rename(path.with_name(f"{bad}.tsv.gz"))
    field = {"type": "RECORD", "stream": "trades", "record": {"height": 1, "name": "n", "at": None, bad: 1}}
    key = {"type": "RECORD", "stream": "trades", "record": {"height": "x", "name": f"{bad}\nforged line"}}
    said = ""
    for messages in ([trades.schema(stream_slice), trades.batch(hostile)], [trades.schema(), field, key]):
        said += failure(start_loader(), messages)
    shown = r"\x1b[2J\x9b31m\u202eproof failed"
    assert f"{shown}.tsv.gz, line 2, column amount: " in said
    assert f"No schema for record field '{shown}'" in said
    assert rf"name={shown}\nforged line" in said
    assert not any(line.startswith("forged") for line in said.splitlines())
    assert all(letter.isprintable() or letter == "\n" for letter in said + caplog.text)
