"""Messages as tap-blockchair writes them (`docs/slices.md`)."""

# ruff: noqa: ANN401 - settings and rows hold values of any kind

from __future__ import annotations

import json
from typing import Any


def test_rows_of_slices_load(database: Any, load: Any) -> None:
    """Fourteen real blocks as a slice, then the same day again with two of them, as of a replaced file."""
    state = json.loads(load("slices.singer").splitlines()[-1])
    rows = database.query('select id, hash, "_unit", "_line" from raw_data.bitcoin_blocks order by id')
    assert [(row[0], row[3]) for row in rows] == [(1, 2), (2, 3)]
    assert rows[0][1] == "00000000839a8e6886ab5951d76f411475428afc90947ee320161bbf18eb6048"
    assert {row[2] for row in rows} == {"bitcoin/blocks/2009-01-09"}
    assert state["bookmarks"]["bitcoin_blocks"]["replication_key_value"] == "2009-01-09"
