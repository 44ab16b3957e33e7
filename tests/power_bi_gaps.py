"""Contexts in which Power BI's measures are tried over the world with gaps, and where in it these gaps lie."""

from collections.abc import Callable
from datetime import date, timedelta

from recompute.days import Chain
from recompute.witness import Witness

Span = tuple[str, str]
# Coins, first and last day in view.
View = tuple[list[str], Span]

CHAINS = {"BTC": "bitcoin", "DOGE": "dogecoin", "ETH": "ethereum"}
FIRST, LAST = "2025-01-01", "2025-04-11"
CONTEXTS: dict[str, View] = {
    "one day": (["BTC"], ("2025-02-20", "2025-02-20")),
    "a month": (["BTC"], ("2025-02-01", "2025-02-28")),
    "a month without a price": (["BTC"], ("2025-03-01", "2025-03-31")),
    "all days of Bitcoin": (["BTC"], (FIRST, LAST)),
    "all days of Dogecoin": (["DOGE"], (FIRST, LAST)),
    "all days of Ethereum": (["ETH"], (FIRST, LAST)),
    "two coins": (["BTC", "ETH"], ("2025-02-01", "2025-03-31")),
    "all days of three coins": (["BTC", "DOGE", "ETH"], (FIRST, LAST)),
    "a day without a price": (["BTC"], ("2025-02-10", "2025-02-10")),
    "a day without a price of Ethereum": (["ETH"], ("2025-02-12", "2025-02-12")),
    "the first day without a price": (["DOGE"], (FIRST, FIRST)),
    "the last whole day without a price": (["BTC"], ("2025-04-10", "2025-04-10")),
    "a day with a missing block": (["ETH"], ("2025-02-10", "2025-02-10")),
    "the tip's day": (["BTC"], (LAST, LAST)),
    "the tip's day of three coins": (["BTC", "DOGE", "ETH"], (LAST, LAST)),
}
# Measures that no context of this world has.
NEVER_KNOWN = {
    "Correlation with Bitcoin 90d",  # Bitcoin has no ninety returns in a row
    "Puell Multiple",  # of a year there is no window
    "Stock-to-Flow",
}


def days_of(span: Span) -> list[date]:
    """The days from the first to the last."""
    first, last = map(date.fromisoformat, span)
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


# What is in view, and its parts: days in which the gaps lie, months, coins.
DAYS: list[View] = [
    (["BTC"], ("2025-02-08", "2025-02-12")),
    (["BTC"], ("2025-03-30", LAST)),
    (["DOGE"], ("2025-04-07", LAST)),
    (["ETH"], ("2025-02-10", "2025-02-13")),
    (["ETH"], ("2025-02-19", "2025-02-21")),
    (["ETH"], ("2025-03-12", "2025-03-16")),
    (["ETH"], ("2025-03-23", "2025-03-26")),
    (["ETH"], ("2025-04-08", LAST)),
]
MONTHS: list[Span] = [("2025-02-01", "2025-02-28"), ("2025-03-01", "2025-03-31"), ("2025-04-01", LAST)]
COINS: list[View] = [
    (["BTC", "DOGE"], ("2025-02-01", "2025-03-31")),
    (["BTC", "DOGE", "ETH"], (FIRST, LAST)),
    (["BTC", "DOGE", "ETH"], ("2025-02-12", "2025-02-12")),
    (["BTC", "DOGE", "ETH"], (LAST, LAST)),
]
PARTS: dict[str, list[tuple[View, list[View]]]] = {
    "days": [((coins, span), [(coins, (str(day), str(day))) for day in days_of(span)]) for coins, span in DAYS],
    "months": [(([coin], (MONTHS[0][0], LAST)), [([coin], month) for month in MONTHS]) for coin in CHAINS],
    "coins": [((coins, span), [([coin], span) for coin in coins]) for coins, span in COINS],
}

# Measures that are known of no two parts, so that these say nothing of the whole.
OF_ONE_PART = {
    # snapshots lie further apart
    "days": {"Balance USD", "Supply Equality Ratio", "Top 100 Share"},
    # closes cover 99 % of the coins in one month only; one has 200 closes or 90 days before it; one snapshot is of all
    "months": {
        *("MVRV", "MVRV Z-Score", "NUPL", "Realised Cap USD", "Realised Price USD"),
        *("Mayer Multiple", "Max Drawdown 90d", "Supply Equality Ratio"),
    },
    # of Bitcoin, of Dogecoin or of Ethereum alone
    "coins": {
        *("MVRV", "MVRV Z-Score", "NUPL", "Realised Cap USD", "Realised Price USD", "Coverage", "Mayer Multiple"),
        *("Burned Coins", "Burned Share of Fees", "Burned USD", "Failed Share", "Tips USD"),
    },
}


def _is_tip(chain: Chain, day: date) -> bool:
    return day == chain.days[-1] and not chain.is_settled(day) and day not in chain.transactions


def _misses_a_block(chain: Chain, day: date) -> bool:
    heights = {block.height for block in chain.blocks[day]}
    return len(heights) <= max(heights) - min(heights)


def _is_whole(chain: Chain, day: date) -> bool:
    return chain.has_all_outputs(day) and day in chain.closes


def _are_whole_months(days: list[date]) -> bool:
    return days[0].day == 1 and (days[-1] + timedelta(days=1)).day == 1


# What a day of each chain in view is, by how a context's name begins or ends.
_OF_DAYS: dict[str, Callable[[Chain, date], bool]] = {
    "one day": _is_whole,
    "the first day": lambda chain, day: day == chain.days[0],
    "the last whole day": lambda chain, day: day == chain.days[-2],
    "a day with a missing block": _misses_a_block,
    "the tip's day": _is_tip,
}


def is_what_it_says(name: str, witness: Witness) -> bool:
    """Whether the raw rows have what a context's name says."""
    symbols, span = CONTEXTS[name]
    days, chains = days_of(span), [witness.chains[CHAINS[symbol]] for symbol in symbols]
    said = [len(chains) == (3 if "three coins" in name else 2 if "two coins" in name else 1)]
    said += [set(days) <= set(chain.days) for chain in chains]
    if "without a price" in name:
        said += [set(days) <= set(witness.unpriced(chain.name)) for chain in chains]
    if name.startswith("all days"):
        said += [days == chain.days for chain in chains]
    elif "month" in name or "two coins" in name:
        said.append(_are_whole_months(days))
    else:
        said.append(len(days) == 1)
    for words, is_so in _OF_DAYS.items():
        if name.startswith(words):
            said += [is_so(chain, days[0]) for chain in chains]
    return all(said)
