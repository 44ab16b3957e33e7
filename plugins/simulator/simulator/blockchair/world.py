"""The world as its readers see it: blocks of a day, blocks up to an instant, balances."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from simulator.blockchair.chains import ETHEREUM, utxo_chain
from simulator.blockchair.ethereum import EthereumLedger
from simulator.blockchair.ethereum_model import CREATE, EthereumBlock, Token
from simulator.blockchair.transactions import Block
from simulator.blockchair.utxo import UtxoLedger
from simulator.blockchair.wallets import NULLDATA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.blockchair.parameters import WorldParameters
    from simulator.blockchair.transactions import Output

AnyBlock = Block | EthereumBlock


@dataclass
class Holder:
    """An address with its balance in base units; the rest is Ethereum's."""

    address: str
    balance: int
    nonce: int = 0
    is_contract: bool = False


@dataclass
class _Book:
    """Balances after so many blocks."""

    blocks: int = 0
    holders: dict[str, Holder] = field(default_factory=dict)

    def move(self, address: str, amount: int) -> Holder:
        holder = self.holders.get(address)
        if holder is None:
            holder = self.holders[address] = Holder(address, 0)
        holder.balance += amount
        return holder


class World:
    """The simulated chains. Nothing is made before it is asked for.

    Args:
        parameters: What makes the world.
    """

    def __init__(self, parameters: WorldParameters) -> None:
        self.parameters = parameters
        self._forks: dict[str, tuple[int, ...]] = dict.fromkeys(parameters.chains, ())
        self._ledgers = {name: self._ledger(name) for name in parameters.chains}
        self._books: dict[str, _Book] = {}
        self._missing: dict[str, tuple[datetime, int]] = {}
        self._lock = threading.Lock()

    @property
    def chains(self) -> tuple[str, ...]:
        """The chains' names."""
        return self.parameters.chains

    def _ledger(self, chain: str) -> UtxoLedger | EthereumLedger:
        if chain == ETHEREUM:
            return EthereumLedger(self.parameters, self._forks[chain])
        return UtxoLedger(utxo_chain(chain), self.parameters, self._forks[chain])

    def first_height(self, chain: str) -> int:
        """Height of the chain's first block in this world."""
        ledger = self._ledgers[chain]
        return ledger.first_height if isinstance(ledger, EthereumLedger) else ledger.chain.first_height

    def reorganise(self, chain: str, depth: int, now: datetime, shorter: int = 0) -> Sequence[AnyBlock]:
        """Let the last blocks of a chain, and all to come, be others of the same heights and times.

        The chain is made anew up to there when it is next asked for.

        Args:
            chain: Which chain.
            depth: How many of the blocks that have arrived are replaced.
            now: The simulated instant, UTC.
            shorter: How many of those that replace them come later only: the chain ends below them until the clock
                moves.

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
            self._books.pop(chain, None)
            return blocks[-depth:]

    def day_of(self, chain: str, height: int) -> date:
        """The day in whose files a block stands."""
        return self.parameters.start + timedelta(
            days=(height - self.first_height(chain)) // self.parameters.blocks_per_day
        )

    def opening_outputs(self, chain: str) -> Sequence[Output]:
        """Outputs older than the world, in chain order; none on Ethereum."""
        ledger = self._ledgers[chain]
        return () if isinstance(ledger, EthereumLedger) else sorted(ledger.opening, key=lambda output: output.maker)

    def tokens_until(self, now: datetime) -> Sequence[Token]:
        """Ethereum's tokens at an instant, in the order of their making."""
        ledger = self._ledgers[ETHEREUM]
        if not isinstance(ledger, EthereumLedger):
            return ()
        blocks = self.blocks_until(ETHEREUM, now)
        tip = blocks[-1].id if blocks else ledger.first_height - 1
        return [token for token in ledger.tokens.tokens if token.creating_block_id <= tip]

    def blocks_of(self, chain: str, day: date) -> Sequence[AnyBlock]:
        """All blocks of a UTC day, in order; none before the world's start. The clock plays no part here."""
        number = (day - self.parameters.start).days
        if number < 0:
            return ()
        ledger = self._ledgers[chain]
        ledger.grow(number + 1)
        per_day = self.parameters.blocks_per_day
        return ledger.blocks[number * per_day : (number + 1) * per_day]

    def blocks_until(self, chain: str, now: datetime) -> Sequence[AnyBlock]:
        """All blocks that have arrived by an instant: a block waits for those before it, as it builds on them."""
        now = now.astimezone(UTC)
        number = (now.date() - self.parameters.start).days
        if number < 0:
            return ()
        second = int(now.timestamp())
        arrived = number * self.parameters.blocks_per_day
        for block in self.blocks_of(chain, now.date()):
            if block.time > second:
                break
            arrived += 1
        since, missing = self._missing.get(chain, (now, 0))
        return self._ledgers[chain].blocks[: arrived - (missing if now <= since else 0)]

    def opening_supply(self, chain: str) -> int:
        """Base units that existed before the world's first block."""
        ledger = self._ledgers[chain]
        if isinstance(ledger, EthereumLedger):
            return sum(ledger.opening.values())
        return sum(output.value for output in ledger.opening)

    def block_to_come(self, chain: str, now: datetime) -> AnyBlock:
        """The block that arrives next: what it confirms has not been confirmed yet."""
        arrived = len(self.blocks_until(chain, now))
        ledger = self._ledgers[chain]
        ledger.grow(arrived // self.parameters.blocks_per_day + 1)
        return ledger.blocks[arrived]

    def holders(self, chain: str, now: datetime) -> list[Holder]:
        """Addresses with a balance at an instant, the richest first."""
        blocks = self.blocks_until(chain, now)
        with self._lock:
            book = self._book_after(chain, blocks)
            rich = [Holder(**vars(holder)) for holder in book.holders.values() if holder.balance > 0]
        return sorted(rich, key=lambda holder: (-holder.balance, holder.address))

    def _book_after(self, chain: str, blocks: Sequence[AnyBlock]) -> _Book:
        """The balances after so many blocks; whoever asks holds the lock."""
        book = self._books.get(chain)
        if book is None or book.blocks > len(blocks):
            book = self._books[chain] = self._opening_book(chain)
        for block in blocks[book.blocks :]:
            _enter(book, block)
        book.blocks = len(blocks)
        return book

    def _opening_book(self, chain: str) -> _Book:
        book = _Book()
        ledger = self._ledgers[chain]
        if isinstance(ledger, EthereumLedger):
            for address, balance in ledger.opening.items():
                book.move(address, balance).is_contract = address in ledger.contracts
        else:
            for output in ledger.opening:
                book.move(output.recipient, output.value)
        return book


def _enter(book: _Book, block: AnyBlock) -> None:
    if isinstance(block, EthereumBlock):
        for tx in block.transactions:
            for address, amount in tx.moves():
                book.move(address, amount)
            if tx.sender is not None:
                book.holders[tx.sender].nonce += 1
            if tx.type == CREATE and not tx.failed:
                book.holders[tx.recipient].is_contract = True
        return
    for transaction in block.transactions:
        for spending in transaction.inputs:
            book.move(spending.spent.recipient, -spending.spent.value)
        for output in transaction.outputs:
            if output.type != NULLDATA:
                book.move(output.recipient, output.value)
