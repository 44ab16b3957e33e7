"""Real blocks, as nodes print them: bytes, hashes, and every column that follows."""

from __future__ import annotations

import gzip
import json
import struct
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mirror_node.amounts import base_units
from mirror_node.chains import CHAINS
from mirror_node.errors import RefusedBlockError
from mirror_node.raw_blocks import double_sha256, merkle_root, read_block, read_transaction, shown
from mirror_node.tables import columns, ratio
from mirror_node.utxo import Facts, Spent, Writer, verify_bytes

COIN = 10**8
GENESIS = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"


def load(samples: Path, name: str) -> Any:
    return json.loads((samples / "nodes" / f"{name}.json").read_text(), parse_float=Decimal)


def header(block: dict[str, Any]) -> bytes:
    fixed = struct.pack("<I", block["version"] & 0xFFFFFFFF), bytes.fromhex(block["previousblockhash"])[::-1]
    rest = struct.pack("<III", block["time"], int(block["bits"], 16), block["nonce"])
    return b"".join(fixed) + bytes.fromhex(block["merkleroot"])[::-1] + rest


def raw(block: dict[str, Any]) -> bytes:
    return header(block) + bytes([len(block["tx"])]) + bytes.fromhex("".join(each["hex"] for each in block["tx"]))


def facts(block: dict[str, Any], fees: list[int | None] | None = None) -> Facts:
    fixed = block["height"], block["hash"], block["mediantime"]
    return Facts(*fixed, str(block["difficulty"]), block["chainwork"], fees or ())


def rows(chain: str, tables: dict[str, bytes], table: str) -> list[dict[str, str]]:
    names = columns(CHAINS[chain])[table]
    return [dict(zip(names, line.split("\t"), strict=True)) for line in tables[table].decode().splitlines()]


def amount(text: Any) -> int:
    return base_units(Decimal(text))


@pytest.mark.parametrize("name", ["bitcoin_block_766390", "bitcoin_block_766393"])
def test_a_real_bitcoin_block_with_what_its_node_says_of_it(name: str, samples: Path) -> None:
    block = load(samples, name)
    found = read_block(raw(block))
    fees = [None if "fee" not in each else amount(each["fee"]) for each in block["tx"]]
    spent = []
    for each, fee in zip(block["tx"][1:], fees[1:], strict=True):
        paid = sum(amount(output["value"]) for output in each["vout"])
        # The sample has no previous outputs: their sum follows from the fee.
        values = [paid + (fee or 0)] + [0] * (len(each["vin"]) - 1)
        spent += [Spent(block["height"] - 1, block["time"] - 86400, value, False, b"\x51") for value in values]
    written = Writer(CHAINS["bitcoin"], "main", "bitcoind/24.0.0").rows(facts(block, fees), found, spent)
    (own,) = rows("bitcoin", written.tables, "blocks")
    assert own["hash"] == block["hash"]
    assert own["merkle_root"] == block["merkleroot"]
    assert (own["size"], own["stripped_size"], own["weight"]) == tuple(
        str(block[name]) for name in ("size", "strippedsize", "weight")
    )
    assert (own["version"], own["version_hex"]) == (str(block["version"]), block["versionHex"].lstrip("0"))
    assert int(own["version_bits"], 2) == block["version"] & 0x3FFFFFFF
    assert (own["bits"], own["nonce"]) == (str(int(block["bits"], 16)), str(block["nonce"]))
    assert (own["difficulty"], own["chainwork"]) == ("34244331613176.18", block["chainwork"])
    assert own["transaction_count"] == str(len(block["tx"])) == str(block["nTx"])
    assert own["fee_total"] == str(sum(fee or 0 for fee in fees))
    assert own["generation"] == "625000000"
    assert own["guessed_miner"] == {766390: "Foundry USA", 766393: "AntPool"}[block["height"]]
    for row, each in zip(rows("bitcoin", written.tables, "transactions"), block["tx"], strict=True):
        assert (row["hash"], row["size"], row["weight"]) == (each["txid"], str(each["size"]), str(each["weight"]))
        assert row["has_witness"] == str(int(each["hash"] != each["txid"]))
        assert (row["version"], row["lock_time"]) == (str(each["version"]), str(each["locktime"]))
        assert row["fee"] == str(amount(each.get("fee", 0)))
        assert (row["input_count"], row["output_count"]) == (str(len(each["vin"])), str(len(each["vout"])))
    made = [(each, output) for each in block["tx"] for output in each["vout"]]
    for row, (each, output) in zip(rows("bitcoin", written.tables, "outputs"), made, strict=True):
        script = output["scriptPubKey"]
        assert (row["transaction_hash"], row["index"]) == (each["txid"], str(output["n"]))
        assert (row["value"], row["script_hex"]) == (str(amount(output["value"])), script["hex"])
        assert (row["type"], row["recipient"]) == (script["type"], script.get("address", ""))
    inputs = [(each, spending) for each in block["tx"][1:] for spending in each["vin"]]
    for row, (each, spending) in zip(rows("bitcoin", written.tables, "inputs"), inputs, strict=True):
        assert (row["spending_transaction_hash"], row["transaction_hash"]) == (each["txid"], spending["txid"])
        assert (row["index"], row["spending_sequence"]) == (str(spending["vout"]), str(spending["sequence"]))
        assert row["spending_signature_hex"] == spending["scriptSig"]["hex"]
        assert row["spending_witness"] == ",".join(spending.get("txinwitness", []))
        assert row["lifespan"] == "86400"


def test_every_flipped_bit_of_a_witness_is_seen(samples: Path) -> None:
    block = load(samples, "bitcoin_block_766390")
    data = bytearray(raw(block))
    item = bytes.fromhex(block["tx"][1]["vin"][0]["txinwitness"][0])
    at = bytes(data).index(item)
    for place in range(at, at + len(item), 7):
        data[place] ^= 4
        with pytest.raises(RefusedBlockError, match=r"block 766390 is refused: the hash of the witnesses is \w+"):
            verify_bytes(facts(block), read_block(bytes(data)))
        data[place] ^= 4
    verify_bytes(facts(block), read_block(bytes(data)))


def test_block_100000_with_its_real_previous_outputs(samples: Path) -> None:
    whole = load(samples, "sqd_bitcoin_block_100000")
    head = whole["header"]
    block = {
        "version": head["version"], "previousblockhash": head["parentHash"], "merkleroot": head["merkleRoot"],
        "time": head["timestamp"], "bits": head["bits"], "nonce": head["nonce"], "hash": head["hash"],
        "height": head["number"], "mediantime": head["medianTime"], "difficulty": head["difficulty"],
        "chainwork": head["chainWork"], "tx": whole["transactions"],
    }  # fmt: skip
    spends = [each for each in whole["inputs"] if each["type"] == "tx"]
    spent = [
        Spent(
            each["prevoutHeight"],
            head["timestamp"] - 3600,
            amount(str(each["prevoutValue"])),
            each["prevoutGenerated"],
            bytes.fromhex(each["prevoutScriptPubKeyHex"]),
        )
        for each in spends
    ]
    written = Writer(CHAINS["bitcoin"], "main", "sample").rows(facts(block), read_block(raw(block)), spent)
    (own,) = rows("bitcoin", written.tables, "blocks")
    assert own["hash"] == "000000000003ba27aa200b1cecaad478d2b00432346c3f1f3986da1afd33e506"
    assert (own["input_total"], own["output_total"], own["fee_total"]) == ("5301000000", "10301000000", "0")
    assert (own["generation"], own["reward"], own["guessed_miner"]) == ("5000000000", "5000000000", "Unknown")
    found = rows("bitcoin", written.tables, "inputs")
    for row, each in zip(found, spends, strict=True):
        assert (row["recipient"], row["type"]) == (
            each["prevoutScriptPubKeyAddress"], each["prevoutScriptPubKeyType"],
        )  # fmt: skip
        assert row["value"] == str(amount(str(each["prevoutValue"])))
    assert [row["transaction_hash"] for row in found] == [each["txid"] for each in spends]


def test_a_real_litecoin_block_with_an_extension_block(samples: Path) -> None:
    block = load(samples, "litecoin_block_2383207")
    plain = raw(block)
    # The extension block follows the transactions; of it the sample has the size alone.
    data = plain + bytes(block["size"] - len(plain))
    found = read_block(data, has_extension=True)
    verify_bytes(facts(block), found)
    assert (found.size, found.stripped, found.weight) == tuple(
        block[name] for name in ("size", "strippedsize", "weight")
    )
    with pytest.raises(ValueError, match="its transactions end at 2596"):
        read_block(data)
    paid = [sum(amount(output["value"]) for output in each["vout"]) for each in block["tx"]]
    # The sample says no fees; the coinbase takes them all.
    paid[1] += paid[0] - 1250000000
    spent = []
    for each, total in zip(block["tx"][1:], paid[1:], strict=True):
        values = [total] + [0] * (len(each["vin"]) - 1)
        spent += [Spent(1, block["time"], value, False, b"\x51") for value in values]
    written = Writer(CHAINS["litecoin"], "main", "litecoind/0.21.2.1").rows(facts(block), found, spent)
    made = [output["scriptPubKey"] for each in block["tx"] for output in each["vout"]]
    for row, script in zip(rows("litecoin", written.tables, "outputs"), made, strict=True):
        address = script.get("address") or (script.get("addresses") or [""])[0]
        assert (row["type"], row["recipient"]) == (script["type"], address)
    for row, each in zip(rows("litecoin", written.tables, "transactions"), block["tx"], strict=True):
        assert (row["hash"], row["size"], row["weight"]) == (each["txid"], str(each["size"]), str(each["weight"]))
    (own,) = rows("litecoin", written.tables, "blocks")
    assert (own["generation"], own["fee_total"]) == ("1250000000", "64095")


@pytest.mark.parametrize("height", [4505707, 4505708, 4505709])
def test_a_real_dogecoin_block_with_auxpow(height: int, samples: Path) -> None:
    block = load(samples, f"dogecoin_block_{height}")
    aux = block["auxpow"]
    root = merkle_root([bytes.fromhex(txid)[::-1] for txid in block["tx"]])
    assert shown(root) == block["merkleroot"]
    # The sample has no bytes of its transactions: made ones follow the real header and AuxPoW.
    coinbase = "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff0101ffffffff01"
    coinbase += "0010a5d4e80000000151" + "00000000"
    branches = b"".join(
        bytes([len(branch)]) + b"".join(bytes.fromhex(each)[::-1] for each in branch) + struct.pack("<I", index)
        for branch, index in ((aux["merklebranch"], aux["index"]), (aux["chainmerklebranch"], aux["chainindex"]))
    )
    proof = bytes.fromhex(aux["tx"]["hex"]) + bytes.fromhex(aux["tx"]["blockhash"])[::-1] + branches
    proof += bytes.fromhex(aux["parentblock"])
    data = header(block) + proof + b"\x01" + bytes.fromhex(coinbase)
    found = read_block(data, has_auxpow=True)
    assert shown(found.hash) == block["hash"]
    assert shown(found.header.merkle_root) == block["merkleroot"]
    assert [each.outputs for each in found.transactions] == [[(10**12, b"\x51")]]
    assert found.size == len(data)
    assert double_sha256(bytes.fromhex(aux["tx"]["hex"])) == bytes.fromhex(aux["tx"]["txid"])[::-1]


def dump(samples: Path, table: str, day: str) -> list[dict[str, str]]:
    path = samples / "blockchair" / "dumps" / f"blockchair_bitcoin_{table}_{day}.tsv.gz"
    head, *lines = gzip.decompress(path.read_bytes()).decode().split("\n")
    return [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]


def test_the_first_published_day_comes_out_byte_for_byte(samples: Path) -> None:
    """Blocks 1 to 14, put together from their known fields, in every column but dollars and miner."""
    blocks = dump(samples, "blocks", "20090109")
    scripts = {row["transaction_hash"]: row["script_hex"] for row in dump(samples, "outputs", "20090109")}
    writer = Writer(CHAINS["bitcoin"], "main", "bitcoind/25.0.0")
    previous, tables = GENESIS, {"blocks": b"", "transactions": b"", "outputs": b"", "inputs": b""}
    for row in blocks:
        script, pays = bytes.fromhex(row["coinbase_data_hex"]), bytes.fromhex(scripts[row["merkle_root"]])
        coinbase = (
            struct.pack("<i", 1) + b"\x01" + bytes(32) + b"\xff" * 4 + bytes([len(script)]) + script + b"\xff" * 4
        )
        coinbase += b"\x01" + struct.pack("<Q", 50 * COIN) + bytes([len(pays)]) + pays + bytes(4)
        assert shown(read_transaction(coinbase)[0].txid) == row["merkle_root"]
        seconds = [_seconds(row[name]) for name in ("time", "median_time")]
        whole = {
            "version": int(row["version"]), "previousblockhash": previous, "merkleroot": row["merkle_root"],
            "time": seconds[0], "bits": f"{int(row['bits']):08x}", "nonce": int(row["nonce"]),
        }  # fmt: skip
        said = Facts(int(row["id"]), row["hash"], seconds[1], row["difficulty"], row["chainwork"])
        written = writer.rows(said, read_block(header(whole) + b"\x01" + coinbase), [])
        tables = {table: lines + written.tables[table] for table, lines in tables.items()}
        previous = row["hash"]
    assert not tables["inputs"]
    for table in ("blocks", "transactions", "outputs"):
        expected = dump(samples, table, "20090109")
        found = rows("bitcoin", tables, table)
        names = [name for name in expected[0] if not name.endswith("_usd") and name != "guessed_miner"]
        assert list(found[0]) == [*expected[0], "origin"]
        assert [[row[name] for name in names] for row in found] == [[row[name] for name in names] for row in expected]
        assert len(found) == 14


def test_the_published_inputs_of_three_days_later_have_the_same_ages(samples: Path) -> None:
    found = dump(samples, "inputs", "20090112")
    assert [ratio(int(row["value"]) * int(row["lifespan"]), COIN * 86400) for row in found] == [
        row["cdd"] for row in found
    ]
    assert len(found) == 7


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
