"""Speed and memory of tap-blockchair on one large dump day.

Measured, each in a process of its own: RECORD mode, the same stream written the plain SDK way (default writer, default
conformance, values converted with `int`, `Decimal` and `strptime`), BATCH mode, a run with nothing to do (what starting
Python and the SDK takes), and `gzip -t`. The file is tiled from true rows: the rows of a real or simulated Bitcoin
transactions day, repeated with rising block heights and a hash of their own each, until the wanted number is reached.

    python benchmarks/tap_blockchair.py --rows 1000000 --sample ../shared/samples/blockchair/dumps/FILE.tsv.gz
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = "20240101"
STREAM = "bitcoin_transactions"
SAMPLE = Path(__file__).parents[2] / "shared/samples/blockchair/dumps/blockchair_bitcoin_transactions_20090109.tsv.gz"
MEGA = 1e6


def tile(sample: Path, rows: int, folder: Path) -> Path:
    """Repeat a sample's rows on one day, with rising heights, and hashes that differ in each round."""
    header, *lines = gzip.decompress(sample.read_bytes()).decode().rstrip("\n").split("\n")
    split = [line.split("\t") for line in lines]
    names = header.split("\t")
    height, moment, digest = names.index("block_id"), names.index("time"), names.index("hash")
    path = folder / f"blockchair_bitcoin_transactions_{DAY}.tsv.gz"
    stamp = f"{DAY[:4]}-{DAY[4:6]}-{DAY[6:]}"
    with gzip.open(path, "wt", compresslevel=6) as file:
        file.write(header)
        for number in range(rows):
            fields = list(split[number % len(split)])
            seconds = number * 86_399 // rows
            fields[height] = str(800_000 + number // 2500)
            fields[moment] = f"{stamp} {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
            fields[digest] = hashlib.sha256(str(number).encode()).hexdigest()
            file.write("\n" + "\t".join(fields))
    return path


def run_tap(config: dict[str, Any]) -> None:
    """Run the tap's one stream in this process."""
    from tap_blockchair.tap import TapBlockchair  # noqa: PLC0415 (counted as part of the run)

    catalog = TapBlockchair(config=config).catalog_dict
    for entry in catalog["streams"]:
        entry["metadata"] = [{"breadcrumb": [], "metadata": {"selected": entry["tap_stream_id"] == STREAM}}]
    TapBlockchair(config=config, catalog=catalog).sync_all()


def run_plain(path: Path) -> None:
    """Read the same file as an SDK tap is usually written."""
    from singer_sdk import Stream, Tap  # noqa: PLC0415 (counted as part of the run)

    from tap_blockchair.schemas import Kind, chain_table, json_schema, provenance_columns  # noqa: PLC0415

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


def measure(command: list[str]) -> tuple[float, float]:
    """Run a command with its output thrown away; give seconds and peak megabytes."""
    code = (
        "import resource,subprocess,sys,time;t=time.monotonic();"
        "r=subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL,stderr=subprocess.PIPE);"
        "print(time.monotonic()-t,resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss);"
        "sys.stderr.buffer.write(r.stderr[-3000:] if r.returncode else b'');sys.exit(r.returncode)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command[:4])} failed: {done.stderr}")
    seconds, kilobytes = done.stdout.split()
    return float(seconds), float(kilobytes) / 1024


def main() -> None:
    """Tile, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--sample", type=Path, default=SAMPLE)
    parser.add_argument("--only", choices=["records", "batch", "plain", "start"], help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only == "plain":
        run_plain(given.file)
        return
    if given.only:
        config = {"chains": ["bitcoin"], "channel": "dumps", "dumps_url": given.file.parent.as_uri()}
        config |= {"start_date": "2024-01-02"} if given.only == "start" else {}
        root = given.file.parent / "batches"
        batch = {"encoding": {"format": "tsv", "compression": "gzip"}, "storage": {"root": root.as_uri()}}
        run_tap(config | ({"batch_config": batch} if given.only == "batch" else {}))
        return
    with tempfile.TemporaryDirectory() as folder:
        for rows in (given.rows // 4, given.rows):
            path = tile(given.sample, rows, Path(folder))
            size = path.stat().st_size / MEGA
            print(f"{rows:,} rows tiled from {given.sample.name}, {size:.1f} MB compressed, {os.cpu_count()} cores")
            # -P: this script has the package's name and must not stand in its way.
            own = [sys.executable, "-P", __file__, "--file", str(path), "--only"]
            figures = {name: measure([*own, name]) for name in ("plain", "records", "batch", "start")}
            figures["gzip -t"] = measure(["gzip", "-t", str(path)])
            for name, (seconds, peak) in figures.items():
                print(f"  {name:8} {seconds:7.2f} s  {rows / seconds:12,.0f} rows/s  peak {peak:6.1f} MB")
            print(f"  records against plain: {figures['plain'][0] / figures['records'][0]:.1f} times as fast")
            batch, start, bare = (figures[name][0] for name in ("batch", "start", "gzip -t"))
            print(f"  batch against gzip -t: {(batch - start) / bare:.1f} times as long, with start {batch / bare:.1f}")


if __name__ == "__main__":
    main()
