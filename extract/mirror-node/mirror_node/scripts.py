"""The type of an output's script, and the address that it pays.

Types are named as bitcoind's `Solver` names them; addresses by BIP 13 (base58), BIP 173 (bech32) and BIP 350 (bech32m).
"""

from __future__ import annotations

from base64 import b32encode
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING

from Crypto.Hash import RIPEMD160

if TYPE_CHECKING:
    from mirror_node.chains import Prefixes

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PAIRS = [first + second for first in _BASE58 for second in _BASE58]
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_TO_BECH32 = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _BECH32)
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_CONSTANT, _BECH32M_CONSTANT = 1, 0x2BC830A3
_CHECK_LETTERS = 6

_DUP_HASH = b"\x76\xa9\x14"
_EQUALVERIFY_CHECKSIG = b"\x88\xac"
_CHECKSIG, _EQUAL, _CHECKMULTISIG, _PUSH_4, _LAST_PUSH, _ONE, _SIXTEEN = (
    0xAC, 0x87, 0xAE, 0x4E, 0x60, 0x51, 0x60,
)  # fmt: skip
_KEY_SIZES = {2: 33, 3: 33, 4: 65, 6: 65, 7: 65}
_LITECOIN_VERSIONS = {8: "witness_mweb_hogaddr", 9: "witness_mweb_pegin"}
_WITHOUT_ADDRESS = {"nonstandard", *_LITECOIN_VERSIONS.values()}
_TAPROOT_SIZE = 32
_RETURN = b"\x6a"
_FALSE_RETURN = b"\x00\x6a"
_ANCHOR = b"\x51\x02\x4e\x73"


class Scripts:
    """Reads scripts of one network; remembers the most recent ones, since addresses are used again."""

    def __init__(self, prefixes: Prefixes, *, has_extension: bool = False, has_false_return: bool = False) -> None:
        self._pubkey_hash = bytes([prefixes.pubkey_hash])
        self._script_hash = bytes([prefixes.script_hash])
        self._hrp = prefixes.bech32
        self._has_extension = has_extension
        self._has_false_return = has_false_return
        self._checks = _Checks(prefixes.bech32) if prefixes.bech32 else None
        self.read = lru_cache(maxsize=1 << 16)(self._read)

    def _read(self, script: bytes) -> tuple[str, str]:  # noqa: PLR0911 (a kind of script each)
        """Give a script's type and address; the address is empty where there is none."""
        size = len(script)
        if size == 25 and script[:3] == _DUP_HASH and script[23:] == _EQUALVERIFY_CHECKSIG:  # noqa: PLR2004
            return "pubkeyhash", base58(self._pubkey_hash + script[3:23])
        if size == 23 and script[0] == 0xA9 and script[1] == 0x14 and script[22] == _EQUAL:  # noqa: PLR2004
            return "scripthash", base58(self._script_hash + script[2:22])
        if self._checks and 4 <= size <= 42 and script[1] == size - 2:  # noqa: PLR2004 (BIP 141)
            version = 0 if script[0] == 0 else script[0] - _ONE + 1
            if version == 0 or _ONE <= script[0] <= _SIXTEEN:
                kind = self._witness_type(version, script)
                bare = kind in _WITHOUT_ADDRESS
                return kind, "" if bare else self._checks.address(version, script[2:])
        is_note = script[:1] == _RETURN and _only_pushes(script, 1)
        if is_note or (self._has_false_return and script[:2] == _FALSE_RETURN):
            return "nulldata", ""
        if size in {35, 67} and script[0] == size - 2 and script[-1] == _CHECKSIG:
            if _KEY_SIZES.get(script[1]) != script[0]:
                return "nonstandard", ""
            return "pubkey", base58(self._pubkey_hash + _hash160(script[1:-1]))
        return "multisig" if _is_multisig(script) else "nonstandard", ""

    def _witness_type(self, version: int, script: bytes) -> str:
        size = len(script) - 2
        if version == 0:
            return {20: "witness_v0_keyhash", 32: "witness_v0_scripthash"}.get(size, "nonstandard")
        if version == 1 and size == _TAPROOT_SIZE:
            return "witness_v1_taproot"
        if self._has_extension and version in _LITECOIN_VERSIONS and size == _TAPROOT_SIZE:
            return _LITECOIN_VERSIONS[version]
        return "anchor" if script == _ANCHOR else "witness_unknown"


def base58(payload: bytes) -> str:
    """Write a version byte and a hash of 20 bytes with the checksum (BIP 13)."""
    checked = payload + sha256(sha256(payload).digest()).digest()[:4]
    number = int.from_bytes(checked)
    digits = []
    while number:
        number, pair = divmod(number, 58 * 58)
        digits.append(_PAIRS[pair])
    text = "".join(reversed(digits)).lstrip("1")
    return "1" * (len(checked) - len(checked.lstrip(b"\0"))) + text


class _Checks:
    """Bech32 addresses of one human-readable part.

    The checksum is linear over bits (BIP 173), so that of a whole text is the exclusive or of what each byte of the
    program adds at its place, which a table holds.
    """

    def __init__(self, hrp: str) -> None:
        self._hrp = hrp
        self._tables: dict[tuple[int, int], tuple[int, list[list[int]]]] = {}

    def address(self, version: int, program: bytes) -> str:
        start, tables = self._table(version, len(program))
        check = start
        for table, byte in zip(tables, program, strict=True):
            check ^= table[byte]
        letters = (len(program) * 8 + 4) // 5
        data = b32encode(program).decode("ascii")[:letters].translate(_TO_BECH32)
        tail = "".join([_BECH32[check >> 5 * (5 - place) & 31] for place in range(_CHECK_LETTERS)])
        return f"{self._hrp}1{_BECH32[version]}{data}{tail}"

    def _table(self, version: int, size: int) -> tuple[int, list[list[int]]]:
        found = self._tables.get((version, size))
        if found is None:
            zero = self._checksum(version, bytes(size))
            rows = []
            for place in range(size):
                # From the bits of a byte: the checksum of a sum is the sum of the checksums.
                bits = [
                    self._checksum(version, bytes(place) + bytes([1 << bit]) + bytes(size - place - 1)) ^ zero
                    for bit in range(8)
                ]
                row = [0]
                for bit in range(8):
                    row += [value ^ bits[bit] for value in row]
                rows.append(row)
            found = self._tables[version, size] = (zero, rows)
        return found

    def _checksum(self, version: int, program: bytes) -> int:
        values = [ord(letter) >> 5 for letter in self._hrp] + [0] + [ord(letter) & 31 for letter in self._hrp]
        bits = "".join(f"{byte:08b}" for byte in program)
        bits += "0" * (-len(bits) % 5)
        values += [version, *(int(bits[at : at + 5], 2) for at in range(0, len(bits), 5))]
        check = 1
        for value in (*values, *[0] * _CHECK_LETTERS):
            top = check >> 25
            check = (check & 0x1FFFFFF) << 5 ^ value
            for place, generator in enumerate(_GENERATORS):
                check ^= generator if top >> place & 1 else 0
        return check ^ (_BECH32M_CONSTANT if version else _BECH32_CONSTANT)


def _hash160(data: bytes) -> bytes:
    return RIPEMD160.new(sha256(data).digest()).digest()


def _only_pushes(script: bytes, start: int) -> bool:
    """Whether a script from a place on only pushes data, as `IsPushOnly` has it."""
    at, size = start, len(script)
    while at < size:
        code = script[at]
        at += 1
        if code > _LAST_PUSH:
            return False
        if code < 0x4C:  # noqa: PLR2004 (the number of bytes itself)
            at += code
        elif code <= _PUSH_4:
            wide = 1 << code - 0x4C
            if at + wide > size:
                return False
            at += wide + int.from_bytes(script[at : at + wide], "little")
    return at == size


def _is_multisig(script: bytes) -> bool:
    if len(script) < 37 or script[-1] != _CHECKMULTISIG or not _ONE <= script[0] <= script[-2] <= _SIXTEEN:  # noqa: PLR2004
        return False
    at, keys, end = 1, 0, len(script) - 2
    while at < end:
        size = script[at]
        if at + 1 + size > end or size == 0 or _KEY_SIZES.get(script[at + 1]) != size:
            return False
        at += 1 + size
        keys += 1
    return keys == script[-2] - _ONE + 1
