"""Schemas as flattening can read them: the SDK drops a property that states its types by `anyOf` with null first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_UNIONS = ("anyOf", "oneOf")
_TYPES: dict[type, str] = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}
_TEXT = ["null", "string"]


def with_types(schema: Mapping[str, Any]) -> dict[str, Any]:
    """State the types of every property by `type`, nested ones included.

    The schema returned allows what this one does, if not more: a union of several types keeps the types alone.
    """
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return dict(schema)
    return {**schema, "properties": {name: _typed(part) for name, part in properties.items()}}


def _typed(part: Any) -> Any:  # noqa: ANN401 - whatever a tap has written there
    if not isinstance(part, Mapping):
        return {"type": _TEXT} if part is True else part
    if "type" not in part:
        part = _stated(part)
    return with_types(part)


def _stated(part: Mapping[str, Any]) -> Mapping[str, Any]:
    for union in _UNIONS:
        if isinstance(part.get(union), list):
            rest = {name: value for name, value in part.items() if name != union}
            return {**rest, **_united([_typed(branch) for branch in part[union]])}
    if isinstance(part.get("allOf"), list):
        merged = {name: value for name, value in part.items() if name != "allOf"}
        for branch in part["allOf"]:
            shared = {**merged.get("properties", {}), **branch.get("properties", {})}
            merged |= branch | ({"properties": shared} if shared else {})
        return merged if "type" in merged else _stated(merged)
    if isinstance(part.get("enum"), list):
        return {**part, "type": sorted({_TYPES.get(type(value), "null") for value in part["enum"]})}
    return {**part, "type": _TEXT}  # as the SDK does


def _united(branches: list[Any]) -> dict[str, Any]:
    """Join the branches of a union that have types."""
    types = sorted({name for branch in branches for name in _types(branch)})
    others = [branch for branch in branches if set(_types(branch)) != {"null"}]
    if not others:
        return {"type": _TEXT}
    if len(others) > 1:
        return {"type": types}
    united = {**others[0], "type": types}
    if "null" in types and "enum" in united:
        united["enum"] = [*united["enum"], None]
    return united


def _types(branch: Any) -> list[str]:  # noqa: ANN401
    stated = branch.get("type", _TEXT) if isinstance(branch, Mapping) else _TEXT
    return [stated] if isinstance(stated, str) else list(stated)
