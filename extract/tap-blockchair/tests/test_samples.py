"""The published dump days: every column of every row, through a folder and through HTTP."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

DAYS = {"blocks": "20090109", "transactions": "20090109", "outputs": "20090109", "inputs": "20090112"}
ROWS = {"blocks": 14, "transactions": 14, "outputs": 14, "inputs": 7}
BOOLEANS = {"is_coinbase", "has_witness", "is_from_coinbase"}
TIMES = {"time", "median_time", "spending_time"}
TEXTS = {
    *("hash", "version_hex", "version_bits", "merkle_root", "chainwork", "coinbase_data_hex", "guessed_miner"),
    *("transaction_hash", "recipient", "type", "script_hex"),
    *("spending_transaction_hash", "spending_signature_hex", "spending_witness"),
}


def as_file_text(name: str, value: Any) -> str:
    """Write a record's value as the dump does, without the tap's help."""
    if name in BOOLEANS:
        assert isinstance(value, bool)
        return "1" if value else "0"
    if name in TIMES:
        assert value.endswith("+00:00")
        return str(value[:19]).replace("T", " ")
    if name in TEXTS:
        assert isinstance(value, str)
        return value
    assert isinstance(value, int | Decimal)
    assert not isinstance(value, bool)
    return str(value)


@pytest.mark.parametrize("way", ["folder", "http"])
def test_every_value_of_the_samples_arrives(run: Any, samples: Path, host: Any, way: str) -> None:
    dumps = samples / "dumps"
    config = {"chains": ["bitcoin"], "channel": "dumps", "dumps_url": dumps.as_uri()}
    if way == "http":
        config["dumps_url"] = host.url
        for table, day in DAYS.items():
            host.put("bitcoin", table, day, (dumps / f"blockchair_bitcoin_{table}_{day}.tsv.gz").read_bytes())
    result = run(config)
    assert result.error is None
    for table, day in DAYS.items():
        lines = gzip.decompress((dumps / f"blockchair_bitcoin_{table}_{day}.tsv.gz").read_bytes()).decode().split("\n")
        header = lines[0].split("\t")
        records = result.records(f"bitcoin_{table}")
        assert len(records) == ROWS[table] == len(lines) - 1
        for number, (line, record) in enumerate(zip(lines[1:], records, strict=True), 2):
            assert [as_file_text(name, record[name]) for name in header] == line.split("\t")
            iso = f"{day[:4]}-{day[4:6]}-{day[6:]}"
            added = {"_channel": "dumps", "_unit": f"bitcoin/{table}/{iso}", "_line": number, "_dump_day": iso}
            if table == "blocks":
                added["is_settled"] = True
            assert {name: value for name, value in record.items() if name not in header} == added
        assert result.bookmark(f"bitcoin_{table}") == iso


def test_folder_laid_out_like_the_host(run: Any, samples: Path, tmp_path: Path) -> None:
    name = "blockchair_bitcoin_blocks_20090109.tsv.gz"
    (tmp_path / "bitcoin" / "blocks").mkdir(parents=True)
    (tmp_path / "bitcoin" / "blocks" / name).write_bytes((samples / "dumps" / name).read_bytes())
    result = run({"chains": ["bitcoin"], "channel": "dumps", "dumps_url": tmp_path.as_uri()})
    assert len(result.records("bitcoin_blocks")) == 14


@pytest.mark.parametrize(
    ("number", "chain", "checks"),
    [
        (
            "22",
            "bitcoin",
            {
                "hash": "0000000000000000000a405e0eb599136580eed78682bfe6648c5f7b6f81a9cb",
                "time": "2019-10-18T17:16:18+00:00",
                "fee_per_kwu": Decimal("3744.56"),
            },
        ),
        (
            "29",
            "ethereum",
            {
                "hash": "f36522b1f6ee2350c322a309ebdffe9afadc7d68713ad5b3a064657c81607ab7",
                "miner": "52bc44d5378309ee2abf1539bf71de1b7d7be3b5",
                "total_difficulty": 12439420564755992111056,
                "base_fee_per_gas": None,
                "burned_total": None,
            },
        ),
    ],
)
def test_documented_blocks_take_the_dump_form(
    run: Any,
    httpserver: HTTPServer,
    envelope: Any,
    answer: Callable[[str], Any],
    number: str,
    chain: str,
    checks: dict[str, Any],
) -> None:
    row = answer(number)["data"][0]
    # The tip, the block in question and the page: each time this one row.
    text = json.dumps(envelope([row]), default=float)
    httpserver.expect_request(f"/{chain}/blocks").respond_with_data(text)
    state = {"bookmarks": {f"{chain}_blocks": {"replication_key": "id", "replication_key_value": row["id"] - 1}}}
    config = {"chains": [chain], "channel": "api", "api_url": httpserver.url_for("")}
    result = run(config, state=state, select=(f"{chain}_blocks",))
    assert result.error is None
    (record,) = result.records(f"{chain}_blocks")
    assert {name: record[name] for name in checks} == checks
    added = {"_channel", "_unit", "_line", "_dump_day", "is_settled", "base_fee_per_gas", "burned_total"}
    assert set(record) - added == set(row) - {"date"}
    for name, value in row.items():
        if name not in {"date", "time", "median_time", "hash", "miner"}:
            assert str(record[name]) == str(value)
    assert record["time"] == row["time"].replace(" ", "T") + "+00:00"
    assert record["_unit"] == f"{chain}/blocks/heights/{row['id']}-{row['id']}"
    assert (record["_channel"], record["_line"], record["_dump_day"]) == ("api", None, None)


@pytest.mark.parametrize(("number", "chain"), [("02", "bitcoin"), ("03", "ethereum")])
def test_documented_statistics(
    run: Any, httpserver: HTTPServer, envelope: Any, answer: Any, number: str, chain: str
) -> None:
    data = answer(number)["data"]
    httpserver.expect_request(f"/{chain}/stats").respond_with_data(json.dumps(envelope(data), default=float))
    config = {"chains": [chain], "channel": "api", "api_url": httpserver.url_for("")}
    result = run(config, select=(f"{chain}_stats",))
    assert result.error is None
    (record,) = result.records(f"{chain}_stats")
    assert record["observed_at"] == "2024-05-06T07:08:09+00:00"
    assert record["_unit"] == f"{chain}/stats/2024-05-06T07:08:09+00:00"
    for name, value in data.items():
        if name.endswith(("_time", "_time_estimate")):
            assert record[name] == value.replace(" ", "T") + "+00:00"
        elif isinstance(value, dict | list):
            assert record[name] == value
        else:
            assert str(record[name]) == str(value)
    types = result.of("SCHEMA", f"{chain}_stats")[0]["schema"]["properties"]
    for name in set(data) & {"circulation", "circulation_approximate", "hashrate_24h", "volume_24h", "difficulty"}:
        assert types[name]["type"][0] == "number"
    assert len(result.of("SCHEMA", f"{chain}_stats")) == 1, "a documented column was taken for a new one"


@pytest.mark.parametrize(("number", "chain"), [("26", "bitcoin"), ("33", "ethereum")])
def test_documented_addresses(
    run: Any, httpserver: HTTPServer, envelope: Any, answer: Any, number: str, chain: str
) -> None:
    rows = answer(number)["data"]
    httpserver.expect_request(f"/{chain}/addresses").respond_with_json(envelope(rows))
    config = {"chains": [chain], "channel": "api", "api_url": httpserver.url_for(""), "top_addresses": 10}
    records = run(config, select=(f"{chain}_addresses",)).records(f"{chain}_addresses")
    assert [record["rank"] for record in records] == list(range(1, 11))
    for record, row in zip(records, rows, strict=True):
        assert record["address"] == row["address"].removeprefix("0x")
        assert str(record["balance"]) == str(row["balance"])
        assert record.get("nonce") == row.get("nonce")
        assert record.get("is_contract") == row.get("is_contract")
