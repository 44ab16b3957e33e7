"""Values of the API's JSON in the dumps' form."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from singer_sdk.singerlib.json import serialize_json

from tap_blockchair.columns import Kind
from tap_blockchair.dumpfile import FROM_TEXT, boolean, bounded, integer


def from_json(value: Any, kind: Kind, *, bare_hex: bool = False) -> Any:  # noqa: ANN401 (any JSON value)
    """Bring a value of the API to the dumps' form.

    Args:
        value: As parsed with exact numbers (floats as Decimal). None stays None, but of `is_spendable` it becomes -1.
        kind: What the column holds.
        bare_hex: Whether a leading `0x` is dropped from text.

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
    """Carry a value of an unknown column: text as it is, everything else as JSON; None stays None."""
    return value if value is None or isinstance(value, str) else serialize_json(value)


def whole(value: Any) -> int:  # noqa: ANN401 (any JSON value)
    """Read a whole number of the API, parsed with exact numbers.

    Raises:
        ValueError: It is none, or longer than `MOST_DIGITS`.
    """
    if isinstance(value, Decimal):
        if bounded(value) != value.to_integral_value():
            raise ValueError(f"{value} is not a whole number")
        return int(value)
    return value if isinstance(value, int) else integer(_expect(value, str))


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


def _expect(value: Any, kind: type | tuple[type, ...]) -> Any:  # noqa: ANN401 (any JSON value)
    if not isinstance(value, kind):
        raise ValueError(f"{serialize_json(value)} does not fit")  # noqa: TRY004 (a fault of the data, not of the code)
    return value
