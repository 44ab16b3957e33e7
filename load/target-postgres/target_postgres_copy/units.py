"""What a SCHEMA message says beside a stream's columns: the unit that follows, and how its table is cut.

`docs/units.md` of this project is the contract; a schema without these annotations is an ordinary stream.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalSyncError

if TYPE_CHECKING:
    from collections.abc import Mapping

UNIT = "x-unit"
PARTITION = "x-partition"


class UnitError(FatalSyncError):
    """A unit cannot be loaded as it was announced."""


@dataclass(frozen=True)
class Unit:
    """Rows that arrive together and replace a range of a table.

    Attributes:
        id: The unit's name, such as `bitcoin/blocks/2009-01-09`.
        column: The column whose range is replaced.
        start: First value replaced, an RFC 3339 time or an integer; None: no lower bound.
        stop: First value above the range, likewise; None: no upper bound.
        rows: How many rows the unit has, where the tap knows.
        file: Name of the dump file as its source calls it.
        etag: Its entity tag at the source.
        sha256: Digest of the dump file.
        constants: Columns that hold the same value in every row and that a batch file does not carry.
        time: The column that says on which UTC day a row counts; None if the tap names none.
    """

    id: str
    column: str
    start: str | int | None
    stop: str | int | None
    rows: int | None = None
    file: str | None = None
    etag: str | None = None
    sha256: str | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)
    time: str | None = None

    @classmethod
    def of(cls, stream: str, schema: Mapping[str, Any]) -> Unit | None:
        """Read a schema's annotation.

        Args:
            stream: The stream's name, for errors.
            schema: The schema of a SCHEMA message.

        Returns:
            The unit that follows, None if none does.

        Raises:
            UnitError: If the annotation lacks a field, or names a column that the schema lacks.
        """
        said = schema.get(UNIT)
        if said is None:
            return None
        missing = [name for name in ("id", "column", "from", "to") if name not in said]
        if missing:
            msg = (
                f"stream {stream}: its {UNIT} lacks {', '.join(missing)}; nothing of that unit was loaded "
                "(see docs/units.md)"
            )
            raise UnitError(msg)
        if said["column"] not in schema["properties"]:
            msg = f"stream {stream}: unit {said['id']} replaces by column {said['column']}, which the schema lacks"
            raise UnitError(msg)
        known = {name: said.get(name) for name in ("rows", "file", "etag", "sha256")}
        known["time"] = said["time"] if said.get("time") in schema["properties"] else None
        return cls(said["id"], said["column"], said["from"], said["to"], constants=said.get("constants") or {}, **known)

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
        """Whether the range reaches the end of its month."""
        return (month := self.month) is not None and datetime.fromisoformat(str(self.stop)) == next_month(month)


@dataclass(frozen=True)
class Partitioning:
    """How a big table is cut: by UTC month of a time column.

    Attributes:
        column: The column, of type date-time.
        index: Columns of the one btree index that the table gets.
    """

    column: str
    index: tuple[str, ...]

    @classmethod
    def of(cls, stream: str, schema: Mapping[str, Any]) -> Partitioning | None:
        """Read a schema's annotation.

        Args:
            stream: The stream's name, for errors.
            schema: The schema of a SCHEMA message.

        Returns:
            How the table is cut, None if it is not.

        Raises:
            UnitError: If it is to be cut in a way that this loader does not know.
        """
        said = schema.get(PARTITION)
        if said is None:
            return None
        column, index = said.get("column"), tuple(said.get("index", ()))
        lost = [name for name in (column, *index) if name not in schema["properties"]]
        if said.get("interval") != "month" or lost:
            what = (
                f"by columns {lost} that the schema lacks"
                if lost
                else f"by {said.get('interval')}, known is only month"
            )
            msg = f"stream {stream}: its {PARTITION} cuts the table {what}; nothing was loaded"
            raise UnitError(msg)
        return cls(column, index)


def month_of(moment: datetime) -> datetime:
    """Cut a time down to the first instant of its UTC month."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(month: datetime) -> datetime:
    """Go from the first instant of a month to that of the next."""
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
