"""What a kind of client is to the mirror: an adapter reads blocks; its part that needs no memory runs in workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirror_node.raw_blocks import RawBlock
    from mirror_node.tables import BlockRows
    from mirror_node.utxo import Facts, Spent


@dataclass(frozen=True)
class Tip:
    """A node's last block, what network it is of, and from which block on it has data.

    Attributes:
        origin: Client and version, as the files name it.
        lowest: The first block that is not pruned.
    """

    height: int
    network: str
    origin: str
    lowest: int = 0


class Unspent(NamedTuple):
    """A block whose inputs' outputs must be looked up in the own store."""

    facts: Facts
    block: RawBlock
    raw: bytes


class Adapter(Protocol):
    """A kind of client.

    Attributes:
        needs_store: Whether the node says nothing of spent outputs, so that an own store has to know them.
    """

    needs_store: bool

    def tip(self) -> Tip:
        """Ask for the node's last block."""

    def hash_at(self, height: int) -> str:
        """Ask for a block's hash, as displayed without 0x."""

    def median_time(self, height: int) -> int:
        """Ask for the time that all later blocks are later than."""

    def rows(self, height: int) -> BlockRows:
        """Read, verify and write a block."""

    def unspent(self, height: int) -> Unspent:
        """Read a block and verify its bytes, where the own store knows the outputs that it spends."""

    def complete(self, found: Unspent, spent: Sequence[Spent]) -> BlockRows:
        """Verify its amounts and write its rows."""
