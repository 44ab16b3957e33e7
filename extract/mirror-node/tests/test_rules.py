"""Each rule by itself, on blocks and files made for it."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mirror_node import evm
from mirror_node.chains import CHAINS
from mirror_node.day_files import DayFiles
from mirror_node.errors import MovedError, RefusedBlockError
from mirror_node.evm_forms import Block, Frame, Receipt, Trace
from mirror_node.mirror import _verify_place
from mirror_node.raw_blocks import RawBlock, read_block
from mirror_node.rlp import encode, keccak256, list_root
from mirror_node.tables import BlockRows, ratio
from mirror_node.utxo import Facts, Spent, Writer, verify_bytes

NOON = int(datetime(2024, 3, 1, 12, tzinfo=UTC).timestamp())
DAY = date(2024, 3, 1)


def read(block: Any) -> tuple[Facts, RawBlock]:
    return Facts(block.height, block.hash, block.median, "1", "00" * 32), read_block(block.raw)


@pytest.fixture
def last(made: Any) -> Any:
    """A block with three payments."""
    chain = made()
    for number in range(4):
        chain.mine(NOON + number)
    return chain.mine(NOON + 9, 3)


def spent_by(block: Any, *less: int) -> list[Spent]:
    coins = [coin for each in block.transactions for coin in each.spends]
    return [
        Spent(coin.height, NOON, coin.value - (less[place] if place < len(less) else 0), True, coin.script)
        for place, coin in enumerate(coins)
    ]


def test_a_fee_below_nothing(last: Any) -> None:
    writer = Writer(CHAINS["bitcoin-sv"], "regtest", "test")
    writer.rows(*read(last), spent_by(last))
    with pytest.raises(RefusedBlockError, match=r"the fee of \w{64} is -1, expected 0 or more"):
        writer.rows(*read(last), spent_by(last, 1001))


def test_a_previous_output_too_few(last: Any) -> None:
    with pytest.raises(RefusedBlockError, match="the number of spent outputs is 2, expected 3"):
        Writer(CHAINS["bitcoin-sv"], "regtest", "test").rows(*read(last), spent_by(last)[1:])


def test_another_order_of_transactions_has_another_root(last: Any) -> None:
    facts, block = read(last)
    block.transactions[1], block.transactions[2] = block.transactions[2], block.transactions[1]
    with pytest.raises(RefusedBlockError, match="the merkle root is"):
        verify_bytes(facts, block)


def test_a_repeated_end_has_the_same_root_and_is_refused(made: Any) -> None:
    chain = made()
    for number in range(4):
        chain.mine(NOON + number)
    facts, block = read(chain.mine(NOON + 9, 2))
    assert len(block.transactions) == 3
    block.transactions.append(block.transactions[-1])
    with pytest.raises(RefusedBlockError, match="the number of different transactions is 3, expected 4"):
        verify_bytes(facts, block)


def test_a_second_coinbase(made: Any) -> None:
    chain = made()
    first, second = chain.mine(NOON), chain.mine(NOON + 1)
    both = chain.add(NOON + 2, [first.transactions[0], second.transactions[0]])
    with pytest.raises(RefusedBlockError, match=r"the place of the coinbase is \[0, 1\], expected \[0\]"):
        verify_bytes(*read(both))


def test_rates_are_of_bytes_and_of_weight(last: Any) -> None:
    written = Writer(CHAINS["bitcoin"], "regtest", "test").rows(*read(last), spent_by(last))
    lines = written.tables["transactions"].decode().splitlines()
    for line, each in zip(lines[1:], last.transactions[1:], strict=True):
        fields = line.split("\t")
        assert fields[17] == ratio(1000 * 1000, len(each.raw)) != fields[19] == ratio(1000 * 1000, 4 * len(each.raw))
    block = written.tables["blocks"].decode().split("\t")
    assert (block[24], block[31], block[33]) == ("3000", str(50 * 10**8), str(50 * 10**8 + 3000))
    size = sum(len(each.raw) for each in last.transactions[1:])
    assert (block[26], block[28]) == (ratio(3_000_000, size), ratio(3_000_000, 4 * size))


def test_ratios_are_plain_decimals() -> None:
    assert [ratio(*pair) for pair in ((0, 5), (5, 0), (10, 5), (1, 3), (1, 10**9))] == [
        *("0", "0", "2", "0.3333333333333333", "0.000000001"),
    ]
    assert ratio(10**40, 2) == "5" + "0" * 39


def rows(height: int, parent: str, time: int) -> BlockRows:
    return BlockRows(height, "aa", parent, time, time, {})


def test_a_block_stands_behind_its_parent() -> None:
    _verify_place(rows(5, "0b", NOON + 1), ("0b", NOON))
    with pytest.raises(MovedError, match="block 5 names 0c as its parent, the mirror has 0b"):
        _verify_place(rows(5, "0c", NOON + 1), ("0b", NOON))
    with pytest.raises(RefusedBlockError, match=f"the time is {NOON}, expected later than {NOON}"):
        _verify_place(rows(5, "0b", NOON), ("0b", NOON))


def test_what_a_call_that_failed_had_called_moves_nothing() -> None:
    inner = Frame(type="CALL", sender="0x02", to="0x03", value="0x5")
    outer = Frame(type="CALL", sender="0x01", to="0x02", value="0x7", error="out of gas", calls=[inner])
    found = [(behind.split("\t")[0], behind.split("\t")[8], moved) for (_, behind), moved in evm._calls(outer)]
    assert found == [("1", "0", 0), ("0", "0", 0)]


def test_the_words_of_a_failure_cannot_break_a_line() -> None:
    frame = Frame(type="CALL", sender="0x01", to="0x02", error="a\tb\nc\\d")
    (((_, behind), _),) = list(evm._calls(frame))
    assert behind.split("\t")[1] == "a?b?c?d"


def test_a_fee_is_of_the_price_that_was_paid(samples: Path) -> None:
    answers = json.loads((samples / "nodes/anvil-1.7.1-rpc.json").read_text())
    receipts = answers["eth_getBlockReceipts"]["result"]
    receipts[1]["effectiveGasPrice"] = "0x2"  # of a transaction that bids more
    block, traces = (answers[name]["result"] for name in ("eth_getBlockByNumber", "debug_traceBlockByNumber"))
    written = evm.rows(
        msgspec.convert(block, Block),
        None,
        msgspec.convert(receipts, list[Receipt]),
        msgspec.convert(traces, list[Trace]),
        "anvil",
    )
    fields = written.tables["transactions"].decode().splitlines()[1].split("\t")
    assert (fields[13], fields[17]) == (str(21000 * 2), "2")


def test_a_node_of_a_trie_is_named_by_its_hash_from_32_bytes_on() -> None:
    for length in (27, 28, 29):
        values = [b"v" * length, b"w" * length]
        leaves = [encode([bytes([0x30 + nibble]), value]) for nibble, value in zip((0, 1), values, strict=True)]
        named = [
            [bytes([0x30 + nibble]), value] if len(leaf) < 32 else keccak256(leaf)
            for nibble, value, leaf in zip((0, 1), values, leaves, strict=True)
        ]
        branch: list[Any] = [b""] * 17
        branch[8], branch[0] = named  # the keys are 0x80 and 0x01
        assert list_root(values) == keccak256(encode(branch))
    assert len(encode([b"\x30", b"v" * 30])) >= 32


def test_a_published_day_is_unpacked_as_it_was(tmp_path: Path) -> None:
    files = DayFiles(CHAINS["ethereum"], tmp_path / "parts", tmp_path / "mirror")
    tables = {"blocks": b"1\ta\n2\tb\n", "transactions": b"t\n", "calls": b""}
    ends = files.append(BlockRows(1, "aa", "bb", NOON, NOON, tables))
    files.sync()
    files.publish(DAY)
    published = {path.name: path.read_bytes() for path in (tmp_path / "mirror").rglob("*.gz")}
    files.forget(DAY)
    assert not list((tmp_path / "parts").iterdir())
    files.cut(DAY, ends)
    assert (tmp_path / "parts/20240301/blocks.tsv").read_bytes() == tables["blocks"]
    assert (tmp_path / "parts/20240301/calls.tsv").read_bytes() == b""
    files.publish(DAY)
    assert {path.name: path.read_bytes() for path in (tmp_path / "mirror").rglob("*.gz")} == published
