"""A Bitcoin-like chain, block by block: times, payments, coinbase, proof of work."""

from __future__ import annotations

import hashlib
from collections import deque
from typing import TYPE_CHECKING, Final

from simulator.blockchair.balances import KeyBalances
from simulator.blockchair.chains import COIN
from simulator.blockchair.encoding import (
    bits_of,
    header,
    merkle_root,
    push,
    push_number,
    sha256d,
    target_of,
    work_of,
)
from simulator.blockchair.ledger import Ledger
from simulator.blockchair.payments import UnspentOutputs
from simulator.blockchair.rng import Rng, fingerprint
from simulator.blockchair.times import DAY, MEDIAN_SPAN, date_of, median_time, midnight, stray
from simulator.blockchair.transactions import Block, Output, Transaction, pack, unpack
from simulator.blockchair.wallets import Wallets, data_output

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from simulator.blockchair.chains import UtxoChain
    from simulator.settings import Settings
    from simulator.spool import Spool

_MIDSTATE: Final = 64
_NONCE_AT: Final = 76
_WITNESS_COMMITMENT: Final = bytes.fromhex("aa21a9ed")
_RESERVED: Final = bytes(32)
_POOLS: Final = ("Unknown", "Northwind Pool", "Unknown", "Quarry", "Lantern Mining", "Seventh Shaft")
"""Made-up miners; some leave no mark in their blocks."""
_AUX_FLAG: Final = 0x100
_OPENING_AGE: Final = 30
"""Opening outputs are up to so many days old when the world starts."""


class UtxoLedger(Ledger[Block, Transaction]):
    """One Bitcoin-like chain of a world."""

    pack, unpack = staticmethod(pack), staticmethod(unpack)

    def __init__(self, chain: UtxoChain, settings: Settings, spool: Spool, forks: Sequence[int] = ()) -> None:
        super().__init__(chain.name, chain.first_height, settings, spool, forks)
        self._chain = chain
        self._numbered = chain.first_height  # a coinbase each for the blocks of the past
        self._wallets = Wallets(chain, settings.seed)
        self.opening_outputs = _opening_outputs(chain, settings, self._wallets)
        self.opening_supply = sum(output.value for output in self.opening_outputs)
        self._unspent = UnspentOutputs(chain, self._wallets)
        for output in self.opening_outputs:
            self._unspent.add(output)
        self._unripe: deque[tuple[int, list[Output]]] = deque()
        self._parent = bytes(32)
        self._times: deque[int] = deque(maxlen=MEDIAN_SPAN)
        if chain.first_height:  # a past exists, though the world does not show it
            self._parent = fingerprint(settings.seed, chain.name, "parent")
            space = DAY // self.blocks_per_day
            self._times.extend(midnight(settings.start) - space * back for back in range(MEDIAN_SPAN, 0, -1))

    def opening(self) -> KeyBalances:
        """The balances before the first block."""
        return KeyBalances(self._wallets, self.opening_outputs)

    def _day(self, start: int) -> Iterator[Block]:
        blocks = self.blocks_per_day
        day = date_of(start)
        whale_place = Rng(self._settings.seed, self.name, "whales", day).below(blocks)
        for place in range(blocks):
            height = self.first_height + len(self.blocks)
            rng = self._rng(height)
            # Consensus: later than the median of the eleven before, which moves a block by little if at all.
            earliest = median_time(self._times) + 1 if self._times else 0
            time = max(start + stray(place, blocks, rng), earliest)
            while self._unripe and self._unripe[0][0] + self._chain.maturity <= height:
                for output in self._unripe.popleft()[1]:
                    self._unspent.add(output)
            branch = self._branch_at(height)
            if branch:  # its time is that of the block it replaces, all else is its own
                rng = self._rng(height, *branch)
            payments = self._payments(rng, height, time, whales=place == whale_place)
            yield self._block(rng, height, time, payments)

    def _payments(self, rng: Rng, height: int, time: int, *, whales: bool) -> list[Transaction]:
        """The block's transactions but the coinbase; one may spend what an earlier one made."""
        made: list[Transaction] = []

        def settle(payment: Transaction) -> None:
            made.append(payment)
            payment.settle(height, time, self._numbered + len(made))  # after the coinbase
            for output in payment.outputs:
                self._unspent.add(output)

        mean = self.transactions_per_block - 1
        for _ in range(rng.between(mean - mean // 2, mean + mean // 2)):
            payment = self._unspent.payment(rng, height, time)
            if payment is not None:
                settle(payment)
        if whales:
            for _ in range(self._unspent.whales * 4 // 5):
                settle(self._unspent.whale_payment(rng, height))
        return made

    def _block(self, rng: Rng, height: int, time: int, payments: list[Transaction]) -> Block:
        chain = self._chain
        pool = rng.below(len(_POOLS))
        coinbase = self._coinbase(rng, height, pool, payments)
        coinbase.settle(height, time, self._numbered)
        if height:  # the very first coinbase of a chain can never be spent
            self._unripe.append((height, coinbase.outputs))
        transactions = [coinbase, *payments]
        self._numbered += len(transactions)
        root = merkle_root([tx.id for tx in transactions])
        is_aux = chain.merge_mined and rng.chance(80)
        version = rng.pick(chain.versions) if len(chain.versions) > 1 else chain.versions[0]
        version |= _AUX_FLAG if is_aux else 0
        bits = self._bits(rng, height)
        head = header(version, (self._parent, root), time, bits, 0)
        nonce, id_bytes = mine(head, target_of(bits)) if chain.hash_is_work else sealed(head, rng)
        before = self.blocks[-1].chainwork if self.blocks else chain.opening_work
        self._times.append(time)
        self._parent = id_bytes
        return Block(
            id=height,
            id_bytes=id_bytes,
            time=time,
            median_time=median_time(self._times),
            version=version,
            root=root,
            nonce=nonce,
            bits=bits,
            chainwork=before + work_of(bits),
            guessed_miner=_POOLS[pool],
            is_aux=is_aux,
            made=transactions,
        )

    def _coinbase(self, rng: Rng, height: int, pool: int, payments: list[Transaction]) -> Transaction:
        """The transaction that takes subsidy and fees; with witnesses about, it commits to them (BIP 141)."""
        mark = b"" if _POOLS[pool] == "Unknown" else f"/{_POOLS[pool]}/".encode()
        value = self._chain.subsidy(height) + sum(payment.fee for payment in payments)
        # Pools receive under keys that nobody else is paid to; the unmarked ones use a key a block.
        outputs = [self._wallets.output(-1 - pool if mark else -1_000 - height, value)]
        witness: tuple[bytes, ...] = ()
        if self._chain.segwit:
            witness = (_RESERVED,)
            leaves = [bytes(32), *(payment.witness_id for payment in payments)]
            outputs.append(data_output(_WITNESS_COMMITMENT + sha256d(merkle_root(leaves) + _RESERVED)))
        return Transaction(
            version=1,
            lock_time=0,
            inputs=[],
            outputs=outputs,
            coinbase_data=push_number(height) + push(mark + rng.raw(8)),
            coinbase_witness=witness,
        )

    def _bits(self, rng: Rng, height: int) -> int:
        """The compact target: Bitcoin's rule, every 2016 blocks as a rule, or one for every block."""
        easiest = target_of(self._chain.easiest_bits)
        interval = self._chain.retarget_interval
        if interval == 1:
            return bits_of(easiest * rng.between(50, 100) // 100)
        if not self.blocks:
            return self._chain.easiest_bits
        last = self.blocks[-1]
        if height % interval or len(self.blocks) < interval:  # what a chain with a past did then is not shown
            return last.bits
        planned = interval * (DAY // self.blocks_per_day)
        taken = last.time - self.blocks[-interval].time
        taken = min(max(taken, planned // 4), planned * 4)
        return bits_of(min(easiest, target_of(last.bits) * taken // planned))


def mine(head: bytes, target: int) -> tuple[int, bytes]:
    """Find the first nonce for which the header's hash is at or below the target.

    Returns:
        The nonce and the hash in wire order.

    Raises:
        ValueError: No nonce of 32 bits does it.
    """
    midstate = hashlib.sha256(head[:_MIDSTATE])
    rest = head[_MIDSTATE:_NONCE_AT]
    for nonce in range(1 << 32):
        inner = midstate.copy()
        inner.update(rest + nonce.to_bytes(4, "little"))
        digest = hashlib.sha256(inner.digest()).digest()
        if int.from_bytes(digest, "little") <= target:
            return nonce, digest
    raise ValueError("No nonce brings this header under its target.")


def sealed(head: bytes, rng: Rng) -> tuple[int, bytes]:
    """Take any nonce, where the proof of work is not a property of the header's hash.

    Returns:
        The nonce and the hash in wire order.
    """
    nonce = rng.below(1 << 32)
    return nonce, sha256d(head[:_NONCE_AT] + nonce.to_bytes(4, "little"))


def _opening_outputs(chain: UtxoChain, settings: Settings, wallets: Wallets) -> list[Output]:
    """Outputs that older blocks made: a few very large ones, then small ones."""
    outputs = []
    for number in range(chain.opening_whales + chain.opening_users):
        rng = Rng(settings.seed, chain.name, "opening", number)
        is_whale = number < chain.opening_whales
        value = chain.opening_whale_value if is_whale else rng.between(1_000, 1_000_000) * COIN + rng.below(COIN)
        output = wallets.output(number, value)
        age = rng.between(1, _OPENING_AGE * DAY)
        output.time = midnight(settings.start) - age
        # Its height is the one that the spacing of blocks gives for that age.
        output.block_id = chain.first_height - 1 - age * settings.blocks_per_day_of(chain.name) // DAY
        output.transaction_id = rng.raw(32)
        output.index = rng.below(3)
        outputs.append(output)
    for number, output in enumerate(sorted(outputs, key=lambda one: one.block_id)):
        output.maker = chain.first_height - len(outputs) + number
    return outputs
