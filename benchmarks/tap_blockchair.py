"""Speed and memory of tap-blockchair on one large dump day.

Measured, each in a process of its own: the command line in RECORD mode, the same stream written the plain SDK way
(default writer, default conformance, values converted with `int`, `Decimal` and `strptime`), the command line in BATCH
mode, a run with nothing to do (what starting Python and the SDK takes), and `gzip -t`. The file is tiled from true
rows: those of a real or simulated Bitcoin transactions day, repeated with rising block heights and a hash of their own
each, until the wanted number is reached. The real sample is of 2009 and packs into 42 bytes a row; a day of the
simulator into 108, which is nearer to a day of today.

    python benchmarks/tap_blockchair.py --rows 1000000 --sample ../shared/samples/blockchair/dumps/FILE.tsv.gz
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

STREAM = "bitcoin_transactions"
MEGA = 1e6
QUICK = frozenset({"batch", "start", "gzip -t"})


def command_of(path: Path, **more: Any) -> list[str]:  # noqa: ANN401 (settings)
    """Write configuration and catalog of the one stream, and give the command line that reads the file."""
    number = len(list(path.parent.glob("config*.json")))
    config, catalog = path.parent / f"config{number}.json", path.parent / "catalog.json"
    settings = {"chains": ["bitcoin"], "channel": "dumps", "dumps_url": path.parent.as_uri(), **more}
    config.write_text(json.dumps(settings))
    # -P: this script has the package's name and must not stand in its way.
    tap = [sys.executable, "-P", "-m", "tap_blockchair", "--config", str(config)]
    if not catalog.exists():
        found = json.loads(subprocess.run([*tap, "--discover"], check=True, capture_output=True).stdout)
        for entry in found["streams"]:
            entry["metadata"] = [{"breadcrumb": [], "metadata": {"selected": entry["tap_stream_id"] == STREAM}}]
        catalog.write_text(json.dumps(found))
    return [*tap, "--catalog", str(catalog)]


def run_plain(path: Path) -> None:
    """Read the same file as an SDK tap is usually written."""
    from singer_sdk import Stream, Tap  # noqa: PLC0415 (counted as part of the run)

    from tap_blockchair.columns import Kind, json_schema  # noqa: PLC0415
    from tap_blockchair.schemas import chain_table, provenance_columns  # noqa: PLC0415

    table = chain_table("bitcoin", "transactions")
    kinds = {column.name: column.kind for column in table.columns}
    convert: dict[Kind, Any] = {
        Kind.INTEGER: int,
        Kind.NUMBER: Decimal,
        Kind.BOOLEAN: lambda text: text == "1",
        Kind.TIME: lambda text: datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC),
        Kind.TEXT: str,
    }

    class Transactions(Stream):
        name = STREAM
        primary_keys = table.keys
        replication_key = None
        schema = json_schema((*table.columns, *provenance_columns("transactions")), table.keys)  # type: ignore[assignment]

        def get_records(self, context: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401, ARG002
            with gzip.open(path, "rt") as file:
                for number, row in enumerate(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE), 2):
                    record = {name: convert[kinds[name]](text) for name, text in row.items()}
                    yield {**record, "_channel": "dumps", "_unit": "plain", "_line": number, "_dump_day": "2024-01-01"}

    class Plain(Tap):
        name = "tap-plain"
        config_jsonschema = {"properties": {}}  # noqa: RUF012

        def discover_streams(self) -> list[Stream]:
            return [Transactions(self)]

    Plain(config={}).sync_all()


def measure(command: list[str], log: Path) -> tuple[float, float]:
    """Run a command with its output thrown away; give seconds and peak megabytes."""
    from loader_speed.process import run  # noqa: PLC0415 (what is measured runs with -P and cannot see it)

    usage = run(command, environ=os.environ, log=log, stdout=Path(os.devnull))
    return usage.seconds, usage.peak_mb


def report(path: Path, rows: int, *, repeat: int) -> None:
    """Measure on one file, the commands in turn so that a busy moment hits all of them, and print medians."""
    batch = {"encoding": {"format": "tsv", "compression": "gzip"}, "storage": {"root": path.parent.as_uri()}}
    commands = {
        "plain": [sys.executable, "-P", __file__, "--plain", str(path)],
        "records": command_of(path),
        "batch": command_of(path, batch_config=batch),
        "start": command_of(path, start_date="2024-01-02"),
        "gzip -t": ["gzip", "-t", str(path)],
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for turn in range(repeat):
        for name, command in commands.items():
            if turn == 0 or name in QUICK:
                found[name].append(measure(command, path.with_suffix(".log")))
    seconds = {name: median(each[0] for each in figures) for name, figures in found.items()}
    for name, took in seconds.items():
        peak = max(each[1] for each in found[name])
        print(f"  {name:8} {took:7.2f} s  {rows / took:12,.0f} rows/s  peak {peak:6.1f} MB  (of {len(found[name])})")
    print(f"  records against plain: {seconds['plain'] / seconds['records']:.1f} times as fast")
    whole, start, bare = (seconds[name] for name in ("batch", "start", "gzip -t"))
    print(f"  batch against gzip -t: {whole / bare:.1f} times as long, without start {(whole - start) / bare:.1f}")


def main() -> None:
    """Tile, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument(
        "--sample", type=Path, help="dump file of Bitcoin transactions; else the real one of 2009-01-09"
    )
    parser.add_argument("--repeat", type=int, default=5, help="runs of what takes seconds only; the median counts")
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.plain:
        run_plain(given.plain)
        return
    from tiles import SAMPLE, Tiling, tile  # noqa: PLC0415 (what is measured runs with -P and cannot see it)

    sample = given.sample or SAMPLE
    for rows in (given.rows // 4, given.rows):
        with tempfile.TemporaryDirectory() as folder:
            path = tile(sample, Tiling(rows), Path(folder))
            size = path.stat().st_size / MEGA
            print(f"{rows:,} rows tiled from {sample.name}, {size:.1f} MB compressed, {os.cpu_count()} cores")
            report(path, rows, repeat=given.repeat)


if __name__ == "__main__":
    main()
