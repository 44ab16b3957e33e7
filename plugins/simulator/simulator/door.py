"""The one place through which every response leaves the server."""

from __future__ import annotations

import asyncio
import logging
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import unquote_plus

from starlette.responses import Response

from simulator.blockchair.envelope import COST_HEADER
from simulator.distortion import Distortion
from simulator.journal import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from simulator.clock import Clock
    from simulator.faults import Action, Faults
    from simulator.journal import Journal

_LOG: Final = logging.getLogger("simulator.requests")
_COST: Final = COST_HEADER.encode()


class Refuse(Protocol):
    """Makes a vendor's own answer of a code (or a page of it), or a good answer of one in `data` alone."""

    def __call__(self, path: str, action: Action) -> Response:
        """The answer to a request for a path."""


class Door:
    """Wraps the whole app: its routes, its refusals and its failures.

    Every response gets its origin and the simulated date. What is answered for a vendor passes `_vendor`, which counts
    it and lets faults happen: here and not within a vendor's code, because a reset, a slow or a broken-off body are
    made of ASGI messages, and because one mechanism then serves API, dump host and CoinGecko alike. Quotas are no
    fault: they are the API's own business and stand there.

    Args:
        app: The app.
        clock: The simulated clock.
        refusals: Per vendor, named by the first part of the path, what makes its answers of an error.
        faults: The rules.
        journal: Where requests are counted.
    """

    def __init__(
        self, app: ASGIApp, clock: Clock, refusals: Mapping[str, Refuse], faults: Faults, journal: Journal
    ) -> None:
        self._app = app
        self._clock = clock
        self._refusals = refusals
        self._faults = faults
        self._journal = journal

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

        vendor = scope["path"].split("/")[1:2][0]
        if vendor in self._refusals:
            await self._vendor(self._refusals[vendor], scope, receive, stamped)
        else:
            await self._app(scope, receive, stamped)

    async def _vendor(self, refuse: Refuse, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        query = unquote_plus(scope.get("query_string", b"").decode("latin-1"))
        action = self._faults.due(scope["method"], path, query)
        headers = dict(scope["headers"])
        asked = headers.get(b"range")
        entry = Entry(
            scope["method"],
            path,
            range=None if asked is None else asked.decode("latin-1"),
            keyed_by=_keyed_by(headers, query),
            fault=action is not None,
        )

        left = -1  # bytes of the body that the client still waits for, where the answer told its length

        async def noted(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.start":
                entry.status = message["status"]
                told = dict(message["headers"])
                entry.points = float(told.pop(_COST, b"0"))
                left = int(told.get(b"content-length", b"-1"))
                kept = [(name, value) for name, value in message["headers"] if name != _COST]
                message = {**message, "headers": kept}
            else:
                left -= len(message.get("body", b""))
                if left == 0 or not message.get("more_body", False):
                    self._journal.end(entry)  # before the client has it all, and perhaps asks for more
            await send(message)

        self._journal.begin(entry)
        try:
            answer: ASGIApp = self._app
            if action is not None and action.body is not None:
                answer = Response(action.body, action.status or 200, media_type="application/json")
            elif action is not None and action.refuses:
                answer = refuse(path, action)
            outwards: Any = noted if action is None else Distortion(action, scope, noted)
            if action is not None:
                await asyncio.sleep(action.stall)
            if path.startswith("/coingecko/") and path.endswith("/"):  # CoinGecko takes a trailing slash
                scope = {**scope, "path": path.rstrip("/")}
            await answer(scope, receive, outwards)
        finally:
            self._journal.end(entry)


def _keyed_by(headers: Mapping[bytes, bytes], query: str) -> str | None:
    names = {part.partition("=")[0] for part in query.split("&")}
    if names & {"key", "x_cg_demo_api_key", "x_cg_pro_api_key"}:
        return "query"
    return "header" if headers.keys() & {b"x-cg-demo-api-key", b"x-cg-pro-api-key"} else None
