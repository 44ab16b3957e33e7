"""Rules on how facts of millions of rows are stored, for `test_dbt_project.py`: nothing twice, and nothing padded.

They are the facts that are cut by date (meta `partition_by`), with a row for each transaction or a part of one.
"""

from collections.abc import Callable, Iterator
from typing import Any

Node = dict[str, Any]
Manifest = dict[str, Any]
Rule = Callable[[Manifest], set[str]]

HOLDS_HASHES = "fct_transactions"
# Bytes to which PostgreSQL aligns a type; what is of variable length and short is not aligned, and comes last.
ALIGNED = {"bigint": 8, "timestamptz": 8, "integer": 4, "date": 4, "smallint": 2, "boolean": 1}


def large_facts(manifest: Manifest) -> Iterator[Node]:
    """The facts that are cut by date."""
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model" and node["fqn"][1] == "marts" and "partition_by" in node["config"]["meta"]:
            yield node


def hashes_beside_a_key(manifest: Manifest) -> set[str]:
    """A transaction's hash stands in one fact; others name the transaction by its key."""
    return {
        f"{node['name']}.{name}"
        for node in large_facts(manifest)
        if node["name"] != HOLDS_HASHES
        for name in node["columns"]
        if name.endswith(("_hash", "_reference"))
    }


def names_beside_their_key(manifest: Manifest) -> set[str]:
    """A text that a key leads to stands there, such as the address of `sender_address_key`."""
    return {
        f"{node['name']}.{name}"
        for node in large_facts(manifest)
        for name, column in node["columns"].items()
        if column["data_type"] == "text" and f"{name}_key" in node["columns"]
    }


def columns_that_are_padded(manifest: Manifest) -> set[str]:
    """Columns follow one another by their width, the widest first."""
    found = set()
    for node in large_facts(manifest):
        width = max(ALIGNED.values())
        for name, column in node["columns"].items():
            needed = ALIGNED.get(column["data_type"], 0)
            if needed > width:
                found.add(f"{node['name']}.{name}")
            width = min(width, needed)
    return found


RULES: list[Rule] = [hashes_beside_a_key, names_beside_their_key, columns_that_are_padded]
KEY, TEXT = {"data_type": "bigint"}, {"data_type": "text"}
# A model, where in it, what stands there instead.
DAMAGES: list[tuple[Rule, str, str, object]] = [
    (hashes_beside_a_key, "fct_transaction_outputs", "columns", {"transaction_hash": TEXT}),
    (names_beside_their_key, "fct_eth_calls", "columns", {"sender_address_key": KEY, "sender_address": TEXT}),
    (columns_that_are_padded, "fct_transactions", "columns.block_height.data_type", "bigint"),
    (columns_that_are_padded, "fct_transaction_inputs", "columns.is_final.data_type", "timestamptz"),
]
