"""What Power BI's report asks of the warehouse: time, buffers, and the part of the big tables that each query reads.

    .venv-dev/bin/python benchmarks/power_bi.py [--coin Bitcoin] [--plans] "$(warehouse url --role bi_reader)"

The queries are those of tests/power_bi_queries.py: a refresh of ten days for each imported table, and one or two for
each visual over rows that stay in the warehouse, with the page's own filters. Each runs three times, of which the
fastest counts. Status 1 if one reads a table at the grain of transactions whole. docs/guides/power-bi.md has the
figures of 5 million rows.
"""

import argparse
import datetime as dt
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT / "tests"))
from power_bi_queries import VISUALS, refreshes  # noqa: E402 - found by the line above
from powerbi_project.contract import read_contract  # noqa: E402

Plan = dict[str, Any]
BIG = re.compile(r"^(fct_(?:transactions|whale_transfers|blocks))(?:_p\d{4}_\d{2})?$")
REFRESH_DAYS = 10


def nodes(plan: Plan) -> Iterator[Plan]:
    """A plan's nodes, from the top."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def rows_read(plan: Plan) -> dict[str, float]:
    """Rows that each big table gave or had filtered away."""
    found: dict[str, float] = {}
    for node in nodes(plan):
        match = BIG.match(node.get("Relation Name", ""))
        if match:
            removed = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
            rows = node["Actual Rows"] + sum(node.get(name, 0) for name in removed)
            found[match[1]] = found.get(match[1], 0) + rows * node["Actual Loops"]
    return found


def explain(connection: psycopg.Connection[Any], query: str, parameters: dict[str, object]) -> Plan:
    """The fastest of three runs."""
    runs = []
    for _ in range(3):
        row = connection.execute(f"explain (analyze, buffers, format json) {query}", parameters).fetchone()  # type: ignore[arg-type]
        assert row is not None
        runs.append(row[0][0])
    return min(runs, key=lambda run: run["Execution Time"])


def main() -> None:
    """Ask everything, print a table, and report whole reads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="the warehouse, as bi_reader")
    parser.add_argument("--coin", default="Bitcoin")
    parser.add_argument("--manifest", type=Path, default=PROJECT / "transform/target/manifest.json")
    parser.add_argument("--plans", action="store_true", help="print the plans of the visuals")
    asked = parser.parse_args()
    whole = False
    with psycopg.connect(asked.url, autocommit=True) as connection:
        row = connection.execute("select max(block_date) from analytics.fct_network_daily").fetchone()
        newest: dt.date = row[0] if row else dt.date.min
        tables = {
            name: connection.execute(f"select count(*) from analytics.{name}").fetchone()[0]  # type: ignore[index]  # noqa: S608
            for name in ("fct_transactions", "fct_whale_transfers", "fct_blocks")
        }
        print(", ".join(f"{name}: {count:,} rows" for name, count in tables.items()))
        span: dict[str, object] = {
            "start": newest - dt.timedelta(days=REFRESH_DAYS - 1),
            "end": newest + dt.timedelta(days=1),
            "coin": asked.coin,
            "day": newest,
        }
        queries = [(f"refresh of {name}", query) for name, query in refreshes(read_contract(asked.manifest)).items()]
        for (page, visual), asks in VISUALS.items():
            queries += [(f"{page}, {visual}", query) for query in asks]
        print(f"{'query':44}{'rows':>8}{'ms':>9}{'buffers':>9}  part of the big table that is read")
        for name, query in queries:
            run = explain(connection, query, span)
            plan = run["Plan"]
            buffers = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
            read = {table: rows / max(tables[table], 1) for table, rows in rows_read(plan).items()}
            whole |= any(part >= 1 for part in read.values())
            parts = ", ".join(f"{table} {part:.1%}" for table, part in read.items())
            print(f"{name:44}{plan['Actual Rows']:8.0f}{run['Execution Time']:9.1f}{buffers:9}  {parts}")
            if asked.plans and not name.startswith("refresh"):
                print(json.dumps(plan, indent=1))
    if whole:
        sys.exit("a query reads a table at the grain of transactions whole")


if __name__ == "__main__":
    main()
