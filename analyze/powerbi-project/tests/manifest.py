"""A manifest of dbt, as far as a report's model follows from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from powerbi_project.contract import Contract, read_contract

Node = dict[str, Any]


def column(name: str, data_type: str, /, **meta: object) -> Node:
    constraints = [{"type": "primary_key"}] if name == meta.pop("key", None) else []
    config = {"meta": {"power_bi": meta}}
    made = {"name": name, "data_type": data_type, "description": f"About {name}.", "constraints": constraints}
    return made | {"config": config}


def model(name: str, columns: list[Node], /, **meta: object) -> Node:
    return {
        "name": name,
        "resource_type": "model",
        "schema": "analytics",
        "description": f"One row\nper {name}.",
        "columns": {one["name"]: one for one in columns},
        "depends_on": {"nodes": []},
        "config": {"meta": {"power_bi": meta} if meta else {}},
    }


def leads(from_model: str, key: str, to_model: str, field: str) -> Node:
    return {
        "resource_type": "test",
        "attached_node": from_model,
        "column_name": key,
        "test_metadata": {"name": "relationships", "kwargs": {"field": field}},
        "depends_on": {"nodes": [from_model, to_model]},
    }


def contract(nodes: dict[str, Node], folder: Path) -> Contract:
    path = folder / "manifest.json"
    path.write_text(json.dumps({"nodes": nodes}), encoding="utf-8")
    return read_contract(path)
