"""The query language of table requests (contract 2.2): filters, sorts, limit and offset."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from simulator.blockchair.table import Column, Filter, Kind
from simulator.blockchair.times import stamp

if TYPE_CHECKING:
    from simulator.blockchair.table import Money

MAX_LIMIT: Final = 100
DEFAULT_LIMIT: Final = 10
MAX_OFFSET: Final = 10_000
_MAX_FILTERS: Final = 5
_MAX_SORTS: Final = 2
_TERM: Final = re.compile(r"(\w+)\(([^()]*)\)")
_TIME_FORMS: Final = (
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"), "%Y-%m-%d %H:%M:%S", "", ""),
    (re.compile(r"\d{4}-\d\d-\d\d"), "%Y-%m-%d", " 00:00:00", " 23:59:59"),
    (re.compile(r"\d{4}-\d\d"), "%Y-%m", "-01 00:00:00", "-31 23:59:59"),
)
_DURATION: Final = re.compile(r"~P(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,4})M)?(?:(\d{1,4})S)?)?")
_FLAGS: Final = {"true": True, "false": False}

Test = Callable[[Any], bool]
Bounds = tuple[Decimal | None, Decimal | None]


class BadRequestError(ValueError):
    """A request that the API refuses with 400; its text is what the answer says."""


@dataclass(frozen=True, kw_only=True)
class Query:
    """A parsed request.

    Attributes:
        groups: Tests on a row; of each group one must hold.
        filters: How many expressions there were; each costs a point.
        sorts: Columns to sort by, the first one weighing most, and whether downwards.
        limit: Rows wanted.
        offset: Rows to skip.
        equalities: Names of columns asked for one exact value.
        bounds: Lowest and highest value that can match, per column of whole numbers; None where a side is open.
    """

    groups: tuple[tuple[Test, ...], ...]
    filters: int
    sorts: tuple[tuple[Column, bool], ...]
    limit: int
    offset: int
    equalities: frozenset[str]
    bounds: Mapping[str, Bounds]

    def passes(self, row: object) -> bool:
        """Whether a row is asked for."""
        return all(any(test(row) for test in group) for group in self.groups)

    def matching(self, rows: list[Any]) -> list[Any]:
        """The rows that pass, sorted."""
        found = [row for row in rows if self.passes(row)]
        for column, downwards in reversed(self.sorts):
            found.sort(key=column.rank, reverse=downwards)
        return found


class QueryReader:
    """Understands the parameters of requests to one table."""

    def __init__(self, columns: tuple[Column, ...], default_sort: str, money: Money) -> None:
        self._columns = {column.name: column for column in columns}
        self._default_sort = default_sort
        self._money = money

    def read(self, parameters: Mapping[str, str], now: datetime) -> Query:
        """Parse a request's parameters; unknown ones are ignored, as the live API mostly does.

        Raises:
            BadRequestError: A parameter is malformed, out of bounds or names a column that cannot serve.
        """
        groups, equalities, filters, bounds = self._filters(parameters.get("q", ""), now)
        return Query(
            groups=groups,
            filters=filters,
            sorts=self._sorts(parameters.get("s", "")),
            limit=_bounded(parameters, "limit", DEFAULT_LIMIT, range(1, MAX_LIMIT + 1)),
            offset=_bounded(parameters, "offset", 0, range(MAX_OFFSET + 1)),
            equalities=equalities,
            bounds=bounds,
        )

    def _filters(
        self, text: str, now: datetime
    ) -> tuple[tuple[tuple[Test, ...], ...], frozenset[str], int, Mapping[str, Bounds]]:
        groups: list[list[Test]] = []
        equalities = set()
        bounds: dict[str, Bounds] = {}
        count = 0
        negated = joined = False
        for part in text.split(",") if text else []:
            if part == "not":
                negated = not negated
            elif part == "or" and groups and not negated:
                joined = True
            else:
                name, expression = _term(part)
                test = self._test(self._column(name), expression, now)
                if not negated and not joined and ".." not in expression:
                    equalities.add(name)
                if not negated and not joined and self._column(name).kind is Kind.INTEGER:
                    bounds[name] = _bounds(expression)
                test = _negation(test) if negated else test
                if joined:
                    groups[-1].append(test)
                    equalities.clear()
                    bounds.clear()
                else:
                    groups.append([test])
                count += 1
                negated = joined = False
        if negated or joined:
            raise BadRequestError("An expression is missing after 'not' or 'or'")
        if count > _MAX_FILTERS:
            raise BadRequestError(f"At most {_MAX_FILTERS} filters can be used")
        return tuple(map(tuple, groups)), frozenset(equalities), count, bounds

    def _sorts(self, text: str) -> tuple[tuple[Column, bool], ...]:
        if not text:
            return ((self._column(self._default_sort), True),)
        sorts = []
        for part in text.split(","):
            name, direction = _term(part)
            column = self._column(name)
            if not column.sortable or direction not in ("asc", "desc"):
                raise BadRequestError(f"Cannot sort by {part}")
            sorts.append((column, direction == "desc"))
        if len(sorts) > _MAX_SORTS:
            raise BadRequestError(f"At most {_MAX_SORTS} sorts can be used")
        return tuple(sorts)

    def _column(self, name: str) -> Column:
        if name not in self._columns:
            raise BadRequestError(f"Unknown column {name}")
        return self._columns[name]

    def _test(self, column: Column, expression: str, now: datetime) -> Test:
        if column.filter is Filter.EQUALITY:
            return _equality(column, expression)
        if column.filter is Filter.TIME:
            return _time_test(column, expression, now)
        if column.filter is Filter.RANGE:
            return _number_test(column, expression, self._money)
        searched = column.searched or column.get
        if column.filter is Filter.PREFIX and expression.startswith("^"):
            start = expression[1:].lower()
            return lambda row: (searched(row) or "").startswith(start)
        if column.filter in (Filter.SUBSTRING, Filter.TEXT) and expression[:1] == "~" != expression:
            part = expression[1:] if column.filter is Filter.TEXT else expression[1:].encode()
            return lambda row: part in (searched(row) or part[:0])
        if column.filter is Filter.TEXT:
            return _equality(column, expression)
        raise BadRequestError(f"Cannot filter by {column.name}")


def _bounded(parameters: Mapping[str, str], name: str, default: int, allowed: range) -> int:
    text = parameters.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) not in allowed:
        raise BadRequestError(f"Parameter {name} must lie between {allowed.start} and {allowed.stop - 1}")
    return int(text)


def _term(part: str) -> tuple[str, str]:
    match = _TERM.fullmatch(part)
    if match is None:
        raise BadRequestError(f"Cannot understand {part}")
    return match[1], match[2]


def _negation(test: Test) -> Test:
    return lambda row: not test(row)


def _equality(column: Column, expression: str) -> Test:
    wanted: object = expression
    if column.kind in (Kind.FLAG, Kind.TERNARY):
        if expression not in _FLAGS:
            raise BadRequestError(f"{column.name} is either true or false")
        wanted = _FLAGS[expression]
    elif column.kind is Kind.PREFIXED_HEX:
        wanted = expression.lower().removeprefix("0x")
    return lambda row: bool(column.get(row) == wanted)


def _bounds(expression: str) -> Bounds:
    """The ends of a range, put in order; an open one is None."""
    ends = [_number(end) for end in _ends(expression)]
    low, high = ends[0], ends[-1]
    return (high, low) if low is not None and high is not None and high < low else (low, high)


def _number_test(column: Column, expression: str, money: Money) -> Test:
    def value(row: object) -> Any:  # noqa: ANN401 - any number
        found = column.get(row)
        return money.dollars(found, column.when(row)) if column.kind is Kind.USD and found is not None else found

    ends = [_number(end) for end in _ends(expression)]
    if all(end is not None for end in ends):
        ends.sort()  # swapped bounds are put right without a word
    return _between(value, ends, (ends[0], ends[-1]), strict="..." in expression)


def _time_test(column: Column, expression: str, now: datetime) -> Test:
    def value(row: object) -> str | None:
        time = column.get(row)
        return None if time is None else stamp(time)

    if expression.startswith("~"):
        match = _DURATION.fullmatch(expression)
        if match is None or not any(match.groups()):
            raise BadRequestError(f"Cannot understand {expression}")
        weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        span = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
        since = f"{now - span:%Y-%m-%d %H:%M:%S}"
        return lambda row: (value(row) or "") >= since
    ends = [_instants(end) for end in _ends(expression)]
    if len({end[0] for end in ends if end}) > 1:
        raise BadRequestError("Both ends of a range must be written alike")
    if all(ends):
        ends.sort()
    first, last = ends[0], ends[-1]
    # A day or a month counts whole: an inclusive range holds it, an exclusive one begins after or ends before it.
    strict = "..." in expression
    low = first and first[2 if strict else 1]
    high = last and last[1 if strict else 2]
    return _between(value, ends, (low, high), strict=strict)


def _between(value: Callable[[Any], Any], ends: list[Any], bounds: tuple[Any, Any], *, strict: bool) -> Test:
    if not any(end is not None for end in ends):
        raise BadRequestError("A range needs at least one end")
    low, high = bounds

    def test(row: object) -> bool:
        found = value(row)
        if found is None:
            return False
        if strict:
            return (low is None or found > low) and (high is None or found < high)
        return (low is None or found >= low) and (high is None or found <= high)

    return test


def _ends(expression: str) -> list[str]:
    for dots in ("...", ".."):
        if dots in expression:
            return expression.split(dots, 1)
    if not expression:
        raise BadRequestError("An expression is empty")
    return [expression]


def _number(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise BadRequestError(f"{text} is not a number") from None
    if not number.is_finite():
        raise BadRequestError(f"{text} is not a number")
    return number


def _instants(text: str) -> tuple[str, str, str] | None:
    """The form a time is written in, and the first and last second it covers."""
    if not text:
        return None
    for pattern, form, first, last in _TIME_FORMS:
        if pattern.fullmatch(text):
            try:
                datetime.strptime(text, form)  # noqa: DTZ007 - only whether it exists
            except ValueError:
                break
            return form, text + first, text + last
    raise BadRequestError(f"{text} is not a time")
