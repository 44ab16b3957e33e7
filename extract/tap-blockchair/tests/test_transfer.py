"""Transfers: resumed where they broke off, in the run and in the next, and never over more than one connection."""

from __future__ import annotations

import errno
import gzip
import os
from pathlib import Path
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer
from singer_sdk.exceptions import SyncError
from werkzeug import Response

BLOCKS = ("bitcoin_blocks",)
NAME = "blockchair_bitcoin_blocks_20240101.tsv.gz"


def config_of(host: Any, tmp_path: Path, **more: Any) -> dict[str, Any]:
    return dict(host.config(download_dir=str(tmp_path / "downloads"), **more))


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
    assert (result.error, len(result.ids)) == (None, 300)
    assert asked.ranges == ["bytes=500-"]
    answers = requests.get(f"{day.root}/_simulator/requests", timeout=60).json()["statuses"]
    assert answers["206"] == 1, "If-Range named the file, so only the rest was sent"
    assert list((tmp_path / "downloads").iterdir()) == [], "nothing is kept unless asked"


def test_a_source_that_falls_silent_in_the_middle(run: Any, day: Any, asked: Any, tmp_path: Path) -> None:
    spoil(day, {"truncate": 500})
    spoil(day, {"slow": 0.4}, times=None)  # a byte, then nothing for 2.5 seconds
    first = run(config_of(day, tmp_path, timeout=1), select=BLOCKS)
    assert f"{NAME}: nothing came for 1 s, " in str(first.error)
    assert "what arrived is kept and the next run goes on behind it" in str(first.error)
    assert first.records("bitcoin_blocks") == []
    have = part_of(tmp_path).stat().st_size
    assert have >= 500
    day.heal()
    asked.clear()
    assert len(run(config_of(day, tmp_path), select=BLOCKS).ids) == 300
    assert asked.ranges == [f"bytes={have}-"]


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
    assert len(second.ids) == 300
    assert asked.ranges == ["bytes=500-"]


def test_a_file_replaced_between_two_tries_is_read_from_its_start(
    run: Any, day: Any, asked: Any, blocks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced = lambda _pause: day.put("bitcoin", "blocks", "20240101", blocks(*range(7, 300)))  # noqa: E731
    monkeypatch.setattr("backoff._sync.time.sleep", replaced)
    spoil(day, {"truncate": 500})
    first = run(config_of(day, tmp_path), select=BLOCKS)
    assert first.error is None
    assert first.ids == list(range(7, 300))
    assert asked.ranges == ["bytes=500-"]
    asked.clear()
    assert run(config_of(day, tmp_path), state=first.state, select=BLOCKS).error is None
    assert asked.files == [], "the answer stated which file it was, not HEAD"


def test_a_part_is_resumed_by_the_time_of_change_where_the_etag_is_weak(
    run: Any, day: Any, asked: Any, tmp_path: Path
) -> None:
    weak = {"ETag": 'W/"e"'}
    day.fault("gz$", {"headers": weak}, method="HEAD", times=None)
    spoil(day, {"truncate": 500, "headers": weak})
    requests.delete(f"{day.root}/_simulator/requests", timeout=60)
    assert len(run(config_of(day, tmp_path), select=BLOCKS).ids) == 300
    assert asked.ranges == ["bytes=500-"]
    assert requests.get(f"{day.root}/_simulator/requests", timeout=60).json()["statuses"]["206"] == 1


def test_an_answer_without_a_version_is_that_of_head(run: Any, day: Any, asked: Any, tmp_path: Path) -> None:
    spoil(day, {"headers": {"ETag": None, "Last-Modified": "yesterday", "Content-Length": None}})
    first = run(config_of(day, tmp_path), select=BLOCKS)
    assert (first.error, len(first.ids)) == (None, 300)
    asked.clear()
    assert run(config_of(day, tmp_path), state=first.state, select=BLOCKS).records("bitcoin_blocks") == []
    assert [sent.method for sent in asked] == ["GET", "HEAD"]


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
    assert second.ids == [7]
    assert asked.ranges == [], "HEAD showed that the part is of another file"


@pytest.mark.parametrize("stated", ["bytes 0-{0}/{1}", "bytes 501-{0}/{1}", "bytes */{1}", None])
def test_a_part_is_dropped_when_the_host_answers_another_range(
    run: Any, day: Any, asked: Any, tmp_path: Path, stated: str | None
) -> None:
    size = day.path("bitcoin", "blocks", "20240101").stat().st_size
    spoil(day, {"truncate": 500})
    spoil(day, {"headers": {"Content-Range": stated and stated.format(size - 1, size)}})
    # A file that is damaged is read once more; that a range was wrong is not damage, and does not count as such.
    spoil(day, {"corrupt": True})
    result = run(config_of(day, tmp_path), select=BLOCKS)
    assert (result.error, len(result.ids)) == (None, 300)
    assert (len(asked.files), asked.ranges) == (4, ["bytes=500-"])


@pytest.mark.parametrize(
    ("place", "body"),
    [
        (1, lambda _first, second, third: third + second),
        (-1, lambda _first, second, third: second + third),
        (0, lambda first, second, third: first + second + third),
    ],
    ids=["later", "earlier", "more than the rest"],
)
def test_bytes_of_another_place_never_complete_a_part(
    run: Any, httpserver: HTTPServer, asked: Any, blocks: Any, tmp_path: Path, place: int, body: Any
) -> None:
    """Three gzip members of one size: put together in any order they are a sound file, with other rows."""
    header, *rows = gzip.decompress(blocks(1, 2, 3)).split(b"\n")
    first = gzip.compress(header + b"\n" + rows[0] + b"\n", compresslevel=0, mtime=0)
    second, third = (gzip.compress(row + b"\n", compresslevel=0, mtime=0) for row in rows[1:])
    assert len(second) == len(third)
    whole, version, begun = first + second + third, {"ETag": '"e"'}, len(first)
    stated = f"bytes {begun + place * len(second)}-{len(whole) - 1}/{len(whole)}"
    answers = [
        Response(iter([first]), headers={**version, "Content-Length": str(len(whole))}),
        Response(body(first, second, third), status=206, headers={**version, "Content-Range": stated}),
        Response(whole, headers=version),
    ]
    httpserver.expect_request("/bitcoin/blocks/").respond_with_data(f'<a href="{NAME}">{NAME}</a>')
    httpserver.expect_request(f"/bitcoin/blocks/{NAME}", method="HEAD").respond_with_data(whole, headers=version)
    for answer in answers:
        httpserver.expect_oneshot_request(f"/bitcoin/blocks/{NAME}", method="GET").respond_with_response(answer)
    config = {"chains": ["bitcoin"], "channel": "dumps", "dumps_url": httpserver.url_for("")}
    result = run({**config, "download_dir": str(tmp_path)}, select=BLOCKS)
    assert result.error is None
    assert result.ids == [1, 2, 3]
    assert asked.ranges == [f"bytes={begun}-"], "what does not fit is given up at once"


def test_a_corrupt_download_is_fetched_once_more(run: Any, day: Any, asked: Any, tmp_path: Path) -> None:
    spoil(day, {"corrupt": 600})
    result = run(config_of(day, tmp_path), select=BLOCKS)
    assert (result.error, len(result.ids)) == (None, 300)
    assert (len(asked.files), asked.ranges) == (2, [])
    spoil(day, {"corrupt": 600}, times=None)
    asked.clear()
    assert "damaged or incomplete" in str(run(config_of(day, tmp_path), select=BLOCKS).error)
    assert len(asked.files) == 2, "once more, and not again and again"


def test_what_is_kept_is_not_downloaded_again(run: Any, day: Any, asked: Any, tmp_path: Path) -> None:
    config = config_of(day, tmp_path, keep_downloads=True)
    assert len(run(config, select=BLOCKS).ids) == 300
    asked.clear()
    assert len(run(config, select=BLOCKS).ids) == 300
    assert asked.files == []


@pytest.mark.parametrize("why", ["another ETag", "a byte is gone", "no validator", "a note that is none"])
def test_what_is_kept_is_downloaded_again_where_it_may_be_another(
    run: Any, day: Any, asked: Any, tmp_path: Path, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    if why == "no validator":
        bare = {"ETag": None, "Last-Modified": None}
        day.fault("gz$", {"headers": bare}, times=None)
    config = config_of(day, tmp_path, keep_downloads=True)
    assert len(run(config, select=BLOCKS).ids) == 300
    kept = tmp_path / "downloads" / NAME
    if why == "another ETag":
        day.touch(day.path("bitcoin", "blocks", "20240101"))
    elif why == "a byte is gone":
        kept.write_bytes(kept.read_bytes()[:-1])
    elif why == "a note that is none":
        kept.with_name(f"{NAME}.json").write_text("{")
    asked.clear()
    assert len(run(config, select=BLOCKS).ids) == 300
    assert asked.files == [NAME]
    assert "damaged" not in caplog.text, "it is not even opened"


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
    assert (result.error, len(result.ids)) == (None, 300)
    assert len(asked.files) >= 20


def test_a_missing_table_is_no_fault_but_a_missing_chain_is(
    run: Any, day: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = run(config_of(day, tmp_path), select=("bitcoin_outputs",))
    assert result.error is None
    assert "bitcoin_outputs: no dump day is listed" in caplog.text
    wrong = run(config_of(day, tmp_path, dumps_url=f"{day.url}/nowhere"), select=BLOCKS)
    assert "answered 404" in str(wrong.error)


@pytest.mark.parametrize(
    ("more", "moved", "gets"),
    [(b"", False, 0), (b"", True, 1), (b"more", False, 2)],
    ids=["whole", "of another version", "too long"],
)
def test_a_part_that_is_whole_only_gets_its_name(
    run: Any, day: Any, asked: Any, tmp_path: Path, more: bytes, gets: int, *, moved: bool
) -> None:
    spoil(day, {"truncate": 500})
    spoil(day, {"status": 502}, times=None)
    first = run(config_of(day, tmp_path), select=BLOCKS)
    day.heal()
    path = day.path("bitcoin", "blocks", "20240101")
    part_of(tmp_path).write_bytes(path.read_bytes() + more)
    if moved:
        day.touch(path)
    asked.clear()
    second = run(config_of(day, tmp_path), select=BLOCKS, state=first.state if first.of("STATE") else None)
    assert (second.error, len(second.ids)) == (None, 300)
    assert len(asked.files) == gets


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
