"""Who pays whom: the spendable outputs of a Bitcoin-like chain and the transactions that move them."""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING, Final

from simulator.blockchair.chains import COIN
from simulator.blockchair.transactions import Transaction
from simulator.blockchair.wallets import data_output

if TYPE_CHECKING:
    from simulator.blockchair.chains import UtxoChain
    from simulator.blockchair.rng import Rng
    from simulator.blockchair.transactions import Output
    from simulator.blockchair.wallets import Wallets

_INPUT_SIZE: Final = 148
_OUTPUT_SIZE: Final = 34
_FRAME_SIZE: Final = 10
_TRIES: Final = 4
_LARGEST_WHALE_PAYMENT: Final = 20_000
_DEFAULT_SEQUENCE: Final = 0xFFFFFFFF
_RECORD: Final = struct.Struct("<qqqqqI32s?")
"""Of an output value, key, block, time, number and place in its transaction, txid, and whether it is a coinbase's."""


class UnspentOutputs:
    """The spendable outputs of a chain, and the people who spend them.

    Outputs are kept as records of 77 bytes, since a year of real size leaves a hundred million.
    """

    def __init__(self, chain: UtxoChain, wallets: Wallets) -> None:
        self._chain = chain
        self._wallets = wallets
        self._spendable = bytearray()
        self._whales: deque[Output] = deque()
        self._keys = chain.opening_whales + chain.opening_users + 1

    def add(self, output: Output) -> None:
        """Make an output available, to everybody or to its large holder; data outputs are left aside."""
        if self._chain.opening_whales and 2 * output.value > self._chain.opening_whale_value:
            self._whales.append(output)
        elif output.key is not None:
            place = (output.block_id, output.time, output.maker, output.index, output.transaction_id)
            self._spendable += _RECORD.pack(output.value, output.key, *place, output.is_from_coinbase)

    @property
    def whales(self) -> int:
        """How many large holders there are."""
        return len(self._whales)

    def new_or_known(self, rng: Rng) -> int:
        """The number of a key to be paid: a new one in a third of the cases, mostly one of the busier ones else."""
        if rng.chance(33):
            self._keys += 1
            return self._keys
        return rng.below(1 + rng.below(self._keys))

    def payment(self, rng: Rng, height: int, time: int) -> Transaction | None:
        """A payment from one to three outputs, or None where nothing that old and large enough can be spent."""
        wanted = 1 if rng.chance(60) else rng.between(2, 3)
        taken = [output for output in (self._take(rng, time) for _ in range(wanted)) if output is not None]
        recipients = 1 if rng.chance(10) else 2 if rng.chance(80) else rng.between(3, 5)
        fee = self._fee(rng, len(taken), recipients)
        left = sum(output.value for output in taken) - fee
        if left < self._chain.dust << recipients:  # enough to halve for every recipient and stay above dust
            for output in taken:
                self.add(output)
            return None
        outputs = []
        for _ in range(recipients - 1):
            value = self._amount(rng, left)
            left -= value
            outputs.append(self._wallets.output(self.new_or_known(rng), value))
        # The rest is change: to the sender's own key now and then, to another one mostly.
        change_key = taken[0].key if rng.chance(30) and taken[0].key is not None else self.new_or_known(rng)
        outputs.insert(rng.between(0, len(outputs)), self._wallets.output(change_key, left))
        if rng.chance(8):
            outputs.append(data_output(rng.raw(rng.between(8, 80))))
        return self._signed(rng, height, taken, outputs)

    def whale_payment(self, rng: Rng, height: int) -> Transaction:
        """A large holder moves everything, paying a little of it to somebody."""
        fortune = self._whales.popleft()
        fee = self._fee(rng, 1, 2)
        paid = rng.between(1, _LARGEST_WHALE_PAYMENT) * COIN
        number = fortune.key if fortune.key is not None else 0
        kept = self._wallets.output(number, fortune.value - paid - fee)
        return self._signed(rng, height, [fortune], [self._wallets.output(self.new_or_known(rng), paid), kept])

    def _signed(self, rng: Rng, height: int, taken: list[Output], outputs: list[Output]) -> Transaction:
        inputs = [self._wallets.spending(output, rng) for output in taken]
        # A lock time counts only where some input is not final.
        may_lock = any(spending.sequence != _DEFAULT_SEQUENCE for spending in inputs)
        return Transaction(
            version=rng.between(1, 2),
            lock_time=height - 1 if may_lock and height and rng.chance(40) else 0,
            inputs=inputs,
            outputs=outputs,
        )

    def _take(self, rng: Rng, time: int) -> Output | None:
        for _ in range(_TRIES):
            count = len(self._spendable) // _RECORD.size
            if not count:
                return None
            at = rng.below(count) * _RECORD.size
            value, key, block_id, made, maker, index, transaction_id, is_from_coinbase = _RECORD.unpack_from(
                self._spendable, at
            )
            if made <= time:
                self._spendable[at : at + _RECORD.size] = self._spendable[-_RECORD.size :]
                del self._spendable[-_RECORD.size :]
                output = self._wallets.output(key, value)
                output.block_id, output.time, output.maker, output.index = block_id, made, maker, index
                output.transaction_id, output.is_from_coinbase = transaction_id, is_from_coinbase
                return output
        return None

    def _fee(self, rng: Rng, inputs: int, outputs: int) -> int:
        if rng.chance(1):
            return 0
        return rng.between(*self._chain.fee_rates) * (
            _FRAME_SIZE + _INPUT_SIZE * inputs + _OUTPUT_SIZE * outputs
        ) + rng.below(100)

    def _amount(self, rng: Rng, available: int) -> int:
        """Part of what is available, at most half, often a round number, never dust."""
        value = max(self._chain.dust, available * rng.between(1, 500) // 1000)
        if value > self._chain.unit_of_price and rng.chance(40):
            value -= value % self._chain.unit_of_price
        return value
