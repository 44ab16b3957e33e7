"""Transfers: resumed where they broke off, in the run and in the next, and never over more than one connection."""

# ruff: noqa: ANN401 (JSON values, and fixtures whose classes live in conftest, which no module imports by name)

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import SyncError
from werkzeug import Response

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BLOCKS = ("bitcoin_blocks",)
NAME = "bitcoin/blocks/blockchair_bitcoin_blocks_20240101.tsv.gz"


def config_of(host: Any, tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {
        "chains": ["bitcoin"],
        "channel": "dumps",
        "dumps_url": host.url,
        "download_dir": str(tmp_path / "downloads"),
        **more,
    }


def breaking(host: Any, at: int) -> Callable[[], Response]:
    content = host.files[NAME]
    headers = {"Content-Length": str(len(content)), "ETag": host.etag(NAME)}
    return lambda: Response(iter([content[:at]]), headers=headers)


@pytest.fixture
def day(host: Any, blocks: Any) -> Any:
    host.put("bitcoin", "blocks", "20240101", blocks(*range(300)))
    return host


def test_a_broken_transfer_is_resumed_with_range_and_if_range(run: Any, day: Any, tmp_path: Path) -> None:
    whole = day.file
    day.instead[NAME] = [breaking(day, 500), lambda: None]
    day.instead[NAME][1] = lambda: whole(NAME, day.request)
    result = run(config_of(day, tmp_path), select=BLOCKS)
    assert result.error is None
    assert len(result.records("bitcoin_blocks")) == 300
    assert day.ranges == ["bytes=500-"]
    assert day.resumed == [NAME], "If-Range named the file, so only the rest was sent"
    assert list((tmp_path / "downloads").iterdir()) == [], "nothing is kept unless asked"


def test_the_next_run_goes_on_where_the_last_broke_off(run: Any, day: Any, tmp_path: Path) -> None:
    day.instead[NAME] = [breaking(day, 500), lambda: Response("down", status=502)]
    first = run(config_of(day, tmp_path), select=BLOCKS)
    assert first.error
    assert first.records("bitcoin_blocks") == []
    assert (tmp_path / "downloads" / f"{NAME.rpartition('/')[2]}.part").stat().st_size == 500
    day.instead.clear()
    second = run(config_of(day, tmp_path), select=BLOCKS)
    assert len(second.records("bitcoin_blocks")) == 300
    assert day.ranges[-1] == "bytes=500-"


def test_a_file_replaced_meanwhile_is_read_from_its_start(run: Any, day: Any, blocks: Any, tmp_path: Path) -> None:
    day.instead[NAME] = [breaking(day, 500), lambda: Response("down", status=502)]
    assert run(config_of(day, tmp_path), select=BLOCKS).error
    day.instead.clear()
    day.ranges.clear()
    day.put("bitcoin", "blocks", "20240101", blocks(7))
    second = run(config_of(day, tmp_path), select=BLOCKS)
    assert [record["id"] for record in second.records("bitcoin_blocks")] == [7]
    assert day.ranges == [], "HEAD has told that the part is of another file"


def test_a_part_is_dropped_when_the_host_answers_another_range(run: Any, day: Any, tmp_path: Path) -> None:
    content = day.files[NAME]
    wrong = {"Content-Range": f"bytes 0-{len(content) - 1}/{len(content)}", "ETag": day.etag(NAME)}
    day.instead[NAME] = [
        breaking(day, 500),
        lambda: Response(content, status=206, headers=wrong),
        lambda: Response(content, headers={"ETag": day.etag(NAME)}),
    ]
    result = run(config_of(day, tmp_path), select=BLOCKS)
    assert result.error is None
    assert len(result.records("bitcoin_blocks")) == 300


def test_a_corrupt_download_is_fetched_once_more(run: Any, day: Any, tmp_path: Path) -> None:
    flipped = bytearray(day.files[NAME])
    flipped[600] ^= 0xFF
    good = {"ETag": day.etag(NAME)}
    day.instead[NAME] = [
        lambda: Response(bytes(flipped), headers=good),
        lambda: Response(day.files[NAME], headers=good),
    ]
    result = run(config_of(day, tmp_path), select=BLOCKS)
    assert result.error is None
    assert len(result.records("bitcoin_blocks")) == 300


def test_what_is_kept_is_not_downloaded_again(run: Any, day: Any, tmp_path: Path) -> None:
    config = config_of(day, tmp_path, keep_downloads=True)
    assert len(run(config, select=BLOCKS).records("bitcoin_blocks")) == 300
    day.gets.clear()
    assert len(run(config, select=BLOCKS).records("bitcoin_blocks")) == 300
    assert day.gets == []


def test_402_stops_at_once_and_keeps_the_part(run: Any, day: Any, tmp_path: Path) -> None:
    refused: list[int] = []

    def refuse() -> Response:
        refused.append(1)
        return Response("<html><h1>402 Payment Required</h1></html>", status=402, content_type="text/html")

    day.instead[NAME] = [breaking(day, 500), refuse]
    result = run(config_of(day, tmp_path), select=BLOCKS)
    assert "answered 402: the dump host's limit is used up" in str(result.error)
    assert len(refused) == 1
    assert [path.stat().st_size for path in (tmp_path / "downloads").glob("*.part")] == [500]


def test_as_long_as_bytes_arrive_it_goes_on(run: Any, day: Any, tmp_path: Path) -> None:
    content = day.files[NAME]

    def a_little() -> Response:
        start = int(day.request.headers.get("Range", "bytes=0-")[6:-1])
        headers = {"ETag": day.etag(NAME), "Content-Length": str(len(content) - start)}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        part = content[start : start + len(content) // 20]
        return Response(iter([part]), status=206 if start else 200, headers=headers)

    day.instead[NAME] = [a_little]
    result = run(config_of(day, tmp_path), select=BLOCKS)
    assert result.error is None
    assert len(result.records("bitcoin_blocks")) == 300


def test_a_missing_table_is_no_fault_but_a_missing_chain_is(
    run: Any, day: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = run(config_of(day, tmp_path), select=("bitcoin_outputs",))
    assert result.error is None
    assert "bitcoin_outputs: no dump day is listed" in caplog.text
    wrong = run(config_of(day, tmp_path, dumps_url=f"{day.url}/nowhere"), select=BLOCKS)
    assert "answered 404" in str(wrong.error)


def test_one_request_at_a_time(run: Any, day: Any, blocks: Any, tmp_path: Path) -> None:
    day.put("bitcoin", "blocks", "20240102", blocks(400))
    at_once: list[int] = []
    inside = threading.Semaphore(1)
    serve = day.file

    def counted(path: str, request: Any) -> Response:
        free = inside.acquire(blocking=False)
        at_once.append(0 if free else 1)
        response: Response = serve(path, request)
        if free:
            inside.release()
        return response

    day.file = counted
    assert run(config_of(day, tmp_path)).error is None
    assert at_once
    assert not any(at_once)


def test_a_part_that_is_whole_only_gets_its_name(run: Any, day: Any, tmp_path: Path) -> None:
    day.instead[NAME] = [breaking(day, 500), lambda: Response("down", status=502)]
    first = run(config_of(day, tmp_path), select=BLOCKS)
    day.instead.clear()
    part = tmp_path / "downloads" / f"{NAME.rpartition('/')[2]}.part"
    part.write_bytes(day.files[NAME])
    day.gets.clear()
    second = run(config_of(day, tmp_path), select=BLOCKS, state=first.state if first.of("STATE") else None)
    assert second.error is None
    assert len(second.records("bitcoin_blocks")) == 300
    assert day.gets == []


def test_a_file_that_cannot_be_written_is_named(run: Any, day: Any, tmp_path: Path) -> None:
    (tmp_path / "downloads" / f"{NAME.rpartition('/')[2]}.part").mkdir(parents=True)
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
