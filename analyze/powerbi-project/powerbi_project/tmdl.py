"""Write the semantic model's generated parts as TMDL, as Power BI Desktop would.

TMDL indents by tabs; `///` before an object is its description. Microsoft's "Tabular Model Definition Language" states
the grammar. Each object's lineage tag is a UUID made of its name, so that writing again changes nothing.
"""

from __future__ import annotations

import re
import textwrap
import uuid
from typing import TYPE_CHECKING

from powerbi_project.conventions import column_name, display_folder, format_string, is_hidden, model_type

if TYPE_CHECKING:
    from collections.abc import Iterable

    from powerbi_project.contract import Column, Contract, Relationship, Table

_NAMESPACE = uuid.UUID("9e69d274-59fe-4466-abb0-2e6c98c90ab9")  # the project's id
_PLAIN = re.compile(r"^\w+$")
_COMMENT_WIDTH = 110
# The days that a refresh reads again: blocks are replaced and prices come late within fewer (docs/guides/power-bi.md).
REFRESH_DAYS = 10
KEPT_YEARS = 20


def quote(name: str) -> str:
    """A name as TMDL and DAX's tables take it."""
    return name if _PLAIN.match(name) else "'" + name.replace("'", "''") + "'"


def tag(*names: str) -> str:
    """An object's lineage tag."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(names)))


def table_file(table: Table) -> str:
    """The file of one table."""
    lines = [*_described(table.description), f"table {quote(table.name)}", f"\tlineageTag: {tag(table.name)}"]
    if "date" in table.meta:
        lines.append("\tdataCategory: Time")
    lines.append("")
    if "range" in table.meta:
        lines += [*_refresh_policy(table), ""]
    names = {column.source: column_name(column) for column in table.columns}
    for column in table.columns:
        lines += [*_column(table, column, names), ""]
    if "date" in table.meta:
        lines += [*_calendar(table, names), ""]
    lines += [
        f"\tpartition {quote(table.name)} = m",
        f"\t\tmode: {table.mode}",
        "\t\tsource =",
        *_indented(query(table), 4),
        "",
        "\tannotation PBI_ResultType = Table",
    ]
    return "\n".join(lines) + "\n"


def relationships_file(contract: Contract) -> str:
    """The file of all relationships."""
    tables = {table.model: table for table in contract.tables}
    blocks = ["\n".join(_relationship(one, tables)) for one in contract.relationships]
    return "\n\n".join(blocks) + "\n"


def query(table: Table) -> str:
    """The M query of a table. Each step folds into the one statement that PostgreSQL gets.

    The span comes right after the navigation, before anything that might not fold.
    """
    steps = [
        ("Source", "PostgreSQL.Database(Server, Database)"),
        ("Rows", f'Source{{[Schema = "{table.schema}", Item = "{table.model}"]}}[Data]'),
    ]
    if "range" in table.meta:
        column = table.meta["range"]
        steps.append(("Span", f"Table.SelectRows(Rows, each [{column}] >= RangeStart and [{column}] < RangeEnd)"))
    if table.meta.get("without_unknown"):
        steps.append(("Known", f"Table.SelectRows({steps[-1][0]}, each [{table.primary_key}] <> -1)"))
    if table.meta.get("without"):
        columns = ", ".join(f'"{column.source}"' for column in table.columns)
        steps.append(("Columns", f"Table.SelectColumns({steps[-1][0]}, {{{columns}}})"))
    money = [column.source for column in table.columns if model_type(column) == "decimal"]
    # Rows that stay in the warehouse are asked for as they are: a step that did not fold would fail there.
    if money and table.mode != "directQuery":
        types = ", ".join(f'{{"{column}", Currency.Type}}' for column in money)
        steps.append(("Types", f"Table.TransformColumnTypes({steps[-1][0]}, {{{types}}})"))
    body = ",\n".join(f"    {name} = {expression}" for name, expression in steps)
    return f"let\n{body}\nin\n    {steps[-1][0]}"


def _column(table: Table, column: Column, names: dict[str, str]) -> Iterable[str]:
    kind = model_type(column)
    yield from _described(column.description, 1)
    yield f"\tcolumn {quote(names[column.source])}"
    yield f"\t\tdataType: {kind}"
    if is_hidden(table, column):
        yield "\t\tisHidden"
        yield "\t\tisAvailableInMdx: false"
    if column.source in (table.primary_key, table.meta.get("date")) and not (
        "date" in table.meta and column.source == table.primary_key
    ):
        yield "\t\tisKey"
    shown = format_string(column)
    if shown:
        yield f"\t\tformatString: {shown}"
    folder = display_folder(column)
    if folder:
        yield f"\t\tdisplayFolder: {folder}"
    yield f"\t\tlineageTag: {tag(table.name, column.source)}"
    yield "\t\tsummarizeBy: none"
    yield f"\t\tsourceColumn: {column.source}"
    sort_by = column.meta.get("sort_by")
    if sort_by:
        yield f"\t\tsortByColumn: {quote(names[sort_by])}"
    yield ""
    yield "\t\tannotation SummarizationSetBy = User"
    if column.data_type == "date":
        yield ""
        yield "\t\tannotation UnderlyingDateTimeDataType = Date"


def _calendar(table: Table, names: dict[str, str]) -> Iterable[str]:
    """The levels that a person drills through."""
    yield "\thierarchy Calendar"
    yield f"\t\tlineageTag: {tag(table.name, 'Calendar')}"
    for level in ("year_number", "quarter_number", "month_name", table.meta["date"]):
        yield ""
        yield f"\t\tlevel {quote(names[level])}"
        yield f"\t\t\tlineageTag: {tag(table.name, 'Calendar', level)}"
        yield f"\t\t\tcolumn: {quote(names[level])}"


def _refresh_policy(table: Table) -> Iterable[str]:
    yield "\trefreshPolicy"
    yield "\t\tpolicyType: basic"
    yield "\t\trollingWindowGranularity: year"
    yield f"\t\trollingWindowPeriods: {KEPT_YEARS}"
    yield "\t\tincrementalGranularity: day"
    yield f"\t\tincrementalPeriods: {REFRESH_DAYS}"
    yield "\t\tsourceExpression ="
    yield from _indented(query(table), 4)


def _relationship(one: Relationship, tables: dict[str, Table]) -> Iterable[str]:
    here, there = tables[one.from_table], tables[one.to_table]
    from_name, to_name = (
        next(column_name(column) for column in table.columns if column.source == source)
        for table, source in ((here, one.from_column), (there, one.to_column))
    )
    yield f"relationship {tag('relationship', here.name, one.from_column)}"
    if not one.is_active:
        yield "\tisActive: false"
    # dbt tests that each key finds its row, so that a join need not keep rows without one
    if here.mode == "directQuery":
        yield "\trelyOnReferentialIntegrity"
    yield f"\tfromColumn: {quote(here.name)}.{quote(from_name)}"
    yield f"\ttoColumn: {quote(there.name)}.{quote(to_name)}"


def _described(text: str, depth: int = 0) -> list[str]:
    return ["\t" * depth + "/// " + line for line in textwrap.wrap(text, _COMMENT_WIDTH)]


def _indented(text: str, depth: int) -> list[str]:
    return ["\t" * depth + line for line in text.splitlines()]
