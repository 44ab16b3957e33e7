"""The world as its readers see it: blocks of a day, blocks up to an instant, balances, what waits to be confirmed."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from simulator.blockchair.chains import COIN, ETHEREUM, utxo_chain
from simulator.blockchair.ethereum import EthereumLedger
from simulator.blockchair.ethereum_model import EthereumBlock, Token
from simulator.blockchair.times import DAY
from simulator.blockchair.transactions import Block
from simulator.blockchair.utxo import UtxoLedger
from simulator.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from simulator.blockchair.balances import Holder
    from simulator.blockchair.ledger import Ledger
    from simulator.blockchair.transactions import Input, Output, Transaction
    from simulator.settings import Settings

AnyBlock = Block | EthereumBlock


class World:
    """The simulated chains. Nothing is made before it is asked for, and what fills the memory goes to the spool."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.spool = Spool(settings.state_dir)
        self._forks: dict[str, tuple[int, ...]] = dict.fromkeys(settings.chains, ())
        self._ledgers = {name: self._ledger(name) for name in settings.chains}
        self._missing: dict[str, tuple[datetime, int]] = {}
        self._lock = threading.Lock()

    @property
    def chains(self) -> tuple[str, ...]:
        """The chains' names."""
        return self.settings.chains

    def _ledger(self, chain: str) -> Ledger[Any, Any]:
        if chain == ETHEREUM:
            return EthereumLedger(self.settings, self.spool, self._forks[chain])
        return UtxoLedger(utxo_chain(chain), self.settings, self.spool, self._forks[chain])

    def first_height(self, chain: str) -> int:
        """Height of the chain's first block in this world."""
        return self._ledgers[chain].first_height

    def reorganise(self, chain: str, depth: int, now: datetime, shorter: int = 0) -> Sequence[AnyBlock]:
        """Let the last blocks of a chain, and all to come, be others of the same heights and times.

        The chain is made anew up to there when it is next asked for. So many of the new blocks as `shorter` says come
        only when the clock moves: the chain ends below them until then.

        Returns:
            The blocks that were replaced.

        Raises:
            ValueError: There are not so many, or the later ones are of a day that is over.
        """
        with self._lock:
            blocks = self.blocks_until(chain, now)
            if not 0 < depth <= len(blocks):
                raise ValueError(f"depth is {depth}, but {chain} has {len(blocks)} blocks to replace.")
            today = sum(self.day_of(chain, block.id) == now.date() for block in blocks[-depth:])
            if not 0 <= shorter <= today:
                raise ValueError(f"shorter is {shorter}, but {today} of the blocks to replace are of today.")
            self._missing[chain] = (now, shorter)
            self._forks[chain] = (*self._forks[chain], blocks[-depth].id)
            self._ledgers[chain] = self._ledger(chain)
            return blocks[-depth:]

    def day_of(self, chain: str, height: int) -> date:
        """The day in whose files a block stands."""
        ledger = self._ledgers[chain]
        return self.settings.start + timedelta(days=(height - ledger.first_height) // ledger.blocks_per_day)

    def opening_outputs(self, chain: str) -> Sequence[Output]:
        """Outputs older than the world, in chain order; none on Ethereum."""
        return sorted(self._ledgers[chain].opening_outputs, key=lambda output: output.maker)

    def opening_supply(self, chain: str) -> int:
        """Base units that existed before the world's first block."""
        return self._ledgers[chain].opening_supply

    def tokens_until(self, now: datetime) -> Sequence[Token]:
        """Ethereum's tokens at an instant, in the order of their making."""
        blocks = self.blocks_until(ETHEREUM, now)
        tip = blocks[-1].id if blocks else self.first_height(ETHEREUM) - 1
        return [token for token in self._ledgers[ETHEREUM].tokens if token.creating_block_id <= tip]

    def blocks_of(self, chain: str, day: date) -> Sequence[AnyBlock]:
        """All blocks of a UTC day, in order; none before the world's start. The clock plays no part here."""
        number = (day - self.settings.start).days
        if number < 0:
            return ()
        ledger = self._ledgers[chain]
        per_day = ledger.blocks_per_day
        ledger.grow((number + 1) * per_day)
        return ledger.blocks[number * per_day : (number + 1) * per_day]

    def blocks_until(self, chain: str, now: datetime) -> Sequence[AnyBlock]:
        """All blocks that have arrived by an instant: a block waits for those before it, as it builds on them."""
        now = now.astimezone(UTC)
        number = (now.date() - self.settings.start).days
        if number < 0:
            return ()
        second = int(now.timestamp())
        ledger = self._ledgers[chain]
        arrived = number * ledger.blocks_per_day
        end = arrived + ledger.blocks_per_day
        while arrived < end:
            ledger.grow(arrived + 1)
            if ledger.blocks[arrived].time > second:
                break
            arrived += 1
        since, missing = self._missing.get(chain, (now, 0))
        return ledger.blocks[: arrived - (missing if now <= since else 0)]

    def block_to_come(self, chain: str, now: datetime) -> AnyBlock:
        """The block that arrives next: what it confirms has not been confirmed yet."""
        arrived = len(self.blocks_until(chain, now))
        ledger = self._ledgers[chain]
        ledger.grow(arrived + 1)
        return ledger.blocks[arrived]  # type: ignore[no-any-return]

    def holders(
        self,
        chain: str,
        now: datetime,
        wanted: int | None = None,
        accepts: Callable[[int], bool] | None = None,
        *,
        upwards: bool = False,
    ) -> tuple[list[Holder], int]:
        """Addresses with a balance at an instant, the richest first, as `Balances.richest` finds them."""
        length = len(self.blocks_until(chain, now))
        return self._ledgers[chain].ask_balances(
            length, lambda balances: balances.richest(wanted, accepts, upwards=upwards)
        )

    def holder_count(self, chain: str, now: datetime) -> int:
        """How many addresses have a balance at an instant."""
        return self.holders(chain, now, 0)[1]


@dataclass(frozen=True, slots=True)
class OutputState:
    """An output as the API shows it at an instant: with its spending, if that has come."""

    output: Output
    spending: Input | None

    @property
    def coin_days(self) -> float | None:
        """Whole coins times days: the API leaves the fraction of a coin out (contract 3.3)."""
        if self.spending is None:
            return None
        return self.output.value // COIN * self.spending.lifespan / DAY


@dataclass(frozen=True, kw_only=True)
class ChainView:
    """A chain at an instant (UTC). Without `has_mempool` nothing waits to be confirmed."""

    world: World
    chain: str
    now: datetime
    has_mempool: bool = False

    @cached_property
    def blocks(self) -> Sequence[Any]:
        """What has arrived, in order."""
        return self.world.blocks_until(self.chain, self.now)

    @property
    def tip(self) -> int:
        """Height of the last block; that before the world's first where none has arrived."""
        return int(self.blocks[-1].id) if self.blocks else self.world.first_height(self.chain) - 1

    @cached_property
    def waiting(self) -> list[Any]:
        """The unconfirmed transactions, in the order of the block that will confirm them.

        Each has block -1 and, for its time, when it was seen first: right after the last block (contract 3.2).
        """
        if not self.has_mempool or not self.blocks:
            return []
        coming: Any = self.world.block_to_come(self.chain, self.now)
        seen = self.blocks[-1].time
        if self.chain == ETHEREUM:
            return [replace(tx, block_id=-1, time=seen, index=None) for tx in coming.real]
        return _unconfirmed(coming, seen)

    @cached_property
    def _claims(self) -> dict[tuple[bytes, int], Input]:
        """What waiting transactions spend, by the place of the output."""
        return {(one.spent.transaction_id, one.spent.index): one for tx in self.waiting for one in tx.inputs}

    def output(self, output: Output, spendings: Mapping[tuple[bytes, int], Input]) -> OutputState:
        """An output with its spending, if that is among those that have come, or waits."""
        place = output.transaction_id, output.index
        return OutputState(output, spendings.get(place) or self._claims.get(place))

    def claimed(self) -> list[OutputState]:
        """Confirmed outputs that waiting transactions spend."""
        return [OutputState(one.spent, one) for one in self._claims.values() if one.spent.block_id != -1]


def _unconfirmed(block: Block, seen: int) -> list[Transaction]:
    """A block's payments as they were before it: they may spend each other's outputs."""
    made: dict[tuple[bytes, int], Output] = {}
    waiting = []
    for tx in block.transactions[1:]:
        inputs = [
            replace(one, spent=made.get((one.spent.transaction_id, one.spent.index), one.spent), block_id=-1, time=seen)
            for one in tx.inputs
        ]
        outputs = [replace(output, block_id=-1, time=seen) for output in tx.outputs]
        made |= {(output.transaction_id, output.index): output for output in outputs}
        waiting.append(replace(tx, inputs=inputs, outputs=outputs, block_id=-1, time=seen))
    return waiting
