"""The rows of `/coins/markets`: their form, and that they say what the charts say."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from simulator.coingecko.coins import COINS

KEYS = [
    *("id", "symbol", "name", "image", "current_price", "market_cap", "market_cap_rank", "fully_diluted_valuation"),
    *("total_volume", "high_24h", "low_24h", "price_change_24h", "price_change_percentage_24h"),
    *("market_cap_change_24h", "market_cap_change_percentage_24h", "circulating_supply", "total_supply", "max_supply"),
    *("ath", "ath_change_percentage", "ath_date", "atl", "atl_change_percentage", "atl_date", "roi", "last_updated"),
]


def rows(api: Any, **parameters: Any) -> list[dict[str, Any]]:
    parameters.setdefault("vs_currency", "usd")
    found: list[dict[str, Any]] = api.read("/coins/markets", **parameters)
    return found


def ids(api: Any, **parameters: Any) -> list[str]:
    return [row["id"] for row in rows(api, **parameters)]


def test_the_keys_stand_in_the_contracts_order(api: Any) -> None:
    assert [list(row) for row in rows(api)] == [KEYS] * 7


def test_the_keys_are_those_of_the_vendors_example(api: Any, samples_dir: Path) -> None:
    example = json.loads((samples_dir / "coingecko/api/coins_markets.200.json").read_text())["body"][0]
    optional = {"sparkline_in_7d", "market_cap_rank_with_rehypothecated"}
    assert [key for key in example if key not in optional and not key.endswith("_in_currency")] == KEYS
    row = rows(
        api,
        sparkline="true",
        include_rehypothecated="true",
        price_change_percentage="1h,24h,7d,14d,30d,200d,1y",
    )[0]
    assert list(row) == list(example)
    assert 166 <= len(row["sparkline_in_7d"]["price"]) <= 169


@pytest.mark.parametrize("currency", ["usd", "eur"])
def test_values_are_those_of_the_charts(api: Any, currency: str) -> None:
    for row in rows(api, vs_currency=currency, precision="full"):
        chart = api.read(f"/coins/{row['id']}/market_chart", vs_currency=currency, days=1)
        stamp, price = chart["prices"][-1]
        assert price == row["current_price"]
        assert chart["market_caps"][-1] == [stamp, row["market_cap"]]
        assert chart["total_volumes"][-1] == [stamp, row["total_volume"]]
        assert row["last_updated"] == f"2025-01-15T05:59:{stamp / 1000 % 60:06.3f}Z"
        history = api.read(
            f"/coins/{row['id']}/market_chart", vs_currency=currency, days="max", key=("x-cg-pro-api-key", "CG-any")
        )
        values = [value for _, value in history["prices"]]
        assert row["ath"] == max(values)
        assert row["atl"] == min(values)
        assert row["low_24h"] <= price <= row["high_24h"]
        assert row["market_cap"] / row["circulating_supply"] == pytest.approx(price)


def test_changes_are_relative_to_the_earlier_value(api: Any) -> None:
    for row in rows(api, precision="full"):
        before = row["current_price"] - row["price_change_24h"]
        percent = (row["current_price"] - before) / before * 100
        assert abs(percent - row["price_change_percentage_24h"]) <= Decimal("0.00001")
        assert row["price_change_24h"]


def test_without_a_precision_prices_are_rounded_for_display(api: Any) -> None:
    bitcoin, ethereum, dogecoin = rows(api, ids="bitcoin,ethereum,dogecoin")
    assert isinstance(bitcoin["current_price"], int)
    assert ethereum["current_price"] == round(ethereum["current_price"], 2)
    assert len(dogecoin["current_price"].as_tuple().digits) <= 6
    assert isinstance(bitcoin["market_cap"], int)
    exact = rows(api, ids="dogecoin", precision="full")[0]["current_price"]
    assert len(exact.as_tuple().digits) > 12
    assert abs(exact - dogecoin["current_price"]) < Decimal("0.000001")


def test_filters_order_and_pages(api: Any) -> None:
    largest = ids(api)
    caps = [row["market_cap"] for row in rows(api)]
    assert (largest[:2], caps) == (["bitcoin", "ethereum"], sorted(caps, reverse=True))
    assert sorted(largest) == sorted(coin.coin_id for coin in COINS)
    assert ids(api, order="market_cap_asc") == largest[::-1]
    assert ids(api, order="id_asc") == sorted(largest)
    assert ids(api, ids="dogecoin,bitcoin") == ["bitcoin", "dogecoin"]
    assert ids(api, ids="nocoin") == []
    assert ids(api, symbols="eth") == ["ethereum"]
    assert ids(api, names="Dogecoin", symbols="eth") == ["dogecoin"]
    assert ids(api, category="stablecoins", ids="bitcoin") == ["tether"]
    assert ids(api, category="nowhere") == []
    assert ids(api, per_page=4) == largest[:4]
    assert ids(api, per_page=4, page=2) == largest[4:]
    assert ids(api, per_page=4, page=3) == []
    assert [row["market_cap_rank"] for row in rows(api, ids="dogecoin")] == [4]


def test_nulls_stand_where_the_contract_has_them(api: Any) -> None:
    bitcoin, ethereum, dogecoin = rows(api, ids="bitcoin,ethereum,dogecoin")
    assert (bitcoin["max_supply"], ethereum["max_supply"], dogecoin["max_supply"]) == (21_000_000, None, None)
    assert bitcoin["roi"] is None
    assert list(ethereum["roi"]) == ["times", "currency", "percentage"]


def test_a_currency_is_needed_and_must_be_known(api: Any) -> None:
    missing, unknown = api.get("/coins/markets"), api.get("/coins/markets", vs_currency="xyz")
    assert (missing.status_code, missing.json()) == (422, {"error": "Missing parameter vs_currency"})
    assert (unknown.status_code, unknown.json()) == (400, {"error": "invalid vs_currency"})


def test_a_coin_appears_with_its_first_day(make_api: Any) -> None:
    api = make_api("2014-06-01T00:00", start=date(2014, 1, 1))
    assert ids(api, price_change_percentage="1y") == ["bitcoin", "litecoin", "dogecoin"]
    assert rows(api, price_change_percentage="1y")[2]["price_change_percentage_1y_in_currency"] is None
