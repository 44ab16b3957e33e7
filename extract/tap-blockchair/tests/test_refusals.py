"""Every refusal of the API: recovered with exact rows, or stopped with the state unmoved. Nothing in between."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pytest_httpserver import HTTPServer

from tap_blockchair.quota import Paused, Quota, estimate, source_time
from tap_blockchair.web import TRIES, Pace, redact

BLOCKS = ("bitcoin_blocks",)
SECRET = "k3y+very/secret"


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made."""
    pauses: list[float] = []
    monkeypatch.setattr("tap_blockchair.client.time.sleep", pauses.append)
    return pauses


def refusing(chain: Any, code: int, *, after: int, times: int | None, body: str = "json", **headers: Any) -> None:
    """Let the API refuse some requests for blocks, counted from the given one on."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    chain.fault("bitcoin/blocks", {"status": code, "html": body == "html", "headers": named}, after=after, times=times)


class Case(NamedTuple):
    """A code: for how many answers in a row the tap recovers, and how it ends otherwise."""

    code: int
    recovers: int
    ends: str
    requests: int
    says: str
    until: str | None = None


MIDNIGHT, HOUR = "2024-01-04T00:00:00+00:00", "2024-01-03T19:40:09+00:00"
CASES = [
    Case(400, 0, "error", 1, "the request was refused as malformed (it says: The request cannot be understood)"),
    Case(401, 0, "error", 1, "access was refused"),
    Case(402, 1, "well", 2, "a limit is used up", MIDNIGHT),
    Case(404, 0, "error", 1, "there is nothing at this address"),
    Case(418, 0, "error", 1, "answered 418"),
    Case(429, 0, "well", 1, "banned for an hour", HOUR),
    Case(430, 0, "error", 1, "this network address is blocked for abuse"),
    Case(434, 0, "error", 1, "this network address is blocked as part of a botnet"),
    Case(435, 3, "error", TRIES, "too many requests at once"),
    Case(436, 1, "well", 2, "a further limit is used up", MIDNIGHT),
    Case(437, 1, "well", 2, "a limit on complex requests is used up", MIDNIGHT),
    Case(500, 3, "error", TRIES, "the server failed"),
    Case(502, 3, "error", TRIES, "answered 502"),
    Case(503, 1, "error", 2, "the server is down, or this network address is blocked"),
    Case(504, 3, "error", TRIES, "answered 504"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.code))
@pytest.mark.parametrize("body", ["json", "html"])
def test_recovered_with_exact_rows(run: Any, chain: Any, asked: Any, case: Case, body: str, slept: list[float]) -> None:
    refusing(chain, case.code, after=3, times=case.recovers, body=body)
    result = run(chain.config(), select=BLOCKS)
    assert result.error is None
    assert result.ids == list(range(chain.tip + 1))
    assert result.bookmark("bitcoin_blocks") == chain.tip - 6
    assert len(asked) == 5 + case.recovers
    # Two questions for what is due and three pages; a refusal costs what it says, and one that says nothing costs none.
    assert Decimal(result.state["api_quota"]["points"]) == Decimal("21.1") + (case.recovers if body == "json" else 0)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.code))
@pytest.mark.parametrize("body", ["json", "html"])
def test_or_stopped_with_the_state_unmoved(
    run: Any, chain: Any, asked: Any, case: Case, body: str, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    # Requests: the highest block, the lowest, the first hundred; the second hundred is refused for good.
    refusing(chain, case.code, after=3, times=None, body=body)
    result = run(chain.config(), select=BLOCKS)
    assert result.ids == list(range(100))
    assert result.bookmark("bitcoin_blocks") == 99
    assert len(asked) == 3 + case.requests
    said = str(result.error) if case.ends == "error" else caplog.text
    if body == "json" or "(it says" not in case.says:
        assert case.says in said
    if case.ends == "well":
        assert result.error is None
        assert f"What is left: the blocks of heights 100 to {chain.tip}, about 11 points." in caplog.text
        assert f"Resume after {case.until[:16].replace('T', ' ')} UTC" in caplog.text  # type: ignore[index]
    assert result.state["api_quota"].get("until") == case.until


@pytest.mark.parametrize(("code", "reached"), [(402, "2024-01-04T00:00:01"), (429, "2024-01-03T19:40:10")])
def test_a_later_run_stays_away_until_then(
    run: Any,
    own_chain: Any,
    asked: Any,
    code: int,
    reached: str,
    slept: list[float],
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusing(own_chain, code, after=3, times=2 if code == 402 else 1)
    first = run(own_chain.config(), select=BLOCKS)
    asked.clear()
    caplog.clear()
    again = run(own_chain.config(), state=first.state, select=BLOCKS)
    assert f"stopped early, with its bookmark where its rows end: the API answered {code}: " in caplog.text
    assert again.records("bitcoin_blocks") == []
    assert f"bitcoin_blocks loaded nothing, because the API answered {code}: " in str(again.error)
    assert "Run again after 2024-01-0" in str(again.error)
    # One look at the other host's clock; nothing was asked of the API.
    assert [(sent.method, sent.path) for sent in asked] == [("HEAD", "/dumps/")]
    assert again.bookmark("bitcoin_blocks") == 99
    own_chain.post("advance", {"to": reached})
    last = run(own_chain.config(), state=again.state, select=BLOCKS)
    assert last.ids == list(range(100, own_chain.tip + 1))
    assert "until" not in last.state["api_quota"]


def test_after_a_refusal_of_all_no_other_stream_asks(run: Any, chain: Any, asked: Any) -> None:
    chain.fault("^/blockchair/", {"status": 429}, times=None)
    said = str(run(chain.config()).error)
    assert len(asked) == 1
    for table in ("blocks", "transactions", "outputs", "inputs", "stats", "addresses"):
        assert f"bitcoin_{table}" in said.partition(" loaded nothing, because the API answered 429")[0]


@pytest.mark.parametrize("code", [402, 429])
def test_a_stream_that_a_refusal_left_empty_ends_the_run_with_an_error(
    run: Any, chain: Any, code: int, slept: list[float]
) -> None:
    """What other streams loaded stays: the refused one is named, and when to come again."""
    chain.fault("bitcoin/stats", {"status": code}, times=None)
    result = run(chain.config(api_key=SECRET), select=("bitcoin_addresses", "bitcoin_stats"))
    assert len(result.records("bitcoin_addresses")) > 1
    assert str(result.error).startswith(f"bitcoin_stats loaded nothing, because the API answered {code}: ")
    resume = {402: "2024-01-04 00:00", 429: "2024-01-03 19:40"}[code]
    assert f"Run again after {resume} UTC. A wrong BLOCKCHAIR_API_KEY may be answered so" in str(result.error)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (402, "This key is unknown"),
        (402, "Invalid API key. See our plans"),
        (400, "Your key has expired"),
        (430, "The API key was not found"),
        (429, "Wrong key"),
    ],
)
def test_a_refusal_of_the_key_stops_at_once(
    run: Any, chain: Any, asked: Any, code: int, said: str, slept: list[float]
) -> None:
    text = json.dumps({"data": None, "context": {"code": code, "error": said}})
    chain.fault("^/blockchair/", {"status": code, "body": text}, times=None)
    result = run(chain.config(api_key=SECRET))
    assert f"answered {code}: the key was refused (it says: {said})" in str(result.error)
    assert "Check api_key (BLOCKCHAIR_API_KEY in .env)." in str(result.error)
    assert (len(asked), slept, result.state["api_quota"].get("until")) == (1, [], None)


def test_a_key_that_the_api_does_not_know(run: Any, simulated: Any, asked: Any, slept: list[float]) -> None:
    with simulated("--days=2", "--blocks-per-day=6", "--transactions-per-block=1", "--api-keys=good") as served:
        assert run(served.config(api_key="good"), select=("bitcoin_stats",)).error is None
        asked.clear()
        result = run(served.config(api_key="goood"), select=("bitcoin_stats",))
    assert "BLOCKCHAIR_API_KEY" in str(result.error)
    assert (len(asked), slept) == (1, [])


def test_a_limit_that_a_key_would_lift_is_no_fault_of_the_key(run: Any, chain: Any, slept: list[float]) -> None:
    refusing(chain, 402, after=3, times=1)  # its text: "... or use a key"
    assert run(chain.config(), select=BLOCKS).ids == list(range(chain.tip + 1))


@pytest.mark.parametrize(
    ("code", "after", "waits", "until"),
    [
        (402, None, [61.0 - 9], None),  # to the next full minute of the simulator's clock, and a second to spare
        (402, 7, [7], None),
        (402, 61, [61], None),
        (402, 62, [], "2024-01-03T18:41:11+00:00"),
        (402, 7200, [], "2024-01-03T20:40:09+00:00"),
        (429, 7, [], HOUR),
        (429, 7200, [], "2024-01-03T20:40:09+00:00"),
    ],
)
def test_how_long_the_tap_stays_away(
    run: Any, chain: Any, slept: list[float], code: int, after: int | None, waits: list[float], until: str | None
) -> None:
    refusing(chain, code, after=3, times=1, **({"Retry_After": after} if after else {}))
    result = run(chain.config(), select=BLOCKS)
    assert (slept, result.state["api_quota"].get("until")) == (waits, until)


def test_a_doubt_ends_with_a_good_answer(run: Any, chain: Any) -> None:
    for after in (1, 2):
        refusing(chain, 503, after=after, times=1)
    assert run(chain.config(), select=BLOCKS).ids == list(range(chain.tip + 1))


def test_435_lowers_the_rate(run: Any, chain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lowered: list[Pace] = []
    monkeypatch.setattr(Pace, "slow_down", lambda pace: lowered.append(pace))  # noqa: PLW0108 (a method)
    refusing(chain, 435, after=3, times=2)
    assert run(chain.config(), select=BLOCKS).ids == list(range(chain.tip + 1))
    assert len(lowered) == 2


def test_a_lowered_pace() -> None:
    now, slept = [0.0], list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(4, clock=lambda: now[0], sleep=sleep)
    pace.wait()
    pace.slow_down()
    pace.wait()
    pace.wait()
    assert slept == [1.0, 1.0, 58.0]


def test_an_envelope_with_a_code_of_its_own(run: Any, chain: Any) -> None:
    chain.fault("bitcoin/blocks", {"body": '{"data":null,"context":{"code":430,"error":"because"}}'}, times=None)
    assert "answered 430" in str(run(chain.config(), select=BLOCKS).error)


@pytest.mark.parametrize("body", ["<html>hello</html>", '{"data":[{"id":1', "[]", '{"data":[],"context":"x"}'])
def test_bodies_that_are_no_envelope(run: Any, chain: Any, body: str) -> None:
    chain.fault("bitcoin/blocks", {"body": body}, times=2)
    assert run(chain.config(), select=BLOCKS).ids == list(range(chain.tip + 1))
    chain.fault("bitcoin/blocks", {"body": body}, times=None)
    result = run(chain.config(), select=BLOCKS)
    assert "not Blockchair's JSON" in str(result.error)
    assert result.bookmark("bitcoin_blocks") is None


@pytest.mark.parametrize(
    ("query", "table", "points"),
    [
        ("q=id(0..99)&s=id(asc)&limit=100", "blocks", "5.7"),
        ("q=id(1...),block_id(0..9)&limit=100", "erc-20/transactions", "13.3"),
        ("limit=100", "addresses", "3.8"),
        ("", "outputs", "10"),
        ("q=not,type(synthetic_coinbase)&limit=1", "calls", "11"),
        ("q=time(2024-01-01..)&limit=1&key=x", "blocks", "3"),
    ],
)
def test_estimated_costs(query: str, table: str, points: str) -> None:
    assert f"{estimate(f'https://host/chain/{table}?{query}').normalize():f}" == points


def test_the_days_points_are_kept_across_runs(
    run: Any, own_chain: Any, asked: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # Three requests spend 2, 2 and 5.7 points; the next one is estimated at 5.7.
    first = run(own_chain.config(points_per_day=15), select=BLOCKS)
    assert first.error is None
    assert first.ids == list(range(100))
    assert first.state["api_quota"] == {"day": "2024-01-03", "points": "9.7"}
    assert "allows 15 points, 9.7 are spent and the next request costs 5.7" in caplog.text
    left = f"the blocks of heights 100 to {own_chain.tip}, about 11 points. Resume after 2024-01-04 00:00 UTC"
    assert left in caplog.text
    more = run(own_chain.config(points_per_day=20), state=first.state, select=BLOCKS)
    # Two requests find out what is due, the second whether block 99 still is the one that was loaded.
    assert more.state["api_quota"]["points"] == "14.7"
    assert (more.records("bitcoin_blocks"), more.bookmark("bitcoin_blocks")) == ([], 99)
    asked.clear()
    spent = run(own_chain.config(points_per_day=15), state=more.state, select=BLOCKS)
    assert [(sent.method, sent.path) for sent in asked] == [("HEAD", "/dumps/")]
    assert spent.bookmark("bitcoin_blocks") == 99
    own_chain.post("advance", {"to": "2024-01-04T00:00:01"})
    last = run(own_chain.config(points_per_day=23), state=spent.state, select=BLOCKS)
    assert last.ids == list(range(100, own_chain.tip + 1))
    assert last.state["api_quota"] == {"day": "2024-01-04", "points": "16.4"}


def test_a_request_may_spend_the_last_point(run: Any, chain: Any) -> None:
    result = run(chain.config(points_per_day=1), select=("bitcoin_stats",))
    assert (result.state["api_quota"]["points"], len(result.records("bitcoin_stats"))) == ("1", 1)
    again = run(chain.config(points_per_day=1), state=result.state, select=("bitcoin_stats",))
    assert (again.error, again.records("bitcoin_stats")) == (None, [])


@pytest.mark.parametrize(
    ("stated", "points"), [(7.25, "26.35"), (0, "19.1"), (True, "21.1"), ("9", "21.1"), (None, "21.1")]
)
def test_the_points_that_an_answer_states_count(run: Any, chain: Any, stated: Any, points: str) -> None:
    chain.alter("bitcoin/blocks", "s=id(desc)&limit=1", lambda answer: answer["context"].update(request_cost=stated))
    assert run(chain.config(), select=BLOCKS).state["api_quota"]["points"] == points


@pytest.mark.parametrize("dumps", ["a folder", "nowhere"])
def test_the_time_is_asked_of_the_account_where_no_dump_host_has_it(
    run: Any, chain: Any, asked: Any, dumps: str, tmp_path: Path
) -> None:
    url = tmp_path.as_uri() if dumps == "a folder" else "http://127.0.0.1:1"
    config = chain.config(points_per_day=5, dumps_url=url, api_key=SECRET)
    state = {"bookmarks": {}, "api_quota": {"day": "2024-01-03", "points": "5"}}
    assert run(config, state=state, select=BLOCKS).ids == []
    assert [(sent.path, sent.query) for sent in asked][-1] == ("/blockchair/premium/stats", f"key={SECRET}")
    assert len(asked) == (1 if dumps == "a folder" else 2)
    # The day is over by that clock, so its points count no more.
    state["api_quota"]["day"] = "2024-01-02"  # type: ignore[index]
    assert run({**config, "points_per_day": 10}, state=state, select=BLOCKS).ids == list(range(100))


def test_the_points_are_shared_by_all_streams(run: Any, chain: Any) -> None:
    result = run(chain.config(points_per_day=9))
    assert result.error is None
    assert len(result.records("bitcoin_stats")) == 1
    assert result.records("bitcoin_blocks") == []
    # Addresses 3.8, then 2 and 2 to find out which blocks are due, and what is left suffices for the statistics only.
    assert result.state["api_quota"]["points"] == "8.8"


def test_points_are_counted_even_if_the_run_fails(run: Any, chain: Any) -> None:
    refusing(chain, 430, after=2, times=1)
    assert run(chain.config(), select=BLOCKS).state["api_quota"]["points"] == "5"


def test_half_a_ranking_is_not_emitted(run: Any, chain: Any) -> None:
    limited = chain.config(top_addresses=200, points_per_day=5)
    assert run(limited, select=("bitcoin_addresses",)).records("bitcoin_addresses") == []
    assert run(chain.config(top_addresses=200), select=("bitcoin_addresses",)).records("bitcoin_addresses")


def test_no_default_limit_with_a_key(run: Any, chain: Any) -> None:
    chain.alter("bitcoin/blocks", "s=id(desc)&limit=1", lambda answer: answer["context"].update(request_cost=1440))
    assert run(chain.config(), select=BLOCKS).ids == []
    assert run(chain.config(api_key=SECRET), select=BLOCKS).ids == list(range(chain.tip + 1))


def test_the_key_stands_once_in_every_request(run: Any, chain: Any, asked: Any) -> None:
    refusing(chain, 500, after=0, times=2)
    run(chain.config(api_key=SECRET), select=BLOCKS)
    assert [sent.query.count("key=") for sent in asked] == [1] * 7
    assert all(sent.query.endswith(f"key={SECRET}") for sent in asked)


@pytest.mark.parametrize("body", ["json", "html"])
@pytest.mark.parametrize("code", [case.code for case in CASES] + [200, 0])
def test_the_key_is_in_no_output_of_any_failure(
    run: Any, chain: Any, code: int, body: str, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    # The key is repeated in the answer, as a proxy may.
    said = f"bad request /bitcoin/blocks?key={SECRET}"
    text = json.dumps({"data": None, "context": {"code": code, "error": said}}) if body == "json" else f"<p>{said}</p>"
    if code:
        chain.fault("bitcoin/blocks", {"status": code, "body": text}, times=None)
    config = chain.config(api_key=SECRET, dumps_key="dumps-s3cret")
    if code == 0:
        config["api_url"] = "http://user:pa55word@127.0.0.1:1"
    result = run(config, select=BLOCKS)
    assert result.records("bitcoin_blocks") == []
    output = "\n".join((*result.lines, str(result.error), repr(result.error), caplog.text, str(result.state)))
    for form in (SECRET, "k3y%2Bvery%2Fsecret", "dumps-s3cret", "pa55word"):
        assert form not in output
    cause = result.error
    while cause is not None:
        assert SECRET not in str(cause) + redact("")
        cause = cause.__cause__ or cause.__context__


def test_quota_without_a_clock() -> None:
    class Settings:
        requests_per_minute, points_per_day, api_url, dumps_folder = 10, 5, "http://127.0.0.1:1", "x"
        api_key, user_agent, timeout = None, "x", 1

    quota = Quota(Settings(), dict)  # type: ignore[arg-type]
    assert quota.stop_today("why").resume == "after the next 00:00 UTC"
    assert quota.rest() == 61.0
    with pytest.raises(Paused, match="why"):  # for the rest of this run
        quota.reserve(Decimal(1))


def test_a_clock_that_cannot_be_read_is_none() -> None:
    assert source_time({"Date": "Wed, 03 Jan 2024 18:40:09 GMT"}) == datetime(2024, 1, 3, 18, 40, 9, tzinfo=UTC)
    assert source_time({"Date": "Wed, 03 Jan 2024 20:40:09 +0200"}) == datetime(2024, 1, 3, 18, 40, 9, tzinfo=UTC)
    assert (source_time({}), source_time({"Date": "today"})) == (None, None)


def test_a_pause_ends_when_its_moment_comes_in_the_same_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class Settings:
        requests_per_minute, points_per_day = 10, 20

    state: dict[str, Any] = {}
    quota = Quota(Settings(), lambda: state)  # type: ignore[arg-type]
    clock, elapsed = ["2024-05-06T23:00:00+00:00"], [0.0]
    monkeypatch.setattr(quota, "_probe", lambda: datetime.fromisoformat(clock[0]))
    monkeypatch.setattr("tap_blockchair.quota.monotonic", lambda: elapsed[0])
    quota._see(datetime.fromisoformat(clock[0]))
    state["api_quota"]["points"] = "18"

    def reserve() -> str:
        try:
            quota.reserve(Decimal(5))
        except Paused as pause:
            return pause.resume
        return "let through"

    assert reserve() == "after 2024-05-07 00:00 UTC"
    clock[0] = "2024-05-07T01:00:00+00:00"
    assert reserve() == "after 2024-05-07 00:00 UTC", "the clock is not asked at every request"
    elapsed[0] = 7200.0  # dump days came in between
    assert reserve() == "let through"
    quota.stop_for(timedelta(hours=1), "banned")
    assert reserve() == "after 2024-05-07 02:00 UTC"
    clock[0], elapsed[0] = "2024-05-07T01:59:59+00:00", 12_000.0
    assert reserve() == "after 2024-05-07 02:00 UTC"
    clock[0], elapsed[0] = "2024-05-07T02:00:00+00:00", 13_000.0
    assert reserve() == reserve() == "let through"


def test_an_api_that_sends_the_tap_in_circles(run: Any, chain: Any, httpserver: HTTPServer) -> None:
    turn = {"Location": httpserver.url_for("/api/bitcoin/blocks")}
    httpserver.expect_request("/api/bitcoin/blocks").respond_with_data(status=302, headers=turn)
    config = chain.config(api_key=SECRET, api_url=httpserver.url_for("/api"))
    result = run(config, select=BLOCKS)
    assert "cannot reach" in str(result.error)
    assert "TooManyRedirects" in str(result.error)
    assert SECRET not in str(result.error)
