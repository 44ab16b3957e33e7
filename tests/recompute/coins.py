"""Coins of Bitcoin and Dogecoin: each output from the day of its creation to that of its spending."""

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from recompute.days import Chain
from recompute.raw import Raw


@dataclass(frozen=True)
class Coin:
    """An output whose creation is loaded; `spent` is null while no loaded input spends it.

    Of a day that is loaded in part an input may spend an output that is missing. What is known of that day's coins is
    then too little by the missing one and too much by nothing, so that its spending takes it off: it is a coin of a
    negative value, alive from its spending on.
    """

    value: int
    created: date
    spent: date | None
    counts: bool
    script: str


@dataclass(frozen=True)
class Lot:
    """Coins alive of one day of creation."""

    created: date
    value: int
    count: int


class Coins:
    """What is alive at the end of a day."""

    def __init__(self, raw: Raw, chain: Chain) -> None:
        spent = {(found.transaction, found.index): found.day for found in raw.inputs[chain.name]}
        outputs = raw.outputs[chain.name]
        self.all = [
            Coin(
                *(output.value, output.day, spent.get((output.transaction, output.index))),
                *(output.can_be_spent, output.script),
            )
            for output in outputs
        ]
        loaded = {(output.transaction, output.index) for output in outputs}
        self.debts = [
            (found.day, Coin(-found.value, found.created_day, None, counts=True, script=found.script))
            for found in raw.inputs[chain.name]
            if (found.transaction, found.index) not in loaded and found.created_day in chain.outputs
        ]
        self.last_day = max((*chain.outputs, *chain.inputs))
        self.closed_days = sorted(chain.closes)
        self.closes = {day: close.price for day, close in chain.closes.items()}

    def alive(self, day: date) -> list[Coin]:
        """Coins created up to the end of the day and not spent by then, unspendable ones included."""
        found = [coin for coin in self.all if coin.created <= day and (coin.spent is None or coin.spent > day)]
        return found + [debt for of, debt in self.debts if of <= day]

    def lots(self, day: date) -> list[Lot]:
        """Those that count as alive, by their day of creation."""
        found: dict[date, list[int]] = defaultdict(list)
        for coin in self.alive(day):
            if coin.counts:
                found[coin.created].append(coin.value)
        return [
            Lot(created, sum(values), sum(1 if value >= 0 else -1 for value in values))
            for created, values in sorted(found.items())
        ]

    def nearest_close(self, day: date) -> Fraction | None:
        """The close of the day, else the last before it, else the first of all."""
        if not self.closed_days:
            return None
        if day in self.closes:
            return self.closes[day]
        place = bisect_left(self.closed_days, day)
        return self.closes[self.closed_days[max(place - 1, 0)]]
