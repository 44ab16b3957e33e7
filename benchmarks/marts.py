"""What the marts cost: a full build, a build with nothing new, and one day more, at some sizes of the warehouse.

    python3 benchmarks/marts.py [--folder DIR] [--days 30 90] [--blocks-per-day 24] [--transactions-per-block 225]
        [--repeat 3] [--keep] [--resume]

The world is the simulator's: every block, transaction, output and input of three chains is true, so each check has its
work; 90 days of it are 5 million rows. All runs are `dbt build`, tests included, on one warehouse. After a full build
and one more with nothing new, so that all statistics are there, builds with nothing new and with a new day take turns.
They are compared by processor seconds, of dbt and of the server: a clock on the wall also counts what else the machine
does. Autovacuum waits while a build is measured, and its work is done between. `--resume` goes on in a folder that
`--keep` left. Linux only, standard library only.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from run_times import timed

PROJECT = Path(__file__).resolve().parents[1]
LOAD = ("meltano", "run", "tap-coingecko", "target-postgres", "tap-blockchair", "target-postgres")
BUILD = ("meltano", "run", "dbt-postgres:build")
FULL = ("meltano", "invoke", "dbt-postgres", "build", "--full-refresh")
ROWS = """
    select sum(reltuples)::bigint from pg_class
    where relnamespace = 'raw_data'::regnamespace and relkind = 'r'
"""
PAGES = "select blks_hit + blks_read from pg_stat_database where datname = current_database()"


@dataclass(frozen=True)
class Build:
    """Of one build the seconds by the clock and of the processors, and the pages (8 kB) that the server looked at."""

    clock: float
    processor: float
    pages: float


@dataclass
class Size:
    """Builds at one size of the warehouse."""

    days: int
    rows: int
    full: Build
    nothing: list[Build]
    day: list[Build]

    def more(self) -> float:
        """Processor seconds that a day more costs beyond a build with nothing new: of medians."""
        return processor(self.day) - processor(self.nothing)

    def more_pages(self) -> float:
        """The same in pages, which no other work on the machine changes."""
        return pages(self.day) - pages(self.nothing)

    def noise(self) -> float:
        """By how much equal builds differed."""
        seconds = ([build.processor for build in builds] for builds in (self.nothing, self.day))
        return max(max(runs) - min(runs) for runs in seconds)

    def share(self) -> float:
        """The same against a full build, what a build costs anyway taken from both."""
        return self.more() / (self.full.processor - processor(self.nothing))


def clock(builds: list[Build]) -> float:
    """The median by the clock."""
    return median(build.clock for build in builds)


def processor(builds: list[Build]) -> float:
    """The median of processor seconds."""
    return median(build.processor for build in builds)


def pages(builds: list[Build]) -> float:
    """The median of pages."""
    return median(build.pages for build in builds)


def used(pid: int, *, reaped: bool) -> float:
    """Processor seconds of a process, and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0
    return sum(int(ticks) for ticks in fields[11 : 15 if reaped else 13]) / os.sysconf("SC_CLK_TCK")


class Project:
    """A clone of the project, with a warehouse and a simulated world of its own."""

    def __init__(self, folder: Path, world: dict[str, str]) -> None:
        self.root = folder / "clone"
        if not self.root.exists():
            subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(self.root)], check=True)
        self.results = folder / "results"
        self.results.mkdir(exist_ok=True)
        self.environ = os.environ | world | {"NO_COLOR": "1"}
        self.environ["PATH"] = f"{self.root / '.venv/bin'}:{self.environ['PATH']}"
        self.environ.pop("VIRTUAL_ENV", None)

    def run(self, *command: str) -> float:
        """Run a command; return the seconds it took."""
        took = timed(self.root, self.environ, *command)
        print(f"  {took:8.1f} s  {' '.join(command)}", flush=True)
        return took

    def days(self) -> int:
        """Days that are in the marts."""
        return int(self.psql("select count(distinct block_date) from analytics.fct_blocks where chain = 'bitcoin'"))

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

    def server(self) -> float:
        """Processor seconds of the database server so far."""
        (postmaster,) = self.psql("select pg_read_file('postmaster.pid')").splitlines()[:1]
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return used(int(postmaster), reaped=True) + sum(used(int(child), reaped=False) for child in children)

    def build(self, name: str, *command: str) -> Build:
        """Measure a build, and keep what dbt says of each node."""
        self.psql("alter system set autovacuum = off")
        self.psql("select pg_reload_conf()")
        looked = int(self.psql(PAGES))
        before = self.server() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        took = self.run(*command)
        after = self.server() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
        looked = int(self.psql(PAGES)) - looked
        self.psql("alter system reset autovacuum")
        self.psql("select pg_reload_conf()")
        self.psql("vacuum (analyze, skip_locked)")
        print(f"  {after - before:8.1f} s  of the processors, {looked:,} pages: {name}", flush=True)
        shutil.copy(self.root / "transform/target/run_results.json", self.results / f"{name}.json")
        return Build(took, after - before, looked)

    def measure(self, days: int, repeat: int) -> Size:
        """Measure full, nothing and one day more; the world has so many days and is loaded."""
        rows, full = self.rows(), self.build(f"{days}-full", *FULL)
        nothing: list[Build] = []
        day: list[Build] = []
        self.build(f"{days}-settling", *BUILD)
        for turn in range(repeat):
            nothing.append(self.build(f"{days}-nothing-{turn}", *BUILD))
            self.advance(1)
            day.append(self.build(f"{days}-day-{turn}", *BUILD))
        return Size(days, rows, full, nothing, day)

    def advance(self, days: int) -> None:
        """Let simulated days pass and load them."""
        self.run("simulator", "advance", str(days))
        self.run(*LOAD)


def main() -> None:
    """Clone, load, measure, print one table, clean up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where to work; default: the system's temporary folder")
    parser.add_argument("--days", type=int, nargs="+", default=(30, 90), help="the sizes")
    parser.add_argument("--blocks-per-day", default="24")
    parser.add_argument("--transactions-per-block", default="225")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--resume", action="store_true", help="go on with the warehouse in --folder, of fewer days yet")
    parser.add_argument("--keep", action="store_true", help="leave the folder and its servers for other questions")
    asked = parser.parse_args()
    if asked.folder:
        asked.folder.mkdir(parents=True, exist_ok=True)
    folder = asked.folder if asked.resume else Path(tempfile.mkdtemp(prefix="crypto-elt-", dir=asked.folder))
    world = {
        "SIMULATOR_START": "2025-01-01",
        "SIMULATOR_DAYS": str(asked.days[0]),
        "SIMULATOR_BLOCKS_PER_DAY": asked.blocks_per_day,
        "SIMULATOR_TRANSACTIONS_PER_BLOCK": asked.transactions_per_block,
    }
    project, sizes = Project(folder, world), []
    try:
        if not asked.resume:
            project.run("make", f"PYTHON={sys.executable}", "run")
        for days in asked.days:
            if days > (held := project.days()):
                project.advance(days - held)
            sizes.append(project.measure(days, asked.repeat))
    finally:
        if asked.keep:
            print(f"kept: {project.root}; `make stop` there ends its servers")
        else:
            project.remove(folder)
    print(f"\ndbt build, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    print("  days   raw rows    full build   nothing new   one day more   day - nothing   of full - nothing   noise")
    for size in sizes:
        seconds = (size.full.processor, processor(size.nothing), processor(size.day), size.more())
        shown = f"{seconds[0]:10.1f} s {seconds[1]:11.1f} s {seconds[2]:12.1f} s {seconds[3]:13.1f} s"
        print(f"  {size.days:4} {size.rows:10,} {shown} {size.share():19.3f} {size.noise():5.1f} s  of the processors")
        shown = f"{size.full.clock:10.1f} s {clock(size.nothing):11.1f} s {clock(size.day):12.1f} s"
        print(f"  {'':15} {shown} {clock(size.day) - clock(size.nothing):13.1f} s  by the clock")
        shown = (
            f"{size.full.pages:12,.0f} {pages(size.nothing):13,.0f} {pages(size.day):14,.0f} {size.more_pages():15,.0f}"
        )
        print(f"  {'':15} {shown}  pages")
    for large in sizes[1:]:
        times = (
            f"{large.more() / sizes[0].more():.2f} in time, {large.more_pages() / sizes[0].more_pages():.2f} in pages"
        )
        print(f"  one day more at {large.days} days against {sizes[0].days}: {times}")


if __name__ == "__main__":
    main()
