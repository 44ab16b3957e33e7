"""The server's open connections, so that one of them can be reset, which no ASGI message can ask for."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: closing drops what is unsent and sends a reset."""
_open: Final[dict[tuple[str, int], asyncio.Transport]] = {}
"""By the client's address, which a request's scope has too."""


class Protocol(H11Protocol):
    """The server's HTTP, which tells of its connections."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note a connection."""
        super().connection_made(transport)
        if self.client is not None:
            _open[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self.client is not None:
            _open.pop(self.client, None)
        super().connection_lost(exc)


def reset(client: Iterable[Any] | None) -> None:
    """Reset a client's connection.

    Args:
        client: Host and port, as a request's scope has them.

    Raises:
        ConnectionResetError: The request came by no connection of this server, as in tests within one process.
    """
    transport = _open.get(tuple(client or ()))
    if transport is None:
        raise ConnectionResetError("The simulated connection was reset.")
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()
