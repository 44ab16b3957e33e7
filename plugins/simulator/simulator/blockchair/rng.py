"""Repeatable random numbers, which depend on nothing but the names they are drawn under."""

from __future__ import annotations

import hashlib
import struct
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")

_BYTES_PER_DRAW: Final = 2048
_WORDS: Final = struct.Struct(f"<{_BYTES_PER_DRAW // 8}Q")


class Rng:
    """A stream of numbers made by SHAKE-256, so that no interpreter's own generator can change a world.

    Equal parts give equal streams: for example seed, chain and height.
    """

    def __init__(self, *parts: object) -> None:
        self._name = "/".join(map(str, parts)).encode()
        self._words = self._stream()

    def _stream(self) -> Iterator[int]:
        turn = 0
        while True:
            yield from _WORDS.unpack(hashlib.shake_256(b"%d:%b" % (turn, self._name)).digest(_BYTES_PER_DRAW))
            turn += 1

    def below(self, bound: int) -> int:
        """A whole number from 0 to `bound` - 1; `bound` is far below 2^64."""
        return next(self._words) % bound

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + next(self._words) % (high - low + 1)

    def chance(self, percent: int) -> bool:
        """True in `percent` of a hundred draws."""
        return next(self._words) % 100 < percent

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[next(self._words) % len(choices)]

    def raw(self, length: int) -> bytes:
        """So many bytes."""
        count = -(-length // 8)
        return struct.pack(f"<{count}Q", *islice(self._words, count))[:length]

    def magnitude(self, low_exponent: int, high_exponent: int) -> int:
        """A number whose decimal exponent is uniform: small amounts are as common as large ones."""
        exponent = self.between(low_exponent, high_exponent - 1)
        return int(self.between(1000, 9999) * 10**exponent) // 1000 + self.below(10**low_exponent)


def fingerprint(*parts: object) -> bytes:
    """32 bytes that stand for the parts, where a chain has a hash whose making is outside this world."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).digest()
