"""The parameters of a world's chains."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Final

from simulator.blockchair.chains import default_chains

MERGED: Final = "merged"
LONDON: Final = "london"
"""Ethereum since the Merge, and between London and the Merge."""


@dataclass(frozen=True, kw_only=True)
class WorldParameters:
    """What makes a world; equal parameters make equal bytes.

    Attributes:
        seed: Seed of all chance.
        start: The first UTC day.
        blocks_per_day: Blocks on every day of every chain.
        transactions_per_block: Mean number of transactions in a block, a coinbase included.
        chains: The chains that exist.
        era: Ethereum's rules.
        control_characters: Whether some token names hold control characters.
    """

    seed: int = 1
    start: date = date(2025, 1, 1)
    blocks_per_day: int = 24
    transactions_per_block: int = 8
    chains: tuple[str, ...] = field(default_factory=default_chains)
    era: str = MERGED
    control_characters: bool = False
