"""No setting of environment, role or database changes what is stored."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.types.string import TextLoader

from target_postgres_copy import sessions
from target_postgres_copy.errors import SessionError
from target_postgres_copy.settings import PINNED

DAY = "2024-01-09"
TEXT = "ü€漢字 \\ 'x'"
SCHEMA: dict[str, Any] = {
    "type": "SCHEMA",
    "stream": "things",
    "key_properties": ["id"],
    "schema": {
        "properties": {
            "id": {"type": "integer"},
            "text": {"type": "string"},
            "texts": {"type": "array", "items": {"type": ["string", "null"]}},
            "at": {"type": "string", "format": "date-time"},
        }
    },
}
RECORD = {"id": 1, "text": TEXT, "texts": ["a", None], "at": "2024-01-09T12:00:00Z"}

# Each setting, a value that changes something, and a query that says differently with it, in place of what it says with
# the value that the loader pins. `current_setting` where no short query shows the difference.
DIFFERENT: dict[str, tuple[str, str]] = {
    "array_nulls": ("off", "select '{null}'::text[]"),
    "backslash_quote": ("off", "show backslash_quote"),
    "bytea_output": ("escape", "select 'a'::bytea::text"),
    "client_encoding": ("LATIN1", "show client_encoding"),
    "DateStyle": ("SQL, DMY", "select '01/02/2024'::date::text"),
    "default_transaction_deferrable": ("on", "show default_transaction_deferrable"),
    "default_transaction_isolation": ("serializable", "show transaction_isolation"),
    "default_transaction_read_only": ("on", "show transaction_read_only"),
    "exit_on_error": ("on", "show exit_on_error"),
    "extra_float_digits": ("-15", "select 0.1::float8 + 0.2::float8"),
    "gin_fuzzy_search_limit": ("1", "show gin_fuzzy_search_limit"),
    "idle_in_transaction_session_timeout": ("1h", "show idle_in_transaction_session_timeout"),
    "idle_session_timeout": ("1h", "show idle_session_timeout"),
    "IntervalStyle": ("iso_8601", "select '1 day'::interval::text"),
    "lc_monetary": ("POSIX", "show lc_monetary"),
    "lc_numeric": ("POSIX", "show lc_numeric"),
    "lc_time": ("POSIX", "show lc_time"),
    "lock_timeout": ("1h", "show lock_timeout"),
    "quote_all_identifiers": ("on", "select format_type('text'::regtype, null)"),
    "row_security": ("on", "show row_security"),
    "search_path": ("pg_catalog", "select current_schema()"),
    "standard_conforming_strings": ("off", r"select 'a\\b'"),
    "statement_timeout": ("1h", "show statement_timeout"),
    "synchronous_commit": ("off", "show synchronous_commit"),
    "TimeZone": ("America/New_York", "select '2024-01-09 12:00'::timestamptz at time zone 'UTC'"),
    "timezone_abbreviations": ("Australia", "select '2024-01-09 12:00 EST'::timestamptz"),
    "transaction_timeout": ("1h", "show transaction_timeout"),
    "transform_null_equals": ("on", "select 1 where null = null"),
    "xmlbinary": ("hex", "show xmlbinary"),
    "xmloption": ("document", "show xmloption"),
}


def test_every_setting_is_tried() -> None:
    assert DIFFERENT.keys() == {
        *PINNED.keys() - {"session_replication_role"},
        "lock_timeout",
        "statement_timeout",
        "synchronous_commit",
    }


def answer(database: Any, query: str, *, pinned: bool) -> Any:
    """Ask as the loader's role, all values as texts."""
    with database.server.connect(database.name, user="loader") as connection:
        if pinned:
            sessions.prepare(connection, {"lock_timeout": "0", "statement_timeout": "0"})
        connection.adapters.register_loader("timestamptz", TextLoader)
        connection.adapters.register_loader("date", TextLoader)
        return connection.execute(query).fetchall()


STORED = (
    "select text, texts::text, (at at time zone 'UTC')::text from raw_data.things "
    "union all select name, amount::text, (at at time zone 'UTC')::text from raw_data.trades"
)


@pytest.mark.parametrize("level", ["role loader", "database test"])
def test_settings_of_role_and_database(feed: Any, database: Any, trades: Any, level: str) -> None:
    """Each is effective in a session that pins nothing, and not in one of the loader; then a load with all of them."""

    def messages() -> list[Any]:
        row = ["1", TEXT, f"{DAY} 12:00:00", "1.5", "1", "0"]
        record = {"type": "RECORD", "stream": "things", "record": RECORD.copy()}
        return [SCHEMA, record, *trades.loaded(DAY, [row]), trades.schema()]

    feed(messages())
    expected = answer(database, STORED, pinned=True)
    assert [row[0] for row in expected] == [TEXT, TEXT]
    database.query("drop table raw_data.things, raw_data.trades, raw_data.load_ledger")
    with database.server.connect() as admin:  # of another database, whose settings stay as they are
        try:
            known = {name.lower() for (name,) in admin.execute("select name from pg_settings")}
            for name, (value, query) in DIFFERENT.items():
                if name.lower() not in known:
                    continue  # of a later release
                usual = answer(database, query, pinned=True)
                admin.execute(f"alter {level} set {name} to {value if name == 'search_path' else repr(value)}")
                assert answer(database, query, pinned=False) != usual, name
                assert answer(database, query, pinned=True) == usual, name

            feed(messages())

            assert answer(database, STORED, pinned=True) == expected
        finally:
            admin.execute(f"alter {level} reset all")


def test_settings_of_the_environment(
    feed: Any, database: Any, trades: Any, plain_trades: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = ["1", TEXT, f"{DAY} 12:00:00", "1.5", "1", "0"]
    with monkeypatch.context() as environment:
        environment.setenv("PGCLIENTENCODING", "LATIN1")
        environment.setenv("PGDATESTYLE", "SQL, DMY")
        environment.setenv("PGTZ", "Asia/Tokyo")
        environment.setenv("PGOPTIONS", "-c array_nulls=off -c search_path=pg_catalog")
        feed([SCHEMA, {"type": "RECORD", "stream": "things", "record": RECORD.copy()}])
        for stream in (trades, plain_trades):
            feed([*stream.loaded(DAY, [row]), stream.schema()])

    names = "select name from raw_data.trades union all select name from raw_data.plain"
    assert database.query(names) == [(TEXT,), (TEXT,)]
    query = "select text, texts, (at at time zone 'UTC')::text from raw_data.things"
    assert database.query(query) == [(TEXT, ["a", None], "2024-01-09 12:00:00")]


def test_a_setting_that_the_role_may_not_set_back(feed: Any, database: Any) -> None:
    """Under it neither triggers nor foreign keys are heeded."""
    database.query("alter role loader set session_replication_role to replica")

    with pytest.raises(SessionError, match=r"session_replication_role.*nothing was loaded; as superuser, run `alter"):
        feed([SCHEMA])

    assert database.tables() == []


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_in_another_encoding_is_refused(feed: Any, database: Any, encoding: str) -> None:
    database.query("drop database if exists other")
    database.query(f"create database other encoding '{encoding}' template template0 owner loader")
    try:
        with pytest.raises(SessionError, match=f"database other at .* has the encoding {encoding}, which cannot hold"):
            feed([SCHEMA], database="other")
    finally:
        database.query("drop database other with (force)")


def test_a_file_is_loaded_again_on_demand(feed: Any, database: Any, trades: Any, plain_trades: Any) -> None:
    """A load that stored other values than the file's, as the ledger cannot know."""
    row = ["1", TEXT, f"{DAY} 12:00:00", "1.5", "1", "0"]
    for stream in (trades, plain_trades):
        feed([*stream.loaded(DAY, [row], sha256="a"), stream.schema()])
        database.query(f"update raw_data.{stream.stream} set name = 'Ã¼'")
        feed([*stream.loaded(DAY, [row], sha256="a"), stream.schema()])
        assert database.query(f"select name from raw_data.{stream.stream}") == [("Ã¼",)]

        feed([*stream.loaded(DAY, [row], sha256="a"), stream.schema()], reload=True)

        assert database.query(f"select name from raw_data.{stream.stream}") == [(TEXT,)]
