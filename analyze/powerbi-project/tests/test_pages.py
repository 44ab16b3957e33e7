"""Pages and visuals: where they may stand, what they may show, and what is read of their files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from powerbi_project.errors import ProjectError
from powerbi_project.model import SemanticModel
from powerbi_project.report import Field, Page, Visual, read_report
from powerbi_project.rules import Project, odd_visuals, prices_without_credit, wells

NO_MODEL = SemanticModel([], [], [], [], {}, [])
Box = tuple[int, int, int, int]  # left, top, width, height
FIRST: Box = (100, 100, 200, 100)  # so its right edge is at 300, its lower one at 200
EDGE = "it reaches over the page's edge"


def visual(name: str, box: Box = FIRST, kind: str = "textbox", texts: tuple[str, ...] = (), **shown: Field) -> Visual:
    position = dict(zip(("x", "y", "width", "height"), box, strict=True))
    fields = tuple(shown.values())
    return Visual(name, kind, tuple(shown), fields, fields, position, texts)


def page(*visuals: Visual, name: str = "p") -> Page:
    return Page(name, name.upper(), {"width": 1280, "height": 720}, (), visuals)


def placed(*boxes: Box) -> list[str]:
    shown = [visual(f"v{number}", box) for number, box in enumerate(boxes, 1)]
    return list(odd_visuals(Project(NO_MODEL, [page(*shown)])))


@pytest.mark.parametrize(
    ("box", "is_over"),
    [
        (FIRST, True),
        ((299, 100, 50, 100), True),  # a point of its left edge
        ((300, 100, 50, 100), False),  # side by side
        ((50, 100, 51, 100), True),
        ((50, 100, 50, 100), False),
        ((100, 199, 200, 50), True),
        ((100, 200, 200, 50), False),  # one below the other
        ((100, 50, 200, 51), True),
        ((100, 50, 200, 50), False),
        ((150, 120, 20, 20), True),  # within
        ((50, 50, 400, 300), True),  # around
        ((180, 50, 20, 300), True),  # across, from top to bottom
        ((50, 140, 400, 20), True),  # across, from left to right
        ((310, 210, 50, 50), False),  # beyond a corner
        ((20, 210, 50, 50), False),
        ((20, 20, 50, 50), False),
        ((310, 20, 50, 50), False),
        ((150, 300, 50, 50), False),  # the same columns, far below
        ((400, 120, 50, 50), False),  # the same rows, far to the right
    ],
)
def test_two_visuals_lie_over_each_other_or_not(box: Box, is_over: bool) -> None:  # noqa: FBT001
    assert placed(FIRST, box) == (["P: v2 lies over v1"] if is_over else [])
    assert placed(box, FIRST) == (["P: v2 lies over v1"] if is_over else [])


def test_each_pair_is_looked_at_once() -> None:
    apart = (600, 100, 100, 100)
    assert placed(FIRST, apart, FIRST, apart) == ["P: v3 lies over v1", "P: v4 lies over v2"]


def test_visuals_of_two_pages_do_not_lie_over_each_other() -> None:
    assert list(odd_visuals(Project(NO_MODEL, [page(visual("a")), page(visual("b"))]))) == []


@pytest.mark.parametrize(
    ("box", "is_inside"),
    [
        ((0, 0, 1280, 720), True),
        ((1180, 620, 100, 100), True),
        ((1181, 0, 100, 100), False),
        ((0, 621, 100, 100), False),
        ((0, 0, 1281, 100), False),
        ((0, 0, 100, 721), False),
        ((-1, 0, 100, 100), False),
        ((0, -1, 100, 100), False),
    ],
)
def test_a_visual_lies_within_its_page(box: Box, is_inside: bool) -> None:  # noqa: FBT001
    assert placed(box) == ([] if is_inside else [f"P, v1: {EDGE}"])


COLUMN, MEASURE = Field("Column", "Date", "Date"), Field("Measure", "Fees", "Fees USD")


@pytest.mark.parametrize("kind", ["barChart", "columnChart", "lineChart", "stackedAreaChart"])
def test_a_chart_has_three_wells_and_shows_measures_by_a_column(kind: str) -> None:
    def said(**shown: Field) -> list[str]:
        return sorted(wells(Project(NO_MODEL, [page(visual("v", FIRST, kind, **shown))])))

    by_a_column = "P, v: a chart shows measures by a column"
    assert said(Category=COLUMN, Y=MEASURE, Series=COLUMN) == []
    assert said(Category=COLUMN, Y=COLUMN) == [by_a_column]
    assert said(Category=COLUMN) == [by_a_column]
    assert said(Category=MEASURE, Y=COLUMN) == [by_a_column]
    assert said() == [by_a_column]
    assert said(Category=COLUMN, Y=MEASURE, Data=COLUMN, Values=COLUMN) == [
        f"P, v: {kind} has no well Data",
        f"P, v: {kind} has no well Values",
    ]


@pytest.mark.parametrize(
    ("kind", "shown", "expected"),
    [
        ("cardVisual", {"Data": MEASURE}, []),
        ("cardVisual", {"Data": COLUMN}, ["P, v: a card shows measures"]),
        ("cardVisual", {"Values": MEASURE}, ["P, v: cardVisual has no well Values"]),
        ("slicer", {"Values": COLUMN}, []),
        ("slicer", {"Category": COLUMN}, ["P, v: slicer has no well Category"]),
        ("tableEx", {"Values": COLUMN}, []),
        ("tableEx", {"Y": COLUMN}, ["P, v: tableEx has no well Y"]),
        ("textbox", {"Values": COLUMN}, ["P, v: textbox has no well Values"]),
    ],
)
def test_other_visuals_have_one_well(kind: str, shown: dict[str, Field], expected: list[str]) -> None:
    assert list(wells(Project(NO_MODEL, [page(visual("v", FIRST, kind, **shown))]))) == expected


@pytest.mark.parametrize(
    "name",
    ["Close Price USD", "NVT", "MVRV", "NUPL", "SOPR", "Return", "Volatility 30d", "Max Drawdown", "Correlation"],
)
def test_a_page_that_shows_prices_or_what_is_made_of_them_names_their_source(name: str) -> None:
    priced = visual("price", FIRST, "cardVisual", Data=Field("Measure", "Market Measures", name))
    credit = visual("credit", FIRST, texts=("All days are UTC.", "Prices by CoinGecko."))
    other = visual("blocks", FIRST, "cardVisual", Data=Field("Measure", "Network Measures", "Blocks"))
    pages = [
        page(priced, other, name="bare"),
        page(priced, credit, name="credited"),
        page(other, name="without prices"),
        page(visual("text", texts=("CoinGeck", "o")), priced, name="nearly"),
    ]
    assert list(prices_without_credit(Project(NO_MODEL, pages))) == ["BARE", "NEARLY"]


def reference(kind: str, name: str, **source: str) -> dict[str, Any]:
    return {kind: {"Expression": {"SourceRef": source}, "Property": name}}


def written(folder: Path, names: list[str], **visuals: dict[str, Any]) -> Path:
    """A report of a page for each name, of which the first has visuals."""
    pages = folder / "definition/pages"
    for name in names:
        (pages / name).mkdir(parents=True)
        fields, other = ([reference("Column", one, Entity="Asset")] for one in ("Has Chain", "Symbol"))
        part = {"name": name, "displayName": name.upper(), "filterConfig": fields * 2, "visuals": other}
        (pages / name / "page.json").write_text(json.dumps(part), encoding="utf-8-sig")
    (pages / "pages.json").write_text(json.dumps({"pageOrder": names}), encoding="utf-8")
    for name, part in visuals.items():
        (pages / names[0] / "visuals" / name).mkdir(parents=True)
        (pages / names[0] / "visuals" / name / "visual.json").write_text(json.dumps({"name": name} | part))
    return folder


def test_what_is_read_of_a_report(tmp_path: Path) -> None:
    column, measure = reference("Column", "Date", Entity="Date"), reference("Measure", "Fees", Entity="M")
    alias = {"From": [{"Name": "a", "Entity": "Asset"}], "Where": [reference("Column", "Symbol", Source="a")]}
    query = {
        "Y": {"projections": [{"field": measure}, {"field": column}]},
        "Category": {"projections": [{"field": column}]},
    }
    chart = {
        "position": {"x": 1, "y": 2, "width": 3, "height": 4},
        "visual": {"visualType": "lineChart", "query": {"queryState": query}},
        "filterConfig": [alias, reference("Column", "Lost", Source="nobody")],
    }
    runs = [{"textRuns": [{"value": "one"}, {"value": "two"}]}, {"textRuns": [{"value": "three"}]}]
    text = {"objects": {"general": [{"properties": {"paragraphs": runs}}, {"properties": {}}]}}
    text = {"position": {}, "visual": {"visualType": "textbox", **text}}
    first, second = read_report(written(tmp_path, ["b", "a"], chart=chart, text=text))
    assert (first.name, first.display_name, second.name) == ("b", "B", "a")
    assert first.named == (Field("Column", "Asset", "Has Chain"),)
    assert second.visuals == ()
    read_chart, read_text = first.visuals
    assert (read_chart.name, read_chart.kind, read_chart.wells) == ("chart", "lineChart", ("Y", "Category"))
    of_date, fees = Field("Column", "Date", "Date"), Field("Measure", "M", "Fees")
    assert read_chart.shown == (fees, of_date, of_date)
    assert [str(one) for one in read_chart.named] == ["M[Fees]", "Date[Date]", "Asset[Symbol]", "nobody[Lost]"]
    assert read_chart.position == {"x": 1, "y": 2, "width": 3, "height": 4}
    assert (read_text.texts, read_text.shown, read_text.named) == (("one", "two", "three"), (), ())


def test_an_alias_counts_where_it_stands(tmp_path: Path) -> None:
    """Two filters may call two tables by the same letter."""

    def by(table: str) -> dict[str, Any]:
        return {"From": [{"Name": "x", "Entity": table}], "Where": [{"In": [reference("Column", "Id", Source="x")]}]}

    part = {"position": {}, "filterConfig": [by("One"), by("Two"), reference("Column", "Id", Source="x")]}
    (only,) = read_report(written(tmp_path, ["a"], odd=part))
    assert [str(one) for one in only.visuals[0].named] == ["One[Id]", "Two[Id]", "x[Id]"]
    assert only.visuals[0].kind == ""


@pytest.mark.parametrize(("listed", "odd"), [(["a"], "b"), (["a", "b", "c"], "c"), (["a", "c"], "b, c")])
def test_pages_that_are_listed_are_those_that_are_there(tmp_path: Path, listed: list[str], odd: str) -> None:
    report = written(tmp_path, ["a", "b"])
    (report / "definition/pages/pages.json").write_text(json.dumps({"pageOrder": listed}))
    with pytest.raises(ProjectError, match=f"other pages than there are: {odd}$"):
        read_report(report)


def test_a_part_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"pages\.json is missing"):
        read_report(tmp_path)
