"""What the loads of one loader process share."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime

    from psycopg import Cursor

    from target_postgres_copy.ledger import Ledger
    from target_postgres_copy.units import Unit

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """What the loads of one loader process share.

    Attributes:
        cursor: Of a connection in autocommit, used by one load at a time.
        ledger: Where loads are entered.
        sync_started_at: When the process began, in milliseconds since 1970.
        beside: Gives a cursor of a second connection, in a transaction that ends with the block.
        backfill: Whether months that are new are kept apart until they are complete.
        reload: Whether a file that the ledger knows is loaded again.
        allow_empty: Whether a file without rows takes those away that its unit's range holds.
        verify: Whether a dump file's load notes checksums of its rows.
        apart: Months that this run filled and that are still apart: table and first instant.
    """

    cursor: Cursor[Any]
    ledger: Ledger
    sync_started_at: int
    beside: Callable[[], AbstractContextManager[Cursor[Any]]]
    backfill: bool = False
    reload: bool = False
    allow_empty: bool = False
    verify: bool = False
    apart: set[tuple[str, datetime]] = field(default_factory=set)

    def tell(self, unit: Unit, since: float, *, loaded: int, deleted: int) -> None:
        """Log a line about a unit.

        Args:
            unit: The unit.
            since: When its load began, by `time.monotonic`.
            loaded: Rows written.
            deleted: Rows that were there before and are gone or replaced.
        """
        seconds = time.monotonic() - since
        if not loaded and not deleted:
            logger.info("%s: the same as before, left as it is (%.1f s).", unit.id, seconds)
            return
        took = f"{seconds:.1f} s, {loaded / max(seconds, 0.001):,.0f} rows/s"
        logger.info("%s: %s rows loaded, %s gone or replaced (%s).", unit.id, f"{loaded:,}", f"{deleted:,}", took)
