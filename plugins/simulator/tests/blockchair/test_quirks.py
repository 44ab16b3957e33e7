"""Quirks that are switched on, one at a time."""

import gzip
from datetime import date
from typing import Any

import pytest

FIRST = date(2025, 1, 1)


@pytest.fixture
def odd(serve: Any) -> Any:
    def make(*quirks: str, **more: Any) -> Any:
        return serve(days=2, blocks_per_day=6, quirks=quirks, **more)

    return make


def test_context(odd: Any) -> None:
    context = odd().api("bitcoin/blocks")["context"]
    assert (context["cache"]["duration"], context["api"]["next_major_update"]) == (60, None)
    context = odd("cache-ignore", "past-update").api("bitcoin/blocks")["context"]
    assert context["cache"]["duration"] == "Ignore"
    assert context["api"]["next_major_update"] < context["cache"]["since"]


def test_nonces(odd: Any) -> None:
    query = "ethereum/transactions?q=type(call)"
    assert {type(row["nonce"]) for row in odd().api(query)["data"]} == {int}
    assert {type(row["nonce"]) for row in odd("nonce-strings").api(query)["data"]} == {str}


def test_extra_columns(odd: Any) -> None:
    plain, world = odd(), odd("extra-columns")
    extra = {"simulated_note", "simulated_count"}
    for table in ("blocks", "transactions"):
        usual, rows = plain.day("bitcoin", table, 0), world.day("bitcoin", table, 0)
        assert list(rows[0])[1] == "simulated_note"
        assert [{name: row[name] for name in row if name not in extra} for row in rows] == usual
        row = world.api(f"bitcoin/{table}?limit=1")["data"][0]
        assert extra < set(row)


def test_missing_columns(odd: Any) -> None:
    usual, rows = odd().day("ethereum", "blocks", 0), odd("missing-columns").day("ethereum", "blocks", 0)
    assert set(usual[0]) - set(rows[0]) == {"time"}
    assert [{name: row[name] for name in row if name != "time"} for row in usual] == rows


def test_nulls_and_line_ends(odd: Any) -> None:
    path = odd().path("ethereum", "transactions", FIRST)
    usual = gzip.decompress(odd().get(path).content)
    assert rb"\N" in usual
    assert gzip.decompress(odd("empty-nulls").get(path).content) == usual.replace(rb"\N", b"")
    assert gzip.decompress(odd("final-newline").get(path).content) == usual + b"\n"


def test_control_characters(odd: Any) -> None:
    def names(world: Any) -> list[str]:
        return [row["name"] for row in world.api("ethereum/erc-20/tokens?limit=100")["data"]]

    assert any("\x00" in name for name in names(odd("control-characters")))
    assert not any("\x00" in name for name in names(odd()))


def test_lagging_tables(odd: Any) -> None:
    for chain, lag in (("ethereum", 6), ("bitcoin", 0)):
        answer = odd("lagging-tables").api(f"{chain}/blocks?limit=1")
        assert answer["context"]["state"] - answer["data"][0]["id"] == lag


def test_dogecoins_supply_lies_beyond_64_bits(odd: Any) -> None:
    assert odd().api("dogecoin/stats")["data"]["circulation"] > 2**63
