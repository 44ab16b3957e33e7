"""The one place through which every response leaves the server."""

from __future__ import annotations

import logging
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from simulator.clock import Clock

_LOG: Final = logging.getLogger("simulator.requests")
VENDORS: Final = ("blockchair", "dumps", "coingecko")


class Door:
    """Wraps the whole app: its routes, its refusals and its failures.

    Every response gets its origin and the simulated date. What is answered for a vendor passes `_vendor`, the place
    for whatever later distorts the vendors' answers (faults, delays, limits) without touching a route.

    Args:
        app: The app.
        clock: The simulated clock.
    """

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def stamped(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = format_datetime(self._clock.now(), usegmt=True)
                own = {b"x-data-origin": b"simulator", b"date": date.encode()}
                kept = [(name, value) for name, value in message.get("headers", []) if name.lower() not in own]
                message = {**message, "headers": [*kept, *own.items()]}
                # Without the query string: that is where Blockchair's key stands.
                _LOG.info("%s %s %s", scope["method"], scope["path"], message["status"])
            await send(message)

        inner = self._vendor if scope["path"].split("/")[1:2][0] in VENDORS else self._app
        await inner(scope, receive, stamped)

    async def _vendor(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path.startswith("/coingecko/") and path.endswith(
            "/"
        ):  # CoinGecko takes a trailing slash and never redirects
            scope = {**scope, "path": path.rstrip("/")}
        await self._app(scope, receive, send)
