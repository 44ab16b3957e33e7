"""Dashboards and ranges: what they say equals the tables, in the shape of the documented answers."""

# ruff: noqa: ANN401 - answers are JSON, and fixtures have types of conftest, which no test imports

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

FIRST = {"bitcoin": 0, "dogecoin": 5_000_000}
SEGWIT = {"stripped_size", "weight", "witness_count", "fee_per_kwu", "fee_per_kwu_usd"}
LONDON = {"base_fee_per_gas", "burned_total"}
ADDRESS = [
    "type", "script_hex", "balance", "balance_usd", "received", "received_usd", "spent", "spent_usd", "output_count",
    "unspent_output_count", "first_seen_receiving", "last_seen_receiving", "first_seen_spending", "last_seen_spending",
    "transaction_count", "scripthash_type",
]  # fmt: skip


@pytest.fixture(scope="module")
def world(serve: Any) -> Any:
    return serve(days=3, blocks_per_day=12, transactions_per_block=6, ethereum_era="london")


def sample(folder: Path, name: str) -> Any:
    return json.loads((folder / "blockchair/api" / name).read_text())["response"]


@pytest.mark.parametrize("chain", ["bitcoin", "dogecoin", "ethereum"])
def test_blocks_equal_the_tables(world: Any, chain: str) -> None:
    rows = world.everything(f"{chain}/blocks?s=id(asc)")[5:15]
    by_height = world.api(f"{chain}/dashboards/blocks/{','.join(str(row['id']) for row in rows)}")
    by_hash = world.api(f"{chain}/dashboards/blocks/{','.join(row['hash'] for row in rows)}")
    assert list(by_height["data"]) == [str(row["id"]) for row in rows]
    assert list(by_hash["data"]) == [row["hash"] for row in rows]
    assert list(by_height["data"].values()) == list(by_hash["data"].values())
    uncles = 0
    for row in rows:
        shown = by_height["data"][str(row["id"])]
        assert shown["block"] == row
        transactions = world.everything(f"{chain}/transactions?q=block_id({row['id']})&s=id(asc)")
        assert shown["transactions"] == [one["hash"] for one in transactions if one["hash"]]
        if chain == "ethereum":
            assert shown["synthetic_transactions"] == [one["id"] for one in transactions if not one["hash"]] != []
            rewarded = world.api(f"{chain}/uncles?q=parent_block_id({row['id']})&s=index(asc)")["data"]
            assert shown["uncles"] == [uncle["hash"] for uncle in rewarded]
            uncles += len(rewarded)
    assert chain != "ethereum" or uncles
    assert by_height["context"]["results"] == 10
    assert by_height["context"]["request_cost"] == Decimal("1.9")


@pytest.mark.parametrize(
    ("name", "newer"),
    [
        ("05_bitcoin_dashboards_block_0.json", SEGWIT),
        ("11_ethereum_dashboards_block_2345678.json", LONDON),
    ],
)
def test_a_block_has_the_documented_shape(world: Any, samples_dir: Path, name: str, newer: set[str]) -> None:
    documented = sample(samples_dir, name)
    chain = name.split("_")[1]
    height = world.api(f"{chain}/blocks")["data"][0]["id"]
    answer = world.api(f"{chain}/dashboards/block/{height}")
    (expected,), (shown,) = documented["data"].values(), answer["data"].values()
    assert list(shown) == list(expected)
    assert [key for key in shown["block"] if key not in newer] == list(expected["block"])
    assert newer < set(shown["block"])
    kept = [key for key in answer["context"] if key in documented["context"]]
    assert kept == list(documented["context"])
    assert (answer["context"]["limit"], answer["context"]["offset"], answer["context"]["results"]) == (100, 0, 1)
    assert (answer["context"]["request_cost"], answer["context"]["source"]) == (1, "D")


def test_transactions_of_a_block_are_paged(world: Any) -> None:
    def hashes(query: str) -> Any:
        answer = world.api(f"bitcoin/dashboards/block/20{query}")
        return answer["data"]["20"]["transactions"]

    whole = hashes("")
    assert len(whole) > 3
    assert hashes("?limit=2&offset=1") == whole[1:3]
    assert hashes("?limit=0") == []
    assert hashes("?offset=1000000") == []


@pytest.mark.parametrize("chain", ["bitcoin", "dogecoin"])
def test_transactions_equal_the_tables(world: Any, chain: str) -> None:
    rows = world.everything(f"{chain}/transactions?q=block_id({FIRST[chain] + 20}..)&s=id(asc)")
    replaceable = set()
    for some in (rows[:10], rows[10:20]):
        answer = world.api(f"{chain}/dashboards/transactions/{','.join(row['hash'] for row in some)}")
        assert list(answer["data"]) == [row["hash"] for row in some]
        assert "limit" not in answer["context"]
        for row in some:
            shown = answer["data"][row["hash"]]
            assert list(shown) == ["transaction", "inputs", "outputs"]
            rbf = {"is_rbf": shown["transaction"].pop("is_rbf")} if chain == "bitcoin" else {}
            assert shown["transaction"] == row
            query = f"q=transaction_id({row['id']})&s=index(asc)"
            assert shown["outputs"] == world.api(f"{chain}/outputs?{query}")["data"]
            query = f"q=spending_transaction_id({row['id']})&s=spending_index(asc)"
            spent = world.api(f"{chain}/outputs?{query}")["data"]
            assert shown["inputs"] == spent
            assert (spent == []) is row["is_coinbase"]
            if rbf:
                assert rbf["is_rbf"] is any(one["spending_sequence"] < 0xFFFFFFFE for one in spent)
                replaceable.add(rbf["is_rbf"])
    assert chain != "bitcoin" or replaceable == {True, False}


@pytest.mark.parametrize("chain", ["bitcoin", "dogecoin"])
def test_addresses_agree_with_the_outputs(world: Any, chain: str) -> None:
    outputs = world.everything(f"{chain}/outputs?s=transaction_id(asc),index(asc)")
    mine = defaultdict(list)
    for row in outputs:
        mine[row["recipient"]].append(row)
    balances = {row["address"]: row["balance"] for row in world.everything(f"{chain}/addresses?s=balance(desc)")}
    busiest = sorted(mine, key=lambda one: len(mine[one]), reverse=True)[:4]
    emptied = next(one for one in mine if all(row["is_spent"] for row in mine[one]))
    data = next(one for one in mine if one.startswith("d-"))
    for address in (*busiest, emptied, data):
        answer = world.api(f"{chain}/dashboards/address/{address}")
        rows, shown = mine[address], answer["data"][address]
        unspent, spent = ([row for row in rows if row["is_spent"] is flag] for flag in (False, True))
        assert list(shown) == ["address", "transactions", "utxo"]
        assert list(shown["address"]) == ADDRESS
        one = shown["address"]
        assert one["balance"] == sum(row["value"] for row in unspent) == balances.get(address, 0)
        assert one["received"] == sum(row["value"] for row in rows)
        assert one["spent"] == sum(row["value"] for row in spent)
        assert (one["output_count"], one["unspent_output_count"]) == (len(rows), len(unspent))
        assert (one["type"], one["script_hex"]) == (rows[0]["type"], rows[0]["script_hex"])
        for name, column, some in (("received", "value_usd", rows), ("spent", "spending_value_usd", spent)):
            assert float(one[f"{name}_usd"]) == pytest.approx(float(sum(row[column] for row in some)), rel=1e-4)
        assert float(one["balance_usd"]) == pytest.approx(
            float(answer["context"]["market_price_usd"] * one["balance"] / 10**8)
        )
        made, left = ([row[name] for row in rows if row[name]] for name in ("time", "spending_time"))
        assert (one["first_seen_receiving"], one["last_seen_receiving"]) == (min(made), max(made))
        assert one["first_seen_spending"] == min(left, default=None)
        assert one["last_seen_spending"] == max(left, default=None)
        moved = {(row["transaction_id"], row["transaction_hash"]) for row in rows}
        moved |= {(row["spending_transaction_id"], row["spending_transaction_hash"]) for row in spent}
        assert one["transaction_count"] == len(moved)
        assert shown["transactions"] == [name for _, name in sorted(moved, reverse=True)][:100]
        expected = [
            {name: row[name] for name in ("block_id", "transaction_hash", "index", "value")} for row in unspent[::-1]
        ]
        assert shown["utxo"] == expected[:100]
        assert (answer["context"]["limit"], answer["context"]["offset"]) == ("100,100", "0,0")
        detailed = world.api(f"{chain}/dashboards/address/{address}?transaction_details=true")
        changes = detailed["data"][address]["transactions"]
        assert [change["hash"] for change in changes] == shown["transactions"]
        assert len(moved) > 100 or sum(change["balance_change"] for change in changes) == one["balance"]
        assert detailed["context"]["request_cost"] == 2


def test_a_set_of_addresses_and_its_pages(world: Any) -> None:
    first, second = (row["address"] for row in world.api("bitcoin/addresses?limit=2")["data"])
    alone = [world.api(f"bitcoin/dashboards/address/{one}")["data"][one] for one in (first, second)]
    answer = world.api(f"bitcoin/dashboards/addresses/{first},{second}")
    data = answer["data"]
    assert list(data) == ["set", "addresses", "transactions", "utxo"]
    assert data["set"]["address_count"] == answer["context"]["results"] == 2
    for name in ("balance", "received", "spent", "output_count", "unspent_output_count"):
        assert data["set"][name] == sum(one["address"][name] for one in alone)
    assert set(data["transactions"]) == set(alone[0]["transactions"]) | set(alone[1]["transactions"])
    assert data["set"]["transaction_count"] == len(data["transactions"])
    assert {one["address"] for one in data["utxo"]} == {first, second}
    for name, one in zip((first, second), alone, strict=True):
        assert one["address"].items() >= data["addresses"][name].items()
    assert answer["context"]["request_cost"] == Decimal("1.1")
    page = world.api(f"bitcoin/dashboards/addresses/{first},{second}?limit=1,2&offset=1,0&transaction_details=true")
    assert [one["hash"] for one in page["data"]["transactions"]] == data["transactions"][1:2]
    assert page["data"]["utxo"] == data["utxo"][:2]
    assert (page["context"]["limit"], page["context"]["offset"]) == ("1,2", "1,0")
    assert page["context"]["request_cost"] == Decimal("2.1")
    assert world.api(f"bitcoin/dashboards/address/{first}?limit=1")["context"]["limit"] == "1,1"


def test_ethereum_transactions_equal_the_tables(world: Any) -> None:
    tip = world.api("ethereum/blocks")["context"]["state"]
    rows = [row for row in world.everything(f"ethereum/transactions?q=block_id({tip - 9}..)") if row["hash"]]
    transfers = defaultdict(list)
    for row in world.everything(f"ethereum/erc-20/transactions?q=block_id({tip - 9}..)&s=id(asc)"):
        transfers[row["transaction_hash"]].append(row)
    assert transfers
    young = old = 0
    for row in rows:
        answer = world.api(f"ethereum/dashboards/transaction/0x{row['hash'][2:].upper()}?erc_20=true")
        (shown,) = answer["data"].values()
        assert list(answer["data"]) == [row["hash"]]
        assert list(shown) == ["transaction", "calls", "layer_2"]
        assert shown["transaction"] == row
        if row["block_id"] > tip - 6:
            assert shown["calls"] is None
            young += 1
        else:
            table = world.api(f"ethereum/calls?q=transaction_id({row['id']})&s=index(asc)")["data"]
            assert shown["calls"] == table
            old += 1
        expected = transfers[row["hash"]]
        assert [transfer["value"] for transfer in shown["layer_2"]["erc_20"]] == [one["value"] for one in expected]
        for transfer, one in zip(shown["layer_2"]["erc_20"], expected, strict=True):
            approximate = float(transfer.pop("value_approximate"))
            assert approximate == pytest.approx(int(one["value"]) / 10 ** one["token_decimals"])
            assert one.items() >= transfer.items()
        assert answer["context"]["request_cost"] == 2
    assert young
    assert old
    hashes = ",".join(row["hash"] for row in rows[:3])
    assert world.api(f"ethereum/dashboards/transactions/{hashes}?erc_20=true")["context"]["request_cost"] == Decimal(
        "4.2"
    )
    assert "layer_2" not in world.api(f"ethereum/dashboards/transaction/{rows[0]['hash']}")["data"][rows[0]["hash"]]


def test_uncles_equal_the_table(world: Any) -> None:
    rows = world.api("ethereum/uncles?limit=3")["data"]
    answer = world.api(f"ethereum/dashboards/uncles/{','.join(row['hash'] for row in rows)}")
    assert [one["uncle"] for one in answer["data"].values()] == rows
    assert answer["context"]["results"] == 3
    assert list(world.api(f"ethereum/dashboards/uncle/{rows[0]['hash']}")["data"]) == [rows[0]["hash"]]


def test_ethereum_addresses_agree_with_calls_and_balances(world: Any) -> None:
    holders = {row["address"]: row for row in world.everything("ethereum/addresses?s=balance(desc)")}
    calls = world.everything("ethereum/calls?s=transaction_id(asc),index(asc)")
    senders = {row["hash"]: row for row in world.everything("ethereum/transactions?s=id(asc)") if row["hash"]}
    mine = defaultdict(list)
    for call in calls:
        for side in {call["sender"], call["recipient"]} - {None}:
            mine[side].append(call)
    contract = next(one for one in mine if holders.get(one, {}).get("is_contract"))
    busiest = sorted(holders.keys() & mine.keys(), key=lambda one: len(mine[one]), reverse=True)[:3]
    library = next(one for one in mine if one not in holders)
    richest = max(holders, key=lambda one: int(holders[one]["balance"]))  # rich since before the world
    for address in (*busiest, contract, library, richest):
        holder = holders.get(address, {"balance": "0", "nonce": 0, "is_contract": False})
        (shown,) = world.api(f"ethereum/dashboards/address/{address}?nonce=true")["data"].values()
        one, rows = shown["address"], mine[address]
        assert one["balance"] == str(holder["balance"])
        assert one["nonce"] == holder["nonce"]
        assert (one["type"] == "contract") is holder["is_contract"]
        assert (one["contract_code_hex"] is not None) is holder["is_contract"]
        got = [row for row in rows if row["recipient"] == address and row["transferred"]]
        given = [row for row in rows if row["sender"] == address and row["transferred"]]
        assert (one["receiving_call_count"], one["spending_call_count"], one["call_count"]) == (
            len(got), len(given), len(rows),
        )  # fmt: skip
        fees = sum(int(row["fee"]) for row in senders.values() if row["sender"] == address)
        assert int(one["fees_approximate"]) == fees
        assert int(one["spent_approximate"]) == sum(int(row["value"]) for row in given)
        whole = int(one["received_approximate"]) - int(one["spent_approximate"]) - fees
        assert whole == int(one["balance"])
        assert int(one["received_approximate"]) >= sum(int(row["value"]) for row in got)
        assert one["transaction_count"] == len({row["transaction_id"] for row in rows})
        assert one["last_seen_receiving"] == max((row["time"] for row in rows if row["recipient"] == address
                                                  and not row["failed"]), default=None)  # fmt: skip
        assert [call["index"] for call in shown["calls"]] == [row["index"] for row in rows[::-1]][:100]
        for call, row in zip(shown["calls"], rows[::-1], strict=False):
            assert float(call.pop("value")) == pytest.approx(float(row["value"]))
            assert row.items() >= call.items()
        listed = world.api(f"ethereum/dashboards/address/{address}?transactions_instead_of_calls=true&limit=2")
        assert listed["context"]["request_cost"] == 3
        assert listed["context"]["limit"] == 2
        hashes = dict.fromkeys(row["transaction_hash"] for row in rows[::-1] if row["transaction_hash"])
        assert listed["data"][address]["transactions"] == list(hashes)[:2]


@pytest.mark.parametrize(
    "path",
    [
        "bitcoin/dashboards/block/9999999",
        f"bitcoin/dashboards/transaction/{'ab' * 32}",
        "bitcoin/dashboards/address/1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
        "bitcoin/dashboards/addresses/1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa,12c6DSiU4Rq3P4ZxziKxzrL5LmMBrzjrJX",
        f"ethereum/dashboards/block/0x{'ab' * 32}",
        f"ethereum/dashboards/uncle/0x{'ab' * 32}",
        f"ethereum/dashboards/transaction/0x{'ab' * 32}",
        f"ethereum/dashboards/address/0x{'ab' * 20}",
    ],
)
def test_what_is_not_found_has_no_key(world: Any, path: str) -> None:
    answer = world.api(path)
    assert answer["data"] == []
    assert answer["context"]["results"] == 0
    assert answer["context"]["state"] == world.api(f"{path.partition('/')[0]}/blocks")["context"]["state"]


def test_only_the_found_have_keys(world: Any) -> None:
    answer = world.api("bitcoin/dashboards/blocks/3,9999999,4")
    assert list(answer["data"]) == ["3", "4"]
    assert (answer["context"]["results"], answer["context"]["request_cost"]) == (2, Decimal("1.2"))


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("bitcoin/dashboards/block/1,2", 400),
        ("bitcoin/dashboards/blocks/0,1,2,3,4,5,6,7,8,9,10", 400),
        ("bitcoin/dashboards/block/x", 400),
        ("bitcoin/dashboards/block/-1", 400),
        ("bitcoin/dashboards/block/1?limit=10001", 400),
        ("bitcoin/dashboards/block/1?limit=1,1", 400),
        ("bitcoin/dashboards/block/1?offset=1000001", 400),
        ("bitcoin/dashboards/address/x", 400),
        (f"bitcoin/dashboards/transaction/0x{'ab' * 32}", 400),
        (f"ethereum/dashboards/transaction/{'ab' * 32}", 400),
        (f"ethereum/dashboards/transaction/0x{'ab' * 32}?effects=true", 400),
        ("bitcoin/dashboards/block", 404),
        ("bitcoin/dashboards/blocks/1/2", 404),
        ("bitcoin/dashboards/uncle/1", 404),
        ("litecoin/dashboards/block/1", 404),
        ("ethereum/dashboards/addresses/1", 404),
    ],
)
def test_errors(world: Any, path: str, code: int) -> None:
    answer = world.api(path, code)
    assert answer["data"] is None
    assert answer["context"]["code"] == code
    assert "state" not in answer["context"]


def test_dashboards_cost_points(serve: Any) -> None:
    world = serve(days=1, chains=("bitcoin",), blocks_per_day=4, points_per_day=4)
    world.api("bitcoin/dashboards/blocks/0,1,2")
    world.api("range")
    world.api("bitcoin/dashboards/block/0")
    assert world.api("bitcoin/dashboards/block/0", 402)["data"] is None


def test_ranges_begin_where_the_tables_do(world: Any) -> None:
    answer = world.api("range")
    assert answer["context"]["request_cost"] == 1
    assert list(answer["data"]) == ["bitcoin", "ethereum", "dogecoin"]
    for chain, shown in answer["data"].items():
        first = world.api(f"{chain}/blocks?s=id(asc)&limit=1")["data"][0]
        assert list(shown) == [
            "blockchain_first_entry", "blockchain_first_entry_date", "blockchair_first_entry",
            "blockchair_first_entry_date", "is_full",
        ]  # fmt: skip
        assert (shown["blockchair_first_entry"], shown["blockchair_first_entry_date"]) == (first["id"], first["date"])
        assert shown["is_full"] is (shown["blockchair_first_entry"] == shown["blockchain_first_entry"])
    assert answer["data"]["dogecoin"]["blockchain_first_entry_date"] == "2013-12-06"
