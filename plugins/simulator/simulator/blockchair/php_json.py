r"""JSON as Blockchair's PHP writes it: `\/`, no fraction on whole floats, `5.9e-8`, and `[]` for an empty map."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.blockchair.columns import Json


def encode(value: Json) -> str:
    """A value as text; integers of any size are written in full."""
    match value:
        case str():
            return json.dumps(value).replace("/", r"\/")
        case float():
            return _real(value)
        case dict():
            if not value:
                return "[]"
            return "{" + ",".join(f"{encode(key)}:{encode(one)}" for key, one in value.items()) + "}"
        case list():
            return "[" + ",".join(map(encode, value)) + "]"
        case _:
            return json.dumps(value)


def _real(value: float) -> str:
    text = repr(value)
    if "e" in text:
        mantissa, exponent = text.split("e")
        return f"{mantissa}{'' if '.' in mantissa else '.0'}e{int(exponent):+d}"
    return text.removesuffix(".0")
