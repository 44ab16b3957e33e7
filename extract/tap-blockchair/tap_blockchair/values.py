"""Values from text (dumps) and from JSON (API) to the exact values of a record."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib.json import serialize_json

from tap_blockchair.columns import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

NULL = "\\N"
MOST_DIGITS = 1000
"""Before or behind the decimal point; the largest amounts, of 256 bits, have 78."""
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def integer(text: str) -> int:
    """Read a whole number.

    Args:
        text: Digits, with a minus sign if negative.

    Returns:
        The number.

    Raises:
        ValueError: The text is anything else (Python's own `int` takes blanks, underscores and a plus sign).
    """
    if text.isascii() and (text.isdigit() or (text[:1] == "-" and text[1:].isdigit())):
        return int(text)
    raise ValueError("not a whole number")


def number(text: str) -> Decimal:
    """Read a decimal number without going through a float.

    Args:
        text: Plain or exponent notation.

    Returns:
        Exactly the digits of the text.

    Raises:
        ValueError: The text is no finite number, or one that would take more than `MOST_DIGITS` to write out.
    """
    if (text.isascii() and text.isdigit()) or _NUMBER.fullmatch(text):
        try:
            return bounded(Decimal(text))
        except ArithmeticError:  # an exponent beyond those of Decimal
            raise ValueError("not a number of reasonable length") from None
    raise ValueError("not a number")


def bounded(value: Decimal) -> Decimal:
    """Let a number pass that can be written out: one like 1e400000000 would take the memory of the machine.

    Args:
        value: Any number.

    Returns:
        The same.

    Raises:
        ValueError: It has more than `MOST_DIGITS` before or behind the decimal point, or is no finite number.
    """
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or max(value.adjusted(), -exponent) >= MOST_DIGITS:
        raise ValueError("not a number of reasonable length")
    return value


@lru_cache(maxsize=4096)  # all rows of a block carry the same few times
def time(text: str) -> str:
    """Read Blockchair's naive UTC time.

    Args:
        text: `YYYY-MM-DD HH:MM:SS`.

    Returns:
        The same moment in RFC 3339 with its offset, `YYYY-MM-DDTHH:MM:SS+00:00`.

    Raises:
        ValueError: The text has another form or names no moment.
    """
    if len(text) != len("YYYY-MM-DD HH:MM:SS") or (text[4], text[7], text[10]) != ("-", "-", " "):
        raise ValueError("not a time of the form YYYY-MM-DD HH:MM:SS")
    return datetime.fromisoformat(text).replace(tzinfo=UTC).isoformat()


def boolean(text: str) -> bool:
    """Read a dump's boolean.

    Args:
        text: `1` or `0`.

    Returns:
        True or False.

    Raises:
        ValueError: The text is neither.
    """
    if text == "1":
        return True
    if text == "0":
        return False
    raise ValueError("neither 1 nor 0")


def spendable(text: str) -> int:
    """Read a dump's `is_spendable`.

    Args:
        text: `1`, `0`, or `-1` for unknown.

    Returns:
        The same as a number.

    Raises:
        ValueError: The text is none of them.
    """
    if text in {"1", "0", "-1"}:
        return int(text)
    raise ValueError("none of 1, 0 and -1")


FROM_TEXT: dict[Kind, Callable[[str], Any]] = {
    Kind.INTEGER: integer,
    Kind.NUMBER: number,
    Kind.TIME: time,
    Kind.BOOLEAN: boolean,
    Kind.SPENDABLE: spendable,
}
"""Readers of a dump's fields. Text has none: it stays as it is."""


def from_json(value: Any, kind: Kind, *, bare_hex: bool = False) -> Any:  # noqa: ANN401 (any JSON value)
    """Bring a value of the API to the dumps' form.

    Args:
        value: As parsed with exact numbers (floats as Decimal).
        kind: What the column holds.
        bare_hex: Whether a leading `0x` is dropped from text.

    Returns:
        The value as a record holds it; None stays None, but of `is_spendable` it becomes -1.

    Raises:
        ValueError: The value does not fit the kind.
    """
    if kind is Kind.SPENDABLE and (value is None or isinstance(value, bool)):
        return -1 if value is None else int(value)
    if value is None:
        return None
    if kind is Kind.TEXT:
        return _text(value, bare_hex=bare_hex)
    if kind is Kind.BOOLEAN:
        return value if isinstance(value, bool) else boolean(str(value))
    if kind is Kind.OBJECT:
        # The server writes an empty map as an empty list.
        return {} if value == [] else _expect(value, dict)
    return _expect(value, list) if kind is Kind.ARRAY else _scalar(value, kind)


def as_text(value: Any) -> str | None:  # noqa: ANN401 (any JSON value)
    """Carry a value of an unknown column.

    Args:
        value: Any JSON value.

    Returns:
        Text as it is, everything else as JSON; None stays None.
    """
    return value if value is None or isinstance(value, str) else serialize_json(value)


def _text(value: Any, *, bare_hex: bool) -> str:  # noqa: ANN401 (any JSON value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(bounded(value) if isinstance(value, Decimal) else value)
    # Token names hold any text, also NUL, which PostgreSQL cannot store.
    text: str = _expect(value, str).replace("\0", "")
    return text[2:].lower() if bare_hex and text.startswith("0x") else text


def _scalar(value: Any, kind: Kind) -> Any:  # noqa: ANN401 (any JSON value)
    if isinstance(value, bool):
        raise ValueError(f"{serialize_json(value)} does not fit")  # noqa: TRY004 (as below)
    plain = _expect(value, (int, Decimal, str))
    if kind is Kind.INTEGER:
        return whole(plain)
    # `number` columns arrive as numbers and, above 64 bits, as text; both are taken digit by digit.
    return plain if kind is Kind.NUMBER and isinstance(plain, int) else FROM_TEXT[kind](str(plain))


def whole(value: Any) -> int:  # noqa: ANN401 (any JSON value)
    """Read a whole number of the API.

    Args:
        value: As parsed with exact numbers.

    Returns:
        The number.

    Raises:
        ValueError: It is none, or longer than `MOST_DIGITS`.
    """
    if isinstance(value, Decimal):
        if bounded(value) != value.to_integral_value():
            raise ValueError(f"{value} is not a whole number")
        return int(value)
    return value if isinstance(value, int) else integer(_expect(value, str))


def _expect(value: Any, kind: type | tuple[type, ...]) -> Any:  # noqa: ANN401 (any JSON value)
    if not isinstance(value, kind):
        raise ValueError(f"{serialize_json(value)} does not fit")  # noqa: TRY004 (a fault of the data, not of the code)
    return value
