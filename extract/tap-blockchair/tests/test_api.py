"""The API channel: windows of heights, finality, snapshots, error codes."""

# ruff: noqa: ANN401 (the classes of fixtures live in conftest, which no module imports by name)

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from werkzeug import Response

from tap_blockchair.web import TRIES, Pace, waits

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCKS = ("bitcoin_blocks",)


@pytest.fixture
def chain(api: Any, answer: Callable[[str], Any]) -> Any:
    """An API with 251 Bitcoin blocks, 144 of them on 2024-01-01."""
    api.template = answer("22")["data"][0]
    api.tip = 250
    return api


def config_of(api: Any, **more: Any) -> dict[str, Any]:
    return {"chains": ["bitcoin"], "channel": "api", "api_url": api.url, "requests_per_minute": 1000, **more}


def windows(api: Any) -> list[str]:
    queries = (parse_qs(query) for query in api.queries)
    return [query["q"][0] for query in queries if query.get("limit") == ["100"]]


def test_blocks_come_in_closed_windows_and_the_bookmark_stops_at_the_settled_height(run: Any, chain: Any) -> None:
    result = run(config_of(chain), select=BLOCKS)
    assert result.error is None
    records = result.records("bitcoin_blocks")
    assert [record["id"] for record in records] == list(range(251))
    assert windows(chain) == ["id(0..99)", "id(100..199)", "id(200..250)"]
    assert [record["id"] for record in records if not record["is_settled"]] == [245, 246, 247, 248, 249, 250]
    assert result.bookmark("bitcoin_blocks") == 244
    assert records[150]["_unit"] == "bitcoin/blocks/heights/100-199"
    chain.tip, chain.queries[:] = 260, []
    again = run(config_of(chain), state=result.state, select=BLOCKS)
    assert [record["id"] for record in again.records("bitcoin_blocks")] == list(range(245, 261))
    assert windows(chain) == ["id(245..260)"]
    assert again.bookmark("bitcoin_blocks") == 254


def test_state_never_claims_more_than_was_written(run: Any, chain: Any) -> None:
    seen = -1
    for message in run(config_of(chain), select=BLOCKS).messages:
        if message["type"] == "RECORD":
            seen = message["record"]["id"]
        elif message["type"] == "STATE":
            assert message["value"]["bookmarks"]["bitcoin_blocks"].get("replication_key_value", -1) <= seen


def test_dates_become_heights(run: Any, chain: Any) -> None:
    chain.tip = 500
    result = run(config_of(chain, start_date="2024-01-02", end_date="2024-01-02"), select=BLOCKS)
    assert [record["id"] for record in result.records("bitcoin_blocks")] == list(range(144, 288))
    late = run(config_of(chain, start_date="2024-01-31"), select=BLOCKS)
    assert (late.error, late.records("bitcoin_blocks")) == (None, [])


def test_a_table_may_begin_above_zero(run: Any, chain: Any) -> None:
    chain.missing = set(range(230))
    result = run(config_of(chain), select=BLOCKS)
    assert [record["id"] for record in result.records("bitcoin_blocks")] == list(range(230, 251))


def test_own_finality(run: Any, chain: Any) -> None:
    result = run(config_of(chain, finality={"bitcoin": 100}), select=BLOCKS)
    assert result.bookmark("bitcoin_blocks") == 150


def test_nothing_found(run: Any, chain: Any) -> None:
    chain.tip = -1
    result = run(config_of(chain), select=BLOCKS)
    assert (result.error, result.records("bitcoin_blocks")) == (None, [])
    chain.answers["bitcoin/blocks"] = lambda _request: chain.respond(None)
    assert run(config_of(chain), select=BLOCKS).error is None


def test_a_hole_stops_before_its_window(run: Any, chain: Any) -> None:
    chain.missing = {123}
    result = run(config_of(chain), select=BLOCKS)
    assert "block 123 is missing" in str(result.error)
    assert [record["id"] for record in result.records("bitcoin_blocks")] == list(range(100))
    assert result.bookmark("bitcoin_blocks") == 99


def test_new_columns_are_carried_as_text_and_missing_ones_stop(run: Any, chain: Any) -> None:
    chain.more = {"fee_total_kzt": 12.5, "tags": {"a": [1]}}
    result = run(config_of(chain, start_date="2024-01-02"), select=BLOCKS)
    record = result.records("bitcoin_blocks")[0]
    assert (record["fee_total_kzt"], record["tags"]) == ("12.5", '{"a":[1]}')
    assert [message["type"] for message in result.messages[:3]].count("SCHEMA") == 3
    del chain.template["weight"]
    assert "lacks the column weight" in str(run(config_of(chain), select=BLOCKS).error)


def test_london_columns(run: Any, api: Any, answer: Any) -> None:
    api.template, api.tip = answer("29")["data"][0], 3
    api.more = {"base_fee_per_gas": 7, "burned_total": "99999999999999999999999", "hash": "0xAB"}
    result = run({**config_of(api), "chains": ["ethereum"]}, select=("ethereum_blocks",))
    assert result.error is None
    record = result.records("ethereum_blocks")[0]
    assert (record["base_fee_per_gas"], record["burned_total"]) == (7, 99999999999999999999999)
    assert record["hash"] == "ab"
    first, last = [message for message in result.of("SCHEMA") if "x-unit" not in message["schema"]]
    assert first == last, "both columns are known beforehand"


def test_top_addresses_are_paged_ranked_and_dated_once(run: Any, api: Any) -> None:
    def page(request: Any) -> Response:
        offset, limit = int(request.args["offset"]), int(request.args["limit"])
        rows = [{"address": f"a{n}", "balance": 10**19 - n} for n in range(offset, offset + limit)]
        if offset:
            rows[0] = {"address": "a99", "balance": 10**19 - 99}  # the ranking moved between the pages
        since = {"since": f"2024-05-06 07:08:{9 + offset // 100:02}"}
        return Response(api.respond(rows, cache=since).data, content_type="application/json")

    api.answers["bitcoin/addresses"] = page
    result = run(config_of(api, top_addresses=150), select=("bitcoin_addresses",))
    records = result.records("bitcoin_addresses")
    assert len({(record["observed_at"], record["address"]) for record in records}) == len(records) == 149
    assert [record["rank"] for record in records] == list(range(1, 150))
    assert records[0]["balance"] == 10**19
    assert {record["observed_at"] for record in records} == {"2024-05-06T07:08:09+00:00"}
    assert {record["_unit"] for record in records} == {"bitcoin/addresses/2024-05-06T07:08:09+00:00"}
    assert [parse_qs(query)["limit"] for query in api.queries] == [["100"], ["50"]]


def test_statistics_tolerate_what_varies(run: Any, api: Any) -> None:
    data = {
        "blocks": 5,
        "circulation": 15144237638370525000,
        "largest_transaction_24h": [],
        "hashrate_24h": "123",
        "x": 1,
    }
    api.answers["dogecoin/stats"] = lambda _request: api.respond(data, cache={"live": False, "duration": "Ignore"})
    result = run({**config_of(api), "chains": ["dogecoin"]}, select=("dogecoin_stats",))
    (record,) = result.records("dogecoin_stats")
    assert (record["circulation"], record["hashrate_24h"]) == (15144237638370525000, 123)
    assert (record["largest_transaction_24h"], record["countdowns"], record["x"]) == ({}, None, "1")
    # Without cache.since the Date header counts; werkzeug's server sends one.
    assert record["observed_at"].endswith("+00:00")


def test_a_server_that_recovers(run: Any, chain: Any) -> None:
    answers = [Response("<html>down</html>", status=502), Response("{}", status=500)]
    chain.answers["bitcoin/blocks"] = lambda request: answers.pop() if answers else chain.respond(chain.blocks(request))
    assert len(run(config_of(chain), select=BLOCKS).records("bitcoin_blocks")) == 251


def test_something_else_than_json(run: Any, api: Any) -> None:
    api.answers["bitcoin/stats"] = lambda _request: Response("<html>hello</html>")
    assert "not Blockchair's JSON" in str(run(config_of(api), select=("bitcoin_stats",)).error)


@pytest.mark.parametrize(("origin", "mark"), [("live", "simulator"), ("simulator", None)])
def test_data_origin(run: Any, chain: Any, origin: str, mark: str | None) -> None:
    chain.headers = {"X-Data-Origin": mark} if mark else {}
    result = run(config_of(chain, data_origin=origin), select=BLOCKS)
    assert "data_origin" in str(result.error)
    assert result.records("bitcoin_blocks") == []


def test_a_bookmark_of_the_other_channel_is_not_taken_for_a_height(run: Any, chain: Any) -> None:
    state = {"bookmarks": {"bitcoin_blocks": {"replication_key": "_dump_day", "replication_key_value": "2024-01-01"}}}
    result = run(config_of(chain), state=state, select=BLOCKS)
    assert result.error is None
    assert result.bookmark("bitcoin_blocks") == 244


def test_snapshots_survive_activate_version(run: Any, api: Any) -> None:
    api.answers["bitcoin/stats"] = lambda _request: api.respond({"blocks": 1})
    result = run(config_of(api, emit_activate_version_messages=True), select=("bitcoin_stats",))
    assert result.of("ACTIVATE_VERSION") == []


def test_every_request_keeps_the_pace(run: Any, chain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[int] = []
    monkeypatch.setattr(Pace, "wait", lambda _pace: waited.append(len(chain.queries)))
    run(config_of(chain))
    assert waited == list(range(len(chain.queries)))


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
