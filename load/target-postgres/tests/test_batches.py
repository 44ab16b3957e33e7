"""BATCH messages in JSONL, as the SDK's taps write them, and the run's name in the ledger."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COINS = {
    "type": "SCHEMA",
    "stream": "coins",
    "key_properties": ["id"],
    "schema": {
        "type": "object",
        "properties": {
            "id": {"type": "integer"},
            "name": {"type": ["string", "null"]},
            "at": {"type": ["string", "null"], "format": "date-time"},
        },
    },
}
ROWS = [{"id": 1, "name": "ü€漢字\t\\N", "at": "2024-01-09T00:00:00+02:00"}, {"id": 2, "name": None}]


@pytest.mark.parametrize(("suffix", "compression"), [("jsonl", "none"), ("jsonl.gz", "gzip")])
def test_a_batch_in_jsonl(
    database: Any, feed: Callable[..., str], tmp_path: Path, suffix: str, compression: str
) -> None:
    path = tmp_path / f"coins.{suffix}"
    content = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    path.write_bytes(gzip.compress(content) if compression == "gzip" else content)
    encoding = {"format": "jsonl", "compression": compression}
    feed(
        [
            COINS,
            {"type": "BATCH", "stream": "coins", "encoding": encoding, "manifest": [path.as_uri()]},
            {"type": "RECORD", "stream": "coins", "record": {"id": 2, "name": "two"}},
        ]
    )
    assert database.query("select id, name, at::text from raw_data.coins order by id") == [
        (1, "ü€漢字\t\\N", "2024-01-08 22:00:00+00"),
        (2, "two", None),
    ]


@pytest.mark.parametrize(
    ("settings", "variable", "found"),
    [({"run_id": "mine"}, "meltano's", "mine"), ({}, "meltano's", "meltano's"), ({}, None, None)],
)
def test_a_runs_name_is_the_setting_else_meltanos_else_random(
    database: Any,
    feed: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, str],
    variable: str | None,
    found: str | None,
) -> None:
    if variable is None:
        monkeypatch.delenv("MELTANO_RUN_ID", raising=False)
    else:
        monkeypatch.setenv("MELTANO_RUN_ID", variable)
    feed([COINS, {"type": "RECORD", "stream": "coins", "record": ROWS[0]}], **settings)
    ((said,),) = database.query("select distinct run_id from raw_data.load_ledger")
    assert said == found if found else UUID(said).version == 4
