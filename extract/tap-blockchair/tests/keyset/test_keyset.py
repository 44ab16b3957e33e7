"""The API's tables below blocks: keyset, bounds, whole transactions, duplicates, slices."""

from __future__ import annotations

from typing import Any

import pytest

TIP = 40


@pytest.mark.parametrize("name", ["transactions", "outputs", "inputs"])
@pytest.mark.parametrize("quirk", ["none", "duplicates"])
def test_every_row_once_in_chain_order_and_whole_slices(run: Any, bitcoin: Any, name: str, quirk: str) -> None:
    expected = bitcoin.truth(name)
    if quirk == "duplicates":
        outputs = bitcoin.rows["bitcoin/outputs"]
        bitcoin.rows["bitcoin/outputs"] = [row for row in outputs for _ in range(1 + row["transaction_id"] % 2)]
    stream = f"bitcoin_{name}"
    result = run(bitcoin.config(), select=(stream,))
    assert result.error is None
    assert bitcoin.keys(result.records(stream), name) == expected
    slices = result.slices(stream)
    # The slices adjoin, and the last one has no upper end: the chain may have become shorter.
    assert [part["from"] for part in slices[1:]] == [part["to"] for part in slices[:-1]]
    assert slices[-1]["to"] is None
    column = "spending_block_id" if name == "inputs" else "block_id"
    assert {part["column"] for part in slices} == {column}
    for part in slices:
        rows = [row for row in result.records(stream) if row["_unit"] == part["id"]]
        assert len(rows) == part["rows"]
        assert [row["_line"] for row in rows] == list(range(1, len(rows) + 1))
        assert all(part["from"] <= row[column] < (part["to"] or TIP + 1) for row in rows)
    assert result.bookmark(stream) == TIP - 6
    again = run(bitcoin.config(), state=result.state, select=(stream,))
    assert min(row[column] for row in again.records(stream)) == TIP - 5
    assert sorted(bitcoin.keys(again.applied(stream, result.records(stream)), name)) == sorted(expected)


def test_no_offset_is_used_to_page_and_big_transactions_come_by_equality(run: Any, bitcoin: Any, asked: Any) -> None:
    run(bitcoin.config(), select=("bitcoin_outputs",))
    assert ("bitcoin/outputs", "transaction_id(30)") in bitcoin.asked
    assert all("offset" not in query or "offset=0" in query for _, _, query, _ in asked)


def test_equality_that_keeps_the_limit(run: Any, bitcoin: Any) -> None:
    bitcoin.whole_by = frozenset()
    result = run(bitcoin.config(), select=("bitcoin_outputs",))
    assert bitcoin.keys(result.records("bitcoin_outputs"), "outputs") == bitcoin.truth("outputs")


@pytest.mark.parametrize("empty", [[], None])
def test_tables_without_rows(run: Any, bitcoin: Any, empty: Any) -> None:
    bitcoin.empty = empty
    bitcoin.rows["bitcoin/transactions"] = bitcoin.rows["bitcoin/outputs"] = []
    names = ("bitcoin_transactions", "bitcoin_outputs", "bitcoin_inputs")
    result = run(bitcoin.config(), select=names)
    assert result.error is None
    assert not result.of("RECORD")


def test_canonical_form(run: Any, bitcoin: Any) -> None:
    result = run(bitcoin.config(), select=("bitcoin_outputs", "bitcoin_inputs"))
    output = result.records("bitcoin_outputs")[0]
    assert set(output) == {
        *("block_id", "transaction_hash", "index", "time", "value", "value_usd", "recipient", "type", "script_hex"),
        *("is_from_coinbase", "is_spendable", "_channel", "_unit", "_line", "_dump_day"),
    }
    assert (output["is_spendable"], output["is_from_coinbase"]) == (-1, False)
    spending = result.records("bitcoin_inputs")[0]
    assert (spending["spending_sequence"], spending["lifespan"], spending["cdd"]) == (4294967294, 0, 0)
    assert "transaction_id" not in spending


def test_rows_out_of_order_stop_the_stream(run: Any, bitcoin: Any) -> None:
    row = next(row for row in bitcoin.rows["bitcoin/transactions"] if row["block_id"] == 5)
    row["block_id"] = 30
    result = run(bitcoin.config(), select=("bitcoin_transactions",))
    assert "out of order" in str(result.error)
    assert result.bookmark("bitcoin_transactions") is None


def test_reading_stopped_by_its_points_goes_on_at_a_whole_block(run: Any, bitcoin: Any) -> None:
    state, table, runs = None, [], 0
    while runs == 0 or len(table) < len(bitcoin.truth("transactions")):
        # An own day for each run: the state of the day before leaves its points.
        if state:
            state["api_quota"] = {}
        result = run(bitcoin.config(points_per_day=17), state=state, select=("bitcoin_transactions",))
        assert result.error is None
        table = result.applied("bitcoin_transactions", table)
        state, runs = result.state, runs + 1
        assert runs < 10
    assert bitcoin.keys(table, "transactions") == bitcoin.truth("transactions")
    assert runs > 1


def test_the_two_transactions_of_block_46147(run: Any, ethereum: Any) -> None:
    result = run(ethereum.config("ethereum"), select=("ethereum_transactions",))
    assert result.error is None
    real, synthetic = result.records("ethereum_transactions")
    common = {"block_id": 46147, "time": "2015-08-07T03:30:33+00:00", "failed": False}
    assert {name: real[name] for name in common} == {name: synthetic[name] for name in common} == common
    expected = {
        "index": 0,
        "hash": "5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060",
        "sender": "a1e4380a3b1f749673e270229993ee55f35663b4",
        "recipient": "5df9b87991262f6ba471f09758cde1c0fc1de734",
        "value": 31337,
        "gas_used": 21000,
        "gas_price": 50000000000000,
        "fee": 1050000000000000000,
        "input_hex": "",
        "nonce": 0,
        "v": "1c",
    }
    assert {name: real[name] for name in expected} == expected
    assert synthetic["type"] == "synthetic_coinbase"
    assert synthetic["recipient"] == "e6a7a1d47ff21b6321162aea7c6cb457d5476bca"
    assert synthetic["value"] == 6050000000000000000
    nothing = ("index", "hash", "sender", "fee", "gas_used", "gas_limit", "gas_price", "input_hex", "nonce")
    assert [synthetic[name] for name in (*nothing, "v", "r", "s")] == [None] * 12
    assert [real["_line"], synthetic["_line"]] == [1, 2]


@pytest.mark.parametrize(
    ("stream", "path"),
    [
        ("ethereum_calls", "calls"),
        ("ethereum_uncles", "uncles"),
        ("ethereum_erc20_transactions", "erc-20/transactions"),
        ("ethereum_erc20_tokens", "erc-20/tokens"),
    ],
)
def test_documented_rows_of_ethereum(run: Any, ethereum: Any, stream: str, path: str) -> None:
    result = run(ethereum.config("ethereum"), select=(stream,))
    assert result.error is None
    (record,) = result.records(stream)
    (row,) = ethereum.rows[f"ethereum/{path}"]
    for name, value in row.items():
        if name in {"date", "transaction_id"} or (name == "id" and path == "erc-20/transactions"):
            assert name not in record
        elif name == "time":
            assert record[name] == value.replace(" ", "T") + "+00:00"
        elif isinstance(value, str) and value.startswith("0x"):
            assert record[name] == value[2:]
        elif isinstance(value, bool) or value is None:
            assert record[name] is value
        else:
            assert str(record[name]) == str(value)
    first, last = [m for m in result.of("SCHEMA", stream) if "x-unit" not in m["schema"]]
    assert first == last, "a column was taken for new"


@pytest.mark.parametrize(("name", "number"), [("transactions", "23"), ("outputs", "24"), ("inputs", "24")])
def test_documented_rows_of_bitcoin(run: Any, tables: Any, answer: Any, name: str, number: str) -> None:
    (row,) = answer(number)["data"]
    block = answer("22")["data"][0]
    tables.rows = {f"bitcoin/{table}": [row] for table in ("transactions", "outputs")}
    tables.rows["bitcoin/blocks"] = [{**block, "id": row["block_id"] - 6}]
    result = run(tables.config(), select=(f"bitcoin_{name}",))
    assert result.error is None
    (record,) = result.records(f"bitcoin_{name}")
    internal = {"id", "date", "spending_date", "transaction_id", "spending_transaction_id", "is_spent"}
    shared = set(row) & set(record)
    if name != "outputs":
        assert set(row) - shared == set(row) & internal
    for column in shared - {"time", "spending_time", "is_spendable"}:
        assert str(record[column]) == str(row[column])


def test_uncles_of_a_block_stay_together(run: Any, tables: Any, answer: Any) -> None:
    (uncle,) = answer("30")["data"]
    tables.rows["ethereum/uncles"] = [
        {**uncle, "parent_block_id": height, "index": index, "hash": f"0x{height:062x}{index:02x}"}
        for height in range(1, 400, 3)
        for index in range(2)
    ]
    tables.rows["ethereum/blocks"] = [{**answer("29")["data"][0], "id": height} for height in range(400)]
    tables.whole_by = frozenset()
    result = run(tables.config("ethereum"), select=("ethereum_uncles",))
    assert result.error is None
    assert [(r["parent_block_id"], r["index"]) for r in result.records("ethereum_uncles")] == [
        (row["parent_block_id"], row["index"]) for row in tables.rows["ethereum/uncles"]
    ]
