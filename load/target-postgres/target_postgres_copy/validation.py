"""Record validation at compiled speed, with the messages of the stock validator.

A record is first given to a function that fastjsonschema compiled from the schema. What that accepts is accepted;
everything else goes to the stock validator of the SDK, so a record is refused with the stock message or not at all. The
compiled function must never accept what the stock validator refuses, and the two differ in places (`$` in patterns,
decimals beside floats, `true` beside 1, drafts). So a schema with anything beyond the keywords known to be equal is not
compiled, and its records go to the stock validator alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import localcontext
from functools import lru_cache
from typing import Any, TypeAlias

import fastjsonschema
from singer_sdk.exceptions import InvalidRecord
from singer_sdk.sinks.core import BaseJSONSchemaValidator, JSONSchemaValidator
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

Check: TypeAlias = Callable[[dict[str, Any]], object]

# Validators kept: a run has one schema per stream, and now and then a changed one.
_KEPT = 256

_DIGITS = 1000  # of numbers that `multipleOf` divides; those of 256 bits have 78

_WITHOUT_EFFECT = {"format", "$comment"}  # formats are not checked
_WITH_EFFECT = set(DEFAULT_JSONSCHEMA_VALIDATOR.VALIDATORS) - _WITHOUT_EFFECT


class _NotSharedError(Exception):
    """The schema uses something in which the two validators may differ."""


@dataclass(frozen=True)
class _Source:
    """A schema as a key of the cache: compared by its text, which differs for 1, 1.0 and true."""

    text: str
    schema: dict[str, Any] = field(compare=False)


@dataclass(frozen=True)
class _Validators:
    compiled: Check | None
    stock: JSONSchemaValidator


class CompiledValidator(BaseJSONSchemaValidator):
    """Validates as the SDK's `JSONSchemaValidator` does with formats unchecked, some twenty times as fast."""

    def __init__(self, schema: dict[str, Any]) -> None:
        """Compile a schema, or take what was compiled from an equal one; its annotations (`x-...`) change nothing.

        Raises:
            InvalidJSONSchema: If the schema is not a valid one.
        """
        super().__init__(schema)
        # Annotations differ from slice to slice; the records' rules do not.
        rules = {keyword: value for keyword, value in schema.items() if not keyword.startswith("x-")}
        validators = _validators(_Source(repr(rules), rules))
        self._compiled = validators.compiled
        self._stock = validators.stock

    @override
    def validate(self, record: dict[str, Any]) -> None:
        """Validate a record, as decoded from JSON with decimals exact; an InvalidRecord has the stock message."""
        if self._compiled is not None:
            try:
                self._compiled(record)
            except Exception:  # noqa: BLE001, S110 - whatever it stumbled upon, the stock validator decides
                pass
            else:
                return
        try:
            with localcontext(prec=_DIGITS):  # `multipleOf` divides
                self._stock.validate(record)
        except ArithmeticError:
            raise InvalidRecord("a number is too great to be compared with its schema", record) from None


@lru_cache(maxsize=_KEPT)
def _validators(source: _Source) -> _Validators:
    stock = JSONSchemaValidator(source.schema)  # first, since it refuses what is no schema
    return _Validators(_compile(source.schema), stock)


def _compile(schema: dict[str, Any]) -> Check | None:
    try:
        shared = _shared({keyword: value for keyword, value in schema.items() if keyword != "$schema"})
        compiled: Check = fastjsonschema.compile(
            shared, use_default=False, use_formats=False, detailed_exceptions=False
        )
    except Exception:  # noqa: BLE001 - left to the stock validator
        return None
    return compiled


def _shared(schema: object) -> dict[str, Any]:
    """Keep of a schema what both validators treat alike; a _NotSharedError if there is more to it than that."""
    if schema is True:
        return {}
    if not isinstance(schema, Mapping):
        raise _NotSharedError
    return dict(_keywords(schema))


def _keywords(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    if type(step := schema.get("multipleOf")) is int and step == 1:
        # Only integers are accepted; whether a number with a point is whole is left to the stock validator.
        types = schema.get("type", ())
        narrowed = ["integer" if name == "number" else name for name in ([types] if isinstance(types, str) else types)]
        schema = {name: value for name, value in schema.items() if name != "multipleOf"}
        schema["type"] = narrowed or _refuse(types)
    for keyword, value in schema.items():
        if keyword.startswith("$") and keyword not in _WITHOUT_EFFECT:
            raise _NotSharedError  # references, and a dialect of its own for a part
        if keyword in _WITH_EFFECT:
            yield keyword, _SHARED.get(keyword, _refuse)(value)


def _refuse(_value: object) -> object:
    raise _NotSharedError


def _as_it_is(value: object) -> object:
    return value


def _whole(value: object) -> object:
    # A bound with decimals would be compiled as a float, which is not the bound any more.
    return value if isinstance(value, int) and not isinstance(value, bool) else _refuse(value)


def _member(value: object) -> object:
    return value if value is None or isinstance(value, str | int) else _refuse(value)


def _branches(branches: list[object]) -> object:
    return [_shared(branch) for branch in branches]


def _properties(properties: Mapping[str, Any]) -> object:
    # The compiled code names its variables by the letters and digits of a property.
    letters = [re.sub("[^a-zA-Z0-9]", "", name) for name in properties]
    if "" in letters or len(set(letters)) < len(letters):
        raise _NotSharedError
    return {name: _shared(part) for name, part in properties.items()}


# Keywords that both validators treat alike, and what becomes of their values.
_SHARED: dict[str, Callable[[Any], object]] = {
    "type": _as_it_is,
    "required": _as_it_is,
    "properties": _properties,
    "additionalProperties": lambda value: False if value is False else _shared(value),
    "items": _shared,
    "anyOf": _branches,
    "oneOf": _branches,
    "allOf": _branches,
    "enum": lambda value: [_member(member) for member in value],
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _whole),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _whole),
}
