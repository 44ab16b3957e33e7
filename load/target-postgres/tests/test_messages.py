"""What is no Singer message, or none that a loader can follow, ends in one sentence that says what is wrong."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa
from singer_sdk.exceptions import InvalidJSONSchema
from singer_sdk.singerlib.encoding import SimpleSingerReader
from singer_sdk.singerlib.exceptions import InvalidInputLine

from target_postgres_copy import refusals
from target_postgres_copy.target import ExactReader

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


def test_a_schema_that_is_no_json_schema(feed: Any, database: Any) -> None:
    with pytest.raises(InvalidJSONSchema):
        feed([{**SCHEMA, "schema": {"properties": {"id": {"type": "integer", "minimum": "x"}}}}])
    assert "things" not in database.tables()


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


@pytest.mark.parametrize("settings", [{"password": "not-the-password"}, {"host": None}, {"data_origin": "mars"}])
def test_who_sends_to_a_failing_loader_can_send_to_the_end(start_loader: Any, settings: dict[str, Any]) -> None:
    """Meltano else ends in a traceback about its broken pipe, below the loader's sentence."""
    loader = start_loader(**settings)
    lines = (DATA / "amounts.singer").read_text()
    loader.stdin.write(lines * (4_000_000 // len(lines)))
    loader.stdin.close()
    assert loader.wait(60) == 1


def test_a_failing_loader_ends_though_the_sender_does_not(start_loader: Any) -> None:
    with subprocess.Popen(["yes", json.dumps(SCHEMA)], stdout=subprocess.PIPE) as sender:
        loader = start_loader(stdin=sender.stdout, password="not-the-password")
        assert loader.wait(60) == 1
        sender.kill()


READ_ALIKE = [
    '{"a":1,"a":2}', '{"a":894582879806664207241}', '{"a":-9223372036854775809}', '{"a":18446744073709551616}',
    '{"a":1.000000000000000000000000000001}', '{"a":123456789012345678901234567890.5}', '{"a":1e400}', '{"a":-0.0}',
    '{"a":-0}', '{"a":1E5}', '{"a":1e-7}', '{"a":0.10}', '{"a":1.0}', '{"a":12345678901234567890123e0}',
    '{"a":0.' + "9" * 5000 + "}", '{"a":"\\u0000"}', '{"a":"\\ud83d\\ude00"}', '{"a":"\x7f\\/é"}', ' {"a" : [ ] } \n',
    '{"a":{"b":[true,false,null,"x",[1.5,2]]}}', "{}",
]  # fmt: skip
REFUSED_ALIKE = [
    "", "\n", "{", '{"a":01}', '{"a":1.}', '{"a":.5}', '{"a":+1}', '{"a":1,}', '{"a":"\t"}', '{"a":"\x01"}', "{'a':1}",
    '{"a":1}x', '\ufeff{"a":1}', '{"a":"\\x"}', '{"a":tru}', '{"a":TRUE}', '{"a":undefined}', "plain text",
]  # fmt: skip
# Python's reader takes these; they are not JSON, or no text.
REFUSED_MORE = ['{"a":NaN}', '{"a":Infinity}', '{"a":-Infinity}', '{"a":"\\ud800"}', '{"a":"\ud800"}']
# Python's reader fails on these with an error of another kind.
REFUSED_AS_A_LINE = [
    '{"a":' + "9" * 5000 + "}",
    '{"a":1e999999999999999999999}',
    '{"a":' + "[" * 100_000 + "]" * 100_000 + "}",
]
# These are JSON, and no messages.
NO_MESSAGES = ["[1]", '"x"', "null", "5"]


@pytest.mark.parametrize("line", READ_ALIKE, ids=lambda line: line[:40])
def test_lines_are_read_alike(line: str) -> None:
    ours, default = ExactReader().deserialize_json(line), SimpleSingerReader().deserialize_json(line)

    assert repr(ours) == repr(default)


@pytest.mark.parametrize(
    "line", REFUSED_ALIKE + REFUSED_MORE + REFUSED_AS_A_LINE + NO_MESSAGES, ids=lambda line: line[:40]
)
def test_an_unreadable_line_is_one_sentence(line: str, caplog: pytest.LogCaptureFixture) -> None:
    reader = ExactReader()
    reader.deserialize_json('{"type":"STATE"}')

    with pytest.raises(InvalidInputLine, match=r"^line 2 of the input is not a Singer message: ") as caught:
        reader.deserialize_json(line)

    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert caplog.records == []


@pytest.mark.parametrize("line", REFUSED_ALIKE)
def test_the_default_reader_refuses_them_too(line: str) -> None:
    with pytest.raises(InvalidInputLine):
        SimpleSingerReader().deserialize_json(line)


def test_what_the_sdk_s_writers_write_is_read() -> None:
    line = json.dumps({"type": "RECORD", "record": {"text": "é\u2028\n\\", "number": 1}})

    assert ExactReader().deserialize_json(line) == json.loads(line)
