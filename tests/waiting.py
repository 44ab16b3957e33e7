"""Waiting for what programs do, and ports for those that cannot choose one."""

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress

_PORTS = iter(range(10_000, 20_000))


def free_port() -> int:
    """A port for a program that cannot choose one: nobody has it, and nobody is given it before the program takes it.

    It is below those that systems give to connections, no other test of this process gets it, and each process of
    pytest-xdist takes its ports from hundreds of its own.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for port in _PORTS:
        if port // 100 % 50 == worker % 50:
            with socket.socket() as free, suppress(OSError):
                free.bind(("127.0.0.1", port))
                return port
    raise AssertionError("every port is taken")


def wait_for(condition: Callable[[], object], what: str, seconds: float = 600, pause: float = 0.3) -> None:
    """Wait until something holds; so long that only what hangs fails, on a busy machine too."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds:.0f} s still not: {what}"
        time.sleep(pause)
