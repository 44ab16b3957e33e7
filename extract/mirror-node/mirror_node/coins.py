"""Spent outputs from the own store, where a node does not give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from mirror_node.errors import RefusedBlockError
from mirror_node.store import Coin, CoinChanges
from mirror_node.utxo import Spent

if TYPE_CHECKING:
    from array import array

    from mirror_node.raw_blocks import RawBlock
    from mirror_node.store import Store

_RETURN = 0x6A


class Coins:
    """Follows blocks in their order; `changes` is what a commit has to write."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._times: array[int] = store.times()
        self.changes = CoinChanges()
        self.undo_from = 0

    def committed(self) -> None:
        """Begin anew behind a commit."""
        self.changes = CoinChanges()

    def spend(self, height: int, block: RawBlock) -> list[Spent]:
        """Find what a block's inputs spend, in order, and note what it makes and spends.

        Raises:
            RefusedBlockError: An output is not there: it was never made, or is spent.
        """
        changes, keeps_undo = self.changes, height >= self.undo_from
        wanted = [each.outpoint for of in block.transactions[1:] for each in of.inputs]
        stored = self._store.coins(
            outpoint for outpoint in wanted if outpoint not in changes.made and outpoint not in changes.spent
        )
        found: list[Spent] = []
        self._times.append(block.header.time)
        for position, transaction in enumerate(block.transactions):
            for each in transaction.inputs if position else ():
                coin = changes.made.pop(each.outpoint, None)
                if coin is None:
                    coin = stored.pop(each.outpoint, None)
                    changes.spent.add(each.outpoint)
                if coin is None:
                    raise RefusedBlockError(
                        height, "an input's output", f"unknown ({_shown(each.outpoint)})", "unspent"
                    )
                if keeps_undo:
                    changes.undo.append((height, each.outpoint, msgspec.msgpack.encode(coin)))
                found.append(Spent(coin.height, self._times[coin.height], coin.value, coin.is_generated, coin.script))
            for index, (value, script) in enumerate(transaction.outputs):
                if script and script[0] == _RETURN:  # nothing can spend it
                    continue
                outpoint = transaction.txid + index.to_bytes(4, "little")
                changes.made[outpoint] = Coin(height, not position, value, script)
                if keeps_undo:
                    changes.undo.append((height, outpoint, None))
        return found


def _shown(outpoint: bytes) -> str:
    return f"{outpoint[31::-1].hex()}:{int.from_bytes(outpoint[32:], 'little')}"
