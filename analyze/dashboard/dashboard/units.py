"""Numbers as a person reads them. Exact texts keep each digit that the warehouse gave; short ones say three or four."""

import datetime as dt
from decimal import Decimal

# What null is called, by kind: of rows that are counted there is none, of a last day no such day.
_NOTHING = {"rows": "none", "until": "no day"}
UNKNOWN = "unknown"
# The letter of a power of ten, and how many digits stand before the point.
_SCALES = {
    power: (letter, digits)
    for powers, letter in (((6, 7, 8), "M"), ((9, 10, 11), "B"), ((12, 13, 14), "T"), ((15, 16, 17), "P"),
                           ((18, 19, 20), "E"), ((21, 22, 23), "Z"))
    for digits, power in enumerate(powers, start=1)
}  # fmt: skip
_MILLION = 1_000_000
_PREFIX = {"usd": "$"}
_SUFFIX = {"hashes": " H/s", "days": " days"}


def exact(kind: str, value: object) -> str:
    """All digits of a value, in groups of three, with its unit.

    Args:
        kind: `usd`, `count`, `ratio`, `coins`, `number`, `hashes`, `days`, `day`, `until`, `rows`, `base` or `text`.
        value: As psycopg gave it; None is unknown.
    """
    if value is None:
        return _NOTHING.get(kind, UNKNOWN)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if not isinstance(value, (int, float, Decimal)):
        return str(value)
    if kind == "ratio":
        return f"{value:.2%}"
    return f"{_PREFIX.get(kind, '')}{_digits(value)}{_SUFFIX.get(kind, '')}"


def short(kind: str, value: object) -> str:
    """Three or four digits of a value, with its unit; whole numbers below a million in full."""
    if not isinstance(value, (int, float, Decimal)) or isinstance(value, bool) or kind == "ratio":
        return exact(kind, value)
    mantissa, power = f"{value:.3e}".split("e")
    letter, digits = ("", 0) if -_MILLION < value < _MILLION else _SCALES.get(int(power), ("", 0))
    prefix, suffix = _PREFIX.get(kind, ""), _SUFFIX.get(kind, "")
    if letter:
        sign = "-" if mantissa.startswith("-") else ""
        figures = mantissa.lstrip("-").replace(".", "")
        text = f"{figures[:digits]}.{figures[digits:]}".rstrip("0").rstrip(".")
        return f"{sign}{prefix}{text} {letter}{suffix.strip()}"
    if value == int(value) and kind in ("count", "rows"):
        return _digits(int(value))
    if not value:
        return f"{prefix}0{suffix}"
    return f"{prefix}{value:,.4g}{suffix}" if int(power) < 0 else f"{prefix}{value:,.2f}{suffix}"


def _digits(value: float | Decimal) -> str:
    """Each digit of a number, without zeros behind the point that say nothing."""
    if isinstance(value, int):
        return f"{value:,}"
    text = f"{Decimal(repr(value)) if isinstance(value, float) else value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
