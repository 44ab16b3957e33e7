"""Tables that are views of now: addresses and tokens. Their dumps are files that are rebuilt daily (contract 6.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simulator.blockchair.chains import COIN, ETHEREUM
from simulator.blockchair.columns import Column, Filter, Kind
from simulator.blockchair.ethereum_model import ETHER
from simulator.blockchair.table import column, integer, text, time_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from simulator.blockchair.world import World

_TOKEN_DUMP: Final = ("id", "address", "time", "name", "symbol", "decimals")
"""The dump's order begins otherwise than the API's (contract 6.5)."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A view.

    Attributes:
        chain: The chain's name.
        name: The view's name in paths.
        file_stem: What its file's name begins with.
        columns: In the API's order.
        rows: Takes the rows from the world at an instant, in the file's order.
        sort: What the API sorts by, downwards, where a request does not say.
        source: The backend's letter.
        cost: Points of a plain request.
        whole_by: Columns for which equality returns the whole match (contract 2.4).
    """

    chain: str
    name: str
    file_stem: str
    columns: tuple[Column, ...]
    rows: Callable[[World, datetime], Sequence[object]]
    sort: str
    source: str
    cost: int = 2
    whole_by: frozenset[str] = frozenset()

    @property
    def unit(self) -> int:
        """Base units in the chain's coin."""
        return ETHER if self.chain == ETHEREUM else COIN

    @property
    def api_columns(self) -> tuple[Column, ...]:
        """The columns of an API row, in order."""
        return tuple(c for c in self.columns if c.in_api)

    def dump_columns(self) -> tuple[Column, ...]:
        """The columns of its file, in order."""
        kept = {c.name: c for c in self.columns if c.in_dumps}
        first = [kept.pop(name) for name in _TOKEN_DUMP if self.sort == "id" and name in kept]
        return (*first, *kept.values())


_ADDRESSES: Final = (
    text("address"),
    integer("balance"),
)
_ETHEREUM_ADDRESSES: Final = (
    column("address", Kind.PREFIXED_HEX),
    column("balance", Kind.WEI, filter=Filter.RANGE, sortable=True),
    column("nonce", Kind.INTEGER, in_dumps=False),
    column("is_contract", Kind.FLAG, in_dumps=False),
)
_TOKENS: Final = (
    column("address", Kind.PREFIXED_HEX, filter=Filter.EQUALITY),
    integer("id"),
    *time_columns(),
    text("name", filter=Filter.EQUALITY, sortable=True),
    text("symbol", filter=Filter.EQUALITY, sortable=True),
    integer("decimals"),
    integer("creating_block_id"),
    column("creating_transaction_hash", Kind.PREFIXED_HEX),
)


def snapshots_of(chain: str) -> list[Snapshot]:
    """The views of a chain."""

    def holders(world: World, at: datetime) -> Sequence[Any]:
        return world.holders(chain, at)

    addresses = Snapshot(
        chain=chain,
        name="addresses",
        file_stem=f"blockchair_{chain}_addresses",
        columns=_ETHEREUM_ADDRESSES if chain == ETHEREUM else _ADDRESSES,
        rows=holders,
        sort="balance",
        source="A",
    )
    if chain != ETHEREUM:
        return [addresses]
    tokens = Snapshot(
        chain=chain,
        name="erc-20/tokens",
        file_stem="blockchair_erc-20_tokens",
        columns=_TOKENS,
        rows=lambda world, at: world.tokens_until(at),
        sort="id",
        source="D",
        whole_by=frozenset({"address", "id"}),
    )
    return [addresses, tokens]
