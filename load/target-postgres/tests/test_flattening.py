"""A property of several types has its columns also where flattening is on, whatever stands first."""

from __future__ import annotations

from typing import Any

import pytest

from target_postgres_copy.errors import NameRefusedError

NULL = {"type": "null"}
TEXT = {"type": "string"}
MOMENT = {"type": "string", "format": "date-time"}
NESTED = {"type": "object", "properties": {"x": {"oneOf": [NULL, {"type": "integer"}]}, "y": TEXT}}
ON = {"flattening_enabled": True, "flattening_max_depth": 2}

# A property, a value, and the columns that come of it, all as texts.
CASES: dict[str, tuple[dict[str, Any], Any, dict[str, str | None]]] = {
    "null first, text": ({"anyOf": [NULL, TEXT]}, "a", {"held": "a"}),
    "null first, time": ({"anyOf": [NULL, MOMENT]}, "2024-01-09T00:00:00Z", {"held": "2024-01-09T00:00:00+00:00"}),
    "null first, object": ({"anyOf": [NULL, NESTED]}, {"x": 1, "y": "b"}, {"held__x": "1", "held__y": "b"}),
    "null last, object": ({"oneOf": [NESTED, NULL]}, {"x": None, "y": "b"}, {"held__x": None, "held__y": "b"}),
    "null in an object's place": ({"anyOf": [NULL, NESTED]}, None, {"held__x": None, "held__y": None}),
    "described": ({"description": "d", "anyOf": [NULL, NESTED]}, {"x": 1, "y": "b"}, {"held__x": "1", "held__y": "b"}),
    "number first": ({"anyOf": [{"type": "number"}, NULL]}, 1.5, {"held": "1.5"}),
    "several": ({"anyOf": [NULL, {"type": "integer"}, TEXT]}, "a", {"held": "a"}),
    "several, a number": ({"anyOf": [NULL, {"type": "integer"}, TEXT]}, 7, {"held": "7"}),
    "several, a format": ({"anyOf": [NULL, MOMENT, TEXT]}, "no time", {"held": "no time"}),
    "list": ({"anyOf": [NULL, {"type": "array", "items": TEXT}]}, ["a"], {"held": '["a"]'}),
    "named values": ({"enum": ["a", None]}, "a", {"held": "a"}),
    "all of": ({"allOf": [{"type": "integer"}, {"minimum": 1}]}, 3, {"held": "3"}),
}


def messages(part: dict[str, Any], value: Any) -> list[dict[str, Any]]:
    schema = {"type": "object", "properties": {"id": {"type": "integer"}, "held": part}}
    return [
        {"type": "SCHEMA", "stream": "things", "key_properties": ["id"], "schema": schema},
        {"type": "RECORD", "stream": "things", "record": {"id": 1, "held": value}},
    ]


@pytest.mark.parametrize("case", CASES)
def test_a_union_has_its_columns(feed: Any, database: Any, case: str) -> None:
    part, value, columns = CASES[case]

    feed(messages(part, value), **ON)

    ((row,),) = database.query("select to_jsonb(things) from raw_data.things")
    found = {name: text for name, text in row.items() if name.startswith("held")}
    assert {name: None if text is None else str(text) for name, text in found.items()} == columns


def test_two_columns_of_one_name_are_refused(feed: Any, database: Any) -> None:
    schema, record = messages(NESTED, {"x": 1, "y": "b"})
    schema["schema"]["properties"]["held__x"] = TEXT
    record["record"]["held__x"] = "other"

    with pytest.raises(NameRefusedError, match=r"column held__x twice.*flattening_max_depth to less"):
        feed([schema, record], **ON)
    assert database.tables() == []

    feed([schema, record], flattening_enabled=True, flattening_max_depth=0)
    assert database.query("select held, held__x from raw_data.things") == [({"x": 1, "y": "b"}, "other")]
