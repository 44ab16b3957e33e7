"""The tables of these tests answer what the simulator answers, as far as the tap asks."""

from __future__ import annotations

from typing import Any

import pytest
import requests

PATHS = ("bitcoin/blocks", "bitcoin/transactions", "bitcoin/outputs", "ethereum/uncles")


def rows_of(url: str, path: str) -> list[dict[str, Any]]:
    """All rows, page by page; the simulator gives some outputs twice, as the API does."""
    found: list[dict[str, Any]] = []
    offset, total = 0, 1
    while offset < total:
        answer = requests.get(f"{url}/{path}?limit=100&offset={offset}", timeout=60).json()
        found += answer["data"]
        offset, total = offset + 100, 2 * answer["context"]["total_rows"]
    return list({str(row): row for row in found}.values())


@pytest.fixture
def both(tables: Any, simulator: Any) -> tuple[str, str]:
    """Where the simulator's tables are, and where a copy of them."""
    tables.rows = {path: rows_of(simulator.url, path) for path in PATHS}
    return simulator.url, tables.url


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("bitcoin/blocks", "s=id(desc)&limit=1"),
        ("bitcoin/blocks", "s=id(asc)&limit=1"),
        ("bitcoin/blocks", "q=id(5)&limit=1"),
        ("bitcoin/blocks", "q=id(99)&limit=1"),
        ("bitcoin/blocks", "q=id(3..8)&s=id(asc)&limit=100"),
        ("bitcoin/blocks", "q=time(2025-01-02..)&s=id(asc)&limit=1"),
        ("bitcoin/blocks", "q=time(..2025-01-01)&s=id(desc)&limit=1"),
        ("bitcoin/blocks", "q=time(2025-01-09..)&s=id(asc)&limit=1"),
        ("bitcoin/transactions", "s=id(desc)&limit=1"),
        ("bitcoin/transactions", "q=block_id(2..9)&s=id(asc)&limit=7"),
        ("bitcoin/transactions", "q=id(9...),block_id(2..9)&s=id(asc)&limit=7"),
        ("bitcoin/outputs", "q=block_id(2..4)&s=transaction_id(asc),index(asc)&limit=100"),
        ("bitcoin/outputs", "q=transaction_id(9...),block_id(2..4)&s=transaction_id(asc),index(asc)&limit=100"),
        ("bitcoin/outputs", "q=transaction_id(9)&s=index(asc)&limit=1&offset=0"),
        ("bitcoin/outputs", "q=spending_block_id(0..)&s=spending_transaction_id(desc)&limit=1"),
        (
            "bitcoin/outputs",
            "q=spending_block_id(1..9)&s=spending_transaction_id(asc),spending_index(asc)&limit=100",
        ),
        ("ethereum/uncles", "s=parent_block_id(desc)&limit=1"),
        ("ethereum/uncles", "q=parent_block_id(0..)&s=parent_block_id(asc),index(asc)&limit=100"),
    ],
)
def test_the_tables_answer_as_the_simulator_does(both: tuple[str, str], path: str, query: str) -> None:
    known, copy = (requests.get(f"{url}/{path}?{query}", timeout=60).json() for url in both)
    if "desc" in query and path.endswith("outputs"):  # rows of one transaction have no order then
        column = "spending_transaction_id"
        assert [row[column] for row in copy["data"]] == [row[column] for row in known["data"]]
    else:
        assert copy["data"] == known["data"]
    assert copy["context"]["total_rows"] == known["context"]["total_rows"]
    if "(9)" in query:
        assert copy["context"]["limit"] == known["context"]["limit"] is None
        assert len(known["data"]) > 1, "all outputs of the transaction, past any limit"
