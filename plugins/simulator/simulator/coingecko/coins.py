"""The simulated market: its coins, each one entry of identity, supply, plain facts and price levels; its categories.

The facts are mostly true of the real ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

Levels = tuple[tuple[date, Decimal], ...]
"""Values at the start (UTC) of days in ascending order; interpolated between them, constant outside."""


IMAGE_HOST: Final = "https://coin-images.coingecko.com"


def levels(*lines: str) -> Levels:
    """Levels as a person writes them: ISO dates and decimal numbers, such as `2013-04-28 135, 2013-12-01 950`."""
    pairs = (pair.split() for line in lines for pair in line.split(","))
    return tuple((date.fromisoformat(day), Decimal(value)) for day, value in pairs)


@dataclass(frozen=True, kw_only=True)
class Coin:
    """A coin of the simulated market.

    Attributes:
        coin_id: CoinGecko's slug.
        symbol: Ticker in lower case; not unique among real coins, so never a key.
        image: Path of the logo below CoinGecko's image host.
        first_day: Day (UTC) of the first daily point.
        levels: Round price levels in USD around which the simulated price wanders.
        volatility: Standard deviation of one day's change of the logarithm of the price.
        turnover: Trailing 24 h volume as a share of the market capitalisation.
        supply: Circulating coins, interpolated linearly.
        max_supply: The cap in coins; None for a coin without one.
        total_supply: Coins that exist where that is not what circulates, else None.
        digits: Significant digits of the price.
        categories: By name.
        genesis: ISO date of its first block or its issue.
        algorithm: Its hashing algorithm; None for what is not mined.
        block_minutes: Minutes between blocks.
        platforms: Platform, contract address and decimals for each chain it is a token of; none for a native coin.
    """

    coin_id: str
    symbol: str
    name: str
    image: str
    first_day: date
    levels: Levels
    volatility: float
    turnover: Decimal
    supply: Levels
    max_supply: Decimal | None = None
    total_supply: int | None = None
    digits: int = 17
    categories: tuple[str, ...]
    homepage: str
    genesis: str | None = None
    algorithm: str | None = None
    block_minutes: int = 0
    platforms: tuple[tuple[str, str, int], ...] = ()
    reddit: str = ""
    github: tuple[str, ...] = ()

    def images(self, *sizes: str) -> dict[str, object]:
        """Addresses of the logo by size."""
        return {size: IMAGE_HOST + self.image.replace("/large/", f"/{size}/") for size in sizes}


COINS: Final = (
    Coin(
        coin_id="bitcoin",
        symbol="btc",
        name="Bitcoin",
        image="/coins/images/1/large/bitcoin.png?1696501400",
        first_day=date(2013, 4, 28),
        levels=levels(
            "2013-04-28 135, 2013-12-01 950, 2015-01-01 320, 2016-01-01 430, 2017-01-01 970",
            "2018-01-01 13800, 2019-01-01 3750, 2020-01-01 7200, 2021-01-01 29000, 2022-01-01 46500",
            "2023-01-01 16600, 2024-01-01 42300, 2025-01-01 93500, 2026-01-01 88000",
        ),
        volatility=0.03,
        turnover=Decimal("0.022"),
        supply=levels(
            "2013-01-01 10600000, 2016-07-09 15750000, 2020-05-11 18375000, 2024-04-20 19687500, 2028-04-20 20343750",
            "2032-04-20 20671875",
        ),
        max_supply=Decimal(21_000_000),
        categories=("Cryptocurrency", "Layer 1 (L1)"),
        homepage="http://www.bitcoin.org",
        genesis="2009-01-03",
        algorithm="SHA-256",
        block_minutes=10,
        reddit="Bitcoin",
        github=("https://github.com/bitcoin/bitcoin", "https://github.com/bitcoin/bips"),
    ),
    Coin(
        coin_id="ethereum",
        symbol="eth",
        name="Ethereum",
        image="/coins/images/279/large/ethereum.png?1696501628",
        first_day=date(2015, 8, 7),
        levels=levels(
            "2015-08-07 1.8, 2016-01-01 0.95, 2017-01-01 8.2, 2018-01-01 750, 2019-01-01 135",
            "2020-01-01 130, 2021-01-01 735, 2022-01-01 3700, 2023-01-01 1200, 2024-01-01 2300",
            "2025-01-01 3350, 2026-01-01 2950",
        ),
        volatility=0.038,
        turnover=Decimal("0.05"),
        supply=levels(
            "2015-07-30 72000000, 2017-10-16 95000000, 2019-03-01 105000000, 2022-09-15 120520000",
            "2026-01-01 120700000, 2036-01-01 126000000",
        ),
        categories=("Smart Contract Platform", "Layer 1 (L1)"),
        homepage="https://www.ethereum.org/",
        genesis="2015-07-30",
        algorithm="Ethash",
        reddit="ethereum",
        github=("https://github.com/ethereum/go-ethereum",),
    ),
    Coin(
        coin_id="dogecoin",
        symbol="doge",
        name="Dogecoin",
        image="/coins/images/5/large/dogecoin.png?1696501409",
        first_day=date(2013, 12, 15),
        levels=levels(
            "2013-12-15 0.00025, 2014-02-01 0.0014, 2015-05-01 0.000095, 2016-01-01 0.00015, 2017-01-01 0.00022",
            "2018-01-01 0.009, 2019-01-01 0.0023, 2020-01-01 0.002, 2021-01-01 0.0047, 2021-05-08 0.6",
            "2022-01-01 0.17, 2023-01-01 0.07, 2024-01-01 0.09, 2025-01-01 0.32, 2026-01-01 0.13",
        ),
        volatility=0.045,
        turnover=Decimal("0.04"),
        supply=levels("2013-12-08 500000000, 2015-01-01 97500000000, 2025-01-01 147500000000, 2045-01-01 247500000000"),
        digits=18,
        categories=("Cryptocurrency", "Layer 1 (L1)"),
        homepage="http://dogecoin.com/",
        genesis="2013-12-08",
        algorithm="Scrypt",
        block_minutes=1,
        reddit="dogecoin",
        github=("https://github.com/dogecoin/dogecoin",),
    ),
    Coin(
        coin_id="tether",
        symbol="usdt",
        name="Tether",
        image="/coins/images/325/large/Tether.png?1696501661",
        first_day=date(2015, 2, 25),
        levels=levels("2015-02-25 1"),
        volatility=0.0004,
        turnover=Decimal("0.45"),
        supply=levels(
            "2015-02-25 450000, 2018-01-01 1400000000, 2020-01-01 4100000000, 2022-01-01 78000000000",
            "2024-01-01 91700000000, 2026-01-01 187000000000",
        ),
        categories=("Stablecoins",),
        homepage="https://tether.to/",
        platforms=(("ethereum", "0xdac17f958d2ee523a2206206994597c13d831ec7", 6),),
    ),
    Coin(
        coin_id="chainlink",
        symbol="link",
        name="Chainlink",
        image="/coins/images/877/large/chainlink.png?1696502009",
        first_day=date(2017, 11, 9),
        levels=levels(
            "2017-11-09 0.19, 2019-01-01 0.3, 2020-01-01 1.8, 2021-01-01 11.9, 2022-01-01 20",
            "2023-01-01 5.6, 2024-01-01 15.4, 2025-01-01 20.5, 2026-01-01 12.3",
        ),
        volatility=0.045,
        turnover=Decimal("0.06"),
        supply=levels("2017-11-09 350000000, 2025-01-01 638000000, 2030-01-01 850000000"),
        max_supply=Decimal(1_000_000_000),
        categories=("Oracle",),
        homepage="https://chain.link/",
        platforms=(("ethereum", "0x514910771af9ca656af840dff83e8264ecf986ca", 18),),
        reddit="Chainlink",
        github=("https://github.com/smartcontractkit/chainlink",),
        total_supply=1_000_000_000,
    ),
    Coin(
        coin_id="litecoin",
        symbol="ltc",
        name="Litecoin",
        image="/coins/images/2/large/litecoin.png?1696501400",
        first_day=date(2013, 4, 28),
        levels=levels(
            "2013-04-28 4.3, 2014-01-01 24, 2015-01-01 2.7, 2017-01-01 4.4, 2018-01-01 230",
            "2019-01-01 30, 2020-01-01 41, 2021-01-01 125, 2022-01-01 147, 2023-01-01 70",
            "2025-01-01 103, 2026-01-01 77",
        ),
        volatility=0.035,
        turnover=Decimal("0.07"),
        supply=levels(
            "2013-04-28 17200000, 2015-08-25 42000000, 2019-08-05 63000000, 2023-08-02 73500000, 2027-07-30 78750000"
        ),
        max_supply=Decimal(84_000_000),
        categories=("Cryptocurrency", "Layer 1 (L1)"),
        homepage="https://litecoin.org/",
        genesis="2011-10-07",
        algorithm="Scrypt",
        block_minutes=2,
        reddit="litecoin",
        github=("https://github.com/litecoin-project/litecoin",),
    ),
    Coin(
        coin_id="bitcoin-cash",
        symbol="bch",
        name="Bitcoin Cash",
        image="/coins/images/780/large/bitcoin-cash-circle.png?1696501932",
        first_day=date(2017, 8, 2),
        levels=levels(
            "2017-08-02 420, 2017-12-20 3700, 2018-05-01 1400, 2019-01-01 160, 2020-01-01 205",
            "2021-01-01 343, 2022-01-01 430, 2023-01-01 97, 2024-01-01 260, 2025-01-01 434",
            "2026-01-01 600",
        ),
        volatility=0.04,
        turnover=Decimal("0.04"),
        supply=levels("2017-08-02 16480000, 2020-04-08 18375000, 2024-04-04 19687500, 2028-04-04 20343750"),
        max_supply=Decimal(21_000_000),
        categories=("Cryptocurrency", "Layer 1 (L1)"),
        homepage="https://bitcoincash.org/",
        genesis="2009-01-03",
        algorithm="SHA-256",
        block_minutes=10,
        reddit="btc",
        github=("https://github.com/bitcoin-cash-node/bitcoin-cash-node",),
    ),
)

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
