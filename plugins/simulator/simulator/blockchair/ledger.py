"""What the ledgers of all chains share: a chain that is made day by day, and made anew from where it forked."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

from simulator.blockchair.rng import Rng
from simulator.blockchair.times import midnight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.blockchair.ethereum_model import Token
    from simulator.blockchair.transactions import Output
    from simulator.settings import Settings

B = TypeVar("B")


class Ledger(Generic[B]):
    """One chain of a world, made day by day and kept.

    A day follows from the settings and the days before it, never from when or how often it is asked for. `forks` are
    the heights from which the chain was replaced by another one, once for each.

    Attributes:
        name: The chain's name.
        first_height: Height of the first block.
        blocks: All blocks made so far.
        opening_outputs: Outputs older than the world, none on a chain that starts at height 0.
        opening_balances: Addresses and base units before the first block.
        contracts: Addresses that hold code before the first block.
        tokens: The ERC-20 tokens made so far.
    """

    opening_outputs: Sequence[Output] = ()
    opening_balances: Sequence[tuple[str, int]] = ()
    contracts: Sequence[str] = ()
    tokens: Sequence[Token] = ()

    def __init__(self, name: str, first_height: int, settings: Settings, forks: Sequence[int]) -> None:
        self.name = name
        self.first_height = first_height
        self.blocks: list[B] = []
        self._settings = settings
        self._forks = tuple(forks)
        self._days = 0
        self._lock = threading.Lock()

    def grow(self, days: int) -> None:
        """Make the chain at least so many days long, counted from the world's start."""
        if self._days >= days:
            return
        with self._lock:
            while self._days < days:
                self._day(midnight(self._settings.start + timedelta(days=self._days)))
                self._days += 1

    def _day(self, start: int) -> None:
        """Make the blocks of the day that begins at a second since 1970."""
        raise NotImplementedError

    def _branch_at(self, height: int) -> tuple[object, ...]:
        """What distinguishes a block from the one it replaced; nothing for a block that replaced none."""
        forks = sum(fork <= height for fork in self._forks)
        return ("branch", forks) if forks else ()

    def _rng(self, height: int, *more: object) -> Rng:
        return Rng(self._settings.seed, self.name, height, *more)
