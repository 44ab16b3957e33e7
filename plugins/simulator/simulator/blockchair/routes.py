"""The door to the simulated Blockchair: its routers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from simulator.blockchair.api import Api
from simulator.blockchair.delivery import Delivery, Interceptor
from simulator.blockchair.dump_files import DumpStore, FolderDumps, WorldDumps
from simulator.blockchair.dump_host import DumpHost
from simulator.blockchair.parameters import WorldParameters
from simulator.blockchair.world import World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.clock import Clock
    from simulator.prices import PriceSource
    from simulator.settings import Settings


def build_routers(
    settings: Settings,
    clock: Clock,
    prices: PriceSource,
    *,
    interceptors: Sequence[Interceptor] = (),
    london_columns: bool = False,
) -> list[APIRouter]:
    """The routers of API (`/blockchair`) and dump host (`/dumps`). Nothing of the world is made yet.

    Args:
        settings: Seed, sizes and folders.
        clock: The simulated clock.
        prices: USD prices of the coins.
        interceptors: What stands between every request and its answer, the outermost first.
        london_columns: Whether Ethereum's dumps end with the columns that London added.
    """
    world = World(
        WorldParameters(
            seed=settings.seed,
            start=settings.start,
            blocks_per_day=settings.blocks_per_day,
            transactions_per_block=settings.transactions_per_block,
            chains=tuple(settings.chains),
        )
    )
    folder = settings.dumps_dir
    store: DumpStore = WorldDumps(world, prices, london=london_columns) if folder is None else FolderDumps(folder)
    api, host, delivery = Api(world, prices), DumpHost(store), Delivery(interceptors)
    api_router, dump_router = APIRouter(prefix="/blockchair"), APIRouter(prefix="/dumps")

    # Plain functions, so that the server runs them beside its loop: making a day takes a moment.
    @api_router.api_route("/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)
    def answer_api(request: Request, path: str) -> Response:
        return delivery.answer(request, lambda: api.answer(path, request.query_params, clock.now()))

    @dump_router.api_route("/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)
    def answer_dumps(request: Request, path: str) -> Response:
        head = request.method == "HEAD"
        return delivery.answer(request, lambda: host.answer(path, request.headers, clock.now(), head=head))

    return [api_router, dump_router]
