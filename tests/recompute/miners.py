"""fct_miner_daily and rpt_miner_concentration_daily, from the definitions in `_metrics_market.md`."""

from collections import defaultdict
from datetime import date
from fractions import Fraction

from recompute.compare import Rows
from recompute.days import Chain
from recompute.exact import ratio, rounded, total
from recompute.raw import Block

SHARE_DIGITS = 18
UNKNOWN = "Unknown"


def by_miner(chain: Chain, day: date) -> dict[str, list[Block]]:
    """The blocks of a day by who mined them."""
    found: dict[str, list[Block]] = defaultdict(list)
    for block in chain.blocks[day]:
        found[block.miner].append(block)
    return found


def miners(chain: Chain) -> Rows:
    """The rows of a chain in fct_miner_daily."""
    rows: Rows = {}
    for day in chain.days:
        everything = len(chain.blocks[day])
        for miner, blocks in by_miner(chain, day).items():
            # a miner gets its own blocks' rewards; those of uncles go to the uncles' miners
            fees = sum(block.fee_total for block in blocks)
            revenue = sum(block.reward for block in blocks)
            rows[chain.name, day, miner] = {
                "block_count": len(blocks),
                "block_share_ratio": ratio(len(blocks), everything, SHARE_DIGITS),
                "fee_total_base": fees,
                "generation_base": total(block.generation for block in blocks),
                "reward_base": revenue,
                "fee_total_usd": chain.dollars(fees, day),
                "reward_usd": chain.dollars(revenue, day),
                "price_status": chain.price_status(day),
                "is_final": chain.is_final(day),
                "has_all_blocks": chain.has_all_blocks(day),
                "priced_block_count": len(blocks) if day in chain.closes else 0,
            }
    return rows


def concentration(chain: Chain) -> Rows:
    """The rows of a chain in rpt_miner_concentration_daily."""
    rows: Rows = {}
    for day in chain.days:
        everything = len(chain.blocks[day])
        known = sorted((len(b) for miner, b in by_miner(chain, day).items() if miner != UNKNOWN), reverse=True)
        squares = sum((Fraction(count, everything) ** 2 for count in known), Fraction(0))
        fewest = next((place for place in range(1, len(known) + 1) if 2 * sum(known[:place]) > everything), None)
        rows[chain.name, day] = {
            "block_count": everything,
            "known_miner_count": len(known),
            "unknown_share_ratio": ratio(everything - sum(known), everything, SHARE_DIGITS),
            "hhi": rounded(squares, SHARE_DIGITS),
            "nakamoto_coefficient": fewest,
            "is_final": chain.is_final(day),
            "has_all_blocks": chain.has_all_blocks(day),
        }
    return rows
