"""`/range`: from which block on each chain is known (contract 1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.blockchair.chains import CHAINS
from simulator.blockchair.times import stamp

if TYPE_CHECKING:
    from simulator.blockchair.columns import Json
    from simulator.blockchair.world import World


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
            "blockchain_first_entry_date": min(here, CHAINS[chain].began.isoformat()) if first else here,
            "blockchair_first_entry": first,
            "blockchair_first_entry_date": here,
            "is_full": first == 0,
        }
    return ranges
