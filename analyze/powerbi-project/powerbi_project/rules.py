"""The rules of model and report. Each is a function that says what breaks it; its docstring says why it is one.

Microsoft's best practices and the rules of report parts are others' work (`practice.py`); here stands what they miss.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from powerbi_project import dax
from powerbi_project.tmdl import REFRESH_DAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from powerbi_project.model import ModelColumn, SemanticModel
    from powerbi_project.report import Field, Page, Visual

# The types of docs/guides/power-bi.md; `decimal` is fixed, of four places.
_DATA_TYPES = {"boolean", "dateTime", "decimal", "double", "int64", "string"}
_MEASURES = " Measures"
# Visuals, and the wells in which each takes fields: a visual whose field lies in another well is empty.
_VISUALS = {
    "barChart": {"Category", "Y", "Series"},
    "cardVisual": {"Data"},
    "columnChart": {"Category", "Y", "Series"},
    "lineChart": {"Category", "Y", "Series"},
    "slicer": {"Values"},
    "stackedAreaChart": {"Category", "Y", "Series"},
    "tableEx": {"Values"},
    "textbox": set(),
}
_SPANNED_STEPS = 3  # the server, the table, its span
_SPAN = re.compile(r"Span = Table\.SelectRows\(Rows, each \[(\w+)\] >= RangeStart and \[\1\] < RangeEnd\)")
_PRICED = ("USD", "NVT", "MVRV", "NUPL", "SOPR", "Return", "Volatility", "Drawdown", "Correlation")
_CREDIT = "CoinGecko"
# What a measure may be over several days, and over several coins.
_OVER_DAYS = "sum|mean|least|largest|first|last|last complete|last over first|pooled ratio"
_OVER_COINS = "sum|least|largest|earliest|pooled ratio|blank"
_ADDS_UP = re.compile(rf"Over days and months: ({_OVER_DAYS}); over coins: ({_OVER_COINS})\.$")


@dataclass(frozen=True)
class Project:
    """What the rules look at."""

    model: SemanticModel
    pages: list[Page]


def _columns(project: Project) -> Iterable[tuple[str, ModelColumn]]:
    return ((table.name, column) for table in project.model.tables for column in table.columns)


def _relevant(project: Project) -> Iterable[tuple[Page, Visual | None, Field]]:
    for page in project.pages:
        for field in page.named:
            yield page, None, field
        for visual in page.visuals:
            for field in visual.named:
                yield page, visual, field


def unknown_words(project: Project) -> Iterable[str]:
    """Readers of TMDL pass over what they do not know; Power BI does not open it."""
    return project.model.unknown


def unlisted_tables(project: Project) -> Iterable[str]:
    """`model.tmdl` lists each table once."""
    names = [table.name for table in project.model.tables]
    return {f"{name}: in model.tmdl or in tables/, not in both" for name in set(names) ^ set(project.model.listed)}


def doubled_names(project: Project) -> Iterable[str]:
    """Tables, columns of a table, and measures of the whole model have names of their own, in whatever case."""
    tables = Counter(table.name.lower() for table in project.model.tables)
    measures = Counter(measure.name.lower() for measure in project.model.measures)
    for counted in (tables, measures):
        yield from (f"{name}: twice" for name, count in counted.items() if count > 1)
    for table in project.model.tables:
        columns = [column.name.lower() for column in table.columns]
        names = Counter(columns + [measure.name.lower() for measure in table.measures])
        yield from (f"{table.name}[{name}]: twice" for name, count in names.items() if count > 1)


def unknown_data_types(project: Project) -> Iterable[str]:
    """No other tool minds a type that there is not."""
    return (f"{t}[{c.name}] is {c.data_type!r}" for t, c in _columns(project) if c.data_type not in _DATA_TYPES)


def columns_without_source(project: Project) -> Iterable[str]:
    """A column shows a column of its query."""
    return (f"{t}[{c.name}]" for t, c in _columns(project) if not c.source)


def base_units_as_numbers(project: Project) -> Iterable[str]:
    """Base units exceed what Power BI's numbers hold, so they come as text or not at all."""
    return (
        f"{t}[{c.name}] is {c.data_type}"
        for t, c in _columns(project)
        if re.search(r"_base(_text)?$", c.source) and c.data_type != "string"
    )


def implicit_measures(project: Project) -> Iterable[str]:
    """Sums are measures, written down once: columns are not summed by themselves, nor by whoever drags them."""
    yield from (f"{t}[{c.name}]" for t, c in _columns(project) if c.properties.get("summarizeBy") != "none")
    if "discourageImplicitMeasures" not in project.model.properties:
        yield "model.tmdl lacks discourageImplicitMeasures"


def visible_keys(project: Project) -> Iterable[str]:
    """A surrogate key means nothing to a reader, and may exceed what a visual shows exactly."""
    return (f"{t}[{c.name}]" for t, c in _columns(project) if c.source.endswith("_key") and not c.is_hidden)


def undescribed(project: Project) -> Iterable[str]:
    """Whoever points at a field reads what it is."""
    model = project.model
    yield from (table.name for table in model.tables if not table.description)
    yield from (f"{t}[{c.name}]" for t, c in _columns(project) if not c.description and not c.is_hidden)
    yield from (f"[{measure.name}]" for measure in model.measures if not measure.description)


def unsaid_totals(project: Project) -> Iterable[str]:
    """A measure's description ends by saying what it is over several days, and over several coins."""
    for measure in project.model.measures:
        if not _ADDS_UP.search(measure.description or ""):
            yield f"[{measure.name}] does not end with `Over days and months: ...; over coins: ...`"


def unformatted(project: Project) -> Iterable[str]:
    """A measure has a format and a folder."""
    for measure in project.model.measures:
        for wanted in ("formatString", "displayFolder"):
            if not measure.properties.get(wanted):
                yield f"[{measure.name}] has no {wanted}"


def broken_relationships(project: Project) -> Iterable[str]:
    """Both ends are there, are whole numbers, and filters go from the one to the many only."""
    for one in project.model.relationships:
        name = f"{one.from_table}[{one.from_column}] to {one.to_table}[{one.to_column}]"
        ends = []
        for table, column in ((one.from_table, one.from_column), (one.to_table, one.to_column)):
            found = project.model.table(table)
            end = found.column(column) if found else None
            if end is None:
                yield f"{name}: there is no {table}[{column}]"
            else:
                ends.append(end)
        if any(end.data_type != "int64" for end in ends):
            yield f"{name}: keys are int64"
        if ends[1:] and not ends[0].source.endswith(ends[1].source):
            yield f"{name}: the keys have different names in the warehouse"
        if one.properties.get("crossFilteringBehavior", "oneDirection") != "oneDirection":
            yield f"{name}: it filters both ways"
    to_many = {one.from_table for one in project.model.relationships}
    yield from (
        f"{one.to_table}: it is both many and one" for one in project.model.relationships if one.to_table in to_many
    )


def unrelated_keys(project: Project) -> Iterable[str]:
    """A key of a dimension leads to it."""
    related = {(one.from_table, one.from_column) for one in project.model.relationships}
    ends = {(one.to_table, one.to_column) for one in project.model.relationships}
    sources = {column.source for table, column in _columns(project) if (table, column.name) in ends}
    return (
        f"{t}[{c.name}]"
        for t, c in _columns(project)
        if c.source in sources and (t, c.name) not in related and (t, c.name) not in ends
    )


def two_active_ways(project: Project) -> Iterable[str]:
    """Between two tables only one relationship is active; Power BI refuses a second."""
    active = Counter(
        (one.from_table, one.to_table)
        for one in project.model.relationships
        if one.properties.get("isActive") != "false"
    )
    return (f"{many} to {one}: {count} active" for (many, one), count in active.items() if count > 1)


def storage_modes(project: Project) -> Iterable[str]:
    """A dimension of rows that stay in the warehouse is `dual`, or the join is made in Power BI, row by row."""
    modes = {table.name: table.mode for table in project.model.tables}
    for one in project.model.relationships:
        if modes.get(one.from_table) == "directQuery" and modes.get(one.to_table) not in {"dual", "directQuery"}:
            yield f"{one.to_table} is {modes.get(one.to_table)}, and {one.from_table} asks the warehouse"


def calendar_marked(project: Project) -> Iterable[str]:
    """One table is the calendar: marked, with a key of days, and without Power BI's own hidden calendars."""
    marked = [table for table in project.model.tables if table.properties.get("dataCategory") == "Time"]
    if len(marked) != 1:
        yield f"{len(marked)} tables are marked as the calendar"
    for table in marked:
        if not any("isKey" in column.properties and column.data_type == "dateTime" for column in table.columns):
            yield f"{table.name} has no key of days"


def spans_fold(project: Project) -> Iterable[str]:
    """An incremental refresh asks for a span right after the navigation, open at its end, and twice the same way."""
    for table in project.model.tables:
        policy, query = str(table.properties.get("sourceExpression", "")), table.query
        uses = "RangeStart" in query or "RangeEnd" in query
        if not uses and "refreshPolicy" not in table.properties:
            continue
        steps = [line.strip() for line in query.splitlines() if " = " in line]
        if len(steps) < _SPANNED_STEPS or not _SPAN.match(steps[_SPANNED_STEPS - 1]):
            yield f"{table.name}: the span has to come right after the navigation, [x] >= RangeStart and [x] < RangeEnd"
        if query.split() != policy.split():
            yield f"{table.name}: its policy has another query than its partition"
        days = int(table.properties.get("incrementalPeriods", 0))
        if table.properties.get("incrementalGranularity") != "day" or days < REFRESH_DAYS:
            yield f"{table.name}: a refresh has to read {REFRESH_DAYS} days again, for blocks and prices that change"


def queries_name_parameters(project: Project) -> Iterable[str]:
    """No server, login or password stands in a query, and each parameter it uses is there."""
    for table in project.model.tables:
        if table.name.endswith(_MEASURES):
            continue
        if "PostgreSQL.Database(Server, Database)" not in table.query:
            yield f"{table.name}: it does not read PostgreSQL.Database(Server, Database)"
        for name in re.findall(r"\b(Server|Database|RangeStart|RangeEnd)\b", table.query):
            if name not in project.model.parameters:
                yield f"{table.name}: there is no parameter {name}"
        if re.search(r"password|NativeQuery", table.query, re.IGNORECASE):
            yield f"{table.name}: its query holds what does not belong there"


def broken_measures(project: Project) -> Iterable[str]:
    """Names in DAX lead somewhere, and each operator has its operands."""
    columns = {table.name: {column.name for column in table.columns} for table in project.model.tables}
    names = {measure.name for measure in project.model.measures}
    for measure in project.model.measures:
        yield from (f"[{measure.name}]: {what}" for what in dax.problems(measure.expression, columns, names))


def fields_that_lead_nowhere(project: Project) -> Iterable[str]:
    """A visual that names what the model does not have shows an error to each reader."""
    columns = {(table, column.name) for table, column in _columns(project)}
    measures = {(measure.table, measure.name) for measure in project.model.measures}
    for page, visual, field in _relevant(project):
        if (field.table, field.name) not in (columns if field.kind == "Column" else measures):
            place = visual.name if visual else "its filters"
            yield f"{page.display_name}, {place}: there is no {field.kind.lower()} {field}"


def hidden_fields_shown(project: Project) -> Iterable[str]:
    """What is hidden from authors is not for readers either."""
    hidden = {(table, column.name) for table, column in _columns(project) if column.is_hidden}
    return (
        f"{page.display_name}, {visual.name}: {field}"
        for page in project.pages
        for visual in page.visuals
        for field in visual.shown
        if field.kind == "Column" and (field.table, field.name) in hidden
    )


def odd_visuals(project: Project) -> Iterable[str]:
    """The visuals that this report is made of, each inside its page and not over another."""
    for page in project.pages:
        boxes = []
        for visual in page.visuals:
            if visual.kind not in _VISUALS:
                yield f"{page.display_name}, {visual.name}: {visual.kind!r} is no visual of this report"
            if visual.kind == "textbox" and visual.named:
                yield f"{page.display_name}, {visual.name}: a text that asks the model"
            if visual.kind != "textbox" and not visual.shown:
                yield f"{page.display_name}, {visual.name}: it shows nothing"
            place = visual.position
            right, below = place["x"] + place["width"], place["y"] + place["height"]
            if min(place["x"], place["y"]) < 0 or right > page.part["width"] or below > page.part["height"]:
                yield f"{page.display_name}, {visual.name}: it reaches over the page's edge"
            boxes.append((visual.name, place["x"], place["y"], right, below))
        for number, (name, left, top, right, below) in enumerate(boxes):
            for other, other_left, other_top, other_right, other_below in boxes[:number]:
                if left < other_right and other_left < right and top < other_below and other_top < below:
                    yield f"{page.display_name}: {name} lies over {other}"


def wells(project: Project) -> Iterable[str]:
    """A field in a well that its visual lacks shows nothing; charts show measures by a column, cards measures."""
    for page in project.pages:
        for visual in page.visuals:
            for well in set(visual.wells) - _VISUALS.get(visual.kind, set(visual.wells)):
                yield f"{page.display_name}, {visual.name}: {visual.kind} has no well {well}"
            kinds = [field.kind for field in visual.shown]
            if visual.kind == "cardVisual" and "Column" in kinds:
                yield f"{page.display_name}, {visual.name}: a card shows measures"
            if visual.kind.endswith("Chart") and (kinds[:1] != ["Column"] or "Measure" not in kinds):
                yield f"{page.display_name}, {visual.name}: a chart shows measures by a column"


def prices_without_credit(project: Project) -> Iterable[str]:
    """CoinGecko's terms: each page that shows its data names it."""
    for page in project.pages:
        shown = [field.name for visual in page.visuals for field in visual.shown]
        words = " ".join(text for visual in page.visuals for text in visual.texts)
        if any(word in name for name in shown for word in _PRICED) and _CREDIT not in words:
            yield page.display_name


RULES: tuple[Callable[[Project], Iterable[str]], ...] = (
    unknown_words,
    unlisted_tables,
    doubled_names,
    unknown_data_types,
    columns_without_source,
    base_units_as_numbers,
    implicit_measures,
    visible_keys,
    undescribed,
    unsaid_totals,
    unformatted,
    broken_relationships,
    unrelated_keys,
    two_active_ways,
    storage_modes,
    calendar_marked,
    spans_fold,
    queries_name_parameters,
    broken_measures,
    fields_that_lead_nowhere,
    hidden_fields_shown,
    odd_visuals,
    wells,
    prices_without_credit,
)
