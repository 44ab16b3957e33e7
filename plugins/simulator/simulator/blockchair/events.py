"""What can be made to happen to the world while it is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.failures import SimulatorError

if TYPE_CHECKING:
    from datetime import date, datetime

    from simulator.blockchair.dump_files import WorldDumps
    from simulator.blockchair.world import World


class Events:
    """Reorganisations, rebuilt files and late ones. Nothing of it outlives the server.

    Args:
        world: The chains.
        dumps: The world's files.
    """

    def __init__(self, world: World, dumps: WorldDumps) -> None:
        self._world = world
        self._dumps = dumps

    def reorg(self, chain: str, depth: int, now: datetime) -> dict[str, Any]:
        """Replace the last blocks of a chain."""
        raise SimulatorError(f"{chain} cannot be reorganised yet.")

    def replace(self, chain: str, table: str, day: date | None, change: str, now: datetime) -> dict[str, Any]:
        """Rebuild a published file."""
        raise SimulatorError(f"{chain} {table} cannot be replaced yet.")

    def delay(self, chain: str, table: str | None, days: int) -> dict[str, Any]:
        """Let files appear later."""
        raise SimulatorError(f"{chain} cannot be delayed yet.")
