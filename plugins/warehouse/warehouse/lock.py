"""One `warehouse` command at a time may change the local server."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def held(path: Path, say: Callable[[str], None], timeout: float = 360.0) -> Iterator[None]:
    """Hold an advisory lock on a file; the kernel releases it when the process dies, however it dies.

    Args:
        path: The lock file; made when absent, never deleted (deleting it would let two holders in).
        say: Told once when another process holds the lock.
        timeout: Seconds to wait for it.

    Yields:
        Nothing; the lock is held inside.

    Raises:
        WarehouseError: Another process held the lock for all that time.
    """
    # Not inheritable (Python's default), so a server started under the lock does not keep it.
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + timeout
        told = False
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise WarehouseError(
                        f"Another warehouse command has held {path} for {timeout:.0f} s; wait or end it, then repeat."
                    ) from None
                if not told:
                    say("another warehouse command is at work, waiting for it")
                    told = True
                time.sleep(0.1)
        yield
    finally:
        os.close(handle)
