"""Dates and times as a person types them."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_instant(text: str) -> datetime:
    """Read an ISO date, or date and time; UTC where no offset is given.

    Args:
        text: Such as 2025-01-15, 2025-01-15T06:00 or 2025-01-15T06:00:00Z.

    Raises:
        ValueError: It cannot be read; the text says so in one sentence.
    """
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        raise ValueError(f"{text!r} is no ISO date or date and time, such as 2025-01-15T06:00.") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
