"""Which adapter a chain's node is read by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mirror_node.bitcoind import Bitcoind
from mirror_node.chains import CHAINS
from mirror_node.geth import Geth
from mirror_node.rpc import Node

if TYPE_CHECKING:
    from mirror_node.adapters import Adapter
    from mirror_node.rpc import Login


def open_adapter(where: Login, chain: str) -> Adapter:
    """Connect to a chain's node."""
    known = CHAINS[chain]
    return Geth(Node(where), known) if known.is_evm else Bitcoind(Node(where), known)
