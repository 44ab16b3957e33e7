"""Blocks, transactions, receipts and call traces as geth and its kin answer them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from mirror_node.rlp import encode, integer

if TYPE_CHECKING:
    from mirror_node.rlp import Item

_EMPTY: tuple[str, ...] = ()


class _Camel(msgspec.Struct, rename="camel"):
    """Fields are named as in the answers; numbers are hex there."""


class Access(_Camel):
    """An entry of an access list (EIP-2930)."""

    address: str
    storage_keys: list[str]


class Authorization(_Camel):
    """An entry of an authorization list (EIP-7702)."""

    chain_id: str
    address: str
    nonce: str
    r: str
    s: str
    y_parity: str


class Transaction(_Camel):
    """A transaction of any type."""

    hash: str
    nonce: str
    gas: str
    value: str
    input: str
    r: str
    s: str
    sender: str = msgspec.field(name="from")
    v: str | None = None
    to: str | None = None
    type: str = "0x0"
    gas_price: str | None = None
    chain_id: str | None = None
    y_parity: str | None = None
    max_fee_per_gas: str | None = None
    max_priority_fee_per_gas: str | None = None
    max_fee_per_blob_gas: str | None = None
    access_list: list[Access] = []
    blob_versioned_hashes: list[str] = []
    authorization_list: list[Authorization] = []


class Log(_Camel):
    """A log of a receipt."""

    address: str
    topics: list[str]
    data: str


class Receipt(_Camel):
    """A receipt; before Byzantium it has a root in place of a status."""

    transaction_hash: str
    block_hash: str
    cumulative_gas_used: str
    gas_used: str
    logs_bloom: str
    logs: list[Log]
    type: str = "0x0"
    status: str | None = None
    root: str | None = None
    effective_gas_price: str | None = None
    contract_address: str | None = None


class Frame(_Camel):
    """A call as callTracer gives it."""

    type: str
    sender: str = msgspec.field(name="from")
    to: str | None = None
    value: str | None = None
    input: str = "0x"
    output: str | None = None
    error: str | None = None
    calls: list[Frame] = []


class Trace(_Camel):
    """The outermost call of a transaction, which geth names since 1.11."""

    result: Frame
    tx_hash: str | None = None


class Block(_Camel):
    """A block with its transactions; which of the last fields there are depends on the fork."""

    hash: str
    number: str
    parent_hash: str
    sha3_uncles: str = msgspec.field(name="sha3Uncles")
    miner: str
    state_root: str
    transactions_root: str
    receipts_root: str
    logs_bloom: str
    difficulty: str
    gas_limit: str
    gas_used: str
    timestamp: str
    extra_data: str
    mix_hash: str
    nonce: str
    size: str
    uncles: list[str]
    transactions: list[Transaction]
    total_difficulty: str | None = None
    base_fee_per_gas: str | None = None
    withdrawals_root: str | None = None
    blob_gas_used: str | None = None
    excess_blob_gas: str | None = None
    parent_beacon_block_root: str | None = None
    requests_hash: str | None = None


class Parent(_Camel):
    """What a block's base fee follows from."""

    hash: str
    parent_hash: str
    gas_limit: str
    gas_used: str
    base_fee_per_gas: str | None = None

    @property
    def is_first(self) -> bool:
        """Whether it is the first block of its network."""
        return not number(self.parent_hash)


def number(text: str | None) -> int:
    """Read a hex number; 0 where there is none."""
    return int(text, 16) if text else 0


def plain(text: str | None) -> str:
    """Give hex as the dumps write it: without 0x, lower case."""
    return (text or "")[2:].lower()


def header(block: Block) -> bytes:
    """Write a header in RLP, whose hash is the block's."""
    fields: list[Item] = [
        *map(_data, (block.parent_hash, block.sha3_uncles, block.miner, block.state_root, block.transactions_root)),
        *map(_data, (block.receipts_root, block.logs_bloom)),
        *map(_integer, (block.difficulty, block.number, block.gas_limit, block.gas_used, block.timestamp)),
        *map(_data, (block.extra_data, block.mix_hash, block.nonce)),
    ]
    later = (
        (block.base_fee_per_gas, _integer),  # London
        (block.withdrawals_root, _data),  # Shanghai
        (block.blob_gas_used, _integer),  # Cancun, and the next two
        (block.excess_blob_gas, _integer),
        (block.parent_beacon_block_root, _data),
        (block.requests_hash, _data),  # Prague
    )
    fields += [write(value) for value, write in later if value is not None]
    return encode(fields)


def transaction(of: Transaction) -> bytes | None:
    """Write a transaction as it stands in the trie of its block (EIP-2718); None for a type that is not known."""
    kind = number(of.type)
    to, value, data = _data(of.to), _integer(of.value), _data(of.input)
    nonce, gas, signature = _integer(of.nonce), _integer(of.gas), [_integer(of.r), _integer(of.s)]
    if kind == 0:
        return encode([nonce, _integer(of.gas_price), gas, to, value, data, _integer(of.v), *signature])
    access: Item = [[_data(each.address), [_data(key) for key in each.storage_keys]] for each in of.access_list]
    signature.insert(0, _integer(of.y_parity if of.y_parity is not None else of.v))
    head: list[Item] = [_integer(of.chain_id), nonce]
    fees: list[Item] = [_integer(of.max_priority_fee_per_gas), _integer(of.max_fee_per_gas)]
    body: list[Item]
    if kind == 1:  # EIP-2930
        body = [*head, _integer(of.gas_price), gas, to, value, data, access]
    elif kind == 2:  # noqa: PLR2004 (EIP-1559)
        body = [*head, *fees, gas, to, value, data, access]
    elif kind == 3:  # noqa: PLR2004 (EIP-4844)
        blobs = [_data(each) for each in of.blob_versioned_hashes]
        body = [*head, *fees, gas, to, value, data, access, _integer(of.max_fee_per_blob_gas), blobs]
    elif kind == 4:  # noqa: PLR2004 (EIP-7702)
        signed: Item = [
            [_integer(each.chain_id), _data(each.address), *map(_integer, (each.nonce, each.y_parity, each.r, each.s))]
            for each in of.authorization_list
        ]
        body = [*head, *fees, gas, to, value, data, access, signed]
    else:
        return None
    return bytes([kind]) + encode([*body, *signature])


def receipt(of: Receipt) -> bytes:
    """Write a receipt as it stands in the trie of its block."""
    kind = number(of.type)
    outcome = _data(of.root) if of.status is None else _integer(of.status)
    logs: Item = [[_data(log.address), [_data(topic) for topic in log.topics], _data(log.data)] for log in of.logs]
    body = encode([outcome, _integer(of.cumulative_gas_used), _data(of.logs_bloom), logs])
    return bytes([kind]) + body if kind else body


def _data(text: str | None) -> bytes:
    return bytes.fromhex((text or "0x")[2:])


def _integer(text: str | None) -> bytes:
    return integer(number(text))
