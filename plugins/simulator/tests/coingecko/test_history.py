"""A coin's past: days and candles say what the charts say."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from simulator.coingecko.coins import COINS

DAY = 86_400_000
PRO = ("x-cg-pro-api-key", "CG-any")
DEMO = ("x-cg-demo-api-key", "CG-any")
NOW = 1_736_920_800_000  # 2025-01-15 06:00


def ohlc(api: Any, **parameters: Any) -> Any:
    return api.read(
        "/coins/bitcoin/ohlc", **{"vs_currency": "usd", "days": 30, "precision": "full", "key": PRO, **parameters}
    )


@pytest.mark.parametrize("coin", [coin.coin_id for coin in COINS])
def test_a_day_is_the_charts_point_of_its_midnight_to_the_last_digit(api: Any, coin: str) -> None:
    day = datetime(2024, 11, 3, tzinfo=UTC)
    data = api.read(f"/coins/{coin}/history", date="03-11-2024")["market_data"]
    assert all(len(data[kind]) == 63 for kind in ("current_price", "market_cap", "total_volume"))
    for currency in ("usd", "eur", "btc", "sats", "xau", "jpy"):
        chart = api.read(f"/coins/{coin}/market_chart", vs_currency=currency, days=200)
        kinds = {"current_price": "prices", "market_cap": "market_caps", "total_volume": "total_volumes"}
        for name, kind in kinds.items():
            points = dict(map(tuple, chart[kind]))
            assert data[name][currency] == points[int(day.timestamp()) * 1000]


def test_a_day_has_the_keys_of_the_vendors_example(api: Any, samples_dir: Path) -> None:
    example = json.loads((samples_dir / "coingecko/api/coins_id_history.200.json").read_text())["body"]
    gone = {"community_data", "developer_data"}
    answer = api.read("/coins/bitcoin/history", date="10-01-2025")
    assert list(answer) == [key for key in example if key not in gone]
    assert answer["localization"].keys() == example["localization"].keys()
    assert answer["market_data"]["current_price"].keys() >= example["market_data"]["current_price"].keys()
    assert answer["public_interest_stats"] == example["public_interest_stats"]
    assert "localization" not in api.read("/coins/bitcoin/history", date="10-01-2025", localization="false")


def test_a_date_may_be_written_either_way(api: Any) -> None:
    assert api.read("/coins/bitcoin/history", date="09-01-2025") == api.read(
        "/coins/bitcoin/history", date="2025-01-09"
    )
    for text in ("31-02-2025", "today", "2025-13-01"):
        assert api.get("/coins/bitcoin/history", date=text).status_code == 400
    assert api.get("/coins/bitcoin/history").json() == {"error": "Missing parameter date"}


def test_a_day_without_data_is_a_good_answer_without_market_data(make_api: Any) -> None:
    api = make_api("2025-01-15T00:34:59")
    assert "market_data" not in api.read("/coins/bitcoin/history", date="15-01-2025")
    assert "market_data" not in api.read("/coins/ethereum/history", date="01-01-2015", key=PRO)
    api.advance("2025-01-15T00:35")
    assert "market_data" in api.read("/coins/bitcoin/history", date="15-01-2025")


def test_a_day_of_the_public_plans_lies_at_most_365_days_back(api: Any) -> None:
    assert api.get("/coins/bitcoin/history", date="16-01-2024", key=DEMO).status_code == 200
    assert api.get("/coins/bitcoin/history", date="16-01-2024").status_code == 200
    refused = api.get("/coins/bitcoin/history", date="15-01-2024", key=DEMO)  # 2024 was a leap year: 366 days
    assert refused.status_code == 401
    assert refused.json()["error"]["status"]["error_code"] == 10012


def test_a_real_export_is_served_day_by_day(make_api: Any, samples_dir: Path) -> None:
    api = make_api(prices_dir=samples_dir / "coingecko/csv")

    def price(day: str) -> Any:
        answer = api.read("/coins/ethereum/history", date=day, key=PRO)
        return answer["market_data"]["current_price"]["usd"] if "market_data" in answer else None

    assert price("2015-08-08") == Decimal("1.33075")
    assert price("2015-08-09") is None
    assert price("2018-01-30") == Decimal("1161.9086430994253")  # stamped 00:05:11
    caps = api.read("/coins/ethereum/history", date="2017-04-02", key=PRO)["market_data"]["market_cap"]
    assert caps == {"usd": None}


@pytest.mark.parametrize(
    ("days", "body"), [(1, DAY // 48), (7, DAY // 6), (14, DAY // 6), (30, DAY // 6), (90, 4 * DAY), (365, 4 * DAY)]
)
def test_candles_are_as_long_as_the_days_ask_for(api: Any, days: int, body: int) -> None:
    rows = ohlc(api, days=days)
    stamps = [row[0] for row in rows]
    first = (NOW - days * DAY) // body * body + body
    assert stamps == list(range(first, NOW + 1, body))
    for stamp, opening, high, low, close in rows:
        assert low <= opening <= high
        assert low <= close <= high
        assert stamp % body == 0


def test_a_candle_closes_at_the_price_of_its_stamp(api: Any) -> None:
    chart = api.read("/coins/bitcoin/market_chart", vs_currency="usd", days=200)
    midnights = dict(map(tuple, chart["prices"]))
    daily = ohlc(api, days=14, interval="daily")
    assert [row[0] for row in daily] == [NOW // DAY * DAY - place * DAY for place in range(13, -1, -1)]
    assert all(row[4] == midnights[row[0]] for row in daily)
    assert all(after[1] != before[4] for before, after in pairwise(daily))
    assert ohlc(api, days=1)[-1][0] == NOW


def test_a_daily_candle_is_published_35_minutes_late(make_api: Any) -> None:
    api = make_api("2025-01-15T00:34")
    midnight = NOW // DAY * DAY
    assert ohlc(api, interval="daily", days=7)[-1][0] == midnight - DAY
    assert ohlc(api, days=1)[-1][0] == midnight + DAY // 48
    api.advance("2025-01-15T00:35")
    assert ohlc(api, interval="daily", days=7)[-1][0] == midnight


def test_a_range_of_candles_is_the_same_candles(api: Any) -> None:
    ranged = api.read(
        "/coins/bitcoin/ohlc/range",
        **{"vs_currency": "usd", "from": "2025-01-09", "to": "2025-01-14", "interval": "daily", "key": PRO},
    )
    assert ranged == ohlc(api, days=7, interval="daily")[:-1]
    assert len(ranged) == 6


def test_candles_have_decimals_also_where_rounded(api: Any, samples_dir: Path) -> None:
    example = json.loads((samples_dir / "coingecko/api/coins_id_ohlc.200.json").read_text())["body"]
    text = api.get("/coins/bitcoin/ohlc", vs_currency="usd", days=1).text
    row = json.loads(text, parse_float=str)[0]
    assert len(row) == len(example[0])
    assert all(price.endswith(".0") for price in row[1:])


@pytest.mark.parametrize(
    ("path", "parameters", "key", "expected"),
    [
        ("ohlc", {"days": 4}, PRO, (400, "invalid days")),
        ("ohlc", {"days": 365, "interval": "daily"}, PRO, (400, "invalid days")),
        ("ohlc", {"days": 180, "interval": "hourly"}, PRO, (400, "invalid days")),
        ("ohlc", {"days": 7, "interval": "weekly"}, PRO, (400, "invalid interval")),
        ("ohlc", {}, PRO, (422, "Missing parameter days")),
        ("ohlc", {"days": 7, "interval": "daily"}, DEMO, (401, 10005)),
        ("ohlc", {"days": "max"}, DEMO, (401, 10012)),
        ("ohlc/range", {"from": 1, "to": 2, "interval": "daily"}, DEMO, (401, 10005)),
        (
            "ohlc/range",
            {"from": "2024-01-01", "to": "2024-07-01", "interval": "daily"},
            PRO,
            (400, "invalid date range"),
        ),
        ("ohlc/range", {"from": "2025-01-01", "to": "2025-01-05"}, PRO, (422, "Missing parameter interval")),
        ("ohlc/range", {"from": "2025-01-01", "to": "2025-01-05", "interval": "5m"}, PRO, (400, "invalid interval")),
    ],
)
def test_candles_that_cannot_be_had(
    api: Any, path: str, parameters: dict[str, Any], key: tuple[str, str], expected: tuple[int, object]
) -> None:
    response = api.get(f"/coins/bitcoin/{path}", vs_currency="usd", key=key, **parameters)
    error = response.json()
    status = error["status"] if "status" in error else error["error"]
    said = status if isinstance(status, str) else status.get("status", status)["error_code"]
    assert (response.status_code, said) == expected


def test_no_candle_before_the_coin_had_a_price(make_api: Any) -> None:
    api = make_api("2013-05-20T00:00", start=date(2013, 5, 1))
    assert ohlc(api, days=30)[0][0] == 1_367_107_200_000 + DAY // 6


def test_supplies_are_strings(api: Any) -> None:
    daily = api.read("/coins/bitcoin/circulating_supply_chart", days="max", key=PRO)["circulating_supply"]
    hourly = api.read("/coins/bitcoin/circulating_supply_chart", days=2, key=PRO)["circulating_supply"]
    assert all(isinstance(value, str) and Decimal(value) > 10**7 for _, value in daily)
    assert len(hourly) == 49
    market = api.read("/coins/markets", vs_currency="usd", ids="bitcoin")[0]
    assert abs(Decimal(hourly[-1][1]) - market["circulating_supply"]) < 10


def test_prices_of_now(api: Any) -> None:
    answer = api.read(
        "/simple/price",
        ids="dogecoin,bitcoin,nocoin",
        vs_currencies="usd,btc,zzz",
        include_market_cap="true",
        include_24hr_vol="true",
        include_24hr_change="true",
        include_last_updated_at="true",
        precision="full",
    )
    assert list(answer) == ["bitcoin", "dogecoin"]
    assert list(answer["dogecoin"]) == [
        *("usd", "usd_market_cap", "usd_24h_vol", "usd_24h_change"),
        *("btc", "btc_market_cap", "btc_24h_vol", "btc_24h_change", "last_updated_at"),
    ]
    market = {row["id"]: row for row in api.read("/coins/markets", vs_currency="usd", precision="full")}
    for coin, values in answer.items():
        assert values["usd"] == market[coin]["current_price"]
        assert values["usd_market_cap"] == market[coin]["market_cap"]
        assert values["usd_24h_vol"] == market[coin]["total_volume"]
        assert round(values["usd_24h_change"], 5) == market[coin]["price_change_percentage_24h"]
    assert answer["bitcoin"]["btc"] == 1
    assert api.read("/simple/price", ids="nocoin", vs_currencies="usd") == {}
    assert api.read("/simple/price", names="Dogecoin", symbols="btc", vs_currencies="usd").keys() == {"dogecoin"}
    assert api.get("/simple/price", ids="bitcoin").json() == {"error": "Missing parameter vs_currencies"}
    assert api.get("/simple/price", vs_currencies="usd").status_code == 422
