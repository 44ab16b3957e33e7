"""The API channel: windows of heights, finality, snapshots, error codes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, cast
from urllib.parse import parse_qs

import pytest
import requests
from pytest_httpserver import HTTPServer

from tap_blockchair.web import TRIES, Pace, waits

BLOCKS = ("bitcoin_blocks",)


def config_of(url: str, **more: Any) -> dict[str, Any]:
    return {"chains": ["bitcoin"], "channel": "api", "api_url": url, "requests_per_minute": 1000, **more}


def windows(asked: Any) -> list[str]:
    queries = (parse_qs(sent.query) for sent in asked)
    return [query["q"][0] for query in queries if query.get("limit") == ["100"]]


def test_blocks_come_in_closed_windows_and_the_bookmark_stops_at_the_settled_height(
    run: Any, own_chain: Any, asked: Any
) -> None:
    tip = own_chain.tip
    result = run(own_chain.config(), select=BLOCKS)
    assert result.error is None
    records = result.records("bitcoin_blocks")
    assert result.ids == list(range(tip + 1))
    assert windows(asked) == ["id(0..99)", "id(100..199)", f"id(200..{tip})"]
    assert [record["id"] for record in records if not record["is_settled"]] == list(range(tip - 5, tip + 1))
    assert result.bookmark("bitcoin_blocks") == tip - 6
    assert records[150]["_unit"] == "bitcoin/blocks/heights/100-199"
    own_chain.post("advance", {"hours": 3})
    assert own_chain.tip > tip + 6
    asked.clear()
    again = run(own_chain.config(), state=result.state, select=BLOCKS)
    assert again.ids == list(range(tip - 5, own_chain.tip + 1))
    assert windows(asked) == [f"id({tip - 5}..{own_chain.tip})"]
    assert again.bookmark("bitcoin_blocks") == own_chain.tip - 6


def test_state_never_claims_more_than_was_written(run: Any, chain: Any) -> None:
    seen = -1
    for message in run(chain.config(), select=BLOCKS).messages:
        if message["type"] == "RECORD":
            seen = message["record"]["id"]
        elif message["type"] == "STATE":
            assert message["value"]["bookmarks"]["bitcoin_blocks"].get("replication_key_value", -1) <= seen


def test_dates_become_heights(run: Any, chain: Any, asked: Any) -> None:
    result = run(chain.config(start_date="2024-01-02", end_date="2024-01-02"), select=BLOCKS)
    assert result.ids == list(range(90, 180))
    asked.clear()
    again = run(chain.config(start_date="2024-01-02"), state=result.state, select=BLOCKS)
    assert again.ids == list(range(180, chain.tip + 1))
    assert not [sent for sent in asked if "time(" in sent.query], "where the day begins is known by now"
    late = run(chain.config(start_date="2024-01-31"), select=BLOCKS)
    assert (late.error, late.records("bitcoin_blocks")) == (None, [])


@pytest.mark.parametrize(
    ("setting", "query", "height"),
    [
        ("start_date", "q=time(2024-01-02..)&s=id(asc)&limit=1", 0),
        ("end_date", "q=time(..2024-01-02)&s=id(desc)&limit=1", 180),
    ],
)
def test_a_time_filter_that_is_not_obeyed(run: Any, chain: Any, setting: str, query: str, height: int) -> None:
    other = requests.get(f"{chain.url}/bitcoin/blocks?q=id({height})", timeout=60).json()["data"]
    chain.alter("bitcoin/blocks", query, lambda answer: answer.update(data=other))
    result = run(chain.config(**{setting: "2024-01-02"}), select=BLOCKS)
    assert "asked for a block of the time" in str(result.error)
    assert result.ids == []


def test_a_table_may_begin_above_zero(run: Any, chain: Any) -> None:
    config = {**chain.config(), "chains": ["dogecoin"], "end_date": "2024-01-01"}
    result = run(config, select=("dogecoin_blocks",))
    assert [record["id"] for record in result.records("dogecoin_blocks")] == list(range(5_000_000, 5_000_090))


def test_own_finality(run: Any, chain: Any) -> None:
    result = run(chain.config(finality={"bitcoin": 100}), select=BLOCKS)
    assert result.bookmark("bitcoin_blocks") == chain.tip - 100


@pytest.mark.parametrize("nothing", [[], None])
def test_nothing_found(run: Any, chain: Any, nothing: Any) -> None:
    chain.fault("bitcoin/blocks", {"data": nothing}, times=None)
    result = run(chain.config(), select=BLOCKS)
    assert (result.error, result.records("bitcoin_blocks")) == (None, [])


def test_a_hole_stops_before_its_window(run: Any, chain: Any) -> None:
    chain.alter("bitcoin/blocks", "q=id(100..199)&s=id(asc)&limit=100", lambda answer: answer["data"].pop(23))
    result = run(chain.config(), select=BLOCKS)
    assert "block 123 is missing" in str(result.error)
    assert result.ids == list(range(100))
    assert result.bookmark("bitcoin_blocks") == 99


def test_new_columns_are_carried_as_text_and_missing_ones_stop(run: Any, chain: Any) -> None:
    def add(answer: Any) -> None:
        for row in answer["data"]:
            row.update({"fee_total_kzt": 12.5, "tags": {"a": [1]}})

    query = "q=id(90..99)&s=id(asc)&limit=100"
    chain.alter("bitcoin/blocks", query, add)
    result = run(chain.config(start_date="2024-01-02"), select=BLOCKS)
    record = result.records("bitcoin_blocks")[0]
    assert (record["fee_total_kzt"], record["tags"]) == ("12.5", '{"a":[1]}')
    assert [message["type"] for message in result.messages[:3]].count("SCHEMA") == 3
    chain.heal()
    chain.alter("bitcoin/blocks", query, lambda answer: answer["data"][0].pop("weight"))
    broken = run(chain.config(start_date="2024-01-02"), select=BLOCKS)
    assert "lacks the column weight" in str(broken.error)


def test_london_columns(run: Any, httpserver: HTTPServer, envelope: Any, answer: Any) -> None:
    more = {"base_fee_per_gas": 7, "burned_total": "99999999999999999999999", "hash": "0xAB"}
    row = {name: float(v) if isinstance(v, Decimal) else v for name, v in answer("29")["data"][0].items()}
    httpserver.expect_request("/ethereum/blocks").respond_with_json(envelope([{**row, **more}]))
    result = run({**config_of(httpserver.url_for("")), "chains": ["ethereum"]}, select=("ethereum_blocks",))
    assert result.error is None
    record = result.records("ethereum_blocks")[0]
    assert (record["base_fee_per_gas"], record["burned_total"]) == (7, 99999999999999999999999)
    assert record["hash"] == "ab"
    first, last = [message for message in result.of("SCHEMA") if "x-unit" not in message["schema"]]
    assert first == last, "both columns are known beforehand"


def test_top_addresses_are_paged_ranked_and_dated_once(run: Any, httpserver: HTTPServer, envelope: Any) -> None:
    def page(numbers: Iterable[int], second: int) -> dict[str, Any]:
        rows = [{"address": f"a{n}", "balance": 10**19 - n} for n in numbers]
        return cast("dict[str, Any]", envelope(rows, cache={"since": f"2024-05-06 07:08:{second:02}"}))

    # The ranking moved between the pages: the second begins with the last of the first.
    for query, answered in (
        ("limit=100&offset=0", page(range(100), 9)),
        ("limit=50&offset=100", page([99, *range(101, 150)], 10)),
    ):
        httpserver.expect_ordered_request("/bitcoin/addresses", query_string=query).respond_with_json(answered)
    result = run(config_of(httpserver.url_for(""), top_addresses=150), select=("bitcoin_addresses",))
    assert result.error is None
    records = result.records("bitcoin_addresses")
    assert len({(record["observed_at"], record["address"]) for record in records}) == len(records) == 149
    assert [record["rank"] for record in records] == list(range(1, 150))
    assert records[0]["balance"] == 10**19
    assert {record["observed_at"] for record in records} == {"2024-05-06T07:08:09+00:00"}
    assert {record["_unit"] for record in records} == {"bitcoin/addresses/2024-05-06T07:08:09+00:00"}
    assert len(httpserver.log) == 2


def test_a_row_that_does_not_fit_leaves_no_half_ranking(run: Any, chain: Any) -> None:
    chain.alter("bitcoin/addresses", "limit=100&offset=0", lambda answer: answer["data"][5].update(balance="x"))
    result = run(chain.config(), select=("bitcoin_addresses",))
    assert "an unusable value in the column balance" in str(result.error)
    assert result.records("bitcoin_addresses") == []


def test_statistics_tolerate_what_varies(run: Any, httpserver: HTTPServer, envelope: Any) -> None:
    data = {
        "blocks": 5,
        "circulation": 15144237638370525000,
        "largest_transaction_24h": [],
        "hashrate_24h": "123",
        "x": 1,
    }
    answered = envelope(data, cache={"live": False, "duration": "Ignore"})
    httpserver.expect_request("/dogecoin/stats").respond_with_json(answered)
    result = run({**config_of(httpserver.url_for("")), "chains": ["dogecoin"]}, select=("dogecoin_stats",))
    (record,) = result.records("dogecoin_stats")
    assert (record["circulation"], record["hashrate_24h"]) == (15144237638370525000, 123)
    assert (record["largest_transaction_24h"], record["countdowns"], record["x"]) == ({}, None, "1")
    # Without cache.since the Date header counts; werkzeug's server sends one.
    assert record["observed_at"].endswith("+00:00")


def test_a_server_that_recovers(run: Any, chain: Any) -> None:
    chain.fault("bitcoin/blocks", {"status": 502, "html": True})
    chain.fault("bitcoin/blocks", {"body": "{}", "status": 500})
    assert run(chain.config(), select=BLOCKS).ids == list(range(chain.tip + 1))


def test_something_else_than_json(run: Any, chain: Any) -> None:
    chain.fault("bitcoin/stats", {"body": "<html>hello</html>"}, times=None)
    assert "not Blockchair's JSON" in str(run(chain.config(), select=("bitcoin_stats",)).error)


def test_simulated_data_are_refused_where_live_ones_are_wanted(run: Any, chain: Any) -> None:
    result = run(chain.config(data_origin="live"), select=BLOCKS)
    assert "serves simulated data, but data_origin is live" in str(result.error)
    assert result.records("bitcoin_blocks") == []


def test_data_without_a_mark_are_refused_where_simulated_ones_are_wanted(
    run: Any, httpserver: HTTPServer, envelope: Any
) -> None:
    httpserver.expect_request("/bitcoin/stats").respond_with_json(envelope({"blocks": 5}))
    result = run(config_of(httpserver.url_for(""), data_origin="simulator"), select=("bitcoin_stats",))
    assert "does not mark its data as simulated, but data_origin is simulator" in str(result.error)
    assert result.records("bitcoin_stats") == []


def test_a_bookmark_of_the_other_channel_is_not_taken_for_a_height(run: Any, chain: Any) -> None:
    state = {"bookmarks": {"bitcoin_blocks": {"replication_key": "_dump_day", "replication_key_value": "2024-01-01"}}}
    result = run(chain.config(), state=state, select=BLOCKS)
    assert result.error is None
    assert result.bookmark("bitcoin_blocks") == chain.tip - 6


def test_snapshots_survive_activate_version(run: Any, chain: Any) -> None:
    result = run(chain.config(emit_activate_version_messages=True), select=("bitcoin_stats",))
    assert len(result.records("bitcoin_stats")) == 1
    assert result.of("ACTIVATE_VERSION") == []


def test_every_request_keeps_the_pace(run: Any, chain: Any, asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[int] = []
    monkeypatch.setattr(Pace, "wait", lambda _pace: waited.append(len(asked)))
    run(chain.config(points_per_day=1_000_000))
    assert len(asked) > 10
    assert waited == list(range(len(asked)))


def test_retries_end_within_seconds() -> None:
    pauses = [pause for pause in itertools.islice(waits(), TRIES) if pause is not None]
    assert sum(pauses[: TRIES - 1]) <= 4


def test_pace() -> None:
    now, slept = [0.0], list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(3, clock=lambda: now[0], sleep=sleep)
    for _ in range(3):
        pace.wait()
        now[0] += 1
    assert slept == []
    pace.wait()
    assert slept == [57.0]
