"""What the simulated market says of its coins besides their prices: plain facts, mostly true of the real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LANGUAGES: Final = (
    *("en", "zh", "zh-tw", "de", "fr", "es", "ja", "id", "ru", "ko", "ar", "th", "vi", "it", "pl", "tr", "hu", "nl"),
    *("ro", "sv", "cs", "da", "el", "hi", "no", "sk", "uk", "he", "fi", "bg", "hr", "lt", "sl", "pt"),
)
"""The languages of a coin's name; no name here is translated."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What is known of a coin.

    Attributes:
        categories: Names of its categories.
        homepage: Its site.
        genesis: ISO date of its first block or its issue.
        algorithm: Its hashing algorithm; None for what is not mined.
        block_minutes: Minutes between blocks.
        platforms: Platform, contract address and decimals for each chain it is a token of; none for a native coin.
        reddit: Name of its subreddit.
        github: Its repositories.
        total: Coins that exist where that is not what circulates, else None.
    """

    categories: tuple[str, ...]
    homepage: str
    genesis: str | None
    algorithm: str | None = None
    block_minutes: int = 0
    platforms: tuple[tuple[str, str, int], ...] = ()
    reddit: str = ""
    github: tuple[str, ...] = ()
    total: int | None = None


PROFILES: Final = {
    "bitcoin": Profile(
        categories=("Cryptocurrency", "Layer 1 (L1)"),
        homepage="http://www.bitcoin.org",
        genesis="2009-01-03",
        algorithm="SHA-256",
        block_minutes=10,
        reddit="Bitcoin",
        github=("https://github.com/bitcoin/bitcoin", "https://github.com/bitcoin/bips"),
    ),
    "ethereum": Profile(
        categories=("Smart Contract Platform", "Layer 1 (L1)"),
        homepage="https://www.ethereum.org/",
        genesis="2015-07-30",
        algorithm="Ethash",
        block_minutes=0,
        reddit="ethereum",
        github=("https://github.com/ethereum/go-ethereum",),
    ),
    "dogecoin": Profile(
        categories=("Cryptocurrency", "Layer 1 (L1)"),
        homepage="http://dogecoin.com/",
        genesis="2013-12-08",
        algorithm="Scrypt",
        block_minutes=1,
        reddit="dogecoin",
        github=("https://github.com/dogecoin/dogecoin",),
    ),
    "tether": Profile(
        categories=("Stablecoins",),
        homepage="https://tether.to/",
        genesis=None,
        platforms=(("ethereum", "0xdac17f958d2ee523a2206206994597c13d831ec7", 6),),
    ),
    "chainlink": Profile(
        categories=("Oracle",),
        homepage="https://chain.link/",
        genesis=None,
        platforms=(("ethereum", "0x514910771af9ca656af840dff83e8264ecf986ca", 18),),
        reddit="Chainlink",
        github=("https://github.com/smartcontractkit/chainlink",),
        total=1_000_000_000,
    ),
    "litecoin": Profile(
        categories=("Cryptocurrency", "Layer 1 (L1)"),
        homepage="https://litecoin.org/",
        genesis="2011-10-07",
        algorithm="Scrypt",
        block_minutes=2,
        reddit="litecoin",
        github=("https://github.com/litecoin-project/litecoin",),
    ),
}


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
