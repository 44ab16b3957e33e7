"""By when each stream and each mart should be there, and which of them are late."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase

from console.errors import ConsoleError

DAY_HOURS = 36
"""A day's dump file appears in the course of the next day, and `dumps-daily` looks for it at 02:30 of the one after."""

# Patterns of names, the first that fits counts: hours after the last load, or for tables of days after a day's end.
_STREAMS = {
    "*_stats": 3,  # a row an hour, by `tip-hourly`
    "coingecko_coins_markets": 3,  # `market-hourly`
    "*": DAY_HOURS,
}
_MART_HOURS = 30
"""`marts-daily` builds at 06:30 and may take six hours."""


@dataclass(frozen=True)
class Fact:
    """What is known of a stream or mart.

    Attributes:
        name: Of the raw table or mart.
        kind: `stream` or `mart`.
        day: The newest day that is loaded, of a table that is loaded by days.
        at: When it was last loaded or built, UTC.
    """

    name: str
    kind: str
    day: date | None
    at: datetime


@dataclass(frozen=True)
class Verdict:
    """Whether a stream or mart keeps its promise.

    Attributes:
        fact: What it is about.
        due: When the next day, load or build should be there at the latest; None where it is not watched.
        lag: How long ago the newest day ended, or the last load or build was.
        is_late: Whether that time is over.
    """

    fact: Fact
    due: datetime | None
    lag: timedelta
    is_late: bool

    def sentence(self) -> str:
        """For a person: what is late, since when, and what there is."""
        there = f"newest day {self.fact.day}" if self.fact.day else f"last of {self.fact.at:%Y-%m-%d %H:%M} UTC"
        verb = "was due to be built" if self.fact.kind == "mart" else "was due"
        return f"{self.fact.name}: {there}, more {verb} by {self.due:%Y-%m-%d %H:%M} UTC"


def read_hours(text: str) -> dict[str, int]:
    """Read promises of one's own: `bitcoin_*=60 fct_*=200 dogecoin_stats=0`; 0 does not watch.

    Raises:
        ConsoleError: A word is not NAME=HOURS.
    """
    found = {}
    for word in text.split():
        pattern, _, hours = word.partition("=")
        if not pattern or not hours.isdecimal():
            raise ConsoleError(
                f"HEALTH_HOURS has {word!r}, which is not NAME=HOURS: write, for example, bitcoin_*=60 for 60 hours; "
                "0 does not watch."
            )
        found[pattern] = int(hours)
    return found


def judge(facts: Iterable[Fact], now: datetime, today: datetime, own: Mapping[str, int]) -> list[Verdict]:
    """Hold each fact against its promise.

    Args:
        facts: What is there.
        now: The time by which loads and builds are judged.
        today: The time by which days are judged: that of the source, which in a simulated world is another.
        own: Hours by patterns, before the project's own.
    """
    return [_judge(fact, now, today, own) for fact in facts]


def _judge(fact: Fact, now: datetime, today: datetime, own: Mapping[str, int]) -> Verdict:
    hours = next(hours for pattern, hours in _patterns(fact, own) if fnmatchcase(fact.name, pattern))
    if fact.day is not None:
        clock, end = today, datetime.combine(fact.day + timedelta(days=1), datetime.min.time(), today.tzinfo)
        # The day after the newest ends a day later.
        due = end + timedelta(days=1, hours=hours)
    else:
        clock, end = now, fact.at
        due = end + timedelta(hours=hours)
    return Verdict(fact, due if hours else None, max(clock - end, timedelta()), is_late=bool(hours) and clock > due)


def _patterns(fact: Fact, own: Mapping[str, int]) -> list[tuple[str, int]]:
    return [*own.items(), *(_STREAMS.items() if fact.kind == "stream" else [("*", _MART_HOURS)])]
