"""Batch hand-over: the same rows as RECORD messages, and no file deleted before its rows are known to be loaded."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BLOCKS = ("bitcoin_blocks",)


def batches(root: Path, form: str = "tsv") -> dict[str, Any]:
    return {"batch_config": {"encoding": {"format": form, "compression": "gzip"}, "storage": {"root": root.as_uri()}}}


def config_of(host: Any, root: Path | None = None, **more: Any) -> dict[str, Any]:
    if root is not None:
        more |= batches(root)
    return dict(host.config(**more))


def handed(result: Any) -> list[dict[str, Any]]:
    """The schema of each BATCH message."""
    schema: dict[str, Any] = {}
    found = []
    for message in result.messages:
        if message["type"] == "SCHEMA":
            schema = message["schema"]
        elif message["type"] == "BATCH":
            assert message["encoding"] == {"format": "tsv", "compression": "gzip"}
            found.append(schema)
    return found


@pytest.fixture
def days(host: Any, blocks: Callable[..., bytes]) -> Any:
    for day in (1, 2, 3):
        host.put("bitcoin", "blocks", f"2024010{day}", blocks(*range(10 * day, 10 * day + 4)))
    return host


def test_both_ways_carry_the_same_rows(run: Any, days: Any, tmp_path: Path) -> None:
    records = run(config_of(days), select=BLOCKS).records("bitcoin_blocks")
    result = run(config_of(days, tmp_path), select=BLOCKS)
    assert result.error is None
    assert result.records("bitcoin_blocks") == []
    assert result.applied("bitcoin_blocks", []) == records
    assert len(records) == 12
    assert [m["type"] for m in result.messages if m["type"] != "STATE"] == [
        "SCHEMA",
        *3 * ["SCHEMA", "BATCH"],
        "SCHEMA",
    ]


def test_the_real_samples_both_ways(run: Any, samples: Path, tmp_path: Path) -> None:
    config = {"chains": ["bitcoin"], "channel": "dumps", "dumps_url": (samples / "dumps").as_uri()}
    records = run(config)
    result = run({**config, **batches(tmp_path)})
    for table, rows in (("blocks", 14), ("inputs", 7), ("outputs", 14), ("transactions", 14)):
        assert result.applied(f"bitcoin_{table}", []) == records.records(f"bitcoin_{table}")
        assert len(records.records(f"bitcoin_{table}")) == rows
    assert list(tmp_path.iterdir()) == [], "a folder's files are handed over where they are"


def test_a_file_stays_until_a_later_run_knows_it_loaded(
    run: Any, days: Any, asked: Any, tmp_path: Path, blocks: Any
) -> None:
    def there() -> list[str]:
        return sorted(path.name[-28:-20] for path in tmp_path.glob("*.tsv.gz"))

    first = run(config_of(days, tmp_path), select=BLOCKS)
    assert there() == ["20240101", "20240102", "20240103"]
    # The loader died after the first day: Meltano kept the state that it had passed on.
    (known,) = (
        message["value"]
        for message in first.messages
        if message["type"] == "STATE"
        and message["value"]["bookmarks"].get("bitcoin_blocks", {}).get("loaded") == [["2024-01-01", "2024-01-01"]]
    )
    asked.clear()
    second = run(config_of(days, tmp_path), state=known, select=BLOCKS)
    assert there() == ["20240102", "20240103"]
    assert asked.files == [], "what was handed over and not loaded is handed over again, not downloaded again"
    assert [schema["x-unit"]["id"][-2:] for schema in handed(second)] == ["02", "03"]
    run(config_of(days, tmp_path, keep_downloads=True), state=second.state, select=BLOCKS)
    assert there() == ["20240102", "20240103"]
    days.put("bitcoin", "blocks", "20240103", blocks(7))
    third = run(config_of(days, tmp_path), state=second.state, select=BLOCKS)
    assert [schema["x-unit"]["rows"] for schema in handed(third)] == [1]
    assert there() == ["20240103"]
    # The loader died before it took the new version: that the old one was loaded is no reason to delete it.
    asked.clear()
    third = run(config_of(days, tmp_path), state=second.state, select=BLOCKS)
    assert ([schema["x-unit"]["rows"] for schema in handed(third)], asked.files) == ([1], [])
    assert run(config_of(days, tmp_path), state=third.state, select=BLOCKS).error is None
    assert list(tmp_path.iterdir()) == []


def test_each_state_follows_the_batch_that_it_counts(run: Any, days: Any, tmp_path: Path) -> None:
    seen = 0
    for message in run(config_of(days, tmp_path), select=BLOCKS).messages:
        seen += message["type"] == "BATCH"
        if message["type"] == "STATE":
            done = message["value"]["bookmarks"].get("bitcoin_blocks", {}).get("replication_key_value")
            assert seen >= (int(done[-1]) if done else 0)


@pytest.mark.parametrize(
    "maps", [{"bitcoin_blocks": {"nonce": "__NULL__"}}, {"bitcoin_blocks": {"__filter__": "True"}}]
)
def test_what_a_stream_map_changes_comes_as_records(run: Any, days: Any, tmp_path: Path, maps: Any) -> None:
    result = run(config_of(days, tmp_path, stream_maps=maps), select=BLOCKS)
    assert result.error is None
    assert len(result.records("bitcoin_blocks")) == 12
    assert not result.of("BATCH")


def test_batch_mode_does_not_bookmark_rows_that_are_not_in_a_file_yet(
    run: Any, host: Any, blocks: Any, tmp_path: Path
) -> None:
    host.put("bitcoin", "blocks", "20240101", blocks(1, 2))
    host.put("bitcoin", "blocks", "20240102", blocks(3))
    result = run(config_of(host, **batches(tmp_path, "jsonl")), select=BLOCKS)
    assert result.error is None
    files: list[str] = []
    for message in result.messages:
        files += message.get("manifest", [])
        if message["type"] != "STATE":
            continue
        done = message["value"]["bookmarks"].get("bitcoin_blocks", {}).get("replication_key_value")
        parts = [gzip.decompress((tmp_path / file.rsplit("/")[-1]).read_bytes()).split() for file in files]
        assert sum(map(len, parts)) >= {None: 0, "2024-01-01": 2, "2024-01-02": 3}[done]
    assert len(files) == 2
    assert done == "2024-01-02"


@pytest.mark.parametrize("form", ["jsonl", "records"])
@pytest.mark.parametrize("keep", [False, True])
def test_files_are_kept_where_that_is_wanted(run: Any, days: Any, tmp_path: Path, form: str, *, keep: bool) -> None:
    config = {**config_of(days), "download_dir": str(tmp_path / "kept"), "keep_downloads": keep}
    if form == "jsonl":
        config |= batches(tmp_path, "jsonl")
    state = run(config, select=BLOCKS).state
    assert len(list((tmp_path / "kept").rglob("*.tsv.gz"))) == (3 if keep else 0)

    for path in days.folder.rglob("*.tsv.gz"):
        days.touch(path)
    assert run(config, state=state, select=BLOCKS).error is None
    assert bool(list((tmp_path / "kept").rglob("*.tsv.gz"))) is keep
