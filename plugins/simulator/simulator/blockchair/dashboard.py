"""What a dashboard is, and how its requests are read (contract 4.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from simulator.blockchair.query import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    from simulator.blockchair.chain_now import ChainNow
    from simulator.blockchair.columns import Json, Money
    from simulator.blockchair.table import Table

_MAX_LIMIT: Final = 10_000
_MAX_OFFSET: Final = 1_000_000
_DEFAULT_LIMIT: Final = 100


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A parsed request.

    Attributes:
        ids: What the path names.
        limits: Entries wanted of each list that can be paged.
        offsets: Entries to skip of each.
        options: Names of the switches that are on.
    """

    ids: list[str]
    limits: tuple[int, ...]
    offsets: tuple[int, ...]
    options: frozenset[str]

    def page(self, entries: list[Json], number: int = 0) -> list[Json]:
        """The part of a list that is wanted; lists are numbered as their limits are."""
        start = self.offsets[number]
        return entries[start : start + self.limits[number]]


@dataclass(frozen=True, kw_only=True)
class View:
    """What a dashboard is made from.

    Attributes:
        at: The chain at the instant of the request.
        money: Dollars of a day.
        spot: Price of the chain's coin now, in USD.
        row: Makes the API's row of a table from what the world holds.
        asked: The request.
    """

    at: ChainNow
    money: Money
    spot: Decimal
    row: Callable[[Table, Any], dict[str, Json]]
    asked: Asked

    def dollars(self, amounts: list[tuple[int, int]]) -> float:
        """Worth of amounts, each with its time (seconds since 1970), at their days' prices."""
        return float(round(sum((self.money.dollars(amount, time) for amount, time in amounts), start=0 * self.spot), 4))


Found = tuple["Json", int]
"""The answer's data, and how many entities it holds."""


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """A kind of dashboard of one chain.

    Attributes:
        find: Makes the answer.
        ids: What an identifier looks like, in lower or upper case.
        most: So many of them may be asked for at once.
        lists: How many of its lists can be paged; none has neither limit nor offset.
        options: Switches, with the points that each costs per entity, or per request where `per_request` says so.
        per_request: Whether a switch costs the same for one entity as for many.
        missing: Switches of the vendor's that are not simulated.
    """

    find: Callable[[View], Found]
    ids: re.Pattern[str]
    most: int = 1
    lists: int = 0
    options: Mapping[str, float] = field(default_factory=dict)
    per_request: bool = False
    missing: frozenset[str] = frozenset()

    def read(self, ids: str, parameters: Mapping[str, str]) -> Asked:
        """Parse a request.

        Args:
            ids: What the path ends with.
            parameters: The query string's.

        Raises:
            BadRequestError: An identifier, a limit or an offset is malformed, there are too many, or a switch is one
                that is not simulated.
        """
        wanted = ids.split(",")
        if len(wanted) > self.most:
            raise BadRequestError(f"At most {self.most} can be asked for at once")
        for one in wanted:
            if not self.ids.fullmatch(one):
                raise BadRequestError(f"Cannot understand {one}")
        for name in self.missing & parameters.keys():
            raise BadRequestError(f"The option {name} is not simulated")
        return Asked(
            ids=wanted,
            limits=self._numbers(parameters, "limit", _DEFAULT_LIMIT, _MAX_LIMIT),
            offsets=self._numbers(parameters, "offset", 0, _MAX_OFFSET),
            options=frozenset(name for name in self.options if parameters.get(name) == "true"),
        )

    def paging(self, asked: Asked, found: int) -> dict[str, Json]:
        """The context's keys: one list is paged by numbers, two by a pair in a string."""
        results: dict[str, Json] = {"results": found}
        if not self.lists:
            return results
        if self.lists == 1:
            return {"limit": asked.limits[0], "offset": asked.offsets[0], **results}
        limit, offset = (",".join(map(str, numbers)) for numbers in (asked.limits, asked.offsets))
        return {"limit": limit, "offset": offset, **results}

    def cost(self, asked: Asked) -> float:
        """Points: 1, a tenth for each further entity, and what the switches cost."""
        extra = sum(self.options[name] for name in asked.options)
        count = len(asked.ids)
        return (9 + count) / 10 + extra * (1 if self.per_request else count)

    def _numbers(self, parameters: Mapping[str, str], name: str, default: int, most: int) -> tuple[int, ...]:
        if not self.lists:
            return ()
        texts = parameters.get(name, str(default)).split(",")
        if len(texts) == 1:
            texts *= self.lists
        if len(texts) != self.lists or not all(re.fullmatch(r"[0-9]{1,9}", text) for text in texts):
            raise BadRequestError(f"Cannot understand {name}")
        numbers = tuple(map(int, texts))
        if max(numbers) > most:
            raise BadRequestError(f"Parameter {name} must lie between 0 and {most}")
        return numbers


def each(find: Callable[[View, str], tuple[str, Json] | None]) -> Callable[[View], Found]:
    """A dashboard whose entities stand side by side, keyed by what they were asked for; the unknown have no key."""

    def all_of(view: View) -> Found:
        found = dict(one for one in (find(view, wanted) for wanted in view.asked.ids) if one is not None)
        return found, len(found)

    return all_of
