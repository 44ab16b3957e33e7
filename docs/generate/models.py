"""Pages of marts by column, of metrics and of checks, out of the dbt project's YAML, docs blocks and seeds."""

import csv
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from links import PROJECT
from texts import page, table

MODELS = PROJECT / "transform/models"
_KINDS = {"dim_": "Dimensions", "fct_": "Facts", "rpt_": "Reports", "bi_": "For BI tools"}
_BLOCK = re.compile(r"{%-?\s*docs (\w+)\s*-?%}(.*?){%-?\s*enddocs\s*-?%}", re.DOTALL)


@cache
def blocks() -> dict[str, str]:
    """Every docs block of the dbt project, by its name."""
    return {
        name: text.strip() for path in sorted(MODELS.rglob("*.md")) for name, text in _BLOCK.findall(path.read_text())
    }


def described(text: str | None) -> str:
    """A description with its docs blocks put in."""
    return re.sub(r"{{\s*doc\(['\"](\w+)['\"]\)\s*}}", lambda found: blocks()[found[1]], text or "")


def marts() -> dict[str, dict[str, Any]]:
    """Each mart and each model for BI tools, by its name."""
    files = sorted(path for folder in ("marts", "bi") for path in (MODELS / folder).glob("*.yml"))
    found = [model for path in files for model in yaml.safe_load(path.read_text()).get("models", [])]
    return {model["name"]: model for model in found}


def _mart(model: dict[str, Any]) -> str:
    """The page of a mart."""
    rows = [
        [f"`{column['name']}`", column.get("data_type"), described(column.get("description"))]
        for column in model["columns"]
    ]
    return page(
        f"{model['name']}",
        f"Look up the columns of `analytics.{model['name']}` here. {described(model['description'])}",
        table(["column", "type", "meaning"], rows),
        read_next="[All marts](index.md), [Metrics](../metrics.md).",
    )


def _overview(models: Mapping[str, dict[str, Any]]) -> str:
    """The list of all marts by kind."""
    parts = []
    for prefix, title in _KINDS.items():
        rows = [
            [f"[{name}]({name}.md)", described(model["description"])]
            for name, model in models.items()
            if name.startswith(prefix)
        ]
        parts += [f"## {title}", "", table(["table", "what a row is"], rows)]
    return page(
        "Marts",
        "Find a table of the schema `analytics` here. Each name leads to the table's columns.",
        *parts,
        read_next="[Metrics](../metrics.md) has the formulas, [Power BI](../../guides/power-bi.md) opens the tables.",
    )


def metrics() -> Iterator[dict[str, Any]]:
    """Each metric that MetricFlow answers, helpers left out."""
    for path in sorted((MODELS / "semantic_models").glob("*.yml")):
        for metric in yaml.safe_load(path.read_text()).get("metrics", []):
            if not metric.get("config", {}).get("meta", {}).get("helper"):
                yield metric


def _column_metrics() -> list[list[str]]:
    """By docs block of metrics, its formula, and the columns that it describes."""
    used: dict[str, list[str]] = {}
    for model in marts().values():
        for column in model["columns"]:
            for name in re.findall(r"doc\(['\"](\w+)['\"]\)", column.get("description") or ""):
                used.setdefault(name, []).append(f"`{model['name']}.{column['name']}`")
    own = {name for path in (MODELS / "marts").glob("_metrics*.md") for name, _ in _BLOCK.findall(path.read_text())}
    return [[", ".join(used.get(name, [])), blocks()[name]] for name in sorted(own)]


def _metrics_page() -> str:
    """The page of metrics."""
    named = [[f"`{one['name']}`", one.get("label"), described(one["description"])] for one in metrics()]
    return page(
        "Metrics and their formulas",
        "Look up how a figure is computed, from which tables, and whether it is exact or partial.",
        "## Metrics that MetricFlow answers\n",
        table(["metric", "label", "formula, source, trust"], named),
        "## Columns of marts\n",
        table(["columns", "formula, source, trust"], _column_metrics()),
        read_next="[Ask for a metric](../guides/metrics.md), [What the checks prove](../concepts/data-quality.md).",
    )


def checks() -> list[dict[str, str]]:
    """Each data-quality check, of the seed that defines it."""
    with Path(PROJECT / "transform/seeds/dq_checks.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def _checks_page() -> str:
    """The page of checks."""
    rows = [
        [f"`{one['check_name']}`", one["check_group"], one["severity"], one["covers"], one["rule"], one["rule_source"]]
        for one in checks()
    ]
    return page(
        "Checks",
        "Look up what a data-quality check compares and where its rule comes from. A failed check of severity"
        " `integrity` stops the build; one of severity `plausibility` warns.",
        table(["check", "group", "severity", "columns", "rule", "source of the rule"], rows),
        read_next="[What the checks prove](../concepts/data-quality.md).",
    )


def pages(_: Mapping[str, Any]) -> dict[str, str]:
    """The pages, by name."""
    models = marts()
    return {
        "reference/marts/index.md": _overview(models),
        **{f"reference/marts/{name}.md": _mart(model) for name, model in models.items()},
        "reference/metrics.md": _metrics_page(),
        "reference/checks.md": _checks_page(),
    }
