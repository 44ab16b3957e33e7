"""Read a semantic model's TMDL: what it says, line by line checked, since no reader of TMDL outside Power BI is strict.

`trailsbi` makes a tree of the text and passes over what it does not know; `unknown_lines` looks at just that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trailsbi.tmdl import parse_tmdl_text, split_col_ref

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Tree = dict[str, Any]

# What this model is made of, by the kind of object. A word that is not here is a mistake, or a reason to add it here.
_OBJECTS = """
    annotation column database expression hierarchy level measure model partition ref refreshPolicy relationship table
"""
_PROPERTIES = """
    column compatibilityLevel crossFilteringBehavior culture dataAccessOptions dataCategory dataType
    defaultPowerBIDataSourceVersion discourageImplicitMeasures displayFolder formatString fromColumn
    incrementalGranularity incrementalPeriods isActive isAvailableInMdx isHidden isKey legacyRedirects lineageTag mode
    policyType relyOnReferentialIntegrity returnErrorValuesAsNull rollingWindowGranularity rollingWindowPeriods
    sortByColumn source sourceColumn sourceExpression sourceQueryCulture summarizeBy toColumn
"""
_WORD = re.compile(r"^([A-Za-z]+)")


@dataclass(frozen=True)
class ModelColumn:
    """A column."""

    name: str
    data_type: str
    source: str  # the column of the query that it shows
    properties: dict[str, Any]
    description: str

    @property
    def is_hidden(self) -> bool:
        """Whether a report's author does not see it."""
        return "isHidden" in self.properties


@dataclass(frozen=True)
class Measure:
    """A measure."""

    name: str
    table: str
    expression: str
    properties: dict[str, Any]
    description: str


@dataclass
class ModelTable:
    """A table."""

    name: str
    mode: str  # import, dual or directQuery
    query: str  # its M
    properties: dict[str, Any]
    description: str
    columns: list[ModelColumn] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)

    def column(self, name: str) -> ModelColumn | None:
        """The column of that name, if there is one."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True)
class ModelRelationship:
    """A relationship, from the many to the one."""

    from_table: str
    from_column: str
    to_table: str
    to_column: str
    properties: dict[str, Any]


@dataclass
class SemanticModel:
    """All of it."""

    tables: list[ModelTable]
    relationships: list[ModelRelationship]
    parameters: list[str]  # names of shared M expressions
    listed: list[str]  # tables that model.tmdl refers to
    properties: dict[str, Any]
    unknown: list[str]  # lines that are no TMDL of this model: file, line and text

    @property
    def measures(self) -> list[Measure]:
        """The measures of all tables."""
        return [measure for table in self.tables for measure in table.measures]

    def table(self, name: str) -> ModelTable | None:
        """The table of that name, if there is one."""
        return next((table for table in self.tables if table.name == name), None)

    def tables_read(self, measure: str) -> set[str]:
        """The tables that a measure reads, by itself or by measures that it names."""
        expression = next((one.expression for one in self.measures if one.name == measure), "")
        bare = re.sub(r"\[[^\]]*\]", "", expression)
        named = {quoted or word for quoted, word in re.findall(r"'([^']+)'|(\w+)", bare)}
        found = named & {table.name for table in self.tables}
        for other in re.findall(r"(?<![\w'])\[([^\]]+)\]", expression):
            found |= self.tables_read(other)
        return found


def read_model(definition: Path) -> SemanticModel:
    """Read the files of a semantic model."""
    model = SemanticModel([], [], [], [], {}, [])
    for path in sorted(definition.rglob("*.tmdl")):
        text = path.read_text(encoding="utf-8-sig")
        model.unknown += [f"{path.name}:{number}: {line}" for number, line in unknown_lines(text)]
        if path.name == "model.tmdl":
            listed = re.findall(r"^ref table (.+)$", text, re.MULTILINE)
            model.listed = [name.strip("'").replace("''", "'") for name in listed]
        for node in parse_tmdl_text(text):
            if node["kw"] == "table":
                model.tables.append(_table(node))
            elif node["kw"] == "relationship":
                model.relationships.append(_relationship(node))
            elif node["kw"] == "expression":
                model.parameters.append(node["name"])
            elif node["kw"] == "model":
                model.properties |= node["props"]
    return model


def unknown_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that are neither an object, a property, a description nor part of an expression.

    An expression stands two levels below the line that ends with `=`; fences are not used here.
    """
    objects, properties = _OBJECTS.split(), _PROPERTIES.split()
    below: int | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip("\t"))
        if below is not None and depth > below + 1:
            continue
        words = line[depth:]
        below = depth if words.endswith("=") else None
        if words.startswith("///"):
            continue
        word = _WORD.match(words)
        rest = words[word.end() :] if word else ""
        is_object = word is not None and word[1] in objects and (rest.startswith(" ") or not rest)
        is_property = word is not None and word[1] in properties and (not rest or rest.startswith((":", " =")))
        if not is_object and not is_property:
            yield number, line


def _table(node: Tree) -> ModelTable:
    partition: Tree = next((child for child in node["children"] if child["kw"] == "partition"), {"props": {}})
    table = ModelTable(
        name=node["name"],
        mode=str(partition["props"].get("mode", "")),
        query=str(partition["props"].get("source", "")),
        properties=node["props"],
        description=node["desc"],
    )
    for child in node["children"]:
        properties = child["props"]
        if child["kw"] == "column":
            table.columns.append(
                ModelColumn(
                    child["name"],
                    str(properties.get("dataType", "")),
                    str(properties.get("sourceColumn", "")),
                    properties,
                    child["desc"],
                )
            )
        elif child["kw"] == "measure":
            table.measures.append(Measure(child["name"], node["name"], child["expr"] or "", properties, child["desc"]))
    return table


def _relationship(node: Tree) -> ModelRelationship:
    properties = node["props"]
    from_table, from_column = split_col_ref(properties.get("fromColumn", ""))
    to_table, to_column = split_col_ref(properties.get("toColumn", ""))
    return ModelRelationship(from_table, from_column, to_table, to_column, properties)
