"""Anomalies of single days, and answers that say more than was known."""

import json
from decimal import Decimal
from typing import Any

import pytest

DAY = 86_400_000
MIDNIGHT = 1_735_862_400_000  # 2025-01-03
KINDS = ("prices", "market_caps", "total_volumes")
FIELDS = {"price": "prices", "market_cap": "market_caps", "total_volume": "total_volumes"}


def put(api: Any, change: str, **more: Any) -> None:
    answer = api.client.post(
        "/_simulator/anomalies", json={"coin": "bitcoin", "day": "2025-01-03", "change": change, **more}
    )
    assert answer.status_code == 200, answer.text


def chart(api: Any, **parameters: Any) -> dict[str, dict[int, Any]]:
    asked = {"vs_currency": "usd", "days": 200, **parameters}
    answer = api.read("/coins/bitcoin/market_chart", **asked)
    return {kind: dict(map(tuple, answer[kind])) for kind in KINDS}


def day(api: Any, currency: str = "usd") -> dict[str, Any] | None:
    data = api.read("/coins/bitcoin/history", date="03-01-2025").get("market_data")
    return data and {kind: values.get(currency, "absent") for kind, values in data.items()}


def test_a_missing_day(api: Any) -> None:
    before = chart(api)
    put(api, "missing")
    after = chart(api)
    for kind in KINDS:
        assert before[kind].keys() - after[kind].keys() == {MIDNIGHT}
        assert after[kind].items() <= before[kind].items()
    assert day(api) is None
    assert not [stamp for stamp in chart(api, days=30)["prices"] if MIDNIGHT <= stamp < MIDNIGHT + DAY]
    assert api.client.delete("/_simulator/anomalies").json() == {"anomalies": []}
    assert chart(api) == before


def test_a_late_point(api: Any) -> None:
    before = chart(api)
    put(api, "missing", until="2025-01-15T12:00")
    assert MIDNIGHT not in chart(api)["prices"]
    api.advance("2025-01-15T11:59:59")
    assert MIDNIGHT not in chart(api)["prices"]
    api.advance("2025-01-15T12:00")
    assert chart(api)["prices"][MIDNIGHT] == before["prices"][MIDNIGHT]


def test_a_point_that_is_restated(api: Any) -> None:
    true = chart(api)["prices"][MIDNIGHT]
    put(api, "restated", until="2025-01-15T12:00")
    assert chart(api)["prices"][MIDNIGHT] == true * Decimal("1.01")
    api.advance("2025-01-15T12:00")
    assert chart(api)["prices"][MIDNIGHT] == true


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(("how", "value"), [("null", None), ("zero", 0), ("absent", "absent")])
def test_a_value_that_is_not_there(api: Any, field: str, how: str, value: object) -> None:
    before = chart(api)
    put(api, f"{how}_{field}")
    after = chart(api)
    for kind in KINDS:
        expected = dict(before[kind])
        if kind == FIELDS[field]:
            expected[MIDNIGHT] = value
        if value == "absent" and kind == FIELDS[field]:
            del expected[MIDNIGHT]
        assert after[kind] == expected
    known = day(api)
    assert known is not None
    assert list(known.values()).count(value) == 1


def test_a_point_off_midnight_in_its_place_or_beside_it(api: Any) -> None:
    true = chart(api)["prices"][MIDNIGHT]
    put(api, "off_midnight")
    moved = chart(api)["prices"]
    assert MIDNIGHT not in moved
    assert moved[MIDNIGHT + 311_000] == true
    known = day(api)
    assert known is not None
    assert known["current_price"] == true
    api.client.delete("/_simulator/anomalies")
    put(api, "doubled", seconds=60)
    assert list(chart(api)["prices"].items())[-15:-12] == [
        (MIDNIGHT, true),
        (MIDNIGHT + 60_000, true),
        (MIDNIGHT + DAY, chart(api)["prices"][MIDNIGHT + DAY]),
    ]


def test_a_moved_point_belongs_to_the_span_that_holds_it(api: Any) -> None:
    put(api, "off_midnight", seconds=600)

    def stamps(start: str, end: str) -> list[int]:
        parameters = {"from": start, "to": end, "interval": "daily", "vs_currency": "usd"}
        return [stamp for stamp, _ in api.read("/coins/bitcoin/market_chart/range", **parameters)["prices"]]

    assert stamps("2025-01-03T00:05", "2025-01-04") == [MIDNIGHT + 600_000, MIDNIGHT + DAY]
    assert stamps("2025-01-02", "2025-01-03T00:05") == [MIDNIGHT - DAY]


def test_numbers_in_other_forms(api: Any) -> None:
    def text() -> str:
        answer = api.get("/coins/bitcoin/market_chart", vs_currency="usd", days=200).text
        return str(dict(json.loads(answer, parse_float=str, parse_int=str)["market_caps"])[str(MIDNIGHT)])

    true = text()
    put(api, "exponent")
    assert "e+12" in text()
    assert Decimal(text()) == Decimal(true)
    api.client.delete("/_simulator/anomalies")
    put(api, "integer")
    assert text() == str(round(Decimal(true)))


def test_an_anomaly_of_one_currency_leaves_the_others(api: Any) -> None:
    before = chart(api)
    put(api, "missing", currency="eur")
    assert chart(api) == before
    assert MIDNIGHT not in chart(api, vs_currency="eur")["prices"]
    known, absent = day(api), day(api, "eur")
    assert known is not None
    assert absent is not None
    assert "absent" not in known.values()
    assert set(absent.values()) == {"absent"}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"coin": "bitcoin", "day": "2025-01-03"},
        {"coin": "bitcoin", "day": "2025-01-03", "change": "burnt"},
        {"coin": "bitcoin", "day": "yesterday", "change": "missing"},
        {"coin": "bitcoin", "day": "2025-01-03", "change": "missing", "until": "soon"},
        {"coin": "bitcoin", "day": "2025-01-03", "change": "doubled", "seconds": 0},
        {"coin": "bitcoin", "day": "2025-01-03", "change": "missing", "often": 1},
        [{"coin": "bitcoin", "day": "2025-01-03", "change": "missing"}, {}],
    ],
)
def test_an_anomaly_that_is_not_understood_is_refused_whole(api: Any, given: object) -> None:
    answer = api.client.post("/_simulator/anomalies", json=given)
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")
    assert api.client.get("/_simulator/anomalies").json() == {"anomalies": []}


def test_the_earlier_name_of_the_endpoint_serves_one_more_release(api: Any) -> None:
    given = {"coin": "bitcoin", "day": "2025-01-03", "change": "missing"}
    assert api.client.post("/_simulator/oddities", json=given).json() == {"oddities": [given]}
    assert api.client.get("/_simulator/anomalies").json() == {"anomalies": [given]}
    assert MIDNIGHT not in chart(api)["prices"]
    assert api.client.delete("/_simulator/oddities").json() == {"oddities": []}


def test_keys_that_nobody_knows(make_api: Any) -> None:
    api = make_api(quirks=("coingecko-extra-keys",))
    plain = make_api()
    for path in ("/coins/bitcoin/market_chart?vs_currency=usd&days=200", "/global", "/coins/tether"):
        odd, usual = (one.client.get(f"/coingecko/api/v3{path}").json() for one in (api, plain))
        assert odd.keys() - usual.keys() == {"simulated_later_addition"}
        assert {key: odd[key] for key in usual} == usual
    for path in ("/coins/list", "/coins/markets?vs_currency=usd", "/asset_platforms"):
        rows = api.client.get(f"/coingecko/api/v3{path}").json()
        assert all("simulated_later_addition" in row for row in rows)
    assert "sats" in api.read("/simple/supported_vs_currencies")


def test_an_early_midnight(make_api: Any) -> None:
    api = make_api("2025-01-15T00:10", quirks=("coingecko-early-midnights",))
    today = 1_736_899_200_000
    assert today in chart(api)["prices"]
    ranged = api.read(
        "/coins/bitcoin/market_chart/range", **{"vs_currency": "usd", "from": "2024-08-01", "to": "2025-01-15T00:10"}
    )
    assert today not in dict(map(tuple, ranged["prices"]))
