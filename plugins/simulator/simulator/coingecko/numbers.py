"""Numbers and JSON as they stand on the wire: exact decimals, never a float."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

DISPLAY: Final = -1
"""Stands for the rounding of a request that asks for no precision."""

# Wide enough for every intermediate result; decimal's exp and ln are correctly rounded, so that a world has the same
# bytes on every platform, which a C library's exp does not promise.
EXACT: Final = Context(prec=60, rounding=ROUND_HALF_EVEN)
DOUBLE: Final = Context(prec=17)
"""As many digits as a double is printed with."""
_SMALLEST_PLAIN_EXPONENT: Final = -4


def wire(value: Decimal) -> str:
    """A decimal as a JSON number with all its digits.

    Integers keep a trailing `.0`, and values below 0.0001 take the exponent form, as a printed double does.
    """
    sign, digits, exponent = value.normalize(EXACT).as_tuple()
    if not isinstance(exponent, int):
        raise TypeError(f"{value} is no finite number.")
    if digits == (0,):
        return "0.0"
    leading = len(digits) - 1 + exponent
    if leading < _SMALLEST_PLAIN_EXPONENT:
        text = "".join(map(str, digits))
        return f"{'-' if sign else ''}{text[0]}.{text[1:] or '0'}e-{-leading:02d}"
    plain = format(value.normalize(EXACT), "f")
    return plain if "." in plain else f"{plain}.0"


def rounded(value: Decimal, places: int) -> Decimal:
    """A value with a fixed number of decimals, half to even."""
    return value.quantize(Decimal(1).scaleb(-places), context=EXACT)


def shown(price: Decimal, places: int | None) -> Decimal:
    """A price with so many decimals; on a page (DISPLAY): whole from 10,000 on, cents from 1 on, six digits below."""
    if places is None:
        return price
    if places == DISPLAY:
        places = 0 if price >= 10_000 else 2 if price >= 1 else 5 - price.adjusted() if price else 0  # noqa: PLR2004
    return rounded(price, places)


def amount(value: Decimal | None, places: int | None) -> Decimal | None:
    """A large amount with so many decimals; whole on a page."""
    if value is None or places is None:
        return value
    return rounded(value, 0 if places == DISPLAY else places)


def change(value: Decimal | None, before: Decimal | None, places: int) -> Decimal | None:
    """The change in percent of the earlier value; None where either is unknown or the earlier one zero."""
    if value is None or not before:
        return None
    return rounded(EXACT.divide(value - before, before) * 100, places)


def known(text: str | None) -> Decimal | None:
    """A value of a point; None where it has none."""
    return Decimal(text) if text else None


class Literal(str):
    """A JSON number as it shall stand on the wire."""

    __slots__ = ()


def encode(value: object) -> str:
    """JSON text of plain containers whose numbers are decimals or literal.

    Raises:
        TypeError: For a float, which would lose digits, and for anything else that JSON has no form for.
    """
    if isinstance(value, Decimal):
        return str(int(value)) if value == value.to_integral_value() else wire(value)
    if isinstance(value, Literal):
        return value
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(key))}:{encode(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(encode, value)) + "]"
    if value is None or isinstance(value, str | bool | int):
        return json.dumps(value, ensure_ascii=False)
    raise TypeError(f"{type(value).__name__} has no exact JSON form here.")
