"""What the marts cost: a full build, a build with nothing new, and one day more, at two sizes of the warehouse.

    python3 benchmarks/marts.py [--folder DIR] [--days 30 90] [--blocks-per-day 24] [--transactions-per-block 225]
        [--repeat 3] [--keep]

The world is the simulator's: every block, transaction, output and input of three chains is true, so each check has its
work; 90 days of it are 5 million rows. All runs are `dbt build`, tests included, on one warehouse. A build with nothing
new and one day more (a new day each time) are medians of so many. Standard library only.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PROJECT = Path(__file__).resolve().parents[1]
LOAD = ("meltano", "run", "tap-coingecko", "target-postgres", "tap-blockchair", "target-postgres")
BUILD = ("meltano", "run", "dbt-postgres:build")
FULL = ("meltano", "invoke", "dbt-postgres", "build", "--full-refresh")
ROWS = """
    select sum(reltuples)::bigint from pg_class
    where relnamespace = 'raw_data'::regnamespace and relkind = 'r'
"""


@dataclass
class Size:
    """Seconds at one size of the warehouse."""

    days: int
    rows: int
    full: float
    nothing: list[float]
    day: list[float]

    @property
    def more(self) -> float:
        """What a day more costs beyond a build with nothing new: medians, so below 0 where noise is larger than it."""
        return median(self.day) - median(self.nothing)

    @property
    def noise(self) -> float:
        """How far apart equal builds were."""
        return max(max(runs) - min(runs) for runs in (self.nothing, self.day))

    @property
    def share(self) -> float:
        """The same against a full build, what a build costs anyway taken from both."""
        return self.more / (self.full - median(self.nothing))


class Project:
    """A clone of the project, with a warehouse and a simulated world of its own."""

    def __init__(self, folder: Path, world: dict[str, str]) -> None:
        self.root = folder / "clone"
        subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(self.root)], check=True)
        self.environ = os.environ | world | {"NO_COLOR": "1"}
        self.environ["PATH"] = f"{self.root / '.venv/bin'}:{self.environ['PATH']}"
        self.environ.pop("VIRTUAL_ENV", None)

    def run(self, *command: str) -> float:
        """Run a command; return the seconds it took."""
        started = time.monotonic()
        done = subprocess.run(command, cwd=self.root, env=self.environ, capture_output=True, text=True, check=False)
        took = time.monotonic() - started
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        print(f"  {took:8.1f} s  {' '.join(command)}", flush=True)
        return took

    def rows(self) -> int:
        """Rows in the raw tables, as the planner knows them."""
        return int(self.psql(ROWS))

    def remove(self, folder: Path) -> None:
        """Stop the servers, delete the folder."""
        stop = ["make", f"PYTHON={sys.executable}", "stop"]
        subprocess.run(stop, cwd=self.root, env=self.environ, capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)

    def psql(self, query: str) -> str:
        """Ask the warehouse."""
        command = ("warehouse", "psql", "--role", "admin", "-Atc", query)
        done = subprocess.run(command, cwd=self.root, env=self.environ, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def measure(self, days: int, repeat: int) -> Size:
        """Measure full, nothing and one day more; the world has so many days and is loaded."""
        rows, full = self.rows(), self.run(*FULL)
        nothing: list[float] = []
        day: list[float] = []
        for _ in range(repeat):
            nothing.append(self.run(*BUILD))
            self.advance(1)
            day.append(self.run(*BUILD))
        return Size(days, rows, full, nothing, day)

    def advance(self, days: int) -> None:
        """Let simulated days pass and load them."""
        self.run("simulator", "advance", str(days))
        self.run(*LOAD)


def main() -> None:
    """Clone, load, measure, print one table, clean up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to work; default: the system's temporary folder")
    parser.add_argument("--days", type=int, nargs=2, default=(30, 90), help="the two sizes")
    parser.add_argument("--blocks-per-day", default="24")
    parser.add_argument("--transactions-per-block", default="225")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--keep", action="store_true", help="leave the folder and its servers for other questions")
    asked = parser.parse_args()
    if asked.folder:
        asked.folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="crypto-elt-", dir=asked.folder))
    world = {
        "SIMULATOR_START": "2025-01-01",
        "SIMULATOR_DAYS": str(asked.days[0]),
        "SIMULATOR_BLOCKS_PER_DAY": asked.blocks_per_day,
        "SIMULATOR_TRANSACTIONS_PER_BLOCK": asked.transactions_per_block,
    }
    project, sizes = Project(folder, world), []
    try:
        project.run("make", f"PYTHON={sys.executable}", "run")
        sizes.append(project.measure(asked.days[0], asked.repeat))
        project.advance(asked.days[1] - asked.days[0] - asked.repeat)
        project.run(*BUILD)
        sizes.append(project.measure(asked.days[1], asked.repeat))
    finally:
        if asked.keep:
            print(f"kept: {project.root}; `make stop` there ends its servers")
        else:
            project.remove(folder)
    print(f"\ndbt build, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    print("  days   raw rows      full   nothing new   one day more   (day - nothing) / (full - nothing)   noise")
    for size in sizes:
        seconds = f"{size.full:8.1f} s {median(size.nothing):11.1f} s {median(size.day):12.1f} s"
        print(f"  {size.days:4} {size.rows:10,} {seconds} {size.share:20.3f} {size.noise:21.1f} s")
    small, large = sizes
    if min(small.more, large.more) > max(small.noise, large.noise):
        print(f"  one day more at {large.days} days against {small.days}: {large.more / small.more:.2f}")
    else:
        print("  one day more costs less than equal builds differ by: no ratio between the two sizes can be told")


if __name__ == "__main__":
    main()
