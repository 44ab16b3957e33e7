"""Listening sockets; on the loopback address unless another is asked for."""

from __future__ import annotations

import errno
import socket
from typing import Final

from simulator.failures import SimulatorError

HOST: Final = "127.0.0.1"
_BACKLOG: Final = 128


def bind(port: int, host: str = HOST) -> socket.socket:
    """Open a listening socket.

    Args:
        port: The port; 0 for any free one.
        host: The IPv4 address; 0.0.0.0 for all, as a container needs it.

    Raises:
        SimulatorError: Something else listens there, or the port may not be used.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # A port whose last connections still fade away can be bound again; one that is listened on cannot.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise SimulatorError(
            f"Port {port} on {host} {reason}; name another with --port, or leave --port out to get a free one."
        ) from error
    return listener
