"""fct_mining_daily and rpt_miner_concentration_pooled, from the definitions in `_metrics_mining.md`."""

from collections import Counter
from datetime import date
from fractions import Fraction

from recompute.compare import Rows
from recompute.days import Chain
from recompute.exact import ratio, rounded, total
from recompute.market import window_of
from recompute.miners import SHARE_DIGITS, UNKNOWN
from recompute.network import work

SECONDS_OF_A_DAY = 86_400
TERA = 10**12
HASH_PRICE_DIGITS = 12
RATE_WINDOWS = (30, 60)
POOLED_WINDOWS = (7, 30)


def _is_whole(chain: Chain, day: date) -> bool:
    """Whether the day is there with all of its blocks."""
    return day in chain.days and chain.has_all_blocks(day)


def _hashes(chain: Chain, day: date) -> Fraction | None:
    """Hashes that a whole day's blocks took."""
    if not _is_whole(chain, day):
        return None
    return sum((work(block) for block in chain.blocks[day]), Fraction(0))


def _revenue(chain: Chain, day: date) -> int | None:
    """What the blocks paid, in base units, uncles included."""
    uncles = 0 if chain.is_utxo else total(block.uncle_generation for block in chain.blocks[day])
    return None if uncles is None else sum(block.reward for block in chain.blocks[day]) + uncles


def mining(chain: Chain) -> Rows:
    """The rows of a chain in fct_mining_daily."""
    rows: Rows = {}
    known = {day: _hashes(chain, day) for day in chain.days}
    for day in chain.days:
        hashes, coins, price = known[day], chain.native(_revenue(chain, day)), chain.price(day)
        terahashes = None if hashes is None else hashes / SECONDS_OF_A_DAY / TERA
        earned = None if coins is None or price is None else coins * price
        row: dict[str, object] = {
            "price_status": chain.price_status(day),
            "expected_hashes": hashes,
            "hash_price_usd": ratio(earned, terahashes, HASH_PRICE_DIGITS),
            "is_final": chain.is_final(day),
            "has_all_blocks": chain.has_all_blocks(day),
        }
        for days in RATE_WINDOWS:
            given = [found for each in window_of(day, days) if (found := known.get(each)) is not None]
            whole = sum(given, Fraction(0)) if len(given) == days else None
            row[f"hash_rate_{days}d_mean"] = ratio(whole, days * SECONDS_OF_A_DAY)
        rows[chain.name, day] = row
    return rows


def pooled(chain: Chain) -> Rows:
    """The rows of a chain in rpt_miner_concentration_pooled."""
    rows: Rows = {}
    for day in chain.days:
        for days in POOLED_WINDOWS:
            window = [found for found in window_of(day, days) if _is_whole(chain, found)]
            mined = Counter(block.miner for found in window for block in chain.blocks[found])
            everything = sum(mined.values())
            known = sorted((count for miner, count in mined.items() if miner != UNKNOWN), reverse=True)
            fewest = next((place for place in range(1, len(known) + 1) if 2 * sum(known[:place]) > everything), None)
            is_told = len(window) == days
            figures: dict[str, Fraction | int | None] = {
                "block_count": everything,
                "known_miner_count": len(known),
                "unknown_share_ratio": ratio(mined[UNKNOWN], everything, SHARE_DIGITS),
                "hhi": rounded(Fraction(sum(count**2 for count in known), everything**2 or 1), SHARE_DIGITS),
                "nakamoto_coefficient": fewest,
            }
            rows[chain.name, day, days] = {
                "whole_day_count": len(window),
                **{name: figure if is_told else None for name, figure in figures.items()},
                "is_final": chain.is_final(day),
                "has_all_blocks": chain.has_all_blocks(day),
            }
    return rows
