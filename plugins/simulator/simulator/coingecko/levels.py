"""Values that quantities of the simulated market wander around."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

Levels = tuple[tuple[date, Decimal], ...]
"""Values at the start (UTC) of days in ascending order; interpolated between them, constant outside."""


def levels(*pairs: tuple[str, str]) -> Levels:
    """Levels as a person writes them: ISO dates and decimal numbers."""
    return tuple((date.fromisoformat(day), Decimal(value)) for day, value in pairs)
