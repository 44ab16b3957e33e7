"""The API: envelope, query language, stats, ranges, addresses, and blocks equal to the dumps'."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

COMMON = ["market_price_usd", "cache", "api", "servers", "time", "render_time", "full_time", "request_cost"]
CONTEXT = ["code", "source", "limit", "offset", "rows", "total_rows", "state", *COMMON]
ERROR = ["code", "error", *COMMON]


def heights(served: Any, query: str) -> list[int]:
    return [row["id"] for row in served.api(f"bitcoin/blocks?{query}")["data"]]


def test_envelope_of_a_table(served: Any) -> None:
    answer = served.api("bitcoin/blocks")
    context = answer["context"]
    assert list(answer) == ["data", "context"]
    assert list(context) == CONTEXT
    assert (context["code"], context["limit"], context["offset"], context["rows"]) == (200, 10, 0, 10)
    assert context["cache"]["since"] == "2025-01-07 06:00:00"
    assert context["state"] == answer["data"][0]["id"] == context["total_rows"] - 1
    assert context["market_price_usd"] == Decimal("97123.4506")
    assert r"https:\/\/blockchair.com" in served.get("/blockchair/bitcoin/blocks").text
    assert list(served.api("ethereum/blocks")["context"])[6:8] == ["state", "state_layer_2"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("bitcoin/nothing", 404),
        ("litecoin/blocks", 404),
        ("", 404),
        ("bitcoin/inputs", 404),
        ("bitcoin/blocks?limit=101", 400),
        ("bitcoin/blocks?limit=0", 400),
        ("bitcoin/blocks?limit=x", 400),
        ("bitcoin/blocks?offset=10001", 400),
        ("bitcoin/blocks?offset=-1", 400),
        ("bitcoin/blocks?q=nothing(1)", 400),
        ("bitcoin/blocks?q=id(x)", 400),
        ("bitcoin/blocks?q=id(..)", 400),
        ("bitcoin/blocks?q=id()", 400),
        ("bitcoin/blocks?q=id", 400),
        ("bitcoin/blocks?q=id(NaN)", 400),
        ("bitcoin/blocks?q=date(2025-01-01)", 400),
        ("bitcoin/blocks?q=chainwork(00)", 400),
        ("bitcoin/blocks?q=time(2025-01-01..2025-02)", 400),
        ("bitcoin/blocks?q=time(2025-02-30)", 400),
        ("bitcoin/blocks?q=time(1735689600)", 400),
        ("bitcoin/blocks?q=time(~P)", 400),
        ("bitcoin/blocks?q=not", 400),
        ("bitcoin/blocks?q=or,id(1)", 400),
        ("bitcoin/blocks?q=id(1),id(1),id(1),id(1),id(1),id(1)", 400),
        ("bitcoin/blocks?s=id", 400),
        ("bitcoin/blocks?s=id(up)", 400),
        ("bitcoin/blocks?s=date(asc)", 400),
        ("dogecoin/blocks?q=is_aux(1)", 400),
        ("dogecoin/blocks?q=weight(1..)", 400),
    ],
)
def test_errors_have_no_data_state_or_source(served: Any, path: str, code: int) -> None:
    answer = served.api(path, code)
    assert answer["data"] is None
    assert list(answer["context"]) == ERROR
    assert answer["context"]["code"] == code


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("id(5)", [5]),
        ("id(3..6)", [3, 4, 5, 6]),
        ("id(6..3)", [3, 4, 5, 6]),
        ("id(3...6)", [4, 5]),
        ("id(..2)", [0, 1, 2]),
        ("id(...2)", [0, 1]),
        ("id(3..),id(..4)", [3, 4]),
        ("id(1),or,id(4)", [1, 4]),
        ("id(1),or,id(4),id(2..)", [4]),
        ("not,id(3..)", [0, 1, 2]),
        ("id(1000000..)", []),
        ("time(2025-01-02..2025-01-03),id(..26)", [24, 25, 26]),
        ("time(2025-01-01...2025-01-03),id(..25)", [24, 25]),
        ("time(2025-01),id(..1)", [0, 1]),
        ("time(2025-02)", []),
        ("guessed_miner(Nobody)", []),
    ],
)
def test_filters(served: Any, expression: str, expected: list[int]) -> None:
    assert heights(served, f"q={expression}&s=id(asc)&limit=100") == expected


def test_time_filters_hold_whole_days_and_exact_seconds(served: Any) -> None:
    day = served.day("bitcoin", "blocks", 2)
    assert heights(served, "q=time(2025-01-03)&s=id(asc)&limit=100") == [int(row["id"]) for row in day]
    times = sorted(row["time"] for row in day)
    closed = heights(served, f"q=time({times[3]}..{times[9]})&limit=100")
    strict = heights(served, f"q=time({times[3]}...{times[9]})&limit=100")
    assert (len(closed), len(strict)) == (7, 5)
    recent = served.api("bitcoin/blocks?q=time(~PT6H)&limit=100")["data"]
    everything = served.api("bitcoin/blocks?limit=100")["data"]
    assert recent == [row for row in everything if row["time"] >= "2025-01-07 00:00:00"]


def test_nothing_found_is_an_empty_list(served: Any) -> None:
    assert served.get("/blockchair/bitcoin/blocks?q=id(99999)").text.startswith('{"data":[],"context":{"code":200,')


def test_sort_limit_offset(served: Any) -> None:
    assert heights(served, "limit=3")[0] - heights(served, "limit=3")[2] == 2
    assert heights(served, "s=id(asc)&limit=3&offset=4") == [4, 5, 6]
    assert heights(served, "s=id(asc)&offset=10000") == []
    rows = served.api("bitcoin/blocks?s=transaction_count(desc),id(asc)&limit=100")["data"]
    keys = [(-row["transaction_count"], row["id"]) for row in rows]
    assert keys == sorted(keys)


def test_equality_on_an_indexed_column_ignores_the_limit(served: Any) -> None:
    assert served.api("bitcoin/blocks?q=id(5)&limit=1")["context"]["limit"] is None
    row = served.api("ethereum/blocks?limit=1")["data"][0]
    answer = served.api(f"ethereum/blocks?q=hash({row['hash']})")
    assert answer["data"] == [row]
    assert answer["context"]["limit"] is None
    assert served.api("bitcoin/blocks?q=id(5..5)")["context"]["limit"] == 10


@pytest.mark.parametrize(
    ("path", "cost"),
    [
        ("bitcoin/blocks", 2),
        ("bitcoin/blocks?limit=100", Decimal("3.8")),
        ("bitcoin/blocks?q=id(0..99)&limit=100", Decimal("5.7")),
        ("bitcoin/blocks?limit=1", 2),
        ("bitcoin/addresses", 2),
        ("bitcoin/stats", 1),
    ],
)
def test_cost(served: Any, path: str, cost: Decimal) -> None:
    assert served.api(path)["context"]["request_cost"] == cost


@pytest.mark.parametrize("chain", ["bitcoin", "dogecoin", "ethereum"])
def test_blocks_equal_the_dumps(served: Any, chain: str) -> None:
    first = {"bitcoin": 0, "dogecoin": 5_000_000, "ethereum": 21_500_000}[chain]
    listed = served.api(f"{chain}/blocks?q=id({first}..{first + 95})&s=id(asc)&limit=100")["data"]
    dumped = [row for number in range(4) for row in served.day(chain, "blocks", number)]
    assert len(listed) == len(dumped) == 96
    columns = set(dumped[0])
    extra = {"date", "base_fee_per_gas", "burned_total"} if chain == "ethereum" else {"date"}
    assert set(listed[0]) == columns | extra
    assert [name for name in listed[0] if name in columns] == list(dumped[0])
    for api, dump in zip(listed, dumped, strict=True):
        assert api["date"] == dump["time"][:10]
        for name in columns:
            value = api[name]
            if isinstance(value, bool):
                assert dump[name] == str(int(value))
            elif name.endswith("_usd") or name.startswith("fee_per"):
                assert value == pytest.approx(Decimal(dump[name]), rel=Decimal("1e-5"), abs=Decimal("6e-5"))
            elif isinstance(value, (int, Decimal)):
                assert value == Decimal(dump[name])
            else:
                assert value.removeprefix("0x") == dump[name]


def test_numbers_of_the_api_keep_their_kind(served: Any) -> None:
    text = served.get("/blockchair/bitcoin/blocks?limit=1").text
    assert '"difficulty":5.960464477539063e-8' in text
    row = served.api("ethereum/blocks?q=id(21500000)")["data"][0]
    assert isinstance(row["base_fee_per_gas"], int)
    assert all(
        isinstance(row[name], str) for name in ("reward", "burned_total", "total_difficulty", "nonce", "generation")
    )


def test_tip_moves_with_the_clock(serve: Any) -> None:
    world = serve(days=1)
    before = world.api("bitcoin/blocks?limit=1")
    assert before["context"]["state"] < 47
    assert before["data"][0]["time"] <= "2025-01-02 06:00:00"
    world.clock.advance(timedelta(hours=5))
    after = world.api("bitcoin/blocks?limit=100")
    assert after["context"]["state"] > before["context"]["state"]
    assert all(row["time"] <= "2025-01-02 11:00:00" for row in after["data"])
    assert before["data"][0] in after["data"]
    assert after["context"]["cache"]["since"] == "2025-01-02 11:00:00"


def test_a_block_waits_for_the_ones_before_it(serve: Any) -> None:
    world = serve(days=3, chains=("bitcoin",))
    rows = world.rows("bitcoin", "blocks")
    at = next(i for i in range(25, 71) if rows[i]["time"] > rows[i + 1]["time"])
    start = f"2025-01-0{1 + at // 24}"
    assert rows[at]["time"].startswith(start)
    early = serve(days=3, chains=("bitcoin",), now=instant(rows[at + 1]["time"]))
    assert early.api("bitcoin/blocks?limit=1")["context"]["state"] < at


def instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def test_before_the_first_block_there_is_nothing(serve: Any) -> None:
    world = serve(days=1, now=instant("2025-01-01 00:00:00"))
    assert world.api("bitcoin/blocks")["data"] == []
    assert world.get("/blockchair/bitcoin/stats").text.startswith('{"data":[],')


@pytest.mark.parametrize("chain", ["bitcoin", "dogecoin"])
def test_addresses_of_utxo_chains_hold_their_unspent_outputs(served: Any, chain: str) -> None:
    tip = served.api(f"{chain}/blocks?limit=1")["context"]["state"]
    world = served.api(f"{chain}/addresses?limit=100&q=balance(1..)")
    balances = [row["balance"] for row in world["data"]]
    assert balances == sorted(balances, reverse=True)
    assert list(world["data"][0]) == ["address", "balance"]
    assert world["context"]["total_rows"] == served.api(f"{chain}/stats")["data"]["hodling_addresses"] > 100
    assert not any(row["address"].startswith("d-") for row in world["data"])
    # All balances add up to the supply
    everyone = served.addresses(chain)
    stats = served.api(f"{chain}/stats")["data"]
    assert sum(row["balance"] for row in everyone) == stats["circulation"]
    assert stats["best_block_height"] == tip
    assert len({row["address"] for row in everyone}) == len(everyone)
    if chain == "bitcoin":
        assert stats["circulation"] == (tip + 1) * 50 * 10**8


def test_bitcoin_balances_at_a_days_end_are_the_dumps_unspent_outputs(serve: Any) -> None:
    world = serve(days=3, now=instant("2025-01-04 00:00:00"), chains=("bitcoin",))
    everyone = {row["address"]: row["balance"] for row in world.addresses("bitcoin")}
    world.clock.advance(timedelta(hours=1))  # the third day's files appear
    held: dict[str, int] = defaultdict(int)
    for row in world.rows("bitcoin", "outputs"):
        held[row["recipient"]] += int(row["value"])
    for row in world.rows("bitcoin", "inputs"):
        held[row["recipient"]] -= int(row["value"])
    assert everyone == {address: amount for address, amount in held.items() if amount}


def test_addresses_of_ethereum(served: Any) -> None:
    rows = served.api("ethereum/addresses?limit=100")["data"]
    assert list(rows[0]) == ["address", "balance", "nonce", "is_contract"]
    balances = [int(row["balance"]) for row in rows]
    assert balances == sorted(balances, reverse=True)
    assert all(isinstance(row["balance"], str) and len(row["address"]) == 42 for row in rows)
    assert {row["is_contract"] for row in rows} == {True, False}
    total = served.api("ethereum/stats")["data"]
    assert sum(int(row["balance"]) for row in served.addresses("ethereum")) == int(total["circulation_approximate"])


def test_burn_is_what_the_supply_lost(served: Any, serve: Any) -> None:
    first = serve(days=1, now=instant("2025-01-01 12:00:00")).api("ethereum/stats")["data"]
    later = served.api("ethereum/stats")["data"]
    lost = int(first["circulation_approximate"]) - int(later["circulation_approximate"])
    assert lost == int(later["burned"]) - int(first["burned"]) > 0
    blocks = served.api("ethereum/blocks?q=time(~P1D)&limit=100")["data"]
    assert int(later["burned_24h"]) == sum(int(row["burned_total"]) for row in blocks)
    assert later["blocks_24h"] == len(blocks)
    assert not later["best_block_hash"].startswith("0x")
    assert later["largest_transaction_24h"]["hash"].startswith("0x")


@pytest.mark.parametrize("chain", ["bitcoin", "dogecoin"])
def test_stats_of_utxo_chains(served: Any, chain: str) -> None:
    answer = served.api(f"{chain}/stats")
    stats, tip = answer["data"], served.api(f"{chain}/blocks?limit=1")["data"][0]
    assert answer["context"]["cache"]["duration"] == "Ignore"
    assert stats["blocks"] == tip["id"] + 1
    assert stats["best_block_hash"] == tip["hash"]
    recent = served.api(f"{chain}/blocks?q=time(2025-01-06 06:00:01..)&limit=100")["data"]
    assert stats["blocks_24h"] == len(recent)
    assert stats["volume_24h"] == sum(row["output_total"] for row in recent)
    assert stats["transactions_24h"] == sum(row["transaction_count"] for row in recent)
    assert stats["inflation_24h"] == sum(row["generation"] for row in recent)
    assert float(stats["cdd_24h"]) == pytest.approx(float(sum(row["cdd_total"] for row in recent)))
    assert ("next_retarget_time_estimate" in stats) == (chain == "bitcoin")


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
