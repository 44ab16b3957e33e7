"""Ethereum: gas, base fee, fees and balances, recomputed from the served files."""

from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from simulator.blockchair import ethereum
from simulator.blockchair.ethereum_model import next_base_fee

Rows = list[dict[str, str]]

BLOCKS = (
    "id|hash|time|size|miner|extra_data_hex|difficulty|gas_used|gas_limit|logs_bloom|mix_hash|nonce|receipts_root|"
    "sha3_uncles|state_root|total_difficulty|transactions_root|uncle_count|transaction_count|"
    "synthetic_transaction_count|call_count|synthetic_call_count|value_total|value_total_usd|internal_value_total|"
    "internal_value_total_usd|generation|generation_usd|uncle_generation|uncle_generation_usd|fee_total|fee_total_usd|"
    "reward|reward_usd"
)
TRANSACTIONS = (
    "block_id|index|hash|time|failed|type|sender|recipient|call_count|value|value_usd|internal_value|"
    "internal_value_usd|fee|fee_usd|gas_used|gas_limit|gas_price|input_hex|nonce|v|r|s"
)
NULL_OF_SYNTHETIC = {"index", "hash", "sender", "fee", "fee_usd", "input_hex", "nonce", "v", "r", "s"} | {
    f"gas_{name}" for name in ("used", "limit", "price")
}


@pytest.fixture(scope="module")
def blocks(served: Any) -> Rows:
    return served.rows("ethereum", "blocks")  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def by_block(served: Any) -> dict[str, Rows]:
    groups = defaultdict(list)
    for row in served.rows("ethereum", "transactions"):
        groups[row["block_id"]].append(row)
    return groups


@pytest.fixture(scope="module")
def listed(served: Any) -> list[dict[str, Any]]:
    """The same blocks from the API, by ascending height."""
    last = 21_500_000 + served.settings.days * served.settings.blocks_per_day - 1
    return served.everything(f"ethereum/blocks?q=id(..{last})&s=id(asc)")  # type: ignore[no-any-return]


def test_nobody_spends_what_is_not_there_however_many_transactions_there_are(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ethereum, "_TREASURY_VALUE", 30 * 10**18)
    world = serve(days=1, chains=("ethereum",), transactions_per_block=2000)
    assert min(int(block["value_total"]) for block in world.day("ethereum", "blocks", 0)) >= 0
    ledger = world.blockchair._api._world._ledgers["ethereum"]
    assert min(ledger._balances.values()) >= 0
    assert sum(ledger._balances.values()) < ledger.opening_supply


def test_a_reserve_that_runs_out_still_pays_for_all(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"_TREASURY_VALUE": 10, "_DEPOSITS_VALUE": 10_000, "_REST_VALUE": 10_000, "_HAVE_AT_LEAST": 20_000}
    for name, ether in values.items():
        monkeypatch.setattr(ethereum, name, ether * 10**18)
    world = serve(days=1, chains=("ethereum",), transactions_per_block=2000)
    assert min(int(call["value"]) for call in world.day("ethereum", "calls", 0)) == 0
    ledger = world.blockchair._api._world._ledgers["ethereum"]
    assert min(ledger._balances.values()) == 0
    assert max(ledger._balances[contract] for contract in ledger._contracts) > 10**20


def test_headers(blocks: Rows, by_block: dict[str, Rows]) -> None:
    assert list(blocks[0]) == BLOCKS.split("|")
    assert list(by_block["21500000"][0]) == TRANSACTIONS.split("|")


def test_base_fee_recurrence_between_all_blocks(listed: list[dict[str, Any]]) -> None:
    up = down = same = 0
    for block, following in pairwise(listed):
        base, used, target = block["base_fee_per_gas"], block["gas_used"], block["gas_limit"] // 2
        if used > target:
            expected = base + max(base * (used - target) // target // 8, 1)
        else:
            expected = base - base * (target - used) // target // 8
        assert following["base_fee_per_gas"] == expected
        assert abs(following["gas_limit"] - block["gas_limit"]) < block["gas_limit"] // 1024
        up, down, same = up + (used > target), down + (used < target), same + (used == target)
    assert up
    assert down
    assert same


@pytest.mark.parametrize(
    ("base", "used", "limit", "following"),
    [
        (10**9, 30025257, 30029332, 1124966074),
        (7, 15_000_001, 30_000_000, 8),  # up by one at least
        (7, 14_999_999, 30_000_000, 7),  # down by nothing where it rounds to nothing
        (10**9, 0, 30_000_000, 875_000_000),
        (10**9, 15_000_000, 30_000_000, 10**9),
    ],
)
def test_base_fee_rule(base: int, used: int, limit: int, following: int) -> None:
    assert next_base_fee(base, used, limit) == following


def test_sums_per_block(blocks: Rows, by_block: dict[str, Rows], listed: list[dict[str, Any]]) -> None:
    assert len(blocks) == len(listed)
    for block, modern in zip(blocks, listed, strict=True):
        *real, synthetic = by_block[block["id"]]
        base = modern["base_fee_per_gas"]
        assert synthetic["type"] == "synthetic_coinbase"
        assert "synthetic_coinbase" not in {row["type"] for row in real}
        assert int(block["transaction_count"]) == len(real)
        assert [int(row["index"]) for row in real] == list(range(len(real)))
        assert int(block["gas_used"]) == sum(int(row["gas_used"]) for row in real) <= int(block["gas_limit"])
        assert int(block["fee_total"]) == sum(int(row["fee"]) for row in real)
        assert int(block["call_count"]) == sum(int(row["call_count"]) for row in real)
        assert int(block["value_total"]) == sum(int(row["value"]) for row in [*real, synthetic])
        assert int(block["internal_value_total"]) == sum(int(row["internal_value"]) for row in [*real, synthetic])
        assert int(modern["burned_total"]) == base * int(block["gas_used"])
        assert int(block["reward"]) == int(block["fee_total"]) - int(modern["burned_total"]) == int(synthetic["value"])
        assert (block["difficulty"], block["generation"], block["uncle_count"], block["nonce"]) == ("0",) * 4
        assert int(block["total_difficulty"]) > 2**64
        assert len(block["logs_bloom"]) == 512
        assert synthetic["recipient"] == block["miner"]
        assert {name for name, value in synthetic.items() if value == r"\N"} == NULL_OF_SYNTHETIC
        for row in real:
            assert r"\N" not in row.values()
            assert int(row["fee"]) == int(row["gas_used"]) * int(row["gas_price"])
            assert int(row["gas_price"]) > base
            assert 21_000 <= int(row["gas_used"]) <= int(row["gas_limit"])


def test_every_kind_occurs(by_block: dict[str, Rows]) -> None:
    rows = [row for rows in by_block.values() for row in rows]
    assert {row["type"] for row in rows} == {"call", "call_tree", "create", "synthetic_coinbase"}
    assert {row["failed"] for row in rows} == {"0", "1"}
    assert all(row["internal_value"] == "0" for row in rows if row["failed"] == "1")
    assert max(int(row["value"]) for row in rows) > 1000 * 10**18
    assert any(int(row["value"]) % 10**6 for row in rows)
    hashes = [row["hash"] for row in rows if row["type"] != "synthetic_coinbase"]
    assert len(set(hashes)) == len(hashes)


def test_nonces_count_each_senders_transactions(by_block: dict[str, Rows]) -> None:
    sent: dict[str, int] = defaultdict(int)
    for rows in by_block.values():
        for row in rows[:-1]:
            assert int(row["nonce"]) == sent[row["sender"]]
            sent[row["sender"]] += 1


def test_hex_is_bare_in_dumps_and_prefixed_in_the_api(
    blocks: Rows, by_block: dict[str, Rows], listed: list[dict[str, Any]]
) -> None:
    for block, modern in zip(blocks, listed, strict=True):
        assert (len(block["hash"]), len(block["miner"])) == (64, 40)
        assert modern["hash"] == f"0x{block['hash']}"
        assert modern["miner"] == f"0x{block['miner']}"
        for name in ("logs_bloom", "mix_hash", "receipts_root", "sha3_uncles", "state_root", "transactions_root"):
            assert modern[name] == block[name]
    assert not any(value.startswith("0x") for rows in by_block.values() for row in rows for value in row.values())


def test_times_are_slots_in_order(blocks: Rows, epoch: Callable[[str], int]) -> None:
    times = [epoch(block["time"]) for block in blocks]
    assert all(earlier < later for earlier, later in pairwise(times))
    assert {time % 12 for time in times} == {11}  # as on mainnet, whose first slot began at 1606824023


def test_london_columns_stand_at_the_end_where_asked_for(serve: Any) -> None:
    world = serve(days=1, quirks=("london-columns",), chains=("ethereum",))
    blocks, rows = world.rows("ethereum", "blocks"), world.rows("ethereum", "transactions")
    assert list(blocks[0]) == [*BLOCKS.split("|"), "base_fee_per_gas", "burned_total"]
    added = [
        "version", "effective_gas_price", "max_fee_per_gas", "max_priority_fee_per_gas", "base_fee_per_gas", "burned",
        "type_2718",
    ]  # fmt: skip
    assert list(rows[0]) == [*TRANSACTIONS.split("|"), *added]
    assert {row["type_2718"] for row in rows} == {"0", "2", r"\N"}
    for row in rows:
        if row["type"] == "synthetic_coinbase":
            assert {row[name] for name in added} == {r"\N"}
            continue
        base, price = int(row["base_fee_per_gas"]), int(row["effective_gas_price"])
        assert int(row["burned"]) == base * int(row["gas_used"])
        if row["type_2718"] == "2":
            assert price == min(int(row["max_fee_per_gas"]), base + int(row["max_priority_fee_per_gas"]))
        else:
            assert row["max_fee_per_gas"] == r"\N"
