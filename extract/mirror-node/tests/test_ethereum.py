"""Ethereum: RLP and roots, a recorded block with all its parts, geth's own call traces, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mirror_node import evm
from mirror_node.chains import CHAINS
from mirror_node.errors import RefusedBlockError
from mirror_node.evm_forms import Block, Parent, Receipt, Trace, header
from mirror_node.rlp import encode, integer, keccak256, list_root
from mirror_node.tables import columns

WITHOUT_ITEMS = "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
KINDS = {
    "blob_tx", "create", "deep_calls", "delegatecall", "inner_throw_outer_revert", "oog", "selfdestruct", "simple"
}  # fmt: skip


@pytest.fixture
def recorded(samples: Path) -> dict[str, Any]:
    """A block of anvil's with five transactions, its receipts and traces."""
    answers = json.loads((samples / "nodes/anvil-1.7.1-rpc.json").read_text())
    return {name: answer.get("result") for name, answer in answers.items()}


def rows_of(recorded: dict[str, Any], parent: Parent | None = None) -> dict[str, list[dict[str, str]]]:
    block = msgspec.convert(recorded["eth_getBlockByNumber"], Block)
    receipts = msgspec.convert(recorded["eth_getBlockReceipts"], list[Receipt])
    traces = msgspec.convert(recorded["debug_traceBlockByNumber"], list[Trace])
    written = evm.rows(block, parent, receipts, traces, "anvil/v1.7.1")
    return {
        table: [dict(zip(names, line.split("\t"), strict=True)) for line in written.tables[table].decode().splitlines()]
        for table, names in columns(CHAINS["ethereum"]).items()
    }


def test_rlp_as_the_yellow_paper_has_it() -> None:
    assert encode(b"dog") == b"\x83dog"
    assert encode([b"cat", b"dog"]) == b"\xc8\x83cat\x83dog"
    assert (encode(b""), encode([]), encode(b"\x0f"), encode(b"\x04\x00")) == (
        b"\x80",
        b"\xc0",
        b"\x0f",
        b"\x82\x04\x00",
    )
    assert encode([[], [[]], [[], [[]]]]) == bytes.fromhex("c7c0c1c0c3c0c1c0")
    assert encode(b"a" * 56) == b"\xb8\x38" + b"a" * 56
    assert (integer(0), integer(1024)) == (b"", b"\x04\x00")
    assert list_root([]).hex() == WITHOUT_ITEMS
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


def test_a_whole_block_proves_itself_and_comes_out_as_rows(recorded: dict[str, Any]) -> None:
    tables = rows_of(recorded)
    block = recorded["eth_getBlockByNumber"]
    (own,) = tables["blocks"]
    assert (own["hash"], own["id"]) == (block["hash"][2:], "2")
    gas, base = int(block["gasUsed"], 16), int(block["baseFeePerGas"], 16)
    assert int(own["reward"]) == int(own["fee_total"]) - gas * base
    assert (own["transaction_count"], own["call_count"], own["uncle_count"]) == ("5", "9", "0")
    receipts = recorded["eth_getBlockReceipts"]
    for row, of, receipt in zip(tables["transactions"], block["transactions"], receipts, strict=True):
        price = int(receipt["effectiveGasPrice"], 16)
        assert row["fee"] == str(int(receipt["gasUsed"], 16) * price)
        assert (row["gas_price"], row["gas_limit"]) == (str(price), str(int(of["gas"], 16)))
        assert row["failed"] == str(int(receipt["status"] == "0x0"))
        assert (row["sender"], row["recipient"]) == (of["from"][2:], of["to"][2:])
        assert (row["v"], row["r"], row["s"]) == tuple(of[name][2:] for name in "vrs")
    assert [row["type"] for row in tables["transactions"]] == ["call", "call", "call_tree", "call_tree", "call"]
    assert [row["internal_value"] for row in tables["transactions"]] == ["7", str(10**18 + 1), "24690", "777", "0"]
    assert sum(int(row["internal_value"]) for row in tables["transactions"]) == int(own["internal_value_total"])
    reverted = tables["calls"][6]
    assert (reverted["index"], reverted["failed"], reverted["transferred"]) == ("0.0", "1", "0")
    assert (reverted["fail_reason"], reverted["value"]) == ("execution reverted", "777")


CHANGES: dict[str, Any] = {
    "the number of receipts": lambda it: it["eth_getBlockReceipts"].pop(),
    "the number of call traces": lambda it: it["debug_traceBlockByNumber"].pop(),
    "a receipt's transaction": lambda it: it["eth_getBlockReceipts"].reverse(),
    "a call trace's transaction": lambda it: it["debug_traceBlockByNumber"].reverse(),
    "a receipt's block": lambda it: it["eth_getBlockReceipts"][3].update(blockHash="0x00"),
    "the receipts' root": lambda it: it["eth_getBlockReceipts"][2].update(status="0x0"),
    "gas used by the transactions": lambda it: it["eth_getBlockReceipts"][2].update(gasUsed="0x1"),
    "the header's hash": lambda it: it["eth_getBlockByNumber"].update(gasUsed="0x1e6f9"),
    "a transaction's hash": lambda it: it["eth_getBlockByNumber"]["transactions"][1].update(value="0x1"),
    "the transactions' root": lambda it: it["eth_getBlockByNumber"]["transactions"].reverse(),
    "the caller of": lambda it: it["debug_traceBlockByNumber"][0]["result"].update({"from": "0x00"}),
    "the type of": lambda it: it["eth_getBlockByNumber"]["transactions"][0].update(type="0x7e"),
}


@pytest.mark.parametrize("rule", CHANGES)
def test_what_does_not_fit_is_refused_by_name(rule: str, recorded: dict[str, Any]) -> None:
    CHANGES[rule](recorded)
    with pytest.raises(RefusedBlockError, match=f"block 2 is refused: {rule}"):
        rows_of(recorded)


def test_the_base_fee_follows_from_the_parent(recorded: dict[str, Any]) -> None:
    block = recorded["eth_getBlockByNumber"]
    # 1.0 gwei of an empty block falls by an eighth
    parent = Parent(
        hash=block["parentHash"],
        parent_hash="0x01",
        gas_limit="0x1c9c380",
        gas_used="0x0",
        base_fee_per_gas="0x3b9aca00",
    )
    assert evm.base_fee_after(parent) == 875_000_000
    full = msgspec.structs.replace(parent, gas_used="0x1c9c380")
    assert evm.base_fee_after(full) == 1_125_000_000
    assert evm.base_fee_after(msgspec.structs.replace(full, base_fee_per_gas="0x1")) == 2
    assert evm.base_fee_after(msgspec.structs.replace(parent, base_fee_per_gas=None)) == 10**9
    with pytest.raises(
        RefusedBlockError, match=f"the base fee is {int(block['baseFeePerGas'], 16)}, expected 1125000000"
    ):
        rows_of(recorded, full)


def test_the_parent_asked_for_is_the_parent_named(recorded: dict[str, Any]) -> None:
    parent = Parent(hash="0x00", parent_hash="0x01", gas_limit="0x2", gas_used="0x1", base_fee_per_gas="0x1")
    with pytest.raises(RefusedBlockError, match="the parent's hash"):
        rows_of(recorded, parent)


def walk(frame: dict[str, Any], path: str = "0", moved: bool = True) -> list[tuple[str, str, bool, int]]:  # noqa: FBT002 (it calls itself)
    """Calls as the contract has them, by a way of its own: path, kind, transferred, moved wei."""
    moved = moved and "error" not in frame
    value = (
        int(frame.get("value") or "0x0", 16) if frame["type"] not in {"DELEGATECALL", "STATICCALL", "CALLCODE"} else 0
    )
    found = [(path, frame["type"].lower(), moved, value)]
    for number, child in enumerate(frame.get("calls", [])):
        found += walk(child, f"{path}.{number}", moved)
    return found


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_geths_own_call_traces_come_out_as_calls(kind: str, samples: Path) -> None:
    result = json.loads((samples / f"nodes/geth_call_tracer_{kind}.json").read_text())["result"]
    trace = msgspec.convert({"result": result}, Trace)
    found = []
    for (front, behind), moved in evm._calls(trace.result):
        (index, depth), fields = front.split("\t"), behind.split("\t")
        assert int(depth) == index.count(".")
        assert (fields[0], fields[1]) in {("0", "\\N"), ("1", fields[1])}
        found.append((index, fields[2], fields[8] == "1", int(fields[6])))
        assert moved == (int(fields[6]) if fields[8] == "1" else 0)
    assert found == walk(result)


def test_a_thousand_nested_calls_are_no_fault() -> None:
    frame: Any = {"type": "CALL", "from": "0x01", "to": "0x02", "value": "0x1"}
    whole = msgspec.convert(frame, evm.Frame)
    for _ in range(1024):
        whole = evm.Frame(type="CALL", sender="0x01", to="0x02", value="0x1", calls=[whole])
    lines = list(evm._calls(whole))
    assert len(lines) == 1025
    assert lines[-1][0][0].endswith("\t1024")


def test_a_real_header_of_the_main_chain_hashes_to_its_hash(samples: Path) -> None:
    block = json.loads((samples / "nodes/ethereum_block_16145146.json").read_text())
    for name in ("number", "gasLimit", "gasUsed", "timestamp", "difficulty", "size"):
        block[name] = hex(int(block[name]))
    block = msgspec.convert({**block, "transactions": [], "totalDifficulty": None}, Block)
    assert "0x" + keccak256(header(block)).hex() == block.hash
