"""Processes that read, verify and write blocks beside one another; each has a connection of its own."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Self, TypeVar

from mirror_node.clients import open_adapter
from mirror_node.errors import MirrorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from mirror_node.adapters import Adapter, Unspent
    from mirror_node.rpc import Login
    from mirror_node.tables import BlockRows
    from mirror_node.utxo import Spent

_Given = TypeVar("_Given")
_Found = TypeVar("_Found")

_AHEAD = 2  # blocks for each worker that are under way: this bounds the memory

_adapter: Adapter | None = None


def _begin(where: Login, chain: str) -> None:
    global _adapter  # noqa: PLW0603 (a worker's one connection)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _adapter = open_adapter(where, chain)


def _end_with_parent() -> None:
    """End when the program is killed: a worker would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _own() -> Adapter:
    if _adapter is None:
        raise AssertionError("a worker begins with its connection")
    return _adapter


def _rows(height: int) -> BlockRows:
    return _own().rows(height)


def _unspent(height: int) -> Unspent:
    return _own().unspent(height)


def _complete(given: tuple[Unspent, list[Spent]]) -> BlockRows:
    return _own().complete(*given)


class Workers:
    """So many workers, each connected to the node."""

    def __init__(self, where: Login, chain: str, count: int) -> None:
        self._ahead = _AHEAD * count
        # Not forked: the program may have threads of its own.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(count, context, _begin, (where, chain))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def rows(self, heights: Iterable[int]) -> Iterator[BlockRows]:
        """Read, verify and write blocks; they come in the order asked for."""
        return self._in_order(_rows, heights)

    def unspent(self, heights: Iterable[int]) -> Iterator[Unspent]:
        """Read blocks whose spent outputs the own store has."""
        return self._in_order(_unspent, heights)

    def complete(self, given: Iterable[tuple[Unspent, list[Spent]]]) -> Iterator[BlockRows]:
        """Verify amounts of such blocks and write them."""
        return self._in_order(_complete, given)

    def _in_order(self, work: Callable[[_Given], _Found], given: Iterable[_Given]) -> Iterator[_Found]:
        under_way: deque[Future[_Found]] = deque()
        try:
            for one in given:
                under_way.append(self._pool.submit(work, one))
                if len(under_way) > self._ahead:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        except BrokenProcessPool:
            raise MirrorError(
                "a worker ended, perhaps for want of memory. Blocks up to the last commit are kept. Lower "
                "parallel_requests or give more memory, then run again."
            ) from None
        finally:
            for future in under_way:
                future.cancel()
