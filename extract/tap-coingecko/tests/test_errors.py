"""Errors: distinguished from data in each of the source's envelopes, tried again or not, reported in a sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer
from singer_sdk.exceptions import FatalAPIError, FatalSyncError, RetriableAPIError

from tap_coingecko.errors import AsideError, BeyondReachError, TooManyCallsError, read_refusal

MARKETS = "coingecko_coins_markets"
PATH = "/api/v3/coins/markets"
BITCOIN = '[{"id":"bitcoin","symbol":"btc","name":"Bitcoin"}]'
KEY = "CG-secret0123456789"
STAMP = '"timestamp":"2026-05-17T01:39:44.892+00:00"'


def answer(status: int, text: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = text.encode()
    return response


ENVELOPES = [
    pytest.param(401, '{"status":{"error_code":10002,"error_message":"no"}}', 10002, "no", id="A"),
    pytest.param(401, f'{{"status":{{{STAMP},"error_code":10005,"error_message":"no"}}}}', 10005, "no", id="A, newer"),
    pytest.param(
        401, f'{{"error":{{"status":{{{STAMP},"error_code":10012,"error_message":"no"}}}}}}', 10012, "no", id="B"
    ),
    pytest.param(404, '{"error":"coin not found"}', None, "coin not found", id="C"),
    pytest.param(400, '{"error_code":10010,"status":{"error_message":"no"}}', 10010, "no", id="D"),
    pytest.param(429, "Throttled\n", None, "Throttled", id="E"),
    pytest.param(429, "error code: 1015", 1015, "error code: 1015", id="F, text"),
    pytest.param(403, "<html><body>error code: 1020</body></html>", 1020, "", id="F, page"),
    pytest.param(200, '{"status":{"error_code":429,"error_message":"no"}}', 429, "no", id="an error in a 200"),
    pytest.param(200, '{"prices":[[1', None, "the answer is not JSON, or only part of it", id="cut short"),
    pytest.param(500, "[]", None, "", id="no envelope"),
]


@pytest.mark.parametrize(("status", "text", "code", "said"), ENVELOPES)
def test_envelopes(status: int, text: str, code: int | None, said: str) -> None:
    refusal = read_refusal(answer(status, text))

    assert refusal is not None
    assert (refusal.status, refusal.code, refusal.text) == (status, code, said)


def test_of_several_codes_the_outermost_counts() -> None:
    inner, both = '"error":{"status":{"error_code":3}}', '"status":{"error_code":2},"error":{"status":{"error_code":3}}'
    for text, code in ((f'{{"error_code":1,{both}}}', 1), (f"{{{both}}}", 2), (f'{{"error_code":"x",{inner}}}', 3)):
        refusal = read_refusal(answer(401, text))
        assert refusal is not None
        assert refusal.code == code


@pytest.mark.parametrize(
    ("text", "passed_on"), [("x" * 200, "x" * 200), ("x" * 201, "x" * 197 + "..."), (" a\n\t b ", "a b")]
)
def test_a_long_text_is_cut_to_200_characters(text: str, passed_on: str) -> None:
    refusal = read_refusal(answer(404, json.dumps({"error": text})))

    assert refusal is not None
    assert refusal.text == passed_on


@pytest.mark.parametrize(
    ("status", "body", "begins", "ends"),
    [
        (401, '{"status":{"error_code":10002,"error_message":"no"}}', "HTTP 401, code 10002: the", " (it said: no)"),
        (403, '{"status":{"error_code":403,"error_message":"no"}}', "HTTP 403: it", " (it said: no)"),
        (200, '{"status":{"error_code":429}}', "HTTP 200, code 429: too many calls", "run again later"),
        (404, '{"error":"coin not found"}', "HTTP 404: there", " (it said: coin not found)"),
        (403, "<html>no</html>", "HTTP 403: it", "`user_agent`"),
    ],
)
def test_a_sentence_names_the_code_unless_it_is_the_status(status: int, body: str, begins: str, ends: str) -> None:
    refusal = read_refusal(answer(status, body))

    assert refusal is not None
    sentence = refusal.sentence("/ping")
    assert sentence.startswith(f"CoinGecko refused /ping with {begins}")
    assert sentence.endswith(ends)


@pytest.mark.parametrize("text", ["[]", "{}", '{"prices":[]}'])
def test_data_is_no_refusal(text: str) -> None:
    assert read_refusal(answer(200, text)) is None


#: Every code with every status it was seen or reported with: how far it goes, and what the sentence advises.
RUN, PART, RANGE = FatalAPIError, AsideError, BeyondReachError
TERMINAL = [
    (400, None, PART, "`vs_currencies`"),
    (400, 10010, RUN, "`plan` to the paid plan"),
    (401, 10010, RUN, "`plan` to the paid plan"),
    (400, 10011, RUN, "`plan` to demo"),
    (401, 10011, RUN, "`plan` to demo"),
    (401, None, RUN, "COINGECKO_API_KEY"),
    (401, 10002, RUN, "COINGECKO_API_KEY"),
    (401, 10005, RUN, "not part of the plan"),
    (200, 10005, RUN, "not part of the plan"),
    (401, 10012, RANGE, "`start_date` later"),
    (401, 10006, RUN, "credits"),
    (429, 10006, RUN, "credits"),
    (403, 403, RUN, "`user_agent`"),
    (403, 1020, RUN, "firewall"),
    (404, None, PART, "`coins`"),
    (404, 10013, PART, "`coins`"),
    (422, None, PART, "`vs_currencies`"),
    (302, None, RUN, "not known"),
    (200, 10099, RUN, "not known"),
    (418, None, RUN, "not known"),
]
#: The envelopes that carry a code, and those that carry none.
SHAPES = {
    "A": '{{"status":{{"timestamp":"2026-05-17T01:39:44.892+00:00","error_code":{code},"error_message":"no"}}}}',
    "A-old": '{{"status":{{"error_code":{code},"error_message":"no"}}}}',
    "B": '{{"error":{{"status":{{"error_code":{code},"error_message":"no"}}}}}}',
    "D": '{{"error_code":{code},"status":{{"error_message":"no"}}}}',
    "F": "error code: {code}",
    "F-page": "<html><body>error code: {code}</body></html>",
}
CODELESS = {"C": '{"error":"no"}', "text": "no", "page": "<html>no</html>", "empty": "", "odd": '[{"error":1}]'}


@pytest.mark.parametrize(("status", "code", "extent", "advice"), TERMINAL)
def test_each_code_in_each_envelope(status: int, code: int | None, extent: type[Exception], advice: str) -> None:
    bodies = CODELESS if code is None else {name: shape.format(code=code) for name, shape in SHAPES.items()}
    for body in bodies.values():
        response = answer(status, body)
        refusal = read_refusal(response)

        assert refusal is not None
        error = refusal.error("/coins/markets", response)
        assert type(error) is extent, body
        assert advice in str(error)
        assert f"refused /coins/markets with HTTP {status}" in str(error)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429])
@pytest.mark.parametrize("text", ["Invalid API key", "This api key is unknown", "API Key Missing. Please make sure"])
def test_words_about_the_key_end_the_run_whatever_the_status(status: int, text: str) -> None:
    coded = {"status": {"error_code": 4711, "error_message": text}}
    for body in (text, json.dumps({"error": text}), json.dumps(coded)):
        refusal = read_refusal(answer(status, body))

        assert refusal is not None
        error = refusal.error("/ping", answer(status, body))
        assert type(error) is FatalAPIError
        assert "check `api_key` (COINGECKO_API_KEY in .env), and that `plan` (COINGECKO_PLAN)" in str(error)


def test_words_about_plans_are_none_about_the_key() -> None:
    said = {"status": {"error_code": 429, "error_message": "You've exceeded the Rate Limit. Get an API key for more."}}
    refusal = read_refusal(answer(429, json.dumps(said)))

    assert refusal is not None
    assert type(refusal.error("/ping", answer(429, ""))) is TooManyCallsError


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize(
    "body", [*CODELESS.values(), "Throttled\n", "error code: 1015", '{"status":{"error_code":429}}']
)
def test_passing_refusals_in_each_envelope(status: int, body: str) -> None:
    refusal = read_refusal(answer(status, body))

    assert refusal is not None
    error = refusal.error("/ping", answer(status, body))
    limited = status == 429 or "429" in body
    assert type(error) is (TooManyCallsError if limited else RetriableAPIError)


@pytest.fixture
def read(httpserver: HTTPServer, run_at: Callable[..., Any]) -> Callable[..., Any]:
    """Read bitcoin's market from the answers that a test states."""
    return lambda **settings: run_at(httpserver.url_for("/api/v3"), MARKETS, coins=["bitcoin"], **settings)


@pytest.mark.parametrize(("status", "code", "extent", "advice"), TERMINAL)
def test_terminal_errors_are_not_tried_again(
    httpserver: HTTPServer,
    read: Callable[..., Any],
    run_at: Any,
    naps: list[float],
    status: int,
    code: int | None,
    extent: type[Exception],
    advice: str,
) -> None:
    refusal = f'{{"status":{{"error_code":{code}}}}}' if code else ""
    httpserver.expect_oneshot_request(PATH).respond_with_data(refusal, status)
    httpserver.expect_request(PATH).respond_with_data(BITCOIN)

    with pytest.raises(FatalSyncError, match=re.escape(advice)):
        read(vs_currencies=["usd", "eur"])

    # What is about one part lets the others go on; everything else ends the run.
    assert len(httpserver.log) == (1 if extent is RUN else 2)
    assert len(run_at.last.records(MARKETS)) == len(httpserver.log) - 1
    assert naps == []


@pytest.mark.parametrize(
    ("status", "body", "headers", "shortest"),
    [
        (429, "Throttled\n", {"Retry-After": "119"}, 119),
        (429, "Throttled\n", {}, 60),
        (429, "error code: 1015", {"Retry-After": "0"}, 0),
        (429, "{}", {"Retry-After": "soon"}, 60),
        (429, "{}", {"Retry-After": "\xb2"}, 60),  # a digit, but no number
        (200, '{"status":{"error_code":429}}', {}, 60),
        (503, "{}", {"Retry-After": "7"}, 7),
        (408, "", {}, 1),
        (500, "<html>", {}, 1),
        (502, "", {}, 1),
        (504, "", {}, 1),
        (200, '[{"id":', {}, 1),
    ],
)
def test_passing_errors_are_tried_again(
    httpserver: HTTPServer,
    read: Callable[..., Any],
    naps: list[float],
    status: int,
    body: str,
    headers: dict[str, str],
    shortest: float,
) -> None:
    httpserver.expect_oneshot_request(PATH).respond_with_data(body, status, headers)
    httpserver.expect_request(PATH).respond_with_data(BITCOIN)

    rows = read().records(MARKETS)

    assert [row["id"] for row in rows] == ["bitcoin"]
    assert len(naps) == 1
    assert shortest <= naps[0] <= shortest + 1  # the SDK adds up to a second, so that clients do not march in step


@pytest.mark.parametrize(("until", "shortest"), [("12:01:30", 90), ("11:59:30", 0)])
def test_a_date_to_wait_for_is_read_by_the_sources_clock(
    simulator: Any, run_tap: Callable[..., Any], naps: list[float], until: str, shortest: float
) -> None:
    simulator.fault("/coins/markets", status=429, body="{}", headers={"Retry-After": f"Mon, 18 May 2026 {until} GMT"})

    assert len(run_tap(MARKETS).records(MARKETS)) == 1

    assert [shortest <= nap <= shortest + 1 for nap in naps] == [True]


@pytest.mark.parametrize(
    ("asks", "again"),
    [
        ("86400", "86400 s, which is longer than `max_wait` (900 s): run again after 2026-05-19 12:00 UTC"),
        ("901", "901 s, which is longer than `max_wait` (900 s): run again after 2026-05-18 12:15 UTC"),
        ("Mon, 18 May 2026 13:00:00 GMT", "3600 s, which is longer than"),
        ("9" * 30, "run again after 20"),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_long_wait_ends_the_run_and_says_when_to_come_again(
    simulator: Any, run_tap: Callable[..., Any], naps: list[float], sent: Any, status: int, asks: str, again: str
) -> None:
    simulator.fault("/coins/markets", status=status, body="{}", headers={"Retry-After": asks}, times=None)

    with pytest.raises(FatalSyncError, match=re.escape(again)):
        run_tap(MARKETS)

    assert naps == []
    assert sent.paths.count("/coins/markets") == 1


@pytest.mark.parametrize(("limit", "waits"), [(900, 1), (899, 0)])
def test_the_longest_wait_is_a_setting(
    simulator: Any, run_tap: Callable[..., Any], naps: list[float], limit: int, waits: int
) -> None:
    simulator.fault("/coins/markets", status=429, body="{}", headers={"Retry-After": "900"})

    with nullcontext() if waits else pytest.raises(FatalSyncError, match=re.escape("`max_wait` (899 s)")):
        run_tap(MARKETS, max_wait=limit)

    assert len(naps) == waits


def test_waits_grow_and_end(
    httpserver: HTTPServer, read: Callable[..., Any], naps: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    httpserver.expect_request(PATH).respond_with_data("", 503)

    with pytest.raises(FatalSyncError, match="HTTP 503: it is in trouble"):
        read()

    assert [int(nap) for nap in naps] == [1, 2, 4, 8]
    tries = [record.getMessage() for record in caplog.records if "follows in" in record.getMessage()]
    assert [re.findall(r"try \d of \d", text) for text in tries] == [[f"try {n} of 5"] for n in (2, 3, 4, 5)]


def test_a_rate_limit_without_end_ends_the_run(
    httpserver: HTTPServer, read: Callable[..., Any], naps: list[float]
) -> None:
    httpserver.expect_request(PATH).respond_with_data("", 429)

    with pytest.raises(RetriableAPIError, match="lower `requests_per_minute`"):
        read(vs_currencies=["usd", "eur"])

    assert [int(nap) for nap in naps] == [60] * 4
    assert len(httpserver.log) == 5


@pytest.mark.parametrize(("origin", "header"), [("live", "simulator"), ("simulator", None), ("simulator", "live")])
def test_wrong_origin_stops(
    httpserver: HTTPServer, read: Callable[..., Any], run_at: Any, origin: str, header: str | None
) -> None:
    httpserver.expect_request(PATH).respond_with_data(BITCOIN, headers={"X-Data-Origin": header} if header else {})

    with pytest.raises(FatalAPIError, match=f"`data_origin` is {origin}"):
        read(data_origin=origin)
    assert '"RECORD"' not in run_at.last.text


@pytest.mark.parametrize(("origin", "header"), [("live", None), ("simulator", "simulator"), (None, "simulator")])
def test_right_origin_passes(
    httpserver: HTTPServer, read: Callable[..., Any], origin: str | None, header: str | None
) -> None:
    httpserver.expect_request(PATH).respond_with_data(BITCOIN, headers={"X-Data-Origin": header} if header else {})
    settings = {"data_origin": origin} if origin else {}

    assert len(read(**settings).records(MARKETS)) == 1


@pytest.mark.parametrize(
    ("plan", "header"), [("demo", "x-cg-demo-api-key"), ("basic", "x-cg-pro-api-key"), ("lite", "x-cg-pro-api-key")]
)
def test_the_key_is_a_header_only(httpserver: HTTPServer, read: Callable[..., Any], plan: str, header: str) -> None:
    httpserver.expect_request(PATH).respond_with_data(BITCOIN)

    read(plan=plan, api_key=KEY)

    request, _ = httpserver.log[0]
    assert request.headers[header] == KEY
    assert KEY not in request.url
    assert request.headers["User-Agent"].startswith("tap-coingecko/")
    assert request.headers["Accept"] == "application/json"


def test_no_key_without_a_plan_for_it(httpserver: HTTPServer, read: Callable[..., Any]) -> None:
    httpserver.expect_request(PATH).respond_with_data(BITCOIN)

    read()

    request, _ = httpserver.log[0]
    assert not [name for name, _ in request.headers if "key" in name.lower()]


def test_the_key_is_cut_from_what_the_source_says(httpserver: HTTPServer, read: Callable[..., Any]) -> None:
    text = "x" * 190 + KEY  # the cut to 200 characters falls into the key
    refusal = {"status": {"error_code": 10002, "error_message": text}}
    httpserver.expect_request(PATH).respond_with_json(refusal, 401)

    with pytest.raises(FatalAPIError) as caught:
        read(plan="demo", api_key=KEY)

    assert KEY[:6] not in str(caught.value)


def test_redirects_are_not_followed(httpserver: HTTPServer, read: Callable[..., Any]) -> None:
    elsewhere = {"Location": httpserver.url_for("/api/v3/elsewhere")}
    httpserver.expect_request(PATH).respond_with_data("", 302, elsewhere)

    with pytest.raises(FatalAPIError, match="HTTP 302"):
        read(plan="demo", api_key=KEY)
    assert [request.path for request, _ in httpserver.log] == [PATH]
