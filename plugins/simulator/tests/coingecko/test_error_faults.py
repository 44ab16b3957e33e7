"""Faults that only CoinGecko knows: every envelope and code, and answers that are not what they seem."""

import json
from typing import Any

import pytest

TIME = "2025-01-15T06:00:00.000+00:00"


def spoilt(api: Any, action: dict[str, Any]) -> Any:
    rule = [{"match": "^/coingecko/", "action": action}]
    assert api.client.post("/_simulator/faults", json=rule).status_code == 200
    answer = api.get("/coins/bitcoin/market_chart", vs_currency="usd", days=2)
    assert api.get("/ping").status_code == 200
    return answer


@pytest.mark.parametrize(
    ("code", "status", "envelope"),
    [
        (10002, 401, "A"),
        (10005, 401, "A"),
        (10006, 429, "A"),
        (10010, 400, "A"),
        (10011, 400, "A"),
        (10012, 401, "B"),
        (10013, 401, "A"),
        (403, 403, "A"),
        (429, 429, "A"),
        (1020, 403, "A"),
    ],
)
def test_a_code_has_its_status_and_envelope(api: Any, code: int, status: int, envelope: str) -> None:
    answer = spoilt(api, {"code": code})
    body = answer.json() if envelope == "A" else answer.json()["error"]
    assert answer.status_code == status
    assert list(body) == ["status"]
    assert list(body["status"]) == ["timestamp", "error_code", "error_message"]
    assert (body["status"]["timestamp"], body["status"]["error_code"]) == (TIME, code)


@pytest.mark.parametrize(
    ("envelope", "body", "media"),
    [
        ("A", {"status": {"timestamp": TIME, "error_code": 10002, "error_message": "no"}}, "application/json"),
        ("A-old", {"status": {"error_code": 10002, "error_message": "no"}}, "application/json"),
        (
            "B",
            {"error": {"status": {"timestamp": TIME, "error_code": 10002, "error_message": "no"}}},
            "application/json",
        ),
        ("C", {"error": "no"}, "application/json"),
        ("D", {"error_code": 10002, "status": {"error_message": "no"}}, "application/json"),
        ("E", "Throttled\n", "text/plain"),
        ("F", "error code: 10002", "text/plain"),
    ],
)
def test_every_envelope(api: Any, envelope: str, body: object, media: str) -> None:
    answer = spoilt(api, {"code": 10002, "status": 401, "envelope": envelope, "message": "no"})
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith(media)
    assert (answer.text if isinstance(body, str) else answer.json()) == body


@pytest.mark.parametrize(("code", "status"), [(1015, 429), (1020, 403)])
def test_the_edge_answers_in_text_or_as_a_page(api: Any, code: int, status: int) -> None:
    text = spoilt(api, {"code": code, "envelope": "F"})
    assert (text.status_code, text.text) == (status, f"error code: {code}")
    page = spoilt(api, {"code": code, "envelope": "F-page"})
    assert page.status_code == status
    assert page.headers["content-type"].startswith("text/html")
    assert page.text.startswith("<html>")


@pytest.mark.parametrize(
    ("status", "message"),
    [(400, "invalid vs_currency"), (404, "coin not found"), (422, "Missing parameter vs_currency")],
)
def test_application_errors_have_no_code(api: Any, status: int, message: str) -> None:
    answer = spoilt(api, {"status": status})
    assert (answer.status_code, answer.json()) == (status, {"error": message})
    assert spoilt(api, {"status": status, "message": "other"}).json() == {"error": "other"}


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_server_trouble_in_either_form(api: Any, status: int) -> None:
    assert spoilt(api, {"status": status}).json()["status"]["error_code"] == status
    page = spoilt(api, {"status": status, "html": True})
    assert (page.status_code, page.text[:6]) == (status, "<html>")


def test_a_refusal_in_a_good_answer(api: Any) -> None:
    answer = spoilt(api, {"status": 200, "code": 429})
    assert answer.status_code == 200
    assert answer.json()["status"]["error_code"] == 429


def test_how_long_to_wait(api: Any) -> None:
    answer = spoilt(api, {"code": 429, "headers": {"Retry-After": 119, "ETag": None}})
    assert answer.headers["retry-after"] == "119"
    assert "etag" not in answer.headers
    good = spoilt(api, {"headers": {"x-data-source": "elsewhere"}})
    assert good.headers["x-data-source"] == "elsewhere"
    assert good.json()["prices"]


def test_any_text_in_place_of_an_answer(api: Any) -> None:
    text = '{"prices":[[1,2'
    answer = spoilt(api, {"body": text})
    assert (answer.status_code, answer.text) == (200, text)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-data-origin"] == "simulator"
    assert spoilt(api, {"body": "", "status": 503}).status_code == 503
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert spoilt(api, {"data": []}).json() == []
    assert spoilt(api, {"data": None}).json() is None


@pytest.mark.parametrize(
    "action",
    [{"status": 200}, {"envelope": "G"}, {"code": "x"}, {"body": 1}, {"headers": []}, {"status": 302}, {"message": 1}],
)
def test_an_action_that_is_not_understood_is_refused(api: Any, action: dict[str, Any]) -> None:
    answer = api.client.post("/_simulator/faults", json=[{"match": "x", "action": action}])
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")
