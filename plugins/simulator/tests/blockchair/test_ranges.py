"""Ranges: where each chain begins."""

# ruff: noqa: ANN401 - answers are JSON, and fixtures have types of conftest, which no test imports

from __future__ import annotations

from typing import Any


def test_ranges_begin_where_the_tables_do(served: Any) -> None:
    answer = served.api("range")
    assert answer["context"]["request_cost"] == 1
    assert list(answer["data"]) == ["bitcoin", "ethereum", "dogecoin"]
    for chain, shown in answer["data"].items():
        first = served.api(f"{chain}/blocks?s=id(asc)&limit=1")["data"][0]
        assert list(shown) == [
            "blockchain_first_entry", "blockchain_first_entry_date", "blockchair_first_entry",
            "blockchair_first_entry_date", "is_full",
        ]  # fmt: skip
        assert (shown["blockchair_first_entry"], shown["blockchair_first_entry_date"]) == (first["id"], first["date"])
        assert shown["is_full"] is (shown["blockchair_first_entry"] == shown["blockchain_first_entry"])
    assert answer["data"]["dogecoin"]["blockchain_first_entry_date"] == "2013-12-06"
