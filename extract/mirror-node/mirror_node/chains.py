"""What distinguishes the chains: columns, addresses, subsidies, finality.

Sources are the nodes' own: `chainparams.cpp` and `GetBlockSubsidy` in `validation.cpp` of Bitcoin Core and Litecoin
Core, `dogecoin.cpp` of Dogecoin Core.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_COIN = 10**8
_PRIVATE_HALVING = 150
"""Blocks between halvings on a private test network (regtest)."""
_MOST_HALVINGS = 64


@dataclass(frozen=True)
class Prefixes:
    """How a network writes addresses: version bytes of base58, and the human-readable part of bech32 (empty: none)."""

    pubkey_hash: int
    script_hash: int
    bech32: str = ""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """A chain.

    Attributes:
        name: Blockchair's path name.
        finality: Blocks that a reorganisation may still replace; the tap's default.
        prefixes: By the network's name in `getblockchaininfo`.
        halving: Blocks between halvings of the subsidy.
        has_witnesses: Whether the tables have SegWit's columns.
        has_auxpow: Whether a header may be followed by the proof of another chain's work.
        has_false_return: Whether notes begin with OP_FALSE OP_RETURN (Bitcoin SV).
        has_extension: Whether an extension block (MWEB) may follow the transactions.
        is_evm: Accounts and calls in place of inputs and outputs.
    """

    name: str
    finality: int
    prefixes: Mapping[str, Prefixes] = field(default_factory=dict)
    halving: int = 210_000
    has_witnesses: bool = False
    has_auxpow: bool = False
    has_extension: bool = False
    has_false_return: bool = False
    is_evm: bool = False

    def subsidy(self, height: int, network: str) -> int:
        """Give the most that a block may mint, in base units.

        Dogecoin's first 145,000 blocks mint a random amount; there it is the bound.
        """
        if self.has_auxpow and network == "main":
            return _dogecoin_subsidy(height)
        first = 500_000 if self.has_auxpow else 50
        halvings = height // (_PRIVATE_HALVING if network == "regtest" else self.halving)
        return first * _COIN >> halvings if halvings < _MOST_HALVINGS else 0

    def addresses(self, network: str) -> Prefixes:
        """Give the prefixes of a network; those of the main one where it is not known."""
        return self.prefixes.get(network, self.prefixes["main"])


def _dogecoin_subsidy(height: int) -> int:
    if height < 100_000:  # noqa: PLR2004 (heights of the chain's rules)
        return 1_000_000 * _COIN
    if height < 145_000:  # noqa: PLR2004
        return 500_000 * _COIN
    if height < 600_000:  # noqa: PLR2004
        return 500_000 * _COIN >> height // 100_000
    return 10_000 * _COIN


_TEST = Prefixes(111, 196)
_BITCOIN = {
    "main": Prefixes(0, 5, "bc"),
    "test": Prefixes(111, 196, "tb"),
    "signet": Prefixes(111, 196, "tb"),
    "regtest": Prefixes(111, 196, "bcrt"),
}
_LITECOIN = {
    "main": Prefixes(48, 50, "ltc"),
    "test": Prefixes(111, 58, "tltc"),
    "regtest": Prefixes(111, 58, "rltc"),
}
_DOGECOIN = {"main": Prefixes(30, 22), "test": Prefixes(113, 196), "regtest": _TEST}
_LEGACY = {"main": Prefixes(0, 5), "test": _TEST, "regtest": _TEST}

CHAINS = {
    chain.name: chain
    for chain in (
        Chain(name="bitcoin", finality=6, prefixes=_BITCOIN, has_witnesses=True),
        Chain(
            name="litecoin",
            finality=60,
            prefixes=_LITECOIN,
            halving=840_000,
            has_witnesses=True,
            has_extension=True,
        ),
        Chain(name="dogecoin", finality=60, prefixes=_DOGECOIN, has_auxpow=True),
        Chain(name="bitcoin-sv", finality=60, prefixes=_LEGACY, has_false_return=True),
        Chain(name="ethereum", finality=64, is_evm=True),
    )
}
