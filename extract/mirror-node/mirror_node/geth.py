"""geth, and what speaks as it does: reth, erigon, anvil."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from mirror_node import evm
from mirror_node.adapters import Tip, Unspent
from mirror_node.errors import MovedError, RefusedBlockError
from mirror_node.evm_forms import Block, Parent, Receipt, Trace
from mirror_node.rpc import UnknownError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirror_node.chains import Chain
    from mirror_node.rpc import Node
    from mirror_node.tables import BlockRows
    from mirror_node.utxo import Spent

_MOST_TEXT = 60


class _Brief(msgspec.Struct):
    hash: str
    number: str
    timestamp: str


class Geth:
    """A node of the kind."""

    needs_store = False

    def __init__(self, node: Node, chain: Chain) -> None:
        self._node, self._chain = node, chain
        said = node.call("web3_clientVersion", [], str)[:_MOST_TEXT]
        self._origin = "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in said)
        self._origin = self._origin.replace("\\", "?").lower()
        self._network = f"chain id {int(node.call('eth_chainId', [], str), 16)}"

    def tip(self) -> Tip:
        """Ask for the node's last block."""
        last = int(self._node.call("eth_blockNumber", [], str), 16)
        first = self._node.call("eth_getBlockByNumber", ["earliest", False], _Brief)
        return Tip(last, self._network, self._origin, int(first.number, 16))

    def hash_at(self, height: int) -> str:
        """Ask for a block's hash."""
        return self._brief(height).hash[2:]

    def median_time(self, height: int) -> int:
        """Ask for a block's time; those above are later."""
        return int(self._brief(height).timestamp, 16)

    def rows(self, height: int) -> BlockRows:
        """Read a block with receipts and traces, verify it and write its rows."""
        block = self._node.call("eth_getBlockByNumber", [hex(height), True], Block)
        if int(block.number, 16) != height:
            raise RefusedBlockError(height, "the height that the node gives", int(block.number, 16), height)
        receipts = self._node.call("eth_getBlockReceipts", [hex(height)], list[Receipt])
        traces = self._node.call("debug_traceBlockByNumber", [hex(height), {"tracer": "callTracer"}], list[Trace])
        parent = self._parent(height) if height else None
        if receipts and receipts[0].block_hash != block.hash:
            raise MovedError(f"block {height} was replaced while it was read")
        return evm.rows(block, parent, receipts, traces, self._origin)

    def _parent(self, height: int) -> Parent | None:
        """Ask for the block below; None below a network's first one."""
        try:
            return self._node.call("eth_getBlockByNumber", [hex(height - 1), False], Parent)
        except UnknownError:
            return None

    def unspent(self, height: int) -> Unspent:
        """Accounts have no unspent outputs."""
        raise NotImplementedError(height)

    def complete(self, found: Unspent, spent: Sequence[Spent]) -> BlockRows:
        """Accounts have no unspent outputs."""
        raise NotImplementedError(found.facts.height, len(spent))

    def _brief(self, height: int) -> _Brief:
        try:
            return self._node.call("eth_getBlockByNumber", [hex(height), False], _Brief)
        except UnknownError:
            raise MovedError(f"the node has no block {height} any more") from None
