"""The app of both vendors' routes and the simulator's own, served on a loopback socket."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import uvicorn
from fastapi import FastAPI

from simulator.admin import Admin
from simulator.blockchair.routes import Blockchair
from simulator.clock import CLOCK_FILE, Clock
from simulator.coingecko.prices import Prices
from simulator.coingecko.routes import CoinGecko
from simulator.distortion import Protocol
from simulator.faults import Faults
from simulator.middleware import Middleware, RequestLog

if TYPE_CHECKING:
    import socket

    from starlette.types import ASGIApp

    from simulator.settings import Settings

_GRACE_SECONDS: Final = 3


def create_app(settings: Settings) -> Middleware:
    """Make the ASGI app, which sets the Date header itself.

    Raises:
        SettingsError: A folder of real files cannot be read.
    """
    clock = Clock(settings.clock_start, settings.state_dir / CLOCK_FILE)
    prices = Prices(settings)
    faults, requests = Faults(), RequestLog()
    blockchair = Blockchair(settings, clock, prices)
    coingecko = CoinGecko(settings, clock, prices)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    admin = Admin(settings, clock, faults, requests, blockchair.events, coingecko.anomalies)
    for router in (admin.router(), *blockchair.routers()):
        app.include_router(router)
    app.router.routes.append(coingecko.routes())
    refusals = {
        "blockchair": blockchair.refuse_api,
        "dumps": blockchair.refuse_dump,
        "coingecko": coingecko.refuse,
    }
    return Middleware(app, clock, refusals, faults, requests)


def serve(app: ASGIApp, listener: socket.socket) -> None:
    """Serve until INT or TERM."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    server_of(app).run(sockets=[listener])


def server_of(app: ASGIApp) -> uvicorn.Server:
    """The server, not yet running."""
    config = uvicorn.Config(
        app,
        http=Protocol,
        date_header=False,
        server_header=False,
        access_log=False,  # it would print query strings, where Blockchair's key stands
        log_config=None,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return uvicorn.Server(config)
