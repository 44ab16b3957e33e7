"""`annotations.airflow`: the options of a schedule's DAG, checked; README.md lists them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from airflow_ext.errors import AirflowExtError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class Options:
    """The options of a DAG; `timeout` None is none, `pool` None is left to the plugins."""

    retries: int = 2
    retry_delay: timedelta = timedelta(minutes=1)
    timeout: timedelta | None = timedelta(hours=6)
    pool: str | None = None
    timezone: str = "UTC"
    start_date: date = date(2024, 1, 1)
    catchup: bool = False
    follow: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    owner: str = "meltano"

    @property
    def start(self) -> datetime:
        """The start as Airflow takes it."""
        day = self.start_date
        return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self.timezone))


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("a whole number from 0")
    return value


def _duration(value: object) -> timedelta:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
        return timedelta(seconds=value)
    match = re.fullmatch(r"(\d+)([smhd])", value.strip()) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise ValueError("seconds, or a text such as 90s, 5m, 2h, 1d")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def _timeout(value: object) -> timedelta | None:
    return None if value is None else _duration(value)


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text")
    return value


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise ValueError("a list of texts")
    return tuple(value)


def _zone(value: object) -> str:
    try:
        return ZoneInfo(_name(value)).key
    except (KeyError, ValueError, OSError):
        raise ValueError("the name of a time zone, such as Europe/Zurich") from None


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 - reported like the others
    return value


def _day(value: object) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise ValueError("a day such as 2024-01-31") from None


_READERS: dict[str, Callable[[object], object]] = {
    "retries": _whole,
    "retry_delay": _duration,
    "timeout": _timeout,
    "pool": _name,
    "timezone": _zone,
    "start_date": _day,
    "catchup": _flag,
    "follow": _names,
    "tags": _names,
    "owner": _name,
}


def read_options(*stated: Mapping[str, Any]) -> Options:
    """Read options; a later mapping wins over an earlier one.

    Raises:
        AirflowExtError: An option is unknown, or its value is of no use.
    """
    merged = {name: value for one in stated for name, value in one.items()}
    found: dict[str, Any] = {}
    for name, value in merged.items():
        if name == "":
            raise AirflowExtError(f"annotations.airflow is {value!r}; it has to be an object of options.")
        if name not in _READERS:
            raise AirflowExtError(
                f"annotations.airflow has the unknown option {name}; known are {', '.join(sorted(_READERS))}."
            )
        try:
            found[name] = _READERS[name](value)
        except ValueError as error:
            raise AirflowExtError(f"annotations.airflow.{name} is {value!r}; it has to be {error}.") from None
    return Options(**found)


def plugin_pool(annotations: Mapping[str, Any], plugin: str) -> str | None:
    """The pool of a plugin, the one option that a plugin has.

    Raises:
        AirflowExtError: There is another option, or the pool is no name.
    """
    if annotations.keys() - {"pool"}:
        raise AirflowExtError(f"annotations.airflow of {plugin} may hold pool only; the rest belongs to a schedule.")
    return read_options(annotations).pool
