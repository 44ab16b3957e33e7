"""What is known of the published day of 9 January 2009, and of the coins of it that were spent three days later."""

import csv
import hashlib
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

DAY = date(2009, 1, 9)
SPENT_DAY = date(2009, 1, 12)
COINS_50 = Decimal(5_000_000_000)
NO_PRICE = "missing"


class Block(NamedTuple):
    """A block with its one transaction, whose hash is the Merkle root; its median is of its time and the ten below."""

    hash: str
    time: str
    median_time: str
    coinbase: str
    paid: str


class Input(NamedTuple):
    """What spends an output: amount in satoshi, age in seconds, coin-days of the amount, and of whole coins only."""

    height: int
    transaction: str
    time: str
    made_height: int
    made_by: str
    index: int
    made_at: str
    value: int
    seconds: int
    recipient: str
    is_from_coinbase: bool
    coin_days: Decimal
    full_coin_days: int


def flags_of(day: date) -> dict[str, object]:
    """Only the first day's blocks are loaded."""
    return {"block_date": day, "is_final": day == DAY, "has_all_blocks": day == DAY, "has_all_outputs": day == DAY}


def _rows(name: str) -> list[dict[str, str]]:
    with (Path(__file__).parent / f"data/{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


_TYPES: dict[str, Callable[[str], object]] = {
    **dict.fromkeys(("height", "made_height", "index", "value", "seconds", "full_coin_days"), int),
    "is_from_coinbase": {"true": True, "false": False}.__getitem__,
    "coin_days": Decimal,
}
BLOCKS = {int(row.pop("height")): Block(**row) for row in _rows("real_day_blocks")}
INPUTS = [
    Input(**{name: _TYPES.get(name, str)(text) for name, text in row.items()})  # type: ignore[arg-type]
    for row in _rows("real_day_inputs")
]
# Outputs of 50 coins that are unspent at the end of each day; of the seven that are spent one is of a loaded day.
UNSPENT = {date(2009, 1, day): 13 if day == SPENT_DAY.day else 14 for day in range(9, 13)}
PRICELESS: dict[str, object] = {"price_status": NO_PRICE}
# Median times take ten blocks below, of which block 11 is the first to have all; block 0 is not in the published day.
UNVERIFIABLE = {
    "block_parent": ([1], "no block directly below is loaded"),
    "block_header_hash": ([1], "the parent block is not in the warehouse"),
    "block_chainwork": ([1], "the parent block is not in the warehouse"),
    "block_median_time": (list(range(1, 11)), "not all of the ten blocks below are in the warehouse"),
    **dict.fromkeys(
        ("transaction_inputs", "transaction_input_age", "input_double_spend", "input_origin", "input_recipient"),
        (list(range(1, 15)), "no inputs of this day are loaded"),
    ),
}
VERIFIED = (
    *("block_proof_of_work", "block_difficulty", "block_version_forms", "block_weight", "block_reward"),
    *("block_subsidy", "block_merkle_root", "block_transaction_count", "block_transaction_sums", "block_sizes"),
    *("block_coin_days", "transaction_fee", "transaction_outputs"),
)
PLAUSIBILITY = ("block_parent", "block_version_forms", "block_coin_days", "transaction_input_age", "input_recipient")
AGE_BANDS = (
    *("under 1 day", "1 day to 1 week", "1 week to 1 month", "1 to 3 months", "3 to 6 months", "6 to 12 months"),
    *("1 to 2 years", "2 to 3 years", "3 to 5 years", "5 to 7 years", "7 to 10 years", "10 years and more"),
)


def at(clock: str, day: date = DAY) -> datetime:
    return datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=UTC)


def key(*parts: object) -> int:
    """A surrogate key as the README of the warehouse describes it: 64 bits of an MD5."""
    digest = hashlib.md5("|".join(str(part) for part in parts).encode()).digest()  # noqa: S324 - a key, no secret
    return int.from_bytes(digest[:8], "big", signed=True)
