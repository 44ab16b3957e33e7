"""The slice's description in SCHEMA messages."""

from __future__ import annotations

import gzip
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tap_blockchair.base import StreamSlice
from tap_blockchair.tap import TapBlockchair


def test_a_day_is_half_open_from_midnight_to_midnight() -> None:
    part = StreamSlice.of_day("bitcoin/blocks/2024-02-29", "time", date(2024, 2, 29), rows=3, sha256="ab")
    assert part.annotation() == {
        "id": "bitcoin/blocks/2024-02-29",
        "column": "time",
        "from": "2024-02-29T00:00:00+00:00",
        "to": "2024-03-01T00:00:00+00:00",
        "rows": 3,
        "sha256": "ab",
    }
    assert set(part.annotation(counted=False)) == {"id", "column", "from", "to"}


def test_heights_are_half_open_and_an_empty_slice_says_so() -> None:
    part = StreamSlice.of_heights("bitcoin/blocks/heights/100-199", "id", 100, 199, rows=0)
    assert part.annotation() == {"id": part.id, "column": "id", "from": 100, "to": 200, "rows": 0}


@pytest.mark.parametrize(
    ("maps", "expected"),
    [
        ({}, {"id", "column", "from", "to", "rows", "time"}),
        ({"bitcoin_blocks": {"nonce": "__NULL__"}}, {"id", "column", "from", "to", "time"}),
        ({"bitcoin_blocks": {"time": "__NULL__"}}, {"id", "column", "from", "to"}),
        ({"bitcoin_blocks": {"id": "__NULL__", "__key_properties__": ["hash"]}}, None),
        ({"bitcoin_blocks": None}, "no message"),
    ],
)
def test_stream_maps_and_the_annotation(maps: Any, expected: Any) -> None:
    tap = TapBlockchair(config={"chains": ["bitcoin"], "channel": "dumps", "stream_maps": maps})
    stream: Any = tap.streams["bitcoin_blocks"]
    sent: list[Any] = []
    tap.write_message = sent.append
    stream.open_slice(StreamSlice.of_heights("bitcoin/blocks/heights/1-2", "id", 1, 2, rows=2))
    if expected == "no message":
        assert not sent
        return
    (message,) = sent
    annotation = message.schema.get("x-unit")
    assert (set(annotation) if annotation else None) == expected
    assert "x-unit" not in stream.schema


def test_the_page_names_the_annotation_and_each_key_that_a_slice_may_have() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/slices.md").read_text()
    (shown,) = re.findall(r"```json\n(\{\"type\": \"SCHEMA\".*?)```", page, re.DOTALL)
    example = json.loads(shown)["schema"]["x-unit"]
    listed = re.findall(
        r"^\| (`[a-z0-9`, ]+`) \| [^|]+ \| [^|]+ \|$", page.split("## What a loader does")[0], re.MULTILINE
    )
    assert {name for names in listed for name in re.findall(r"`(\w+)`", names)} == set(example)
    more = {"rows": 1, "file": "a", "etag": "b", "sha256": "c", "constants": {"d": 1}}
    assert set(example) == {*StreamSlice.of_day("a", "time", date(2024, 1, 1), **more).annotation(), "time"}


@pytest.mark.parametrize(("table", "column"), [("inputs", "spending_time"), ("outputs", "time"), ("blocks", "time")])
def test_a_slice_says_which_column_its_days_go_by(table: str, column: str) -> None:
    tap = TapBlockchair(config={"chains": ["bitcoin"], "channel": "dumps"})
    stream: Any = tap.streams[f"bitcoin_{table}"]
    sent: list[Any] = []
    tap.write_message = sent.append
    stream.open_slice(StreamSlice.of_day(f"bitcoin/{table}/2024-01-01", column, date(2024, 1, 1)))
    assert [message.schema["x-unit"]["time"] for message in sent] == [column]


def test_a_plain_schema_says_that_the_last_slice_is_complete(run: Any, host: Any, blocks: Any) -> None:
    """Not where the stream stopped half-way."""
    host.put("bitcoin", "blocks", "20240101", blocks(1))
    host.put("bitcoin", "blocks", "20240102", blocks(2) + b"cut")
    config = {"chains": ["bitcoin"], "channel": "dumps", "dumps_url": host.url}

    broken = run(config, select=("bitcoin_blocks",))
    assert broken.error is not None
    assert "x-unit" in broken.of("SCHEMA")[-1]["schema"]

    host.put("bitcoin", "blocks", "20240102", blocks(2))
    whole = run(config, select=("bitcoin_blocks",))
    first, *slices, last = [message["schema"] for message in whole.of("SCHEMA")]
    assert first == last
    assert [schema["x-unit"]["id"][-2:] for schema in slices] == ["01", "02"]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        ("bitcoin_blocks", None),
        ("bitcoin_transactions", ("time", ["block_id"])),
        ("bitcoin_inputs", ("spending_time", ["spending_block_id"])),
        ("ethereum_calls", ("time", ["block_id"])),
        ("ethereum_erc20_tokens", None),
    ],
)
@pytest.mark.parametrize("channel", ["dumps", "api"])
def test_big_tables_say_how_to_cut_them(stream: str, expected: Any, channel: str) -> None:
    tap = TapBlockchair(config={"chains": ["bitcoin", "ethereum"], "channel": channel})
    sent: list[Any] = []
    tap.write_message = sent.append  # type: ignore[method-assign]
    tap.streams[stream]._write_schema_message()
    tap.streams[stream].open_slice(StreamSlice(stream, "_line", None, None))  # type: ignore[attr-defined]

    for message in sent:
        said = message.schema.get("x-partition")
        assert (said and (said["column"], said["index"])) == expected
        assert said is None or said["interval"] == "month"
    assert len(sent) == 2


def test_a_stream_map_that_takes_the_column_away_takes_the_cut_away() -> None:
    maps = {"bitcoin_transactions": {"time": "__NULL__"}}
    tap = TapBlockchair(config={"chains": ["bitcoin"], "channel": "dumps", "stream_maps": maps})
    sent: list[Any] = []
    tap.write_message = sent.append  # type: ignore[method-assign]
    tap.streams["bitcoin_transactions"]._write_schema_message()

    assert "x-partition" not in sent[0].schema


def with_origin(day: bytes, origin: str) -> bytes:
    """A day of a node's, from one of Blockchair's."""
    head, *lines = gzip.decompress(day).decode().split("\n")
    return gzip.compress("\n".join([f"{head}\torigin", *(f"{line}\t{origin}" for line in lines)]).encode())


def test_a_file_that_names_its_node_is_of_the_channel_mirror(
    run: Any, host: Any, blocks: Any, caplog: pytest.LogCaptureFixture
) -> None:
    host.put("bitcoin", "blocks", "20240101", blocks(1))
    host.put("bitcoin", "blocks", "20240102", with_origin(blocks(2), "bitcoind/28.2.0"))
    host.put("bitcoin", "blocks", "20240103", blocks(3))
    result = run({"chains": ["bitcoin"], "channel": "dumps", "dumps_url": host.url}, select=("bitcoin_blocks",))
    assert result.error is None
    rows = {row["record"]["id"]: row["record"] for row in result.of("RECORD")}
    assert [rows[height]["_channel"] for height in (1, 2, 3)] == ["dumps", "mirror", "dumps"]
    assert [rows[height].get("origin") for height in (1, 2, 3)] == [None, "bitcoind/28.2.0", None]
    channels = {
        schema["schema"]["x-unit"]["id"][-2:]: schema["schema"]["x-unit"]["constants"]["_channel"]
        for schema in result.of("SCHEMA")
        if "x-unit" in schema["schema"]
    }
    assert channels == {"01": "dumps", "02": "mirror", "03": "dumps"}
    assert "new here" not in caplog.text
