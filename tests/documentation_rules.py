"""Rules on what the dbt project says of its models, columns and metrics, for `test_dbt_project.py`.

Of each metric: the formula, where it comes from (`Source: `), and how far it is to be trusted (exact or partial).
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

Node = dict[str, Any]
Manifest = dict[str, Any]
Rule = Callable[[Manifest], set[str]]

METRIC_DOCS = re.compile(r"/_metric\w*\.md$")
TRUST = re.compile(r"\b(?:exact|partial)\b", re.IGNORECASE)
IN_USD = re.compile(r"`(\w+)` in USD\b")
NUMBERS = ("numeric", "bigint", "integer", "smallint", "double")
# What a day's row says beside its metrics: which blocks and which band it is of, and how it was cut.
NOT_METRICS = {"first_block_height", "last_block_height", "band_order", "top_count", "stamps_in_date", "window_days"}


def columns(manifest: Manifest, layer: str = "") -> Iterator[tuple[Node, Node]]:
    """Models of a first folder, or all, with each of their columns."""
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model" and layer in ("", node["fqn"][1]):
            for column in node["columns"].values():
                yield node, column


def describes_a_metric(manifest: Manifest, column: Node) -> bool:
    """Whether a column is described by a docs block of metrics."""
    return any(METRIC_DOCS.search(manifest["docs"][name]["original_file_path"]) for name in column["doc_blocks"])


def is_complete(description: str) -> bool:
    """Whether source and trust are named."""
    return "Source: " in description and bool(TRUST.search(description))


def undescribed(manifest: Manifest) -> set[str]:
    """Models and seeds with their columns, sources, exposures."""
    found = set()
    for node in manifest["nodes"].values():
        if node["resource_type"] in {"model", "seed"}:
            if not node["description"].strip():
                found.add(node["name"])
            columns = node["columns"].items()
            found |= {
                f"{node['name']}.{column}" for column, described in columns if not described["description"].strip()
            }
    found |= {source["name"] for source in manifest["sources"].values() if not source["description"].strip()}
    found |= {name for name, described in manifest["exposures"].items() if not described["description"].strip()}
    return found


def staging_and_marts_without_columns(manifest: Manifest) -> set[str]:
    return {
        n["name"]
        for n in manifest["nodes"].values()
        if n["resource_type"] == "model" and n["fqn"][1] != "intermediate" and not n["columns"]
    }


def staging_columns_without_a_docs_block(manifest: Manifest) -> set[str]:
    return {f"{n['name']}.{c['name']}" for n, c in columns(manifest, "staging") if not c["doc_blocks"]}


def metrics_without_source_or_trust(manifest: Manifest) -> set[str]:
    found = {
        f"{n['name']}.{c['name']}"
        for n, c in columns(manifest, "marts")
        if describes_a_metric(manifest, c) and not is_complete(c["description"])
    }
    return found | {
        name
        for name, metric in manifest["metrics"].items()
        if not metric["config"]["meta"].get("helper") and not is_complete(metric["description"])
    }


def figures_of_a_day_that_are_no_metric(manifest: Manifest) -> set[str]:
    """Each figure of a day's row has a docs block of metrics, or is such a one of the same row in USD."""
    found = set()
    for node, column in columns(manifest, "marts"):
        if "_daily" not in node["name"] or column["name"].endswith("_key") or column["name"] in NOT_METRICS:
            continue
        in_usd = IN_USD.match(column["description"])
        described = node["columns"].get(in_usd[1], column) if in_usd else column
        if str(column["data_type"]).startswith(NUMBERS) and not describes_a_metric(manifest, described):
            found.add(f"{node['name']}.{column['name']}")
    return found


def foreign_keys_in_contracts(manifest: Manifest) -> set[str]:
    """They would vanish when the table that they lead to is built anew; tests of relationships hold them instead."""
    found = {
        n["name"]
        for n in manifest["nodes"].values()
        if n["resource_type"] == "model" and any(c["type"] == "foreign_key" for c in n["constraints"])
    }
    return found | {
        f"{n['name']}.{c['name']}"
        for n, c in columns(manifest)
        if any(constraint["type"] == "foreign_key" for constraint in c["constraints"])
    }


RULES: list[Rule] = [
    undescribed,
    staging_and_marts_without_columns,
    staging_columns_without_a_docs_block,
    metrics_without_source_or_trust,
    figures_of_a_day_that_are_no_metric,
    foreign_keys_in_contracts,
]
LEADS_AWAY = [{"type": "foreign_key", "expression": "analytics.dim_asset (asset_key)"}]
# A node, source or metric, where in it, what stands there instead.
DAMAGES: list[tuple[Rule, str, str, object]] = [
    (undescribed, "fct_blocks", "columns.chain.description", " "),
    (undescribed, "fct_blocks", "description", " "),
    (undescribed, "age_bands", "description", " "),
    (undescribed, "blockchair.bitcoin_blocks", "description", " "),
    (staging_and_marts_without_columns, "fct_blocks", "columns", {}),
    (staging_columns_without_a_docs_block, "stg_coingecko__ohlc", "columns.open_price.doc_blocks", []),
    (metrics_without_source_or_trust, "fct_valuation_daily", "columns.sopr.description", "A ratio. Source: inputs."),
    (metrics_without_source_or_trust, "fct_valuation_daily", "columns.sopr.description", "A ratio. Exact."),
    (metrics_without_source_or_trust, "sopr", "description", "A ratio of sums. Exact."),
    (figures_of_a_day_that_are_no_metric, "fct_valuation_daily", "columns.sopr.doc_blocks", []),
    (figures_of_a_day_that_are_no_metric, "fct_network_daily", "columns.fee_total_base.doc_blocks", []),
    (figures_of_a_day_that_are_no_metric, "fct_network_daily", "columns.fee_total_usd.description", "Fees in USD."),
    (foreign_keys_in_contracts, "fct_blocks", "columns.asset_key.constraints", LEADS_AWAY),
    (foreign_keys_in_contracts, "fct_blocks", "constraints", LEADS_AWAY),
]
