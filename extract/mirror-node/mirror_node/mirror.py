"""The mirror: follows a node's chain block by block, and publishes days that are final."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from mirror_node.coins import Coins
from mirror_node.errors import MirrorError, MovedError, RefusedBlockError
from mirror_node.raw_blocks import read_block
from mirror_node.tables import day_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from mirror_node.adapters import Adapter, Tip, Unspent
    from mirror_node.chains import Chain
    from mirror_node.day_files import DayFiles
    from mirror_node.store import Mirrored, Store
    from mirror_node.tables import BlockRows
    from mirror_node.utxo import Spent
    from mirror_node.workers import Workers

_DAY = timedelta(days=1)
_UNDO = 1000
"""So many blocks back what blocks spent is kept."""
_MOVES = 10
"""How often the chain may be reorganised during one look at it."""


@dataclass(frozen=True)
class Plan:
    """What is asked for.

    Attributes:
        first: First day that is written; None: that of the chain's first block.
        last: Last day; None: the last one that is final.
        finality: Blocks below the node's last that may still be replaced.
        commit_blocks: Blocks between two commits.
    """

    first: date | None
    last: date | None
    finality: int
    commit_blocks: int


class Mirror:
    """The mirror of one chain.

    Args:
        workers: Where blocks are read and written.
        report: Gets each block that was mirrored, and the last height of this run.
        say: Gets sentences.
    """

    def __init__(  # noqa: PLR0913, PLR0917 (what it is made of)
        self,
        chain: Chain,
        adapter: Adapter,
        workers: Workers,
        store: Store,
        files: DayFiles,
        plan: Plan,
        *,
        report: Callable[[BlockRows, int], None],
        say: Callable[[str], None],
    ) -> None:
        self._chain, self._adapter, self._workers = chain, adapter, workers
        self._store, self._files, self._plan = store, files, plan
        self._report, self._say = report, say
        self._coins = Coins(store)

    def run(self) -> bool:
        """Mirror up to the last final block or the last day asked for; says whether that day is reached.

        Raises:
            MirrorError: Something failed; what is committed is kept.
        """
        for _ in range(_MOVES):
            tip = self._adapter.tip()
            self._check_network(tip)
            self._follow_reorganisation()
            try:
                return self._advance(tip)
            except MovedError as error:
                self._say(f"{self._chain.name}: {error}; looking again")
                self.recover()
                self._coins = Coins(self._store)
        raise MirrorError(
            f"the node's chain was reorganised {_MOVES} times while it was read. What is committed is kept. Wait until "
            "the node is in sync, then run again."
        )

    def _advance(self, tip: Tip) -> bool:
        last = self._store.last()
        begin = self._first_height(tip) if last is None else last.height + 1
        end = tip.height - self._plan.finality
        self._publish()
        if begin <= end and begin < tip.lowest:
            raise MirrorError(
                f"the node has pruned blocks below {tip.lowest}, but block {begin} is next. Published days are kept. "
                "Use a node that is not pruned, or begin with a later day in a state_dir of its own."
            )
        for first in range(begin, end + 1, self._plan.commit_blocks):
            if self._is_reached():
                return True
            heights = range(first, min(first + self._plan.commit_blocks, end + 1))
            self._coins.undo_from = max(int(self._store.about("undo_from") or 0), end - _UNDO)
            self._take(heights, end)
            self._publish()
        return self._is_reached()

    def _take(self, heights: range, end: int) -> None:
        """Mirror some blocks and commit them."""
        taken: list[tuple[BlockRows, Mapping[str, int]]] = []
        last = self._store.last()
        before = None if last is None else (last.hash, last.median_time)
        try:
            for rows in self._blocks(heights):
                _verify_place(rows, before)
                before = rows.hash, rows.median_time
                is_wanted = self._plan.first is None or rows.day >= self._plan.first
                taken.append((rows, self._files.append(rows) if is_wanted else {}))
                self._report(rows, end)
                rows.tables.clear()
        except RefusedBlockError:
            # What stands before it is right; coins of its inputs may be noted already, so those are found anew.
            if not self._adapter.needs_store:
                self._commit(taken)
            raise
        finally:
            self._files.sync()
        self._commit(taken)

    def _commit(self, taken: list[tuple[BlockRows, Mapping[str, int]]]) -> None:
        self._files.sync()
        self._store.commit(taken, self._coins.changes, self._coins.undo_from)
        self._coins.committed()

    def _blocks(self, heights: range) -> Iterator[BlockRows]:
        if not self._adapter.needs_store:
            return self._workers.rows(heights)
        return self._workers.complete(self._with_spent(heights))

    def _with_spent(self, heights: range) -> Iterator[tuple[Unspent, list[Spent]]]:
        for found in self._workers.unspent(heights):
            block = read_block(found.raw, has_auxpow=self._chain.has_auxpow, has_extension=self._chain.has_extension)
            yield found, self._coins.spend(found.facts.height, block)

    def _publish(self) -> None:
        """Publish the days to which no later block can belong."""
        last = self._store.last()
        if last is None:
            return
        open_day = day_of(last.median_time + 1)
        for day in self._store.days(published=False):
            if day < open_day and (self._plan.last is None or day <= self._plan.last):
                self._files.publish(day)
                self._store.mark_published(day)
                self._files.forget(day)
                self._say(f"{self._chain.name}: {day} is published")

    def _is_reached(self) -> bool:
        last = self._store.last()
        return self._plan.last is not None and last is not None and day_of(last.median_time + 1) > self._plan.last

    # Beginnings.

    def _first_height(self, tip: Tip) -> int:
        """Find the first height whose block may be of the first day.

        Blocks may be dated up to two hours ahead, and their median lags behind by some blocks: a day is enough for
        both. The own store has to know every output from the first block on.
        """
        if self._adapter.needs_store:
            return 0
        if self._plan.first is None:
            return tip.lowest if self._chain.is_evm else 0  # a network of one's own may begin higher
        before = int(datetime.combine(self._plan.first - _DAY, time(), UTC).timestamp())
        low, high = tip.lowest, tip.height + 1
        while low < high:
            middle = (low + high) // 2
            if self._adapter.median_time(middle) < before:
                low = middle + 1
            else:
                high = middle
        return low

    def _check_network(self, tip: Tip) -> None:
        """Refuse a store of another network, or one that begins with a later day."""
        first = self._plan.first.isoformat() if self._plan.first else ""
        for name, value in (("network", tip.network), ("first_day", first)):
            known = self._store.about(name)
            if known is None:
                self._store.note(name, value)
        if self._store.about("network") != tip.network:
            raise MirrorError(
                f"the node is of the network {tip.network}, but this mirror of {self._store.about('network')}. Nothing "
                "was written. Check rpc_url, or give this node a state_dir of its own."
            )
        known = self._store.about("first_day") or ""
        if known and first < known:
            raise MirrorError(
                f"this mirror begins with {known}; the day asked for, {first or 'the first one'}, is before it. "
                "Nothing was written. Give the earlier days a state_dir and a mirror_dir of their own."
            )

    def recover(self) -> None:
        """Bring the growing files to the state of the last commit."""
        days = self._store.days(published=False)
        self._files.forget_others(set(days))
        for day in days:
            last = self._store.last_of(day)
            self._files.cut(day, last.ends if last else None)

    def _follow_reorganisation(self) -> None:
        """Forget blocks that are not of the node's chain any more."""
        last = self._store.last()
        if last is None:
            return
        fork = self._common(last)
        if fork == last.height:
            return
        self._say(f"{self._chain.name}: the chain was reorganised, blocks {fork + 1} to {last.height} are replaced")
        lost = self._store.rewind(fork, has_coins=self._adapter.needs_store)
        self._say(f"{self._chain.name}: {', '.join(map(str, lost))} will be written again")
        self.recover()
        self._coins = Coins(self._store)

    def _common(self, last: Mirrored) -> int:
        """Find the last block that the node and the mirror share; -1 where there is none."""
        block: Mirrored | None = last
        while block is not None:
            try:
                if self._adapter.hash_at(block.height) == block.hash:
                    return block.height
            except MovedError:
                pass
            height = block.height - 1
            block = self._store.block(height)
            if block is None and height >= 0:
                raise MirrorError(
                    f"the node's chain differs from the mirror from its first block {height + 1} on. Published "
                    "files are kept. Delete the chain's folder in state_dir and run again: the mirror then begins anew."
                )
        return -1


def _verify_place(rows: BlockRows, before: tuple[str, int] | None) -> None:
    if before is None:
        return
    parent, median_time = before
    if rows.parent != parent:
        raise MovedError(f"block {rows.height} names {rows.parent} as its parent, the mirror has {parent}")
    if rows.time <= median_time:
        raise RefusedBlockError(rows.height, "the time", rows.time, f"later than {median_time}")


def held(path: Path) -> FileLock:
    """Hold a chain's lock, which the kernel frees when the process ends.

    Raises:
        MirrorError: Another run holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise MirrorError(
            f"another run is writing this mirror ({path} is locked). Nothing was written. Wait for it or end it."
        ) from None
    return lock
