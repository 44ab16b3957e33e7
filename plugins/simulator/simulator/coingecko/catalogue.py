"""What the simulated market says of its coins besides their prices: plain facts, mostly true of the real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LANGUAGES: Final = (
    *("en", "zh", "zh-tw", "de", "fr", "es", "ja", "id", "ru", "ko", "ar", "th", "vi", "it", "pl", "tr", "hu", "nl"),
    *("ro", "sv", "cs", "da", "el", "hi", "no", "sk", "uk", "he", "fi", "bg", "hr", "lt", "sl", "pt"),
)
"""The languages of a coin's name; no name here is translated."""


@dataclass(frozen=True)
class Category:
    """A category of coins; one without coins has no amounts."""

    category_id: str
    name: str
    content: str
    number: int


CATEGORIES: Final = (
    Category("smart-contract-platform", "Smart Contract Platform", "Blockchains that host smart contracts.", 51),
    Category("layer-1", "Layer 1 (L1)", "The chain on which transactions are executed and confirmed.", 52),
    Category("cryptocurrency", "Cryptocurrency", "", 53),
    Category("stablecoins", "Stablecoins", "Coins that follow another price.", 39),
    Category("oracle", "Oracle", "Sources of outside data for smart contracts.", 70),
    Category("simulated-empty", "Simulated Empty", "", 99),
)


@dataclass(frozen=True)
class Platform:
    """A chain that tokens are issued on; absent values are as the vendor leaves them out."""

    platform_id: str
    chain: int | None
    name: str
    short: str
    native: str | None
    picture: str
    has_nfts: bool = False


PLATFORMS: Final = (
    Platform("ethereum", 1, "Ethereum", "Ethereum", "ethereum", "279/{size}/ethereum.png?1706606803", has_nfts=True),
    Platform("solana", None, "Solana", "Solana", "solana", "5/{size}/solana.png?1706606708", has_nfts=True),
    Platform("flow-evm", 747, "Flow EVM", "", "flow", "22173/{size}/flow.jpg?1727072603"),
    Platform("ordinals", None, "Bitcoin", "Ordinals", "bitcoin", "32/{size}/bitcoin.png?1706606740", has_nfts=True),
    Platform("simulated-chain", 31337, "Simulated Chain", "", None, "0/{size}/none.png"),
)
