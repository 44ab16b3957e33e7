"""A server's clock that jumps: loads are distinguished by their numbers, never by when they were."""

# ruff: noqa: ANN401, S608 - SQL of the test's own; fixtures, whose classes live in conftest, which tests do not import

from __future__ import annotations

import json
from typing import Any

import pytest

DAY = "2024-01-09"


def messages(trades: Any, amount: str, digest: str) -> list[dict[str, Any]]:
    row = [["1", "n", f"{DAY} 12:00:00", amount, "1", "0"]]
    state = {"type": "STATE", "value": {"bookmarks": {"trades": {"replication_key_value": DAY}}}}
    return [*trades.loaded(DAY, row, sha256=digest), trades.schema(), state]


@pytest.mark.parametrize("jump", ["- interval '1 year'", "- interval '1 hour'", "+ interval '1 year'"])
def test_the_last_load_is_the_one_with_the_greatest_number(feed: Any, database: Any, trades: Any, jump: str) -> None:
    """The first load was made while the clock was off by so much."""
    ledger = "select sha256 from raw_data.load_ledger order by load_id"
    feed(messages(trades, "1", "a"))
    database.query(f"update raw_data.load_ledger set loaded_at = loaded_at {jump}")

    (state,) = feed(messages(trades, "2", "b"), check_state=True).splitlines()
    assert database.query("select amount from raw_data.trades") == [(2,)]
    feed(messages(trades, "2", "b"), check_state=True)
    assert database.query(ledger) == [("a",), ("b",)], "the same file is known as the last one"

    ((load_id, loaded_at),) = database.query(
        "select load_id, (loaded_at at time zone 'UTC')::text from raw_data.load_ledger where sha256 = 'b'"
    )
    assert json.loads(state)["bookmarks"]["_last_loads"] == {"raw_data": [load_id, loaded_at]}
    feed([trades.schema(), {"type": "STATE", "value": json.loads(state)}], check_state=True)  # taken as it is
    feed(messages(trades, "1", "a"), check_state=True)
    assert database.query("select amount from raw_data.trades") == [(1,)]
    assert database.query(ledger) == [("a",), ("b",), ("a",)]
