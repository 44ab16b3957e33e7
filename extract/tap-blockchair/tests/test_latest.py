"""Latest snapshots, and the tables that only some chains have."""

from __future__ import annotations

from typing import Any

import pytest

from tap_blockchair import schemas


def test_addresses_come_from_the_latest_snapshot_when_asked_for(run: Any, host: Any, asked: Any, gz: Any) -> None:
    host.put("bitcoin", "addresses", "latest", gz("address\tbalance", "1A\t3", "1B\t2"))
    config = host.config(chains=["bitcoin"], latest_addresses=True)
    first = run(config, select=("bitcoin_addresses",))
    assert first.error is None
    records = first.records("bitcoin_addresses")
    assert [(r["address"], r["balance"], r["rank"], r["observed_at"]) for r in records] == [
        ("1A", 3, None, "2024-01-06T01:20:00+00:00"),
        ("1B", 2, None, "2024-01-06T01:20:00+00:00"),
    ]
    (part,) = first.slices()
    assert (part["id"], part["column"], part["from"], part["to"]) == (
        "bitcoin/addresses/latest",
        "_dump_day",
        None,
        None,
    )
    asked.clear()
    second = run(config, state=first.state, select=("bitcoin_addresses",))
    assert (second.records("bitcoin_addresses"), asked.files) == ([], [])
    host.put("bitcoin", "addresses", "latest", gz("address\tbalance", "1A\t5"))
    third = run(config, state=second.state, select=("bitcoin_addresses",))
    assert [record["balance"] for record in third.records("bitcoin_addresses")] == [5]


def test_addresses_of_ethereum_may_have_more_columns(run: Any, host: Any, gz: Any) -> None:
    content = gz("address\tbalance\tnonce\tis_contract", "ab\t120000000000000000000000001\t3\t0")
    host.put("ethereum", "addresses", "latest", content)
    (record,) = run(host.config(chains=["ethereum"], latest_addresses=True), select=("ethereum_addresses",)).records(
        "ethereum_addresses",
    )
    assert (record["balance"], record["nonce"], record["is_contract"]) == (120000000000000000000000001, 3, False)


def test_tokens_replace_their_whole_table(run: Any, host: Any, gz: Any) -> None:
    content = gz("id\taddress\ttime\tname\tsymbol\tdecimals", "7\tab\t2016-01-01 00:00:00\tA\\N\t\t18")
    host.put("ethereum", "erc-20/tokens", "latest", content)
    result = run(host.config(chains=["ethereum"], dumps_url=host.folder.as_uri()), select=("ethereum_erc20_tokens",))
    (record,) = result.records("ethereum_erc20_tokens")
    assert (record["id"], record["symbol"], record["name"]) == (7, "", "A\\N")
    assert record["creating_block_id"] is None
    assert [(part["column"], part["from"], part["to"]) for part in result.slices()] == [("address", None, None)]


def test_token_transfers_repeat_to_the_letter(run: Any, host: Any, gz: Any) -> None:
    row = f'5\tab\t2024-01-01 00:00:00\tcd\tTom "&" Co\tT\t18\tef\t01\t{2**256 - 1}'
    header = "\t".join(column.name for column in schemas.chain_table("ethereum", "erc20_transactions").columns)
    host.put("ethereum", "erc-20/transactions", "20240101", gz(header, row, row))
    config = host.config(chains=["ethereum"], dumps_url=host.folder.as_uri())
    result = run(config, select=("ethereum_erc20_transactions",))
    assert result.error is None
    first, second = result.records("ethereum_erc20_transactions")
    assert (first["_line"], second["_line"]) == (2, 3)
    assert {name for name in first if first[name] != second[name]} == {"_line"}
    assert first["value"] == 2**256 - 1
    assert first["_unit"] == "ethereum/erc20_transactions/2024-01-01"
    assert result.of("SCHEMA")[0]["key_properties"] == ["_unit", "_line"]


@pytest.mark.parametrize("chain", ["litecoin", "bitcoin-sv", "dash", "zcash"])
def test_further_chains_work_by_naming_them(run: Any, host: Any, blocks: Any, chain: str) -> None:
    host.put(chain, "blocks", "20240101", blocks(3, chain=chain))
    stream = f"{chain.replace('-', '_')}_blocks"
    (record,) = run(host.config(chains=[chain]), select=(stream,)).records(stream)
    assert (record["id"], record["_unit"]) == (3, f"{chain}/blocks/2024-01-01")
    assert ("weight" in record) is (chain == "litecoin")
    assert ("cbtx" in record) is (chain == "dash")


def test_calls_of_the_simulator(run: Any, simulator: Any) -> None:
    config = {"chains": ["ethereum"], "channel": "dumps", "dumps_url": simulator.dumps}
    result = run(config, select=("ethereum_calls", "ethereum_uncles", "ethereum_erc20_transactions"))
    assert result.error is None
    for table in ("calls", "erc20_transactions"):
        records = result.records(f"ethereum_{table}")
        assert records
        assert len({(record["_unit"], record["_line"]) for record in records}) == len(records)
