"""Load a dump file with dlt, through pyarrow; runs in dlt's own environment.

    python dlt_load.py append|merge CONFIG

The password comes in PGPASSWORD. pyarrow parses the file in a stream, so that dlt gets typed Arrow tables, its fast
path.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt  # type: ignore[import-not-found]
import pyarrow as pa  # type: ignore[import-not-found]
from pyarrow import compute, csv

if TYPE_CHECKING:
    from collections.abc import Iterator

_TYPES = {
    "bigint": pa.int64(),
    "numeric": pa.decimal128(38, 9),
    "boolean": pa.bool_(),
    "text": pa.string(),
    "timestamp with time zone": pa.timestamp("us"),
}
_BLOCK_BYTES = 16 << 20


def tables(path: str, types: dict[str, str], slice_id: str, day: str) -> Iterator[pa.Table]:
    """Read the file piece by piece, with the columns that say where a row came from."""
    line = 2
    with pa.input_stream(path, compression="gzip") as stream:
        reader = csv.open_csv(
            stream,
            read_options=csv.ReadOptions(block_size=_BLOCK_BYTES),
            parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=csv.ConvertOptions(
                column_types={name: _TYPES[kind] for name, kind in types.items()},
                true_values=["1"],
                false_values=["0"],
                null_values=["", "\\N"],
            ),
        )
        for batch in reader:
            table = pa.Table.from_batches([batch])
            place = table.schema.get_field_index("time")
            table = table.set_column(place, "time", compute.assume_timezone(table["time"], "UTC"))
            rows = table.num_rows
            constants: dict[str, Any] = {"_channel": "dumps", "_unit": slice_id, "_dump_day": date.fromisoformat(day)}
            for name, value in constants.items():
                table = table.append_column(name, pa.repeat(pa.scalar(value), rows))
            yield table.append_column("_line", pa.array(range(line, line + rows), pa.int64()))
            line += rows


def main() -> None:
    """Load."""
    disposition, config = sys.argv[1], json.loads(Path(sys.argv[2]).read_text())
    credentials = dict(config["credentials"], password=os.environ["PGPASSWORD"])
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=config["folder"],
        destination=dlt.destinations.postgres(credentials=credentials),
        dataset_name=config["schema"],
    )
    resource = dlt.resource(
        tables(config["path"], config["types"], config["slice"], config["day"]),
        name=config["table"],
        write_disposition=disposition,
        primary_key=config["key"] if disposition == "merge" else None,
    )
    pipeline.run(resource, loader_file_format="csv").raise_on_failed_jobs()


if __name__ == "__main__":
    main()
