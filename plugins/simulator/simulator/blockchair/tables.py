"""The tables of every chain."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from simulator.blockchair.chains import ETHEREUM
from simulator.blockchair.ethereum_tables import ethereum_tables
from simulator.blockchair.utxo_tables import utxo_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.blockchair.table import Table


@lru_cache
def tables_of(chain: str) -> Mapping[str, Table]:
    """The tables of a chain of which every block has its rows, by name.

    Args:
        chain: The chain's name.
    """
    return {table.name: table for table in (ethereum_tables() if chain == ETHEREUM else utxo_tables(chain))}
