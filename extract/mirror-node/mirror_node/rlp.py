"""Recursive length prefix, and the root of a trie whose keys are the places in a list.

Both by the Yellow Paper: appendix B (RLP), appendix D (modified Merkle Patricia trie).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from Crypto.Hash import keccak

if TYPE_CHECKING:
    from collections.abc import Sequence

Item: TypeAlias = "bytes | Sequence[Item]"

_SHORT = 55
_HASHED = 32
"""Nodes of so many bytes or more are named by their hash."""


def keccak256(data: bytes) -> bytes:
    """Hash as Ethereum does."""
    return keccak.new(digest_bits=256, data=data).digest()


def encode(item: Item) -> bytes:
    """Write bytes, or a list of such."""
    if isinstance(item, bytes):
        return item if len(item) == 1 and item[0] < 0x80 else _prefix(len(item), 0x80) + item  # noqa: PLR2004
    body = b"".join([encode(each) for each in item])
    return _prefix(len(body), 0xC0) + body


def integer(value: int) -> bytes:
    """Write a number as its bytes without leading zeros; zero is no byte."""
    return value.to_bytes((value.bit_length() + 7) // 8)


def list_root(values: Sequence[bytes]) -> bytes:
    """Give the root of the trie in which each value stands under its place in RLP."""
    if not values:
        return keccak256(encode(b""))
    keyed = sorted((_nibbles(encode(integer(place))), value) for place, value in enumerate(values))
    return keccak256(encode(_node(keyed, 0)))


def _prefix(length: int, offset: int) -> bytes:
    if length <= _SHORT:
        return bytes([offset + length])
    digits = integer(length)
    return bytes([offset + _SHORT + len(digits)]) + digits


def _nibbles(key: bytes) -> bytes:
    return bytes(half for byte in key for half in (byte >> 4, byte & 15))


def _node(keyed: list[tuple[bytes, bytes]], depth: int) -> list[Item]:
    """Give the node of keys that agree up to a depth."""
    first, last = keyed[0][0], keyed[-1][0]
    if len(keyed) == 1:
        return [_path(first[depth:], is_leaf=True), keyed[0][1]]
    shared = depth
    while shared < min(len(first), len(last)) and first[shared] == last[shared]:
        shared += 1
    if shared > depth:
        return [_path(first[depth:shared], is_leaf=False), _reference(_node(keyed, shared))]
    branches: list[Item] = []
    for nibble in range(16):
        below = [pair for pair in keyed if len(pair[0]) > depth and pair[0][depth] == nibble]
        branches.append(_reference(_node(below, depth + 1)) if below else b"")
    ends_here = [value for key, value in keyed if len(key) == depth]
    return [*branches, ends_here[0] if ends_here else b""]


def _reference(node: list[Item]) -> Item:
    written = encode(node)
    return node if len(written) < _HASHED else keccak256(written)


def _path(nibbles: bytes, *, is_leaf: bool) -> bytes:
    """Pack nibbles behind a flag of leaf and odd length."""
    flag = 2 * is_leaf + len(nibbles) % 2
    whole = bytes([flag, *nibbles]) if len(nibbles) % 2 else bytes([flag, 0, *nibbles])
    return bytes(whole[at] << 4 | whole[at + 1] for at in range(0, len(whole), 2))
