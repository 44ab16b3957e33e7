"""The mempool: empty by default; where it is switched on, what the next block confirms waits in it."""

from datetime import datetime, timedelta
from typing import Any

import pytest

UNDECIDED = {
    "index", "failed", "type", "call_count", "internal_value", "internal_value_usd", "fee", "fee_usd", "gas_used",
    "effective_gas_price", "base_fee_per_gas", "burned",
}  # fmt: skip
SIZES = {"days": 2, "blocks_per_day": 24, "transactions_per_block": 8}


@pytest.fixture(scope="module")
def full(serve: Any) -> Any:
    return serve(**SIZES, quirks=("mempool",))


def next_block(world: Any, chain: str) -> None:
    """Move the clock until a block has come."""
    tip = world.api(f"{chain}/blocks")["context"]["state"]
    while world.api(f"{chain}/blocks")["context"]["state"] == tip:
        world.clock.advance(timedelta(minutes=1))


@pytest.mark.parametrize(
    ("path", "table"),
    [
        ("bitcoin/mempool/transactions", "bitcoin/transactions"),
        ("bitcoin/mempool/outputs", "bitcoin/outputs"),
        ("dogecoin/mempool/outputs", "dogecoin/outputs"),
        ("ethereum/mempool/transactions", "ethereum/transactions"),
    ],
)
def test_it_is_empty_by_default(served: Any, path: str, table: str) -> None:
    answer, confirmed = served.api(path), served.api(f"{table}?limit=1")
    assert answer["data"] == []
    assert (answer["context"]["rows"], answer["context"]["total_rows"], answer["context"]["request_cost"]) == (0, 0, 2)
    assert list(answer["context"]) == list(confirmed["context"])
    assert answer["context"]["state"] == confirmed["context"]["state"]
    assert served.api("bitcoin/stats")["data"]["mempool_transactions"] == 0


@pytest.mark.parametrize("path", ["ethereum/mempool/outputs", "bitcoin/mempool/blocks", "bitcoin/mempool"])
def test_other_tables_of_it_are_unknown(served: Any, path: str) -> None:
    assert served.api(path, 404)["data"] is None


@pytest.mark.parametrize("chain", ["bitcoin", "dogecoin"])
def test_utxo_payments_wait_and_are_confirmed(serve: Any, chain: str) -> None:
    world = serve(**SIZES, quirks=("mempool",), chains=(chain,))
    while not (rows := world.api(f"{chain}/mempool/transactions?s=id(asc)&limit=100")["data"]):
        next_block(world, chain)
    tip = world.api(f"{chain}/blocks?limit=1")["data"][0]
    assert {row["block_id"] for row in rows} == {-1}
    assert {row["time"] for row in rows} == {tip["time"]}
    assert not any(row["is_coinbase"] for row in rows)
    outputs = world.api(f"{chain}/mempool/outputs?s=transaction_id(asc),index(asc)&limit=100")["data"]
    assert {row["block_id"] for row in outputs} == {-1}
    spent = world.api(f"{chain}/outputs?q=spending_block_id(-1)&limit=100")["data"]
    for row in rows:
        assert world.api(f"{chain}/transactions?q=hash({row['hash']})")["data"] == []
        made = [one for one in outputs if one["transaction_hash"] == row["hash"]]
        assert len(made) == row["output_count"]
        assert sum(one["value"] for one in made) == row["output_total"]
        used = [one for one in [*spent, *outputs] if one["spending_transaction_hash"] == row["hash"]]
        inputs = {(one["transaction_id"], one["index"]): one for one in used}.values()
        assert sum(one["value"] for one in inputs) == row["input_total"] == row["output_total"] + row["fee"]
        for one in inputs:
            assert (one["spending_block_id"], one["is_spent"]) == (-1, True)
            age = datetime.fromisoformat(row["time"]) - datetime.fromisoformat(one["time"])
            assert one["lifespan"] == age.total_seconds()
            assert one in (spent if one["block_id"] != -1 else outputs)
    found = {(one["transaction_id"], one["index"]) for one in spent}
    paged = world.api(f"{chain}/outputs?q=is_spent(true),spending_block_id(..0)&limit=100")["data"]
    assert {(one["transaction_id"], one["index"]) for one in paged if one["spending_block_id"] == -1} == found
    stats = world.api(f"{chain}/stats")["data"]
    assert (stats["mempool_transactions"], stats["mempool_outputs"]) == (len(rows), len(outputs))
    assert stats["mempool_size"] == sum(row["size"] for row in rows)
    next_block(world, chain)
    for row in rows:
        (confirmed,) = world.api(f"{chain}/transactions?q=hash({row['hash']})")["data"]
        assert confirmed["block_id"] == tip["id"] + 1
        same = ("hash", "size", "version", "lock_time", "input_total", "output_total", "fee", "input_count")
        assert [confirmed[name] for name in same] == [row[name] for name in same]
    left = {row["hash"] for row in world.api(f"{chain}/mempool/transactions?limit=100")["data"]}
    assert not left & {row["hash"] for row in rows}


def test_ethereum_transactions_wait(full: Any) -> None:
    rows = full.api("ethereum/mempool/transactions?s=id(asc)&limit=100")["data"]
    assert rows
    for row in rows:
        assert row["block_id"] == -1
        assert {name for name in UNDECIDED if row[name] is not None} == set()
        assert row["hash"]
        assert full.api(f"ethereum/transactions?q=hash({row['hash']})")["data"] == []
    sender = rows[0]["sender"]
    mine = full.api(f"ethereum/mempool/transactions?q=sender({sender})")["data"]
    assert {row["sender"] for row in mine} == {sender}
    assert full.api("ethereum/mempool/transactions?q=failed(false)")["data"] == []
    stats = full.api("ethereum/stats")["data"]
    assert stats["mempool_transactions"] == len(rows)
    assert stats["mempool_total_value_approximate"] == str(sum(int(row["value"]) for row in rows))
