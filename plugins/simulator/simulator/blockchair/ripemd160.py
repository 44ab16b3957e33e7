"""RIPEMD-160 (Dobbertin, Bosselaers, Preneel 1996) in Python: many builds of OpenSSL leave it out of hashlib."""

from __future__ import annotations

import hashlib
import struct
from typing import Final

_MASK: Final = 0xFFFFFFFF
_START: Final = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)
_LEFT_ADD: Final = (0x00000000, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E)
_RIGHT_ADD: Final = (0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0x00000000)

# Which word of the message, and how far to turn, in each of the 80 steps: one hex digit a step.
_LEFT_WORD: Final = "0123456789abcdef74d1a6f3c0952eb83ae49f812706db5c19ba08c4d37fe56240597c2ae138b6fd"
_RIGHT_WORD: Final = "5e7092b4d6f81a3c6b370d5aef8c4912f5137e69b8c2a04d86413bf05c2d97aecfa4158762de039b"
_LEFT_TURN: Final = "befc5879bdef6798768db97f7cf9b7dcbd67e9dfe8d65c75bcefef989e56865c9f5b68dc5cdeb856"
_RIGHT_TURN: Final = "899bdff5778beec69df7c89b77c76fdb97fb866ecd5edd75f58bee6e69c9c5f885c9c5e68d65fdbb"


def ripemd160(data: bytes) -> bytes:
    """The 20-byte RIPEMD-160 digest of `data`, from OpenSSL where it has it."""
    try:
        return hashlib.new("ripemd160", data, usedforsecurity=False).digest()
    except ValueError:
        return ripemd160_in_python(data)


def ripemd160_in_python(data: bytes) -> bytes:
    """The 20-byte RIPEMD-160 digest of `data`, without OpenSSL."""
    state: tuple[int, ...] = _START
    padded = data + b"\x80" + bytes(-(len(data) + 9) % 64) + struct.pack("<Q", 8 * len(data))
    for at in range(0, len(padded), 64):
        words = struct.unpack_from("<16I", padded, at)
        left = _line(state, words, (_LEFT_WORD, _LEFT_TURN, _LEFT_ADD), range(5))
        right = _line(state, words, (_RIGHT_WORD, _RIGHT_TURN, _RIGHT_ADD), range(4, -1, -1))
        state = tuple((state[(i + 1) % 5] + left[(i + 2) % 5] + right[(i + 3) % 5]) & _MASK for i in range(5))
    return struct.pack("<5I", *state)


def _line(
    state: tuple[int, ...], words: tuple[int, ...], schedule: tuple[str, str, tuple[int, ...]], mixers: range
) -> tuple[int, ...]:
    """One of the two parallel lines: five rounds of 16 steps, each round with its own mixing function."""
    order, turns, constants = schedule
    a, b, c, d, e = state
    for step in range(80):
        which = step // 16
        mixed = a + _mix(mixers[which], b, c, d) + words[int(order[step], 16)] + constants[which]
        a, b, c, d, e = e, (_turn(mixed & _MASK, int(turns[step], 16)) + e) & _MASK, b, _turn(c, 10), d
    return a, b, c, d, e


def _mix(which: int, x: int, y: int, z: int) -> int:
    return (
        x ^ y ^ z,
        (x & y) | (~x & z),
        (x | (~y & _MASK)) ^ z,
        (x & z) | (y & ~z),
        x ^ (y | (~z & _MASK)),
    )[which]


def _turn(value: int, by: int) -> int:
    return ((value << by) | (value >> (32 - by))) & _MASK
