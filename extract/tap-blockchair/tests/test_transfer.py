"""Transfers: resumed where they broke off, in the run and in the next, and never over more than one connection."""

# ruff: noqa: ANN401 (JSON values, and fixtures whose classes live in conftest, which no module imports by name)

from __future__ import annotations

import errno
import gzip
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import requests
from singer_sdk.exceptions import SyncError
from werkzeug import Response

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_httpserver import HTTPServer

BLOCKS = ("bitcoin_blocks",)
NAME = "blockchair_bitcoin_blocks_20240101.tsv.gz"


def config_of(host: Any, tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {
        "chains": ["bitcoin"],
        "channel": "dumps",
        "dumps_url": host.url,
        "download_dir": str(tmp_path / "downloads"),
        **more,
    }


@pytest.fixture
def day(host: Any, blocks: Any) -> Any:
    host.put("bitcoin", "blocks", "20240101", blocks(*range(300)))
    return host


def spoil(day: Any, action: dict[str, Any], *, times: int | None = 1) -> None:
    """Spoil downloads of the day's file; the first of these rules that is not used up counts."""
    day.fault(f"{NAME}$", action, method="GET", times=times)


def part_of(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / f"{NAME}.part"


def test_a_broken_transfer_is_resumed_with_range_and_if_range(run: Any, day: Any, asked: Any, tmp_path: Path) -> None:
    spoil(day, {"truncate": 500})
    requests.delete(f"{day.root}/_simulator/requests", timeout=60)
    result = run(config_of(day, tmp_path), select=BLOCKS)
    assert result.error is None
    assert len(result.records("bitcoin_blocks")) == 300
    assert asked.ranges == ["bytes=500-"]
    answers = requests.get(f"{day.root}/_simulator/requests", timeout=60).json()["statuses"]
    assert answers["206"] == 1, "If-Range named the file, so only the rest was sent"
    assert list((tmp_path / "downloads").iterdir()) == [], "nothing is kept unless asked"


def test_the_next_run_goes_on_where_the_last_broke_off(run: Any, day: Any, asked: Any, tmp_path: Path) -> None:
    spoil(day, {"truncate": 500})
    spoil(day, {"status": 502}, times=None)
    first = run(config_of(day, tmp_path), select=BLOCKS)
    assert first.error
    assert first.records("bitcoin_blocks") == []
    assert part_of(tmp_path).stat().st_size == 500
    day.heal()
    asked.clear()
    second = run(config_of(day, tmp_path), select=BLOCKS)
    assert len(second.records("bitcoin_blocks")) == 300
    assert asked.ranges == ["bytes=500-"]


def test_a_file_replaced_meanwhile_is_read_from_its_start(
    run: Any, day: Any, asked: Any, blocks: Any, tmp_path: Path
) -> None:
    spoil(day, {"truncate": 500})
    spoil(day, {"status": 502}, times=None)
    assert run(config_of(day, tmp_path), select=BLOCKS).error
    day.heal()
    asked.clear()
    day.put("bitcoin", "blocks", "20240101", blocks(7))
    second = run(config_of(day, tmp_path), select=BLOCKS)
    assert [record["id"] for record in second.records("bitcoin_blocks")] == [7]
    assert asked.ranges == [], "HEAD has told that the part is of another file"


@pytest.mark.parametrize("told", ["bytes 0-{0}/{1}", "bytes 501-{0}/{1}", "bytes */{1}", None])
def test_a_part_is_dropped_when_the_host_answers_another_range(
    run: Any, day: Any, asked: Any, tmp_path: Path, told: str | None
) -> None:
    size = day.path("bitcoin", "blocks", "20240101").stat().st_size
    spoil(day, {"truncate": 500})
    spoil(day, {"headers": {"Content-Range": told and told.format(size - 1, size)}})
    # A file that is damaged is read once more; that a range was wrong is not damage, and does not count as such.
    spoil(day, {"corrupt": True})
    result = run(config_of(day, tmp_path), select=BLOCKS)
    assert result.error is None
    assert len(result.records("bitcoin_blocks")) == 300
    assert (len(asked.files), asked.ranges) == (4, ["bytes=500-"])


def test_bytes_of_another_place_never_complete_a_part(
    run: Any, httpserver: HTTPServer, gz: Any, blocks: Any, tmp_path: Path
) -> None:
    """Three gzip members of one size: put together in any order they are a sound file, with other rows."""
    header, *rows = gzip.decompress(blocks(1, 2, 3)).split(b"\n")
    first = gzip.compress(header + b"\n" + rows[0] + b"\n", compresslevel=0, mtime=0)
    second, third = (gzip.compress(row + b"\n", compresslevel=0, mtime=0) for row in rows[1:])
    assert len(second) == len(third)
    whole, version, begun = first + second + third, {"ETag": '"e"'}, len(first)
    wrong = f"bytes {begun + len(second)}-{len(whole) - 1}/{len(whole)}"
    answers = [
        Response(iter([first]), headers={**version, "Content-Length": str(len(whole))}),
        Response(third + second, status=206, headers={**version, "Content-Range": wrong}),
        Response(whole, headers=version),
    ]
    httpserver.expect_request("/bitcoin/blocks/").respond_with_data(f'<a href="{NAME}">{NAME}</a>')
    httpserver.expect_request(f"/bitcoin/blocks/{NAME}", method="HEAD").respond_with_data(whole, headers=version)
    for answer in answers:
        httpserver.expect_oneshot_request(f"/bitcoin/blocks/{NAME}", method="GET").respond_with_response(answer)
    config = {"chains": ["bitcoin"], "channel": "dumps", "dumps_url": httpserver.url_for("")}
    result = run({**config, "download_dir": str(tmp_path)}, select=BLOCKS)
    assert result.error is None
    assert [record["id"] for record in result.records("bitcoin_blocks")] == [1, 2, 3]


def test_a_corrupt_download_is_fetched_once_more(run: Any, day: Any, asked: Any, tmp_path: Path) -> None:
    spoil(day, {"corrupt": 600})
    result = run(config_of(day, tmp_path), select=BLOCKS)
    assert result.error is None
    assert len(result.records("bitcoin_blocks")) == 300
    assert (len(asked.files), asked.ranges) == (2, [])
    spoil(day, {"corrupt": 600}, times=None)
    asked.clear()
    assert "damaged or incomplete" in str(run(config_of(day, tmp_path), select=BLOCKS).error)
    assert len(asked.files) == 2, "once more, and not again and again"


def test_what_is_kept_is_not_downloaded_again(run: Any, day: Any, asked: Any, tmp_path: Path) -> None:
    config = config_of(day, tmp_path, keep_downloads=True)
    assert len(run(config, select=BLOCKS).records("bitcoin_blocks")) == 300
    asked.clear()
    assert len(run(config, select=BLOCKS).records("bitcoin_blocks")) == 300
    assert asked.files == []


def test_402_stops_at_once_and_keeps_the_part(run: Any, day: Any, asked: Any, tmp_path: Path) -> None:
    spoil(day, {"truncate": 500})
    spoil(day, {"html_402": True}, times=None)
    result = run(config_of(day, tmp_path), select=BLOCKS)
    assert "answered 402: the dump host's limit is used up" in str(result.error)
    assert len(asked.files) == 2
    assert part_of(tmp_path).stat().st_size == 500


def test_as_long_as_bytes_arrive_it_goes_on(run: Any, day: Any, asked: Any, tmp_path: Path) -> None:
    size = day.path("bitcoin", "blocks", "20240101").stat().st_size
    spoil(day, {"truncate": size // 20}, times=None)
    result = run(config_of(day, tmp_path), select=BLOCKS)
    assert result.error is None
    assert len(result.records("bitcoin_blocks")) == 300
    assert len(asked.files) >= 20


def test_a_missing_table_is_no_fault_but_a_missing_chain_is(
    run: Any, day: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = run(config_of(day, tmp_path), select=("bitcoin_outputs",))
    assert result.error is None
    assert "bitcoin_outputs: no dump day is listed" in caplog.text
    wrong = run(config_of(day, tmp_path, dumps_url=f"{day.url}/nowhere"), select=BLOCKS)
    assert "answered 404" in str(wrong.error)


def test_a_part_that_is_whole_only_gets_its_name(run: Any, day: Any, asked: Any, tmp_path: Path) -> None:
    spoil(day, {"truncate": 500})
    spoil(day, {"status": 502}, times=None)
    first = run(config_of(day, tmp_path), select=BLOCKS)
    day.heal()
    shutil.copy(day.path("bitcoin", "blocks", "20240101"), part_of(tmp_path))
    asked.clear()
    second = run(config_of(day, tmp_path), select=BLOCKS, state=first.state if first.of("STATE") else None)
    assert second.error is None
    assert len(second.records("bitcoin_blocks")) == 300
    assert asked.files == []


def test_a_file_that_cannot_be_written_is_named(run: Any, day: Any, tmp_path: Path) -> None:
    part_of(tmp_path).mkdir(parents=True)
    result = run(config_of(day, tmp_path), select=BLOCKS)
    assert isinstance(result.error, SyncError)
    assert "cannot be written" in str(result.error)
    assert "Check download_dir and the space on its disk" in str(result.error)
    assert result.bookmark("bitcoin_blocks") is None


def test_a_full_disk_is_named_and_what_arrived_is_kept(
    run: Any, day: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_download: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tap_blockchair.transfer._Download.finish", full)
    result = run(config_of(day, tmp_path), select=BLOCKS)
    assert isinstance(result.error, SyncError)
    assert "No space left on device" in str(result.error)
    assert list((tmp_path / "downloads").glob("*.part"))
