"""`/range`: from which block on each chain is known (contract 1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.blockchair.times import stamp

if TYPE_CHECKING:
    from simulator.blockchair.columns import Json
    from simulator.blockchair.world import World

_BEGINNINGS: Final = {"bitcoin": "2009-01-03", "ethereum": "2015-07-30", "dogecoin": "2013-12-06"}
"""Dates of the real blocks 0."""


def ranges_of(world: World) -> dict[str, Json]:
    """What the answer says of each chain of the world.

    A chain whose blocks are here from 0 on began where the world did; of one that is older only the rest is here.
    """
    ranges: dict[str, Json] = {}
    for chain in world.chains:
        first = world.first_height(chain)
        here = stamp(world.blocks_of(chain, world.parameters.start)[0].time)[:10]
        ranges[chain] = {
            "blockchain_first_entry": 0,
            "blockchain_first_entry_date": min(here, _BEGINNINGS[chain]) if first else here,
            "blockchair_first_entry": first,
            "blockchair_first_entry_date": here,
            "is_full": first == 0,
        }
    return ranges
