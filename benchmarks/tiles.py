"""Dump files of any size, tiled from true rows: a published or simulated day's rows, repeated.

A tiled row keeps every value of its sample row but three: heights rise, times spread over the day, and the hash is its
own. All three follow from the row's number, so that what a loader stored can be checked without reading the file again.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAMPLES = Path(os.environ.get("SAMPLES_DIR", Path(__file__).parents[2] / "shared/samples"))
SAMPLE = _SAMPLES / "blockchair/dumps/blockchair_bitcoin_transactions_20090109.tsv.gz"
"""Bitcoin transactions of 2009-01-09, as published."""

DAY = date(2024, 1, 1)
FIRST_HEIGHT = 800_000
ROWS_PER_BLOCK = 2500
LAST_SECOND = 86_399
TILED = ("block_id", "hash", "time")
"""The columns that a tiled row does not take from the sample."""
_CHUNK = 5000


@dataclass(frozen=True)
class Tiling:
    """What is tiled: rows of a UTC day, from a height on; another seed gives the same day other hashes."""

    rows: int
    day: date = DAY
    first_height: int = FIRST_HEIGHT
    seed: str = ""

    def own_values(self, number: int) -> tuple[str, str, str]:
        """Height, hash and time of a row, by its number from 0."""
        seconds = number * LAST_SECOND // self.rows
        return (
            str(self.first_height + number // ROWS_PER_BLOCK),
            hashlib.sha256(f"{self.seed}{number}".encode()).hexdigest(),
            f"{self.day} {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}",
        )


def read_sample(sample: Path) -> tuple[list[str], list[list[str]]]:
    """Read a dump file of Bitcoin transactions; gives the header's names and the rows' fields."""
    header, *lines = gzip.decompress(sample.read_bytes()).decode().rstrip("\n").split("\n")
    return header.split("\t"), [line.split("\t") for line in lines]


def tile(sample: Path, tiling: Tiling, folder: Path) -> Path:
    """Write a dump file under the name that the dump host would give it, without a line end after its last row."""
    names, rows = read_sample(sample)
    path = folder / f"blockchair_bitcoin_transactions_{tiling.day:%Y%m%d}.tsv.gz"
    published = datetime(tiling.day.year, tiling.day.month, tiling.day.day, tzinfo=UTC).timestamp()
    with path.open("wb") as raw, gzip.GzipFile(path.name[:-3], "wb", 6, raw, mtime=published) as file:
        file.write("\t".join(names).encode())
        lines = _lines(names, rows, tiling)
        while some := list(islice(lines, _CHUNK)):
            file.write(("\n" + "\n".join(some)).encode())
    return path


def _lines(names: list[str], rows: list[list[str]], tiling: Tiling) -> Iterator[str]:
    places = [names.index(name) for name in TILED]
    for number, row in enumerate(islice(cycle(rows), tiling.rows)):
        fields = list(row)
        for place, value in zip(places, tiling.own_values(number), strict=True):
            fields[place] = value
        yield "\t".join(fields)
