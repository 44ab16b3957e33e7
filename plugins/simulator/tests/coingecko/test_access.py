"""Hosts, keys, plans, calls a minute and credits a month."""

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from simulator.coingecko.plans import PLANS

NOW = datetime(2025, 1, 15, 6, tzinfo=UTC)
PUBLIC, PAID = ("keyless", "demo"), ("basic", "analyst", "lite", "pro", "enterprise")


def ask(api: Any, place: str = "", path: str = "/ping", demo: str = "", pro: str = "", **parameters: object) -> Any:
    headers = {f"x-cg-{kind}-api-key": key for kind, key in (("demo", demo), ("pro", pro)) if key}
    query = {name.rstrip("_"): str(value) for name, value in parameters.items()}
    root = f"/coingecko/{place}/api/v3" if place else "/coingecko/api/v3"
    return api.client.get(root + path, params=query, headers=headers)


def code(response: Any) -> tuple[int, int | None]:
    body = response.json()
    inner = body.get("error", body)
    return response.status_code, inner["status"]["error_code"] if "status" in inner else None


@pytest.mark.parametrize("place", PUBLIC)
def test_the_public_host_takes_no_pro_key(api: Any, place: str) -> None:
    assert ask(api, place).status_code == ask(api, place, demo="CG-a").status_code == 200
    assert code(ask(api, place, pro="CG-a")) == (400, 10010)


@pytest.mark.parametrize("place", PAID)
def test_the_pro_host_takes_pro_keys_only(api: Any, place: str) -> None:
    assert ask(api, place, pro="CG-a").status_code == 200
    assert code(ask(api, place, demo="CG-a")) == (400, 10011)
    assert code(ask(api, place)) == (401, 10002)
    assert code(ask(api, place, path="/key", pro="CG-a")) == (200, None)


def test_keys_of_another_plan_are_known_for_it(make_api: Any) -> None:
    api = make_api(coingecko_keys=("CG-d:demo", "CG-b:basic", "CG-any"))
    assert ask(api, demo="CG-d").status_code == ask(api, pro="CG-b").status_code == 200
    assert ask(api, demo="CG-any").status_code == ask(api, pro="CG-any").status_code == 200
    assert code(ask(api, "pro", pro="CG-d")) == (400, 10011)  # a Demo key, whatever header it comes in
    assert code(ask(api, "demo", demo="CG-b")) == (400, 10010)
    assert code(ask(api, demo="CG-typo")) == code(ask(api, "pro", pro="CG-typo")) == (401, 10002)
    assert ask(api, "pro", "/key", pro="CG-b").json()["plan"] == "Basic"


def test_a_key_may_come_in_the_query(api: Any) -> None:
    assert ask(api, path="/key", x_cg_pro_api_key="CG-a").status_code == 200
    assert code(ask(api, "pro", x_cg_demo_api_key="CG-a")) == (400, 10011)
    ask(api, pro="CG-a")
    ask(api)
    log = api.client.get("/_simulator/requests").json()["log"]
    assert [entry["keyed_by"] for entry in log] == ["query", "query", "header", None]
    assert [entry["keyed"] for entry in log] == [True, True, True, False]
    assert "CG-a" not in json.dumps(log)


@pytest.mark.parametrize("plan", PLANS)
def test_each_plans_history(api: Any, plan: str) -> None:
    key = {"demo": "CG-a"} if plan == "demo" else {} if plan == "keyless" else {"pro": "CG-a"}
    window = {"keyless": 365, "demo": 365, "basic": 730}.get(plan)
    now = int(NOW.timestamp())

    def chart(days_back: int, seconds: int = 0) -> tuple[int, int | None]:
        start = now - days_back * 86_400 - seconds
        parameters = {"vs_currency": "usd", "from_": start, "to": start + 200 * 86_400}
        return code(ask(api, plan, "/coins/bitcoin/market_chart/range", **key, **parameters))

    if window is None:
        assert chart(4000) == (200, None)
        return
    assert chart(window) == (200, None)
    assert chart(window, 1) == (401, 10012)
    days = {"vs_currency": "usd", "days": window + 1}
    assert code(ask(api, plan, "/coins/bitcoin/market_chart", **key, **days)) == (401, 10012)


def test_what_is_paid_for_is_refused_on_the_public_host(api: Any) -> None:
    paths = ("/key", "/coins/bitcoin/ohlc/range", "/global/market_cap_chart", "/news", "/coins/list/new")
    for path in paths:
        assert code(ask(api, "demo", path, demo="CG-a")) == (401, 10005)
        assert code(ask(api, path=path)) == (401, 10005)
    assert ask(api, "pro", "/news", pro="CG-a").json() == {
        "error": "Incorrect path. Please check https://www.coingecko.com/api/"
    }


def test_fine_points_are_for_enterprise(api: Any) -> None:
    parameters = {"vs_currency": "usd", "from_": "2025-01-01", "to": "2025-01-03", "interval": "5m"}
    path = "/coins/bitcoin/market_chart/range"
    assert code(ask(api, "pro", path, pro="CG-a", **parameters)) == (401, 10005)
    points = ask(api, "enterprise", path, pro="CG-a", **parameters).json()["prices"]
    assert 540 < len(points) < 577
    long = {**parameters, "to": "2025-01-12"}
    assert code(ask(api, "enterprise", path, pro="CG-a", **long)) == (400, None)


def test_hourly_points_for_all_or_for_enterprise(make_api: Any) -> None:
    parameters = {"vs_currency": "usd", "days": 5, "interval": "hourly"}
    path = "/coins/bitcoin/market_chart"
    assert ask(make_api(), "demo", path, **parameters).status_code == 200
    strict = make_api(quirks=("coingecko-hourly-enterprise",))
    assert code(ask(strict, "demo", path, **parameters)) == (401, 10005)
    assert ask(strict, "enterprise", path, pro="CG-a", **parameters).status_code == 200


def test_a_minute_that_is_full(make_api: Any) -> None:
    api = make_api("2025-01-15T06:00:13", coingecko_per_minute=3)
    assert ask(api).status_code == 200
    assert ask(api, path="/coins/nocoin").status_code == ask(api, path="/no/such").status_code == 404  # these count
    refused = ask(api)
    assert (refused.status_code, refused.headers["retry-after"], refused.text) == (429, "47", "Throttled\n")
    assert refused.headers["content-type"].startswith("text/plain")
    assert ask(api, demo="CG-a").status_code == 200  # another client
    for _ in range(2):
        ask(api, demo="CG-a")
    refused = ask(api, demo="CG-a")
    assert code(refused) == (429, 429)
    assert refused.headers["retry-after"] == "47"
    api.advance("2025-01-15T06:01")
    assert ask(api).status_code == ask(api, demo="CG-a").status_code == 200


def test_the_plans_own_minutes(make_api: Any) -> None:
    api = make_api(coingecko_limits="plan")
    assert [ask(api).status_code for _ in range(6)] == [200] * 5 + [429]
    assert [ask(api, demo="CG-a").status_code for _ in range(31)] == [200] * 30 + [429]
    assert ask(api, "pro", "/key", pro="CG-a").json()["rate_limit_request_per_minute"] == 1000


def test_credits_that_are_used_up(make_api: Any) -> None:
    api = make_api(coingecko_credits=2)
    assert ask(api, demo="CG-a", path="/no/such").status_code == 404  # a failed call costs nothing
    assert [ask(api, demo="CG-a").status_code for _ in range(2)] == [200, 200]
    refused = ask(api, demo="CG-a")
    assert code(refused) == (429, 10006)
    assert "calls limit" in refused.json()["status"]["error_message"]
    assert "retry-after" not in refused.headers
    assert ask(api).status_code == 200  # nobody counts without a key
    assert ask(api, demo="CG-b").status_code == 200
    api.advance("2025-02-01")
    assert ask(api, demo="CG-a").status_code == 200


def test_credits_by_key_and_by_the_other_rules(make_api: Any) -> None:
    api = make_api(coingecko_keys=("CG-a:analyst:2", "CG-b"), quirks=("coingecko-failures-cost", "coingecko-quota-401"))
    assert ask(api, "pro", "/no/such", pro="CG-a").status_code == 404
    stated = ask(api, "pro", "/key", pro="CG-a").json()
    assert (stated["plan"], stated["monthly_call_credit"], stated["current_remaining_monthly_calls"]) == (
        "Analyst",
        2,
        1,
    )
    assert code(ask(api, "pro", "/key", pro="CG-a")) == (401, 10006)
    assert all(ask(api, "pro", pro="CG-b").status_code == 200 for _ in range(3))


def test_the_order_of_refusals(make_api: Any) -> None:
    """The first of them is said: agent, host, key, minute, credits, plan, parameters, coin, currency, window."""
    api = make_api(coingecko_keys=("CG-a:demo:1",), coingecko_per_minute=4)
    path = "/coins/nocoin/market_chart"
    bare = api.client.get(f"/coingecko/pro/api/v3{path}", headers={"user-agent": "", "x-cg-demo-api-key": "CG-x"})
    assert code(bare) == (403, 403)
    assert code(ask(api, "pro", path, demo="CG-x")) == (400, 10011)
    assert code(ask(api, "demo", path, demo="CG-x")) == (401, 10002)
    assert code(ask(api, "demo", "/key", demo="CG-a")) == (401, 10005)
    assert ask(api, "demo", path, demo="CG-a").json() == {"error": "Missing parameter vs_currency"}
    parameters = {"vs_currency": "zzz", "days": 400}
    assert ask(api, "demo", path, demo="CG-a", **parameters).json() == {"error": "coin not found"}
    known = "/coins/bitcoin/market_chart"
    assert ask(api, "demo", known, demo="CG-a", **parameters).json() == {"error": "invalid vs_currency"}
    assert code(ask(api, "demo", known, demo="CG-a", **parameters)) == (429, 429)
    api.advance("2025-01-15T06:01")
    assert code(ask(api, "demo", known, demo="CG-a", vs_currency="usd", days=400)) == (401, 10012)
    assert ask(api, "demo", demo="CG-a").status_code == 200
    assert code(ask(api, "demo", "/key", demo="CG-a")) == (429, 10006)


def test_answers_are_zipped_when_asked_for_and_never_redirect(api: Any) -> None:
    path = "/coingecko/api/v3/coins/list/"
    with api.client.stream("GET", path, headers={"accept-encoding": "gzip"}, follow_redirects=False) as response:
        content = b"".join(response.iter_raw())
        assert response.headers["content-encoding"] == "gzip"
    plain = api.client.get(path, headers={"accept-encoding": "identity"}, follow_redirects=False)
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(content) == plain.content
    names = ("age", "cf-cache-status", "cf-ray", "server", "vary", "x-request-id", "x-runtime", "etag", "cache-control")
    assert all(plain.headers[name] for name in names)
    assert plain.headers["server"] == "cloudflare"
    assert plain.headers["access-control-expose-headers"] == "link, per-page, total"


def test_caching_headers_are_the_vendors(api: Any) -> None:
    stated = {
        "/coins/bitcoin/history?date=2025-01-10": 1800,
        "/coins/bitcoin": 30,
        "/coins/list": 300,
        "/global": 600,
        "/exchange_rates": 60,
    }
    for path, seconds in stated.items():
        assert api.client.get(f"/coingecko/api/v3{path}").headers["cache-control"].endswith(f"s-maxage={seconds}")
