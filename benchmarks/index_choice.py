"""Why a big table has the indexes and partitions it has: what each costs a load and saves a read.

    .venv/bin/python benchmarks/index_choice.py --rows 1000000

First a month is filled with a day's rows under different indexes, in turns, medians of three; then one day of thirty is
read, a block is looked up, and a day is deleted, with and without each. Last a table of 200 months shows what the
planner does.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loader_speed.server import serve
from psycopg import sql
from tiles import FIRST_HEIGHT, SAMPLE, Tiling, tile

if TYPE_CHECKING:
    import psycopg

TYPES = {
    "block_id": "bigint",
    "hash": "text",
    "time": "timestamptz",
    "is_coinbase": "boolean",
    "has_witness": "boolean",
}
CHOICES = {
    "none": [],
    "btree (block_id)": ["create index on month (block_id)"],
    "brin (time)": ["create index on month using brin (time) with (pages_per_range = 32)"],
    "both, as the loader": [
        "create index on month (block_id)",
        "create index on month using brin (time) with (pages_per_range = 32)",
    ],
    "btree (block_id), btree (time)": ["create index on month (block_id)", "create index on month (time)"],
    "unique (block_id, hash)": ["create unique index on month (block_id, hash)"],
}
READS = {
    "one day of the month": "select count(*), sum(fee) from month where time >= '2024-01-15Z' and time < '2024-01-16Z'",
    "one block": "select count(*), sum(fee) from month where block_id = {block}",
    "delete one day": "delete from month where time >= '2024-01-15Z' and time < '2024-01-16Z'",
}
MONTHS = 200
PLANS = {
    "one day, by literals": "select count(*) from months where time >= '2016-05-15Z' and time < '2016-05-16Z'",
    "one day, by parameters": "execute day('2016-05-15Z', '2016-05-16Z')",
    "one block": "select count(*) from months where block_id = 5",
    "all": "select count(*) from months",
}


def copy(connection: psycopg.Connection[Any], file: Path) -> float:
    """Fill the month; seconds."""
    started = time.monotonic()
    with gzip.open(file, "rb") as rows, connection.cursor().copy("copy month from stdin with (header)") as into:
        while chunk := rows.read(1 << 20):
            into.write(chunk)
    return time.monotonic() - started


def fresh(connection: psycopg.Connection[Any], columns: str, indexes: list[str]) -> None:
    """Make the empty month anew."""
    connection.execute("drop table if exists month")
    connection.execute(f"create table month ({columns})")  # type: ignore[arg-type]
    for index in indexes:
        connection.execute(index)  # type: ignore[arg-type]
    connection.execute("checkpoint")


def timed(connection: psycopg.Connection[Any], statement: str) -> float:
    """Run a statement and take it back; milliseconds, the best of three."""
    took = []
    for _ in range(3):
        with connection.transaction(force_rollback=True):
            started = time.monotonic()
            connection.execute(statement)  # type: ignore[arg-type]
            took.append((time.monotonic() - started) * 1000)
    return min(took)


def compare_indexes(connection: psycopg.Connection[Any], folder: Path, sample: Path, rows: int) -> None:
    """Print what each choice of indexes costs and saves."""
    day = tile(sample, Tiling(rows), folder)
    with gzip.open(day, "rt") as file:
        names = file.readline().strip().split("\t")
    columns = ", ".join(f"{name} {TYPES.get(name, 'numeric')}" for name in names)
    loads: dict[str, list[float]] = {choice: [] for choice in CHOICES}
    for _ in range(3):
        for choice, indexes in CHOICES.items():
            fresh(connection, columns, indexes)
            loads[choice].append(copy(connection, day))
    days = [
        tile(sample, Tiling(rows // 10, date(2024, 1, number), FIRST_HEIGHT + number * 1000), folder)
        for number in range(1, 31)
    ]
    least = statistics.median(loads["none"])
    print(f"{'indexes':32}{'load, ratio to none':>20}", *(f"{read:>22}" for read in READS))
    for choice, indexes in CHOICES.items():
        fresh(connection, columns, indexes)
        for file in days:
            copy(connection, file)
        connection.execute("vacuum analyze month")
        reads = [timed(connection, read.format(block=FIRST_HEIGHT + 15_000)) for read in READS.values()]
        ratio = statistics.median(loads[choice]) / least
        print(f"{choice:32}{ratio:>20.2f}", *(f"{milliseconds:>19.1f} ms" for milliseconds in reads))


def look_at_planner(connection: psycopg.Connection[Any]) -> None:
    """Print what the planner does with a table of 200 months."""
    connection.execute("create table months (block_id bigint, time timestamptz) partition by range (time)")
    connection.execute("create index on months (block_id)")
    connection.execute("create index on months using brin (time)")
    for number in range(MONTHS):
        first, last = (f"{2009 + at // 12}-{at % 12 + 1:02}-01Z" for at in (number, number + 1))
        make = sql.SQL("create table {} partition of months for values from ({}) to ({})")
        connection.execute(make.format(sql.Identifier(f"months_{number}"), sql.Literal(first), sql.Literal(last)))
    connection.execute("set plan_cache_mode = force_generic_plan")
    connection.execute(
        "prepare day(timestamptz, timestamptz) as select count(*) from months where time >= $1 and time < $2"
    )
    print(f"\n{MONTHS} months{'':22}{'planning':>14}{'tables in the plan':>20}{'left out at start':>20}")
    for name, query in PLANS.items():
        best: tuple[float, str] | None = None
        for _ in range(5):
            row = connection.execute(f"explain (format json, summary, analyze) {query}").fetchone()  # type: ignore[arg-type]
            assert row is not None
            found = (float(row[0][0]["Planning Time"]), json.dumps(row[0]))
            best = min(best, found) if best else found
        assert best is not None
        milliseconds, plan = best
        scans = plan.count('"Relation Name"')
        removed = sum(int(part.split(",")[0].strip(" }")) for part in plan.split('"Subplans Removed":')[1:])
        print(f"{name:32}{milliseconds:>11.2f} ms{scans:>20}{removed:>20}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the day that is loaded")
    parser.add_argument("--sample", type=Path, default=SAMPLE, help="a dump of Bitcoin transactions to tile from")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="index-choice-") as place:
        folder = Path(place)
        folder.chmod(0o755)  # the server may run as another user
        with serve(folder / "server") as server, server.connect() as connection:
            compare_indexes(connection, folder, given.sample, given.rows)
            look_at_planner(connection)


if __name__ == "__main__":
    main()
