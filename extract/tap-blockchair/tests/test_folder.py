"""A folder of dump files as the source: packed or unpacked, in either layout, and what it needs and needs not."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_blockchair.tap import TapBlockchair

BLOCKS = ("bitcoin_blocks",)


@pytest.fixture
def mirror(tmp_path: Path, blocks: Callable[..., bytes]) -> Path:
    """A mirror of three days; the second is unpacked, and the third lies there both ways, unpacked with other rows."""
    folder = tmp_path / "mirror/bitcoin/blocks"
    folder.mkdir(parents=True)
    for day in (1, 2, 3):
        name, times = f"blockchair_bitcoin_blocks_2024010{day}.tsv", f"2024-01-0{day} 00:00:00".encode()
        rows = gzip.decompress(blocks(day, day + 10)).replace(b"2024-01-01 00:00:00", times)
        if day != 2:
            (folder / f"{name}.gz").write_bytes(gzip.compress(rows, mtime=0))
        if day != 1:
            (folder / name).write_bytes(rows if day == 2 else rows.replace(b"\t1\t", b"\t2\t"))
    return tmp_path / "mirror"


def config_of(mirror: Path, **more: Any) -> dict[str, Any]:
    downloads = str(mirror.parent / "downloads")
    return {"chains": ["bitcoin"], "channel": "dumps", "dumps_url": mirror.as_uri(), "download_dir": downloads, **more}


@pytest.mark.parametrize("flat", [False, True])
def test_unpacked_files_are_read(run: Any, mirror: Path, flat: bool) -> None:
    if flat:
        for path in list(mirror.rglob("*.tsv*")):
            path.rename(mirror / path.name)
    before = {path: path.read_bytes() for path in mirror.rglob("*.tsv*")}
    result = run(config_of(mirror), select=BLOCKS)
    assert result.error is None
    assert result.ids == [1, 11, 2, 12, 3, 13]
    assert {row["size"] for row in result.records("bitcoin_blocks")} == {1}, "of two files the packed one counts"
    assert result.slices()[1]["file"] == "blockchair_bitcoin_blocks_20240102.tsv"
    assert {path: path.read_bytes() for path in mirror.rglob("*.tsv*")} == before
    assert [path for path in (mirror.parent / "downloads").rglob("*") if path.is_file()] == []
    again = run(config_of(mirror), state=result.state, select=BLOCKS)
    assert (again.error, again.ids) == (None, [])


def test_unpacked_files_are_handed_over_packed(run: Any, mirror: Path) -> None:
    root = mirror.parent / "batches"
    storage = {"encoding": {"format": "tsv", "compression": "gzip"}, "storage": {"root": root.as_uri()}}
    result = run(config_of(mirror, batch_config=storage), select=BLOCKS)
    assert result.error is None
    assert [row["id"] for row in result.applied("bitcoin_blocks", [])] == [1, 11, 2, 12, 3, 13]
    (copy,) = root.rglob("*.gz")
    assert copy.name.startswith("blockchair_bitcoin_blocks_20240102.")
    # A later run's state shows that it was loaded.
    again = run(config_of(mirror, batch_config=storage), state=result.state, select=BLOCKS)
    assert (again.of("BATCH"), list(root.rglob("*.gz"))) == ([], [])


def test_a_damaged_unpacked_file_is_named_and_stays(run: Any, mirror: Path) -> None:
    path = mirror / "bitcoin/blocks/blockchair_bitcoin_blocks_20240102.tsv"
    path.write_bytes(path.read_bytes() + b"\tx")
    result = run(config_of(mirror), select=BLOCKS)
    assert "blockchair_bitcoin_blocks_20240102.tsv, line 3: " in str(result.error)
    assert (result.ids, result.bookmark("bitcoin_blocks")) == ([1, 11], "2024-01-01")
    assert path.exists()


def test_the_api_needs_no_folder(tmp_path: Path) -> None:
    missing = (tmp_path / "gone").as_uri()
    assert TapBlockchair(config={"channel": "api", "dumps_url": missing}).streams
    for channel in ("auto", "dumps"):
        with pytest.raises(ConfigValidationError) as caught:
            TapBlockchair(config={"channel": channel, "dumps_url": missing})
        assert "gone, which does not exist" in caught.value.errors[0]


def test_a_folder_in_local_is_told_what_works(mirror: Path) -> None:
    with pytest.raises(ConfigValidationError) as caught:
        TapBlockchair(config=config_of(mirror, data_origin="simulator"))
    (sentence,) = caught.value.errors
    assert "in Meltano with --environment=dev or prod" in sentence
    assert "alone with data_origin live or without it" in sentence


@pytest.mark.parametrize("origin", [{"data_origin": "live"}, {}])
def test_what_the_sentence_says_works(run: Any, mirror: Path, origin: dict[str, str]) -> None:
    result = run(config_of(mirror, **origin), select=BLOCKS)
    assert (result.error, len(result.ids)) == (None, 6)
