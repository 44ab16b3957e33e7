"""Answers for a page: asks the warehouse, writes the page, keeps it until a build publishes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cachetools import TTLCache

from dashboard.errors import DashboardError
from dashboard.page import Page, read_sql
from dashboard.render import Renderer, write_csv
from dashboard.view import View, read_view

if TYPE_CHECKING:
    from dashboard.page import Datasets
    from dashboard.warehouse import Reading, Row, Warehouse

Asked = Sequence[tuple[str, str]]
# What a build publishes ends the cache; views over incremental marts show no sign of it, so nothing is older than this.
_KEPT_SECONDS = 60
_KEPT_PAGES = 256
_NOT_FOUND = 404


class Site:
    """The pages over one warehouse."""

    def __init__(self, warehouse: "Warehouse", pages: Sequence[Page], renderer: Renderer) -> None:
        self._warehouse = warehouse
        self._pages = {page.name: page for page in pages}
        self._renderer = renderer
        self._kept: TTLCache[tuple[object, ...], str] = TTLCache(_KEPT_PAGES, _KEPT_SECONDS)
        self._options: tuple[str, Sequence[Row]] = ("", ())

    async def page(self, name: str, asked: Asked) -> str:
        """A page in the view that an address asks for.

        Raises:
            DashboardError: There is no such page or view, or the warehouse cannot be read.
        """
        page = self._page(name)
        async with self._warehouse.reading() as reading:
            state = await _published(reading)
            view = read_view(await self._choices(reading, state), asked, only_chains=page.needs_chain)
            key = (name, state, view.coins, view.first, view.last, view.span)
            if (kept := self._kept.get(key)) is not None:
                return kept
            found = {dataset: await reading.ask(page.sql(dataset), view.parameters) for dataset in page.datasets}
        self._kept[key] = self._renderer.page(page, view, found)
        return self._kept[key]

    async def csv(self, name: str, dataset: str, asked: Asked) -> str:
        """A dataset of a page as CSV.

        Raises:
            DashboardError: There is none, or the warehouse cannot be read.
        """
        page = self._page(name)
        if dataset not in page.datasets:
            raise DashboardError(f"the page {page.title} has no table {dataset[:40]!r}.", _NOT_FOUND)
        _, found = await self.rows(page, asked, (dataset,))
        return write_csv(found[dataset])

    async def rows(self, page: Page, asked: Asked, datasets: Sequence[str] = ()) -> "tuple[View, Datasets]":
        """The rows of a page in a view, of all its datasets or some."""
        async with self._warehouse.reading() as reading:
            options = await reading.ask(read_sql("options"))
            view = read_view(options, asked, only_chains=page.needs_chain)
            names = datasets or page.datasets
            return view, {name: await reading.ask(page.sql(name), view.parameters) for name in names}

    async def check(self) -> None:
        """Raise a DashboardError where the marts cannot be read."""
        async with self._warehouse.reading() as reading:
            await _published(reading)

    def _page(self, name: str) -> Page:
        if name not in self._pages:
            raise DashboardError(f"there is no page {name[:40]!r}; the menu names all.", _NOT_FOUND)
        return self._pages[name]

    async def _choices(self, reading: "Reading", state: str) -> "Sequence[Row]":
        if self._options[0] != state:
            self._options = (state, await reading.ask(read_sql("options")))
        return self._options[1]


async def _published(reading: "Reading") -> str:
    """What changes when a build has published: the transactions that wrote the marts' rows."""
    (row,) = await reading.ask(read_sql("published"))
    return str(row["state"])
