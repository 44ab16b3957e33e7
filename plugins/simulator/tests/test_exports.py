"""Real price exports in place of the simulated prices."""

import csv
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from simulator.coingecko.exports import read_exports
from simulator.coingecko.prices import Prices
from simulator.settings import Settings, SettingsError

PRO = ("x-cg-pro-api-key", "CG-any")
HEADER = "snapped_at,price,market_cap,total_volume\n"
ROW = "2024-01-01 00:00:00 UTC,1.5,2.5,3.5\n"


@pytest.fixture
def export(samples_dir: Path) -> Path:
    return samples_dir / "coingecko/csv/eth-usd-max.2025-01-14.csv"


def test_every_row_of_the_real_export_is_served_with_its_digits(make_api: Any, export: Path) -> None:
    api = make_api(prices_dir=export.parent)
    text = api.get("/coins/ethereum/market_chart", vs_currency="usd", days="max", key=PRO).text
    chart = json.loads(text, parse_float=str, parse_int=str)
    with export.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for kind, column in (("prices", "price"), ("market_caps", "market_cap"), ("total_volumes", "total_volume")):
        served = chart[kind][:-1]  # the last one is the live value
        assert len(served) == len(rows) == 3448
        for (stamp, value), row in zip(served, rows, strict=True):
            snapped_at = datetime.strptime(row["snapped_at"], "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
            assert int(stamp) == int(snapped_at.timestamp()) * 1000
            assert value == (row[column] or None)
    off_midnight = [stamp for stamp, _ in chart["prices"][:-1] if int(stamp) % 86_400_000]
    assert off_midnight == ["1517270711000", "1518048323000"]
    assert [stamp for stamp, value in chart["market_caps"] if value is None] == ["1491091200000"]


def test_other_coins_and_currencies_are_unknown(make_api: Any, export: Path) -> None:
    api = make_api(prices_dir=export.parent)
    assert api.get("/coins/bitcoin/market_chart", vs_currency="usd", days=1).status_code == 404
    assert api.get("/coins/ethereum/market_chart", vs_currency="eur", days=1).status_code == 400
    assert [row["id"] for row in api.read("/coins/markets", vs_currency="usd")] == ["ethereum"]
    assert api.read("/coins/markets", vs_currency="usd", precision="full")[0]["current_price"] == Decimal(
        "3134.5520394596483"
    )


def test_rows_of_the_future_are_not_published(make_api: Any, export: Path) -> None:
    api = make_api("2024-12-25T00:20", start=date(2024, 12, 1), prices_dir=export.parent)
    chart = api.read("/coins/ethereum/market_chart", vs_currency="usd", days=200)
    stamps = [stamp for stamp, _ in chart["prices"]]
    assert stamps[-2] == int(datetime(2024, 12, 24, tzinfo=UTC).timestamp()) * 1000
    api.advance("2024-12-25T00:35")
    chart = api.read("/coins/ethereum/market_chart", vs_currency="usd", days=200)
    assert chart["prices"][-2][0] == stamps[-2] + 86_400_000


def test_chains_are_valued_with_the_export_where_it_reaches(export: Path, tmp_path: Path) -> None:
    market = Prices(Settings(state_dir=tmp_path, prices_dir=export.parent))
    simulated = Prices(Settings(state_dir=tmp_path))
    assert market.close("ethereum", date(2025, 1, 13)) == Decimal("3134.5520394596483")
    assert market.close("ethereum", date(2018, 1, 29)) == Decimal("1161.9086430994253")  # stamped 00:05:11
    assert market.close("ethereum", date(2018, 1, 28)) == Decimal("1237.3241758467964")  # stamped 01-28
    assert market.close("ethereum", date(2018, 1, 30)) == Decimal("1058.0960529662955")  # stamped 01-31
    assert market.close("ethereum", date(2015, 8, 8)) == Decimal("1.33075")
    assert market.close("ethereum", date(2015, 8, 9)) == Decimal("1.33075")  # the row of 08-09 is missing
    assert market.close("ethereum", date(2015, 8, 7)) == Decimal("2.83162")
    assert market.close("ethereum", date(2015, 8, 6)) == 0
    assert market.close("bitcoin", date(2025, 1, 13)) == simulated.close("bitcoin", date(2025, 1, 13)) > 0


def test_a_row_up_to_2018_01_29_has_the_values_of_its_days_end(export: Path, tmp_path: Path) -> None:
    market = Prices(Settings(state_dir=tmp_path, prices_dir=export.parent))
    for instant, price in (
        ("2017-12-06T23:59", "467.016662982671"),
        ("2017-12-07T00:00", "448.328222164605"),
        ("2018-01-29T23:59", "1237.3241758467964"),
        ("2018-01-30T00:00", "1169.6342569193446"),
        ("2018-01-30T00:05:11", "1161.9086430994253"),
        ("2018-01-31T00:00", "1058.0960529662955"),
    ):
        spot = market.spot("ethereum", datetime.fromisoformat(instant).replace(tzinfo=UTC))
        assert (instant, spot) == (instant, Decimal(price))


def test_of_the_rows_that_close_a_day_the_first_of_the_latest_date_counts(tmp_path: Path) -> None:
    stamps = (
        "2018-01-28 00:00:00",
        "2018-01-29 00:00:00",
        "2018-01-30 00:00:00",
        "2018-01-30 00:05:11",
        "2018-02-01 00:00:00",
    )
    rows = "".join(f"{stamp} UTC,{price},,\n" for price, stamp in enumerate(stamps, start=1))
    (tmp_path / "doge-usd-max.csv").write_text(HEADER + rows)
    market = Prices(Settings(state_dir=tmp_path / "state", prices_dir=tmp_path))
    closes = {
        day: market.close("dogecoin", date.fromisoformat(day)) for day in ("2018-01-28", "2018-01-29", "2018-01-31")
    }
    assert closes == {"2018-01-28": 1, "2018-01-29": 3, "2018-01-31": 5}
    assert market.close("dogecoin", date(2018, 1, 30)) == 4  # no row closes it: the last before its end


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "no price export"),
        ({"xmr-usd-max.csv": HEADER + ROW}, "xmr-usd-max.csv"),
        ({"eth-xyz-max.csv": HEADER + ROW}, "eth-xyz-max.csv"),
        ({"prices.csv": HEADER + ROW}, "prices.csv"),
        ({"eth-usd-max.csv": "a,b\n"}, "header"),
        ({"eth-usd-max.csv": HEADER}, "no row"),
        ({"eth-usd-max.csv": HEADER + ROW + ROW}, "line 3"),
        ({"eth-usd-max.csv": HEADER + "2024-01-01,1,2,3\n"}, "line 2"),
        ({"eth-usd-max.csv": HEADER + "2024-01-01 00:00:00 UTC,NaN,2,3\n"}, "line 2"),
        ({"eth-usd-max.csv": HEADER + "2024-01-01 00:00:00 UTC,1,2\n"}, "line 2"),
        ({"eth-usd-max.a.csv": HEADER + ROW, "eth-usd-max.b.csv": HEADER + ROW}, "second export"),
    ],
)
def test_an_unreadable_folder_is_refused(tmp_path: Path, files: dict[str, str], message: str) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(SettingsError, match=message):
        read_exports(tmp_path)


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("about these")
    (tmp_path / "doge-eur-max.csv").write_text(HEADER + ROW)
    assert list(read_exports(tmp_path)) == [("dogecoin", "eur")]
