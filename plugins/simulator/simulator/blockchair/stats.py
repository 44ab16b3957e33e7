"""`/{chain}/stats` (contract 4.2): totals up to the tip, and what the last 24 hours held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from statistics import median_low
from typing import TYPE_CHECKING, Final, cast

from simulator.blockchair.chains import COIN, ETHEREUM, utxo_chain
from simulator.blockchair.encoding import difficulty_of, work_of
from simulator.blockchair.ethereum_model import CALL, ETHER, GWEI, EthereumBlock, EthereumTransaction, next_base_fee
from simulator.blockchair.times import DAY, stamp
from simulator.blockchair.tokens import FIRST_TRANSFER, transfer_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.blockchair.chains import UtxoChain
    from simulator.blockchair.columns import Json
    from simulator.blockchair.transactions import Block
    from simulator.blockchair.world import World
    from simulator.prices import PriceSource

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


def utxo_stats(world: World, chain: str, now: datetime, prices: PriceSource) -> dict[str, Json]:
    """Stats of a Bitcoin-like chain. Blocks before the world count with their coinbase each."""
    blocks = cast("Sequence[Block]", world.blocks_until(chain, now))
    if not blocks:
        return {}
    of = utxo_chain(chain)
    market = Market.at(prices, chain, now)
    tip, older = blocks[-1], world.first_height(chain)
    recent = [block for block in blocks if block.time > now.timestamp() - DAY]
    paid = [tx for block in recent for tx in block.transactions[1:]]
    moved = [tx for block in recent for tx in block.transactions]
    fees = sorted(tx.fee for tx in paid) or [0]
    supply = world.opening_supply(chain) + sum(block.generation for block in blocks)
    inflation = sum(block.generation for block in recent)
    largest = max(moved, key=lambda tx: tx.output_total, default=tip.coinbase)
    average = sum(fees) // len(fees)
    size = sum(block.size for block in blocks)
    return {
        "blocks": tip.id + 1,
        "transactions": older + sum(len(block.transactions) for block in blocks),
        "outputs": older + sum(len(tx.outputs) for block in blocks for tx in block.transactions),
        "circulation": supply,
        "blocks_24h": len(recent),
        "transactions_24h": len(moved),
        "difficulty": difficulty_of(tip.bits),
        "volume_24h": sum(tx.output_total for tx in moved),
        "mempool_transactions": 0,
        "mempool_size": 0,
        "mempool_tps": 0,
        "mempool_total_fee_usd": 0,
        "best_block_height": tip.id,
        "best_block_hash": tip.hash,
        "best_block_time": stamp(tip.time),
        "blockchain_size": size,
        "average_transaction_fee_24h": average,
        "inflation_24h": inflation,
        "median_transaction_fee_24h": median_low(fees),
        "cdd_24h": sum(block.coin_seconds for block in recent) / _COIN_DAYS,
        "mempool_outputs": 0,
        "largest_transaction_24h": {"hash": largest.hash, "value_usd": market.worth(largest.output_total, COIN)},
        "nodes": of.nodes,
        "hashrate_24h": str(sum(work_of(block.bits) for block in recent) // DAY),
        "inflation_usd_24h": market.worth(inflation, COIN),
        "average_transaction_fee_usd_24h": market.worth(average, COIN),
        "median_transaction_fee_usd_24h": market.worth(median_low(fees), COIN),
        **market.keys(Fraction(supply, COIN)),
        "market_dominance_percentage": _dominance(world, chain, now, prices),
        **(_next_retarget(of, tip, now, world.parameters.blocks_per_day) if of.shows_retarget else {}),
        "suggested_transaction_fee_per_byte_sat": max(1, sum(fees) // (sum(tx.size for tx in paid) or 1)),
        "hodling_addresses": len(world.holders(chain, now)),
    }


def ethereum_stats(world: World, chain: str, now: datetime, prices: PriceSource) -> dict[str, Json]:
    """Stats of Ethereum; supply is what existed before the world less what was burned."""
    blocks = cast("Sequence[EthereumBlock]", world.blocks_until(chain, now))
    if not blocks:
        return {}
    market = Market.at(prices, chain, now)
    tip = blocks[-1]
    recent = [block for block in blocks if block.time > now.timestamp() - DAY]
    real = [tx for block in recent for tx in block.real]
    burned, burned_recent = (sum(block.burned_total for block in some) for some in (blocks, recent))
    supply = world.opening_supply(chain) + _made(blocks) - burned
    fees = _fees(real)
    simple = _fees([tx for tx in real if tx.type == CALL])
    largest = max(real, key=lambda tx: tx.value, default=None)
    next_fee = next_base_fee(tip.base_fee_per_gas, tip.gas_used, tip.gas_limit)
    return {
        "blocks": tip.id + 1,
        "transactions": sum(len(block.real) for block in blocks),
        "blocks_24h": len(recent),
        "circulation_approximate": str(supply),
        "transactions_24h": len(real),
        "difficulty": tip.difficulty,
        "volume_24h_approximate": str(sum(tx.internal_value for tx in real)),
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
        "average_transaction_fee_24h": str(sum(fees) // len(fees)),
        "median_transaction_fee_24h": str(median_low(fees)),
        "inflation_24h": _made(recent) / ETHER,
        "average_simple_transaction_fee_24h": str(sum(simple) // len(simple)),
        "median_simple_transaction_fee_24h": str(median_low(simple)),
        "largest_transaction_24h": {
            "hash": f"0x{largest.hash}" if largest else None,
            "value_usd": market.worth(largest.value, ETHER) if largest else 0,
        },
        "hashrate_24h": str(sum(block.difficulty for block in recent) // DAY),
        "inflation_usd_24h": market.worth(_made(recent), ETHER),
        "average_transaction_fee_usd_24h": market.worth(Fraction(sum(fees), len(fees)), ETHER),
        "median_transaction_fee_usd_24h": market.worth(median_low(fees), ETHER),
        "average_simple_transaction_fee_usd_24h": market.worth(Fraction(sum(simple), len(simple)), ETHER),
        "median_simple_transaction_fee_usd_24h": market.worth(median_low(simple), ETHER),
        **market.keys(Fraction(supply, ETHER)),
        "market_dominance_percentage": _dominance(world, chain, now, prices),
        "layer_2": {"erc_20": _erc_20(world, now)},
        "countdowns": [],
        "suggested_transaction_fee_gwei_options": {
            name: -(-next_fee * percent // (100 * GWEI))
            for name, percent in (("sloth", 100), ("slow", 105), ("normal", 110), ("fast", 125), ("cheetah", 150))
        },
        "burned": str(burned),
        "burned_24h": str(burned_recent),
        "addresses": len(world.holders(chain, now)),
    }


def supply_of(world: World, chain: str, now: datetime) -> Fraction:
    """Coins in existence at an instant."""
    blocks = world.blocks_until(chain, now)
    if chain == ETHEREUM:
        own = [block for block in blocks if isinstance(block, EthereumBlock)]
        burned = sum(block.burned_total for block in own)
        return Fraction(world.opening_supply(chain) + _made(own) - burned, ETHER)
    return Fraction(world.opening_supply(chain) + sum(block.generation for block in blocks), COIN)


def _made(blocks: Sequence[EthereumBlock]) -> int:
    """Wei made by blocks and uncles."""
    return sum(block.generation + block.uncle_generation for block in blocks)


def _erc_20(world: World, now: datetime) -> dict[str, Json]:
    """What stats say of tokens and their transfers."""
    blocks = cast("Sequence[EthereumBlock]", world.blocks_until(ETHEREUM, now))
    tokens = world.tokens_until(now)
    since = now.timestamp() - DAY
    last = blocks[-1]
    done = last.transfers_before + sum(map(transfer_count, last.real))
    older = [block for block in blocks if block.time <= since]
    before = older[-1].transfers_before + sum(map(transfer_count, older[-1].real)) if older else FIRST_TRANSFER
    return {
        "tokens": tokens[-1].id,
        "transactions": done,
        "tokens_24h": sum(token.time > since for token in tokens),
        "transactions_24h": done - before,
    }


def _fees(transactions: list[EthereumTransaction]) -> list[int]:
    return sorted(tx.fee or 0 for tx in transactions) or [0]


def _dominance(world: World, chain: str, now: datetime, prices: PriceSource) -> float:
    """The chain's share in the market value of all chains of the world, in percent."""
    caps = {one: supply_of(world, one, now) * Fraction(prices.spot(one, now)) for one in world.chains}
    return round(float(100 * caps[chain] / (sum(caps.values()) or 1)), 2)


def _ratio(price: Decimal, base: Decimal) -> Decimal:
    """One price over another; 1 where a coin had no price yet."""
    return price / base if base else Decimal(1)


def _next_retarget(chain: UtxoChain, tip: Block, now: datetime, blocks_per_day: int) -> dict[str, Json]:
    left = chain.retarget_interval - tip.id % chain.retarget_interval
    at = now + timedelta(seconds=left * DAY // blocks_per_day)
    return {
        "next_retarget_time_estimate": f"{at:%Y-%m-%d %H:%M:%S}",
        "next_difficulty_estimate": difficulty_of(tip.bits),
        "countdowns": [],
    }
