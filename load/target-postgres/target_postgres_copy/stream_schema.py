"""What a SCHEMA message states: the slice that follows, how its table is partitioned, which values its columns take.

`docs/reference/slices.md` is the contract for slices and partitions; a schema without these annotations is an ordinary
stream.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation, localcontext
from typing import TYPE_CHECKING, Any

from psycopg import sql

from target_postgres_copy.errors import FinerError, SliceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SLICE = "x-unit"
PARTITION = "x-partition"

# Least and greatest value of a type; https://www.postgresql.org/docs/current/datatype-numeric.html
_WHOLE = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_FLOATS = ("real", "double precision")
_NUMBERS = {"integer", "number"}
_DIGITS = 1000  # more than any number that PostgreSQL is asked to divide
_FRACTION = re.compile(r"[.,]\d{6}(\d+)")
_SCALED = re.compile(r"numeric\((\d+),(-?\d+)\)")
_TIME = "time without time zone"


@dataclass(frozen=True)
class StreamSlice:
    """Rows that arrive together and replace a range of a table."""

    id: str  # the slice's name, such as `bitcoin/blocks/2009-01-09`
    column: str  # the column whose range is replaced
    start: str | int | None  # first value replaced, an RFC 3339 time or an integer; None: no lower bound
    stop: str | int | None  # first value above the range, likewise; None: no upper bound
    rows: int | None = None  # how many rows the slice has, where the tap knows
    file: str | None = None  # name of the dump file as its source calls it
    etag: str | None = None  # its entity tag at the source
    sha256: str | None = None  # digest of the dump file
    constants: Mapping[str, Any] = field(default_factory=dict)  # columns equal in all rows, which no file carries
    time: str | None = None  # the column that says on which UTC day a row counts; None if the tap names none

    @classmethod
    def of(cls, stream: str, schema: Mapping[str, Any]) -> StreamSlice | None:
        """Read a schema's annotation; None if it has none.

        Raises:
            SliceError: If the annotation lacks a field, or names a column that the schema lacks.
        """
        stated = schema.get(SLICE)
        if stated is None:
            return None
        missing = [name for name in ("id", "column", "from", "to") if name not in stated]
        if missing:
            raise SliceError(
                f"stream {stream}: its {SLICE} lacks {', '.join(missing)}; nothing of that slice was loaded "
                "(see docs/reference/slices.md)"
            )
        if stated["column"] not in schema["properties"]:
            raise SliceError(
                f"stream {stream}: slice {stated['id']} replaces by column {stated['column']}, which the schema lacks"
            )
        known = {name: stated.get(name) for name in ("rows", "file", "etag", "sha256")}
        known["time"] = stated["time"] if stated.get("time") in schema["properties"] else None
        constants = stated.get("constants") or {}
        return cls(stated["id"], stated["column"], stated["from"], stated["to"], constants=constants, **known)

    @property
    def month(self) -> datetime | None:
        """The first instant of the one UTC month that holds the whole range; None if there is no such month."""
        if not isinstance(self.start, str) or not isinstance(self.stop, str):
            return None
        start, stop = datetime.fromisoformat(self.start), datetime.fromisoformat(self.stop)
        month = month_of(start)
        return month if stop <= next_month(month) else None

    @property
    def days(self) -> tuple[date, date] | None:
        """The first and the last UTC day of the range; None if it is no range of time with two ends."""
        if self.column != self.time or not isinstance(self.start, str) or not isinstance(self.stop, str):
            return None
        start, stop = datetime.fromisoformat(self.start), datetime.fromisoformat(self.stop)
        return start.astimezone(UTC).date(), (stop - timedelta.resolution).astimezone(UTC).date()

    @property
    def ends_month(self) -> bool:
        """Whether the range extends to the end of its month."""
        return (month := self.month) is not None and datetime.fromisoformat(str(self.stop)) == next_month(month)

    @property
    def condition(self) -> sql.Composable:
        """The SQL condition that a row lies in the range; a null lies in none."""
        column = sql.Identifier(self.column)
        conditions = [sql.SQL("{} is not null").format(column)]
        if self.start is not None:
            conditions.append(sql.SQL("{} >= {}").format(column, sql.Literal(self.start)))
        if self.stop is not None:
            conditions.append(sql.SQL("{} < {}").format(column, sql.Literal(self.stop)))
        return sql.SQL(" and ").join(conditions)


@dataclass(frozen=True)
class Partitioning:
    """How a big table is partitioned: by UTC month of a time column."""

    column: str  # the column, of type date-time
    index: tuple[str, ...] = ()  # columns of the one btree index that the table gets

    @classmethod
    def of(cls, stream: str, schema: Mapping[str, Any]) -> Partitioning | None:
        """Read a schema's annotation; None if it has none.

        Raises:
            SliceError: If the table is to be partitioned in a way that this loader does not know.
        """
        stated = schema.get(PARTITION)
        if stated is None:
            return None
        column, index = stated.get("column"), tuple(stated.get("index", ()))
        if lost := [name for name in (column, *index) if name not in schema["properties"]]:
            why = f"by columns {lost} that the schema lacks"
        elif stated.get("interval") != "month":
            why = f"by {stated.get('interval')}, known is only month"
        else:
            return cls(column, index)
        raise SliceError(f"stream {stream}: its {PARTITION} partitions the table {why}; nothing was loaded")


def month_of(moment: datetime) -> datetime:
    """Cut a time down to the first instant of its UTC month."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(month: datetime) -> datetime:
    """Go from the first instant of a month to that of the next."""
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


@dataclass(frozen=True)
class Bounds:
    """What a column's numbers must be, enforced while PostgreSQL copies a dump file.

    Records are validated one by one. COPY gets a condition instead, which leaves out the rows that break it, and a file
    of which rows were left out is refused. On 300,000 rows the condition, as a CHECK, took 6 % of the server's time in
    COPY for outputs and 17 % for transactions, a query over the copied rows 11 % and 21 %. In loads of whole files, six
    rounds each, no difference showed (-5 % to +7 %).
    """

    stored: str  # the column's SQL type
    least: int | Decimal | None = None  # the least number allowed, None for none
    most: int | Decimal | None = None  # the greatest, likewise
    step: int | Decimal | None = None  # numbers are whole multiples of it; None where they need not be

    def broken(self, name: str) -> sql.Composable | None:
        """Write the condition that a column's value, not null, breaks the bounds; None where none can."""
        column = sql.Identifier(name)
        each: list[sql.Composable] = []
        if self.least is not None and self._can(self.least):
            each.append(sql.SQL("{} < {}").format(column, sql.Literal(self.least)))
        if self.most is not None and self._can(self.most):
            each.append(sql.SQL("{} > {}").format(column, sql.Literal(self.most)))
        each += [sql.SQL(condition).format(column) for condition in self._not_finite()]
        if self.step is not None and not (self.stored in _WHOLE and self.step == 1):
            each.append(self._not_a_multiple(column))
        return sql.SQL(" or ").join(each) if each else None

    def fault(self, text: str) -> str:
        """What is wrong with a value of a dump file; nothing if it is right or no number."""
        try:
            value = Decimal(text)
        except InvalidOperation:
            return ""
        if not value.is_finite():
            return "is no finite number"
        if self.least is not None and value < self.least:
            return f"is less than {self.least}, the least that its schema allows"
        if self.most is not None and value > self.most:
            return f"is greater than {self.most}, the most that its schema allows"
        with localcontext(prec=_DIGITS):
            if self.step is not None and value % self.step:
                return "is not whole" if self.step == 1 else f"is not a multiple of {self.step}"
        return ""

    def _can(self, bound: int | Decimal) -> bool:
        """Whether a value of the column's type can lie beyond a bound."""
        return self.stored not in _WHOLE or -_WHOLE[self.stored] < bound < _WHOLE[self.stored] - 1

    def _not_finite(self) -> Iterator[str]:
        # NaN and Infinity are greater than every number.
        if self.stored in _FLOATS:
            yield "{} in ('NaN', 'Infinity', '-Infinity')"
        elif self.stored not in _WHOLE and (self.least is None or self.most is None):
            yield "(scale({0}) is null and {0} is not null)"

    def _not_a_multiple(self, column: sql.Identifier) -> sql.Composable:
        if self.step == 1 and self.stored not in _FLOATS:
            return sql.SQL("(scale({0}) > 0 and {0} <> trunc({0}))").format(column)
        return sql.SQL("mod({}::numeric, {}) <> 0").format(column, sql.Literal(self.step))


def bounds_of(properties: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Bounds]:
    """Read the bounds of the columns in which a value can break them; each must be finite, whatever its schema states.

    Columns have SQL types as `format_type` writes them. Bounds inside `anyOf` and the like are not looked at.
    """
    found: dict[str, Bounds] = {}
    for name, stored in columns.items():
        if not (stored in _WHOLE or stored in _FLOATS or stored.startswith("numeric")):
            continue
        part = properties.get(name)
        types = part.get("type", ()) if isinstance(part, dict) else ()
        numbers = _NUMBERS.intersection([types] if isinstance(types, str) else types)
        stated = part if numbers and isinstance(part, dict) else {}
        step = stated.get("multipleOf", 1 if numbers == {"integer"} else None)
        bounds = Bounds(stored, stated.get("minimum"), stated.get("maximum"), step)
        if bounds.broken(name) is not None:
            found[name] = bounds
    return found


def refuse_finer_time(text: str) -> None:
    """Raise FinerError if an ISO 8601 time has a digit below the microsecond, PostgreSQL's finest, other than 0."""
    point = text.find(".")
    if point < 0:
        point = text.find(",")  # ISO 8601 allows both
    if point > 0 and text[point + 7 : point + 8].isdigit():
        rest = _FRACTION.match(text, point)
        if rest is not None and rest[1].strip("0"):
            raise FinerError("is finer than a microsecond, which is all that PostgreSQL's times hold")


def check_of(stored: str) -> Callable[[Any], None] | None:
    """Find the check of a column's values, where PostgreSQL or Python would cut or round them without a word.

    It takes a value, not null, and raises FinerError if the column would change it; None where PostgreSQL itself
    refuses such values. The column's type is written as `format_type` does.
    """
    if stored == _TIME:
        return _refuse_offset
    if (scaled := _SCALED.fullmatch(stored)) is None:
        return None
    scale = int(scaled[2])

    def refuse_digits(value: Any) -> None:  # noqa: ANN401
        try:
            parts = Decimal(value).as_tuple()
        except (InvalidOperation, TypeError):
            return  # no number: PostgreSQL refuses it
        if isinstance(parts.exponent, int) and (below := -parts.exponent - scale) > 0 and any(parts.digits[-below:]):
            raise FinerError(f"has more decimals than its column of type {stored} holds")

    return refuse_digits


def _refuse_offset(value: Any) -> None:  # noqa: ANN401
    if isinstance(value, str):
        refuse_finer_time(value)
        try:
            value = time.fromisoformat(value)
        except ValueError:
            return  # no time: PostgreSQL refuses it
    if isinstance(value, time) and value.utcoffset():
        raise FinerError(f"has an offset from UTC, which its column of type {_TIME} does not hold")
