"""What a fault does to an answer on its way out, message by message, and to the connection under it."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Message, Scope, Send

    from simulator.faults import Action

_STEPS: Final = 10
"""A slow body comes in so many pieces a second."""
_AT_ONCE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: closing drops what is unsent and sends a reset."""
_open: Final[dict[tuple[str, int], asyncio.Transport]] = {}
"""By the client's address, which a request's scope has too."""


class Protocol(H11Protocol):
    """The server's HTTP, which keeps its open connections: no ASGI message can ask for a reset."""

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
    """Reset the connection of a client, given by host and port as a request's scope has them.

    Raises:
        ConnectionResetError: The request came by no connection of this server, as in tests within one process.
    """
    transport = _open.get(tuple(client or ()))
    if transport is None:
        raise ConnectionResetError("The simulated connection was reset.")
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()


class Distortion:
    """Sends one answer as a fault wants it. What follows the end of a distorted answer is swallowed."""

    def __init__(self, action: Action, scope: Scope, send: Send) -> None:
        self._action = action
        self._scope = scope
        self._send = send
        self._sent = 0
        self._size = 0
        self._over = False

    async def __call__(self, message: Message) -> None:
        """Pass a message on."""
        if self._over:
            return
        if message["type"] == "http.response.start":
            if self._action.reset == -1:
                await self._reset()
            else:
                await self._send(self._head(message))
        elif self._scope["method"] == "HEAD":
            await self._send(message)
        else:
            await self._body(bytes(message.get("body", b"")), more=message.get("more_body", False))

    def _head(self, message: Message) -> Message:
        headers = [(name.lower(), value) for name, value in message["headers"]]
        self._size = int(dict(headers).get(b"content-length", b"0"))
        stated = str(max(self._size + self._action.length, 0)).encode()
        wanted = {name.encode("latin-1"): text for name, text in self._action.headers.items()}
        kept = [(k, stated if k == b"content-length" else v) for k, v in headers if k not in wanted]
        added = [(k, text.encode("latin-1")) for k, text in wanted.items() if text is not None]
        return {**message, "headers": kept + added}

    async def _body(self, body: bytes, *, more: bool) -> None:
        action = self._action
        if action.corrupt is not None:
            place = (self._size // 2 if action.corrupt == -1 else action.corrupt) - self._sent
            if 0 <= place < len(body):
                body = body[:place] + bytes((body[place] ^ 0xFF,)) + body[place + 1 :]
        whole = max(self._size + min(action.length, 0), 0)
        end = min(one for one in (action.truncate, action.reset, whole) if one is not None)
        body = body[: end - self._sent]
        self._sent += len(body)
        self._over = self._sent == end or not more
        # Finished is an answer only where its length says so; otherwise the connection closes under it.
        finished = self._over and end == whole and action.length <= 0
        await self._paced(body, last=finished)
        if self._over and end == action.reset and end < whole:
            await self._reset()

    async def _paced(self, body: bytes, *, last: bool) -> None:
        if self._action.slow is not None:
            piece = max(1, int(self._action.slow / _STEPS))
            for start in range(0, len(body), piece):
                part = body[start : start + piece]
                await self._send({"type": "http.response.body", "body": part, "more_body": True})
                await asyncio.sleep(len(part) / self._action.slow)
            body = b""
        await self._send({"type": "http.response.body", "body": body, "more_body": not last})

    async def _reset(self) -> None:
        self._over = True
        await asyncio.sleep(0)
        reset(self._scope.get("client"))
        await asyncio.sleep(0)  # the server learns of it before the app returns
