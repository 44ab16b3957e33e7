"""Staged rows are merged into a table by key, each written once, and not at all where nothing differs."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import sql

from target_postgres_copy import upsert
from target_postgres_copy.errors import RowRefusedError
from target_postgres_copy.stream_schema import StreamSlice
from target_postgres_copy.tables import RawTable, columns_of
from target_postgres_copy.upsert import Counts

STAGED = sql.Identifier("pg_temp", "staged")
COLUMNS = (
    "id",
    "part",
    "name",
    "amount",
    "doc",
    "_sdc_received_at",
    "_sdc_table_version",
    "_sdc_deleted_at",
    "_load_id",
)
TYPES = (
    "id bigint, part text, name text, amount numeric, doc json, _sdc_received_at timestamptz, _sdc_table_version bigint"
)
KEYS = ("id", "part")


class Table:
    """A table, and a way to bring rows into it."""

    def __init__(
        self, cursor: psycopg.Cursor[Any], definition: str = "primary key (id, part)", keys: Sequence[str] = KEYS
    ):
        self.cursor = cursor
        extra = f", {definition}" if definition else ""
        cursor.execute(
            f"create table raw_data.things ({TYPES}, _sdc_deleted_at timestamptz, _load_id bigint, other text{extra})"
        )
        columns = columns_of(cursor, "raw_data", "things")
        self.raw = RawTable("raw_data", "things", columns, tuple(keys))
        cursor.execute("create temporary table staged (like raw_data.things)")
        self.loads = 0

    def stage(self, *rows: tuple[Any, ...]) -> None:
        """Stage rows of id, part, name, amount and what more there is."""
        self.loads += 1
        self.cursor.execute("truncate staged")
        filled = [
            (*row, *(None,) * (5 - len(row[:5])), datetime.now(UTC), *(row[5:] or (None, None)), self.loads)
            if len(row) <= 5
            else (*row[:5], datetime.now(UTC), *row[5:], self.loads)
            for row in rows
        ]
        upsert.copy_rows(self.cursor, STAGED, COLUMNS, filled)

    def load(self, *rows: tuple[Any, ...]) -> Counts:
        """Stage and upsert in one transaction."""
        with self.cursor.connection.transaction():
            self.stage(*rows)
            return upsert.upsert(self.cursor, STAGED, self.raw, COLUMNS)

    def rows(self, shown: str = "id, part, name, amount") -> list[tuple[Any, ...]]:
        return self.cursor.execute(f"select {shown} from raw_data.things order by id, part, name").fetchall()

    def versions(self) -> dict[Any, Any]:
        """Each row version's place and writer: both change when the row is written again."""
        return {row: place for *row_, place in self.rows("id, part, (ctid, xmin)::text") for row in [tuple(row_)]}

    def written(self) -> tuple[int, int, int]:
        """How often PostgreSQL inserted, updated and deleted rows of the table so far."""
        self.cursor.execute("select pg_stat_force_next_flush()")
        self.cursor.execute(
            "select n_tup_ins, n_tup_upd, n_tup_del from pg_stat_user_tables where relid = 'raw_data.things'::regclass"
        )
        (found,) = self.cursor.fetchall()
        return found[0], found[1], found[2]


@pytest.fixture(scope="module")
def name(server: Any) -> Iterator[str]:
    """A database for all tests here, since making one takes longer than most of them."""
    name = f"test_{secrets.token_hex(4)}"
    with server.connect() as connection:
        connection.execute(f"create database {name}")
        yield name
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def cursor(server: Any, name: str) -> Iterator[psycopg.Cursor[Any]]:
    with server.connect(name) as connection, connection.cursor() as opened:
        opened.execute("set time zone 'UTC'")
        opened.execute("create schema raw_data")
        yield opened
        opened.execute("drop schema raw_data cascade")


@pytest.fixture(params=["primary key (id, part)", "unique (part, id)", ""], ids=["primary", "unique", "no constraint"])
def table(request: pytest.FixtureRequest, cursor: psycopg.Cursor[Any]) -> Table:
    """Tables with a key that ON CONFLICT finds, and one without, as a stream that was keyless once leaves it."""
    return Table(cursor, request.param)


def test_insert_update_and_leave_alone(table: Table) -> None:
    assert table.load((1, "a", "one", 1), (2, "a", "two", 2), (2, "b", "three", 3)) == Counts(3, 0)
    assert table.load((1, "a", "one", 1), (2, "a", "TWO", 2), (3, "a", "four", 4)) == Counts(1, 1)

    assert table.rows() == [(1, "a", "one", 1), (2, "a", "TWO", 2), (2, "b", "three", 3), (3, "a", "four", 4)]
    assert table.rows("_load_id") == [(1,), (2,), (1,), (2,)]


def test_a_row_is_written_once_and_an_equal_one_not_at_all(table: Table) -> None:
    many = [(number, "a", str(number), number) for number in range(1000)]
    table.load(*many)
    assert table.written() == (1000, 0, 0)
    before = table.versions()

    changed = [(number, "a", "new" if number == 7 else str(number), number) for number in range(1000)]
    assert table.load(*changed) == Counts(0, 1)
    assert table.written() == (1000, 1, 0)
    after = table.versions()
    assert {key for key in before if before[key] != after[key]} == {(7, "a")}


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        (("x", 1), ("x", 1), False),
        (("x", None), ("x", None), False),
        ((None, None), (None, None), False),
        (("x", 1), ("x", None), True),
        (("x", None), ("x", 1), True),
        (("x", "1.0"), ("x", "1.00"), False),  # the same number
        (("x", "1.0"), ("x", "1.000000000000000000001"), True),
        (("x", 1, '{"a": 1}'), ("x", 1, '{"a": 1}'), False),
        (("x", 1, '{"a": 1}'), ("x", 1, '{"a": 2}'), True),
        (("x", 1, None), ("x", 1, "null"), True),
    ],
)
def test_what_differs(table: Table, old: tuple[Any, ...], new: tuple[Any, ...], differs: bool) -> None:
    table.load((1, "a", *old))

    assert table.load((1, "a", *new)) == (Counts(0, 1) if differs else Counts(0, 0))


def test_the_last_of_a_key_counts(table: Table) -> None:
    rows = [(number % 100, "a", f"n{number}", number) for number in range(5000)]

    assert table.load(*rows) == Counts(100, 0)
    assert table.rows() == [(number, "a", f"n{4900 + number}", 4900 + number) for number in range(100)]
    assert table.written()[:2] == (100, 0)


def test_version_and_deletion_mark_are_data(table: Table) -> None:
    deleted = datetime(2026, 1, 1, tzinfo=UTC)
    table.load((1, "a", "one", 1, None, 5, None), (2, "a", "two", 2, None, 5, None))
    table.cursor.execute("update raw_data.things set _sdc_deleted_at = %s where id = 1", [deleted])

    assert table.load((1, "a", "one", 1, None, 5, None), (2, "a", "two", 2, None, 6, None)) == Counts(0, 2)
    assert table.rows("_sdc_table_version, _sdc_deleted_at") == [(5, None), (6, None)]


def test_columns_that_are_not_loaded_keep_what_they_hold(table: Table) -> None:
    table.load((1, "a", "one", 1))
    table.cursor.execute("update raw_data.things set other = 'kept'")

    assert table.load((1, "a", "new", 1)) == Counts(0, 1)
    assert table.rows("name, other") == [("new", "kept")]


def test_a_table_of_keys_alone(cursor: psycopg.Cursor[Any]) -> None:
    cursor.execute("create table raw_data.keys (id bigint primary key, _load_id bigint)")
    cursor.execute("create temporary table staged (like raw_data.keys)")
    table = RawTable("raw_data", "keys", columns_of(cursor, "raw_data", "keys"), ("id",))
    for expected in (Counts(2, 0), Counts(0, 0)):
        cursor.execute("truncate staged")
        upsert.copy_rows(cursor, STAGED, ["id", "_load_id"], [(1, 1), (2, 1), (1, 2)])
        assert upsert.upsert(cursor, STAGED, table, ["id", "_load_id"]) == expected


def test_without_keys_rows_are_appended(cursor: psycopg.Cursor[Any]) -> None:
    table = Table(cursor, "", keys=())

    assert table.load((1, "a", "one", 1), (1, "a", "one", 1)) == Counts(2, 0)
    assert table.load((1, "a", "one", 1)) == Counts(1, 0)
    assert len(table.rows()) == 3


@pytest.mark.parametrize(
    ("definition", "found"),
    [
        ("primary key (id, part)", True),
        ("unique (part, id)", True),
        ("", False),
        ("primary key (id)", False),
        ("unique (id, part, name)", False),
        ("unique (id, part) deferrable", False),
        ("unique (id, part) include (name)", True),
    ],
)
def test_which_constraint_serves(cursor: psycopg.Cursor[Any], definition: str, found: bool) -> None:
    assert upsert.has_unique_key(cursor, Table(cursor, definition).raw) is found


def test_a_partial_index_does_not_serve(cursor: psycopg.Cursor[Any]) -> None:
    table = Table(cursor, "")
    cursor.execute("create unique index on raw_data.things (id, part) where name is null")
    cursor.execute("create unique index on raw_data.things (id, lower(part))")

    assert not upsert.has_unique_key(cursor, table.raw)
    table.load((1, "a", "one", 1))
    assert table.load((1, "a", "new", 1)) == Counts(0, 1)


def test_an_index_that_was_never_finished_does_not_serve(cursor: psycopg.Cursor[Any]) -> None:
    table = Table(cursor, "")
    cursor.execute("insert into raw_data.things (id, part) values (1, 'a'), (1, 'a')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        cursor.execute("create unique index concurrently on raw_data.things (id, part)")

    assert not upsert.has_unique_key(cursor, table.raw)


def test_names_that_need_quotes(cursor: psycopg.Cursor[Any]) -> None:
    names = ['ca"Se', "%s", "select", "{x}", "new", "held", "é"]
    columns = ", ".join(sql.Identifier(name).as_string(None) + " text" for name in names)
    cursor.execute(f'create table raw_data."odd %s ""{{}}" ({columns}, primary key ("%s", "new"))')
    odd = 'odd %s "{}'
    cursor.execute(sql.SQL("create temporary table staged (like {})").format(sql.Identifier("raw_data", odd)))
    table = RawTable("raw_data", odd, columns_of(cursor, "raw_data", odd), ("%s", "new"))
    for value, expected in (("x", Counts(1, 0)), ("x", Counts(0, 0)), ("y", Counts(0, 1))):
        cursor.execute("truncate staged")
        upsert.copy_rows(cursor, STAGED, names, [(value, "k", value, value, "k", value, value)])
        assert upsert.upsert(cursor, STAGED, table, names) == expected


def day(start: Any, stop: Any, column: str = "_sdc_received_at") -> StreamSlice:
    return StreamSlice.of(
        "things", {"properties": {column: {}}, "x-unit": {"id": "u", "column": column, "from": start, "to": stop}}
    )


@pytest.mark.parametrize(
    ("start", "stop", "kept"),
    [(2, 4, [1, 2, 4, 5, None]), (None, 4, [2, 4, 5, None]), (3, None, [1, 2, None]), (None, None, [2, None])],
)
def test_a_range_is_emptied_of_all_that_is_not_staged(
    cursor: psycopg.Cursor[Any], start: Any, stop: Any, kept: list[Any]
) -> None:
    table = Table(cursor)
    table.load(*((number, "a", "x", number) for number in range(1, 6)), (9, "a", "x", None))
    table.stage((2, "a", "new", 2), (3, "b", "another key", 3))

    deleted = upsert.delete_range(cursor, table.raw, day(start, stop, "amount"), STAGED)

    assert deleted == 6 - len(kept)
    assert sorted(table.rows("amount"), key=str) == sorted([(value,) for value in kept], key=str)


def test_a_range_without_key_is_emptied_whole(cursor: psycopg.Cursor[Any]) -> None:
    table = Table(cursor, "", keys=())
    table.load((1, "a", "x", 1), (2, "a", "x", 2))
    table.stage((1, "a", "x", 1))

    assert upsert.delete_range(cursor, table.raw, day(0, 2, "amount"), STAGED) == 1
    assert table.rows() == [(2, "a", "x", 2)]


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp"])
def test_a_range_of_time(cursor: psycopg.Cursor[Any], kind: str) -> None:
    cursor.execute(f"create table raw_data.times (id text primary key, at {kind})")
    cursor.execute("create temporary table staged (like raw_data.times)")
    cursor.execute(
        "insert into raw_data.times values ('before', '2025-12-31 23:59:59.999999'), ('first', '2026-01-01'), "
        "('last', '2026-01-01 23:59:59.999999'), ('after', '2026-01-02'), ('none', null)"
    )
    table = RawTable("raw_data", "times", columns_of(cursor, "raw_data", "times"), ("id",))
    stream_slice = day("2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00", "at")

    assert upsert.delete_range(cursor, table, stream_slice, STAGED) == 2
    cursor.execute("select id from raw_data.times order by 1")
    assert cursor.fetchall() == [("after",), ("before",), ("none",)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            (2**63, "a", "x", 1),
            r"row 2 of the batch, column id: value .9223372036854775808. is out of range for type bigint",
        ),
        ((1, "a", "x", "y"), r"row 2 of the batch, column amount: invalid input syntax for type numeric: .y."),
        ((1, "a\0", "x", 1), r"row 2 of the batch, column part: it holds a NUL character"),
        ((1, "a\ud800", "x", 1), r"row 2 of the batch: 'utf-8' codec can't encode"),
        ((1, {"a": 1}, "x", 1), r"row 2 of the batch: cannot adapt type 'dict'"),
        ((None, "a", "x", 1), r"row 2 of the batch: null value in column \"id\""),
        ((1, "a", "x"), r"row 2 of the batch: missing data for column \"amount\""),
    ],
)
def test_a_refused_row_is_one_sentence(cursor: psycopg.Cursor[Any], row: tuple[Any, ...], reason: str) -> None:
    table = Table(cursor)
    rows = [(0, "a", "x", 1), row, (2, "a", "x", 2)]

    with pytest.raises(RowRefusedError, match=reason) as caught:
        upsert.copy_rows(cursor, table.raw.identifier, COLUMNS[:4], rows)

    assert "\n" not in str(caught.value)
    assert table.rows() == []
    assert cursor.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_a_failing_source_of_rows_writes_nothing(cursor: psycopg.Cursor[Any]) -> None:
    table = Table(cursor)

    def rows() -> Iterator[tuple[Any, ...]]:
        yield (1, "a", "x", 1)
        raise LookupError

    with pytest.raises(LookupError):
        upsert.copy_rows(cursor, table.raw.identifier, COLUMNS[:4], rows())
    assert table.rows() == []
