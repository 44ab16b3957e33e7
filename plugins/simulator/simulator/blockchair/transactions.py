"""Transactions and blocks of a Bitcoin-like chain, and their bytes on the wire (BIP 141 for the witness part)."""

from __future__ import annotations

import struct
from dataclasses import InitVar, dataclass, fields
from functools import cached_property
from operator import attrgetter
from typing import Any, Final

from simulator.blockchair.archive import Keeping
from simulator.blockchair.encoding import count, sha256d, shown

HEADER_SIZE: Final = 80
_NOWHERE: Final = (bytes(32), 0xFFFFFFFF)
"""What a coinbase's only input points at."""


@dataclass(slots=True)
class Output:
    """Coins under a script; from the moment its transaction is in a block, with its place in the chain.

    `value` is in base units (satoshi, koinu). `spendable` is 1, 0 or None for "not known". `maker` is the number
    of its transaction.
    """

    value: int
    script: bytes
    recipient: str
    type: str
    spendable: int | None
    key: int | None = None
    is_from_coinbase: bool = False
    block_id: int = -1
    time: int = 0
    transaction_id: bytes = b""
    index: int = 0
    maker: int = -1

    @property
    def transaction_hash(self) -> str:
        """The hash of the transaction that made it, as displayed."""
        return shown(self.transaction_id)


@dataclass(slots=True)
class Input:
    """The spending of an output."""

    spent: Output
    signature: bytes
    witness: tuple[bytes, ...] = ()
    sequence: int = 0xFFFFFFFF
    block_id: int = -1
    time: int = 0
    transaction_id: bytes = b""
    index: int = 0
    number: int = -1

    @property
    def transaction_hash(self) -> str:
        """The hash of the spending transaction, as displayed."""
        return shown(self.transaction_id)

    @property
    def lifespan(self) -> int:
        """Seconds from the block that made the output to the block that spends it."""
        return self.time - self.spent.time

    @property
    def coin_seconds(self) -> int:
        """Base units times seconds; divided by 8.64e12 it is coin-days destroyed."""
        return self.spent.value * self.lifespan


@dataclass(slots=True)
class Transaction:
    """A transaction; everything it says of itself follows from its parts.

    `coinbase_data` is the script of a coinbase's only input and None elsewhere. `number` counts the transactions of the
    chain from its beginning; it is Blockchair's internal id (contract 3.9). From `id` on there is what `settle` works
    out: the txid and the wtxid (BIP 141) in wire order, bytes without witnesses and of all, and base units spent (0 for
    a coinbase) and paid out.
    """

    version: int
    lock_time: int
    inputs: list[Input]
    outputs: list[Output]
    coinbase_data: bytes | None = None
    coinbase_witness: tuple[bytes, ...] = ()
    block_id: int = -1
    time: int = 0
    number: int = -1
    id: bytes = b""
    witness_id: bytes = b""
    stripped_size: int = 0
    size: int = 0
    input_total: int = 0
    output_total: int = 0

    @property
    def is_coinbase(self) -> bool:
        """Whether it claims the block's reward."""
        return self.coinbase_data is not None

    @property
    def has_witness(self) -> bool:
        """Whether its serialisation has a witness part."""
        return self.size > self.stripped_size

    @property
    def hash(self) -> str:
        """The txid as displayed."""
        return shown(self.id)

    @property
    def weight(self) -> int:
        """Weight units: three times the stripped size plus the full size."""
        return 3 * self.stripped_size + self.size

    @property
    def input_count(self) -> int:
        """Inputs, a coinbase's synthetic one included."""
        return 1 if self.is_coinbase else len(self.inputs)

    @property
    def fee(self) -> int:
        """Base units left to the miner; 0 for a coinbase."""
        return 0 if self.is_coinbase else self.input_total - self.output_total

    @property
    def coin_seconds(self) -> int:
        """Base units times seconds over all inputs."""
        return sum(spending.coin_seconds for spending in self.inputs)

    def settle(self, block_id: int, time: int, number: int) -> None:
        """Give the transaction and its parts their place in the chain; its serialisation is final from here."""
        version, body, lock = struct.pack("<I", self.version), self._body(), struct.pack("<I", self.lock_time)
        stripped = version + body + lock
        self.id = self.witness_id = sha256d(stripped)
        self.stripped_size = self.size = len(stripped)
        if self.coinbase_witness or any(spending.witness for spending in self.inputs):
            whole = version + b"\x00\x01" + body + self._witnesses() + lock
            self.witness_id, self.size = sha256d(whole), len(whole)
        self.block_id, self.time, self.number = block_id, time, number
        for index, spending in enumerate(self.inputs):
            spending.block_id, spending.time, spending.transaction_id, spending.index = block_id, time, self.id, index
            spending.number = number
            self.input_total += spending.spent.value
        for index, output in enumerate(self.outputs):
            output.block_id, output.time, output.transaction_id, output.index = block_id, time, self.id, index
            output.is_from_coinbase, output.maker = self.is_coinbase, number
            self.output_total += output.value

    def _body(self) -> bytes:
        if self.coinbase_data is not None:
            sources = [(*_NOWHERE, self.coinbase_data, 0xFFFFFFFF)]
        else:
            sources = [(s.spent.transaction_id, s.spent.index, s.signature, s.sequence) for s in self.inputs]
        spent = b"".join(
            place + struct.pack("<I", index) + count(len(script)) + script + struct.pack("<I", sequence)
            for place, index, script, sequence in sources
        )
        made = b"".join(struct.pack("<Q", out.value) + count(len(out.script)) + out.script for out in self.outputs)
        return count(len(sources)) + spent + count(len(self.outputs)) + made

    def _witnesses(self) -> bytes:
        stacks = [self.coinbase_witness] if self.is_coinbase else [spending.witness for spending in self.inputs]
        return b"".join(count(len(stack)) + b"".join(count(len(i)) + i for i in stack) for stack in stacks)


_output_parts: Final = attrgetter(*(field.name for field in fields(Output)))
_input_parts: Final = attrgetter(*(field.name for field in fields(Input) if field.name != "spent"))
_transaction_parts: Final = attrgetter(*(f.name for f in fields(Transaction) if f.name not in {"inputs", "outputs"}))


def pack(tx: Transaction) -> object:
    """A transaction as tuples of plain values."""
    inputs = [(_output_parts(one.spent), *_input_parts(one)) for one in tx.inputs]
    return inputs, [_output_parts(output) for output in tx.outputs], _transaction_parts(tx)


def unpack(packed: Any) -> Transaction:  # noqa: ANN401 - what `pack` made
    """The transaction that was packed."""
    inputs, outputs, (version, lock_time, *rest) = packed
    spendings = [Input(Output(*spent), *more) for spent, *more in inputs]
    return Transaction(version, lock_time, spendings, [Output(*parts) for parts in outputs], *rest)


@dataclass(kw_only=True)
class Block(Keeping[Transaction]):
    """A block of a Bitcoin-like chain; times are seconds since 1970, UTC."""

    kept = (
        *(
            "coinbase",
            "largest",
            "transaction_count",
            "witness_count",
            "input_count",
            "output_count",
            "size",
            "stripped_size",
        ),
        *("input_total", "output_total", "fee_total", "coin_seconds", "paid_size", "paid_weight"),
    )

    id: int
    id_bytes: bytes
    time: int
    median_time: int
    version: int
    root: bytes
    nonce: int
    bits: int
    chainwork: int
    guessed_miner: str
    is_aux: bool
    made: InitVar[list[Transaction]]

    def __post_init__(self, made: list[Transaction]) -> None:
        """Hold the transactions."""
        super().__init__(made)

    @property
    def hash(self) -> str:
        """The block's hash as displayed."""
        return shown(self.id_bytes)

    @cached_property
    def coinbase(self) -> Transaction:
        """The transaction that claims the reward."""
        return self.transactions[0]

    @cached_property
    def largest(self) -> Transaction:
        """The first of the transactions that pay out the most."""
        return max(self.transactions, key=lambda tx: tx.output_total)

    @cached_property
    def transaction_count(self) -> int:
        """Transactions, the coinbase included."""
        return len(self.transactions)

    @cached_property
    def witness_count(self) -> int:
        """Transactions with a witness part."""
        return sum(tx.has_witness for tx in self.transactions)

    @cached_property
    def input_count(self) -> int:
        """Inputs, the coinbase's synthetic one included."""
        return sum(tx.input_count for tx in self.transactions)

    @cached_property
    def output_count(self) -> int:
        """Outputs of all transactions."""
        return sum(len(tx.outputs) for tx in self.transactions)

    @cached_property
    def size(self) -> int:
        """Bytes of header, count and transactions; a merge-mined block's proof is not part of this world."""
        return self._frame + sum(tx.size for tx in self.transactions)

    @cached_property
    def stripped_size(self) -> int:
        """Bytes without witnesses."""
        return self._frame + sum(tx.stripped_size for tx in self.transactions)

    @property
    def weight(self) -> int:
        """Weight units (BIP 141)."""
        return 3 * self.stripped_size + self.size

    @property
    def _frame(self) -> int:
        return HEADER_SIZE + len(count(self.transaction_count))

    @cached_property
    def input_total(self) -> int:
        """Base units spent, the coinbase left out."""
        return sum(tx.input_total for tx in self.transactions)

    @cached_property
    def output_total(self) -> int:
        """Base units paid out, the coinbase included."""
        return sum(tx.output_total for tx in self.transactions)

    @cached_property
    def fee_total(self) -> int:
        """Base units of fees."""
        return sum(tx.fee for tx in self.transactions)

    @property
    def generation(self) -> int:
        """Base units made by this block."""
        return self.output_total - self.input_total

    @property
    def reward(self) -> int:
        """Base units the miner took: generation and fees."""
        return self.coinbase.output_total

    @cached_property
    def coin_seconds(self) -> int:
        """Base units times seconds over all inputs."""
        return sum(tx.coin_seconds for tx in self.transactions)

    @cached_property
    def paid_size(self) -> int:
        """Bytes of the transactions that pay fees: all but the coinbase."""
        return sum(tx.size for tx in self.transactions[1:])

    @cached_property
    def paid_weight(self) -> int:
        """Weight units of the transactions that pay fees."""
        return sum(tx.weight for tx in self.transactions[1:])
