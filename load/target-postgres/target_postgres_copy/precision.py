"""Values that are finer than their column: PostgreSQL and Python would cut or round them without a word."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_FRACTION = re.compile(r"[.,]\d{6}(\d+)")
_FINE_BYTES = re.compile(rb":\d\d\.\d{6}\d*[1-9]")
_SCALED = re.compile(r"numeric\((\d+),(-?\d+)\)")
_TIME = "time without time zone"


class FinerError(ValueError):
    """A value of which a column would lose a part."""


def refuse_finer_time(text: str) -> None:
    """Make sure that a date-time or time, as text, has no digit below the microsecond, PostgreSQL's finest.

    Args:
        text: The value in ISO 8601.

    Raises:
        FinerError: If it has one other than 0.
    """
    point = text.find(".")
    if point < 0:
        point = text.find(",")  # ISO 8601 allows both
    if point > 0 and text[point + 7 : point + 8].isdigit():
        rest = _FRACTION.match(text, point)
        if rest is not None and rest[1].strip("0"):
            raise FinerError("is finer than a microsecond, which is all that PostgreSQL's times hold")


def has_finer_time(rows: bytes) -> bool:
    """Whether any time in rows of a dump file has a digit below the microsecond."""
    return _FINE_BYTES.search(rows) is not None


def check_of(stored: str) -> Callable[[Any], None] | None:
    """Find what a column's values have to be asked before they are written.

    Args:
        stored: The column's type, as PostgreSQL's `format_type` writes it.

    Returns:
        A function that raises FinerError for a value, not null, that the column would change; None where PostgreSQL
        itself refuses such values.
    """
    if stored == _TIME:
        return _refuse_offset
    if (scaled := _SCALED.fullmatch(stored)) is None:
        return None
    scale = int(scaled[2])

    def refuse_digits(value: Any) -> None:  # noqa: ANN401
        try:
            parts = Decimal(value).as_tuple()
        except (InvalidOperation, TypeError):
            return  # no number: PostgreSQL tells that
        if isinstance(parts.exponent, int) and (below := -parts.exponent - scale) > 0 and any(parts.digits[-below:]):
            raise FinerError(f"has more decimals than its column of type {stored} holds")

    return refuse_digits


def _refuse_offset(value: Any) -> None:  # noqa: ANN401
    if isinstance(value, str):
        refuse_finer_time(value)
        try:
            value = dt.time.fromisoformat(value)
        except ValueError:
            return  # no time: PostgreSQL tells that
    if isinstance(value, dt.time) and value.utcoffset():
        raise FinerError(f"has an offset from UTC, which its column of type {_TIME} does not hold")
