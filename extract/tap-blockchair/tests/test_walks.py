"""The API's tables below blocks: keyset, fence, whole transactions, duplicates, units, reorganisations."""

# ruff: noqa: ANN401 (the classes of fixtures live in conftest, which no module imports by name)

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug import Request, Response

TIP = 40


@dataclass
class Tables:
    """Blockchair's tables with its query grammar, as far as a walk needs it."""

    api: Any
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    whole_by: frozenset[str] = frozenset({"transaction_id", "spending_transaction_id", "parent_block_id"})
    twice: frozenset[int] = frozenset()
    empty: Any = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def serve(self, path: str, request: Request) -> Response:
        q, s, limit = request.args.get("q", ""), request.args.get("s", ""), int(request.args.get("limit", 10))
        self.asked.append((path, q))
        rows, whole = [row for row in self.rows[path] for _ in range(1 + (row.get("id") in self.twice))], False
        for name, expression in re.findall(r"(\w+)\(([^)]*)\)", q):
            low, dots, high = re.fullmatch(r"(\d*)(\.{0,3})(\d*)", expression).groups()  # type: ignore[union-attr]
            strict, values = dots == "...", [int(value) for value in (low, high) if value]
            if not dots:
                rows = [row for row in rows if row[name] == int(low)]
                whole = whole or name in self.whole_by
                continue
            assert values == sorted(values), "the server would swap these bounds without a word"
            rows = [row for row in rows if row[name] is not None]
            rows = [row for row in rows if not low or (row[name] > int(low) if strict else row[name] >= int(low))]
            rows = [row for row in rows if not high or (row[name] < int(high) if strict else row[name] <= int(high))]
        for name, direction in reversed(re.findall(r"(\w+)\((\w+)\)", s)):
            rows = sorted(rows, key=lambda row: (row[name] is None, row[name]), reverse=direction == "desc")
        offset = int(request.args.get("offset", 0))
        shown = rows if whole else rows[offset : offset + limit]
        counts = {"rows": len(shown), "total_rows": len(rows), "limit": None if whole else limit}
        if path.endswith("outputs"):
            counts["pre_rows"] = len(shown)
            distinct = {(row["transaction_id"], row["index"]): row for row in shown}
            if offset % 2 == 0:  # sometimes the server drops duplicates, sometimes it does not
                shown = list(distinct.values())
            counts["rows"] = len(shown)
        response: Response = self.api.respond(shown or self.empty, request_cost=1, **counts)
        return response


@pytest.fixture
def tables(api: Any) -> Tables:
    served = Tables(api)
    for path in ("bitcoin/blocks", "bitcoin/transactions", "bitcoin/outputs"):
        api.answers[path] = lambda request, path=path: served.serve(path, request)
    for name in ("blocks", "transactions", "calls", "uncles", "erc-20/transactions", "erc-20/tokens"):
        path = f"ethereum/{name}"
        api.answers[path] = lambda request, path=path: served.serve(path, request)
    return served


@pytest.fixture
def bitcoin(tables: Tables, answer: Callable[[str], Any]) -> Tables:
    """41 blocks: most with two transactions, one with 130, one transaction with 250 outputs, one empty of spending."""
    block, transaction, output = (answer(number)["data"][0] for number in ("22", "23", "24"))
    tables.rows = {"bitcoin/blocks": [], "bitcoin/transactions": [], "bitcoin/outputs": []}
    number = 0
    for height in range(TIP + 1):
        tables.rows["bitcoin/blocks"].append({**block, "id": height, "hash": f"{height:064x}"})
        for _ in range(130 if height == 7 else 2):
            name = {"block_id": height, "transaction_hash": f"{number:064x}"}
            tables.rows["bitcoin/transactions"].append(
                {**transaction, "block_id": height, "id": number, "hash": name["transaction_hash"]}
            )
            for index in range(250 if number == 30 else 1 + number % 3):
                spent = height + 5 if height + 5 <= TIP and height % 4 else None
                spending = {key: value if spent else None for key, value in output.items() if "spending" in key}
                if spent:
                    spender = 100_000 * spent + number
                    spending |= {"spending_block_id": spent, "spending_transaction_id": spender}
                    spending |= {"spending_transaction_hash": f"{spender:064x}", "spending_index": index}
                row = {**output, **name, "transaction_id": number, "index": index, **spending, "is_spent": bool(spent)}
                tables.rows["bitcoin/outputs"].append(row)
            number += 1
    return tables


def config_of(tables: Tables, chain: str = "bitcoin", **more: Any) -> dict[str, Any]:
    config = {"chains": [chain], "channel": "api", "api_url": tables.api.url, "dumps_url": tables.api.url}
    return {**config, "requests_per_minute": 10_000, "points_per_day": 10_000, "finality": {chain: 6}, **more}


def units_of(result: Any, stream: str) -> list[dict[str, Any]]:
    return [m["schema"]["x-unit"] for m in result.of("SCHEMA", stream) if "x-unit" in m["schema"]]


def applied(result: Any, stream: str, table: dict[int, Any] | None = None) -> list[dict[str, Any]]:
    """Play the messages as docs/units.md tells a loader to."""
    rows = list(table or [])
    for message in result.messages:
        if message.get("stream") != stream:
            continue
        if message["type"] == "SCHEMA" and (unit := message["schema"].get("x-unit")):
            low, high, column = unit["from"], unit["to"], unit["column"]
            rows = [row for row in rows if not (low <= row[column] and (high is None or row[column] < high))]
        elif message["type"] == "RECORD":
            rows.append(message["record"])
    return rows


def truth(tables: Tables, name: str) -> list[tuple[Any, ...]]:
    if name == "transactions":
        return [(row["block_id"], row["hash"]) for row in tables.rows["bitcoin/transactions"]]
    outputs = tables.rows["bitcoin/outputs"]
    if name == "outputs":
        return [(row["block_id"], row["transaction_hash"], row["index"]) for row in outputs]
    spent = (row for row in outputs if row["spending_block_id"] is not None)
    keys = ("spending_block_id", "spending_transaction_hash", "spending_index")
    return sorted(tuple(row[key] for key in keys) for row in spent)


def keys_of(rows: list[dict[str, Any]], name: str) -> list[tuple[Any, ...]]:
    columns = {
        "transactions": ("block_id", "hash"),
        "outputs": ("block_id", "transaction_hash", "index"),
        "inputs": ("spending_block_id", "spending_transaction_hash", "spending_index"),
    }[name]
    return [tuple(row[column] for column in columns) for row in rows]


@pytest.mark.parametrize("name", ["transactions", "outputs", "inputs"])
@pytest.mark.parametrize("quirk", ["none", "duplicates"])
def test_every_row_once_in_chain_order_and_whole_units(run: Any, bitcoin: Tables, name: str, quirk: str) -> None:
    expected = truth(bitcoin, name)
    if quirk == "duplicates":
        outputs = bitcoin.rows["bitcoin/outputs"]
        bitcoin.rows["bitcoin/outputs"] = [row for row in outputs for _ in range(1 + row["transaction_id"] % 2)]
    stream = f"bitcoin_{name}"
    result = run(config_of(bitcoin), select=(stream,))
    assert result.error is None
    assert keys_of(result.records(stream), name) == expected
    units = units_of(result, stream)
    # The units adjoin, and the last one has no upper end: the chain may have become shorter.
    assert [unit["from"] for unit in units[1:]] == [unit["to"] for unit in units[:-1]]
    assert units[-1]["to"] is None
    column = "spending_block_id" if name == "inputs" else "block_id"
    assert {unit["column"] for unit in units} == {column}
    for unit in units:
        rows = [row for row in result.records(stream) if row["_unit"] == unit["id"]]
        assert len(rows) == unit["rows"]
        assert [row["_line"] for row in rows] == list(range(1, len(rows) + 1))
        assert all(unit["from"] <= row[column] < (unit["to"] or TIP + 1) for row in rows)
    assert result.bookmark(stream) == TIP - 6
    again = run(config_of(bitcoin), state=result.state, select=(stream,))
    assert min(row[column] for row in again.records(stream)) == TIP - 5
    assert sorted(keys_of(applied(again, stream, result.records(stream)), name)) == sorted(expected)


def test_no_offset_is_used_to_page_and_big_transactions_come_by_equality(run: Any, bitcoin: Tables) -> None:
    run(config_of(bitcoin), select=("bitcoin_outputs",))
    assert ("bitcoin/outputs", "transaction_id(30)") in bitcoin.asked
    assert all("offset" not in query or "offset=0" in query for query in bitcoin.api.queries)


def test_equality_that_keeps_the_limit(run: Any, bitcoin: Tables) -> None:
    bitcoin.whole_by = frozenset()
    result = run(config_of(bitcoin), select=("bitcoin_outputs",))
    assert keys_of(result.records("bitcoin_outputs"), "outputs") == truth(bitcoin, "outputs")


@pytest.mark.parametrize("empty", [[], None])
def test_tables_without_rows(run: Any, bitcoin: Tables, empty: Any) -> None:
    bitcoin.empty = empty
    bitcoin.rows["bitcoin/transactions"] = bitcoin.rows["bitcoin/outputs"] = []
    names = ("bitcoin_transactions", "bitcoin_outputs", "bitcoin_inputs")
    result = run(config_of(bitcoin), select=names)
    assert result.error is None
    assert not result.of("RECORD")


def test_canonical_form(run: Any, bitcoin: Tables) -> None:
    result = run(config_of(bitcoin), select=("bitcoin_outputs", "bitcoin_inputs"))
    output = result.records("bitcoin_outputs")[0]
    assert set(output) == {
        *("block_id", "transaction_hash", "index", "time", "value", "value_usd", "recipient", "type", "script_hex"),
        *("is_from_coinbase", "is_spendable", "_channel", "_unit", "_line", "_dump_day"),
    }
    assert (output["is_spendable"], output["is_from_coinbase"]) == (-1, False)
    spending = result.records("bitcoin_inputs")[0]
    assert (spending["spending_sequence"], spending["lifespan"], spending["cdd"]) == (4294967294, 0, 0)
    assert "transaction_id" not in spending


def test_rows_out_of_order_stop_the_walk(run: Any, bitcoin: Tables) -> None:
    row = next(row for row in bitcoin.rows["bitcoin/transactions"] if row["block_id"] == 5)
    row["block_id"] = 30
    result = run(config_of(bitcoin), select=("bitcoin_transactions",))
    assert "out of order" in str(result.error)
    assert result.bookmark("bitcoin_transactions") is None


def test_a_walk_stopped_by_its_points_goes_on_at_a_whole_block(run: Any, bitcoin: Tables) -> None:
    state, table, runs = None, [], 0
    while runs == 0 or len(table) < len(truth(bitcoin, "transactions")):
        # An own day for each run: the state of the day before leaves its points.
        if state:
            state["api_quota"] = {}
        result = run(config_of(bitcoin, points_per_day=17), state=state, select=("bitcoin_transactions",))
        assert result.error is None
        table = applied(result, "bitcoin_transactions", table)
        state, runs = result.state, runs + 1
        assert runs < 10
    assert keys_of(table, "transactions") == truth(bitcoin, "transactions")
    assert runs > 1


def reorganise(tables: Tables, depth: int, *, shorter: int = 0) -> None:
    fork = TIP - depth + 1
    for path, rows in tables.rows.items():
        height = "id" if path.endswith("blocks") else "block_id"
        kept = [row for row in rows if row[height] <= TIP - shorter]
        for row in kept:
            if row[height] >= fork:
                name = "transaction_hash" if path.endswith("outputs") else "hash"
                row[name] = "ff" + row[name][2:]
            if row.get("spending_block_id") and row["spending_block_id"] >= fork:
                row["spending_transaction_hash"] = "ff" + row["spending_transaction_hash"][2:]
            if row.get("spending_block_id") and row["spending_block_id"] > TIP - shorter:
                row["spending_block_id"] = None
        rows[:] = kept


@pytest.mark.parametrize("name", ["blocks", "transactions", "outputs", "inputs"])
@pytest.mark.parametrize(("depth", "shorter"), [(3, 0), (7, 0), (3, 2), (7, 1)])
def test_reorganisations_replace_what_they_removed(
    run: Any, bitcoin: Tables, name: str, depth: int, shorter: int
) -> None:
    stream = f"bitcoin_{name}"
    before = run(config_of(bitcoin), select=(stream,))
    reorganise(bitcoin, depth, shorter=shorter)
    if shorter == depth:
        return
    after = run(config_of(bitcoin), state=before.state, select=(stream,))
    assert after.error is None
    table = applied(after, stream, before.records(stream))
    if name == "blocks":
        expected = [(row["id"], row["hash"]) for row in bitcoin.rows["bitcoin/blocks"]]
        assert sorted((row["id"], row["hash"]) for row in table) == expected
    else:
        assert sorted(keys_of(table, name)) == sorted(truth(bitcoin, name))
    if depth == 3:
        assert units_of(after, stream)[0]["from"] > TIP - 7


def test_a_range_that_became_empty_is_announced_too(run: Any, bitcoin: Tables) -> None:
    stream = "bitcoin_inputs"
    first = run(config_of(bitcoin), select=(stream,))
    for row in bitcoin.rows["bitcoin/outputs"]:
        if row["spending_block_id"] and TIP - 5 <= row["spending_block_id"] < TIP:
            row["spending_block_id"] = None
    again = run(config_of(bitcoin), state=first.state, select=(stream,))
    assert sum(unit["rows"] for unit in units_of(again, stream)) == len(again.records(stream))
    assert sorted(keys_of(applied(again, stream, first.records(stream)), "inputs")) == truth(bitcoin, "inputs")


def test_a_lagging_source_waits(run: Any, bitcoin: Tables, caplog: pytest.LogCaptureFixture) -> None:
    stream = "bitcoin_transactions"
    first = run(config_of(bitcoin), select=(stream,))
    bitcoin.rows["bitcoin/transactions"] = [r for r in bitcoin.rows["bitcoin/transactions"] if r["block_id"] < 20]
    again = run(config_of(bitcoin), state=first.state, select=(stream,))
    assert (again.error, again.records(stream), again.bookmark(stream)) == (None, [], TIP - 6)
    assert "behind the bookmark" in caplog.text


@pytest.fixture
def ethereum(tables: Tables, answer: Callable[[str], Any]) -> Tables:
    """The documented rows of Ethereum, around block 46147."""
    transactions = answer("31")["data"]
    numbers = {"blocks": "29", "calls": "32", "uncles": "30", "erc-20/transactions": "39", "erc-20/tokens": "37"}
    tables.rows = {f"ethereum/{name}": answer(number)["data"] for name, number in numbers.items()}
    tables.rows["ethereum/transactions"] = transactions
    return tables


def test_the_two_transactions_of_block_46147(run: Any, ethereum: Tables) -> None:
    result = run(config_of(ethereum, "ethereum"), select=("ethereum_transactions",))
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
def test_documented_rows_of_ethereum(run: Any, ethereum: Tables, stream: str, path: str) -> None:
    result = run(config_of(ethereum, "ethereum"), select=(stream,))
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
    assert len([m for m in result.of("SCHEMA", stream) if "x-unit" not in m["schema"]]) == 1, (
        "a column was taken for new"
    )


@pytest.mark.parametrize(("name", "number"), [("transactions", "23"), ("outputs", "24"), ("inputs", "24")])
def test_documented_rows_of_bitcoin(run: Any, tables: Tables, answer: Any, name: str, number: str) -> None:
    (row,) = answer(number)["data"]
    block = answer("22")["data"][0]
    tables.rows = {f"bitcoin/{table}": [row] for table in ("transactions", "outputs")}
    tables.rows["bitcoin/blocks"] = [{**block, "id": row["block_id"] - 6}]
    result = run(config_of(tables), select=(f"bitcoin_{name}",))
    assert result.error is None
    (record,) = result.records(f"bitcoin_{name}")
    internal = {"id", "date", "spending_date", "transaction_id", "spending_transaction_id", "is_spent"}
    shared = set(row) & set(record)
    if name != "outputs":
        assert set(row) - shared == set(row) & internal
    for column in shared - {"time", "spending_time", "is_spendable"}:
        assert str(record[column]) == str(row[column])


def test_uncles_of_a_block_stay_together(run: Any, tables: Tables, answer: Any) -> None:
    (uncle,) = answer("30")["data"]
    tables.rows["ethereum/uncles"] = [
        {**uncle, "parent_block_id": height, "index": index, "hash": f"0x{height:062x}{index:02x}"}
        for height in range(1, 400, 3)
        for index in range(2)
    ]
    tables.rows["ethereum/blocks"] = [{**answer("29")["data"][0], "id": height} for height in range(400)]
    tables.whole_by = frozenset()
    result = run(config_of(tables, "ethereum"), select=("ethereum_uncles",))
    assert result.error is None
    assert [(r["parent_block_id"], r["index"]) for r in result.records("ethereum_uncles")] == [
        (row["parent_block_id"], row["index"]) for row in tables.rows["ethereum/uncles"]
    ]
