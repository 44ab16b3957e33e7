"""The app: both vendors' routes and the simulator's own, behind one door."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

from simulator.admin import Admin, Worlds
from simulator.blockchair.routes import Blockchair
from simulator.clock import CLOCK_FILE, Clock
from simulator.coingecko.book import PriceBook
from simulator.coingecko.routes import CoinGecko
from simulator.door import Door
from simulator.faults import Faults
from simulator.journal import Journal

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
    faults, journal = Faults(), Journal()
    blockchair = Blockchair(settings, clock, book)
    coingecko = CoinGecko(settings, clock, book)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    worlds = Worlds(blockchair.events, coingecko.oddities)
    app.include_router(Admin(settings, clock, faults, journal, worlds).router())
    for router in blockchair.routers():
        app.include_router(router)
    app.router.routes.append(coingecko.routes())
    refusals = {
        "blockchair": blockchair.refuse_api,
        "dumps": blockchair.refuse_dump,
        "coingecko": coingecko.refuse,
    }
    return Door(app, clock, refusals, faults, journal)
