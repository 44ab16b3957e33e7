"""Meltano's `select`: names in it that no stream has. Meltano itself warns of them and loads less than was meant."""

from __future__ import annotations

import json
import os
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from tap_blockchair import schemas
from tap_blockchair.chains import CHAINS

if TYPE_CHECKING:
    from collections.abc import Iterable

_VARIABLE = "MELTANO_EXTRACT__SELECT"
"""How Meltano hands a plugin's `select` to it, as a JSON list."""


def stream_names() -> list[str]:
    """Name the streams of all chains and channels: a selection holds for runs of a single chain or channel too."""
    return [
        f"{chain}_{table}".replace("-", "_")
        for chain in CHAINS
        for table in (*schemas.dump_tables(chain), *schemas.latest_tables(chain, addresses=True), "stats")
    ]


def faults(names: Iterable[str]) -> list[str]:
    """Write a sentence for each pattern of the selection that matches none of these streams."""
    known, found = list(names), []
    for pattern in json.loads(os.environ.get(_VARIABLE) or "[]"):
        wanted = str(pattern).lstrip("!").partition(".")[0]
        if any(fnmatchcase(name, wanted) for name in known):
            continue
        near = get_close_matches(wanted.replace("*", ""), known, 1, 0)
        found.append(f"select names {pattern}, but there is no stream {wanted}; the nearest is {near[0]}.")
    return found
