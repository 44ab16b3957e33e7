"""How PostgreSQL has run the queries of a build, by its log, and what of that grows with the square of the rows."""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

Node = dict[str, Any]
# What one chain's day holds in a world of large blocks: fewer rows than that are no matter.
FEW_ROWS = 10_000
# A join may compare so many pairs that it throws away for each row that it returns or takes in.
PAIRS_A_ROW = 10
# A loop over a handful, such as bands, coins or the values of a list, is none over rows.
HANDFUL = 20
_LOGGED = re.compile(r"ms  plan:\n((?:\t.*\n)+)")
_MADE_BY = re.compile(r'"node_id": "([^"]+)"')
_MONTH = re.compile(r"_p(\d{4}_\d\d)$")
_PASSING_ON = ("Gather", "Incremental Sort", "Materialize", "Memoize", "Sort")


@dataclass(frozen=True)
class Plan:
    """A query that was run.

    Attributes:
        made_by: The unique id of dbt's model or test, such as `model.crypto.fct_blocks`.
        root: The plan's first node, as `explain (analyze, format json)` gives it.
    """

    made_by: str
    root: Node

    def nodes(self) -> Iterator[Node]:
        """Every node that was run, parents first."""
        return _below(self.root)


def logged_plans(log: str) -> Iterator[Plan]:
    """The plans in a server's log, written there as JSON by auto_explain, of the queries of dbt's models and tests."""
    for entry in _LOGGED.findall(log):
        said = json.loads(entry, strict=False)
        if made_by := _MADE_BY.search(said["Query Text"]):
            yield Plan(made_by[1], said["Plan"])


def faults(plan: Plan, months: Collection[str]) -> Iterator[str]:
    """What a plan does that it does not do at any number of rows in a block.

    Args:
        plan: Of a build.
        months: Those that it may read, as the names of partitions end: `2025_02`.

    Yields:
        A sentence for each fault.
    """
    for node in plan.nodes():
        removed = _all_loops(node, "Rows Removed by Join Filter")
        outer, inner = _child(node, "Outer"), _child(node, "Inner")
        if outer is not None and removed > FEW_ROWS:
            taken_in = node["Actual Loops"] * _passed_on(outer)["Actual Rows"]
            if removed > PAIRS_A_ROW * max(_all_loops(node, "Actual Rows"), taken_in):
                yield f"{node['Node Type']} throws away {removed:.0f} pairs by {node['Join Filter']}"
        if outer is not None and inner is not None and node["Node Type"] == "Nested Loop":
            rows = _all_loops(outer, "Actual Rows")
            if rows > FEW_ROWS and _reads_each_time(inner) > HANDFUL:
                yield f"Nested Loop reads {_reads_each_time(inner):.0f} rows for each of {rows:.0f}"
        if (part := _MONTH.search(node.get("Relation Name", ""))) and part[1] not in months:
            yield f"{node['Node Type']} reads {node['Relation Name']}"


def _below(node: Node) -> Iterator[Node]:
    if node["Actual Loops"]:
        yield node
    for child in node.get("Plans", ()):
        yield from _below(child)


def _child(node: Node, side: str) -> Node | None:
    return next((child for child in node.get("Plans", ()) if child["Parent Relationship"] == side), None)


def _all_loops(node: Node, count: str) -> float:
    return float(node.get(count, 0) * node["Actual Loops"])


def _passed_on(node: Node) -> Node:
    """The node that a row comes from: those above it may hand it on several times, and count it each time."""
    while node["Node Type"] in _PASSING_ON and (below := _child(node, "Outer")):
        node = below
    return node


def _reads_each_time(node: Node) -> float:
    """How many rows the inner side of a loop looks at for each outer row; 0 where an index finds them."""
    if any("Index" in found["Node Type"] for found in _below(node)):
        return 0
    source = _passed_on(node)
    return max(
        float(found["Actual Rows"] + found.get("Rows Removed by Filter", 0)) for found in (source, *_below(source))
    )
