"""Draws rows: plotly.js figures as plain data, each with a sentence that says what they show.

A colour is named, as `var(--c1)`; the browser puts in what the theme says. A day that is not whole is never drawn like
the others: lines carry a mark, bars a pattern, and behind what fills an area the day is hatched (failed or partial) or
dotted (complete, but not all of it could be checked).
"""

import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.units import exact, short
from dashboard.view import View
from dashboard.warehouse import Row

Trace = dict[str, Any]
Layout = dict[str, Any]
COLOURS = tuple(f"var(--c{number})" for number in range(1, 9))
_WHOLE = ("verified", "priced")
_DAY_MILLISECONDS = 86_400_000
# What a day's state looks like: the symbol on a line, the pattern in a bar, and its words.
MARKS = {
    "unverifiable": ("circle-open", ".", "complete; some checks could not be done"),
    "partial": ("x-thin-open", "/", "partial: rows are missing"),
    "failed": ("cross-thin-open", "x", "a check failed"),
    "missing": ("line-ns-open", "/", "nothing is loaded"),
}


@dataclass(frozen=True)
class Series:
    """What is drawn of rows: a column, its kind (`dashboard.units`), and the column of the same in base units."""

    column: str
    kind: str
    base: str = ""


@dataclass(frozen=True)
class Figure:
    """A chart.

    Attributes:
        name: Of its files and its place in the page.
        title: With the unit.
        summary: What a person hears who does not see it.
        data: plotly.js traces.
        layout: plotly.js layout, without what all charts share.
        table: Name of the dataset that it draws.
        is_tall: Whether it needs more height than others.
    """

    name: str
    title: str
    summary: str
    data: list[Trace]
    layout: Layout
    table: str
    is_tall: bool = False


@dataclass(frozen=True)
class Key:
    """An entry of a legend: the name, already safe, its colour, and how it looks: `line`, `dash`, `dot`, `area`, ..."""

    name: str
    colour: str
    look: str


def keys(figure: Figure) -> list[Key]:
    """The legend of a chart; none where a single thing is drawn under the title's name."""
    found = []
    for trace in figure.data:
        if trace["type"] not in ("scatter", "bar") or "name" not in trace or trace.get("showlegend") is False:
            continue
        marker, stroke = trace.get("marker", {}), trace.get("line", {})
        if trace.get("yaxis") == "y9":
            found.append(Key(trace["name"], "var(--mark)", "dots" if marker["pattern"]["shape"] == "." else "hatch"))
        elif trace["type"] == "bar" or "fillcolor" in trace:
            found.append(Key(trace["name"], trace.get("fillcolor") or marker["color"], "area"))
        else:
            found.append(Key(trace["name"], stroke["color"], stroke.get("dash", "line")))
    return found


def safe(text: object) -> str:
    """A text of a source for plotly.js, which takes some HTML for formatting."""
    return html.escape(str(text), quote=False)


def grouped(rows: Iterable[Row], by: str) -> dict[str, list[Row]]:
    """Rows by a column, in order of appearance."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str(row[by]), []).append(row)
    return found


def days(rows: Iterable[Row]) -> list[str]:
    """The days of rows, as plotly.js takes them."""
    return [row["day"].isoformat() for row in rows]


def numbers(rows: Iterable[Row], column: str) -> list[float | None]:
    """A column to draw, which loses digits beyond a float's; the hover has them all."""
    return [None if row[column] is None else float(row[column]) for row in rows]


def hovers(rows: Iterable[Row], series: Series) -> list[str]:
    """What is read at each point: each digit, the base units where there are some, and what the day lacks."""
    found = []
    for row in rows:
        words = exact(series.kind, row[series.column])
        if series.base and row[series.base] is not None:
            words = f"{words} = {exact('base', row[series.base])} base units"
        mark = MARKS.get(str(row.get("day_status", "")))
        found.append(f"{words} ({mark[2]})" if mark else words)
    return found


def line(rows: Sequence[Row], series: Series, name: str, colour: str, **more: Any) -> Trace:  # noqa: ANN401 - plotly.js's own
    """A line, interrupted where nothing is known, with a mark on each day that is not whole.

    A day between two of which nothing is known has no line to it, so it has a dot.
    """
    states = [str(row.get("day_status", "")) for row in rows]
    values = numbers(rows, series.column)
    neighbours = zip([None, *values], [*values[1:], None], strict=False)
    alone = [before is None and after is None for before, after in neighbours]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": safe(name),
        "x": days(rows),
        "y": values,
        "customdata": hovers(rows, series),
        "hovertemplate": "%{customdata}",
        "connectgaps": False,
        "cliponaxis": False,
        "line": {"color": colour, "width": 2, **more.pop("line", {})},
        "marker": {
            "color": colour,
            "size": [
                7 if state in MARKS else 5 if is_alone else 0 for state, is_alone in zip(states, alone, strict=True)
            ],
            "symbol": [MARKS[state][0] if state in MARKS else "circle" for state in states],
        },
        **more,
    }


def bars(rows: Sequence[Row], series: Series, name: str, colour: str, **more: Any) -> Trace:  # noqa: ANN401 - plotly.js's own
    """Bars, with a pattern on each day that is not whole."""
    states = [str(row.get("day_status", "")) for row in rows]
    return {
        "type": "bar",
        "name": safe(name),
        "x": days(rows),
        "y": numbers(rows, series.column),
        "customdata": hovers(rows, series),
        "hovertemplate": "%{customdata}",
        "marker": {
            "color": colour,
            "pattern": {
                "shape": [MARKS[state][1] if state in MARKS else "" for state in states],
                "size": 6,
                "fillmode": "overlay",
            },
        },
        **more,
    }


def day_bands(rows: Iterable[Row]) -> list[Trace]:
    """Behind an area: a band for each day that is not whole. The layout needs `BANDS`."""
    by_state = grouped((row for row in rows if str(row.get("day_status")) in MARKS), "day_status")
    return [
        {
            "type": "bar",
            "name": MARKS[state][2],
            "x": sorted({row["day"].isoformat() for row in found}),
            "y": [1 for _ in sorted({row["day"] for row in found})],
            "width": _DAY_MILLISECONDS,
            "yaxis": "y9",
            "hoverinfo": "skip",
            "marker": {
                "color": "rgba(0,0,0,0)",
                "line": {"width": 0},
                "pattern": {"shape": MARKS[state][1], "fgcolor": "var(--mark)", "size": 7, "solidity": 0.2},
            },
        }
        for state, found in by_state.items()
    ]


BANDS: Layout = {
    "yaxis9": {"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
}


def parts(rows: Iterable[Row], view: View) -> list[tuple[str, str, list[Row]]]:
    """Each coin's name, its colour, which is the same on each page, and its rows."""
    colours = dict(zip(view.choice, COLOURS, strict=False))
    return [
        (str(found[0]["asset_name"]), colours.get(coin, COLOURS[-1]), found)
        for coin, found in grouped(rows, "coin").items()
    ]


def of_each_coin(rows: Iterable[Row], view: View, series: Series, draw: Callable[..., Trace]) -> list[Trace]:
    """A line, or bars, for each coin."""
    return [draw(found, series, name, colour) for name, colour, found in parts(rows, view)]


def told(title: str, rows: Sequence[Row], series: Series, by: str = "asset_name") -> str:
    """A sentence on a chart by day: what it shows, for whom, from when to when, the last known value, the marks."""
    told_of = []
    for name, found in grouped(rows, by).items():
        known = [row for row in found if row[series.column] is not None]
        if not known:
            told_of.append(f"{name}: nothing known")
            continue
        last = known[-1]
        marked = len([row for row in found if str(row.get("day_status")) in MARKS])
        note = f", {marked} days marked as not whole or not fully checked" if marked else ""
        value = short(series.kind, last[series.column])
        told_of.append(f"{name}: {len(known)} days to {last['day']}, last {value}{note}")
    return f"{title}. {'; '.join(told_of)}."
