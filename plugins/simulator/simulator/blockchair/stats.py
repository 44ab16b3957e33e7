"""`/{chain}/stats` (contract 4.2): totals up to the tip, and what the last 24 hours held; and `/range`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from statistics import median_low
from typing import TYPE_CHECKING, Any, Final

from simulator.blockchair.chains import CHAINS, COIN, ETHER, ETHEREUM, GWEI, utxo_chain
from simulator.blockchair.encoding import difficulty_of, work_of
from simulator.blockchair.ethereum_model import CALL, next_base_fee
from simulator.blockchair.times import DAY, stamp
from simulator.blockchair.tokens import FIRST_TRANSFER, transfer_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.blockchair.chains import UtxoChain
    from simulator.blockchair.ethereum_model import EthereumBlock
    from simulator.blockchair.table import Json
    from simulator.blockchair.transactions import Block
    from simulator.blockchair.world import ChainView, World
    from simulator.vendors import PriceSource

_COIN_DAYS: Final = COIN * DAY


@dataclass(frozen=True)
class Market:
    """Prices of a coin at an instant, in USD."""

    price: Decimal
    day_before: Decimal
    bitcoin: Decimal

    @classmethod
    def at(cls, prices: PriceSource, coin_id: str, now: datetime) -> Market:
        """Look the prices up."""
        day_before = prices.spot(coin_id, now - timedelta(days=1))
        return cls(prices.spot(coin_id, now), day_before, prices.spot("bitcoin", now))

    def worth(self, amount: int | Fraction, unit: int) -> float:
        """Dollars for base units at the price of now."""
        return float(Fraction(self.price) * amount / unit)

    def keys(self, supply: Fraction) -> dict[str, Json]:
        """The market keys of stats, for a supply in coins."""
        return {
            "market_price_usd": float(self.price),
            "market_price_btc": float(round(_ratio(self.price, self.bitcoin), 15)),
            "market_price_usd_change_24h_percentage": float(round(100 * (_ratio(self.price, self.day_before) - 1), 5)),
            "market_cap_usd": int(supply * Fraction(self.price)),
        }


def stats_of(view: ChainView, prices: PriceSource) -> dict[str, Json]:
    """Stats of a chain; nothing before its first block."""
    if not view.blocks:
        return {}
    compute = _ethereum_stats if view.chain == ETHEREUM else _utxo_stats
    market = Market.at(prices, view.chain, view.now)
    return compute(view, prices, market) | _mempool_stats(view, market.price)


def _utxo_stats(view: ChainView, prices: PriceSource, market: Market) -> dict[str, Json]:
    """Stats of a Bitcoin-like chain. Blocks before the world count with their coinbase each."""
    blocks: Sequence[Block] = view.blocks
    chain = utxo_chain(view.chain)
    tip, older = blocks[-1], view.world.first_height(view.chain)
    recent = _of_last_day(view)
    fees = sorted(tx.fee for block in recent for tx in block.transactions[1:]) or [0]
    supply = view.world.opening_supply(view.chain) + sum(block.generation for block in blocks)
    inflation = sum(block.generation for block in recent)
    largest = max((block.largest for block in recent), key=lambda tx: tx.output_total, default=tip.coinbase)
    average = sum(fees) // len(fees)
    return {
        "blocks": tip.id + 1,
        "transactions": older + sum(block.transaction_count for block in blocks),
        "outputs": older + sum(block.output_count for block in blocks),
        "circulation": supply,
        "blocks_24h": len(recent),
        "transactions_24h": sum(block.transaction_count for block in recent),
        "difficulty": difficulty_of(tip.bits),
        "volume_24h": sum(block.output_total for block in recent),
        "mempool_transactions": 0,
        "mempool_size": 0,
        "mempool_tps": 0,
        "mempool_total_fee_usd": 0,
        "best_block_height": tip.id,
        "best_block_hash": tip.hash,
        "best_block_time": stamp(tip.time),
        "blockchain_size": sum(block.size for block in blocks),
        "average_transaction_fee_24h": average,
        "inflation_24h": inflation,
        "median_transaction_fee_24h": median_low(fees),
        "cdd_24h": sum(block.coin_seconds for block in recent) / _COIN_DAYS,
        "mempool_outputs": 0,
        "largest_transaction_24h": {"hash": largest.hash, "value_usd": market.worth(largest.output_total, COIN)},
        "nodes": chain.nodes,
        "hashrate_24h": str(sum(work_of(block.bits) for block in recent) // DAY),
        "inflation_usd_24h": market.worth(inflation, COIN),
        "average_transaction_fee_usd_24h": market.worth(average, COIN),
        "median_transaction_fee_usd_24h": market.worth(median_low(fees), COIN),
        **market.keys(Fraction(supply, COIN)),
        "market_dominance_percentage": _dominance(view, prices),
        **(_next_retarget(view, chain) if chain.shows_retarget else {}),
        "suggested_transaction_fee_per_byte_sat": max(1, sum(fees) // (sum(block.paid_size for block in recent) or 1)),
        "hodling_addresses": view.world.holder_count(view.chain, view.now),
    }


def _ethereum_stats(view: ChainView, prices: PriceSource, market: Market) -> dict[str, Json]:
    """Stats of Ethereum; supply is what existed before the world less what was burned."""
    blocks: Sequence[EthereumBlock] = view.blocks
    tip = blocks[-1]
    recent = _of_last_day(view)
    burned, burned_recent = (sum(block.burned_total for block in some) for some in (blocks, recent))
    supply = view.world.opening_supply(ETHEREUM) + _made(blocks) - burned
    candidates = (block.largest for block in recent if block.largest is not None)
    largest = max(candidates, key=lambda tx: tx.value, default=None)
    next_fee = next_base_fee(tip.base_fee_per_gas, tip.gas_used, tip.gas_limit)
    paid = [(tx.fee or 0, tx.type) for block in recent for tx in block.real]
    fees, fees_usd = _fees("", [fee for fee, _ in paid], market)
    simple, simple_usd = _fees("simple_", [fee for fee, kind in paid if kind == CALL], market)
    return {
        "blocks": tip.id + 1,
        "transactions": sum(block.transaction_count for block in blocks),
        "blocks_24h": len(recent),
        "circulation_approximate": str(supply),
        "transactions_24h": len(paid),
        "difficulty": tip.difficulty,
        "volume_24h_approximate": str(sum(block.real_value_total for block in recent)),
        "mempool_transactions": 0,
        "mempool_median_gas_price": next_fee,
        "mempool_tps": 0,
        "mempool_total_value_approximate": "0",
        "best_block_height": tip.id,
        "best_block_hash": tip.hash,
        "best_block_time": stamp(tip.time),
        "uncles": sum(len(block.uncles) for block in blocks),
        "uncles_24h": sum(len(block.uncles) for block in recent),
        "blockchain_size": sum(block.size for block in blocks),
        "calls": sum(block.call_count for block in blocks),
        **fees,
        "inflation_24h": _made(recent) / ETHER,
        **simple,
        "largest_transaction_24h": {
            "hash": f"0x{largest.hash}" if largest else None,
            "value_usd": market.worth(largest.value, ETHER) if largest else 0,
        },
        "hashrate_24h": str(sum(block.difficulty for block in recent) // DAY),
        "inflation_usd_24h": market.worth(_made(recent), ETHER),
        **fees_usd,
        **simple_usd,
        **market.keys(Fraction(supply, ETHER)),
        "market_dominance_percentage": _dominance(view, prices),
        "layer_2": {"erc_20": _erc_20(view)},
        "countdowns": [],
        "suggested_transaction_fee_gwei_options": {
            name: -(-next_fee * percent // (100 * GWEI))
            for name, percent in (("sloth", 100), ("slow", 105), ("normal", 110), ("fast", 125), ("cheetah", 150))
        },
        "burned": str(burned),
        "burned_24h": str(burned_recent),
        "addresses": view.world.holder_count(ETHEREUM, view.now),
    }


def _mempool_stats(view: ChainView, price: Decimal) -> dict[str, Json]:
    """The keys of stats that something in the mempool changes; none where it is empty."""
    if not view.waiting:
        return {}
    count = len(view.waiting)
    # All of them were seen right after the last block.
    rate = round(count / max(1, int(view.now.timestamp()) - view.blocks[-1].time), 6)
    if view.chain == ETHEREUM:
        value = sum(tx.value for tx in view.waiting)
        return {"mempool_transactions": count, "mempool_tps": rate, "mempool_total_value_approximate": str(value)}
    return {
        "mempool_transactions": count,
        "mempool_size": sum(tx.size for tx in view.waiting),
        "mempool_tps": rate,
        "mempool_total_fee_usd": float(price * sum(tx.fee for tx in view.waiting) / COIN),
        "mempool_outputs": sum(len(tx.outputs) for tx in view.waiting),
    }


def ranges_of(world: World) -> dict[str, Json]:
    """`/range`: from which block on each chain is known (contract 1.2).

    A chain whose blocks are here from 0 on began where the world did; of one that is older only the rest is here.
    """
    ranges: dict[str, Json] = {}
    for chain in world.chains:
        first = world.first_height(chain)
        here = stamp(world.blocks_of(chain, world.settings.start)[0].time)[:10]
        ranges[chain] = {
            "blockchain_first_entry": 0,
            "blockchain_first_entry_date": min(here, CHAINS[chain].began.isoformat()) if first else here,
            "blockchair_first_entry": first,
            "blockchair_first_entry_date": here,
            "is_full": first == 0,
        }
    return ranges


def _of_last_day(view: ChainView) -> list[Any]:
    return [block for block in view.blocks if block.time > view.now.timestamp() - DAY]


def _supply(view: ChainView) -> Fraction:
    """Coins in existence at an instant."""
    opening = view.world.opening_supply(view.chain)
    if view.chain == ETHEREUM:
        return Fraction(opening + _made(view.blocks) - sum(block.burned_total for block in view.blocks), ETHER)
    return Fraction(opening + sum(block.generation for block in view.blocks), COIN)


def _made(blocks: Sequence[EthereumBlock]) -> int:
    """Wei made by blocks and uncles."""
    return sum(block.generation + block.uncle_generation for block in blocks)


def _erc_20(view: ChainView) -> dict[str, Json]:
    """What stats say of tokens and their transfers."""
    tokens = view.world.tokens_until(view.now)
    since = view.now.timestamp() - DAY
    last = view.blocks[-1]
    done = last.transfers_before + sum(map(transfer_count, last.real))
    older = [block for block in view.blocks if block.time <= since]
    before = older[-1].transfers_before + sum(map(transfer_count, older[-1].real)) if older else FIRST_TRANSFER
    return {
        "tokens": tokens[-1].id,
        "transactions": done,
        "tokens_24h": sum(token.time > since for token in tokens),
        "transactions_24h": done - before,
    }


def _fees(kind: str, fees: list[int], market: Market) -> tuple[dict[str, Json], dict[str, Json]]:
    """Average and median of fees, in wei and in USD."""
    fees = sorted(fees) or [0]
    average, median = Fraction(sum(fees), len(fees)), median_low(fees)
    return {
        f"average_{kind}transaction_fee_24h": str(sum(fees) // len(fees)),
        f"median_{kind}transaction_fee_24h": str(median),
    }, {
        f"average_{kind}transaction_fee_usd_24h": market.worth(average, ETHER),
        f"median_{kind}transaction_fee_usd_24h": market.worth(median, ETHER),
    }


def _dominance(view: ChainView, prices: PriceSource) -> float:
    """The chain's share in the market value of all chains of the world, in percent."""
    caps = {
        chain: _supply(replace(view, chain=chain)) * Fraction(prices.spot(chain, view.now))
        for chain in view.world.chains
    }
    return round(float(100 * caps[view.chain] / (sum(caps.values()) or 1)), 2)


def _ratio(price: Decimal, base: Decimal) -> Decimal:
    """One price over another; 1 where a coin had no price yet."""
    return price / base if base else Decimal(1)


def _next_retarget(view: ChainView, chain: UtxoChain) -> dict[str, Json]:
    left = chain.retarget_interval - view.tip % chain.retarget_interval
    at = view.now + timedelta(seconds=left * DAY // view.world.settings.blocks_per_day_of(chain.name))
    return {
        "next_retarget_time_estimate": f"{at:%Y-%m-%d %H:%M:%S}",
        "next_difficulty_estimate": difficulty_of(view.blocks[-1].bits),
        "countdowns": [],
    }
