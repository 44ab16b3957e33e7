"""Which pool a coinbase names: a guess, as Blockchair's `guessed_miner` is."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

UNKNOWN = "Unknown"


def guessed_miner(chain: str, script: bytes) -> str:
    """Give the pool whose tag stands in a coinbase's script, the first of the list; `Unknown` where none does."""
    return next((name for tag, name in _tags(chain) if tag in script), UNKNOWN)


@cache
def _tags(chain: str) -> tuple[tuple[bytes, str], ...]:
    """Read the seed: chain, tag, name, source."""
    lines = files("mirror_node").joinpath("pools.tsv").read_text("utf-8").splitlines()[1:]
    rows = (line.split("\t") for line in lines)
    return tuple((tag.encode(), name) for of, tag, name, _ in rows if of == chain)
