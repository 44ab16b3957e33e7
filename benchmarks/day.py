"""What a day of real size costs: its load, its build, each model against a plain statement, and the disk it takes.

    python3 benchmarks/day.py [--folder DIR] [--shape small] [--days 3] [--early N] [--json FILE] [--keep] [--resume]

A clone of the project, with a warehouse and a simulated world of its own, loads and builds one day after the other by
`meltano run`, as users do. Of the last day it prints each model's seconds in the build (run_results.json, compiling
included) beside its yardstick: `create unlogged table as` of the very select that dbt compiled, with its literal days,
then the model's indexes. Views have none. The yardstick differs from the build in this:

- It runs after the build, one statement at a time; the build runs four at once, beside dbt, on the same processors.
- It reads what the build left: upstream tables are those that the model read, but a model that reads itself sees its
  new rows.
- An incremental model's yardstick makes a table of the changed days with indexes of these alone; the model deletes and
  inserts rows of a larger table, whose indexes and write-ahead log it keeps, and is analyzed by its hooks.
- Autovacuum is on, as for users, and may run beside either.

Shapes: `small` is 144 blocks of 2,400 transactions on each of three chains; `large` is Bitcoin 144 x 2,800, Dogecoin
1,440 x 30, Ethereum 7,150 x 180 with four calls each; `month` is 144 blocks of 272 transactions, 500,000 raw rows a
day; `tiny` is the simulator's default and shows that all still runs. The day's dump files are made before its clock
starts.
`--early 3` with `--days 30` loads the days between at once, and says what day 30 costs against day 3.
`--resume` goes on in a folder that `--keep` left. Linux only, standard library only.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from marts import BUILD, LOAD, Project

SHAPES = {
    "tiny": {},
    "small": {"SIMULATOR_BLOCKS_PER_DAY": "144", "SIMULATOR_TRANSACTIONS_PER_BLOCK": "2400"},
    "month": {"SIMULATOR_BLOCKS_PER_DAY": "144", "SIMULATOR_TRANSACTIONS_PER_BLOCK": "272"},
    "large": {
        "SIMULATOR_BLOCKS_PER_DAY": "bitcoin=144,dogecoin=1440,ethereum=7150",
        "SIMULATOR_TRANSACTIONS_PER_BLOCK": "bitcoin=2800,dogecoin=30,ethereum=180",
        "SIMULATOR_CALLS_PER_TRANSACTION": "4",
    },
}
SCHEMAS = ("raw_data", "intermediate", "staging", "analytics")
SCRATCH = "bench_day"
SLOWEST = 10
SIZES = """
    select relnamespace::regnamespace::text, sum(pg_total_relation_size(oid))
    from pg_class
    where relkind in ('r', 'm') and relnamespace = any (%s::regnamespace[])
    group by 1
"""
INDEXES = "select schemaname || '.' || tablename, indexdef from pg_indexes order by indexname"


@dataclass(frozen=True)
class Node:
    """A node of a build: its seconds there; of a model with a table of its own also where that is, and its select."""

    name: str
    kind: str
    seconds: float
    table: str | None = None
    select: str = ""


@dataclass(frozen=True)
class Compared:
    """A model's seconds in the build, those of its yardstick, and the rows that this made."""

    model: str
    build: float
    yardstick: float
    rows: int

    @property
    def ratio(self) -> float | None:
        """Build over yardstick; None where the clock says 0."""
        return self.build / self.yardstick if self.yardstick else None


@dataclass(frozen=True)
class Disk:
    """What a schema takes on disk, indexes and TOAST included."""

    schema: str
    size: int
    per_row: float


@dataclass(frozen=True)
class Step:
    """One or more days that were loaded and built at once: the last of them, and seconds by the clock."""

    day: int
    load: float
    build: float


@dataclass(frozen=True)
class Day:
    """What was measured of the last day; seconds by the clock."""

    steps: list[Step]
    raw_rows: int
    day_rows: int
    load: float
    build: float
    nothing: float
    models: list[Compared]
    slowest: list[Node]
    disk: list[Disk]


def nodes_of(results: dict[str, Any], manifest: dict[str, Any], run: Path) -> list[Node]:
    """The nodes that a build ran, the slowest first; skipped ones are left out.

    Args:
        results: run_results.json, which holds the SQL that dbt compiled of each node.
        manifest: manifest.json, which says what a node is and where its table stands.
        run: The folder in which models of the materialization `changed_days` leave the select that they ran.
    """
    nodes = []
    for result in results["results"]:
        if result["status"] == "skipped":
            continue
        about = manifest["nodes"].get(result["unique_id"], {})
        kind = result["unique_id"].partition(".")[0]
        how = about.get("config", {}).get("materialized")
        has_table = kind == "model" and how not in {"view", "ephemeral"}
        table = f"{about['schema']}.{about['alias']}" if has_table and result.get("compiled_code") else None
        name = about.get("name", result["unique_id"])
        select = result["compiled_code"] if table else ""
        if how == "changed_days":  # what it ran is of the changed days; what dbt compiled before, of all
            select = (run / about["original_file_path"]).read_text()
        nodes.append(Node(name, kind, result["execution_time"], table, select))
    return sorted(nodes, key=lambda node: -node.seconds)


def yardstick_script(select: str, indexes: Iterable[str]) -> str:
    """What psql runs for a yardstick: the statements that are timed, between others that are not."""
    table = f"{SCRATCH}.yardstick"
    made = [f"create {'unique ' if unique else ''}index on {table} {how};" for unique, how in map(_parts, indexes)]
    return "\n".join(
        (
            r"\timing on",
            f"create unlogged table {table} as\n{select.strip().rstrip(';')}\n;",
            *made,
            r"\timing off",
            f"drop table {table};",
        )
    )


def _parts(definition: str) -> tuple[bool, str]:
    """Whether an index is unique, and all from USING on of what PostgreSQL says of it."""
    before, using, how = definition.partition(" USING ")
    if not using:
        raise ValueError(f"No index: {definition}")
    return before.startswith("CREATE UNIQUE "), f"using {how}"


def timed_seconds(said: str) -> float:
    """The seconds of all statements that psql timed, from what it printed."""
    return sum(float(found) for found in re.findall(r"^Time: ([\d.]+) ms", said, re.MULTILINE)) / 1000


def made_rows(said: str) -> int:
    """The rows of the table that psql made, from what it printed."""
    return sum(int(found) for found in re.findall(r"^SELECT (\d+)$", said, re.MULTILINE))


def disk_of(sizes: dict[str, int], raw_rows: int) -> list[Disk]:
    """Each schema's bytes, and those for each raw row."""
    return [Disk(schema, sizes.get(schema, 0), sizes.get(schema, 0) / max(raw_rows, 1)) for schema in SCHEMAS]


class Real(Project):
    """A clone whose simulated days are of real size."""

    def prepare(self) -> None:
        """Have the simulator make the dump files of all published days, which is no part of what is measured."""
        command = ("simulator", "status", "--json")
        said = subprocess.run(command, cwd=self.root, env=self.environ, capture_output=True, text=True, check=True)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        folders = [f"{json.loads(said.stdout)['url']}/dumps/"]
        while folders:
            started = time.monotonic()
            with opener.open(folder := folders.pop(), timeout=3600) as answer:
                names = re.findall(r'<a href="([^"]+/)">', answer.read().decode())
            if not set(names) - {"../"}:
                print(f"  {time.monotonic() - started:8.1f} s  dump files made: {folder}", flush=True)
            # Nobody loads the latest addresses and tokens from there, and to make them takes a while.
            folders += [folder + name for name in names if name not in {"../", "addresses/", "tokens/"}]

    def ask(self, query: str) -> list[list[str]]:
        """The rows of a query."""
        return [line.split("|") for line in self.psql(query).splitlines()]

    def load_and_build(self) -> tuple[float, float]:
        """Load what is new and build it; return the seconds of each."""
        return self.run(*LOAD), self.run(*BUILD)

    def nodes(self) -> list[Node]:
        """The nodes of the last build."""
        target = self.root / "transform/target"
        results, manifest = (json.loads((target / f"{name}.json").read_text()) for name in ("run_results", "manifest"))
        return nodes_of(results, manifest, target / "run/crypto")

    def compare(self, nodes: list[Node]) -> list[Compared]:
        """Time the yardstick of each model that has a table."""
        models = [node for node in nodes if node.table is not None]
        compared = []
        indexes: dict[str | None, list[str]] = {}
        for line in self.psql(INDEXES).splitlines():
            table, _, definition = line.partition("|")
            indexes.setdefault(table, []).append(definition)
        self.psql(f"drop schema if exists {SCRATCH} cascade")
        self.psql(f"create schema {SCRATCH} authorization transformer")
        for number, node in enumerate(models, 1):
            said = self.run_script(node.name, yardstick_script(node.select, indexes.get(node.table, ())))
            compared.append(Compared(node.name, node.seconds, timed_seconds(said), made_rows(said)))
            took = compared[-1].yardstick
            print(f"  {took:8.1f} s  yardstick {number} of {len(models)}: {node.name}", flush=True)
        self.psql(f"drop schema {SCRATCH}")
        return compared

    def run_script(self, name: str, script: str) -> str:
        """What psql says while the role that builds runs a script."""
        command = ("warehouse", "psql", "--role", "transformer", "-X", "-v", "ON_ERROR_STOP=1", "-f", "-")
        done = subprocess.run(
            command, cwd=self.root, env=self.environ, input=script, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"The yardstick of {name} failed, and nothing more was measured:\n{done.stderr[-2000:]}")
        return done.stdout

    def disk(self, raw_rows: int) -> list[Disk]:
        """What each schema takes."""
        rows = self.ask(SIZES % ("'{" + ",".join(SCHEMAS) + "}'"))
        return disk_of({schema: int(size) for schema, size in rows}, raw_rows)


def steps(have: int, days: int, early: int | None) -> list[int]:
    """How many days are loaded at once, step by step: one each, but those between `early` and the last in one step."""
    if early is None or not have <= early < days - 1:
        return [1] * (days - have)
    return [1] * (early - have) + [days - 1 - early, 1]


def measure(project: Real, days: int, early: int | None) -> Day:
    """Load and build day after day up to so many; measure the last one."""
    taken = []
    before = 0
    day = project.days()
    for together in steps(day, days, early):
        day += together
        print(f"day {day} of {days}", flush=True)
        before = project.rows()
        project.run("simulator", "advance", str(together))
        project.prepare()
        taken.append(Step(day, *project.load_and_build()))
    nodes = project.nodes()
    compared = project.compare(nodes)
    nothing = project.run(*BUILD)
    project.psql("vacuum (analyze, skip_locked)")
    rows = project.rows()
    last = taken[-1]
    return Day(
        taken, rows, rows - before, last.load, last.build, nothing, compared, nodes[:SLOWEST], project.disk(rows)
    )


def later(steps: list[Step]) -> str:
    """What the last day took, load and build, against the one before days that came at once, or the first."""
    first = next((one for one, after in pairwise(steps) if after.day > one.day + 1), steps[0])
    last = steps[-1]
    return f"{(last.load + last.build) / (first.load + first.build):10.2f}    day {last.day} against day {first.day}"


def report(day: Day, days: int, shape: str) -> str:
    """The tables that are printed."""
    built, plain = (sum(getattr(one, part) for one in day.models) for part in ("build", "yardstick"))
    machine = f"{os.cpu_count()} cores, Python {sys.version.split()[0]}"
    lines = [
        f"\nday {days} of the {shape} shape: {day.day_rows:,} raw rows, {day.raw_rows:,} in all; {machine}",
        f"{day.load + day.build:10.1f} s  from dump files to marts",
        f"{day.load:10.1f} s  load",
        f"{day.build:10.1f} s  build",
        f"{day.nothing:10.1f} s  a build with nothing new",
        later(day.steps),
        *(f"{one.build:10.1f} s  build up to day {one.day}, load {one.load:.1f} s" for one in day.steps),
        f"\n{'model':48} {'build':>9} {'yardstick':>11} {'ratio':>8} {'rows':>12}",
    ]
    for one in day.models:
        ratio = "-" if one.ratio is None else f"{one.ratio:.2f}"
        lines.append(f"{one.model:48} {one.build:7.2f} s {one.yardstick:9.2f} s {ratio:>8} {one.rows:12,}")
    lines.append(f"{'all of them':48} {built:7.2f} s {plain:9.2f} s {built / (plain or 1):8.2f}")
    lines.append(f"\nthe {len(day.slowest)} slowest nodes of the build")
    lines += [f"{node.seconds:9.2f} s  {node.kind:6} {node.name}" for node in day.slowest]
    lines.append(f"\n{'schema':16} {'on disk':>12} {'per raw row':>14}")
    lines += [f"{one.schema:16} {one.size / 2**20:9.0f} MB {one.per_row:8.0f} bytes" for one in day.disk]
    return "\n".join(lines)


def as_json(day: Day, days: int, shape: str) -> dict[str, Any]:
    """The same for programs."""
    content = asdict(day) | {"shape": shape, "days": days, "cores": os.cpu_count()}
    content["models"] = [asdict(one) | {"ratio": one.ratio} for one in day.models]
    content["slowest"] = [{"name": node.name, "kind": node.kind, "seconds": node.seconds} for node in day.slowest]
    return content


def main() -> None:
    """Clone, load day after day, measure the last one, print the tables, clean up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to work; default: the system's temporary folder")
    parser.add_argument("--shape", choices=SHAPES, default="small")
    parser.add_argument("--days", type=int, default=3, help="how many days in all, 2 or more; the last one is measured")
    parser.add_argument("--early", type=int, help="a day to compare the last one with; those between come at once")
    parser.add_argument("--json", type=Path, help="file that gets the figures")
    parser.add_argument("--resume", action="store_true", help="go on with the warehouse in --folder, of fewer days yet")
    parser.add_argument("--keep", action="store_true", help="leave the folder and its servers for other questions")
    asked = parser.parse_args()
    if asked.days < 2:  # noqa: PLR2004 - the first day is built whole
        parser.error("--days is 2 or more: the first day is built whole, so it says nothing of a day.")
    if asked.resume and not (asked.folder and (asked.folder / "clone").is_dir()):
        parser.error("--resume needs --folder with what --keep left.")
    if asked.folder:
        asked.folder.mkdir(parents=True, exist_ok=True)
    folder = asked.folder if asked.resume else Path(tempfile.mkdtemp(prefix="crypto-elt-", dir=asked.folder))
    world = {"SIMULATOR_START": "2025-01-01", "SIMULATOR_DAYS": "1"} | SHAPES[asked.shape]
    project = Real(folder, world)
    try:
        if not asked.resume:
            project.run(sys.executable, "plugins/console/bootstrap.py")
            project.run("simulator", "start")
            project.prepare()
            project.run("make", f"PYTHON={sys.executable}", "run")
        if project.days() >= asked.days:
            parser.error(f"The warehouse has {project.days()} days already; ask for more by --days.")
        day = measure(project, asked.days, asked.early)
    finally:
        if asked.keep:
            print(f"kept: {folder}; `make stop` in {project.root} ends its servers")
        else:
            project.remove(folder)
    print(report(day, asked.days, asked.shape))
    if asked.json:
        asked.json.write_text(json.dumps(as_json(day, asked.days, asked.shape), indent=1) + "\n")


if __name__ == "__main__":
    main()
