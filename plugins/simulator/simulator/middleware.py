"""What every response passes on its way out: its origin and date, the log of requests, and faults."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from dataclasses import asdict, dataclass
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_plus

from starlette.responses import Response

from simulator.blockchair.envelope import COST_HEADER
from simulator.distortion import Distortion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from simulator.clock import Clock
    from simulator.faults import Action, Faults

    Refuse = Callable[[str, Action], Response]
    """Makes a vendor's own answer of a code (or a page of it), or a good answer without data, for a path."""

_LOG: Final = logging.getLogger("simulator.requests")
_COST: Final = COST_HEADER.encode()
_KEPT: Final = 10_000


@dataclass
class Entry:
    """A request: `points` is what its answer said it cost, `keyed_by` how it brought a key: `query`, `header`, None."""

    method: str
    path: str
    status: int = 0
    range: str | None = None
    keyed_by: str | None = None
    points: float = 0
    fault: bool = False
    ended: bool = False


class RequestLog:
    """All requests to the vendors since the start, or since it was cleared, for tests to read."""

    def __init__(self) -> None:
        self._underway = 0
        self.clear()

    def clear(self) -> None:
        """Forget them."""
        self._log: deque[Entry] = deque(maxlen=_KEPT)
        self._paths: Counter[str] = Counter()
        self._statuses: Counter[int] = Counter()
        self._thousandths = 0
        self._most = 0

    def begin(self, entry: Entry) -> None:
        """Note a request that has come in."""
        self._log.append(entry)
        self._paths[entry.path] += 1
        self._underway += 1
        self._most = max(self._most, self._underway)

    def end(self, entry: Entry) -> None:
        """Note that it was answered, which may be said twice; a status of 0 stays where no answer began."""
        if entry.ended:
            return
        entry.ended = True
        self._underway -= 1
        self._statuses[entry.status] += 1
        self._thousandths += round(1000 * entry.points)

    def shown(self) -> dict[str, Any]:
        """Everything, as JSON values."""
        return {
            "total": self._paths.total(),
            "points": self._thousandths / 1000,
            "most_at_once": self._most,
            "paths": dict(self._paths),
            "statuses": {str(status): count for status, count in self._statuses.items()},
            "log": [{**asdict(entry), "keyed": entry.keyed_by is not None} for entry in self._log],
        }


class Middleware:
    """Wraps the whole app: its routes, its refusals and its failures.

    Every response gets its origin and the simulated date. A vendor's passes `_vendor`, which counts it and lets faults
    happen: here and not within a vendor's code, because a reset, a slow or a broken-off body are made of ASGI messages.
    `refusals` are by vendor, named by the first part of the path.
    """

    def __init__(
        self, app: ASGIApp, clock: Clock, refusals: Mapping[str, Refuse], faults: Faults, requests: RequestLog
    ) -> None:
        self._app = app
        self._clock = clock
        self._refusals = refusals
        self._faults = faults
        self._requests = requests

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

        left = -1  # bytes of the body that the client still waits for, where the answer has a length

        async def logged(message: Message) -> None:
            nonlocal left
            if message["type"] == "http.response.start":
                entry.status = message["status"]
                stated = dict(message["headers"])
                entry.points = float(stated.pop(_COST, b"0"))
                left = int(stated.get(b"content-length", b"-1"))
                kept = [(name, value) for name, value in message["headers"] if name != _COST]
                message = {**message, "headers": kept}
            else:
                left -= len(message.get("body", b""))
                if left == 0 or not message.get("more_body", False):
                    self._requests.end(entry)  # before the client has it all, and perhaps asks for more
            await send(message)

        self._requests.begin(entry)
        try:
            answer: ASGIApp = self._app
            if action is not None and action.body is not None:
                answer = Response(action.body, action.status or 200, media_type="application/json")
            elif action is not None and action.refuses:
                answer = refuse(path, action)
            outwards: Any = logged if action is None else Distortion(action, scope, logged)
            if action is not None:
                await asyncio.sleep(action.stall)
            if path.startswith("/coingecko/") and path.endswith("/"):  # CoinGecko takes a trailing slash
                scope = {**scope, "path": path.rstrip("/")}
            await answer(scope, receive, outwards)
        finally:
            self._requests.end(entry)


def _keyed_by(headers: Mapping[bytes, bytes], query: str) -> str | None:
    names = {part.partition("=")[0] for part in query.split("&")}
    if names & {"key", "x_cg_demo_api_key", "x_cg_pro_api_key"}:
        return "query"
    return "header" if headers.keys() & {b"x-cg-demo-api-key", b"x-cg-pro-api-key"} else None
