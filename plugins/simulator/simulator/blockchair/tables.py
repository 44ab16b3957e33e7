"""All tables."""

from __future__ import annotations

from typing import Final

from simulator.blockchair.ethereum_tables import ethereum_tables
from simulator.blockchair.utxo_tables import utxo_tables

TABLES: Final = {
    (table.chain, table.name): table
    for table in (*utxo_tables("bitcoin"), *ethereum_tables(), *utxo_tables("dogecoin"))
}
"""All tables of which every block has its rows, by chain and name."""
