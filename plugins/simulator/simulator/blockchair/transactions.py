"""Transactions and blocks of a Bitcoin-like chain, and their bytes on the wire (BIP 141 for the witness part)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from simulator.blockchair.encoding import count, sha256d, shown

HEADER_SIZE: Final = 80
_NOWHERE: Final = (bytes(32), 0xFFFFFFFF)
"""What a coinbase's only input points at."""


@dataclass(slots=True, kw_only=True)
class Output:
    """Coins under a script; from the moment its transaction is in a block, with its place in the chain.

    `value` is in base units (satoshi, koinu). `spendable` is 1, 0 or None for "not known". `maker` is the number
    of its transaction, `spending` what spends it, be that in a block of the future.
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
    spending: Input | None = field(default=None, repr=False, compare=False)

    @property
    def transaction_hash(self) -> str:
        """The hash of the transaction that made it, as displayed."""
        return shown(self.transaction_id)


@dataclass(slots=True, kw_only=True)
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


@dataclass(kw_only=True)
class Transaction:
    """A transaction; everything it says of itself follows from its parts.

    `coinbase_data` is the script of a coinbase's only input and None elsewhere. `number` counts the transactions of the
    chain from its beginning; it is Blockchair's internal id (contract 3.9).
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

    @property
    def is_coinbase(self) -> bool:
        """Whether it claims the block's reward."""
        return self.coinbase_data is not None

    @cached_property
    def has_witness(self) -> bool:
        """Whether its serialisation has a witness part."""
        return bool(self.coinbase_witness) or any(spending.witness for spending in self.inputs)

    @cached_property
    def stripped(self) -> bytes:
        """The serialisation that the txid is made of: without witnesses."""
        return self._head() + self._body() + struct.pack("<I", self.lock_time)

    def serialised(self) -> bytes:
        """The full serialisation, with marker, flag and witnesses where it has any."""
        if not self.has_witness:
            return self.stripped
        return self._head() + b"\x00\x01" + self._body() + self._witnesses() + struct.pack("<I", self.lock_time)

    @cached_property
    def id(self) -> bytes:
        """The txid in wire order."""
        return sha256d(self.stripped)

    @property
    def hash(self) -> str:
        """The txid as displayed."""
        return shown(self.id)

    @cached_property
    def size(self) -> int:
        """Bytes of the full serialisation."""
        return len(self.stripped) + (2 + len(self._witnesses()) if self.has_witness else 0)

    @property
    def weight(self) -> int:
        """Weight units: three times the stripped size plus the full size."""
        return 3 * len(self.stripped) + self.size

    @property
    def input_count(self) -> int:
        """Inputs, a coinbase's synthetic one included."""
        return 1 if self.is_coinbase else len(self.inputs)

    @cached_property
    def input_total(self) -> int:
        """Base units spent; 0 for a coinbase."""
        return sum(spending.spent.value for spending in self.inputs)

    @cached_property
    def output_total(self) -> int:
        """Base units paid out."""
        return sum(output.value for output in self.outputs)

    @property
    def fee(self) -> int:
        """Base units left to the miner; 0 for a coinbase."""
        return 0 if self.is_coinbase else self.input_total - self.output_total

    @cached_property
    def coin_seconds(self) -> int:
        """Base units times seconds over all inputs."""
        return sum(spending.coin_seconds for spending in self.inputs)

    def settle(self, block_id: int, time: int) -> None:
        """Give the transaction and its parts their place in the chain; its serialisation is final from here."""
        self.block_id, self.time = block_id, time
        for index, spending in enumerate(self.inputs):
            spending.block_id, spending.time, spending.transaction_id, spending.index = block_id, time, self.id, index
        for index, output in enumerate(self.outputs):
            output.block_id, output.time, output.transaction_id, output.index = block_id, time, self.id, index
            output.is_from_coinbase = self.is_coinbase

    def enter(self, number: int) -> None:
        """Give the transaction its number, and its parts what follows from it."""
        self.number = number
        for spending in self.inputs:
            spending.number = number
            spending.spent.spending = spending
        for output in self.outputs:
            output.maker = number

    def _head(self) -> bytes:
        return struct.pack("<I", self.version)

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


@dataclass(kw_only=True)
class Block:
    """A block of a Bitcoin-like chain; times are seconds since 1970, UTC."""

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
    transactions: list[Transaction] = field(repr=False)

    @property
    def hash(self) -> str:
        """The block's hash as displayed."""
        return shown(self.id_bytes)

    @property
    def coinbase(self) -> Transaction:
        """The transaction that claims the reward."""
        return self.transactions[0]

    @cached_property
    def size(self) -> int:
        """Bytes of header, count and transactions; a merge-mined block's proof is not part of this world."""
        return self._frame + sum(tx.size for tx in self.transactions)

    @cached_property
    def stripped_size(self) -> int:
        """Bytes without witnesses."""
        return self._frame + sum(len(tx.stripped) for tx in self.transactions)

    @property
    def weight(self) -> int:
        """Weight units (BIP 141)."""
        return 3 * self.stripped_size + self.size

    @property
    def _frame(self) -> int:
        return HEADER_SIZE + len(count(len(self.transactions)))

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
