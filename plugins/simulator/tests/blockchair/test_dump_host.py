"""The dump host: publication, index pages, validators, ranges, file format, and real files unchanged."""

import gzip
import re
import struct
from datetime import date, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

FIRST = date(2025, 1, 1)


def names(page: str) -> list[str]:
    return re.findall(r'<a href="(blockchair_[^"]+)">\1</a>', page)


def test_index_lists_published_days_only(serve: Any) -> None:
    world = serve(days=2, now=None)
    assert len(names(world.get("/dumps/bitcoin/blocks/").text)) == 2
    world = serve(days=2, blocks_per_day=2)
    world.clock.advance(timedelta(hours=18, minutes=29, seconds=59))  # 00:29:59 of the fourth day
    third = world.path("bitcoin", "blocks", date(2025, 1, 3))
    assert len(names(world.get("/dumps/bitcoin/blocks/").text)) == 2
    assert world.get(third).status_code == 404
    world.clock.advance(timedelta(seconds=1))
    assert names(world.get("/dumps/bitcoin/blocks/").text)[-1] == third.rpartition("/")[2]
    assert world.get(third).status_code == 200


def test_index_pages_lead_to_the_files(served: Any) -> None:
    assert re.findall(r'<a href="([a-z]+/)">', served.get("/dumps/").text) == ["bitcoin/", "dogecoin/", "ethereum/"]
    folders = re.findall(r'<a href="([a-z0-9-]+/)">', served.get("/dumps/ethereum/").text)
    assert folders == ["addresses/", "blocks/", "calls/", "erc-20/", "transactions/", "uncles/"]
    folders = re.findall(r'<a href="([a-z0-9-]+/)">', served.get("/dumps/ethereum/erc-20/").text)
    assert folders == ["tokens/", "transactions/"]
    page = served.get("/dumps/bitcoin/outputs/")
    assert page.headers["content-type"].startswith("text/html")
    assert re.search(r"02-Jan-2025 00:30 +\d+K\n", page.text)
    assert served.client.get("/dumps/bitcoin/outputs", follow_redirects=False).status_code == 301
    assert served.get("/dumps/bitcoin/outputs").text == page.text


def test_a_day_without_rows_has_no_file(serve: Any) -> None:
    world = serve(days=5, blocks_per_day=3, chains=("bitcoin",))  # block 1's coinbase ripens at 9, on the fourth day
    listed = names(world.get("/dumps/bitcoin/inputs/").text)
    assert listed == [f"blockchair_bitcoin_inputs_202501{day:02d}.tsv.gz" for day in (4, 5)]
    assert world.get(world.path("bitcoin", "inputs", FIRST)).status_code == 404
    assert world.get(world.path("bitcoin", "blocks", FIRST)).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "bitcoin/blocks/blockchair_bitcoin_blocks_20241231.tsv.gz",
        "bitcoin/blocks/blockchair_bitcoin_blocks_20250230.tsv.gz",
        "bitcoin/blocks/blockchair_bitcoin_outputs_20250101.tsv.gz",
        "bitcoin/blocks/blockchair_dogecoin_blocks_20250101.tsv.gz",
        "bitcoin/blocks/other",
        "ethereum/inputs/",
        "litecoin/",
        "bitcoin/blocks/..%2f..%2fx",
    ],
)
def test_what_is_not_there_is_an_html_404(served: Any, path: str) -> None:
    response = served.get(f"/dumps/{path}")
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")


def test_file_format(served: Any) -> None:
    packed = served.packed("bitcoin", "blocks", FIRST)
    assert packed[:4] == b"\x1f\x8b\x08\x08"  # gzip with the original name
    assert packed[10:].startswith(b"blockchair_bitcoin_blocks_20250101.tsv\0")
    (stamp,) = struct.unpack_from("<I", packed, 4)
    response = served.get(served.path("bitcoin", "blocks", FIRST))
    assert stamp == parsedate_to_datetime(response.headers["last-modified"]).timestamp()
    content = gzip.decompress(packed)
    assert not content.endswith(b"\n")
    assert b"\r" not in content
    assert content.count(b"\n") == served.settings.blocks_per_day


def test_head_states_what_get_gives(served: Any) -> None:
    path = served.path("dogecoin", "outputs", FIRST)
    head, got = served.client.head(path), served.get(path)
    assert head.content == b""
    for name in ("content-length", "etag", "last-modified", "accept-ranges", "content-type"):
        assert head.headers[name] == got.headers[name]
    assert int(head.headers["content-length"]) == len(got.content)
    assert got.headers["content-type"] == "application/octet-stream"
    assert re.fullmatch(r'"[0-9a-f]+-[0-9a-f]+"', got.headers["etag"])


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-0", slice(0, 1)),
        ("bytes=100-299", slice(100, 300)),
        ("bytes=1000-", slice(1000, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=10-99999999", slice(10, None)),
    ],
)
def test_ranges(served: Any, wanted: str, part: slice) -> None:
    path = served.path("bitcoin", "transactions", FIRST)
    whole = served.get(path).content
    response = served.get(path, Range=wanted)
    assert response.status_code == 206
    assert response.content == whole[part]
    start, stop, _ = part.indices(len(whole))
    assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(whole)}"
    assert response.headers["content-length"] == str(stop - start)


@pytest.mark.parametrize("beyond", ["bytes={size}-", "bytes={size}-{size}", "bytes=-0"])
def test_a_range_past_the_end_is_416(served: Any, beyond: str) -> None:
    path = served.path("bitcoin", "transactions", FIRST)
    size = len(served.get(path).content)
    response = served.get(path, Range=beyond.format(size=size))
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{size}"


@pytest.mark.parametrize("ignored", ["bytes=0-1,5-6", "lines=1-2", "bytes=-", "bytes=9-3"])
def test_other_ranges_are_ignored(served: Any, ignored: str) -> None:
    path = served.path("bitcoin", "transactions", FIRST)
    response = served.get(path, Range=ignored)
    assert response.status_code == 200
    assert response.content == served.get(path).content


def test_conditions(served: Any) -> None:
    path = served.path("bitcoin", "transactions", FIRST)
    about = served.get(path).headers
    for mine, status in (
        (about["etag"], 206),
        (about["last-modified"], 206),
        ('"another"', 200),
        ("Wed, 01 Jan 2020 00:00:00 GMT", 200),
        ("nonsense", 200),
    ):
        assert served.get(path, Range="bytes=5-9", If_Range=mine).status_code == status
    assert served.get(path, If_Match='"another"').status_code == 412
    assert served.get(path, If_Match=about["etag"]).status_code == 200
    assert served.get(path, If_None_Match=about["etag"]).status_code == 304


@pytest.mark.parametrize("tree", [False, True])
def test_real_files_are_served_unchanged(serve: Any, samples_dir: Path, folder: Path, *, tree: bool) -> None:
    samples = sorted((samples_dir / "blockchair/dumps").glob("*.tsv.gz"))
    assert len(samples) == 4
    for sample in samples:
        _, chain, table, _ = sample.name.split("_")
        target = folder / chain / table if tree else folder
        target.mkdir(parents=True, exist_ok=True)
        (target / sample.name).write_bytes(sample.read_bytes())
    (folder / "notes.txt").write_text("not a dump")
    world = serve(days=1, dumps_dir=folder)
    listed = []
    for table in re.findall(r'<a href="([a-z]+/)">', world.get("/dumps/bitcoin/").text):
        for name in names(world.get(f"/dumps/bitcoin/{table}").text):
            response = world.get(f"/dumps/bitcoin/{table}{name}")
            assert response.content == (samples_dir / "blockchair/dumps" / name).read_bytes()
            part = world.get(f"/dumps/bitcoin/{table}{name}", Range="bytes=100-", If_Range=response.headers["etag"])
            assert part.content == response.content[100:]
            listed.append(name)
    assert sorted(listed) == [sample.name for sample in samples]
    assert world.get(world.path("bitcoin", "blocks", FIRST)).status_code == 404
    assert world.get("/dumps/ethereum/").status_code == 404
    assert world.get("/dumps/bitcoin/blocks/notes.txt").status_code == 404
    assert world.api("ethereum/blocks")["context"]["rows"] == 10  # the API keeps to the world
