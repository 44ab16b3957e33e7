"""The routes of the simulated Blockchair, and its answers of an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from simulator.blockchair.api import Api
from simulator.blockchair.dump_files import FolderDumps, WorldDumps
from simulator.blockchair.dump_host import DumpHost
from simulator.blockchair.events import Events
from simulator.blockchair.quotas import Quotas
from simulator.blockchair.world import World
from simulator.vendors import error_page

if TYPE_CHECKING:
    from simulator.clock import Clock
    from simulator.faults import Action
    from simulator.settings import Settings
    from simulator.vendors import PriceSource


class Blockchair:
    """API (`/blockchair`) and dump host (`/dumps`); `events` are what can be made to happen to the world."""

    def __init__(self, settings: Settings, clock: Clock, prices: PriceSource) -> None:
        world = World(settings)
        made = WorldDumps(world, prices, settings.quirks)
        folder = settings.dumps_dir
        self._clock = clock
        quotas = Quotas(settings.points_per_day, settings.requests_per_minute, settings.api_keys)
        self._api = Api(world, prices, quotas, settings.quirks)
        self._host = DumpHost(made if folder is None else FolderDumps(folder))
        self.events = Events(world, made if folder is None else None)

    def routers(self) -> list[APIRouter]:
        """The routers of API and dump host."""
        api_router, dump_router = APIRouter(prefix="/blockchair"), APIRouter(prefix="/dumps")

        # Plain functions, so that the server runs them beside its loop: making a day takes a moment.
        @api_router.api_route("/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)
        def answer_api(request: Request, path: str) -> Response:
            return self._api.answer(path, request.query_params, self._clock.now())

        @dump_router.api_route("/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)
        def answer_dumps(request: Request, path: str) -> Response:
            return self._host.answer(path, request.headers, self._clock.now(), head=request.method == "HEAD")

        return [api_router, dump_router]

    def refuse_api(self, path: str, action: Action) -> Response:
        """The API's answer to a request that a fault spoils."""
        code = action.status or 200
        if action.html:
            return HTMLResponse(error_page(code), code)
        below = path.removeprefix("/blockchair/")
        if action.empties:
            return self._api.nothing(below, action.data, self._clock.now())
        return self._api.refusal(below, code, self._clock.now())

    def refuse_dump(self, path: str, action: Action) -> Response:  # noqa: ARG002 - all paths alike
        """The dump host's answer to a request that a fault spoils: a page, whatever the code."""
        code = action.status or 200
        return HTMLResponse(error_page(code), code)
