"""What can be made to happen to the world while it is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.blockchair.dump_host import etag_of
from simulator.settings import SimulatorError

if TYPE_CHECKING:
    from datetime import date, datetime

    from simulator.blockchair.dump_files import WorldDumps
    from simulator.blockchair.world import World


class Events:
    """Reorganisations, rebuilt files and late ones. Nothing of it outlives the server.

    What cannot be done raises ValueError; a chain that is not there, and real files, SimulatorError.
    """

    def __init__(self, world: World, dumps: WorldDumps | None) -> None:
        self._world = world
        self._dumps = dumps

    def reorg(self, chain: str, depth: int, now: datetime, shorter: int = 0) -> dict[str, Any]:
        """Replace the last blocks of a chain; their published files follow."""
        self._known(chain)
        gone = self._world.reorganise(chain, depth, now, shorter)
        first, last = gone[0].id, gone[-1].id
        files = [] if self._dumps is None else self._dumps.rebuild(chain, self._world.day_of(chain, first), now)
        return {"chain": chain, "from": first, "to": last, "tables": files}

    def replace(self, chain: str, table: str, day: date | None, change: str, now: datetime) -> dict[str, Any]:
        """Rebuild a published file with changed content."""
        file = self._files(chain).change(chain, table, day, change, now)
        return {"file": file.name, "etag": etag_of(file)}

    def delay(self, chain: str, table: str | None, days: int) -> dict[str, Any]:
        """Let files appear later."""
        self._files(chain).delay(chain, table, days)
        return {"chain": chain, "table": table, "days": days}

    def _known(self, chain: str) -> None:
        if chain not in self._world.chains:
            raise SimulatorError(f"There is no chain {chain}; there are {', '.join(self._world.chains)}.")

    def _files(self, chain: str) -> WorldDumps:
        self._known(chain)
        if self._dumps is None:
            raise SimulatorError("The dump files are real ones (--dumps-dir), and real ones stay as they are.")
        return self._dumps
