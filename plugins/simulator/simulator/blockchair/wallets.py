"""Keys, scripts, addresses and well-formed signatures of a Bitcoin-like chain.

Keys are not points of the curve and signatures sign nothing; their forms, hashes and checksums are real.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from simulator.blockchair.encoding import base58check, hash160, push, segwit_address
from simulator.blockchair.rng import Rng, fingerprint
from simulator.blockchair.transactions import Input, Output

if TYPE_CHECKING:
    from simulator.blockchair.chains import UtxoChain

PUBKEY: Final = "pubkey"
PUBKEYHASH: Final = "pubkeyhash"
WITNESS_KEYHASH: Final = "witness_v0_keyhash"
NULLDATA: Final = "nulldata"

_SIGNATURE_HEAD: Final = bytes.fromhex("30440220")  # a DER sequence of two 32-byte numbers
_SEQUENCES: Final = (0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Key:
    """A public key with the script and the address under which it receives."""

    public: bytes
    type: str
    script: bytes
    address: str


class Wallets:
    """All keys of one chain, by number; a key is the same in every world of the same seed."""

    def __init__(self, chain: UtxoChain, seed: int) -> None:
        self._chain = chain
        self._seed = seed
        self.key = lru_cache(maxsize=1 << 16)(self._key)

    def output(self, number: int, value: int) -> Output:
        """An output of `value` base units to the key of that number."""
        key = self.key(number)
        return Output(
            value=value,
            script=key.script,
            recipient=key.address,
            type=key.type,
            spendable=1 if key.type == PUBKEY else None,
            key=number,
        )

    def spending(self, output: Output, rng: Rng) -> Input:
        """An input that spends an output of one of these keys, signed after the fashion of its type.

        Raises:
            ValueError: The output belongs to no key.
        """
        if output.key is None:
            raise ValueError("A data output cannot be spent.")
        key = self.key(output.key)
        first, second = rng.raw(32), rng.raw(32)
        # Both numbers stay positive (top bit clear) and the second low, as the rules for signatures want.
        low = bytes((first[0] & 0x7F,)) + first[1:], bytes((second[0] & 0x3F,)) + second[1:]
        signature = _SIGNATURE_HEAD + low[0] + b"\x02\x20" + low[1] + b"\x01"
        sequence = rng.pick(_SEQUENCES)
        if key.type == WITNESS_KEYHASH:
            return Input(spent=output, signature=b"", witness=(signature, key.public), sequence=sequence)
        pushed = push(signature) if key.type == PUBKEY else push(signature) + push(key.public)
        return Input(spent=output, signature=pushed, sequence=sequence)

    def _key(self, number: int) -> Key:
        mark = fingerprint(self._seed, self._chain.name, "key", number)
        public = bytes((2 + mark[0] % 2,)) + fingerprint(mark.hex())
        hashed = hash160(public)
        address = base58check(bytes((self._chain.address_version,)) + hashed)
        if mark[1] % 8 == 0:
            return Key(public, PUBKEY, push(public) + b"\xac", address)
        if self._chain.segwit and mark[1] % 2:
            return Key(
                public, WITNESS_KEYHASH, b"\x00" + push(hashed), segwit_address(self._chain.address_prefix, hashed)
            )
        return Key(public, PUBKEYHASH, b"\x76\xa9" + push(hashed) + b"\x88\xac", address)


def data_output(data: bytes) -> Output:
    """An output that carries up to 80 bytes of data and no coins; its recipient is a made-up id with a dash."""
    script = b"\x6a" + push(data)
    return Output(
        value=0, script=script, recipient=f"d-{fingerprint(script.hex()).hex()[:32]}", type=NULLDATA, spendable=0
    )
