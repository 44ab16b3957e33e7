"""Draw a page of Power BI's report without Power BI: its own places and titles, the numbers of its measures in Python.

    .venv-dev/bin/python tests/power_bi_preview.py market "$(warehouse url --role bi_reader)" > market.html

A sketch for docs/guides/power-bi.md and for whoever edits a page; what Power BI draws looks different.
"""

import html
import re
import sys
from collections.abc import Sequence
from typing import Any

import psycopg

from checkout import PROJECT
from power_bi import Measures
from powerbi_project.contract import read_contract
from powerbi_project.report import Field, Page, Visual, read_json, read_report

REPORT = PROJECT / "analyze/powerbi/Crypto.Report"
STYLE = """
body {margin: 0; background: #f3f4f6; font: 13px sans-serif; color: #1f2933}
main {position: relative; width: 1280px; height: 720px}
div {position: absolute; background: #fff; border-radius: 4px; overflow: hidden}
div {padding: 6px 10px; box-sizing: border-box}
div.textbox {background: none}
h4 {margin: 0 0 4px}
h4:empty {display: none}
table {width: 100%; border-spacing: 0}
.cards b, .textbox b {font-size: 24px}
.cards td {padding-top: 12px}
.rows td, .rows th {text-align: right; padding: 4px; border-bottom: 1px solid #e5e7eb}
.rows :first-child {text-align: left}
"""
COLOURS = read_json(REPORT / "StaticResources/RegisteredResources/Crypto.json")["dataColors"]
ROWS_SHOWN = 6
Context = dict[str, Sequence[Any]]


def shown(value: float | None, format_string: str) -> str:
    """A number as its format would show it, roughly."""
    if value is None:
        return "(blank)"
    if "%" in format_string:
        return f"{value:.2%}"
    sign = "$" if "$" in format_string else ""
    digits = len(re.sub(r"[^0#]", "", format_string.partition(".")[2]))
    size = next((one for one in ((1e12, "T"), (1e9, "bn"), (1e6, "M")) if abs(value) >= one[0]), None)
    return f"{sign}{value / size[0]:,.2f}{size[1]}" if size else f"{sign}{value:,.{min(digits, 4)}f}"


class Preview:
    """One page in one context."""

    def __init__(self, measures: Measures, context: Context) -> None:
        self.measures, self.context = measures, context
        self.formats = {one.name: str(one.properties["formatString"]) for one in measures.model.measures}

    def value(self, field: Field, key: str = "", member: object = None) -> float | None:
        """A measure, of a group's member if one is given; a coin's own row takes the place of the slicer's coin."""
        added = {key: [member]} if key else {}
        context = {name: values for name, values in self.context.items() if not (key and name.startswith("Asset."))}
        return self.measures.evaluate(field.name, (context if key.startswith("Asset.") else self.context) | added, key)

    def members(self, field: Field) -> list[Any]:
        """What a column has, the days of the context where it is the calendar."""
        if field.table == "Date":
            return list(self.context["Date.Date"])
        table = self.measures.tables[field.table]
        place = table["columns"].index(field.name)
        values = sorted({row[place] for row in table["rows"] if row[place] is not None}, key=str)
        return [value for value in values if str(value).lower() != "unknown"]

    def draw(self, visual: Visual) -> str:
        """The inside of a visual."""
        measures = [field for field in visual.shown if field.kind == "Measure"]
        columns = [field for field in visual.shown if field.kind == "Column"]
        if visual.kind == "textbox":
            first, *rest = visual.texts
            return f"<b>{html.escape(first)}</b> {html.escape(''.join(rest))}" if rest else html.escape(first)
        if visual.kind == "slicer":
            return f"<small>{columns[0].name}</small><br>{'Bitcoin' if columns[0].table == 'Asset' else 'all days'}"
        if visual.kind == "cardVisual":
            cells = [
                f"<td><b>{shown(self.value(one), self.formats[one.name])}</b><br>{one.name}</td>" for one in measures
            ]
            return f"<table class=cards><tr>{''.join(cells)}</tr></table>"
        if visual.kind == "tableEx":
            return self.table(columns, measures)
        return self.chart(visual, columns, measures)

    def table(self, columns: list[Field], measures: list[Field]) -> str:
        """A table by its first column; others are left out."""
        head = "".join(f"<th>{one.name}</th>" for one in [columns[0], *measures])
        key = f"{columns[0].table}.{columns[0].name}"
        body = []
        for member in self.members(columns[0]):
            values = [self.value(one, key, member) for one in measures]
            if any(value is not None for value in values):
                cells = [shown(v, self.formats[one.name]) for v, one in zip(values, measures, strict=True)]
                body.append(
                    f"<tr><td>{html.escape(str(member))}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
                )
        return f"<table class=rows><tr>{head}</tr>{''.join(body[:ROWS_SHOWN])}</table>"

    def chart(self, visual: Visual, columns: list[Field], measures: list[Field]) -> str:
        """Lines, or bars, of each measure or of each member of a second column."""
        key = f"{columns[0].table}.{columns[0].name}"
        members = self.members(columns[0])
        series = {one.name: [self.value(one, key, member) for member in members] for one in measures}
        width, height = visual.position["width"] - 30, visual.position["height"] - 60
        known = [value for values in series.values() for value in values if value is not None] or [0]
        low, high = min(*known, 0 if visual.kind != "lineChart" else known[0]), max(known)
        scale = height / ((high - low) or 1)
        parts = []
        for number, (name, values) in enumerate(series.items()):
            colour = COLOURS[number % len(COLOURS)]
            step = width / max(len(values), 1)
            places = [(place * step, height - (v - low) * scale) for place, v in enumerate(values) if v is not None]
            if visual.kind == "lineChart":
                points = " ".join(f"{x + step / 2:.1f},{y:.1f}" for x, y in places)
                parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2.5" points="{points}"/>')
            else:
                bar = step / len(series) * 0.8
                for x, y in places:
                    size = f'width="{bar:.1f}" height="{height - y:.1f}"'
                    parts.append(f'<rect x="{x + number * bar:.1f}" y="{y:.1f}" {size} fill="{colour}"/>')
            parts.append(f'<text x="{number * 190}" y="{height + 22}" fill="{colour}">{html.escape(name)}</text>')
        return f'<svg width="{width}" height="{height + 30}">{"".join(parts)}</svg>'


def draw(page: Page, preview: Preview) -> str:
    """The page as HTML."""
    boxes = []
    for visual in page.visuals:
        part = read_json(REPORT / f"definition/pages/{page.name}/visuals/{visual.name}/visual.json")["visual"]
        titles = part.get("visualContainerObjects", {}).get("title", [])
        title = titles[0]["properties"]["text"]["expr"]["Literal"]["Value"].strip("'") if titles else ""
        place = visual.position
        style = f"left:{place['x']}px;top:{place['y']}px;width:{place['width']}px;height:{place['height']}px"
        boxes.append(
            f'<div class="{visual.kind}" style="{style}"><h4>{html.escape(title)}</h4>{preview.draw(visual)}</div>'
        )
    return f"<!doctype html><meta charset=utf-8><style>{STYLE}</style><main>{''.join(boxes)}</main>"


def main() -> None:
    """Draw the page that was asked for, for Bitcoin over all days with blocks."""
    name, url = sys.argv[1:]
    with psycopg.connect(url) as connection:
        measures = Measures(
            read_contract(PROJECT / "transform/target/manifest.json"),
            lambda query: connection.execute(query).fetchall(),  # type: ignore[call-overload]
            "analytics",
        )
    network = measures.tables["Network"]
    dates = sorted({row[network["columns"].index("Block Date")] for row in network["rows"]})
    preview = Preview(measures, {"Asset.Asset": ["Bitcoin"], "Date.Date": dates})
    (page,) = [one for one in read_report(REPORT) if one.name == name]
    sys.stdout.write(draw(page, preview))


if __name__ == "__main__":
    main()
