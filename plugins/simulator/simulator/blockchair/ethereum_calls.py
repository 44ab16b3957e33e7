"""The calls within Ethereum's transactions, made from a transaction whenever they are asked for.

They agree with what the transaction says of itself: `call_count` of them, moving `internal_value` in all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simulator.blockchair.ethereum_model import CALL, CREATE, SYNTHETIC
from simulator.blockchair.rng import Rng, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simulator.blockchair.ethereum_model import EthereumBlock, EthereumTransaction

_INNER: Final = (CALL, CALL, "delegatecall", "staticcall", "staticcall")
_MOVING: Final = (CALL, CREATE, SYNTHETIC)
_REASONS: Final = ("Reverted", "Out of gas", "Bad instruction", "Bad jump destination")
_DEEPEST: Final = 5
_WORD: Final = 32


@dataclass(slots=True, kw_only=True)
class Call:
    """A call; the path of its `index` leads through the calls that made it. A pseudo-row has no hash and no sender."""

    block_id: int
    transaction_id: int
    transaction_hash: str | None
    index: str
    time: int
    failed: bool
    fail_reason: str | None
    type: str
    sender: str | None
    recipient: str
    value: int
    input_hex: str | None
    output_hex: str | None
    child_call_count: int = 0

    @property
    def depth(self) -> int:
        """How many calls lie above it."""
        return self.index.count(".")

    @property
    def transferred(self) -> bool:
        """Whether its value, be it 0, went from sender to recipient."""
        return not self.failed and self.type in _MOVING


def calls_of(block: EthereumBlock) -> Iterable[Call]:
    """The calls of a block, transaction by transaction, each tree from its root downwards."""
    for transaction in block.transactions:
        yield from _calls(transaction)


def _calls(transaction: EthereumTransaction) -> list[Call]:
    rng = Rng("calls", transaction.hash)
    root = _root(transaction, rng)
    # What the transaction moves within goes out of the contract it called: these are the root's first children.
    moves = [] if transaction.failed else list(transaction.internal)
    calls = [root]
    is_wide = rng.chance(20)
    for _ in range(transaction.call_count - 1):
        shallow = [root] if moves or is_wide else [call for call in calls if call.depth < _DEEPEST]
        parent = rng.pick(shallow)
        call = _inner(transaction, rng, f"{parent.index}.{parent.child_call_count}", parent)
        parent.child_call_count += 1
        if moves:
            call.sender, call.recipient, call.value = moves.pop(0)
            call.type, call.failed, call.fail_reason = CALL, False, None
        calls.append(call)
    return sorted(calls, key=place_in_tree)


def place_in_tree(call: Call) -> tuple[int, ...]:
    """What calls of a transaction are sorted by: 0.2 comes before 0.11, and a call before those it makes."""
    return tuple(map(int, call.index.split(".")))


def _root(transaction: EthereumTransaction, rng: Rng) -> Call:
    kind = transaction.type if transaction.type in (CREATE, SYNTHETIC) else CALL
    output: str | None = ""
    if transaction.is_synthetic:
        output = None
    elif kind == CREATE and not transaction.failed:
        output = rng.raw(_WORD * rng.between(2, 6)).hex()
    return Call(
        block_id=transaction.block_id,
        transaction_id=transaction.id,
        transaction_hash=transaction.hash,
        index="0",
        time=transaction.time,
        failed=transaction.failed,
        fail_reason=rng.pick(_REASONS) if transaction.failed else None,
        type=kind,
        sender=transaction.sender,
        recipient=transaction.recipient,
        value=transaction.value,
        input_hex=transaction.input_hex,
        output_hex=output,
    )


def _inner(transaction: EthereumTransaction, rng: Rng, index: str, parent: Call) -> Call:
    failed = rng.chance(5)
    return Call(
        block_id=transaction.block_id,
        transaction_id=transaction.id,
        transaction_hash=transaction.hash,
        index=index,
        time=transaction.time,
        failed=failed,
        fail_reason=rng.pick(_REASONS) if failed else None,
        type=rng.pick(_INNER),
        sender=parent.recipient,
        recipient=fingerprint("library", rng.below(40)).hex()[-40:],
        value=0,
        input_hex=rng.raw(4 + _WORD * rng.below(3)).hex(),
        output_hex="" if failed else rng.raw(_WORD * rng.below(3)).hex(),
    )
