"""Writes a page from its rows, for the server and for plain files."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dashboard.charts import Figure, keys
from dashboard.page import Column, Datasets, Page, Table
from dashboard.units import exact, short
from dashboard.view import SPANS, View
from dashboard.warehouse import Row, Rows

# Of a table in a page; its CSV has all rows.
_SHOWN_ROWS = 200


class Links(Protocol):
    """How one file of the site names another."""

    is_live: bool

    def page(self, name: str, query: str) -> str:
        """A page, in a view."""

    def csv(self, page: str, dataset: str, query: str) -> str:
        """A dataset of a page, in a view."""

    def static(self, name: str) -> str:
        """A file of this package."""

    def plotly(self) -> str:
        """The library that draws."""


@dataclass(frozen=True)
class Renderer:
    """Writes pages.

    Attributes:
        pages: All pages, in the order of the menu.
        links: How they name one another.
    """

    pages: Sequence[Page]
    links: Links

    def page(self, page: Page, view: View, found: Datasets) -> str:
        """A page with its charts and tables."""
        charts = [_chart(figure) for figure in page.draw(found, view)]
        return _ENVIRONMENT.get_template("page.html").render(
            **self._frame(page.title, page, view.query),
            view=view,
            spans=SPANS,
            cards=[_card(page.headline, row) for row in found.get("headline", ())],
            charts=charts,
            has_charts=bool(charts),
            tables=[_table(table, found[table.dataset]) for table in page.tables],
        )

    def message(self, title: str, sentence: str, *, retry: bool = False, back: str = "") -> str:
        """A page that says a sentence and nothing else."""
        return _ENVIRONMENT.get_template("message.html").render(
            **self._frame(title, None, "", retry=retry), sentence=f"{sentence[:1].upper()}{sentence[1:]}", back=back
        )

    def _frame(self, title: str, page: Page | None, keep: str, *, retry: bool = False) -> dict[str, Any]:
        return {"title": title, "page": page, "pages": self.pages, "links": self.links, "keep": keep, "retry": retry}


def write_csv(rows: Rows) -> str:
    """All columns of rows, each digit as the warehouse gave it; what is unknown is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(rows.columns)
    writer.writerows([_plain(value) for value in row.values()] for row in rows)
    return text.getvalue()


def _plain(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


_ENVIRONMENT = Environment(
    loader=PackageLoader("dashboard"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def _card(columns: Iterable[Column], row: Row) -> Mapping[str, object]:
    return {
        "coin": row["coin"],
        "name": row["asset_name"],
        "figures": [
            {
                "name": column.name,
                "label": column.label,
                "raw": _plain(row[column.name]),
                "exact": exact(column.kind, row[column.name]),
                "short": short(column.kind, row[column.name]),
            }
            for column in columns
        ],
    }


def _chart(figure: Figure) -> Mapping[str, object]:
    # a script element ends at its end tag alone
    text = json.dumps({"data": figure.data, "layout": figure.layout}, separators=(",", ":"), allow_nan=False)
    return {
        "name": figure.name,
        "title": figure.title,
        "summary": figure.summary,
        "json": Markup(text.replace("<", "\\u003c")),  # noqa: S704 - data, in which no tag can begin
        "keys": [(Markup(key.name), key.colour, key.look) for key in keys(figure)],  # noqa: S704 - made safe for plotly.js
        "table": figure.table,
        "is_tall": figure.is_tall,
    }


def _table(table: Table, rows: Sequence[Row]) -> Mapping[str, object]:
    shown = rows[::-1][:_SHOWN_ROWS] if table.newest_first else rows[:_SHOWN_ROWS]
    return {
        "dataset": table.dataset,
        "title": table.title,
        "note": table.note,
        "is_open": table.is_open,
        "columns": table.columns,
        "row_count": len(rows),
        "is_cut": len(shown) < len(rows),
        "rows": [[(exact(column.kind, row[column.name]), column.kind) for column in table.columns] for row in shown],
    }
