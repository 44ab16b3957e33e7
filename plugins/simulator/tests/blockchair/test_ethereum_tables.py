"""Calls, uncles, tokens and transfers: sound within, and alike in dumps and API."""

from collections import Counter, defaultdict
from datetime import date, timedelta
from typing import Any

import pytest

CALLS = (
    "block_id|transaction_hash|index|depth|time|failed|fail_reason|type|sender|recipient|child_call_count|value|"
    "value_usd|transferred|input_hex|output_hex"
)
UNCLES = (
    "parent_block_id|index|id|hash|time|size|miner|extra_data_hex|difficulty|gas_used|gas_limit|logs_bloom|mix_hash|"
    "nonce|receipts_root|sha3_uncles|state_root|transactions_root|generation|generation_usd"
)
TRANSFERS = "block_id|transaction_hash|time|token_address|token_name|token_symbol|token_decimals|sender|recipient|value"
TOKENS = "id|address|time|name|symbol|decimals|creating_block_id|creating_transaction_hash"


def transfers(world: Any) -> list[dict[str, str]]:
    rows = []
    for number in range(world.settings.days):
        day = world.settings.start + timedelta(days=number)
        response = world.get(f"/dumps/ethereum/erc-20/transactions/blockchair_erc-20_transactions_{day:%Y%m%d}.tsv.gz")
        assert response.status_code == 200
        rows += world.unpacked(response.content)
    return rows


@pytest.fixture(scope="module")
def world(serve: Any) -> Any:
    return serve(days=2, chains=("ethereum",))


@pytest.fixture(scope="module")
def london(serve: Any) -> Any:
    return serve(days=3, chains=("ethereum",), ethereum_era="london")


@pytest.mark.parametrize("era", ["world", "london"])
def test_calls_agree_with_their_transactions(era: str, request: pytest.FixtureRequest) -> None:
    world = request.getfixturevalue(era)
    calls = world.rows("ethereum", "calls")
    assert "|".join(calls[0]) == CALLS
    trees: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for call in calls:
        trees[call["transaction_hash"]].append(call)
    for tx in world.rows("ethereum", "transactions"):
        if tx["type"] == "synthetic_coinbase":
            continue
        tree = trees.pop(tx["hash"])
        root = tree[0]
        assert len(tree) == int(tx["call_count"])
        assert sum(int(call["value"]) for call in tree if call["transferred"] == "1") == int(tx["internal_value"])
        for name in ("block_id", "time", "sender", "recipient", "value", "failed", "input_hex"):
            assert root[name] == tx[name]
        paths = [tuple(map(int, call["index"].split("."))) for call in tree]
        assert paths == sorted(paths)
        children = Counter(call["index"].rpartition(".")[0] for call in tree)
        by_index = {call["index"]: call for call in tree}
        for call in tree:
            assert int(call["depth"]) == call["index"].count(".")
            assert int(call["child_call_count"]) == children[call["index"]]
            assert (call["fail_reason"] == r"\N") == (call["failed"] == "0")
            if call is not root:
                assert call["sender"] == by_index[call["index"].rpartition(".")[0]]["recipient"]
    assert list(trees) == [r"\N"]
    assert {call["type"] for call in trees[r"\N"]} == {"synthetic_coinbase"}
    per_block = Counter(call["block_id"] for call in calls if call["transaction_hash"] != r"\N")
    for block in world.rows("ethereum", "blocks"):
        assert int(block["call_count"]) == per_block[block["id"]]


def test_calls_of_the_api_equal_the_dumps_in_the_order_of_the_tree(world: Any) -> None:
    rows = world.everything("ethereum/calls?q=block_id(21500000..21500011)&s=transaction_id(asc),index(asc)")
    dumped = [row for row in world.day("ethereum", "calls", 0) if int(row["block_id"]) < 21500012]
    assert [(row["index"], row["type"], row["value"]) for row in rows] == [
        (row["index"], row["type"], row["value"]) for row in dumped
    ]
    assert any(row["index"].endswith((".10", ".11")) for row in world.rows("ethereum", "calls"))
    synthetic = [row for row in rows if row["type"] == "synthetic_coinbase"]
    assert {row[name] for row in synthetic for name in ("transaction_hash", "sender", "input_hex", "output_hex")} == {
        None
    }
    one = max(rows, key=lambda row: row["child_call_count"])
    answer = world.api(f"ethereum/calls?q=transaction_id({one['transaction_id']})&limit=1")
    assert answer["context"]["limit"] is None
    assert len(answer["data"]) > one["child_call_count"]
    assert all(row["transaction_hash"].startswith("0x") for row in answer["data"])


def test_transactions_have_ids_by_block_and_place(world: Any) -> None:
    rows = world.everything("ethereum/transactions?q=block_id(21500000..21500023)&s=id(asc)")
    assert len(rows) == len(world.day("ethereum", "transactions", 0))
    for row in rows:
        assert row["id"] // 10**6 == row["block_id"]
        assert row["index"] in (None, row["id"] % 10**6)
        assert (row["index"] is None) == (row["type"] == "synthetic_coinbase")
    assert len({row["id"] for row in rows}) == len(rows)
    assert world.everything("ethereum/transactions?q=block_id(21500000..21500023)&s=index(asc)")[0]["index"] is None
    one = next(row for row in rows if row["hash"])
    assert world.api(f"ethereum/transactions?q=hash({one['hash']})")["data"] == [one]


def test_there_are_no_uncles_after_the_merge(world: Any) -> None:
    assert world.api("ethereum/uncles")["data"] == []
    assert world.get(world.path("ethereum", "uncles", world.settings.start)).status_code == 404
    assert "blockchair_" not in world.get("/dumps/ethereum/uncles/").text.replace("Index", "")


def test_a_london_world_has_rewards_and_uncles(london: Any) -> None:
    uncles = [
        row
        for number in range(3)
        if london.get(path := london.path("ethereum", "uncles", date(2025, 1, 1 + number))).status_code == 200
        for row in london.unpacked(london.get(path).content)
    ]
    assert uncles
    assert "|".join(uncles[0]) == UNCLES
    named = defaultdict(list)
    for uncle in uncles:
        named[uncle["parent_block_id"]].append(uncle)
    modern = {row["id"]: row for row in london.everything("ethereum/blocks?q=id(13000000..13000071)")}
    synthetic: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for tx in london.rows("ethereum", "transactions"):
        if tx["type"] == "synthetic_coinbase":
            synthetic[tx["block_id"]].append(tx)
    total = 0
    for block in london.rows("ethereum", "blocks"):
        own = named[block["id"]]
        ether = 10**18
        assert int(block["generation"]) == 2 * ether + len(own) * ether // 16
        assert int(block["uncle_count"]) == len(own)
        assert int(block["synthetic_transaction_count"]) == len(synthetic[block["id"]]) == 1 + len(own)
        assert int(block["uncle_generation"]) == sum(int(uncle["generation"]) for uncle in own)
        burned = int(modern[int(block["id"])]["burned_total"])
        assert int(block["reward"]) == int(block["generation"]) + int(block["fee_total"]) - burned
        paid = [(tx["recipient"], int(tx["value"])) for tx in synthetic[block["id"]]]
        assert paid == [(block["miner"], int(block["reward"])), *((u["miner"], int(u["generation"])) for u in own)]
        assert int(block["total_difficulty"]) - total == int(block["difficulty"]) or not total
        total = int(block["total_difficulty"])
        assert 0 < int(block["nonce"]) < 2**64
    for uncle in uncles:
        depth = int(uncle["parent_block_id"]) - int(uncle["id"])
        assert int(uncle["generation"]) == 2 * 10**18 * (8 - depth) // 8
    listed = london.everything("ethereum/uncles?s=parent_block_id(asc),index(asc)")
    shown = [row for row in listed if row["parent_block_id"] <= 13000071]
    assert [row["hash"].removeprefix("0x") for row in shown] == [row["hash"] for row in uncles]
    answer = london.api(f"ethereum/uncles?q=parent_block_id({listed[0]['parent_block_id']})")
    assert answer["context"]["limit"] is None
    stats = london.api("ethereum/stats")["data"]
    assert stats["uncles"] == len(listed)
    assert sum(int(row["balance"]) for row in london.addresses("ethereum")) == int(stats["circulation_approximate"])


def test_transfers(world: Any) -> None:
    rows = transfers(world)
    assert "|".join(rows[0]) == TRANSFERS
    successful = {tx["hash"] for tx in world.rows("ethereum", "transactions") if tx["failed"] == "0"}
    assert {row["transaction_hash"] for row in rows} <= successful
    repeated = [count for count in Counter(tuple(row.values()) for row in rows).values() if count > 1]
    assert repeated  # two equal transfers in one transaction
    assert max(len(row["value"]) for row in rows) == 78
    assert {len(row["token_address"]) for row in rows} == {40}
    assert {"", "NULL"} <= {row["token_name"] for row in rows}
    assert any("\\" in row["token_name"] for row in rows)
    assert not any(ord(letter) < 32 for row in rows for letter in "".join(row.values()))
    listed = world.everything("ethereum/erc-20/transactions?q=block_id(21500000..21500047)&s=id(asc)")
    assert [row["id"] for row in listed] == list(range(listed[0]["id"], listed[0]["id"] + len(rows)))
    for api, dump in zip(listed, rows, strict=True):
        assert api["value"] == dump["value"]
        assert api["token_name"] == dump["token_name"]
        assert api["sender"] == f"0x{dump['sender']}"
    assert world.api(f"ethereum/erc-20/transactions?q=id({listed[5]['id']})")["data"] == [listed[5]]
    stats = world.api("ethereum/stats")["data"]["layer_2"]["erc_20"]
    newest = world.api("ethereum/erc-20/transactions?limit=1")["data"][0]
    assert stats["transactions"] == newest["id"] + 1


def test_tokens(world: Any) -> None:
    rows = world.unpacked(world.get("/dumps/ethereum/erc-20/tokens/blockchair_erc-20_tokens_latest.tsv.gz").content)
    assert "|".join(rows[0]) == TOKENS
    assert [int(row["id"]) for row in rows] == list(range(int(rows[0]["id"]), int(rows[0]["id"]) + len(rows)))
    assert {row["token_address"] for row in transfers(world)} <= {row["address"] for row in rows}
    created = {
        tx["recipient"]: tx
        for tx in world.rows("ethereum", "transactions")
        if tx["type"] == "create" and tx["failed"] == "0"
    }
    young = [row for row in rows if int(row["creating_block_id"]) >= 21500000]
    assert len(young) == len(created) > 0
    for row in young:
        assert row["creating_transaction_hash"] == created[row["address"]]["hash"]
        assert row["time"] == created[row["address"]]["time"]
    listed = world.everything("ethereum/erc-20/tokens?s=id(asc)")
    assert [row["name"] for row in listed[: len(rows)]] == [row["name"] for row in rows]
    assert world.api(f"ethereum/erc-20/tokens?q=address({listed[3]['address']})")["data"] == [listed[3]]


@pytest.mark.parametrize("chain", ["bitcoin", "ethereum", "dogecoin"])
def test_the_latest_addresses_are_those_of_midnight(serve: Any, chain: str) -> None:
    world = serve(days=2, chains=(chain,), now=None)
    page = f"/dumps/{chain}/addresses/"
    path = f"{page}blockchair_{chain}_addresses_latest.tsv.gz"
    assert world.get(page).text.count("_latest.tsv.gz</a>") == 1
    first = world.get(path)
    rows = world.unpacked(first.content)
    assert list(rows[0]) == ["address", "balance"]
    dumped = world.rows(chain, "outputs") if chain == "bitcoin" else []
    spent = world.rows(chain, "inputs") if chain == "bitcoin" else []
    if chain == "bitcoin":
        supply = sum(int(row["value"]) for row in dumped) - sum(int(row["value"]) for row in spent)
        assert sum(int(row["balance"]) for row in rows) == supply
    world.clock.advance(timedelta(hours=19))  # 01:00, before it is rebuilt
    assert world.get(path).headers["etag"] == first.headers["etag"]
    world.clock.advance(timedelta(minutes=20))
    assert world.get(path).headers["etag"] != first.headers["etag"]
    assert world.unpacked(world.get(path).content) != rows
