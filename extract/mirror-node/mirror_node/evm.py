"""Blocks of Ethereum: what each must fulfil, and its rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirror_node import evm_forms as forms
from mirror_node.errors import RefusedBlockError
from mirror_node.evm_forms import Block, Frame, Parent, Receipt, Trace, Transaction, number, plain
from mirror_node.rlp import keccak256, list_root
from mirror_node.tables import NULL, BlockRows, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOVING = frozenset({"CALL", "CREATE", "CREATE2", "SELFDESTRUCT"})
_ETHER = 10**18
_BYZANTIUM, _CONSTANTINOPLE = 4_370_000, 7_280_000  # EIP-649, EIP-1234
_FIRST_BASE_FEE = 10**9  # EIP-1559, as the next two
_ELASTICITY, _DAMPING = 2, 8
_UNCLE_SHARE = 32
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\\]")


@dataclass(frozen=True)
class Moved:
    """Of a transaction: its calls, and the wei that they moved."""

    calls: int
    value: int


def rows(
    block: Block, parent: Parent | None, receipts: Sequence[Receipt], traces: Sequence[Trace], origin: str
) -> BlockRows:
    """Verify a block and write its rows.

    Raises:
        RefusedBlockError: The block breaks a rule.
    """
    verify(block, parent, receipts, traces)
    height, seconds = number(block.number), number(block.timestamp)
    head, time = f"{height}\t", written(seconds)
    calls: list[str] = []
    transactions: list[str] = []
    moved = Moved(0, 0)
    for place, (of, receipt, trace) in enumerate(zip(block.transactions, receipts, traces, strict=True)):
        own = Moved(0, 0)
        middle = f"{head}{plain(of.hash)}\t"
        for line, value in _calls(trace.result):
            calls.append(f"{middle}{line[0]}\t{time}\t{line[1]}\t{origin}\n")
            own = Moved(own.calls + 1, own.value + value)
        moved = Moved(moved.calls + own.calls, moved.value + own.value)
        transactions.append(
            f"{head}{place}\t{plain(of.hash)}\t{time}\t{_transaction(of, receipt, trace, own)}\t{origin}\n"
        )
    tables = {
        "calls": "".join(calls).encode(),
        "transactions": "".join(transactions).encode(),
        "blocks": f"{_block(block, receipts, moved, time)}\t{origin}\n".encode(),
    }
    counts = {"calls": len(calls), "transactions": len(transactions), "blocks": 1}
    return BlockRows(height, plain(block.hash), plain(block.parent_hash), seconds, seconds, tables, counts)


def verify(block: Block, parent: Parent | None, receipts: Sequence[Receipt], traces: Sequence[Trace]) -> None:
    """Hold a block against its hash, and its receipts and traces against the block.

    Raises:
        RefusedBlockError: They do not fit.
    """
    height = number(block.number)

    def require(rule: str, found: object, expected: object) -> None:
        if found != expected:
            raise RefusedBlockError(height, rule, found, expected)

    require("the header's hash", "0x" + keccak256(forms.header(block)).hex(), block.hash)
    encoded = [forms.transaction(of) for of in block.transactions]
    for of, data in zip(block.transactions, encoded, strict=True):
        if data is None:
            raise RefusedBlockError(height, f"the type of {of.hash}", of.type, "0x0 to 0x4")
        require("a transaction's hash", "0x" + keccak256(data).hex(), of.hash)
    require("the transactions' root", _root([data for data in encoded if data]), block.transactions_root)
    require("the number of receipts", len(receipts), len(block.transactions))
    require("the number of call traces", len(traces), len(block.transactions))
    for of, receipt, trace in zip(block.transactions, receipts, traces, strict=True):
        require("a receipt's transaction", receipt.transaction_hash, of.hash)
        require("a receipt's block", receipt.block_hash, block.hash)
        if trace.tx_hash is not None:
            require("a call trace's transaction", trace.tx_hash, of.hash)
        require(f"the caller of {of.hash}", trace.result.sender.lower(), of.sender.lower())
    require("the receipts' root", _root([forms.receipt(receipt) for receipt in receipts]), block.receipts_root)
    require("gas used by the transactions", sum(number(each.gas_used) for each in receipts), number(block.gas_used))
    if parent is not None:
        require("the parent's hash", parent.hash, block.parent_hash)
        # A private network may begin with a base fee, and anvil keeps that of its first block for the next.
        if block.base_fee_per_gas is not None and not parent.is_first:
            require("the base fee", number(block.base_fee_per_gas), base_fee_after(parent))


def base_fee_after(parent: Parent) -> int:
    """Give the base fee of the block behind another one, in wei (EIP-1559)."""
    if parent.base_fee_per_gas is None:
        return _FIRST_BASE_FEE
    fee, used, target = (
        number(parent.base_fee_per_gas),
        number(parent.gas_used),
        number(parent.gas_limit) // _ELASTICITY,
    )
    if used > target:
        return fee + max(fee * (used - target) // target // _DAMPING, 1)
    return fee - fee * (target - used) // target // _DAMPING


def _root(values: list[bytes]) -> str:
    return "0x" + list_root(values).hex()


def _calls(outermost: Frame) -> Iterator[tuple[tuple[str, str], int]]:
    """Write a call and those that it made: columns before and behind `time`; and the wei that it moved."""
    # A stack of its own: calls are nested up to 1,024 deep, as deep as Python's.
    waiting = [(outermost, "0", 0, True)]
    while waiting:
        frame, index, depth, parent_moved = waiting.pop()
        transferred = parent_moved and frame.error is None
        value = number(frame.value) if frame.type in _MOVING else 0
        # An error's text is the node's; the file has no way to write a tab or a backslash in it.
        reason = _UNWRITABLE.sub("?", frame.error) if frame.error is not None else NULL
        recipient = plain(frame.to) or NULL
        behind = (
            f"{frame.error is not None:d}\t{reason}\t{frame.type.lower()}\t{plain(frame.sender)}\t{recipient}\t"
            f"{len(frame.calls)}\t{value}\t{NULL}\t{transferred:d}\t{plain(frame.input)}\t{plain(frame.output)}"
        )
        yield (f"{index}\t{depth}", behind), value if transferred else 0
        children = list(enumerate(frame.calls))
        waiting += [(child, f"{index}.{place}", depth + 1, transferred) for place, child in reversed(children)]


def _transaction(of: Transaction, receipt: Receipt, trace: Trace, own: Moved) -> str:
    """Write a transaction's columns from `failed` on."""
    # Before Byzantium a receipt does not say it.
    failed = receipt.status == "0x0" if receipt.status is not None else trace.result.error is not None
    kind = ("call" if of.to else "create") + ("_tree" if own.calls > 1 else "")
    recipient = plain(of.to or receipt.contract_address) or NULL
    used, price = number(receipt.gas_used), number(receipt.effective_gas_price or of.gas_price)
    return (
        f"{failed:d}\t{kind}\t{plain(of.sender)}\t{recipient}\t{own.calls}\t{number(of.value)}\t{NULL}\t{own.value}\t"
        f"{NULL}\t{used * price}\t{NULL}\t{used}\t{number(of.gas)}\t{price}\t{plain(of.input)}\t{number(of.nonce)}\t"
        f"{plain(of.v or of.y_parity)}\t{plain(of.r)}\t{plain(of.s)}"
    )


def _block(block: Block, receipts: Sequence[Receipt], moved: Moved, time: str) -> str:
    fees = sum(
        number(each.gas_used) * number(each.effective_gas_price or of.gas_price)
        for of, each in zip(block.transactions, receipts, strict=True)
    )
    burned = number(block.gas_used) * number(block.base_fee_per_gas)
    generation = _generation(block)
    fields: list[object] = [
        number(block.number), plain(block.hash), time, number(block.size), plain(block.miner), plain(block.extra_data),
        number(block.difficulty), number(block.gas_used), number(block.gas_limit), plain(block.logs_bloom),
        plain(block.mix_hash), number(block.nonce), plain(block.receipts_root), plain(block.sha3_uncles),
        plain(block.state_root), NULL if block.total_difficulty is None else number(block.total_difficulty),
        plain(block.transactions_root), len(block.uncles), len(block.transactions), 0, moved.calls, 0,
        sum(number(of.value) for of in block.transactions), NULL, moved.value, NULL, generation, NULL,
        NULL if block.uncles else 0, NULL, fees, NULL, generation + fees - burned, NULL,
    ]  # fmt: skip
    return "\t".join(map(str, fields))


def _generation(block: Block) -> int:
    """Give what a block mints for its own miner, in wei: nothing since the Merge, whose blocks have no difficulty."""
    if not number(block.difficulty):
        return 0
    height = number(block.number)
    ether = 5 if height < _BYZANTIUM else 3 if height < _CONSTANTINOPLE else 2
    subsidy = ether * _ETHER if height else 0
    return subsidy + len(block.uncles) * subsidy // _UNCLE_SHARE
