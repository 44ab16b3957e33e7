"""A block's bytes: header, AuxPoW, transactions.

Layouts: BIP 144 (transactions with witnesses), Dogecoin's `auxpow.h` (behind the header, where version bit 8 is set),
Litecoin's `transaction.h` and LIP 3 (flag 8 of a transaction; the extension block behind the last transaction).
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from struct import Struct
from typing import NamedTuple

HEADER_SIZE = 80
AUXPOW_BIT = 0x100
NO_OUTPUT = bytes(32) + b"\xff\xff\xff\xff"
"""What a coinbase's input names in place of an output."""

_HEADER = Struct("<i32s32sIII")
_OUTPOINT = 36
_U16, _U32, _U64, _I32 = Struct("<H").unpack_from, Struct("<I").unpack_from, Struct("<Q").unpack_from, Struct("<i")
_WITNESS, _EXTENSION = 1, 8
_BRANCH_SIZE = 32


class Header(NamedTuple):
    """The 80 bytes that a block's hash is of; hashes are in the order of the bytes."""

    version: int
    previous: bytes
    merkle_root: bytes
    time: int
    bits: int
    nonce: int


class Input(NamedTuple):
    """An input: the output that it spends (txid and index, 36 bytes), script, sequence, witness items."""

    outpoint: bytes
    script: bytes
    sequence: int
    witness: list[bytes]


@dataclass(slots=True)
class Transaction:
    """A transaction.

    Attributes:
        txid: Without witness, in the order of the bytes.
        wtxid: With witness, without the mark of Litecoin's extension block.
        size: Bytes with witness.
        stripped: Bytes without witness.
        weight: Four times the bytes without witness, and the bytes of the witness (BIP 141); the mark of Litecoin's
            extension block does not count.
        outputs: Value in base units, and script.
    """

    txid: bytes
    wtxid: bytes
    version: int
    lock_time: int
    size: int
    stripped: int
    weight: int
    has_witness: bool
    inputs: list[Input]
    outputs: list[tuple[int, bytes]]


@dataclass(slots=True)
class RawBlock:
    """A block.

    Attributes:
        hash: In the order of the bytes.
        size: Bytes with witnesses, AuxPoW and extension block.
        stripped: Bytes without witnesses and extension block.
        weight: Four times the bytes of what is no witness, and those of witnesses.
    """

    header: Header
    hash: bytes
    transactions: list[Transaction]
    size: int
    stripped: int
    weight: int


def double_sha256(data: bytes) -> bytes:
    """Hash as blocks and transactions are hashed."""
    return sha256(sha256(data).digest()).digest()


def shown(digest: bytes) -> str:
    """Write a hash as nodes display it: its bytes reversed."""
    return digest[::-1].hex()


def merkle_root(txids: list[bytes]) -> bytes:
    """Combine txids in the block's order; the last one of an odd level counts twice."""
    level = txids
    while len(level) > 1:
        if len(level) % 2:
            level = [*level, level[-1]]
        level = [double_sha256(level[at] + level[at + 1]) for at in range(0, len(level), 2)]
    return level[0] if level else bytes(32)


def read_block(data: bytes, *, has_auxpow: bool = False, has_extension: bool = False) -> RawBlock:
    """Read a block as `getblock HASH 0` gives it.

    Raises:
        ValueError: The bytes end early, or are more than the block.
    """
    try:
        return _read_block(data, has_auxpow=has_auxpow, has_extension=has_extension)
    except (IndexError, ArithmeticError, OverflowError) as error:
        raise ValueError(f"the block's bytes do not fit its form ({error})") from None
    except Exception as error:
        if type(error).__name__ == "error":  # struct's
            raise ValueError("the block's bytes end early") from None
        raise


def _read_block(data: bytes, *, has_auxpow: bool, has_extension: bool) -> RawBlock:
    header = Header(*_HEADER.unpack_from(data))
    at = HEADER_SIZE
    if has_auxpow and header.version & AUXPOW_BIT:
        at = _end_of_auxpow(data, at)
    count, at = _varint(data, at)
    front = at
    transactions = []
    for _ in range(count):
        transaction, at = read_transaction(data, at)
        transactions.append(transaction)
    if at > len(data) or (at < len(data) and not has_extension):
        raise ValueError(f"the block's bytes are {len(data)}, its transactions end at {at}")
    stripped = front + sum(transaction.stripped for transaction in transactions)
    weight = 4 * front + sum(transaction.weight for transaction in transactions)
    return RawBlock(header, double_sha256(data[:HEADER_SIZE]), transactions, len(data), stripped, weight)


def _end_of_auxpow(data: bytes, at: int) -> int:
    """Skip coinbase, hash, branch, index, branch, index and parent's header."""
    _, at = read_transaction(data, at)
    at += _BRANCH_SIZE
    for _ in range(2):
        length, at = _varint(data, at)
        at += length * _BRANCH_SIZE + 4
    return at + HEADER_SIZE


def read_transaction(data: bytes, at: int = 0) -> tuple[Transaction, int]:
    """Read a transaction; returns it and where the next begins."""
    begin = at
    at += 4
    flag = data[at + 1] if data[at] == 0 else 0
    if flag:
        at += 2
    body = at
    count, at = _varint(data, at)
    inputs = []
    for _ in range(count):
        outpoint = data[at : at + _OUTPOINT]
        at += _OUTPOINT
        length = data[at]
        at += 1
        if length > 0xFC:  # noqa: PLR2004
            length, at = _varint(data, at - 1)
        end = at + length
        inputs.append(Input(outpoint, data[at:end], _U32(data, end)[0], []))
        at = end + 4
    outputs, at = _read_outputs(data, at)
    end_of_body = at
    if flag & _WITNESS:
        at = _read_witnesses(data, at, inputs)
    if flag & _EXTENSION:
        if data[at]:
            raise ValueError("a transaction of a block carries data of the extension block")
        at += 1
    lock_time = _U32(data, at)[0]
    at += 4
    plain = data[begin:at] if not flag else data[begin : begin + 4] + data[body:end_of_body] + data[at - 4 : at]
    txid = double_sha256(plain)
    with_witness = at - begin - (1 if flag & _EXTENSION else 0) if flag & _WITNESS else len(plain)
    transaction = Transaction(
        txid,
        double_sha256(_with_witness(data, begin, at, flag)) if flag & _WITNESS else txid,
        _I32.unpack_from(data, begin)[0],
        lock_time,
        at - begin,
        len(plain),
        3 * len(plain) + with_witness,
        bool(flag & _WITNESS),
        inputs,
        outputs,
    )
    return transaction, at


def _with_witness(data: bytes, begin: int, end: int, flag: int) -> bytes:
    if not flag & _EXTENSION:
        return data[begin:end]
    return data[begin : begin + 5] + bytes([_WITNESS]) + data[begin + 6 : end - 5] + data[end - 4 : end]


def _read_outputs(data: bytes, at: int) -> tuple[list[tuple[int, bytes]], int]:
    count, at = _varint(data, at)
    outputs = []
    for _ in range(count):
        value = _U64(data, at)[0]
        length = data[at + 8]
        at += 9
        if length > 0xFC:  # noqa: PLR2004
            length, at = _varint(data, at - 1)
        end = at + length
        outputs.append((value, data[at:end]))
        at = end
    return outputs, at


def _read_witnesses(data: bytes, at: int, inputs: list[Input]) -> int:
    for spending in inputs:
        count, at = _varint(data, at)
        for _ in range(count):
            length, at = _varint(data, at)
            spending.witness.append(data[at : at + length])
            at += length
    return at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a CompactSize; returns it and where it ends."""
    first = data[at]
    if first < 0xFD:  # noqa: PLR2004
        return first, at + 1
    if first == 0xFD:  # noqa: PLR2004
        return _U16(data, at + 1)[0], at + 3
    if first == 0xFE:  # noqa: PLR2004
        return _U32(data, at + 1)[0], at + 5
    return _U64(data, at + 1)[0], at + 9
