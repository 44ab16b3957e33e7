"""Reading an answer's JSON: every number exact, and text that UTF-8 and a table can hold."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

#: Before or behind the decimal point; the longest numbers of the source have some thirty.
_MOST_DIGITS = 1000
#: What may stand for NUL, or for half a surrogate pair as an escape or as its own three bytes.
_UNFIT = re.compile(rb"\\u0000|\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")


def read(response: requests.Response) -> Any:  # noqa: ANN401 - JSON
    """Read an answer's body, whatever its content type: the source writes JSON in UTF-8.

    A number is an `int` or a `Decimal`; `NaN` and `Infinity`, which are no JSON, are floats. In texts U+FFFD stands in
    place of half a surrogate pair, which no UTF-8 can hold, and of NUL, which no table can.

    Raises:
        ValueError: It is no JSON, or holds a number of more than `_MOST_DIGITS` digits.
        RecursionError: It is nested too deep.
    """
    body = json.loads(response.content, parse_float=_written_out)
    return _encodable(body) if _UNFIT.search(response.content) else body


def _written_out(text: str) -> Decimal:
    """Read a number; one like 1e400000000 is none, since it would take the memory of the machine to write it out."""
    try:
        number = Decimal(text)
    except ArithmeticError:  # an exponent beyond those of Decimal itself
        raise ValueError("a number of unreasonable length") from None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or max(number.adjusted(), -exponent) >= _MOST_DIGITS:
        raise ValueError("a number of unreasonable length")
    return number


def _encodable(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        paired = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return paired.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if isinstance(value, list):
        return [_encodable(part) for part in value]
    if isinstance(value, dict):
        return {_encodable(name): _encodable(part) for name, part in value.items()}
    return value
