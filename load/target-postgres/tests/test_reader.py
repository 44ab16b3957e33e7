"""Lines of input are read exactly, and an unreadable one is one sentence."""

from __future__ import annotations

import json

import pytest
from singer_sdk.singerlib.encoding import SimpleSingerReader
from singer_sdk.singerlib.exceptions import InvalidInputLine

from target_postgres_copy.target import ExactReader

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
