"""What Power BI's measures say of days, months and coins together, held against their values of each.

A measure's description ends with it: `Over days and months: sum; over coins: blank.` The words are explained in
docs/guides/power-bi.md.
"""

import math
import re
from collections.abc import Callable, Sequence

from power_bi import Measures, agree
from power_bi_gaps import View

Values = Sequence[float | None]
Ask = Callable[[str], list[tuple[object, ...]]]

# Words of which the whole follows from the parts that are known, which come in the order of time.
FOLDS: dict[str, Callable[[list[float]], float]] = {
    "sum": math.fsum,
    "mean": lambda known: math.fsum(known) / len(known),
    "least": min,
    "largest": max,
    "first": lambda known: known[0],
    "last": lambda known: known[-1],
    "last complete": lambda known: known[-1],
    "earliest": min,
}
# What is below the line of a pooled ratio: of the whole it is the mean of the parts, weighted by this.
WEIGHTS = {
    "Block Share": ("block_count", "bi_miner_daily"),
    "Burned Share of Fees": ("fee_total_usd", "bi_network_daily"),
    "Failed Share": ("loaded_transaction_count", "bi_network_daily"),
    "Fee Share of Revenue": ("reward_usd", "bi_network_daily"),
    "Fee per Transaction USD": ("priced_transaction_count", "bi_network_daily"),
    "Header-Verified Share": ("block_count", "bi_reconciliation_daily"),
    "Revenue per Block USD": ("priced_block_count", "bi_miner_daily"),
    "SOPR": ("spent_cost_usd", "bi_valuation_daily"),
    "Unknown Share": ("block_count", "bi_miner_daily"),
    "Verified Share": ("verified_count + unverifiable_count + failed_count", "bi_data_quality_daily"),
    "Whale Share of Value": ("transfer_value_usd", "bi_network_daily"),
    "Zero-Fee Share": ("loaded_transaction_count", "bi_network_daily"),
}
# Squares of shares, which do not follow from those of each day.
SQUARED = {"Concentration HHI"}
# Blank, not 0, on days of transfers of which none is large.
BLANK_FOR_NONE = {"Whale Share of Value"}


def said(measures: Measures) -> dict[str, tuple[str, str]]:
    """By measure what it says that it is over several days and months, and over several coins."""
    words = re.compile(r"Over days and months: ([a-z ]+); over coins: ([a-z ]+)\.$")
    found = {measure.name: words.search(measure.description) for measure in measures.model.measures}
    return {name: (one[1], one[2]) for name, one in found.items() if one}


def folded(word: str, parts: Values) -> float | None:
    """What the whole has to be by a word, of the parts that are known."""
    known = [part for part in parts if part is not None]
    return FOLDS[word](known) if known else None


def pooled(measure: str, parts: Values, weights: Values) -> float | None:
    """What a pooled ratio of the whole has to be by those of its parts."""
    if measure in BLANK_FOR_NONE and any(part is not None for part in parts):
        parts = [part or 0.0 for part in parts]
    known = [(part, weight) for part, weight in zip(parts, weights, strict=True) if part is not None and weight]
    if not known:
        return None
    return math.fsum(part * weight for part, weight in known) / math.fsum(weight for _, weight in known)


def weight(ask: Ask, measure: str, view: View) -> float | None:
    """What is below the line of a pooled ratio, for the coins and days in view."""
    below, mart = WEIGHTS[measure]
    coins, (first, last) = ", ".join(f"'{coin}'" for coin in view[0]), (day.replace("-", "") for day in view[1])
    ((found,),) = ask(
        f"select cast(sum({below}) as double precision) from analytics.{mart} join analytics.dim_asset"  # noqa: S608
        f" using (asset_key) where symbol in ({coins}) and date_key between {first} and {last}"
    )
    return None if found is None else float(str(found))


def adds_up(ask: Ask, measure: str, word: str, found: float | None, parts: list[tuple[View, float | None]]) -> bool:
    """Whether a measure of a whole is what its description says, given the values of the parts.

    Args:
        ask: Asks the warehouse.
        measure: Its name.
        word: What it says that it is over such parts.
        found: Its value of the whole.
        parts: Its value of each part. A mean over months lies among theirs, of which some have fewer days.
    """
    values = [value for _, value in parts]
    known = [value for value in values if value is not None]
    if word == "blank":
        return found is None if len(known) > 1 else found in {None, *known}
    if word == "pooled ratio" and measure not in SQUARED:
        return agree(found, pooled(measure, values, [weight(ask, measure, view) for view, _ in parts]))
    if word == "mean" and any(first != last for (_, (first, last)), _ in parts):
        return found is not None and min(known) <= found <= max(known) if known else found is None
    if word in FOLDS:
        return agree(found, folded(word, values))
    return (found is None) == (not known)
