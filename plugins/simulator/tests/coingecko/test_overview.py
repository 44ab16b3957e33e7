"""The market as a whole and its coins' descriptions: forms of the vendor's examples, numbers of the one world."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from simulator.coingecko.coins import COINS as MARKET
from simulator.coingecko.currencies import RATES

PRO = ("x-cg-pro-api-key", "CG-any")
COINS = sorted(coin.coin_id for coin in MARKET)


@pytest.fixture
def example(samples_dir: Path) -> Any:
    return lambda name: json.loads((samples_dir / f"coingecko/api/{name}.200.json").read_text(), parse_float=Decimal)[
        "body"
    ]


def markets(api: Any, currency: str = "usd") -> dict[str, Any]:
    return {row["id"]: row for row in api.read("/coins/markets", vs_currency=currency, precision="full")}


def test_the_currencies_are_the_vendors(api: Any, example: Any) -> None:
    assert api.read("/simple/supported_vs_currencies") == example("simple_supported_vs_currencies")


def test_every_currency_can_be_asked_for(api: Any) -> None:
    rates = api.read("/exchange_rates")["rates"]
    for currency in api.read("/simple/supported_vs_currencies"):
        price = api.read("/coins/bitcoin/market_chart", vs_currency=currency, days=1)["prices"][-1][1]
        assert round(price, 3) == rates[currency]["value"]


def test_a_coin_in_itself_is_one(api: Any) -> None:
    whole = {code: rate for code, rate in RATES.items() if rate.quoted and rate.factor == 1}
    same = {rate.inverse_of: code for code, rate in whole.items() if rate.inverse_of}
    assert {"bitcoin": "btc", "ethereum": "eth", "litecoin": "ltc"}.items() <= same.items()
    for coin, currency in same.items():
        text = api.get(f"/coins/{coin}/market_chart", vs_currency=currency, days=365).text
        assert {value for _, value in json.loads(text, parse_float=str)["prices"]} == {"1.0"}
    sats = api.read("/coins/bitcoin/market_chart", vs_currency="sats", days=365)["prices"]
    assert {value for _, value in sats} == {10**8}
    assert api.read("/coins/ethereum/history", date="10-01-2025")["market_data"]["current_price"]["btc"] < Decimal(
        "0.1"
    )


def test_exchange_rates_are_named_as_the_vendor_does(api: Any, example: Any) -> None:
    rates, theirs = api.read("/exchange_rates")["rates"], example("exchange_rates")["rates"]
    assert rates.keys() <= theirs.keys()
    for code, rate in rates.items():
        assert list(rate) == ["name", "unit", "value", "type"]
        assert {**rate, "value": 0} == {**theirs[code], "value": 0}
    assert (rates["btc"]["value"], rates["sats"]["value"]) == (1, 10**8)
    assert rates.keys() - set(api.read("/simple/supported_vs_currencies"))  # not all of them can be asked for


def test_rates_do_without_an_export_of_bitcoin(make_api: Any, samples_dir: Path) -> None:
    api = make_api(prices_dir=samples_dir / "coingecko/csv")
    assert len(api.read("/exchange_rates")["rates"]) == 65
    assert api.read("/simple/supported_vs_currencies") == ["usd"]
    assert list(api.read("/global")["data"]["total_market_cap"]) == ["usd"]
    assert api.read("/coins/ethereum")["market_data"]["current_price"] == {"usd": Decimal("3134.55")}
    assert len(api.read("/search/trending")["coins"]) == 1


def test_totals_are_the_sums_of_the_coins(api: Any, example: Any) -> None:
    data = api.read("/global")["data"]
    assert list(data) == list(example("global")["data"])
    for currency in ("usd", "btc", "jpy"):
        rows = markets(api, currency).values()
        assert data["total_market_cap"][currency] == pytest.approx(sum(row["market_cap"] for row in rows))
        assert data["total_volume"][currency] == pytest.approx(sum(row["total_volume"] for row in rows))
    assert sum(data["market_cap_percentage"].values()) == pytest.approx(100)
    shares = data["market_cap_percentage"]
    assert set(shares) == {coin.symbol for coin in MARKET}
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    before = sum(row["market_cap"] - row["market_cap_change_24h"] for row in markets(api).values())
    change = (data["total_market_cap"]["usd"] / before - 1) * 100
    assert data["market_cap_change_percentage_24h_usd"] == pytest.approx(change)
    updated = data["updated_at"]
    assert updated == api.read("/coins/bitcoin/market_chart", vs_currency="usd", days=1)["prices"][-1][0] // 1000


def test_totals_over_time_end_in_the_daily_points(api: Any) -> None:
    chart = api.read("/global/market_cap_chart", days=30, key=PRO)["market_cap_chart"]
    stamp, total = chart["market_cap"][-1]
    day = datetime.fromtimestamp(stamp // 1000, tz=UTC).date().isoformat()
    caps = [api.read(f"/coins/{coin}/history", date=day)["market_data"]["market_cap"]["usd"] for coin in COINS]
    assert total == pytest.approx(sum(caps))
    assert len(chart["market_cap"]) == len(chart["volume"]) == 30
    assert len(api.read("/global/market_cap_chart", days=1, key=PRO)["market_cap_chart"]["volume"]) == 25
    assert api.get("/global/market_cap_chart", days=1).json()["status"]["error_code"] == 10005


def test_the_list_of_coins(api: Any) -> None:
    rows = api.read("/coins/list")
    assert [row["id"] for row in rows] == COINS
    assert all(list(row) == ["id", "symbol", "name"] for row in rows)
    listed = {row["id"]: row["platforms"] for row in api.read("/coins/list", include_platform="true")}
    assert listed["bitcoin"] == {}
    assert listed["tether"] == {"ethereum": "0xdac17f958d2ee523a2206206994597c13d831ec7"}
    assert api.read("/coins/list", status="inactive") == []


def test_platforms(api: Any, example: Any) -> None:
    rows = api.read("/asset_platforms")
    assert all(list(row) == list(example("asset_platforms")[0]) for row in rows)
    assert {row["chain_identifier"] for row in rows} >= {1, None}
    assert None in {row["native_coin_id"] for row in rows}
    nfts = api.read("/asset_platforms", filter="nft")
    assert 0 < len(nfts) < len(rows)
    assert all(row in rows for row in nfts)


def test_categories_sum_their_coins(api: Any, example: Any) -> None:
    rows = api.read("/coins/categories")
    assert all(list(row) == list(example("coins_categories")[0]) for row in rows)
    caps = {coin: row["market_cap"] for coin, row in markets(api).items()}
    layer = next(row for row in rows if row["id"] == "layer-1")
    members = [coin.coin_id for coin in MARKET if "Layer 1 (L1)" in coin.categories]
    assert layer["market_cap"] == pytest.approx(sum(caps[coin] for coin in members))
    assert layer["top_3_coins_id"] == ["bitcoin", "ethereum", "dogecoin"]
    assert rows[0]["id"] == "layer-1"
    assert rows[-1]["market_cap"] is rows[-1]["volume_24h"] is rows[-1]["market_cap_change_24h"] is None
    names = [row["name"] for row in api.read("/coins/categories", order="name_asc")]
    assert names == sorted(names)
    ids = {row["category_id"]: row["name"] for row in api.read("/coins/categories/list")}
    assert ids == {row["id"]: row["name"] for row in rows}


def test_trends_are_ordered_by_what_rose(api: Any, example: Any) -> None:
    answer, theirs = api.read("/search/trending"), example("search_trending")
    for kind in ("coins", "nfts", "categories"):
        assert answer[kind]
        assert list(answer[kind][0]) == list(theirs[kind][0])
    items = [coin["item"] for coin in answer["coins"]]
    assert list(items[0]) == list(theirs["coins"][0]["item"])
    assert list(items[0]["data"]) == list(theirs["coins"][0]["item"]["data"])
    assert [item["score"] for item in items] == list(range(len(COINS)))
    rises = [item["data"]["price_change_percentage_24h"]["usd"] for item in items]
    assert rises == sorted(rises, reverse=True)
    rows = markets(api)
    for item in items:
        row = rows[item["id"]]
        assert item["market_cap_rank"] == row["market_cap_rank"]
        assert item["data"]["price"] == row["current_price"]
        assert item["data"]["market_cap"] == f"${row['market_cap']:,.0f}"
        assert item["price_btc"] == Decimal(item["data"]["price_btc"])
        assert item["price_btc"] * rows["bitcoin"]["current_price"] == pytest.approx(row["current_price"])


def test_details_have_the_vendors_keys_in_order(api: Any, example: Any) -> None:
    theirs = example("coins_id")
    answer = api.read("/coins/bitcoin", localization="false")
    gone = {"community_data", "developer_data"}
    assert sorted(answer) == sorted(set(theirs) - gone)
    assert list(answer["market_data"]) == list(theirs["market_data"])
    assert list(answer["links"]) == list(theirs["links"])
    assert answer["platforms"] == theirs["platforms"]
    assert answer["detail_platforms"] == theirs["detail_platforms"]
    assert sorted(answer["tickers"][0]) == sorted(set(theirs["tickers"][0]) - {"coin_mcap_usd"})


@pytest.mark.parametrize("coin", ["bitcoin", "tether", "chainlink"])
def test_details_say_what_the_markets_say(api: Any, coin: str) -> None:
    data = api.read(f"/coins/{coin}")["market_data"]
    for currency in ("usd", "eur", "btc"):
        (row,) = api.read(
            "/coins/markets", vs_currency=currency, ids=coin, price_change_percentage="1h,24h,7d,14d,30d,200d,1y"
        )
        for key in ("current_price", "market_cap", "total_volume", "high_24h", "ath", "ath_date", "atl", "atl_date"):
            assert data[key][currency] == row[key], key
        for period in ("1h", "24h", "7d", "14d", "30d", "200d", "1y"):
            key = f"price_change_percentage_{period}_in_currency"
            assert data[key].get(currency) == row[key]
    (usd,) = api.read("/coins/markets", vs_currency="usd", ids=coin)
    scalars = (
        "price_change_24h",
        "market_cap_change_percentage_24h",
        "circulating_supply",
        "total_supply",
        "max_supply",
    )
    assert {key: data[key] for key in scalars} == {key: usd[key] for key in scalars}


def test_parts_of_the_details_can_be_left_out(api: Any) -> None:
    short = api.read("/coins/tether", localization="false", tickers="false", market_data="false")
    assert not {"localization", "tickers", "market_data"} & short.keys()
    assert short["asset_platform_id"] == "ethereum"
    assert short["detail_platforms"]["ethereum"]["decimal_place"] == 6
    long = api.read("/coins/chainlink", sparkline="true", include_categories_details="true")
    assert 166 <= len(long["market_data"]["sparkline_7d"]["price"]) <= 169
    assert long["categories_details"] == [{"id": "oracle", "name": "Oracle"}]
    assert long["market_data"]["total_supply"] == 10**9 > long["market_data"]["circulating_supply"]
    assert api.get("/coins/nocoin").json() == {"error": "coin not found"}


def test_the_extremes_follow_the_clock(make_api: Any) -> None:
    def extremes(api: Any) -> tuple[Any, Any]:
        (row,) = api.read("/coins/markets", vs_currency="usd", ids="dogecoin", precision="full")
        return row["atl"], row["ath"]

    api = make_api("2021-01-01T06:00", start=date(2020, 12, 1))
    before = extremes(api)
    api.advance("2021-06-01T06:00")
    after = extremes(api)
    chart = api.read("/coins/dogecoin/market_chart", vs_currency="usd", days="max", key=PRO)["prices"]
    assert after == (min(value for _, value in chart), max(value for _, value in chart))
    assert before[1] < after[1]
    assert extremes(make_api("2021-06-01T06:00", start=date(2020, 12, 1))) == after
