"""A small sample to tile, and a real server."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

# Behind everything else: a benchmark here has the name of a package that it measures.
sys.path.append(str(Path(__file__).parents[1]))

from loader_speed.server import Server, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = (
    "block_id\thash\ttime\tis_coinbase\tlock_time\tfee\tfee_usd",
    "1\taa\t2009-01-09 02:54:25\t1\t0\t0\t0.5",
    "2\tbb\t2009-01-09 02:55:44\t0\t7\t894582879806664207241\t0.50",
    "3\tcc\t2009-01-09 03:02:53\t0\t0\t12\t1e-3",
)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dump file of three rows."""
    path = tmp_path_factory.mktemp("sample") / "sample.tsv.gz"
    path.write_bytes(gzip.compress("\n".join(ROWS).encode()))
    return path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The benchmark's own server."""
    with serve(tmp_path_factory.mktemp("bench") / "server") as running:
        yield running
