"""The simulated chains, and how they differ; a new Bitcoin-like chain is an entry here.

Prices are asked by a chain's name, so `coingecko/coins.py` needs a coin of that name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

COIN: Final = 100_000_000
"""Base units in a coin of every Bitcoin-like chain (satoshi, koinu, litoshi)."""
ETHER: Final = 10**18
GWEI: Final = 10**9
ETHEREUM: Final = "ethereum"


@dataclass(frozen=True, kw_only=True)
class Chain:
    """What every chain has.

    Attributes:
        name: The chain's name in paths, and its coin's id where prices are asked.
        began: Date (UTC) of the real block 0.
        servers: What answers say of the servers that made them (contract 1.3).
        is_default: Whether it is simulated where nothing names the chains.
        unit: Base units in a coin.
    """

    name: str
    began: date
    servers: str
    is_default: bool = False
    unit: int = COIN


@dataclass(frozen=True, kw_only=True)
class UtxoChain(Chain):
    """How one Bitcoin-like chain differs from another. Amounts are base units.

    Attributes:
        segwit: Whether it has witnesses, and with them the columns about them.
        merge_mined: Whether blocks may be mined along with another chain's, with the column that says so.
        first_height: Height of the world's first block; above 0 the chain has a past that the world does not show.
        first_subsidy: What a block may make before the first halving.
        halving_interval: Blocks between halvings; None for a chain without any.
        maturity: Blocks before a coinbase may be spent. Far below the real 100 and 240, since a small world has few
            blocks and would otherwise have few payments.
        versions: Versions of its blocks.
        hash_is_work: Whether a block's hash lies at or below its target. Where the proof of work is another hash of the
            header, as scrypt, nothing follows from the block's hash.
        easiest_bits: The easiest target allowed; about 2^8 tries a block.
        retarget_interval: Blocks that have one target; 1 where each has its own.
        shows_retarget: Whether stats have the next target (contract 4.2).
        address_version: First byte of a pay-to-pubkey-hash address.
        address_prefix: Human-readable part of a witness address.
        dust: No output that can be spent is smaller.
        fee_rates: Lowest and highest fee in base units per byte.
        unit_of_price: Amounts that people pay are often whole multiples of this.
        nodes: How many nodes stats count.
        opening_whales: Number of holders with an opening output of `opening_whale_value` each.
        opening_whale_value: What each of them holds; at most the chain's limit for one output.
        opening_users: Number of small opening outputs.
        opening_work: Chainwork of the block before the first.
    """

    segwit: bool
    merge_mined: bool = False
    first_height: int = 0
    first_subsidy: int
    halving_interval: int | None
    maturity: int = 8
    versions: tuple[int, ...]
    hash_is_work: bool = True
    easiest_bits: int = 0x2000FFFF
    retarget_interval: int
    shows_retarget: bool
    address_version: int
    address_prefix: str = ""
    dust: int
    fee_rates: tuple[int, int]
    unit_of_price: int
    nodes: int
    opening_whales: int = 0
    opening_whale_value: int = 0
    opening_users: int = 0
    opening_work: int = 0

    def subsidy(self, height: int) -> int:
        """Base units that a block may make."""
        halvings = 0 if self.halving_interval is None else height // self.halving_interval
        return self.first_subsidy >> halvings


CHAINS: Final[dict[str, Chain]] = {
    chain.name: chain
    for chain in (
        UtxoChain(
            name="bitcoin",
            began=date(2009, 1, 3),
            servers="API4,BTC0",
            is_default=True,
            segwit=True,
            first_subsidy=50 * COIN,
            halving_interval=210_000,
            versions=(0x20000000, 0x20000000, 0x20000004, 0x2FFFE000),
            retarget_interval=2016,
            shows_retarget=True,
            address_version=0x00,
            address_prefix="bc",
            dust=1_000,
            fee_rates=(1, 60),
            unit_of_price=1_000_000,
            nodes=8502,
        ),
        Chain(name=ETHEREUM, began=date(2015, 7, 30), servers="API4,ETH3,ETH3", is_default=True, unit=ETHER),
        UtxoChain(
            name="dogecoin",
            began=date(2013, 12, 6),
            servers="API4,DOGE0",
            is_default=True,
            segwit=False,
            merge_mined=True,
            first_height=5_000_000,
            first_subsidy=10_000 * COIN,  # from height 600,000 on
            halving_interval=None,
            versions=(0x00620004,),
            retarget_interval=1,
            shows_retarget=False,
            address_version=0x1E,
            dust=1_000_000,
            fee_rates=(1_000, 20_000),
            unit_of_price=10 * COIN,
            nodes=1009,
            # Consensus allows 10 billion DOGE at most in one output or transaction, so no single transaction can pass
            # 2^63 koinu; 15 holders of nearly that much are the supply of that height, and a block in which most of
            # them move does.
            opening_whales=15,
            opening_whale_value=9_600_000_000 * COIN,
            opening_users=60,
            opening_work=1 << 76,
        ),
        # Without MWEB: how Blockchair's tables show its outputs is not on record.
        UtxoChain(
            name="litecoin",
            began=date(2011, 10, 7),
            servers="API4,LTC0",
            segwit=True,
            first_subsidy=50 * COIN,
            halving_interval=840_000,
            versions=(0x20000000,),
            hash_is_work=False,
            retarget_interval=2016,
            shows_retarget=True,
            address_version=0x30,
            address_prefix="ltc",
            dust=10_000,
            fee_rates=(10, 200),
            unit_of_price=10_000_000,
            nodes=1407,
        ),
        UtxoChain(
            name="bitcoin-cash",
            began=date(2009, 1, 3),
            servers="API4,BCH0",
            segwit=False,
            first_subsidy=50 * COIN,
            halving_interval=210_000,
            versions=(0x20000000,),
            retarget_interval=2016,  # as in the heights that it shares with Bitcoin
            shows_retarget=False,
            address_version=0x00,
            dust=1_000,
            fee_rates=(1, 6),
            unit_of_price=1_000_000,
            nodes=763,
        ),
    )
}
"""All chains by name, in the order in which answers name them."""


def default_chains() -> tuple[str, ...]:
    """The chains that are simulated where nothing names any."""
    return tuple(chain.name for chain in CHAINS.values() if chain.is_default)


def utxo_chain(name: str) -> UtxoChain:
    """A Bitcoin-like chain.

    Raises:
        TypeError: It is not one.
    """
    chain = CHAINS[name]
    if not isinstance(chain, UtxoChain):
        raise TypeError(f"{name} has no inputs and outputs.")
    return chain
