"""What the ledgers of all chains share: a chain that is made day by day, and made anew from where it forked."""

from __future__ import annotations

import threading
from copy import copy
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from simulator.blockchair.archive import Archive, Keeping
from simulator.blockchair.rng import Rng
from simulator.blockchair.times import midnight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from simulator.blockchair.balances import Balances
    from simulator.blockchair.ethereum_model import Token
    from simulator.blockchair.transactions import Output
    from simulator.settings import Settings
    from simulator.spool import Spool

B = TypeVar("B", bound=Keeping[Any])
T = TypeVar("T")
R = TypeVar("R")


class Ledger(Generic[B, T]):
    """One chain of a world, made block by block and kept; transactions of older blocks lie in the spool.

    A day follows from the settings and the days before it, never from when or how often it is asked for. `forks` are
    the heights from which the chain was replaced by another one, once for each.

    Attributes:
        name: The chain's name.
        first_height: Height of the first block.
        blocks: All blocks made so far.
        opening_outputs: Outputs older than the world, none on a chain that starts at height 0.
        opening_supply: Base units before the first block.
        tokens: The ERC-20 tokens made so far.
        blocks_per_day: Blocks of a day.
        transactions_per_block: Transactions of a block on average.
    """

    pack: Callable[[T], object]
    unpack: Callable[[Any], T]
    opening_outputs: Sequence[Output] = ()
    opening_supply: int
    tokens: Sequence[Token] = ()

    def __init__(self, name: str, first_height: int, settings: Settings, spool: Spool, forks: Sequence[int]) -> None:
        self.name = name
        self.first_height = first_height
        self.blocks: list[B] = []
        self._settings = settings
        self._forks = tuple(forks)
        self.blocks_per_day = settings.blocks_per_day_of(name)
        self.transactions_per_block = settings.transactions_per_block_of(name)
        self._lock = threading.Lock()
        self._making = self._days()
        self._archive = Archive(spool, self.pack, self.unpack, self._leaving)
        self._settled: Balances[Any] | None = None
        self._latest: Balances[Any] | None = None
        self._balances_lock = threading.Lock()

    def opening(self) -> Balances[Any]:
        """The balances before the first block."""
        raise NotImplementedError

    def grow(self, length: int) -> None:
        """Make the chain at least so many blocks long."""
        if len(self.blocks) >= length:
            return
        with self._lock:
            while len(self.blocks) < length:
                block = next(self._making)
                self.blocks.append(block)
                self._archive.enter(block)

    def ask_balances(self, length: int, question: Callable[[Balances[Any]], R]) -> R:
        """What a question finds in the balances after so many blocks."""
        with self._balances_lock:
            known = [one for one in (self._latest, self._settled) if one is not None and one.length <= length]
            nearest = max(known, key=lambda one: one.length, default=None)
            if nearest is None:
                nearest = self.opening()
            elif nearest is self._settled:
                nearest = copy(nearest)  # the original stays where the blocks in memory begin
            for block in self.blocks[nearest.length : length]:
                nearest.apply(block.transactions)
            self._latest = nearest
            return question(nearest)

    def _leaving(self, block: B) -> None:
        """Enter a block whose transactions leave the memory into the balances: later it would have to be read."""
        with self._balances_lock:
            if self._settled is None:
                self._settled = self.opening()
            self._settled.apply(block.transactions)

    def _days(self) -> Iterator[B]:
        for number in count():
            yield from self._day(midnight(self._settings.start + timedelta(days=number)))

    def _day(self, start: int) -> Iterator[B]:
        """Make the blocks of the day that begins at a second since 1970, each when it is asked for."""
        raise NotImplementedError

    def _branch_at(self, height: int) -> tuple[object, ...]:
        """What distinguishes a block from the one it replaced; nothing for a block that replaced none."""
        forks = sum(fork <= height for fork in self._forks)
        return ("branch", forks) if forks else ()

    def _rng(self, height: int, *more: object) -> Rng:
        return Rng(self._settings.seed, self.name, height, *more)
