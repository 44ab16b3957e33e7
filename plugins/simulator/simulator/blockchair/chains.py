"""The parameters of the simulated Bitcoin-like chains, and what was there before the world's first day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

COIN: Final = 100_000_000
"""Base units in a coin, on Bitcoin (satoshi) as on Dogecoin (koinu)."""
HALVING_INTERVAL: Final = 210_000
RETARGET_INTERVAL: Final = 2016


@dataclass(frozen=True, kw_only=True)
class UtxoChain:
    """What tells one Bitcoin-like chain from another. Amounts are base units.

    Attributes:
        name: The chain's name in paths, and its coin's id where prices are asked.
        segwit: Whether it has witnesses, and with them the columns about them.
        first_height: Height of the world's first block; above 0 the chain has a past that the world does not show.
        maturity: Blocks before a coinbase may be spent. Far below the real 100 and 240, since a small world has few
            blocks and would otherwise have few payments.
        easiest_bits: The easiest target allowed; about 2^8 tries a block.
        address_version: First byte of a pay-to-pubkey-hash address.
        address_prefix: Human-readable part of a witness address.
        dust: No output that can be spent is smaller.
        fee_rates: Lowest and highest fee in base units per byte.
        unit_of_price: Amounts that people pay are often whole multiples of this.
        opening_whales: Number of holders with an opening output of `opening_whale_value` each.
        opening_whale_value: What each of them holds; at most the chain's limit for one output.
        opening_users: Number of small opening outputs.
        opening_work: Chainwork of the block before the first.
    """

    name: str
    segwit: bool
    first_height: int
    maturity: int
    easiest_bits: int
    address_version: int
    address_prefix: str
    dust: int
    fee_rates: tuple[int, int]
    unit_of_price: int
    opening_whales: int = 0
    opening_whale_value: int = 0
    opening_users: int = 0
    opening_work: int = 0

    def subsidy(self, height: int) -> int:
        """Base units that a block may make: halving on Bitcoin, 10,000 coins on Dogecoin from height 600,000."""
        if self.name == "dogecoin":
            return 10_000 * COIN
        return 50 * COIN >> height // HALVING_INTERVAL


BITCOIN: Final = UtxoChain(
    name="bitcoin",
    segwit=True,
    first_height=0,
    maturity=8,
    easiest_bits=0x2000FFFF,
    address_version=0x00,
    address_prefix="bc",
    dust=1_000,
    fee_rates=(1, 60),
    unit_of_price=1_000_000,
)

DOGECOIN: Final = UtxoChain(
    name="dogecoin",
    segwit=False,
    first_height=5_000_000,
    maturity=8,
    easiest_bits=0x2000FFFF,
    address_version=0x1E,
    address_prefix="",
    dust=1_000_000,
    fee_rates=(1_000, 20_000),
    unit_of_price=10 * COIN,
    # Consensus allows 10 billion DOGE at most in one output or transaction, so no single transaction can pass 2^63
    # koinu; 15 holders of nearly that much are the supply of that height, and a block in which most of them move does.
    opening_whales=15,
    opening_whale_value=9_600_000_000 * COIN,
    opening_users=60,
    opening_work=1 << 76,
)

UTXO_CHAINS: Final = {chain.name: chain for chain in (BITCOIN, DOGECOIN)}
