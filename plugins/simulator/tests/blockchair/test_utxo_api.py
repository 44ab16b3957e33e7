"""Transactions and outputs of the API: against the dumps, page by page, spent, and with duplicates."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

SPENDING = [
    "spending_block_id", "spending_transaction_id", "spending_index", "spending_transaction_hash", "spending_date",
    "spending_time", "spending_value_usd", "spending_sequence", "spending_signature_hex", "spending_witness",
    "lifespan", "cdd",
]  # fmt: skip
MADE = [
    "block_id", "transaction_id", "index", "transaction_hash", "date", "time", "value", "value_usd", "recipient",
    "type", "script_hex", "is_from_coinbase", "is_spendable", "is_spent",
]  # fmt: skip
FIRST = {"bitcoin": 0, "dogecoin": 5_000_000}


@pytest.fixture(scope="module")
def world(serve: Any) -> Any:
    return serve(days=3, blocks_per_day=12, transactions_per_block=6)


@pytest.mark.parametrize("chain", ["bitcoin", "dogecoin"])
def test_transactions_equal_the_dumps(world: Any, chain: str) -> None:
    first = FIRST[chain]
    rows = world.everything(f"{chain}/transactions?q=block_id({first}..{first + 35})&s=id(asc)")
    dumped = world.rows(chain, "transactions")
    assert [(str(row["block_id"]), row["hash"]) for row in rows] == [(row["block_id"], row["hash"]) for row in dumped]
    assert [row["id"] for row in rows] == list(range(first, first + len(rows)))
    assert [name for name in rows[0] if name not in ("id", "date")] == list(dumped[0])
    assert [str(row["fee"]) for row in rows] == [row["fee"] for row in dumped]


@pytest.mark.parametrize("chain", ["bitcoin", "dogecoin"])
def test_outputs_equal_the_dumps(world: Any, chain: str) -> None:
    first = FIRST[chain]
    rows = world.everything(f"{chain}/outputs?q=block_id({first}..{first + 35})&s=transaction_id(asc),index(asc)")
    dumped = world.rows(chain, "outputs")
    left = ("spending_witness",) if chain == "dogecoin" else ()
    assert list(rows[0]) == [name for name in MADE + SPENDING if name not in left]
    shown = {True: "1", False: "0", None: "-1"}
    for row, dump in zip(rows, dumped, strict=True):
        for name in ("block_id", "transaction_hash", "index", "time", "value", "recipient", "type", "script_hex"):
            assert str(row[name]) == dump[name]
        assert shown[row["is_spendable"]] == dump["is_spendable"]
        assert shown[row["is_from_coinbase"]] == dump["is_from_coinbase"]


@pytest.mark.parametrize("chain", ["bitcoin", "dogecoin"])
def test_paged_by_the_spending_block_they_are_the_inputs(world: Any, chain: str) -> None:
    first = FIRST[chain]
    query = f"q=spending_block_id({first}..{first + 35})&s=spending_transaction_id(asc),spending_index(asc)"
    rows = world.everything(f"{chain}/outputs?{query}")
    dumped = world.rows(chain, "inputs")
    names = ["block_id", "transaction_hash", "index", "spending_block_id", "spending_transaction_hash"]
    names += ["spending_index", "spending_time", "spending_sequence", "spending_signature_hex", "lifespan"]
    names += ["spending_witness"] if chain == "bitcoin" else []
    assert [[str(row[name]) for name in names] for row in rows] == [[row[name] for name in names] for row in dumped]
    for row, dump in zip(rows, dumped, strict=True):
        assert row["is_spent"] is True
        assert row["cdd"] == pytest.approx(row["value"] // 10**8 * Decimal(row["lifespan"]) / 86400)
        assert float(row["cdd"]) <= float(dump["cdd"]) + 1e-9
    if chain == "dogecoin":
        assert any(row["block_id"] < first for row in rows)  # spent in the world, made before it
    assert len({(row["transaction_id"], row["index"]) for row in rows}) == len(rows)


def test_an_output_becomes_spent_as_the_clock_moves(serve: Any) -> None:
    world = serve(days=3, chains=("bitcoin",), blocks_per_day=12)
    unspent = world.everything("bitcoin/outputs?q=is_spent(false)&s=transaction_id(asc)")
    assert all(row[name] is None for row in unspent for name in SPENDING)
    world.clock.advance(timedelta(days=2))
    changed = 0
    for row in unspent[:60]:
        query = f"q=transaction_id({row['transaction_id']}),index({row['index']})"
        (now,) = world.api(f"bitcoin/outputs?{query}")["data"]
        assert [now[name] for name in MADE[:-1]] == [row[name] for name in MADE[:-1]]
        if now["is_spent"]:
            changed += 1
            assert None not in {now[name] for name in SPENDING}
    assert changed
    total = world.api("bitcoin/outputs?q=is_spent(true)")["context"]["total_rows"]
    assert total == world.api("bitcoin/outputs?q=spending_block_id(0..)")["context"]["total_rows"]


def test_equality_on_a_transaction_returns_all_its_outputs(world: Any) -> None:
    row = max(world.everything("bitcoin/transactions?q=block_id(0..)"), key=lambda row: row["output_count"])
    answer = world.api(f"bitcoin/outputs?q=transaction_id({row['id']})&limit=1")
    assert len(answer["data"]) == row["output_count"] > 1
    assert answer["context"]["limit"] is None
    assert answer["context"]["pre_rows"] == answer["context"]["rows"] == row["output_count"]
    spent = next(one for one in world.everything("bitcoin/outputs?q=is_spent(true)"))["spending_transaction_id"]
    answer = world.api(f"bitcoin/outputs?q=spending_transaction_id({spent})&limit=1")
    assert answer["context"]["limit"] is None
    assert {one["spending_transaction_id"] for one in answer["data"]} == {spent}


def test_keyset_paging_meets_every_row_once(world: Any) -> None:
    seen: list[int] = []
    while page := world.api(
        f"bitcoin/transactions?q=id({seen[-1] if seen else -1}...),block_id(2..20)&s=id(asc)&limit=7"
    )["data"]:
        seen += [row["id"] for row in page]
    rows = [row for row in world.rows("bitcoin", "transactions") if 2 <= int(row["block_id"]) <= 20]
    assert len(seen) == len(set(seen)) == len(rows)


@pytest.mark.parametrize(
    ("path", "cost"),
    [
        ("bitcoin/transactions?q=block_id(1..2)&limit=100", Decimal("11.4")),
        ("bitcoin/outputs?q=block_id(1..2)&limit=100", Decimal("20.9")),
        ("ethereum/calls?q=block_id(1..2)&limit=100", Decimal("20.9")),
        ("ethereum/transactions", 5),
        ("ethereum/uncles", 2),
        ("ethereum/erc-20/tokens", 2),
        ("ethereum/erc-20/transactions", 5),
    ],
)
def test_costs(world: Any, path: str, cost: Decimal) -> None:
    assert world.api(path)["context"]["request_cost"] == cost


def test_duplicates_are_removed_from_pages_of_outputs(serve: Any) -> None:
    sizes = {"days": 3, "chains": ("bitcoin",), "blocks_per_day": 12}
    odd, plain = serve(**sizes, quirks=("duplicate-outputs",)), serve(**sizes)
    query = "bitcoin/outputs?q=block_id(0..20)&s=transaction_id(asc),index(asc)&limit=20"
    expected = plain.everything(query.removesuffix("&limit=20"))
    seen, short, offset = [], 0, 0
    while True:
        answer = odd.api(f"{query}&offset={offset}")
        context = answer["context"]
        if not context["pre_rows"]:
            break
        assert list(context)[3:7] == ["offset", "rows", "pre_rows", "total_rows"]
        assert context["rows"] == len(answer["data"]) <= context["pre_rows"] <= 20
        short += context["rows"] < context["pre_rows"]
        seen += answer["data"]
        offset += 20
    assert short
    unique = {(row["transaction_id"], row["index"]): row for row in seen}
    assert list(unique.values()) == expected


def test_a_prefix_and_the_order_of_nulls(world: Any) -> None:
    rows = world.everything("bitcoin/blocks?q=coinbase_data_hex(^51)")
    assert [row["id"] for row in rows] == [1]
    ordered = world.everything("bitcoin/outputs?q=block_id(..10)&s=spending_block_id(asc)")
    values = [row["spending_block_id"] for row in ordered]
    assert values == sorted(values, key=lambda value: (value is not None, value or 0))
