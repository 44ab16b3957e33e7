"""The dump channel: damaged files, changed columns, exact values, and a bookmark that is never ahead."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tap_blockchair import schemas
from tap_blockchair.columns import json_schema

FILLER = {"i": "1", "n": "1", "s": "ab", "t": "2024-01-01 00:00:00", "b": "1", "p": "-1"}


def header_of(chain: str, table: str) -> list[str]:
    return [column.name for column in schemas.chain_table(chain, table).columns]


def row_of(chain: str, table: str, **values: str) -> str:
    columns = schemas.chain_table(chain, table).columns
    assert set(values) <= {column.name for column in columns}
    return "\t".join(values.get(column.name, FILLER[column.kind.value]) for column in columns)


ONLY_BLOCKS = ("bitcoin_blocks",)


def test_days_are_taken_in_order_and_only_those_listed(run: Any, host: Any, asked: Any, blocks: Any) -> None:
    for day, height in (("20240105", 3), ("20240101", 1), ("20240102", 2)):
        host.put("bitcoin", "blocks", day, blocks(height))
    result = run(host.config(), select=ONLY_BLOCKS)
    assert result.ids == [1, 2, 3]
    assert result.bookmark("bitcoin_blocks") == "2024-01-05"
    asked.clear()
    again = run(host.config(), state=result.state, select=ONLY_BLOCKS)
    assert again.records("bitcoin_blocks") == []
    assert not asked.files, "HEAD shows that the last day is the same"
    host.put("bitcoin", "blocks", "20240107", blocks(4))
    host.put("bitcoin", "blocks", "20240103", blocks(9))
    more = run(host.config(), state=again.state, select=ONLY_BLOCKS)
    assert more.ids == [9, 4], "a late day is taken, too"


def test_start_and_end_are_included(run: Any, host: Any, blocks: Any) -> None:
    for day in range(1, 7):
        host.put("bitcoin", "blocks", f"2024010{day}", blocks(day))
    config = host.config(start_date="2024-01-02T10:00:00Z", end_date="2024-01-04")
    result = run(config, select=ONLY_BLOCKS)
    assert result.ids == [2, 3, 4]
    assert result.bookmark("bitcoin_blocks") == "2024-01-04"


def test_state_follows_the_last_row_of_a_day(run: Any, host: Any, blocks: Any) -> None:
    host.put("bitcoin", "blocks", "20240101", blocks(1, 2))
    host.put("bitcoin", "blocks", "20240102", blocks(3))
    seen: list[int] = []
    for message in run(host.config(), select=ONLY_BLOCKS).messages:
        if message["type"] == "RECORD":
            seen.append(message["record"]["id"])
        elif message["type"] == "STATE":
            done = message["value"]["bookmarks"]["bitcoin_blocks"].get("replication_key_value")
            assert seen == {None: [], "2024-01-01": [1, 2], "2024-01-02": [1, 2, 3]}[done]


def test_many_rows_do_not_move_the_bookmark_before_the_day_ends(
    run: Any, host: Any, blocks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tap_blockchair.dump_stream.DumpStream.STATE_MSG_FREQUENCY", 1)
    host.put("bitcoin", "blocks", "20240101", blocks(*range(50)))
    messages = run(host.config(), select=ONLY_BLOCKS).messages
    last_row = max(index for index, message in enumerate(messages) if message["type"] == "RECORD")
    for message in messages[:last_row]:
        if message["type"] == "STATE":
            assert "replication_key_value" not in message["value"]["bookmarks"]["bitcoin_blocks"]


HEADER = "\t".join(header_of("bitcoin", "blocks"))


def changed(content: bytes, old: bytes, new: bytes) -> bytes:
    return gzip.compress(gzip.decompress(content).replace(old, new))


# A file by the fixtures `blocks` and `gz`, words of the error, and the rows before it.
BAD_DAYS: dict[str, tuple[Callable[..., bytes], str, int]] = {
    "bad value": (
        lambda _, gz: gz(HEADER, row_of("bitcoin", "blocks", id="3"), row_of("bitcoin", "blocks", size="12.5")),
        ", line 3: size is '12.5', not a whole number",
        1,
    ),
    "wrong field count": (
        lambda _, gz: gz(HEADER, row_of("bitcoin", "blocks"), row_of("bitcoin", "blocks") + "\tmore"),
        ", line 3: 37 fields, but the header has 36",
        0,
    ),
    "missing column": (lambda blocks, _: changed(blocks(3), b"\tweight\t", b"\tWeight\t"), ": the column weight is", 0),
    "NUL": (
        lambda _, gz: gz(HEADER, row_of("bitcoin", "blocks", guessed_miner="po\0ol")),
        ", line 2: a NUL character",
        0,
    ),
    "not UTF-8": (
        lambda blocks, _: gzip.compress(gzip.decompress(blocks(3))[:-2] + b"\xff\xfe"),
        ", line 2: guessed_miner .* not UTF-8",
        0,
    ),
    # In the checksum at the end.
    "corrupt": (lambda blocks, _: blocks(3)[:-6] + b"\xff\xff" + blocks(3)[-4:], " is damaged or incomplete", 0),
    "truncated": (lambda blocks, _: blocks(*range(3, 90))[:-300], " is damaged or incomplete", 0),
    "html": (lambda *_: b"<html><h1>402 Payment Required</h1></html>", " is not a gzip file", 0),
    "empty": (lambda *_: b"", " is not a gzip file", 0),
    "no header": (lambda *_: gzip.compress(b""), ": the header has an empty", 0),
    "garbage behind": (lambda blocks, _: blocks(3) + b"garbage", " is damaged or incomplete", 0),
}


@pytest.mark.parametrize("name", BAD_DAYS)
def test_a_bad_day_stops_the_stream_and_keeps_the_bookmark(
    run: Any, host: Any, blocks: Any, gz: Any, name: str, tmp_path: Path
) -> None:
    content, sentence, rows_before = BAD_DAYS[name]
    host.put("bitcoin", "blocks", "20240101", blocks(1, 2))
    host.put("bitcoin", "blocks", "20240102", content(blocks, gz))
    host.put("bitcoin", "blocks", "20240103", blocks(5))
    result = run(host.config(), select=ONLY_BLOCKS)
    assert re.search(rf"20240102\.tsv\.gz{sentence}", str(result.error))
    assert len(result.records("bitcoin_blocks")) == 2 + rows_before
    assert result.bookmark("bitcoin_blocks") == "2024-01-01"
    # Only a sound file with an unusable value stays: the next run need not download it again.
    assert bool(list((tmp_path / "cache").rglob("*.gz"))) is (name in {"bad value", "not UTF-8"})
    host.put("bitcoin", "blocks", "20240102", blocks(3, 4))
    repaired = run(host.config(), state=result.state, select=ONLY_BLOCKS)
    assert repaired.ids == [3, 4, 5]


@pytest.mark.parametrize(
    ("action", "sentence"),
    [
        ({"html_402": True}, "answered 402: the dump host's limit"),
        ({"status": 404}, "answered 404"),
        ({"status": 503}, "answered 503"),
    ],
)
def test_an_error_page_is_never_data(run: Any, host: Any, blocks: Any, action: Any, sentence: str) -> None:
    host.put("bitcoin", "blocks", "20240101", blocks(1))
    host.put("bitcoin", "blocks", "20240102", blocks(2))
    host.fault("20240102", action, method="GET", times=None)
    result = run(host.config(), select=ONLY_BLOCKS)
    assert sentence in str(result.error)
    assert len(result.records("bitcoin_blocks")) == 1
    assert result.bookmark("bitcoin_blocks") == "2024-01-01"


def test_an_odd_success_is_no_data_either(run: Any, blocks: Any, httpserver: HTTPServer) -> None:
    name = "blockchair_bitcoin_blocks_20240101.tsv.gz"
    httpserver.expect_request("/bitcoin/blocks/").respond_with_data(f'<a href="{name}">{name}</a>')
    httpserver.expect_request(f"/bitcoin/blocks/{name}").respond_with_data(blocks(1), status=203)
    result = run({"chains": ["bitcoin"], "channel": "dumps", "dumps_url": httpserver.url_for("")}, select=ONLY_BLOCKS)
    assert "answered 203" in str(result.error)
    assert {request.headers["Accept-Encoding"] for request, _ in httpserver.log} == {"identity"}, "unpacked, as it is"
    assert result.records("bitcoin_blocks") == []


def test_a_transfer_that_breaks_off_is_repeated(run: Any, host: Any, asked: Any, blocks: Any) -> None:
    host.put("bitcoin", "blocks", "20240101", blocks(1, 2, 3))
    # A host that states no version of its files, so that none can be resumed.
    bare = {"ETag": None, "Last-Modified": None}
    host.fault("gz$", {"headers": bare}, method="HEAD", times=None)
    host.fault("gz$", {"truncate": 40, "headers": bare}, method="GET")
    host.fault("gz$", {"status": 502}, method="GET")
    host.fault("gz$", {"headers": bare}, method="GET", times=None)
    result = run(host.config(), select=ONLY_BLOCKS)
    assert result.error is None
    assert len(result.records("bitcoin_blocks")) == 3
    assert (len(asked.files), asked.ranges) == (3, [])


def test_a_transfer_that_always_breaks_off(run: Any, host: Any, blocks: Any) -> None:
    host.put("bitcoin", "blocks", "20240101", blocks(1, 2, 3))
    host.fault("gz$", {"truncate": 40}, method="GET")
    host.fault("gz$", {"truncate": 0}, method="GET", times=None)
    result = run(host.config(), select=ONLY_BLOCKS)
    assert "the transfer broke off 4 times" in str(result.error)
    assert result.bookmark("bitcoin_blocks") is None


def test_a_killed_run_leaves_no_bookmark_ahead_of_its_rows(host: Any, blocks: Any, tmp_path: Path) -> None:
    for day, heights in (("20240101", range(3)), ("20240102", range(3, 5000))):
        host.put("bitcoin", "blocks", day, blocks(*heights))
    config = tmp_path / "config.json"
    config.write_text(json.dumps(host.config(dumps_url=host.folder.as_uri())))
    with subprocess.Popen(
        [sys.executable, "-m", "tap_blockchair", "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as tap:
        assert tap.stdout
        lines = [tap.stdout.readline() for _ in range(1000)]
        tap.kill()  # -9; it cannot be far ahead, since the pipe holds a few dozen rows
        lines += tap.stdout.readlines()
    messages = [json.loads(line) for line in lines if line.endswith(b"\n")]
    assert 900 < len(messages) < 5000
    states = [message["value"]["bookmarks"]["bitcoin_blocks"] for message in messages if message["type"] == "STATE"]
    assert states[-1]["replication_key_value"] == "2024-01-01"


def test_a_server_that_labels_gz_as_content_encoding(run: Any, host: Any, blocks: Any) -> None:
    host.put("bitcoin", "blocks", "20240101", blocks(1))
    host.fault("gz$", {"headers": {"Content-Encoding": "gzip"}}, method="GET")
    assert len(run(host.config(), select=ONLY_BLOCKS).records("bitcoin_blocks")) == 1


def test_an_extra_column_is_announced_before_its_rows(
    run: Any, host: Any, blocks: Any, gz: Any, caplog: pytest.LogCaptureFixture
) -> None:
    host.put("bitcoin", "blocks", "20240101", blocks(1))
    names = header_of("bitcoin", "blocks")
    row = row_of("bitcoin", "blocks", id="2")
    moved = "\t".join(["pool_tag", *names])  # in front: columns are bound by name
    host.put("bitcoin", "blocks", "20240102", gz(moved, f"0012\t{row}", f"\\N\t{row}", f"\t{row}"))
    host.put("bitcoin", "blocks", "20240103", gz(moved, f"x\t{row}"))
    result = run(host.config(), select=ONLY_BLOCKS)
    assert [record.get("pool_tag") for record in result.records("bitcoin_blocks")] == [None, "0012", None, "", "x"]
    assert result.ids == [1, 2, 2, 2, 2]
    kinds = [message["type"] for message in result.messages if message["type"] != "STATE"]
    plain, day, records = ["SCHEMA"], ["SCHEMA"], ["RECORD"]
    assert kinds == plain + day + records + plain + day + 3 * records + day + records + plain
    first, _, second, *_ = result.of("SCHEMA")
    assert second["schema"]["properties"].pop("pool_tag") == {"type": ["string", "null"]}
    assert first == second, "an announcement must not open the last slice again"
    assert len([record for record in caplog.records if "pool_tag" in record.getMessage()]) == 1


@pytest.mark.parametrize("way", ["catalog", "stream map"])
def test_unwanted_columns_stay_out_when_a_column_is_announced(host: Any, run: Any, gz: Any, way: str) -> None:
    names = [*header_of("bitcoin", "blocks"), "pool_tag"]
    host.put("bitcoin", "blocks", "20240101", gz("\t".join(names), row_of("bitcoin", "blocks") + "\tx"))
    if way == "catalog":
        result = run(host.config(), select=ONLY_BLOCKS, deselect=("nonce",))
    else:
        result = run(host.config(stream_maps={"bitcoin_blocks": {"nonce": "__NULL__"}}), select=ONLY_BLOCKS)
    assert "nonce" not in result.of("SCHEMA")[-1]["schema"]["properties"]
    assert "nonce" not in result.records("bitcoin_blocks")[0]
    assert result.records("bitcoin_blocks")[0]["pool_tag"] == "x"


def test_segwit_columns_are_absent_by_design_elsewhere(run: Any, host: Any, blocks: Any) -> None:
    assert set(header_of("bitcoin", "blocks")) - set(header_of("dogecoin", "blocks")) == {
        *("stripped_size", "weight", "witness_count", "fee_per_kwu", "fee_per_kwu_usd"),
    }
    host.put("dogecoin", "blocks", "20240101", blocks(1, chain="dogecoin"))
    without = gzip.decompress(blocks(2, chain="dogecoin")).replace(b"\tis_aux", b"").removesuffix(b"\t1")
    host.put("dogecoin", "blocks", "20240102", gzip.compress(without))
    host.put("dogecoin", "blocks", "20240103", blocks(3))  # with Bitcoin's columns
    result = run(host.config(chains=["dogecoin"]), select=("dogecoin_blocks",))
    assert result.error is None
    records = result.records("dogecoin_blocks")
    assert [record["is_aux"] for record in records] == [True, None, None]
    assert [record.get("weight") for record in records] == [None, None, 1]


def test_exact_values_and_nulls(run: Any, host: Any, gz: Any) -> None:
    header = "\t".join(header_of("ethereum", "transactions"))
    wei, decimal = "894582879806664207241", "0.000000000000000001"
    host.put(
        "ethereum",
        "transactions",
        "20240101",
        gz(
            header,
            row_of("ethereum", "transactions", value=wei, fee="18446744073709551617", value_usd=decimal, input_hex=""),
            row_of("ethereum", "transactions", hash="\\N", sender="\\N", index="\\N", failed="", fee="", nonce="\\N"),
            row_of("ethereum", "transactions", input_hex="ab" * 500_000),
        ),
    )
    result = run(host.config(chains=["ethereum"]), select=("ethereum_transactions",))
    assert result.error is None
    first, second, third = result.records("ethereum_transactions")
    text = next(line for line in result.lines if '"_line":2' in line)
    assert f'"value":{wei},' in text
    assert '"fee":18446744073709551617,' in text
    assert str(first["value_usd"]) in {"1E-18", decimal}
    assert first["input_hex"] == ""
    for name in ("hash", "sender", "index", "failed", "fee", "nonce"):
        assert second[name] is None
    assert len(third["input_hex"]) == 1_000_000
    assert [record["_line"] for record in (first, second, third)] == [2, 3, 4]
    assert result.of("SCHEMA")[0]["key_properties"] == ["_unit", "_line"]


def test_an_empty_key_stops_the_day(run: Any, host: Any, gz: Any) -> None:
    host.put("bitcoin", "blocks", "20240101", gz(HEADER, row_of("bitcoin", "blocks", id="")))
    assert "line 2: id is empty but part of the key" in str(run(host.config(), select=ONLY_BLOCKS).error)


def test_koinu_above_64_bits_and_unknown_spendability(run: Any, host: Any, gz: Any) -> None:
    row = row_of("dogecoin", "outputs", value="15144237638370525001", is_spendable="-1", recipient="d-0", script_hex="")
    host.put("dogecoin", "outputs", "20240101", gz("\t".join(header_of("dogecoin", "outputs")), row) + b"")
    result = run(host.config(chains=["dogecoin"]), select=("dogecoin_outputs",))
    (record,) = result.records("dogecoin_outputs")
    assert record["value"] == 15144237638370525001
    assert record["is_spendable"] == -1
    schema = result.of("SCHEMA")[0]["schema"]["properties"]["is_spendable"]
    assert (schema["minimum"], schema["maximum"]) == (-1, 1)


@pytest.mark.parametrize(
    ("chain", "table", "whole"),
    [("bitcoin", "transactions", "fee"), ("dogecoin", "outputs", "value"), ("ethereum", "calls", "value")],
)
def test_the_schema_says_what_an_amount_can_be(chain: str, table: str, whole: str) -> None:
    """Base units are whole and not negative, counts likewise, and of 64 bits where that holds all; USD is free."""
    columns = schemas.chain_table(chain, table).columns
    found = json_schema(columns, ())["properties"]
    most = {"bitcoin": 2_100_000_000_000_000, "dogecoin": 10**20, "ethereum": 2**256 - 1}[chain]
    kind = {"type": ["integer", "null"]} if most < 2**63 else {"type": ["number", "null"], "multipleOf": 1}
    assert found[whole] == {**kind, "minimum": 0, "maximum": most}
    assert found["block_id"] == {"type": ["integer", "null"], "minimum": 0}
    free = [name for name in found if name.endswith("_usd") or name in {"cdd_total", "fee_per_kb", "fee_per_kwu"}]
    assert [found[name] for name in free] == [{"type": ["number", "null"]}] * len(free)
    assert free


def test_what_may_be_negative() -> None:
    """A miner may claim less than the fees; a block's time may lie before that of the coins it spends."""
    bitcoin = json_schema(schemas.chain_table("bitcoin", "blocks").columns, ())["properties"]
    assert bitcoin["generation"]["minimum"] == -bitcoin["generation"]["maximum"] == -2_100_000_000_000_000
    assert bitcoin["output_total"]["maximum"] > bitcoin["fee_total"]["maximum"]  # coins move more than once in a block
    inputs = json_schema(schemas.chain_table("bitcoin", "inputs").columns, ())["properties"]
    assert (inputs["lifespan"], inputs["cdd"]) == ({"type": ["integer", "null"]}, {"type": ["number", "null"]})
    zcash = json_schema(schemas.chain_table("zcash", "transactions").columns, ())["properties"]
    assert zcash["fee"]["minimum"] == zcash["shielded_value_delta"]["minimum"] == -2_100_000_000_000_000
    assert zcash["fee"]["type"] == ["integer", "null"]


def test_a_header_alone_is_a_complete_day(run: Any, host: Any, blocks: Any) -> None:
    host.put("bitcoin", "blocks", "20240101", blocks())
    result = run(host.config(), select=ONLY_BLOCKS)
    assert result.records("bitcoin_blocks") == []
    assert result.bookmark("bitcoin_blocks") == "2024-01-01"


def test_a_bookmark_of_the_other_channel_is_not_taken_for_a_day(run: Any, host: Any, blocks: Any) -> None:
    host.put("bitcoin", "blocks", "20240101", blocks(1))
    state = {"bookmarks": {"bitcoin_blocks": {"replication_key": "id", "replication_key_value": 840000}}}
    result = run(host.config(), state=state, select=ONLY_BLOCKS)
    assert result.error is None
    assert len(result.records("bitcoin_blocks")) == 1
    assert result.bookmark("bitcoin_blocks") == "2024-01-01"


@pytest.mark.parametrize("origin", ["simulator", None])
def test_data_of_the_wanted_origin_are_taken(run: Any, host: Any, blocks: Any, origin: str | None) -> None:
    host.put("bitcoin", "blocks", "20240101", blocks(1))
    result = run(host.config(**({"data_origin": origin} if origin else {})), select=ONLY_BLOCKS)
    assert result.error is None
    assert len(result.records("bitcoin_blocks")) == 1


def test_data_of_another_origin_are_refused(run: Any, host: Any, blocks: Any, httpserver: HTTPServer) -> None:
    host.put("bitcoin", "blocks", "20240101", blocks(1))
    result = run(host.config(data_origin="live"), select=ONLY_BLOCKS)
    assert "serves simulated data, but data_origin is live" in str(result.error)
    assert result.records("bitcoin_blocks") == []
    httpserver.expect_request("/bitcoin/blocks/").respond_with_data("<html></html>")
    unmarked = host.config(data_origin="simulator", dumps_url=httpserver.url_for(""))
    assert "does not mark its data as simulated" in str(run(unmarked, select=ONLY_BLOCKS).error)


def test_an_uncle_may_lie_outside_its_file_s_day(run: Any, host: Any, gz: Any) -> None:
    """Whether files are cut by an uncle's day or its parent's is not documented; other tables stop there."""
    for table in ("uncles", "blocks"):
        row = row_of("ethereum", table, time="2023-12-31 23:59:58")
        host.put("ethereum", table, "20240101", gz("\t".join(header_of("ethereum", table)), row))
    config = {**host.config(), "chains": ["ethereum"]}

    taken = run(config, select=("ethereum_uncles",))
    assert taken.error is None
    assert [record["time"][:10] for record in taken.records("ethereum_uncles")] == ["2023-12-31"]
    part = taken.of("SCHEMA")[1]["schema"]["x-unit"]
    assert (part["column"], part["from"], part["to"]) == ("_dump_day", "2024-01-01", "2024-01-02")
    assert run(config, select=("ethereum_blocks",)).error is not None
