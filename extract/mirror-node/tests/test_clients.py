"""Real clients on loopback: each mines on its own network, is mirrored, and says by other calls what rows must be."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import node_clients
from node_clients import Client, Miner, pay, trade

COIN = 10**8


@pytest.fixture
def sv(tmp_path: Path) -> Iterator[Client]:
    yield from node_clients.sv(tmp_path / "sv")


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Client]:
    yield from node_clients.lite(tmp_path / "lite")


@pytest.fixture
def eth(tmp_path: Path) -> Iterator[Client]:
    yield from node_clients.eth(tmp_path / "eth")


def units(amount: Any) -> int:
    return int(Decimal(amount) * COIN)


def compare(client: Client, chain: str) -> int:
    """Hold every row against the client's own words; returns the number of inputs."""
    outputs = {(row["transaction_hash"], row["index"]): row for row in client.rows(chain, "outputs")}
    inputs = {(row["spending_transaction_hash"], row["spending_index"]): row for row in client.rows(chain, "inputs")}
    transactions = {row["hash"]: row for row in client.rows(chain, "transactions")}
    blocks = client.rows(chain, "blocks")
    times: dict[int, int] = {}
    counted = [0, 0, 0]
    for row in blocks:
        said = client("getblock", client("getblockhash", int(row["id"])), 2)
        times[said["height"]] = said["time"]
        assert (row["hash"], row["merkle_root"], row["size"]) == (said["hash"], said["merkleroot"], str(said["size"]))
        assert row["chainwork"] == said["chainwork"]
        assert Decimal(row["difficulty"]) == said["difficulty"]
        assert row["bits"] == str(int(said["bits"], 16))
        clock = datetime.fromtimestamp(said["mediantime"], UTC)
        assert row["median_time"] == f"{clock:%Y-%m-%d %H:%M:%S}"
        if "weight" in said:
            assert (row["stripped_size"], row["weight"]) == (str(said["strippedsize"]), str(said["weight"]))
        fees = 0
        for position, each in enumerate(said["tx"]):
            own = transactions[each["txid"]]
            assert (own["size"], own["version"], own["lock_time"]) == tuple(
                str(each[name]) for name in ("size", "version", "locktime")
            )
            if "weight" in each:
                assert (own["weight"], own["has_witness"]) == (
                    str(each["weight"]),
                    str(int(each["hash"] != each["txid"])),
                )
            for output in each["vout"]:
                found, script = outputs[each["txid"], str(output["n"])], output["scriptPubKey"]
                assert (found["value"], found["script_hex"]) == (str(units(output["value"])), script["hex"])
                assert found["type"] == script["type"]
                address = script.get("address") or (script.get("addresses") or [""])[0]
                assert found["recipient"] == (
                    address if script["type"] not in {"multisig", "pubkey"} else found["recipient"]
                )
                counted[0] += 1
            paid = 0
            for index, spending in enumerate(each["vin"] if position else ()):
                found = inputs[each["txid"], str(index)]
                # Bitcoin SV looks it up by its index, litecoind in its block.
                where = [] if chain == "bitcoin-sv" else [client("getblockhash", int(found["block_id"]))]
                before = client("getrawtransaction", spending["txid"], True, *where)
                of = before["vout"][spending["vout"]]
                assert (found["value"], found["script_hex"]) == (str(units(of["value"])), of["scriptPubKey"]["hex"])
                assert found["lifespan"] == str(said["time"] - before["time"])
                assert found["spending_signature_hex"] == spending["scriptSig"]["hex"]
                assert found.get("spending_witness", "") == ",".join(spending.get("txinwitness", []))
                paid += units(of["value"])
                counted[1] += 1
            made = sum(units(output["value"]) for output in each["vout"])
            assert (own["output_total"], own["input_total"]) == (str(made), str(paid))
            assert own["fee"] == str(paid - made if position else 0)
            fees += paid - made if position else 0
            counted[2] += 1
        assert row["fee_total"] == str(fees)
    assert counted == [len(outputs), len(inputs), len(transactions)]
    return len(inputs)


@pytest.mark.parametrize("name", ["sv", "lite"])
def test_every_row_is_what_the_client_says_and_a_reorganisation_is_followed(
    name: str, request: pytest.FixtureRequest
) -> None:
    client: Client = request.getfixturevalue(name)
    kinds = [[], ["", "p2sh-segwit"], ["", "bech32"]] if name == "lite" else [[]]
    chain = "litecoin" if name == "lite" else "bitcoin-sv"
    miner = Miner(client, client("getnewaddress"))
    miner.mine(110)
    pay(client, miner, kinds)
    miner.mine(4)
    # seven blocks that are about to be replaced, over midnight
    miner.mine(60)
    pay(client, miner, kinds)
    miner.mine(55)
    client.mirror(chain)
    first = {row["hash"] for row in client.rows(chain, "blocks")}
    assert compare(client, chain) > 50
    tip = client("getblockcount")
    day = 86400
    midnight = next(
        height
        for height in range(tip, 0, -1)
        if client("getblock", client("getblockhash", height - 1))["time"] // day
        < client("getblock", client("getblockhash", height))["time"] // day
    )
    client("invalidateblock", client("getblockhash", midnight - 3))
    miner.address = client("getnewaddress")
    pay(client, miner, kinds)
    miner.mine(70)
    said = client.mirror(chain)
    assert f"blocks {midnight - 3} to {tip - 2} are replaced" in said
    assert first - {row["hash"] for row in client.rows(chain, "blocks")}
    assert compare(client, chain) > 50


def test_every_row_of_anvil_is_what_it_says(eth: Client) -> None:
    accounts = trade(eth)
    eth.mirror("ethereum")
    blocks = eth.rows("ethereum", "blocks")
    transactions = {row["hash"]: row for row in eth.rows("ethereum", "transactions")}
    calls = {(row["transaction_hash"], row["index"]): row for row in eth.rows("ethereum", "calls")}
    assert len(blocks) > 90
    failed, counted = 0, 0
    for row in blocks:
        said = eth("eth_getBlockByNumber", hex(int(row["id"])), True)
        assert (row["hash"], row["state_root"]) == (said["hash"][2:], said["stateRoot"][2:])
        fees = 0
        for of in said["transactions"]:
            own, receipt = transactions[of["hash"][2:]], eth("eth_getTransactionReceipt", of["hash"])
            fee = int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)
            assert (own["fee"], own["value"]) == (str(fee), str(int(of["value"], 16)))
            assert own["recipient"] == (of["to"] or receipt["contractAddress"])[2:]
            assert own["failed"] == str(int(receipt["status"] == "0x0"))
            assert own["type"].startswith("call" if of["to"] else "create")
            failed += own["failed"] == "1"
            fees += fee
            top = eth("debug_traceTransaction", of["hash"], {"tracer": "callTracer"})
            waiting = [("0", top)]
            while waiting:
                index, frame = waiting.pop()
                call = calls[of["hash"][2:], index]
                assert (call["sender"], call["type"]) == (frame["from"][2:], frame["type"].lower())
                assert call["failed"] == str(int("error" in frame))
                assert call["child_call_count"] == str(len(frame.get("calls", [])))
                waiting += [(f"{index}.{number}", child) for number, child in enumerate(frame.get("calls", []))]
                counted += 1
        burned = int(said["gasUsed"], 16) * int(said["baseFeePerGas"], 16)
        assert (row["fee_total"], row["reward"]) == (str(fees), str(fees - burned))
    assert counted == len(calls)
    assert failed > 50
    # what went through the forwarder arrived, and nothing of what failed
    balance = int(eth("eth_getBalance", accounts[5], hex(int(blocks[-1]["id"]))), 16)
    before = int(eth("eth_getBalance", accounts[5], hex(20000000)), 16)
    arrived = sum(
        int(row["value"]) for row in calls.values() if row["recipient"] == accounts[5][2:] and row["transferred"] == "1"
    )
    sent = sum(
        int(row["value"]) for row in calls.values() if row["sender"] == accounts[5][2:] and row["transferred"] == "1"
    )
    paid = sum(int(row["fee"]) for row in transactions.values() if row["sender"] == accounts[5][2:])
    assert balance == before + arrived - sent - paid
