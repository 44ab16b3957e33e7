"""A Bitcoin-like chain, block by block: times, payments, coinbase, proof of work."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from simulator.blockchair.chains import COIN
from simulator.blockchair.dice import Dice, fingerprint
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
from simulator.blockchair.payments import Purse
from simulator.blockchair.times import DAY, MEDIAN_SPAN, median_time, midnight, stray
from simulator.blockchair.transactions import Block, Output, Transaction
from simulator.blockchair.wallets import Wallets, data_output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.blockchair.chains import UtxoChain
    from simulator.blockchair.parameters import WorldParameters

_MIDSTATE: Final = 64
_NONCE_AT: Final = 76
_WITNESS_COMMITMENT: Final = bytes.fromhex("aa21a9ed")
_RESERVED: Final = bytes(32)
_POOLS: Final = ("Unknown", "Northwind Pool", "Unknown", "Quarry", "Lantern Mining", "Seventh Shaft")
"""Made-up miners; some leave no mark in their blocks."""
_AUX_FLAG: Final = 0x100
_OPENING_AGE: Final = 30
"""Opening outputs are up to so many days old when the world starts."""


class UtxoLedger:
    """One Bitcoin-like chain of a world, made day by day and kept.

    A day follows from the parameters and the days before it, never from when or how often it is asked for.

    Args:
        chain: Which chain.
        parameters: The world's parameters.
        forks: Heights from which the chain was replaced by another one, once for each.

    Attributes:
        blocks: All blocks made so far.
        opening: Outputs older than the world, none on a chain that starts at height 0.
    """

    def __init__(self, chain: UtxoChain, parameters: WorldParameters, forks: Sequence[int] = ()) -> None:
        self.chain = chain
        self._forks = tuple(forks)
        self._numbered = chain.first_height  # a coinbase each for the blocks of the past
        self.blocks: list[Block] = []
        self._parameters = parameters
        wallets = Wallets(chain, parameters.seed)
        self.opening = _opening_outputs(chain, parameters, wallets)
        self._wallets = wallets
        self._purse = Purse(chain, wallets)
        for output in self.opening:
            self._purse.put(output)
        self._unripe: deque[tuple[int, list[Output]]] = deque()
        self._days = 0
        self._lock = threading.Lock()
        self._parent = bytes(32)
        self._times: deque[int] = deque(maxlen=MEDIAN_SPAN)
        if chain.first_height:  # a past exists, though the world does not show it
            self._parent = fingerprint(parameters.seed, chain.name, "parent")
            space = DAY // parameters.blocks_per_day
            self._times.extend(midnight(parameters.start) - space * back for back in range(MEDIAN_SPAN, 0, -1))

    def grow(self, days: int) -> None:
        """Make the chain at least so many days long, counted from the world's start."""
        if self._days >= days:
            return
        with self._lock:
            while self._days < days:
                self._day(self._days)
                self._days += 1

    def _day(self, number: int) -> None:
        parameters = self._parameters
        day = parameters.start + timedelta(days=number)
        whale_place = Dice(parameters.seed, self.chain.name, "whales", day).below(parameters.blocks_per_day)
        for place in range(parameters.blocks_per_day):
            height = self.chain.first_height + len(self.blocks)
            dice = Dice(parameters.seed, self.chain.name, height)
            # Consensus: later than the median of the eleven before, which moves a block by little if at all.
            earliest = median_time(self._times) + 1 if self._times else 0
            time = max(midnight(day) + stray(place, parameters.blocks_per_day, dice), earliest)
            while self._unripe and self._unripe[0][0] + self.chain.maturity <= height:
                for output in self._unripe.popleft()[1]:
                    self._purse.put(output)
            branch = sum(fork <= height for fork in self._forks)
            if branch:  # its time is that of the block it replaces, all else is its own
                dice = Dice(parameters.seed, self.chain.name, height, "branch", branch)
            payments = self._payments(dice, height, time, whales=place == whale_place)
            self._append(dice, height, time, payments)

    def _payments(self, dice: Dice, height: int, time: int, *, whales: bool) -> list[Transaction]:
        """The block's transactions but the coinbase; one may spend what an earlier one made."""
        made: list[Transaction] = []

        def settle(payment: Transaction) -> None:
            payment.settle(height, time)
            made.append(payment)
            for output in payment.outputs:
                self._purse.put(output)

        mean = self._parameters.transactions_per_block - 1
        for _ in range(dice.between(mean - mean // 2, mean + mean // 2)):
            payment = self._purse.payment(dice, height, time)
            if payment is not None:
                settle(payment)
        if whales:
            for _ in range(self._purse.whales * 4 // 5):
                settle(self._purse.whale_payment(dice, height))
        return made

    def _append(self, dice: Dice, height: int, time: int, payments: list[Transaction]) -> None:
        chain = self.chain
        pool = dice.below(len(_POOLS))
        coinbase = self._coinbase(dice, height, pool, payments)
        coinbase.settle(height, time)
        if height:  # the very first coinbase of a chain can never be spent
            self._unripe.append((height, coinbase.outputs))
        transactions = [coinbase, *payments]
        for transaction in transactions:
            transaction.enter(self._numbered)
            self._numbered += 1
        root = merkle_root([tx.id for tx in transactions])
        is_aux = chain.merge_mined and dice.chance(80)
        version = dice.pick(chain.versions) if len(chain.versions) > 1 else chain.versions[0]
        version |= _AUX_FLAG if is_aux else 0
        bits = self._bits(dice, height)
        head = header(version, (self._parent, root), time, bits, 0)
        nonce, id_bytes = mine(head, target_of(bits)) if chain.hash_is_work else sealed(head, dice)
        before = self.blocks[-1].chainwork if self.blocks else chain.opening_work
        self._times.append(time)
        block = Block(
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
            transactions=transactions,
        )
        self.blocks.append(block)
        self._parent = id_bytes

    def _coinbase(self, dice: Dice, height: int, pool: int, payments: list[Transaction]) -> Transaction:
        """The transaction that takes subsidy and fees; with witnesses about, it commits to them (BIP 141)."""
        mark = b"" if _POOLS[pool] == "Unknown" else f"/{_POOLS[pool]}/".encode()
        value = self.chain.subsidy(height) + sum(payment.fee for payment in payments)
        # Pools receive under keys that nobody else is paid to; the unmarked ones use a key a block.
        outputs = [self._wallets.output(-1 - pool if mark else -1_000 - height, value)]
        witness: tuple[bytes, ...] = ()
        if self.chain.segwit:
            witness = (_RESERVED,)
            leaves = [bytes(32), *(sha256d(payment.serialised()) for payment in payments)]
            outputs.append(data_output(_WITNESS_COMMITMENT + sha256d(merkle_root(leaves) + _RESERVED)))
        return Transaction(
            version=1,
            lock_time=0,
            inputs=[],
            outputs=outputs,
            coinbase_data=push_number(height) + push(mark + dice.raw(8)),
            coinbase_witness=witness,
        )

    def _bits(self, dice: Dice, height: int) -> int:
        """The compact target: Bitcoin's rule, every 2016 blocks as a rule, or one for every block."""
        easiest = target_of(self.chain.easiest_bits)
        interval = self.chain.retarget_interval
        if interval == 1:
            return bits_of(easiest * dice.between(50, 100) // 100)
        if not self.blocks:
            return self.chain.easiest_bits
        last = self.blocks[-1]
        if height % interval or len(self.blocks) < interval:  # what a chain with a past did then is not shown
            return last.bits
        planned = interval * (DAY // self._parameters.blocks_per_day)
        taken = last.time - self.blocks[-interval].time
        taken = min(max(taken, planned // 4), planned * 4)
        return bits_of(min(easiest, target_of(last.bits) * taken // planned))


def mine(head: bytes, target: int) -> tuple[int, bytes]:
    """Find the first nonce for which the header's hash is at or below the target.

    Args:
        head: 80 bytes of header; its nonce is ignored.
        target: The largest hash allowed.

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


def sealed(head: bytes, dice: Dice) -> tuple[int, bytes]:
    """Take any nonce, where the proof of work is not a property of the header's hash.

    Args:
        head: 80 bytes of header; its nonce is ignored.
        dice: The block's chance.

    Returns:
        The nonce and the hash in wire order.
    """
    nonce = dice.below(1 << 32)
    return nonce, sha256d(head[:_NONCE_AT] + nonce.to_bytes(4, "little"))


def _opening_outputs(chain: UtxoChain, parameters: WorldParameters, wallets: Wallets) -> list[Output]:
    """Outputs that older blocks made: a few very large ones, then small ones."""
    outputs = []
    for number in range(chain.opening_whales + chain.opening_users):
        dice = Dice(parameters.seed, chain.name, "opening", number)
        is_whale = number < chain.opening_whales
        value = chain.opening_whale_value if is_whale else dice.between(1_000, 1_000_000) * COIN + dice.below(COIN)
        output = wallets.output(number, value)
        age = dice.between(1, _OPENING_AGE * DAY)
        output.time = midnight(parameters.start) - age
        # Its height is the one that the spacing of blocks gives for that age.
        output.block_id = chain.first_height - 1 - age * parameters.blocks_per_day // DAY
        output.transaction_id = dice.raw(32)
        output.index = dice.below(3)
        outputs.append(output)
    for number, output in enumerate(sorted(outputs, key=lambda one: one.block_id)):
        output.maker = chain.first_height - len(outputs) + number
    return outputs
