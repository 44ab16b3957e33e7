"""The web server: routes, headers, and the files that a page needs; it asks nobody else for anything."""

import gzip
import importlib.util
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from dashboard.errors import DashboardError
from dashboard.page import Page
from dashboard.render import Renderer
from dashboard.settings import Settings
from dashboard.site import Site
from dashboard.warehouse import Warehouse

STATIC = Path(__file__).parent / "static"
_MEDIA = {".js": "text/javascript", ".css": "text/css"}
# plotly.js puts rules into a style element of its own.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_FOR_A_YEAR = "public, max-age=31536000, immutable"
_UNAVAILABLE = 503


def plotly_file() -> Path:
    """The file of plotly.js that the package brings; it is found without importing it."""
    found = importlib.util.find_spec("plotly")
    assert found is not None and found.origin is not None  # noqa: S101, PT018 - it is pinned
    return Path(found.origin).parent / "package_data" / "plotly.min.js"


class ServerLinks:
    """Addresses of a running server; each is relative, so that a proxy may put them below a path."""

    is_live = True

    def __init__(self) -> None:
        # a new release is another address, since browsers keep these files
        self._version = plotly_file().stat().st_size

    def page(self, name: str, query: str) -> str:
        """A page, in a view."""
        return f"{name}?{query}" if query else name

    def csv(self, page: str, dataset: str, query: str) -> str:
        """A dataset of a page, in a view."""
        return f"data/{page}/{dataset}.csv?{query}" if query else f"data/{page}/{dataset}.csv"

    def static(self, name: str) -> str:
        """A file of this package."""
        return f"static/{name}"

    def plotly(self) -> str:
        """The library that draws."""
        return f"static/plotly.js?v={self._version}"


def make_app(settings: Settings, pages: Sequence[Page]) -> Starlette:
    """The server's application over a warehouse."""
    warehouse = Warehouse(settings)
    renderer = Renderer(pages, ServerLinks())
    routes = _Routes(Site(warehouse, pages, renderer), renderer, pages[0].name)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with warehouse:
            yield

    return Starlette(
        routes=[
            Route("/", routes.page),
            Route("/health", routes.health),
            Route("/static/plotly.js", routes.plotly),
            Route("/static/{name}", routes.static),
            Route("/data/{page}/{dataset}.csv", routes.csv),
            Route("/{page}", routes.page),
            Route("/{rest:path}", routes.nothing),
        ],
        middleware=[Middleware(GZipMiddleware, minimum_size=2000, compresslevel=1)],
        lifespan=lifespan,
    )


class _Routes:
    """What each address answers."""

    def __init__(self, site: Site, renderer: Renderer, first: str) -> None:
        self._site = site
        self._renderer = renderer
        self._first = first
        script = plotly_file().read_bytes()
        self._plotly = {"": script, "gzip": gzip.compress(script, 6)}

    async def page(self, request: Request) -> Response:
        """A page, or the sentence that says why there is none."""
        name = request.path_params.get("page", self._first)
        return await self._or_sentence(request, lambda: self._page(name, request))

    async def csv(self, request: Request) -> Response:
        """A dataset."""
        page, dataset = request.path_params["page"], request.path_params["dataset"]
        try:
            text = await self._site.csv(page, dataset, request.query_params.multi_items())
        except DashboardError as error:
            return PlainTextResponse(f"error: {error}\n", max(error.status, 400), headers=_HEADERS)
        name = f"{page}-{dataset}.csv"
        disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(text, headers={**_HEADERS, **disposition}, media_type="text/csv; charset=utf-8")

    async def health(self, _request: Request) -> Response:
        """Whether the server answers, and what it says of the warehouse; a warehouse that is down is no fault of it."""
        try:
            await self._site.check()
            said = "ok"
        except DashboardError as error:
            said = str(error)
        body = json.dumps({"status": "ok", "warehouse": said})
        return Response(body, headers=_HEADERS, media_type="application/json")

    async def plotly(self, request: Request) -> Response:
        """plotly.js, which the browser keeps."""
        encoding = "gzip" if "gzip" in request.headers.get("accept-encoding", "") else ""
        headers = {**_HEADERS, "Cache-Control": _FOR_A_YEAR, "Vary": "Accept-Encoding"}
        # named even where it is none, so that nothing is compressed twice
        headers["Content-Encoding"] = encoding or "identity"
        return Response(self._plotly[encoding], headers=headers, media_type="text/javascript")

    async def static(self, request: Request) -> Response:
        """A file of this package."""
        path = STATIC / request.path_params["name"]
        if path.parent != STATIC or not path.is_file():
            return await self.nothing(request)
        return Response(path.read_bytes(), headers=_HEADERS, media_type=_MEDIA[path.suffix])

    async def nothing(self, request: Request) -> Response:
        """The answer to an address that is none."""

        async def refuse() -> Response:
            raise DashboardError("there is nothing at this address; the menu names all pages.", 404)

        return await self._or_sentence(request, refuse)

    async def _page(self, name: str, request: Request) -> Response:
        return HTMLResponse(await self._site.page(name, request.query_params.multi_items()), headers=_HEADERS)

    async def _or_sentence(self, request: Request, answer: Callable[[], Awaitable[Any]]) -> Response:
        try:
            found: Response = await answer()
        except DashboardError as error:
            retry = error.status == _UNAVAILABLE
            back = str(request.url.path) if request.url.query else ""
            text = self._renderer.message("Nothing to show", str(error), retry=retry, back=back)
            return HTMLResponse(text, error.status, headers=_HEADERS)
        return found
