"""The app: both vendors' routes and the simulator's own, behind one door."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import JSONResponse

from simulator import __version__
from simulator.blockchair.routes import build_routers
from simulator.clock import CLOCK_FILE, Clock
from simulator.coingecko.book import PriceBook
from simulator.coingecko.routes import build_router
from simulator.door import Door
from simulator.instants import parse_instant

if TYPE_CHECKING:
    from simulator.settings import Settings


def create_app(settings: Settings) -> Door:
    """Make the server's app.

    Args:
        settings: The world's parameters.

    Returns:
        An ASGI app.

    Raises:
        SettingsError: A folder of real files cannot be read.
    """
    clock = Clock(settings.clock_start, settings.state_dir / CLOCK_FILE)
    book = PriceBook(settings)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(_admin(settings, clock))
    for router in build_routers(settings, clock, book):
        app.include_router(router)
    app.include_router(build_router(clock, book))
    return Door(app, clock)


def _admin(settings: Settings, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/_simulator")

    def status() -> dict[str, Any]:
        return {
            "now": clock.now().isoformat(),
            "pid": os.getpid(),
            "version": __version__,
            "parameters": settings.parameters(),
        }

    async def show() -> JSONResponse:
        return JSONResponse(status())

    async def advance(request: Request) -> JSONResponse:
        try:
            wanted = json.loads(await request.body())
            step = parse_instant(wanted["to"]) - clock.now() if "to" in wanted else timedelta(days=wanted["days"])
            clock.advance(step)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            own = type(error) is ValueError
            return JSONResponse({"error": str(error) if own else "Give `days` or `to` as JSON."}, 400)
        return JSONResponse(status())

    router.add_api_route("/status", show, methods=["GET"], response_model=None)
    router.add_api_route("/advance", advance, methods=["POST"], response_model=None)
    return router
