"""How Bitcoin-like chains turn things into bytes: hashes, headers, work, addresses.

Sources: the Bitcoin protocol documentation, BIP 34 (height in the coinbase), BIP 141 (weight), BIP 173 (bech32).
"""

from __future__ import annotations

import hashlib
import struct
from functools import reduce
from operator import xor
from typing import TYPE_CHECKING, Final

from simulator.blockchair.ripemd160 import ripemd160

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_STEPS: Final = tuple(
    reduce(xor, (generator for i, generator in enumerate(_BECH32_GENERATOR) if top >> i & 1), 0) for top in range(32)
)
"""By the five bits that leave a checksum, what they change in it."""
_MANTISSA_SIGN: Final = 0x00800000
_LARGEST_BARE_COUNT: Final = 0xFC
_LARGEST_BARE_PUSH: Final = 75
_OP_PUSHDATA1: Final = 0x4C
_OP_1: Final = 0x51
_LARGEST_SMALL_NUMBER: Final = 16
_HEADER: Final = struct.Struct("<I32s32sIII")

DIFFICULTY_ONE: Final = 0xFFFF << 208
"""The target at which difficulty is 1 (bits 1d00ffff)."""


def sha256d(data: bytes) -> bytes:
    """SHA-256 applied twice; 32 bytes in wire order (a displayed hash is these reversed)."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256: the 20 bytes an address stands for."""
    return ripemd160(hashlib.sha256(data).digest())


def shown(digest: bytes) -> str:
    """A hash as people write it: reversed, in hex."""
    return digest[::-1].hex()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root over at least one hash in wire order; an odd one out is paired with itself at every level."""
    level = list(leaves)
    while len(level) > 1:
        if len(level) % 2:
            level.append(level[-1])
        level = [sha256d(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


def target_of(bits: int) -> int:
    """The 256-bit target that a header's compact `bits` stand for."""
    exponent, mantissa = bits >> 24, bits & 0x007FFFFF
    shift = 8 * (exponent - 3)
    return mantissa << shift if shift >= 0 else mantissa >> -shift


def bits_of(target: int) -> int:
    """The compact form of a target; precision beyond three bytes is cut off, as in a header."""
    size = (target.bit_length() + 7) // 8
    shift = 8 * (size - 3)
    mantissa = target >> shift if shift >= 0 else target << -shift
    if mantissa & _MANTISSA_SIGN:  # the top bit is a sign
        mantissa >>= 8
        size += 1
    return size << 24 | mantissa


def work_of(bits: int) -> int:
    """Expected hashes for a block: 2^256 / (target + 1), rounded down, as chainwork adds it up."""
    return (1 << 256) // (target_of(bits) + 1)


def difficulty_of(bits: int) -> float:
    """How much harder than `DIFFICULTY_ONE`, correctly rounded to a double."""
    return DIFFICULTY_ONE / target_of(bits)


def count(number: int) -> bytes:
    """A variable-length count, as before lists and scripts on the wire."""
    if number <= _LARGEST_BARE_COUNT:
        return bytes((number,))
    if number <= 0xFFFF:  # noqa: PLR2004 - the width itself
        return b"\xfd" + struct.pack("<H", number)
    return b"\xfe" + struct.pack("<I", number)


def push(data: bytes) -> bytes:
    """A script that pushes up to 255 bytes."""
    if len(data) <= _LARGEST_BARE_PUSH:
        return bytes((len(data),)) + data
    return bytes((_OP_PUSHDATA1, len(data))) + data


def push_number(number: int) -> bytes:
    """A script that pushes a number >= 0 in its shortest form, as BIP 34 asks for the height."""
    if number == 0:
        return b"\x00"
    if number <= _LARGEST_SMALL_NUMBER:
        return bytes((_OP_1 + number - 1,))
    return push(number.to_bytes(number.bit_length() // 8 + 1, "little"))  # the top bit stays free: it is a sign


def header(version: int, roots: tuple[bytes, bytes], time: int, bits: int, nonce: int) -> bytes:
    """The 80 bytes of a block header."""
    return _HEADER.pack(version, *roots, time, bits, nonce)


def base58check(payload: bytes) -> str:
    """Version byte and data as an address with its four checksum bytes."""
    whole = payload + sha256d(payload)[:4]
    number, text = int.from_bytes(whole, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "1" * (len(whole) - len(whole.lstrip(b"\0"))) + text


def segwit_address(prefix: str, program: bytes) -> str:
    """The bech32 address (BIP 173) of a version 0 witness program of 20 or 32 bytes."""
    number = int.from_bytes(program, "big")
    length = -(-8 * len(program) // 5)
    number <<= 5 * length - 8 * len(program)
    data = [0, *(number >> 5 * (length - 1 - i) & 31 for i in range(length))]
    stretched = [*(ord(letter) >> 5 for letter in prefix), 0, *(ord(letter) & 31 for letter in prefix)]
    check = _polymod([*stretched, *data, *bytes(6)]) ^ 1
    data += [check >> 5 * (5 - i) & 31 for i in range(6)]
    return f"{prefix}1" + "".join(_BECH32[value] for value in data)


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        check = (check & 0x1FFFFFF) << 5 ^ value ^ _BECH32_STEPS[check >> 25]
    return check
