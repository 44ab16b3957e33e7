"""What keeps a long chain out of memory: transactions of older blocks lie in a file and come back when asked for."""

from __future__ import annotations

import gc
import marshal
import threading
from collections import deque
from contextlib import contextmanager
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from simulator.spool import Spool, Stored

SEGMENT: Final = 5_000
"""Transactions that are put away together."""
RESIDENT: Final = 40_000
"""Transactions of the newest blocks of a chain that stay in memory."""
_LOADED: Final = 2
"""Segments that stay in memory after they were read."""

T = TypeVar("T")


class Segment(Generic[T]):
    """The transactions of some blocks, one after the other, as they lie in a file."""

    def __init__(self, stored: Stored, load: Callable[[Stored], list[list[T]]]) -> None:
        self._stored = stored
        self._load = load

    def block(self, place: int) -> list[T]:
        """The transactions of one of the blocks; those of a block are made anew whenever the segment is read."""
        return self._load(self._stored)[place]


class Keeping(Generic[T]):
    """What a block of any chain does about its transactions: it has them, or knows the segment that does.

    `kept` names what is worked out before they leave the memory.
    """

    kept: tuple[str, ...] = ()

    def __init__(self, transactions: list[T]) -> None:
        self._held: list[T] | None = transactions
        self._segment: tuple[Segment[T], int] | None = None

    @property
    def transactions(self) -> list[T]:
        """The block's transactions, in order."""
        held = self._held
        if held is None and self._segment is not None:
            segment, place = self._segment
            return segment.block(place)
        return held or []

    @property
    def is_away(self) -> bool:
        """Whether its transactions lie in a file."""
        return self._held is None

    def leave(self, segment: Segment[T], place: int) -> None:
        """Give the transactions up to a segment."""
        attrgetter(*self.kept)(self)
        self._segment = segment, place
        self._held = None


class Archive(Generic[T]):
    """The blocks of one chain whose transactions are in memory; older ones go to the spool.

    Args:
        spool: Where they go.
        pack: Makes a transaction a tuple of what `marshal` writes, and `unpack` makes it one again.
        leaving: Is told of each block before its transactions leave.
    """

    def __init__(
        self,
        spool: Spool,
        pack: Callable[[T], object],
        unpack: Callable[[Any], T],
        leaving: Callable[[Any], None],
    ) -> None:
        self._spool, self._pack, self._unpack, self._leaving = spool, pack, unpack, leaving
        self._blocks: deque[Keeping[T]] = deque()
        self._count = 0
        self._lock = threading.Lock()
        self._read = lru_cache(maxsize=_LOADED)(self._load)

    def enter(self, block: Keeping[T]) -> None:
        """Take a new block; the oldest ones leave the memory where it has become too many."""
        self._blocks.append(block)
        self._count += len(block.transactions)
        if self._count >= RESIDENT + SEGMENT:
            going: list[Keeping[T]] = []
            while len(self._blocks) > 1 and self._count > RESIDENT:
                going.append(self._blocks.popleft())
                self._count -= len(going[-1].transactions)
            self._put_away(going)

    def _put_away(self, blocks: Sequence[Keeping[T]]) -> None:
        content = marshal.dumps([[self._pack(one) for one in block.transactions] for block in blocks])
        segment = Segment(self._spool.add(content), self._of)
        for place, block in enumerate(blocks):
            self._leaving(block)
            block.leave(segment, place)

    def _of(self, stored: Stored) -> list[list[T]]:
        with self._lock:  # two that ask for the same segment read it once
            return self._read(stored)

    def _load(self, stored: Stored) -> list[list[T]]:
        with _uncollected():
            blocks = marshal.loads(stored.content)  # noqa: S302 - this process wrote it, into a file without a name
            return [[self._unpack(one) for one in block] for block in blocks]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the search for cycles, of which transactions have none: it would go through every new object."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
