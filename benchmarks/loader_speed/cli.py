"""The command line: what to measure, where, how often."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tiles import SAMPLE

from loader_speed import report
from loader_speed.contenders import Bench
from loader_speed.data import Source
from loader_speed.environments import build
from loader_speed.errors import BenchError, WrongLoadError
from loader_speed.scenarios import Figure, Plan, Sizes, Step
from loader_speed.server import serve

if TYPE_CHECKING:
    from collections.abc import Sequence

SCENARIOS = {
    "yardstick": "zcat | psql \\copy into an empty month with its indexes and its defaults for columns of lineage",
    "yardstick-bare": "the same without those defaults: columns of lineage are left empty",
    "fresh": "target-postgres-copy, BATCH, into a fresh month",
    "verify": "the same with the setting verify, which notes checksums of what was loaded",
    "month": "target-postgres-copy, BATCH, a day into a month that holds 30 days (then reload)",
    "reload": "target-postgres-copy, BATCH, that day again with another content (after month)",
    "huge": "target-postgres-copy, BATCH, a file of the largest size into a month that has no table yet",
    "days": "target-postgres-copy, BATCH, as many rows in several days of one month, in one run",
    "record": "target-postgres-copy, RECORD messages",
    "stock": "meltanolabs-target-postgres, its defaults",
    "pipelinewise": "pipelinewise-target-postgres, its defaults",
    "dlt-append": "dlt with pyarrow, append",
    "dlt-merge": "dlt with pyarrow, merge",
    "whole": "meltano run tap-blockchair target-postgres, download from the simulator included",
}
_ENVIRONMENTS = {"stock": "stock", "pipelinewise": "pipelinewise", "dlt-append": "dlt", "dlt-merge": "dlt"}
_OURS = ("fresh", "verify", "month", "reload", "huge", "days", "record")
QUICK = Sizes(slow=10_000, medium=100_000, large=100_000, huge=400_000, earlier=1_000)
WARM_UP = Sizes(slow=1_000, medium=1_000, large=1_000, huge=4_000, earlier=10)
# A row of 2009 takes 45 bytes packed and some 500 in the table with its indexes and the write-ahead log; dlt keeps two
# copies besides.
_BYTES_A_ROW = 900
_BYTES_ALWAYS = 4 << 30


def check_disk(folder: Path, largest: int) -> None:
    """Refuse to start where the folder's disk has too little space for the largest load, in rows."""
    needed, free = _BYTES_ALWAYS + largest * _BYTES_A_ROW, shutil.disk_usage(folder).free
    if free < needed:
        raise BenchError(
            f"Loading {largest:,} rows takes about {needed / 1e9:.0f} GB in {folder}, and {free / 1e9:.0f} GB are "
            "free: free some space, name another folder with --folder, or ask for less with --only or --sizes."
        )


def measure(steps: Sequence[Step], repetitions: int) -> list[Figure]:
    """Go through all steps, round by round, so that a slower hour of the machine hits every contender."""
    figures: list[Figure] = []
    for number in range(repetitions):
        for step in steps:
            for figure in step.run():
                figures.append(figure)
                rate = figure.rows / figure.usage.seconds
                _say(f"round {number + 1}  {figure.scenario:16} {figure.rows:>12,} rows {rate:>10,.0f} rows/s")
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and report; exit status 1 if a contender failed or loaded something wrong, or the disk is too small."""
    given = _parser().parse_args(arguments)
    if given.list:
        print("\n".join(f"{key:17} {text}" for key, text in SCENARIOS.items()))
        return 0
    sizes = _sizes(given)
    wanted = given.only or list(SCENARIOS)
    if "reload" in wanted and "month" not in wanted:
        wanted = [*wanted, "month"]
    parent = (given.folder or Path(tempfile.gettempdir())).resolve()
    try:
        folder = Path(tempfile.mkdtemp(prefix="loader-speed-", dir=parent))
    except OSError as error:
        print(f"Nothing can be written to {parent}: {error.strerror}. Name another --folder.", file=sys.stderr)
        return 1
    folder.chmod(0o711)  # the server may run as another user
    try:
        check_disk(folder, _largest(wanted, sizes))
        _run(given, sizes, wanted, folder)
    except BenchError as error:
        wrong = "A load went wrong: " if isinstance(error, WrongLoadError) else ""
        print(f"{wrong}{error}", file=sys.stderr)
        _keep_logs(folder, parent)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _run(given: argparse.Namespace, sizes: Sizes, wanted: list[str], folder: Path) -> None:
    for name in dict.fromkeys(
        ["tap", *("ours" for key in wanted if key in _OURS), *filter(None, map(_ENVIRONMENTS.get, wanted))]
    ):
        _say(f"environment of {name}")
        build(name)
    sample = given.sample or SAMPLE
    logs = folder / "logs"
    logs.mkdir()
    source = Source(folder / "data", sample, logs / "tap.log")
    with serve(folder / "server") as server:
        bench = Bench(server, source, sample, logs)
        _say("every contender once with few rows, not counted: it warms caches up and finds what is broken")
        measure(Plan(bench, WARM_UP).steps(wanted), 1)
        source.tap.clear()
        figures = measure(Plan(bench, sizes).steps(wanted), given.repetitions or (1 if given.quick else 3))
        release = server.release()
    lines = report.summarise(figures)
    aims = report.goals(lines, figures, source.tap, sizes)
    packed = sum(path.stat().st_size for path in (folder / "data").rglob("*.tsv.gz"))
    print(f"\nPostgreSQL {release}, {os.cpu_count()} cores, {packed / 1e6:,.0f} MB of files tiled from {sample.name}\n")
    print(report.as_text(lines, aims))
    if given.json:
        given.json.write_text(json.dumps(report.as_json(lines, aims, figures, source.tap, release), indent=1) + "\n")


def _keep_logs(folder: Path, parent: Path) -> None:
    """Save what programs said from deletion; configurations, which hold a password, go."""
    logs = [path for path in folder.glob("logs/*.log") if path.stat().st_size]
    if logs:
        kept = Path(tempfile.mkdtemp(prefix="loader-speed-logs-", dir=parent))
        for path in logs:
            path.rename(kept / path.name)
        _say(f"What the programs said is in {kept}.")


def _sizes(given: argparse.Namespace) -> Sizes:
    base = QUICK if given.quick else Sizes()
    if given.sizes is None:
        return base
    try:
        slow, medium, large, huge = (int(word.replace("_", "")) for word in given.sizes.split(","))
    except ValueError:
        sys.exit("--sizes takes four numbers of rows, such as 100000,1000000,5000000,20000000.")
    return Sizes(slow, medium, large, huge, max(1, medium // 10), base.days)


def _largest(wanted: Sequence[str], sizes: Sizes) -> int:
    rows = [sizes.slow]
    if set(wanted) - {"record", "stock", "pipelinewise"}:
        rows += [sizes.large]
    if {"huge", "days"} & set(wanted):
        rows += [sizes.huge]
    return max(rows)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _scenarios(text: str) -> list[str]:
    keys = text.split(",")
    if unknown := [key for key in keys if key not in SCENARIOS]:
        raise argparse.ArgumentTypeError(f"no scenario {', '.join(unknown)}; --list names them")
    return keys


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench_loader.py", description="How fast dump files and records get into PostgreSQL, against plain psql."
    )
    parser.add_argument("--list", action="store_true", help="name the scenarios and end")
    parser.add_argument("--only", type=_scenarios, help="some scenarios, comma separated; ratios need yardstick")
    parser.add_argument("--quick", action="store_true", help="100,000 rows, one round: does everything still run?")
    parser.add_argument("--repetitions", type=int, help="rounds; the median counts (3, quick: 1)")
    parser.add_argument("--sizes", help="rows for slow contenders, the day, the large day, the longest load")
    parser.add_argument(
        "--sample", type=Path, help="dump file of Bitcoin transactions to tile; else that of 2009-01-09"
    )
    parser.add_argument("--folder", type=Path, help="where files and server lie meanwhile; else the temporary folder")
    parser.add_argument("--json", type=Path, help="file for all figures, single runs included")
    return parser
