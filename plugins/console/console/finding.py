"""What a check of the doctor found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    state: str  # ok, note (works, but worth knowing) or wrong (a run would fail)
    text: str
