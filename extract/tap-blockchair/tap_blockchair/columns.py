"""What a column holds, how it is written down, and the JSON schema that follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from singer_sdk import typing as th

if TYPE_CHECKING:
    from collections.abc import Iterable


class Kind(Enum):
    """What a column holds; the value is the letter used in the lists below."""

    INTEGER = "i"  # fits 64 bits: heights, counts, sizes, positions, and amounts of chains where all do
    NUMBER = "n"  # exact decimal: other amounts in base units, USD, rates, difficulties
    TEXT = "s"
    TIME = "t"
    DATE = "d"
    BOOLEAN = "b"
    SPENDABLE = "p"  # 1, 0 or -1 for unknown
    OBJECT = "o"
    ARRAY = "a"


_SINGER_TYPES: dict[Kind, th.JSONTypeHelper[Any] | type[th.JSONTypeHelper[Any]]] = {
    Kind.INTEGER: th.IntegerType,
    Kind.NUMBER: th.NumberType,
    Kind.TEXT: th.StringType,
    Kind.TIME: th.DateTimeType,
    Kind.DATE: th.DateType,
    Kind.BOOLEAN: th.BooleanType,
    Kind.SPENDABLE: th.IntegerType(minimum=-1, maximum=1),
    Kind.OBJECT: th.ObjectType(),
    # An untyped array: items of any kind, which targets store as one JSON value.
    Kind.ARRAY: th.CustomType({"type": ["array", "null"]}),
}


@dataclass(frozen=True)
class Column:
    """A column, and whether a source may leave it out.

    Attributes:
        name: Blockchair's name.
        kind: The type of its values.
        required: False for a column that the schema announces although a source may lack it (its values are then null).
        sign: `+` for a whole number that is not negative, `~` for a whole number, empty for any number of its kind.
        most: The greatest amount, in base units; None where 64 bits are the bound, or none is known.
    """

    name: str
    kind: Kind
    required: bool = True
    sign: str = ""
    most: int | None = None


def columns(text: str, *, required: bool = True) -> tuple[Column, ...]:
    """Read columns from words of a name, a colon, the letter of a kind and, where there is one, the sign."""
    pairs = (word.split(":") for word in text.split())
    return tuple(Column(name, Kind(kind[0]), required, sign=kind[1:]) for name, kind in pairs)


def json_schema(columns: Iterable[Column], keys: tuple[str, ...]) -> dict[str, Any]:
    """Build a stream's JSON schema, in which the keys are never null."""
    properties = [th.Property(c.name, _singer_type(c), required=c.name in keys) for c in columns]
    return th.PropertiesList(*properties).to_dict()


def _singer_type(column: Column) -> th.JSONTypeHelper[Any] | type[th.JSONTypeHelper[Any]]:
    """Give a column's type, with the bounds that a loader can verify its values by."""
    least = 0 if column.sign == "+" else None if column.most is None else -column.most
    if column.kind is Kind.INTEGER and column.sign:
        return th.IntegerType(minimum=least, maximum=column.most)
    if column.kind is Kind.NUMBER and column.sign:
        return th.NumberType(minimum=least, maximum=column.most, multiple_of=1)
    return _SINGER_TYPES[column.kind]
