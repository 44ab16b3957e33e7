"""What every response carries, whatever route, refusal or failure it comes from."""

import logging
from typing import Any

import pytest

from simulator.coingecko.prices import Prices


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/coingecko/api/v3/ping", 200),
        ("/coingecko/api/v3/no/such/path", 404),
        ("/_simulator/status", 200),
        ("/_simulator/none", 404),
        ("/", 404),
        ("/docs", 404),
    ],
)
def test_origin_and_simulated_date_stand_on_every_response(api: Any, path: str, status: int) -> None:
    response = api.client.get(path, follow_redirects=False)
    assert response.status_code == status
    assert response.headers.get_list("x-data-origin") == ["simulator"]
    assert response.headers.get_list("date") == ["Wed, 15 Jan 2025 06:00:00 GMT"]


def test_also_on_a_failure(make_api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    api = make_api()
    monkeypatch.setattr(Prices, "series", lambda *_, **__: 1 / 0)
    response = api.get("/coins/bitcoin/market_chart", vs_currency="usd", days=1)
    assert response.status_code == 500
    assert response.headers["x-data-origin"] == "simulator"
    assert response.headers["date"] == "Wed, 15 Jan 2025 06:00:00 GMT"


def test_the_date_follows_the_clock(api: Any) -> None:
    api.advance("2025-02-03T04:05:06")
    assert api.get("/ping").headers["date"] == "Mon, 03 Feb 2025 04:05:06 GMT"


def test_advance_by_days(api: Any) -> None:
    answer = api.client.post("/_simulator/advance", json={"days": 2})
    assert answer.json()["now"] == "2025-01-17T06:00:00+00:00"
    answer = api.client.post("/_simulator/advance", json={"hours": 1, "minutes": 2, "seconds": 3})
    assert answer.json()["now"] == "2025-01-17T07:02:03+00:00"


@pytest.mark.parametrize(
    "body", ["", "{}", "[]", '{"days": "x"}', '{"days": -1}', '{"to": "2025-01-01"}', '{"to": 5}', '{"days": 1e12}']
)
def test_an_advance_that_cannot_be_done_is_refused_and_moves_nothing(api: Any, body: str) -> None:
    answer = api.client.post("/_simulator/advance", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")
    assert api.client.get("/_simulator/status").json()["now"] == "2025-01-15T06:00:00+00:00"


def test_no_query_string_is_logged(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "simulator.requests"):
        api.get("/ping", x_cg_demo_api_key="CG-hidden")
    assert "GET /coingecko/api/v3/ping 200" in caplog.text
    assert not any("CG-hidden" in record.getMessage() for record in caplog.records if record.name.startswith("simul"))


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Origin": "http://evil.example"}, "The simulator obeys no page of http://evil.example."),
        ({"Origin": "null"}, "The simulator obeys no page of null."),
        ({"Origin": "http://127.0.0.1:8001", "Host": "127.0.0.1:8000"}, "no page of http://127.0.0.1:8001."),
        # a page whose name was made to resolve to this address
        ({"Origin": "http://evil.example:80", "Host": "evil.example:80"}, "no request for the host evil.example; use"),
        ({"Host": "evil.example"}, "no request for the host evil.example; use"),
    ],
)
def test_a_web_page_is_not_obeyed(api: Any, headers: dict[str, str], said: str) -> None:
    answer = api.client.post(
        "/_simulator/faults", content='[{"match": "x", "action": {"status": 402}}]', headers=headers
    )
    assert (answer.status_code, answer.headers["x-data-origin"]) == (403, "simulator")
    assert said in answer.json()["error"]
    assert api.client.get("/_simulator/faults").json() == {"faults": []}


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "10.0.0.5", "simulator:8000"])
def test_a_program_is_obeyed_by_each_name_of_the_machine(api: Any, host: str) -> None:
    for headers in ({"Host": host}, {"Host": host, "Origin": f"http://{host}"}):
        assert api.client.post("/_simulator/advance", json={"days": 1}, headers=headers).status_code == 200
