"""Transactions, uncles and blocks of Ethereum since London; amounts in wei, hex without 0x."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field, fields
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from simulator.blockchair.archive import Keeping

if TYPE_CHECKING:
    from collections.abc import Sequence

CALL: Final = "call"
CALL_TREE: Final = "call_tree"
CREATE: Final = "create"
SYNTHETIC: Final = "synthetic_coinbase"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An ERC-20 token; `id` numbers all tokens of the chain."""

    address: str
    id: int
    time: int
    name: str
    symbol: str
    decimals: int
    creating_block_id: int
    creating_transaction_hash: str


@dataclass(slots=True)
class EthereumTransaction:
    """A transaction, or the pseudo-transaction that pays the block's reward, which has no hash, sender or gas.

    `position` counts all rows of the block, pseudo-rows last. `internal` are the transfers that a contract made on its
    own: sender, recipient, wei.
    """

    block_id: int
    time: int
    failed: bool
    type: str
    recipient: str
    call_count: int
    value: int
    internal: tuple[tuple[str, str, int], ...] = ()
    position: int = 0
    index: int | None = None
    hash: str | None = None
    sender: str | None = None
    gas_used: int | None = None
    gas_limit: int | None = None
    gas_price: int | None = None
    input_hex: str | None = None
    nonce: int | None = None
    v: str | None = None
    r: str | None = None
    s: str | None = None
    type_2718: int | None = None
    base_fee_per_gas: int | None = None
    max_fee_per_gas: int | None = None
    max_priority_fee_per_gas: int | None = None

    @property
    def id(self) -> int:
        """Blockchair's id: a million per block, and the position (contract 3.9)."""
        return self.block_id * 10**6 + self.position

    @property
    def is_synthetic(self) -> bool:
        """Whether no transaction of the chain stands behind it."""
        return self.type == SYNTHETIC

    @property
    def fee(self) -> int | None:
        """Gas used times the effective price."""
        return None if self.gas_used is None or self.gas_price is None else self.gas_used * self.gas_price

    @property
    def burned(self) -> int | None:
        """Gas used times the base fee (EIP-1559)."""
        return None if self.gas_used is None or self.base_fee_per_gas is None else self.gas_used * self.base_fee_per_gas

    @property
    def version(self) -> int | None:
        """Blockchair's count of fee regimes: 2 with a priority fee of its own, else 0; none for pseudo-rows."""
        return None if self.type_2718 is None else 2 if self.type_2718 else 0

    @property
    def internal_value(self) -> int:
        """Wei moved by all calls of the transaction, its own included; nothing moves when it failed."""
        return 0 if self.failed else self.value + sum(amount for _, _, amount in self.internal)

    def moves(self) -> list[tuple[str, int]]:
        """What the transaction does to balances: address and wei; the miner's part stands in the pseudo-row."""
        moved = [] if self.sender is None else [(self.sender, -(self.fee or 0))]
        if self.failed:
            return moved
        if self.sender is not None:
            moved.append((self.sender, -self.value))
        moved.append((self.recipient, self.value))
        for sender, recipient, amount in self.internal:
            moved += [(sender, -amount), (recipient, amount)]
        return moved


pack: Final = attrgetter(*(part.name for part in fields(EthereumTransaction)))
"""A transaction as a tuple of plain values."""


def unpack(packed: Any) -> EthereumTransaction:  # noqa: ANN401 - what `pack` made
    """The transaction that was packed."""
    return EthereumTransaction(*packed)


@dataclass(kw_only=True)
class Header:
    """What blocks and uncles have."""

    id: int
    hash: str
    time: int
    size: int
    miner: str
    extra_data_hex: str
    difficulty: int
    gas_limit: int
    base_fee_per_gas: int
    logs_bloom: str
    mix_hash: str
    nonce: str
    receipts_root: str
    sha3_uncles: str
    state_root: str
    transactions_root: str
    generation: int


@dataclass(kw_only=True)
class Uncle(Header):
    """A block that lost to another of its height, and that a later one rewards; `id` is its own height."""

    parent_block_id: int
    index: int
    gas_used: int


@dataclass(kw_only=True)
class EthereumBlock(Header, Keeping[EthereumTransaction]):
    """A block; its transactions are the real ones in order, then the pseudo-rows: the miner's, and one per uncle.

    `transfers_before` are the ERC-20 transfers older than the block; `known` and `known_count` hold the tokens that a
    transfer in it may move.
    """

    kept = (
        *("gas_used", "fee_total", "value_total", "internal_value_total", "call_count"),
        *("transaction_count", "synthetic_count", "largest", "real_value_total"),
    )

    made: InitVar[list[EthereumTransaction]]
    uncles: list[Uncle] = field(repr=False)
    total_difficulty: int
    transfers_before: int
    known: Sequence[Token] = field(repr=False)
    known_count: int

    def __post_init__(self, made: list[EthereumTransaction]) -> None:
        """Hold the transactions."""
        Keeping.__init__(self, made)

    @cached_property
    def transaction_count(self) -> int:
        """The chain's own transactions, counted."""
        return len(self.real)

    @cached_property
    def synthetic_count(self) -> int:
        """The pseudo-rows, counted."""
        return len(self.synthetic)

    @property
    def tokens(self) -> Sequence[Token]:
        """The tokens that existed before the block."""
        return self.known[: self.known_count]

    @property
    def real(self) -> list[EthereumTransaction]:
        """The chain's own transactions."""
        return [tx for tx in self.transactions if not tx.is_synthetic]

    @property
    def synthetic(self) -> list[EthereumTransaction]:
        """The pseudo-rows."""
        return [tx for tx in self.transactions if tx.is_synthetic]

    @cached_property
    def largest(self) -> EthereumTransaction | None:
        """The first of the chain's own transactions with the largest value."""
        return max(self.real, key=lambda tx: tx.value, default=None)

    @cached_property
    def real_value_total(self) -> int:
        """Wei moved by the calls of the chain's own transactions."""
        return sum(tx.internal_value for tx in self.real)

    @property
    def uncle_generation(self) -> int:
        """Wei made for the miners of uncles."""
        return sum(uncle.generation for uncle in self.uncles)

    @cached_property
    def gas_used(self) -> int:
        """Gas of all transactions."""
        return sum(tx.gas_used or 0 for tx in self.real)

    @cached_property
    def fee_total(self) -> int:
        """Wei of fees, burned part included."""
        return sum(tx.fee or 0 for tx in self.real)

    @property
    def burned_total(self) -> int:
        """Wei that no one received."""
        return self.base_fee_per_gas * self.gas_used

    @property
    def reward(self) -> int:
        """Wei that the miner received."""
        return self.generation + self.fee_total - self.burned_total

    @cached_property
    def value_total(self) -> int:
        """Wei of the value column over all rows of the block, the pseudo-row included."""
        return sum(tx.value for tx in self.transactions)

    @cached_property
    def internal_value_total(self) -> int:
        """Wei of the internal_value column over all rows of the block."""
        return sum(tx.internal_value for tx in self.transactions)

    @cached_property
    def call_count(self) -> int:
        """Calls of the real transactions."""
        return sum(tx.call_count for tx in self.real)


def next_base_fee(base_fee: int, gas_used: int, gas_limit: int) -> int:
    """The base fee of the block after one with these figures, in wei per gas (EIP-1559)."""
    target = gas_limit // 2
    if gas_used > target:
        return base_fee + max(base_fee * (gas_used - target) // target // 8, 1)
    return base_fee - base_fee * (target - gas_used) // target // 8
