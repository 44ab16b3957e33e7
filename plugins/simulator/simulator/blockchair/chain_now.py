"""A chain at an instant: the blocks that have come, and what waits to be confirmed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from simulator.blockchair.chains import ETHEREUM
from simulator.blockchair.utxo_tables import OutputNow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from simulator.blockchair.transactions import Block, Input, Output, Transaction
    from simulator.blockchair.world import World


@dataclass(frozen=True, kw_only=True)
class ChainNow:
    """A chain at an instant.

    Attributes:
        world: The world it belongs to.
        chain: Its name.
        now: The simulated instant, UTC.
        blocks: What has arrived, in order.
        has_mempool: Whether the payments of the block to come wait in the mempool; else it is empty.
    """

    world: World
    chain: str
    now: datetime
    blocks: Sequence[Any]
    has_mempool: bool = False

    @property
    def tip(self) -> int:
        """Height of the last block; -1 before the first."""
        return self.blocks[-1].id if self.blocks else -1

    @cached_property
    def waiting(self) -> list[Any]:
        """The unconfirmed transactions, in the order of the block that will confirm them.

        Each has block -1 and, for its time, when it was seen first: right after the last block (contract 3.2).
        """
        if not self.has_mempool or not self.blocks:
            return []
        coming: Any = self.world.block_to_come(self.chain, self.now)
        seen = self.blocks[-1].time
        if self.chain == ETHEREUM:
            return [replace(tx, block_id=-1, time=seen, index=None) for tx in coming.real]
        return _unconfirmed(coming, seen)

    @cached_property
    def _claims(self) -> dict[tuple[bytes, int], Input]:
        """What waiting transactions spend, by the place of the output."""
        return {(one.spent.transaction_id, one.spent.index): one for tx in self.waiting for one in tx.inputs}

    def output(self, output: Output) -> OutputNow:
        """An output with its spending, if that has come or waits."""
        spending = output.spending
        if spending is not None and -1 < spending.block_id <= self.tip:
            return OutputNow(output, spending)
        return OutputNow(output, self._claims.get((output.transaction_id, output.index)))

    def claimed(self) -> list[OutputNow]:
        """Confirmed outputs that waiting transactions spend."""
        return [OutputNow(one.spent, one) for one in self._claims.values() if one.spent.block_id != -1]


def _unconfirmed(block: Block, seen: int) -> list[Transaction]:
    """A block's payments as they were before it: they may spend each other's outputs."""
    made: dict[tuple[bytes, int], Output] = {}
    waiting = []
    for tx in block.transactions[1:]:
        inputs = [
            replace(one, spent=made.get((one.spent.transaction_id, one.spent.index), one.spent), block_id=-1, time=seen)
            for one in tx.inputs
        ]
        outputs = [replace(output, block_id=-1, time=seen, spending=None) for output in tx.outputs]
        made |= {(output.transaction_id, output.index): output for output in outputs}
        waiting.append(replace(tx, inputs=inputs, outputs=outputs, block_id=-1, time=seen))
    return waiting


def outputs_of(transactions: Iterable[Transaction]) -> Iterable[Output]:
    """The outputs of transactions, in order."""
    return (output for tx in transactions for output in tx.outputs)
