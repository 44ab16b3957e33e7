"""One `warehouse` command at a time may change the local server."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def held(path: Path, say: Callable[[str], None], timeout: float = 360.0) -> Iterator[None]:
    """Hold a lock file, which the kernel frees when the process dies; wait up to `timeout` seconds for it.

    Raises:
        WarehouseError: Another process held the lock for all that time.
    """
    # A server started under the lock does not inherit it. The file stays: deleting it would let two holders in.
    lock = FileLock(path, mode=0o600)
    try:
        with suppress(Timeout):
            lock.acquire(blocking=False)
        if not lock.is_locked:
            say("another warehouse command is at work, waiting for it")
            lock.acquire(timeout)
    except Timeout:
        raise WarehouseError(
            f"Another warehouse command has held {path} for {timeout:.0f} s; wait or end it, then repeat."
        ) from None
    try:
        yield
    finally:
        lock.release()
