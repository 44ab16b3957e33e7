"""What is no Singer message, or none that a loader can follow, ends in one sentence that says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa
from singer_sdk.singerlib.exceptions import InvalidInputLine

from target_postgres_copy import refusals

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).parent / "data"
SCHEMA = {
    "type": "SCHEMA",
    "stream": "things",
    "key_properties": ["id"],
    "schema": {"properties": {"id": {"type": "integer"}}},
}
RECORD = {"type": "RECORD", "stream": "things", "record": {"id": 1}}
ENCODING = {"format": "tsv", "compression": "gzip"}


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ({"type": "FOO"}, "line 2 of the input has the type 'FOO', which is none of Singer's"),
        ({"type": 1}, "line 2 of the input has the type 1, which is none of Singer's"),
        ({"type": "BATCH", "stream": "other", "encoding": ENCODING, "manifest": []}, "a BATCH message came before the"),
        ({"type": "BATCH", "stream": "things"}, "a BATCH message lacks encoding, manifest"),
        ({"type": "ACTIVATE_VERSION", "stream": "other", "version": 1}, "an? ACTIVATE_VERSION message came before the"),
        ({"type": "ACTIVATE_VERSION", "stream": "things"}, "an? ACTIVATE_VERSION message lacks version"),
    ],
)
def test_a_message_that_cannot_be_followed(feed: Any, message: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInputLine, match=sentence):
        feed([SCHEMA, message])


CONNECTION = "is the server up, are host, port, user and password"


@pytest.mark.parametrize(
    ("change", "hint"),
    [
        ("alter schema raw_data owner to postgres", "give the loader's role"),
        ("create table raw_data.things (id bigint primary key)", "give the loader's role"),
        ("set role loader; create table raw_data.things (id bigint check (id > 1))", "a constraint of the table"),
    ],
)
def test_a_refusal_of_postgresql_has_the_hint_of_its_kind(feed: Any, database: Any, change: str, hint: str) -> None:
    database.query(change)

    with pytest.raises((psycopg.Error, sa.exc.DBAPIError)) as caught:
        feed([SCHEMA, RECORD])

    reported = refusals.sentence(caught.value)
    assert CONNECTION not in reported
    assert hint in reported


def test_a_server_out_of_reach_has_that_of_connections(feed: Any) -> None:
    with pytest.raises(sa.exc.DBAPIError) as caught:
        feed([SCHEMA], port=9)
    assert CONNECTION in refusals.sentence(caught.value)


def test_a_host_may_be_the_folder_of_a_socket(feed: Any, tmp_path: Path) -> None:
    with pytest.raises(sa.exc.DBAPIError, match=rf'socket "{tmp_path}/.s.PGSQL.7654"'):
        feed([SCHEMA], host=str(tmp_path), port=7654)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"data_origin": "simulator"}, "this warehouse holds live data; refusing to load simulated data"),
        ({"port": 9}, "PostgreSQL refused: connection failed"),
        ({"password": "not-the-password"}, "password authentication failed"),
        ({"default_target_schema": "elsewhere"}, "permission denied for database"),
    ],
)
def test_a_refusal_is_one_sentence_of_the_executable(
    start_loader: Any, failure: Any, load: Callable[..., str], settings: dict[str, Any], sentence: str
) -> None:
    load("blocks.singer", data_origin="live")
    messages = map(json.loads, (DATA / "amounts.singer").read_text().splitlines())

    log = failure(start_loader(**settings), messages)

    assert sentence in log
    assert "not-the-password" not in log
