"""Who holds how much of a chain after so many blocks, and the richest of them."""

from __future__ import annotations

import heapq
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from simulator.blockchair.ethereum_model import CREATE
from simulator.blockchair.wallets import NULLDATA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from simulator.blockchair.ethereum_model import EthereumTransaction
    from simulator.blockchair.transactions import Output, Transaction
    from simulator.blockchair.wallets import Wallets

A = TypeVar("A")


@dataclass(slots=True)
class Holder:
    """An address with its balance in base units; the rest is Ethereum's."""

    address: str
    balance: int
    nonce: int = 0
    is_contract: bool = False


class Balances(Generic[A]):
    """Accounts and their balances after `length` blocks; what an account is called is the chain's affair."""

    length = 0

    def apply(self, transactions: Sequence[Any]) -> None:
        """Enter the transactions of the next block."""
        raise NotImplementedError

    def accounts(self) -> Iterator[tuple[int, A]]:
        """Base units and account of everybody who has some."""
        raise NotImplementedError

    def holder(self, account: A) -> Holder:
        """An account as it is shown."""
        raise NotImplementedError

    def richest(
        self, wanted: int | None, accepts: Callable[[int], bool] | None = None, *, upwards: bool = False
    ) -> tuple[list[Holder], int]:
        """The first holders by balance, among equal ones by address.

        Args:
            wanted: How many; None for all. Addresses are worked out for these, and for who has as much as the last.
            accepts: Which balances count, of those above 0.
            upwards: Begin with the poorest.

        Returns:
            The holders, and how many there are in all.
        """
        all_of_them = [one for one in self.accounts() if accepts is None or accepts(one[0])]
        sign = 1 if upwards else -1
        near: Iterable[tuple[int, A]] = all_of_them
        if wanted is not None and wanted < len(all_of_them):
            first = heapq.nsmallest(wanted, (sign * balance for balance, _ in all_of_them))
            near = [one for one in all_of_them if first and sign * one[0] <= first[-1]]
        found = [self.holder(account) for _, account in near]
        found.sort(key=lambda holder: (sign * holder.balance, holder.address))
        return found[:wanted], len(all_of_them)


class KeyBalances(Balances[int]):
    """Balances of a Bitcoin-like chain, by the numbers of its keys: 8 bytes each, as a long world has millions."""

    def __init__(self, wallets: Wallets, outputs: Iterable[Output]) -> None:
        self._wallets = wallets
        self._of_people = array("q")
        self._of_miners: dict[int, int] = {}  # their keys have numbers below 0
        for output in outputs:
            self._move(output, output.value)

    def __copy__(self) -> KeyBalances:
        """A copy that goes its own way."""
        other = KeyBalances(self._wallets, ())
        other.length = self.length
        other._of_people, other._of_miners = self._of_people[:], dict(self._of_miners)
        return other

    def apply(self, transactions: Sequence[Transaction]) -> None:
        """Enter the transactions of the next block."""
        for tx in transactions:
            for spending in tx.inputs:
                self._move(spending.spent, -spending.spent.value)
            for output in tx.outputs:
                if output.type != NULLDATA:
                    self._move(output, output.value)
        self.length += 1

    def accounts(self) -> Iterator[tuple[int, int]]:
        """Base units and number of every key that has some."""
        yield from ((balance, key) for key, balance in enumerate(self._of_people) if balance > 0)
        yield from ((balance, key) for key, balance in self._of_miners.items() if balance > 0)

    def holder(self, account: int) -> Holder:
        """A key as it is shown."""
        balance = self._of_people[account] if account >= 0 else self._of_miners[account]
        return Holder(self._wallets.key(account).address, balance)

    def _move(self, output: Output, amount: int) -> None:
        key = output.key
        if key is None:
            raise ValueError("Data outputs hold nothing.")
        if key < 0:
            self._of_miners[key] = self._of_miners.get(key, 0) + amount
            return
        if key >= len(self._of_people):
            self._of_people.extend([0] * (key + 1 - len(self._of_people)))
        self._of_people[key] += amount


class AccountBalances(Balances[str]):
    """Balances of Ethereum, by address."""

    def __init__(self, opening: Iterable[tuple[str, int]], contracts: Sequence[str] = ()) -> None:
        self._holders = {address: Holder(address, amount, 0, address in contracts) for address, amount in opening}

    def __copy__(self) -> AccountBalances:
        """A copy that goes its own way."""
        other = AccountBalances(())
        other.length = self.length
        other._holders = {a: Holder(a, h.balance, h.nonce, h.is_contract) for a, h in self._holders.items()}
        return other

    def apply(self, transactions: Sequence[EthereumTransaction]) -> None:
        """Enter the transactions of the next block."""
        for tx in transactions:
            for address, amount in tx.moves():
                self._at(address).balance += amount
            if tx.sender is not None:
                self._at(tx.sender).nonce += 1
            if tx.type == CREATE and not tx.failed:
                self._at(tx.recipient).is_contract = True
        self.length += 1

    def accounts(self) -> Iterator[tuple[int, str]]:
        """Wei and address of everybody who has some."""
        return ((holder.balance, address) for address, holder in self._holders.items() if holder.balance > 0)

    def holder(self, account: str) -> Holder:
        """An address as it is shown."""
        holder = self._holders[account]
        return Holder(account, holder.balance, holder.nonce, holder.is_contract)

    def _at(self, address: str) -> Holder:
        holder = self._holders.get(address)
        if holder is None:
            holder = self._holders[address] = Holder(address, 0)
        return holder
