"""bitcoind and its kin: Bitcoin Core, Dogecoin Core, Litecoin Core, Bitcoin SV.

Bitcoin Core from 23.0 on gives the spent outputs with a block (`getblock` with verbosity 3, from its undo data). All
others give the block's bytes, and its header's facts with the txids; a truth value in place of the verbosity is what
all of them understand.
"""

from __future__ import annotations

from array import array
from struct import Struct
from typing import TYPE_CHECKING

import msgspec

from mirror_node.adapters import Tip, Unspent
from mirror_node.amounts import Amount, base_units
from mirror_node.errors import MirrorError, MovedError, RefusedBlockError
from mirror_node.raw_blocks import HEADER_SIZE, RawBlock, double_sha256, read_block, shown
from mirror_node.rpc import Node, RpcError
from mirror_node.utxo import Facts, Spent, Writer, verify_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mirror_node.chains import Chain
    from mirror_node.tables import BlockRows

_CORE = "/Satoshi:"
_WITH_SPENT = 230_000
_HEADER = Struct("<I32s32sIII")
_TIME_AT = 68
_TOO_HIGH = -8  # RPC_INVALID_PARAMETER
_CLIENTS = {
    "Satoshi": "bitcoind",
    "Shibetoshi": "dogecoind",
    "LitecoinCore": "litecoind",
    "Bitcoin SV": "bitcoin-sv",
}


class _Network(msgspec.Struct):
    version: int
    subversion: str


class _ChainInfo(msgspec.Struct):
    chain: str
    blocks: int
    pruned: bool = False
    pruneheight: int = 0


class _Script(msgspec.Struct):
    hex: str


class _Previous(msgspec.Struct):
    generated: bool
    height: int
    value: Amount
    script: _Script = msgspec.field(name="scriptPubKey")


class _Input(msgspec.Struct):
    prevout: _Previous | None = None


class _Transaction(msgspec.Struct):
    hex: str
    inputs: list[_Input] = msgspec.field(name="vin")
    fee: Amount | None = None


class _Summary(msgspec.Struct):
    hash: str
    height: int
    median_time: int = msgspec.field(name="mediantime")
    difficulty: msgspec.Raw
    chainwork: str
    previous: str = msgspec.field(name="previousblockhash", default="00" * 32)


class _Listed(_Summary):
    txids: list[str] = msgspec.field(name="tx", default_factory=list)


class _Whole(_Summary):
    version: int = 0
    root: str = msgspec.field(name="merkleroot", default="")
    time: int = 0
    bits: str = ""
    nonce: int = 0
    transactions: list[_Transaction] = msgspec.field(name="tx", default_factory=list)


class Bitcoind:
    """A node of the kind."""

    def __init__(self, node: Node, chain: Chain) -> None:
        self._node, self._chain = node, chain
        about = node.call("getnetworkinfo", [], _Network)
        info = node.call("getblockchaininfo", [], _ChainInfo)
        self.needs_store = not (about.subversion.startswith(_CORE) and about.version >= _WITH_SPENT)
        self._origin = _origin(about.subversion)
        self._writer = Writer(chain, info.chain, self._origin)
        self._times = array("I")  # of blocks by height; 0: not asked for yet

    def tip(self) -> Tip:
        """Ask for the node's last block."""
        info = self._node.call("getblockchaininfo", [], _ChainInfo)
        return Tip(info.blocks, info.chain, self._origin, info.pruneheight if info.pruned else 0)

    def hash_at(self, height: int) -> str:
        """Ask for a block's hash.

        Raises:
            MovedError: There is no such block.
        """
        try:
            return self._node.call("getblockhash", [height], str)
        except RpcError as error:
            if error.code == _TOO_HIGH:
                raise MovedError(f"the node has no block {height} any more") from None
            raise

    def median_time(self, height: int) -> int:
        """Ask for the median of the last eleven blocks' times."""
        return self._node.call("getblockheader", [self.hash_at(height)], _Summary).median_time

    def rows(self, height: int) -> BlockRows:
        """Read a block with the outputs that it spends, verify it and write its rows."""
        asked = self.hash_at(height)
        found = self._node.call("getblock", [asked, 3], _Whole)
        _verify_asked(found, height, asked)
        raw = _bytes_of(found)
        block = _block(raw, height, self._chain)
        facts = _facts(found, [None if each.fee is None else base_units(each.fee) for each in found.transactions])
        # Bytes before amounts: what is not the block's is not worth a look at its times.
        verify_bytes(facts, block)
        spent = [_previous(each, height) for of in found.transactions[1:] for each in of.inputs]
        times = self._times_of({each.height for each in spent}, height, block.header.time)
        known = [
            Spent(
                each.height, times[each.height], base_units(each.value), each.generated, bytes.fromhex(each.script.hex)
            )
            for each in spent
        ]
        return self._writer.rows(facts, block, known)

    def unspent(self, height: int) -> Unspent:
        """Read a block's bytes and the header's facts."""
        asked = self.hash_at(height)
        found = self._node.call("getblock", [asked, True], _Listed)
        _verify_asked(found, height, asked)
        raw = bytes.fromhex(self._node.call("getblock", [asked, False], str))
        block = _block(raw, height, self._chain)
        facts = _facts(found)
        verify_bytes(facts, block)
        txids = [shown(transaction.txid) for transaction in block.transactions]
        if txids != found.txids:
            raise RefusedBlockError(height, "the list of txids", len(txids), f"the node's {len(found.txids)}")
        return Unspent(facts, block, raw)

    def complete(self, found: Unspent, spent: Sequence[Spent]) -> BlockRows:
        """Verify a block's amounts and write its rows."""
        return self._writer.rows(found.facts, found.block, spent)

    def _times_of(self, heights: set[int], height: int, time: int) -> array[int]:
        """Give the times of blocks by height; each header must hash to the hash that the node has for its height."""
        if len(self._times) <= height:
            self._times.extend([0] * (height + 1 - len(self._times)))
        self._times[height] = time
        lacking = sorted(of for of in heights if not self._times[of])
        hashes = self._node.many("getblockhash", [[of] for of in lacking], str)
        headers = self._node.many("getblockheader", [[of, False] for of in hashes], str)
        for of, expected, text in zip(lacking, hashes, headers, strict=True):
            header = bytes.fromhex(text)
            if shown(double_sha256(header[:HEADER_SIZE])) != expected:
                raise RefusedBlockError(of, "the header's hash", shown(double_sha256(header[:HEADER_SIZE])), expected)
            self._times[of] = int.from_bytes(header[_TIME_AT : _TIME_AT + 4], "little")
        return self._times


def _origin(subversion: str) -> str:
    name, _, version = subversion.strip("/").partition(":")
    plain = "".join(letter if letter.isprintable() and letter.isascii() else "?" for letter in version)
    return f"{_CLIENTS.get(name, 'bitcoind')}/{plain}"


def _verify_asked(found: _Summary, height: int, asked: str) -> None:
    if found.hash != asked:
        raise RefusedBlockError(height, "the hash that the node gives", found.hash, asked)
    if found.height != height:
        raise RefusedBlockError(height, "the height that the node gives", found.height, height)


def _block(raw: bytes, height: int, chain: Chain) -> RawBlock:
    try:
        return read_block(raw, has_auxpow=chain.has_auxpow, has_extension=chain.has_extension)
    except ValueError as error:
        raise RefusedBlockError(height, "the form of its bytes", error, "a whole block") from None


def _facts(found: _Summary, fees: Sequence[int | None] = ()) -> Facts:
    difficulty = bytes(found.difficulty).decode("ascii")
    return Facts(found.height, found.hash, found.median_time, difficulty, found.chainwork, fees)


def _bytes_of(found: _Whole) -> bytes:
    """Put a block together from its header's facts and its transactions' bytes."""
    header = _HEADER.pack(
        found.version & 0xFFFFFFFF,
        bytes.fromhex(found.previous)[::-1],
        bytes.fromhex(found.root)[::-1],
        found.time,
        int(found.bits, 16),
        found.nonce,
    )
    count = len(found.transactions)
    return header + _compact_size(count) + bytes.fromhex("".join([each.hex for each in found.transactions]))


def _compact_size(number: int) -> bytes:
    if number < 0xFD:  # noqa: PLR2004
        return bytes([number])
    return b"\xfd" + number.to_bytes(2, "little") if number < 1 << 16 else b"\xfe" + number.to_bytes(4, "little")


def _previous(spending: _Input, height: int) -> _Previous:
    if spending.prevout is None:
        raise MirrorError(
            f"block {height} cannot be read: the node gives no previous output for one of its inputs, since its undo "
            "data is missing. Nothing of it was written, days before it are kept. Let the node build it again "
            "(bitcoind -reindex-chainstate), then run again."
        )
    return spending.prevout
