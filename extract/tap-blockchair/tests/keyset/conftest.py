"""Tables below blocks as the API has them, in Blockchair's query grammar as far as the tap needs it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

TIP = 40


@dataclass
class Tables:
    """Blockchair's tables with its query grammar, as far as the tap needs it."""

    url: str
    envelope: Callable[..., dict[str, Any]]
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    whole_by: frozenset[str] = frozenset({"transaction_id", "spending_transaction_id", "parent_block_id"})
    twice: frozenset[int] = frozenset()
    empty: Any = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def serve(self, request: Request) -> Response:
        path = request.path.strip("/")
        q, s, limit = request.args.get("q", ""), request.args.get("s", ""), int(request.args.get("limit", 10))
        self.asked.append((path, q))
        rows, whole = [row for row in self.rows[path] for _ in range(1 + (row.get("id") in self.twice))], False
        for name, expression in re.findall(r"(\w+)\(([^)]*)\)", q):
            if name == "time":
                first, _, last = expression.partition("..")
                rows = [row for row in rows if first <= row["time"][:10] <= (last or "9")]
                continue
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
        answered = self.envelope(shown or self.empty, request_cost=1, **counts)
        return Response(json.dumps(answered, default=float), content_type="application/json")

    def config(self, chain: str = "bitcoin", **more: Any) -> dict[str, Any]:
        config = {"chains": [chain], "channel": "api", "api_url": self.url, "dumps_url": self.url}
        return {**config, "requests_per_minute": 10_000, "points_per_day": 10_000, "finality": {chain: 6}, **more}

    def truth(self, name: str) -> list[tuple[Any, ...]]:
        rows = self.rows[f"bitcoin/{'outputs' if name == 'inputs' else name}"]
        if name == "inputs":
            return sorted(self.keys([row for row in rows if row["spending_block_id"] is not None], name))
        return self.keys(rows, name)

    @staticmethod
    def keys(rows: list[dict[str, Any]], name: str) -> list[tuple[Any, ...]]:
        columns = {
            "blocks": ("id", "hash"),
            "transactions": ("block_id", "hash"),
            "outputs": ("block_id", "transaction_hash", "index"),
            "inputs": ("spending_block_id", "spending_transaction_hash", "spending_index"),
        }[name]
        return [tuple(row[column] for column in columns) for row in rows]

    def reorganise(self, depth: int, *, shorter: int = 0) -> None:
        fork = TIP - depth + 1
        for path, rows in self.rows.items():
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


@pytest.fixture
def tables(httpserver: HTTPServer, envelope: Any) -> Tables:
    served = Tables(httpserver.url_for(""), envelope)
    httpserver.expect_request(re.compile("/(bitcoin|ethereum)/")).respond_with_handler(served.serve)
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


@pytest.fixture
def dated(bitcoin: Tables) -> Tables:
    """The same with four blocks a day from 2024-01-01 on."""
    for path, rows in bitcoin.rows.items():
        for row in rows:
            height = row["id" if path.endswith("blocks") else "block_id"]
            row["time"] = f"2024-01-{height // 4 + 1:02} 10:00:00"
    return bitcoin


@pytest.fixture
def ethereum(tables: Tables, answer: Callable[[str], Any]) -> Tables:
    """The documented rows of Ethereum, around block 46147."""
    transactions = answer("31")["data"]
    numbers = {"blocks": "29", "calls": "32", "uncles": "30", "erc-20/transactions": "39", "erc-20/tokens": "37"}
    tables.rows = {f"ethereum/{name}": answer(number)["data"] for name, number in numbers.items()}
    tables.rows["ethereum/transactions"] = transactions
    return tables
