"""What dbt promises a report: the models whose meta names a table of Power BI, with their columns and relations.

A model takes part by ``meta.power_bi`` in its YAML:

* ``table``: its name in Power BI.
* ``mode``: ``import``, ``dual`` (dimensions, which both kinds of table are related to) or ``directQuery``.
* ``range``: the column that incremental refresh cuts its spans by; absent where the table is read whole.
* ``date``: the column that marks it as the date table.
* ``without``: columns that stay in the warehouse.
* ``without_unknown``: leave out the member -1.

A column may say ``meta.power_bi`` too: ``name``, ``folder``, ``format``, ``hidden``, ``sort_by``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from powerbi_project.errors import ProjectError

if TYPE_CHECKING:
    from pathlib import Path

MODES = ("import", "dual", "directQuery")

Node = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """A column that a report may see."""

    source: str  # its name in the warehouse
    data_type: str  # PostgreSQL's
    description: str
    is_key: bool  # a surrogate key, of its own row or of another table's
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A model that is a table of Power BI."""

    model: str
    schema: str
    description: str
    columns: tuple[Column, ...]
    primary_key: str | None
    meta: dict[str, Any]

    @property
    def name(self) -> str:
        """Its name in Power BI."""
        return str(self.meta["table"])

    @property
    def mode(self) -> str:
        """How Power BI reads it."""
        return str(self.meta["mode"])


@dataclass(frozen=True)
class Relationship:
    """A key that leads from a row of one table to a row of another."""

    from_table: str
    from_column: str
    to_table: str
    to_column: str
    is_active: bool  # False for a second way between two tables, such as a benchmark beside an asset


@dataclass(frozen=True)
class Contract:
    """All of it."""

    tables: tuple[Table, ...]
    relationships: tuple[Relationship, ...]


def read_contract(manifest: Path) -> Contract:
    """Read what dbt promises, from the `target/manifest.json` of its project.

    Raises:
        ProjectError: There is none, or a model contradicts itself.
    """
    if not manifest.is_file():
        raise ProjectError(
            f"{manifest} is not there: `meltano invoke dbt-postgres parse` writes it, and so does every build."
        )
    nodes: dict[str, Node] = json.loads(manifest.read_text(encoding="utf-8"))["nodes"]
    tables = {key: _table(node) for key, node in nodes.items() if _is_published(node)}
    if not tables:
        raise ProjectError(f"{manifest} names no model for Power BI: none has `meta.power_bi`.")
    ordered = tuple(sorted(tables.values(), key=lambda table: table.name))
    return Contract(ordered, tuple(_relationships(nodes, tables)))


def _is_published(node: Node) -> bool:
    return node["resource_type"] == "model" and "power_bi" in node["config"].get("meta", {})


def _table(node: Node) -> Table:
    meta: dict[str, Any] = node["config"]["meta"]["power_bi"]
    if meta.get("mode") not in MODES or not meta.get("table"):
        raise ProjectError(f"{node['name']}: meta.power_bi needs `table`, and `mode`, one of {', '.join(MODES)}.")
    columns = node["columns"]
    unknown = {str(meta[name]) for name in ("range", "date") if name in meta} | set(meta.get("without", ()))
    if missing := sorted(unknown - set(columns)):
        raise ProjectError(f"{node['name']}: meta.power_bi names columns that it does not have: {', '.join(missing)}.")
    keys = [
        name
        for name, column in columns.items()
        if any(constraint["type"] == "primary_key" for constraint in column.get("constraints", ()))
    ]
    return Table(
        model=node["name"],
        schema=node["schema"],
        description=" ".join(node["description"].split()),
        columns=tuple(
            Column(
                source=name,
                data_type=str(column["data_type"]),
                description=" ".join(column["description"].split()),
                is_key=name.endswith("_key"),
                meta=column.get("config", {}).get("meta", {}).get("power_bi", {}),
            )
            for name, column in columns.items()
            if name not in meta.get("without", ())
        ),
        primary_key=keys[0] if keys else None,
        meta=meta,
    )


def _relationships(nodes: dict[str, Node], tables: dict[str, Table]) -> list[Relationship]:
    """Keys that dbt tests to lead somewhere, in the table itself or in the mart that it is made of."""
    found = []
    for key, table in sorted(tables.items(), key=lambda item: item[1].name):
        tested = _tested(nodes, key)
        for parent in nodes[key]["depends_on"]["nodes"]:
            tested = _tested(nodes, parent) | tested
        led_to: set[str] = set()
        # the key that is named like the other table's own comes first, and is the active way
        for column in sorted(
            table.columns, key=lambda one: (tested.get(one.source, ("", ""))[1] != one.source, one.source)
        ):
            target, field_name = tested.get(column.source, ("", ""))
            if target not in tables or target == key:
                continue
            found.append(
                Relationship(table.model, column.source, tables[target].model, field_name, target not in led_to)
            )
            led_to.add(target)
    return found


def _tested(nodes: dict[str, Node], key: str) -> dict[str, tuple[str, str]]:
    """Columns of a model under a relationships test: the model that they lead to, and its column."""
    found = {}
    for node in nodes.values():
        metadata = node.get("test_metadata") or {}
        if metadata.get("name") != "relationships" or node.get("attached_node") != key:
            continue
        others = [other for other in node["depends_on"]["nodes"] if other != key]
        if len(others) == 1:
            found[str(node["column_name"])] = (others[0], str(metadata["kwargs"]["field"]))
    return found
