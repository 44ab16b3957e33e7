"""How one value of a record becomes one that COPY writes without changing it.

COPY knows no bind casts: text goes to the column's input function as it stands. Where an INSERT with casts and a COPY
would differ, the conversion makes up for it: a time zone that PostgreSQL ignores in text for a column without one,
booleans and decimals on their way into text, lists of whole and broken numbers.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from singer_sdk.helpers._typing import get_datelike_property_type
from sqlalchemy.dialects.postgresql import ARRAY

from target_postgres_copy.stream_schema import check_of, refuse_finer_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

_TEXTS = {"text", "character varying", "citext"}
_NAIVE = re.compile(r"timestamp(\(\d\))? without time zone")
_PLAIN_DIGITS = 1000  # decimals with more zeros than this keep their exponent on the way into text
_CYCLE = 400  # years after which the Gregorian calendar repeats


class Conversion(NamedTuple):
    """What to do to the values of a column; `of_null` to nulls too, as for JSON, where null is a value."""

    convert: Callable[[Any], Any]
    of_null: bool = False


def converter(  # noqa: PLR0913 - what a conversion depends on
    schema: dict[str, Any],
    declared: TypeEngine[Any],
    stored: str,
    dialect: Dialect,
    *,
    sanitize_nul: bool = False,
    may_be_cut: bool = False,
) -> Conversion | None:
    """Find what has to be done to a column's values.

    `declared` is the SQL type that the schema asks for, `stored` the one that the column has, as PostgreSQL writes it;
    an older, wider one may differ. `sanitize_nul` replaces NUL characters in texts by U+FFFD; `may_be_cut` allows
    to lose digits of a time below the microsecond.

    Returns:
        The conversion; None where psycopg's own is right. It raises ValueError or TypeError for what cannot be read,
        and FinerError for what the column does not hold in full.
    """
    steps: list[Callable[[Any], Any]] = []
    check = check_of(stored)
    if (datelike := get_datelike_property_type(schema)) is not None:
        # Into a column of texts goes the source's text, as long as it can be read.
        read = _READERS[datelike]
        steps.append(_readable(read) if stored in _TEXTS else _reader(read, may_be_cut=may_be_cut))
    elif sanitize_nul:
        steps.append(without_nul)
    if check is not None:
        steps.append(_checked(check))
    # The type for this dialect, not the generic one, whose processor of numbers makes floats.
    processor = declared.dialect_impl(dialect).bind_processor(dialect)
    if processor is not None and not _is_boolean(schema):
        steps.append(processor)
    if (fit := _fit(schema, declared, stored)) is not None:
        steps.append(fit)
    return Conversion(_chain(steps), of_null=isinstance(declared, sa.JSON)) if steps else None


def without_nul(value: Any) -> Any:  # noqa: ANN401
    """Replace NUL characters, which PostgreSQL's text cannot hold, by U+FFFD, at any depth of a record's value."""
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, dict):
        return {without_nul(name): without_nul(part) for name, part in value.items()}
    if isinstance(value, list):
        return [without_nul(part) for part in value]
    return value


def utc_wall_time(value: dt.datetime) -> dt.datetime | str:
    """Give what a column without time zone holds for a moment, its wall time in UTC.

    PostgreSQL ignores an offset in text for such a column, so it has to be applied before. Where UTC falls outside the
    years 1 to 9999, the result is PostgreSQL's text.
    """
    if not isinstance(value, dt.datetime) or (offset := value.utcoffset()) is None:
        return value
    naive = value.replace(tzinfo=None)
    try:
        return naive - offset
    except OverflowError:
        years = _CYCLE if offset > dt.timedelta() else -_CYCLE
        moved = naive.replace(year=naive.year + years) - offset
        rest = f"{moved:%m-%d %H:%M:%S.%f}"
        year = moved.year - years
        return f"{year:04}-{rest}" if year > 0 else f"{1 - year:04}-{rest} BC"


_READERS: dict[str, Callable[[str], Any]] = {
    "date-time": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
}


def _reader(read: Callable[[str], Any], *, may_be_cut: bool) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:  # noqa: ANN401
        if type(value) is str:
            if not may_be_cut:
                refuse_finer_time(value)
            return read(value)
        return value if isinstance(value, dt.date | dt.time) else read(value)

    return convert


def _checked(check: Callable[[Any], None]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:  # noqa: ANN401
        check(value)
        return value

    return convert


def _readable(read: Callable[[str], Any]) -> Callable[[Any], Any]:
    # Into a column of texts goes the source's text, as long as it can be read.
    def convert(value: Any) -> Any:  # noqa: ANN401
        if not isinstance(value, dt.date | dt.time):
            read(value)
        return value

    return convert


def _chain(steps: list[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    if len(steps) == 1:
        return steps[0]

    def convert(value: Any) -> Any:  # noqa: ANN401
        for step in steps:
            value = step(value)
        return value

    return convert


def _types(schema: dict[str, Any]) -> set[str]:
    """The JSON types a property may have; `any` where that is not a plain list."""
    types = schema.get("type", "any")
    return {types} if isinstance(types, str) else set(types)


def _is_boolean(schema: dict[str, Any]) -> bool:
    # The processor of booleans only turns other things into booleans.
    return _types(schema) <= {"boolean", "null"}


def _fit(schema: dict[str, Any], declared: TypeEngine[Any], stored: str) -> Callable[[Any], Any] | None:
    """Find what makes up for the casts that COPY does not do."""
    if isinstance(declared, ARRAY):
        if isinstance(declared.item_type, sa.Numeric):
            return _as_decimals
        return _as_texts if isinstance(declared.item_type, sa.String) else None
    if stored in _TEXTS:
        is_text = _types(schema) <= {"string", "null"} and get_datelike_property_type(schema) is None
        return None if is_text else _as_text
    return utc_wall_time if _NAIVE.fullmatch(stored) else None


def _as_decimals(values: list[Any]) -> list[Any]:
    # psycopg writes a list of one type.
    return [Decimal(value) if type(value) is int else value for value in values]


def _as_texts(values: list[Any]) -> list[Any]:
    return [value if value is None else _as_text(value) for value in values]


def _as_text(value: Any) -> Any:  # noqa: ANN401
    """Write a value as PostgreSQL casts it to text; a text stays as it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value:f}" if abs(value.adjusted()) < _PLAIN_DIGITS else str(value)
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return value
