"""The compiled validator judges as the SDK's own: on a corpus, and on schemas and records made at random."""

# ruff: noqa: E501 - schemas and records hold anything, and tables of them are wide

from __future__ import annotations

import random
from decimal import Decimal, localcontext
from typing import Any

import fastjsonschema
import pytest
from singer_sdk.exceptions import InvalidJSONSchema, InvalidRecord
from singer_sdk.sinks.core import JSONSchemaValidator

from target_postgres_copy import validation
from target_postgres_copy.validation import CompiledValidator

# Values as a reader with exact numbers gives them, and floats, which validators know too.
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3, 127, 2**15, 2**31, 2**63, 2**64, 10**30, -(10**30),
    Decimal(0), Decimal(1), Decimal("1.0"), Decimal("1.5"), Decimal("-0.0"), Decimal("0.1"), Decimal("1E+400"),
    Decimal("0.10000000000000000001"), 1.0, 1.5, -0.0, 1e300,
    "", "a", "ab", "abc", "x\n", "1", "true", "é", "\0", "2026-01-01", "2026-01-01T00:00:00Z", "not a date",
    [], [None], [1], [1, 2], [1, "a"], [True], [1, 1], [Decimal("1.0"), 1], [[]], [{}], [{"a": 1}], ["a", "b", "c", "d"],
    {}, {"a": 1}, {"a": "x"}, {"a": None}, {"b": 1}, {"a": 1, "b": 2}, {"a": {"a": {"a": 1}}}, {"a": [1]}, {"A-b": 1},
]  # fmt: skip

# Schemas of one property, in the order of the specification's vocabularies.
CORPUS: list[Any] = [
    {}, True, False, {"type": "null"}, {"type": "boolean"}, {"type": "integer"}, {"type": "number"}, {"type": "string"},
    {"type": "array"}, {"type": "object"}, {"type": ["integer", "null"]}, {"type": ["number", "null"]},
    {"type": ["integer", "number"]}, {"type": ["boolean", "integer", "null"]}, {"type": ["string", "number", "null"]},
    {"enum": [1]}, {"enum": [True]}, {"enum": [0, None]}, {"enum": ["a", "ab", None]}, {"enum": [Decimal("1.0")]},
    {"enum": [[1]]}, {"enum": [{"a": 1}]}, {"enum": []}, {"enum": ["{x}", "'", '"', "\\", "x\n"]},
    {"const": 1}, {"const": False}, {"const": None}, {"const": "a"}, {"const": Decimal("1.5")}, {"const": {"a": 1}},
    {"multipleOf": 2}, {"multipleOf": Decimal("0.1")}, {"multipleOf": 0.5}, {"multipleOf": 1},
    {"multipleOf": 1, "type": ["number", "null"]}, {"multipleOf": 1, "type": "integer"}, {"multipleOf": 1.0, "type": "number"},
    {"multipleOf": 1, "type": ["number", "null"], "minimum": 0, "maximum": 2**256 - 1}, {"multipleOf": 1, "type": "string"},
    {"minimum": 0}, {"maximum": 1}, {"exclusiveMinimum": 0}, {"exclusiveMaximum": 1}, {"minimum": 2**64},
    {"minimum": Decimal("0.1")}, {"maximum": Decimal("0.1")}, {"exclusiveMaximum": Decimal("1.5")}, {"minimum": 0.5},
    {"minimum": -32768, "maximum": 32767, "type": "integer"},
    {"minLength": 1}, {"maxLength": 1}, {"minLength": 0, "maxLength": 0},
    {"pattern": "^a"}, {"pattern": "a$"}, {"pattern": "x$"}, {"pattern": "^\\w$"}, {"pattern": "[{}]"},
    {"items": {"type": "integer"}}, {"items": {}}, {"items": True}, {"items": False}, {"prefixItems": [{"type": "string"}]},
    {"prefixItems": [{}], "items": {"type": "string"}}, {"minItems": 1}, {"maxItems": 1}, {"uniqueItems": True},
    {"uniqueItems": False}, {"contains": {"type": "integer"}}, {"contains": {"type": "integer"}, "minContains": 2},
    {"properties": {"a": {"type": "integer"}}}, {"properties": {"a": False}}, {"properties": {"a": True}},
    {"properties": {"a": {"properties": {"a": {"type": "object", "required": ["a"]}}}}},
    {"required": ["a"]}, {"required": []}, {"required": ["z"], "additionalProperties": False, "properties": {}},
    {"minProperties": 1}, {"maxProperties": 1}, {"propertyNames": {"maxLength": 1}},
    {"additionalProperties": False}, {"additionalProperties": True}, {"additionalProperties": {"type": "integer"}},
    {"properties": {"a": {}}, "additionalProperties": False}, {"patternProperties": {"^a": {"type": "integer"}}},
    {"properties": {"a": {}}, "additionalProperties": {"type": "string"}},
    {"patternProperties": {"a$": {}}, "additionalProperties": False}, {"unevaluatedProperties": False},
    {"properties": {"A-b": {"type": "string"}, "A_b": {"type": "null"}}}, {"properties": {"_": {"type": "null"}}},
    {"dependentRequired": {"a": ["b"]}}, {"dependentSchemas": {"a": {"required": ["b"]}}}, {"dependencies": {"a": ["b"]}},
    {"anyOf": [{"type": "integer"}, {"type": "string", "minLength": 2}]}, {"anyOf": [{}, False]},
    {"oneOf": [{"type": "integer"}, {"type": "number"}]}, {"oneOf": [{"minimum": 1}, {"maximum": 1}]},
    {"allOf": [{"type": "number"}, {"maximum": 1}]}, {"allOf": [{"properties": {"a": {}}}, {"additionalProperties": False}]},
    {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, {"not": {"type": "null"}}, {"not": {}},
    {"if": {"type": "integer"}, "then": {"minimum": 1}, "else": {"type": "string"}},
    {"format": "date-time", "type": "string"}, {"format": "ipv4"}, {"format": "no such format"},
    {"contentEncoding": "base64"}, {"contentMediaType": "application/json"}, {"contentEncoding": "base16", "type": "string"},
    {"$ref": "#/$defs/whole"}, {"$ref": "#/$defs/whole", "minimum": 1}, {"$ref": "#"}, {"$anchor": "here"},
    {"$schema": "http://json-schema.org/draft-04/schema#", "type": "integer"},  # 1.0 is none there
    {"$comment": "c", "title": "t", "description": "d", "default": 1, "examples": [1], "deprecated": True},
    {"x-unit": {"a": 1}, "x-sql-datatype": "smallint", "secret": True, "inclusion": "available", "definitions": {}},
    {"type": "string", "default": "d"}, {"divisibleBy": 2, "disallow": "string", "extends": {}},
]  # fmt: skip


def schema_of(part: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": part}, "$defs": {"whole": {"type": "integer"}}}


def judged(validator: Any, record: Any) -> str:
    try:
        validator.validate(record)
    except InvalidRecord as error:
        return error.error_message
    except Exception as error:  # noqa: BLE001 - the stock validator stumbles over some schemas
        return type(error).__name__
    return "accepted"


def made(kind: type, schema: dict[str, Any]) -> Any:
    try:
        return kind(schema)
    except InvalidJSONSchema as error:
        return str(error)


@pytest.mark.parametrize("part", CORPUS, ids=repr)
def test_the_corpus_is_judged_as_by_the_stock_validator(part: Any) -> None:
    schema = schema_of(part)
    ours, stock = made(CompiledValidator, schema), made(JSONSchemaValidator, schema)
    if isinstance(stock, str):
        assert ours == stock
        return

    for record in [{"x": value} for value in VALUES] + [{}, {"y": 1}]:
        with localcontext() as digits:
            expected = judged(stock, record)
            if expected == "InvalidOperation":  # the stock one cannot divide numbers of more than 28 digits
                digits.prec = 500
                expected = judged(stock, record)
        assert judged(ours, record) == expected, record


def test_a_number_beyond_all_digits_is_refused() -> None:
    whole = CompiledValidator(schema_of({"type": "number", "multipleOf": 1}))

    assert judged(whole, {"x": Decimal("1E+5000")}) == "a number is too great to be compared with its schema"


@pytest.mark.parametrize(
    "root",
    [
        {"required": ["a"]},
        {"required": ["a"], "additionalProperties": False},
        {"additionalProperties": {"type": "string"}},
        {"$schema": "http://json-schema.org/draft-04/schema#", "id": "https://example.com/x"},
        {"$schema": "http://json-schema.org/draft-04/schema#", "properties": {"a": {"type": "any"}}},
        {"type": "object", "properties": {"a": {"type": "whole"}}},
        {"type": "object", "properties": {"a": {"items": [{}]}}},
        {"type": "object", "properties": {"a": {"minimum": "1"}}},
        {"type": "object", "properties": {"a": None}},
        {"type": "object", "required": "a"},
        {"type": "object", "properties": {"a": {"pattern": "("}}},
        {"maxProperties": 1},
    ],
)
def test_what_stands_at_the_root(root: dict[str, Any]) -> None:
    schema = {"properties": {"a": {"type": ["integer", "null"]}}} | root
    ours, stock = made(CompiledValidator, schema), made(JSONSchemaValidator, schema)
    if isinstance(stock, str):
        assert ours == stock
        return

    for record in ({}, {"a": 1}, {"a": None}, {"a": "x"}, {"a": 1, "b": "x"}, {"a": 1, "b": 1}):
        assert judged(ours, record) == judged(stock, record), record


class Random:
    """Schemas and values at random, from one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def schema(self, depth: int) -> Any:
        chance = self._random
        if chance.random() < 0.05:
            return chance.choice([True, False, {}])
        made: dict[str, Any] = {}
        for _ in range(chance.choice([1, 1, 2, 3])):
            keyword = chance.choice(list(_FLAT | _DEEP if depth else _FLAT))
            if chance.random() < 0.05:
                keyword = chance.choice(list(_DIFFERING))
            made[keyword] = (_FLAT | _DEEP | _DIFFERING)[keyword](self, depth - 1)
        return made

    def value(self, depth: int = 3) -> Any:
        chance = self._random
        if depth and chance.random() < 0.4:
            if chance.random() < 0.5:
                return [self.value(depth - 1) for _ in range(chance.randrange(4))]
            return {self.name(): self.value(depth - 1) for _ in range(chance.randrange(4))}
        return chance.choice(VALUES)

    def name(self) -> str:
        return self._random.choice(["a", "b", "ab", "a_b", "_", "c d", "é", 'q"', "{x}", "$y", "0"])

    def some(self, function: Any, *arguments: Any) -> list[Any]:
        return [function(*arguments) for _ in range(self._random.choice([1, 2, 3]))]

    def names(self) -> list[str]:
        return sorted(set(self.some(self.name)))

    def number(self) -> Any:
        return self._random.choice([-1, 0, 1, 2, 2**63] * 3 + [Decimal("0.1"), Decimal("1.5"), 0.5, 1.0])

    def count(self) -> int:
        return self._random.choice([0, 1, 2])

    def types(self) -> Any:
        types = ["null", "boolean", "integer", "number", "string", "array", "object"]
        one = self._random.choice(types)
        return one if self._random.random() < 0.5 else self._random.sample(types, self._random.choice([1, 2, 3]))

    def member(self) -> Any:
        return self._random.choice([1, 0, True, None, "a", "", "{x}"]) if self._random.random() < 0.9 else self.scalar()

    def scalar(self) -> Any:
        return self._random.choice(VALUES)


_FLAT: dict[str, Any] = {
    "type": lambda r, _: r.types(),
    "enum": lambda r, _: r.some(r.member),
    "required": lambda r, _: r.names(),
    "format": lambda *_: "date-time",
    "title": lambda *_: "x",
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), lambda r, _: r.number()),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties"), lambda r, _: r.count()),
}
# Keywords that the stock validator judges alone: seldom, since one keeps its whole schema from being compiled.
_DIFFERING: dict[str, Any] = {
    "const": lambda r, _: r.scalar(),
    "pattern": lambda r, _: "a$" if r.count() else "^a",
    "uniqueItems": lambda r, _: bool(r.count()),
    "not": lambda r, _: {"type": r.types()},
}
_DEEP: dict[str, Any] = {
    "properties": lambda r, depth: {name: r.schema(depth) for name in r.names()},
    "additionalProperties": lambda r, depth: r.schema(depth) if r.count() else False,
    "items": lambda r, depth: r.schema(depth),
    **dict.fromkeys(("anyOf", "oneOf", "allOf"), lambda r, depth: r.some(r.schema, depth)),
}


def test_random_schemas_and_records() -> None:
    chance = Random(20090103)
    compiled = accepted = 0
    for _ in range(1500):
        schema = chance.schema(3)
        if not isinstance(schema, dict) or chance.count():
            schema = schema_of(schema)
        ours, stock = made(CompiledValidator, schema), made(JSONSchemaValidator, schema)
        if isinstance(stock, str):
            assert ours == stock
            continue
        compiled += ours._compiled is not None
        for record in [{"x": chance.value()} for _ in range(12)] + [chance.value()]:
            verdict = judged(stock, record)
            accepted += verdict == "accepted"
            assert judged(ours, record) == verdict, (schema, record)

    assert compiled > 200  # or the random ones prove nothing
    assert accepted > 2000


def test_the_schemas_of_a_chain_are_compiled() -> None:
    schema = {
        "type": "object",
        "properties": {
            "block_id": {"type": "integer"},
            "time": {"type": ["string", "null"], "format": "date-time"},
            "input_total": {"type": ["number", "null"], "description": "satoshi"},
            "is_spendable": {"type": ["integer", "null"], "minimum": -1, "maximum": 1},
            "_sdc_sequence": {"type": ["null", "integer"]},
            "nested": {
                "type": ["object", "null"],
                "properties": {"a_b": {"type": "array", "items": {"type": "string"}}},
            },
        },
        "x-unit": {"id": "bitcoin/blocks/2009-01-09"},
        "$schema": "https://json-schema.org/draft/2020-12/schema",
    }

    assert CompiledValidator(schema)._compiled is not None


def test_a_record_is_left_as_it_is() -> None:
    record = {"x": "aGVsbG8="}
    schema = schema_of({"type": "string", "contentEncoding": "base64", "default": "d"})
    schema["properties"]["y"] = {"default": 1}

    CompiledValidator(schema).validate(record)

    assert record == {"x": "aGVsbG8="}


def test_slices_of_a_stream_share_what_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    validation._validators.cache_clear()
    compiled = 0
    compile_one = fastjsonschema.compile

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal compiled
        compiled += 1
        return compile_one(*arguments, **options)

    monkeypatch.setattr(fastjsonschema, "compile", counted)
    for day in range(50):
        stream_slice = {"id": f"bitcoin/blocks/{day}"}
        validator = CompiledValidator({"properties": {"a": {"type": "integer", "maximum": 1}}, "x-unit": stream_slice})
    assert compiled == 1
    with pytest.raises(InvalidRecord):
        validator.validate({"a": 2})

    other = CompiledValidator({"properties": {"a": {"type": "integer", "maximum": True + 1}}})
    assert compiled == 2
    other.validate({"a": 2})
