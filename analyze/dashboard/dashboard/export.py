"""Writes all pages to plain files, which a browser opens without a server."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

from dashboard.errors import DashboardError
from dashboard.page import Page
from dashboard.render import Renderer, write_csv
from dashboard.server import STATIC, plotly_file
from dashboard.settings import Settings
from dashboard.site import Asked, Site
from dashboard.warehouse import Warehouse


class FileLinks:
    """Names of files in one folder."""

    is_live = False

    def page(self, name: str, _query: str) -> str:
        """A page; what it shows is fixed."""
        return f"{name}.html"

    def csv(self, page: str, dataset: str, _query: str) -> str:
        """A dataset of a page."""
        return f"{page}-{dataset}.csv"

    def static(self, name: str) -> str:
        """A file of this package."""
        return name

    def plotly(self) -> str:
        """The library that draws."""
        return "plotly.js"


def export(settings: Settings, pages: Sequence[Page], asked: Asked, folder: Path) -> list[Path]:
    """Write each page with its datasets; nothing is written unless all pages can be.

    Returns:
        The pages' files.

    Raises:
        DashboardError: The warehouse cannot be read, or the view is none.
    """
    texts = asyncio.run(_texts(settings, pages, asked))
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    for path in STATIC.iterdir():
        shutil.copyfile(path, folder / path.name)
    shutil.copyfile(plotly_file(), folder / "plotly.js")
    shutil.copyfile(folder / f"{pages[0].name}.html", folder / "index.html")
    return [folder / f"{page.name}.html" for page in pages]


async def _texts(settings: Settings, pages: Sequence[Page], asked: Asked) -> dict[str, str]:
    """The text of each file, by its name."""
    links, texts = FileLinks(), {}
    renderer = Renderer(pages, links)
    async with Warehouse(settings) as warehouse:
        site = Site(warehouse, pages, renderer)
        for page in pages:
            try:
                view, found = await site.rows(page, asked)
            except DashboardError as error:
                if error.is_failure:
                    raise
                texts[links.page(page.name, "")] = renderer.message(page.title, str(error))
                continue
            texts[links.page(page.name, "")] = renderer.page(page, view, found)
            texts |= {links.csv(page.name, name, ""): write_csv(rows) for name, rows in found.items()}
    return texts
