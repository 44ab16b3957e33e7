"""Units: what is loaded whole, and which rows it replaces. `docs/units.md` is the contract with loaders."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ANNOTATION = "x-unit"
"""The key in a SCHEMA message's `schema` under which a unit is described."""

PARTITION = "x-partition"
"""The key under which a big table's partitioning is described."""

_BIG = {"transactions": "", "outputs": "", "inputs": "spending_", "calls": "", "erc20_transactions": ""}


def partitioning(table_name: str) -> dict[str, Any] | None:
    """Say how a loader should cut a table that grows by millions of rows a month.

    Args:
        table_name: Blockchair's name of the table.

    Returns:
        What a SCHEMA message carries under `PARTITION`, None for a small table.
    """
    if table_name not in _BIG:
        return None
    side = _BIG[table_name]
    return {"column": f"{side}time", "interval": "month", "index": [f"{side}block_id"]}


def time_column(table_name: str) -> str:
    """Name the column that says on which UTC day a row counts: the time of the block that it is part of.

    Args:
        table_name: Blockchair's name of the table.

    Returns:
        The column; for inputs that of the spending block.
    """
    return "spending_time" if table_name == "inputs" else "time"


@dataclass(frozen=True)
class Unit:
    """Rows that arrive together and replace a range of a table.

    Attributes:
        id: What rows carry in `_unit`, such as `bitcoin/blocks/2009-01-09`.
        column: The column whose range is replaced. Rows in which it is null are never replaced.
        start: First value replaced (included): an RFC 3339 time or a height; None: no lower bound.
        stop: First value above the range (excluded), likewise; None: no upper bound.
        rows: How many rows follow, where that is known beforehand; fewer mean that the unit is incomplete.
        file: Name of the dump file that holds the unit, as published.
        etag: Its entity tag.
        sha256: Its digest, as published, compressed.
        constants: Columns with the same value in every row, which a batch file does not carry.
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

    @classmethod
    def of_day(cls, unit_id: str, column: str, day: date, **more: Any) -> Unit:  # noqa: ANN401 (the fields above)
        """Describe a UTC day.

        Args:
            unit_id: The unit's name.
            column: The time column by which the source's days are cut.
            day: The day.
            more: Further fields.

        Returns:
            The unit, from midnight to the next midnight.
        """
        return cls(unit_id, column, _midnight(day), _midnight(day + timedelta(days=1)), **more)

    @classmethod
    def of_heights(cls, unit_id: str, column: str, first: int, last: int | None, **more: Any) -> Unit:  # noqa: ANN401
        """Describe a closed range of block heights.

        Args:
            unit_id: The unit's name.
            column: The column that holds the height: `id` of blocks, else `block_id`, `spending_block_id` of inputs,
                `parent_block_id` of uncles.
            first: Lowest height of the range.
            last: Highest height of the range; None: no upper bound.
            more: Further fields.

        Returns:
            The unit; its `to` is `last + 1`, since ranges are half open.
        """
        return cls(unit_id, column, first, None if last is None else last + 1, **more)

    def annotation(self, *, counted: bool = True) -> dict[str, Any]:
        """Write the unit as a SCHEMA message carries it.

        Args:
            counted: Whether all rows of the source arrive, so that number and digest say something.

        Returns:
            A JSON object.
        """
        about: dict[str, Any] = {"id": self.id, "column": self.column, "from": self.start, "to": self.stop}
        if counted and self.rows is not None:
            about["rows"] = self.rows
        about |= {name: value for name, value in (("file", self.file), ("etag", self.etag)) if value is not None}
        if counted and self.sha256 is not None:
            about["sha256"] = self.sha256
        if self.constants:
            about["constants"] = dict(self.constants)
        return about


def _midnight(day: date) -> str:
    return datetime.combine(day, time(), tzinfo=UTC).isoformat()
