"""fct_network_daily, from the definitions in `_metrics.md` and `_flags.md`."""

from datetime import date, timedelta
from fractions import Fraction

from recompute.compare import Rows, figure
from recompute.days import DAY, Chain
from recompute.exact import mean, median, nearest_rank, ratio, rounded, total, weighted_rank
from recompute.raw import Block, Raw, Transaction, seconds

LONDON = 12_965_000
BITCOIN_WEIGHT = 4_000_000
PERCENTILES = (10, 25, 75, 90)
WEIGHTED_PERCENTILES = (10, 25, 50, 75, 90)


def work(block: Block) -> Fraction:
    """Hashes that finding the block takes on average, in whole ones, as nodes add them up in their chainwork."""
    if block.bits is None:
        return block.difficulty
    exponent, mantissa = block.bits >> 24, block.bits & 0x7FFFFF
    target = mantissa * 256 ** (exponent - 3) if exponent >= 3 else mantissa >> 8 * (3 - exponent)
    return Fraction(2**256 // (target + 1))


def burn(block: Block) -> int:
    """What Ethereum's block burned: as stated, else what of issue and fees the miner did not get."""
    return block.generation + block.fee_total - block.reward if block.stated_burn is None else block.stated_burn


def base_fees(chain: Chain) -> dict[int, int]:
    """Base fee by height, where it is stated, or follows from the burn, or of an empty block the block below."""
    found: dict[int, int] = {}
    for height, block in sorted(chain.heights.items()):
        if height < LONDON:
            continue
        gas_used, burned = block.gas_used or 0, burn(block)
        if block.stated_base_fee is not None:
            found[height] = block.stated_base_fee
        elif gas_used and burned % gas_used == 0:
            found[height] = burned // gas_used
        elif not gas_used and height - 1 in found:
            found[height] = demanded(chain.heights[height - 1], found[height - 1])
    return found


def demanded(below: Block, fee: int) -> int:
    """The base fee that EIP-1559 demands of the block above one with this base fee."""
    target, used = (below.gas_limit or 0) // 2, below.gas_used or 0
    if used > target:
        return fee + max(fee * (used - target) // target // 8, 1)
    return fee - fee * (target - used) // target // 8


def fee_rate(chain: Chain, transaction: Transaction) -> Fraction | None:
    """Satoshi a virtual byte, koinu a byte, gwei a unit of gas."""
    if transaction.charged == 0:
        return None
    return transaction.fee / transaction.charged / (1 if chain.is_utxo else 10**9)


class Addresses:
    """Who paid and who was paid, by day, and when each address was first named."""

    def __init__(self, raw: Raw, chain: Chain) -> None:
        self.paying: dict[date, set[str]] = {}
        self.paid: dict[date, set[str]] = {}
        first: dict[str, date] = {}
        self.named_days: set[date] = set()
        named: list[tuple[date, str | None]] = []
        for day in chain.days:
            if chain.is_utxo:
                payers: list[str | None] = [spent.recipient for spent in chain.inputs.get(day, [])]
                paid: list[str | None] = [output.recipient for output in chain.outputs.get(day, [])]
                named += [(day, address) for address in (*payers, *paid)]
            else:
                transactions = chain.transactions.get(day, [])
                payers = [transaction.sender for transaction in transactions]
                paid = [transaction.recipient for transaction in transactions if not transaction.is_failed]
                named += [(day, address) for t in transactions for address in (t.sender, t.recipient)]
            self.paying[day] = {address for address in payers if address and "-" not in address}
            self.paid[day] = {address for address in paid if address and "-" not in address}
        if not chain.is_utxo:
            named += [(day, address) for day, *both in raw.calls for address in both]
        for day, address in sorted(named, key=lambda pair: pair[0]):
            self.named_days.add(day)
            if address and "-" not in address:
                first.setdefault(address, day)
        self.first_seen = first

    def new(self, day: date) -> int | None:
        """How many were first named that day; unknown where nothing names one."""
        return sum(seen == day for seen in self.first_seen.values()) if day in self.named_days else None


def _transfers(chain: Chain, day: date) -> dict[str, Fraction | int | None]:
    """Value moved, and adjusted by what came back."""
    users = chain.users(day)
    if not chain.is_utxo:
        arrived = [transaction for transaction in users if not transaction.is_failed]
        moved = sum(transaction.internal_value for transaction in arrived)
        share = ratio(moved - sum(transaction.value for transaction in arrived), moved)
        moved_or_unknown = moved if _is_told(chain, day) else None
        return {
            "transfer_value_base": moved_or_unknown,
            "transfer_value_adj_v1_base": None,
            "internal_value_share": share,
        }
    outputs = [output for output in chain.outputs.get(day, []) if not output.is_from_coinbase]
    data = sum(output.value for output in outputs if output.is_data)
    senders: dict[str, set[str]] = {}
    for spent in chain.inputs.get(day, []):
        senders.setdefault(spent.spending_transaction, set()).add(spent.recipient)
    to_others = [
        output.value
        for output in outputs
        if not output.is_data and output.recipient not in senders.get(output.transaction, set())
    ]
    moved = sum(transaction.output_total for transaction in users) - data
    return {
        "transfer_value_base": moved if _is_told(chain, day) else None,
        # coinbases alone move nothing; without outputs nothing is known
        "transfer_value_adj_v1_base": sum(to_others) if chain.outputs.get(day) else None,
        "internal_value_share": None,
    }


def _is_told(chain: Chain, day: date) -> bool:
    """Whether users' transactions of the day are known: some are there, or it is known that there are none."""
    return bool(chain.users(day)) or chain.has_all_transactions(day)


def _fees(chain: Chain, day: date) -> dict[str, Fraction | int | None]:
    """Fees and their rates, over users' transactions that are loaded."""
    users = chain.users(day)
    fees = [transaction.fee for transaction in users]
    found: dict[str, Fraction | int | None] = {
        "fee_mean_base": rounded(mean(fees)),
        "fee_median_base": median(fees),
        "zero_fee_count": sum(fee == 0 for fee in fees) if _is_told(chain, day) else None,
    }
    rates = [(rate, t.charged) for t in users if (rate := fee_rate(chain, t)) is not None]
    alone = [rate for rate, _ in rates]
    found["fee_rate_median"] = rounded(median(alone), 9)
    for percent in PERCENTILES:
        found[f"fee_p{percent}_base"] = nearest_rank(fees, percent)
        found[f"fee_rate_p{percent}"] = rounded(nearest_rank(alone, percent), 9)
    for percent in WEIGHTED_PERCENTILES:
        found[f"fee_rate_weighted_p{percent}"] = rounded(weighted_rank(rates, percent), 9)
    for name in ("mean", "median", *(f"p{percent}" for percent in PERCENTILES)):
        found[f"fee_{name}_usd"] = chain.dollars(found[f"fee_{name}_base"], day)
    return found


def _ethereum(chain: Chain, day: date, fees: dict[int, int]) -> dict[str, Fraction | int | None]:
    """What only Ethereum has; null elsewhere."""
    names = (
        *("burned_base", "tip_base", "uncle_generation_base", "gas_used", "gas_limit", "gas_target"),
        *("gas_used_to_target", "base_fee_min_base", "base_fee_max_base", "base_fee_mean_base"),
        *("base_fee_gas_mean_base", "failed_transaction_count", "failed_transaction_share", "contract_creation_count"),
    )
    if chain.is_utxo:
        return dict.fromkeys(names)
    blocks, users = chain.blocks[day], chain.users(day)
    since = [block for block in blocks if block.height >= LONDON]
    known = [fees[block.height] for block in since if block.height in fees]
    gas, limit = sum(block.gas_used or 0 for block in blocks), sum(block.gas_limit or 0 for block in blocks)
    target = sum((block.gas_limit or 0) // 2 for block in since) if since else None
    burned = sum(burn(block) for block in blocks)
    is_told = _is_told(chain, day)
    failed = sum(transaction.is_failed for transaction in users) if is_told else None
    since_gas = sum(block.gas_used or 0 for block in since)
    values: tuple[Fraction | int | None, ...] = (
        *(burned, sum(block.fee_total for block in blocks) - burned),
        *(total(block.uncle_generation for block in blocks), gas, limit, target, ratio(gas, target)),
        *(min(known, default=None), max(known, default=None), rounded(mean(known))),
        *(ratio(sum(burn(block) for block in since), since_gas), failed, ratio(failed, len(users))),
        sum(transaction.is_creation for transaction in users) if is_told else None,
    )
    return dict(zip(names, values, strict=True))


def _work(chain: Chain, day: date) -> dict[str, Fraction | int | None]:
    """Hash rate, expected over a whole day, and over the blocks that are there."""
    blocks = chain.blocks[day]
    linked = [(block, chain.heights[block.height - 1]) for block in blocks if block.height - 1 in chain.heights]
    elapsed = sum(seconds(block.time) - seconds(below.time) for block, below in linked)
    known = ratio(sum((work(block) for block, _ in linked), Fraction(0)), elapsed) if elapsed > 0 else None
    whole = ratio(sum((work(block) for block in blocks), Fraction(0)), 86_400) if chain.has_all_blocks(day) else None
    return {
        "hash_rate": whole,
        "hash_rate_known": known,
        "mean_difficulty": rounded(mean([block.difficulty for block in blocks]), 18),
        "utilisation": ratio(sum(block.weight or 0 for block in blocks), len(blocks) * BITCOIN_WEIGHT)
        if chain.name == "bitcoin"
        else None
        if chain.is_utxo
        else ratio(sum(block.gas_used or 0 for block in blocks), sum(block.gas_limit or 0 for block in blocks)),
    }


def _issued(chain: Chain, day: date) -> dict[str, Fraction | int | None]:
    """Issue, revenue, and what of it is fees."""
    blocks = chain.blocks[day]
    uncles = 0 if chain.is_utxo else total(block.uncle_generation for block in blocks)
    issued = None if uncles is None else sum(block.generation for block in blocks) + uncles
    revenue = None if uncles is None else sum(block.reward for block in blocks) + uncles
    merged = any(block.difficulty == 0 for found in chain.days if found <= day for block in chain.blocks[found])
    burned = 0 if chain.is_utxo else sum(burn(block) for block in blocks)
    fees = sum(block.fee_total for block in blocks)
    return {
        "fee_total_base": fees,
        "generation_base": issued,
        "reward_base": revenue,
        "net_issuance_base": None if issued is None or merged else issued - burned,
        "fee_revenue_share": ratio(fees - burned, revenue),
    }


def _window(rows: Rows, chain: Chain, day: date, column: str, complete: str) -> Fraction | None:
    """CoinGecko's capitalisation 90 times over, by the sum of 90 days of a column; null unless all are whole."""
    close = chain.closes.get(day)
    days = [rows.get((chain.name, day - timedelta(days=back))) for back in range(90)]
    if close is None or close.market_cap is None:
        return None
    moved = Fraction(0)
    for found in days:
        of_day = figure(found, column) if found and found[complete] else None
        if of_day is None:
            return None
        moved += of_day
    return ratio(90 * close.market_cap, moved)


def network(raw: Raw, chain: Chain) -> Rows:
    """The rows of a chain."""
    rows: Rows = {}
    addresses, fees = Addresses(raw, chain), base_fees(chain)
    spenders_known = True
    for day in chain.days:
        blocks, close = chain.blocks[day], chain.closes.get(day)
        users = chain.users(day)
        is_named = bool(chain.outputs.get(day) if chain.is_utxo else chain.transactions.get(day))
        spenders_known = spenders_known and chain.is_whole_until(day) and chain.has_all_outputs(day)
        stated = chain.stated_count(day)
        row: dict[str, object] = {
            "block_count": len(blocks),
            "first_block_height": min(block.height for block in blocks),
            "last_block_height": max(block.height for block in blocks),
            "transaction_count": stated,
            "loaded_transaction_count": len(users),
            "close_price_usd": chain.price(day),
            "coingecko_market_cap_usd": close.market_cap if close else None,
            "volume_24h_usd": close.volume if close else None,
            "price_status": chain.price_status(day),
            "is_settled": chain.is_settled(day),
            **_issued(chain, day),
            **_fees(chain, day),
            **_transfers(chain, day),
            **_ethereum(chain, day, fees),
            **_work(chain, day),
            "paying_address_count": len(addresses.paying[day]) if is_named else None,
            "paid_address_count": len(addresses.paid[day]) if is_named else None,
            "active_address_count": len(addresses.paying[day] | addresses.paid[day]) if is_named else None,
            "is_address_count_partial": not chain.has_all_outputs(day),
            "new_address_count": addresses.new(day),
            "is_new_address_count_partial": not spenders_known,
            "is_final": chain.is_final(day),
            "has_all_blocks": chain.has_all_blocks(day),
            "has_all_transactions": chain.has_all_transactions(day),
            "has_all_outputs": chain.has_all_outputs(day),
            "priced_day_count": int(day in chain.closes),
            "priced_block_count": len(blocks) if day in chain.closes else 0,
            "priced_transaction_count": stated if day in chain.closes else 0,
            "velocity_1y": None,
        }
        for name in ("fee_total", "reward", "generation", "burned", "tip", "net_issuance"):
            row[f"{name}_usd"] = chain.dollars(figure(row, f"{name}_base"), day)
        for name in ("transfer_value", "transfer_value_adj_v1"):
            row[f"{name}_usd"] = chain.dollars(figure(row, f"{name}_base"), day)
        rows[chain.name, day] = row
        moved, adjusted = figure(row, "transfer_value_usd"), figure(row, "transfer_value_adj_v1_usd")
        market_cap, volume = (close.market_cap, close.volume) if close else (None, None)
        row["nvt"] = ratio(market_cap, moved) if row["has_all_transactions"] else None
        row["nvt_adj_v1"] = ratio(market_cap, adjusted) if row["has_all_outputs"] else None
        row["transfer_to_market_volume"] = ratio(moved, volume) if row["has_all_transactions"] else None
        row["market_turnover"] = ratio(volume, market_cap)
        row["nvt_90d_mean"] = _window(rows, chain, day, "transfer_value_usd", "has_all_transactions")
        row["nvt_adj_v1_90d_mean"] = _window(rows, chain, day, "transfer_value_adj_v1_usd", "has_all_outputs")
    assert chain.days[-1] - chain.days[0] + DAY < timedelta(days=365), "velocity_1y would have its window"
    return rows
