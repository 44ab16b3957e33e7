"""The rules of CoinGecko's charts, one by one."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from simulator.coingecko.prices import Prices
from simulator.settings import Settings

DAY = 86_400_000
HOUR = 3_600_000
PRO = ("x-cg-pro-api-key", "CG-any")
DEMO = ("x-cg-demo-api-key", "CG-any")
KINDS = ("prices", "market_caps", "total_volumes")


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def ranged(api: Any, coin: str, start: object, end: object, **parameters: Any) -> Any:
    parameters.setdefault("vs_currency", "usd")
    return api.read(f"/coins/{coin}/market_chart/range", from_=start, to=end, **parameters)


def stamps(chart: Any) -> list[int]:
    return [stamp for stamp, _ in chart["prices"]]


def test_above_90_days_the_points_are_the_midnights(api: Any) -> None:
    chart = ranged(api, "bitcoin", seconds("2024-09-01"), seconds("2025-01-14"))
    first = seconds("2024-09-01") * 1000
    assert stamps(chart) == [first + day * DAY for day in range(136)]
    assert all([stamp for stamp, _ in chart[kind]] == stamps(chart) for kind in KINDS)
    assert all(value > 0 for kind in KINDS for _, value in chart[kind])


def test_up_to_90_days_the_points_are_hourly_and_off_the_hour(api: Any) -> None:
    start, end = seconds("2024-10-16"), seconds("2025-01-14")  # 90 days exactly
    points = stamps(ranged(api, "ethereum", start, end))
    assert [stamp // HOUR for stamp in points] == list(range(start // 3600, end // 3600))
    assert all(5_000 <= stamp % HOUR < 180_000 for stamp in points)
    assert len({stamp % HOUR for stamp in points}) > 2000
    assert len({stamp % 1000 for stamp in points}) > 500


def test_one_second_above_90_days_is_daily(api: Any) -> None:
    points = stamps(ranged(api, "ethereum", seconds("2024-10-16") - 1, seconds("2025-01-14")))
    assert all(stamp % DAY == 0 for stamp in points)
    assert len(points) == 91


def test_the_last_day_comes_in_five_minutes(api: Any) -> None:
    end = seconds("2025-01-15T06:00")
    points = stamps(ranged(api, "bitcoin", end - 86_400, end))
    gaps = [right - left for left, right in pairwise(points)]
    assert 270 <= len(points) <= 289
    assert all(0 < gap < 830_000 for gap in gaps)
    assert sum(200_000 <= gap <= 400_000 for gap in gaps) > len(gaps) / 2
    assert len({stamp % 300_000 for stamp in points}) > 250


def test_a_day_that_does_not_end_now_is_hourly(api: Any) -> None:
    assert len(stamps(ranged(api, "bitcoin", seconds("2025-01-10"), seconds("2025-01-11")))) == 24


@pytest.mark.parametrize("start", ["2024-08-01", "2024-12-01"])
def test_points_lie_within_the_span_both_ends_included(api: Any, start: str) -> None:
    chart = ranged(api, "dogecoin", seconds(start), seconds("2025-01-12"))
    inner = stamps(chart)[3:-3]
    cut = ranged(api, "dogecoin", Decimal(inner[0]) / 1000, Decimal(inner[-1]) / 1000, interval="")
    if inner[0] % DAY == 0:
        assert stamps(cut) == inner
    assert all(inner[0] <= stamp <= inner[-1] for stamp in stamps(cut))
    assert inner[0] in stamps(cut)
    assert inner[-1] in stamps(cut)


def test_a_short_span_may_hold_no_point(api: Any) -> None:
    start = seconds("2025-01-10T10:30")
    assert ranged(api, "bitcoin", start, start + 60) == {"prices": [], "market_caps": [], "total_volumes": []}


def test_the_live_value_ends_a_chart_that_reaches_now(api: Any) -> None:
    now = seconds("2025-01-15T06:00")
    for start in (now - 86_400, now - 30 * 86_400, now - 200 * 86_400):
        chart = ranged(api, "bitcoin", start, now)
        last = stamps(chart)[-1]
        assert (now - 60) * 1000 <= last < now * 1000
        assert last % DAY
        before = ranged(api, "bitcoin", start, now - 120)
        assert last not in stamps(before)
    assert chart["prices"][-2][0] == seconds("2025-01-15") * 1000  # today's midnight and the live value: the date twice


def test_the_live_tail_is_never_at_a_midnight(make_api: Any) -> None:
    midnight = datetime(2025, 1, 15, tzinfo=UTC)
    early = make_api("2025-01-15T00:00:00")
    last = stamps(early.read("/coins/bitcoin/market_chart", vs_currency="usd", days=200))[-1]
    lag = timedelta(milliseconds=int(midnight.timestamp()) * 1000 - last)  # the same for the whole minute
    late = make_api((midnight + lag).replace(tzinfo=None).isoformat())
    points = stamps(late.read("/coins/bitcoin/market_chart", vs_currency="usd", days=200))
    assert points[-1] == int(midnight.timestamp()) * 1000 - 1


@pytest.mark.parametrize(("now", "newest"), [("2025-01-15T00:34:59", "2025-01-14"), ("2025-01-15T00:35", "2025-01-15")])
@pytest.mark.parametrize("path", ["range", "days"])
def test_a_midnight_is_published_35_minutes_late(make_api: Any, now: str, newest: str, path: str) -> None:
    api = make_api(now)
    if path == "range":
        chart = ranged(api, "bitcoin", seconds("2024-06-01"), seconds(now))
    else:
        chart = api.read("/coins/bitcoin/market_chart", vs_currency="usd", days=200)
    assert [stamp for stamp in stamps(chart) if stamp % DAY == 0][-1] == seconds(newest) * 1000


def test_advancing_the_clock_adds_points_and_changes_none(api: Any) -> None:
    before = ranged(api, "bitcoin", seconds("2024-06-01"), seconds("2025-01-15T06:00"))
    api.advance("2025-01-16T06:00")
    after = ranged(api, "bitcoin", seconds("2024-06-01"), seconds("2025-01-16T06:00"))
    assert after["prices"][: len(before["prices"]) - 1] == before["prices"][:-1]
    assert stamps(after)[-2] == seconds("2025-01-16") * 1000
    assert len(after["prices"]) == len(before["prices"]) + 1


def test_days_gives_as_many_midnights_and_the_live_value(api: Any) -> None:
    chart = api.read("/coins/dogecoin/market_chart", vs_currency="eur", days=365)
    assert len(chart["prices"]) == 366
    assert [stamp % DAY == 0 for stamp in stamps(chart)] == [True] * 365 + [False]


@pytest.mark.parametrize("coin", ["bitcoin", "ethereum", "dogecoin"])
@pytest.mark.parametrize("currency", ["usd", "eur"])
def test_both_chart_endpoints_agree_to_the_digit(api: Any, coin: str, currency: str) -> None:
    now = seconds("2025-01-15T06:00")
    by_range = api.get(f"/coins/{coin}/market_chart/range", vs_currency=currency, from_=now - 200 * 86_400, to=now).text
    assert by_range == api.get(f"/coins/{coin}/market_chart", vs_currency=currency, days=200).text
    hourly = ranged(api, coin, now - 30 * 86_400, now, vs_currency=currency)
    assert hourly == api.read(f"/coins/{coin}/market_chart", vs_currency=currency, days=30)


def test_interval_daily_serves_midnights_of_a_short_span(api: Any) -> None:
    short = ranged(api, "bitcoin", seconds("2025-01-02"), seconds("2025-01-08"), interval="daily")
    long = ranged(api, "bitcoin", seconds("2024-06-01"), seconds("2025-01-08"))
    assert short["prices"] == long["prices"][-7:]


@pytest.mark.parametrize(("interval", "status"), [("5m", 401), ("weekly", 400), ("hourly", 400)])
def test_other_intervals_are_refused(api: Any, interval: str, status: int) -> None:
    response = api.get("/coins/bitcoin/market_chart", vs_currency="usd", days=200, interval=interval)
    assert response.status_code == status
    if status == 401:
        assert response.json()["status"]["error_code"] == 10005


def test_instants_may_be_iso_dates_or_seconds(api: Any) -> None:
    by_seconds = ranged(api, "bitcoin", seconds("2024-06-01"), seconds("2024-12-24T18:30"))
    assert by_seconds == ranged(api, "bitcoin", "2024-06-01", "2024-12-24T18:30")


@pytest.mark.parametrize(
    ("coin", "first_day"), [("bitcoin", "2013-04-28"), ("ethereum", "2015-08-07"), ("dogecoin", "2013-12-15")]
)
@pytest.mark.parametrize("currency", ["usd", "eur"])
def test_the_whole_history_begins_at_the_coins_first_day(api: Any, coin: str, first_day: str, currency: str) -> None:
    chart = api.read(f"/coins/{coin}/market_chart", vs_currency=currency, days="max", key=PRO)
    first = seconds(first_day) * 1000
    days = (seconds("2025-01-15") * 1000 - first) // DAY + 1
    off_midnight = (seconds("2018-01-30") * 1000, seconds("2018-01-30T00:05:11") * 1000)
    expected = [first + day * DAY for day in range(days)]
    expected[expected.index(off_midnight[0])] = off_midnight[1]
    assert stamps(chart)[:-1] == expected


@pytest.mark.parametrize("coin", ["bitcoin", "ethereum", "dogecoin", "chainlink"])
def test_up_to_2018_01_29_a_daily_point_has_the_values_of_its_days_end(api: Any, tmp_path: Any, coin: str) -> None:
    """Both points of the midnight between are there, the later one minutes off; a day closes at the later."""
    chart = api.read(f"/coins/{coin}/market_chart", vs_currency="usd", days="max", key=PRO)
    prices = dict(map(tuple, chart["prices"]))
    market = Prices(Settings(state_dir=tmp_path))
    for stamp, instant in (
        ("2017-12-06", "2017-12-07"),
        ("2018-01-28", "2018-01-29"),
        ("2018-01-29", "2018-01-30"),
        ("2018-01-30T00:05:11", "2018-01-30T00:05:11"),
        ("2018-01-31", "2018-01-31"),
        ("2018-02-01", "2018-02-01"),
    ):
        assert prices[seconds(stamp) * 1000] == market.spot(coin, datetime.fromisoformat(instant).replace(tzinfo=UTC))
        answer = api.read(f"/coins/{coin}/history", date=stamp[:10], key=PRO)
        assert answer["market_data"]["current_price"]["usd"] == prices[seconds(stamp) * 1000]
    for day, stamp in (
        ("2017-12-06", "2017-12-06"),
        ("2018-01-28", "2018-01-28"),
        ("2018-01-29", "2018-01-30T00:05:11"),
        ("2018-01-30", "2018-01-31"),
        ("2018-01-31", "2018-02-01"),
    ):
        assert market.close(coin, date.fromisoformat(day)) == prices[seconds(stamp) * 1000]
    both = prices[seconds("2018-01-29") * 1000], prices[seconds("2018-01-30T00:05:11") * 1000]
    assert both[0] != both[1]
    assert abs(both[0] / both[1] - 1) < Decimal("0.02")
    # A candle closes at the price of its stamp, whatever the daily points are dated by.
    candles = {
        row[0]: row[4]
        for row in api.read(f"/coins/{coin}/ohlc", vs_currency="usd", days="max", precision="full", key=PRO)
    }
    for stamp in (seconds("2017-12-06") * 1000, seconds("2018-02-08") * 1000):
        close = max(candle for candle in candles if candle <= stamp)
        assert candles[close] == prices[close - DAY if stamp < seconds("2018-01-30") * 1000 else close]


def test_a_span_holds_the_point_of_2018_01_30_by_its_stamp(api: Any) -> None:
    for start, end, expected in (
        ("2018-01-30T00:05", "2018-01-31", ["2018-01-30T00:05:11", "2018-01-31"]),
        ("2018-01-29", "2018-01-30T00:05", ["2018-01-29"]),
        ("2018-01-30T00:06", "2018-01-31", ["2018-01-31"]),
    ):
        found = ranged(api, "bitcoin", start, end, interval="daily", key=PRO)
        assert stamps(found) == [seconds(stamp) * 1000 for stamp in expected]


@pytest.mark.parametrize(
    ("now", "newest"),
    [
        ("2016-06-02T00:34:59", "2016-05-31"),
        ("2016-06-02T00:35", "2016-06-01"),
        ("2018-01-30T00:34:59", "2018-01-28"),
        ("2018-01-30T00:35", "2018-01-30T00:05:11"),
        ("2018-01-31T00:34:59", "2018-01-30T00:05:11"),
        ("2018-01-31T00:35", "2018-01-31"),
    ],
)
def test_a_point_is_never_published_before_it_was_taken(make_api: Any, now: str, newest: str) -> None:
    api = make_api(now, start=date.fromisoformat(now[:10]) - timedelta(days=20))
    for chart in (
        ranged(api, "bitcoin", seconds("2015-06-01"), seconds(now), key=PRO),
        api.read("/coins/bitcoin/market_chart", vs_currency="usd", days=200),
    ):
        assert stamps(chart)[-2] == seconds(newest) * 1000
    after = (date.fromisoformat(newest[:10]) + timedelta(days=1)).isoformat()
    assert "market_data" in api.read("/coins/bitcoin/history", date=newest[:10])
    assert "market_data" not in api.read("/coins/bitcoin/history", date=after)


def test_the_highest_price_is_one_of_the_daily_points(make_api: Any) -> None:
    """Also after a question about a time before, and never one that is yet to come."""
    for now in ("2017-12-20T06:00", "2017-12-19T23:00", "2018-01-30T06:00", "2018-03-01T06:00"):
        api = make_api(now, start=date(2017, 12, 1))
        points = api.read("/coins/bitcoin/market_chart", vs_currency="usd", days="max", key=PRO)["prices"]
        (row,) = api.read("/coins/markets", vs_currency="usd", ids="bitcoin", precision="full")
        stamp, price = max(points, key=lambda point: point[1])
        assert (row["ath"], row["ath_date"][:19]) == (
            price,
            datetime.fromtimestamp(stamp // 1000, tz=UTC).isoformat()[:19],
        )


@pytest.mark.parametrize("key", [None, DEMO])
def test_the_public_plans_reach_back_365_days(api: Any, key: tuple[str, str] | None) -> None:
    edge = seconds("2025-01-15T06:00") - 365 * 86_400
    parameters = {"vs_currency": "usd", "to": edge + 200 * 86_400, "key": key}
    assert api.get("/coins/bitcoin/market_chart/range", from_=edge, **parameters).status_code == 200
    refused = api.get("/coins/bitcoin/market_chart/range", from_=edge - 1, **parameters)
    assert refused.status_code == 401
    assert list(refused.json()) == ["error"]
    assert list(refused.json()["error"]["status"]) == ["timestamp", "error_code", "error_message"]
    assert refused.json()["error"]["status"]["error_code"] == 10012
    for days, status in (("365", 200), ("366", 401), ("max", 401)):
        answer = api.get("/coins/bitcoin/market_chart", vs_currency="usd", days=days, key=key)
        assert answer.status_code == status


def test_the_pro_plan_has_no_window(api: Any) -> None:
    chart = ranged(api, "bitcoin", "2013-05-01", "2014-05-01", key=PRO)
    assert len(chart["prices"]) == 366


@pytest.mark.parametrize(
    ("coin", "parameters", "status", "error"),
    [
        ("nocoin", {"vs_currency": "usd", "from": 1, "to": 2}, 404, "coin not found"),
        ("nocoin", {"from": 1, "to": 2}, 422, "Missing parameter vs_currency"),
        ("bitcoin", {"from": 1, "to": 2}, 422, "Missing parameter vs_currency"),
        ("bitcoin", {"vs_currency": "usd", "to": 2}, 422, "Missing parameter from"),
        ("bitcoin", {"vs_currency": "usd", "from": 1}, 422, "Missing parameter to"),
        ("bitcoin", {"vs_currency": "xyz", "from": 1, "to": 2}, 400, "invalid vs_currency"),
        ("bitcoin", {"vs_currency": "usd", "from": "soon", "to": 2}, 400, "invalid from"),
        ("bitcoin", {"vs_currency": "usd", "from": 3, "to": 2}, 400, "invalid date range"),
    ],
)
def test_bad_requests_are_refused_as_the_vendor_does(
    api: Any, coin: str, parameters: dict[str, object], status: int, error: str
) -> None:
    response = api.get(f"/coins/{coin}/market_chart/range", **parameters)
    assert (response.status_code, response.json()) == (status, {"error": error})


@pytest.mark.parametrize("agent", ["", "  "])
def test_a_user_agent_is_required(api: Any, agent: str) -> None:
    response = api.client.get("/coingecko/api/v3/ping", headers={"user-agent": agent})
    assert response.status_code == 403
    assert response.json()["status"]["error_code"] == 403
    assert response.json()["status"]["error_message"].startswith("Please add a descriptive User-Agent")


def test_ping_with_and_without_a_trailing_slash(api: Any) -> None:
    assert api.read("/ping") == api.read("/ping/") == {"gecko_says": "(V3) To the Moon!"}


def test_headers_of_an_answer(api: Any) -> None:
    first, again = (api.get("/coins/bitcoin/market_chart", vs_currency="usd", days=3) for _ in range(2))
    assert first.headers["content-type"] == "application/json; charset=utf-8"
    assert first.headers["cache-control"] == "max-age=30, public, must-revalidate, s-maxage=60"
    assert first.headers["etag"].startswith('W/"')
    assert first.headers["etag"] == again.headers["etag"]
    assert first.headers["etag"] != api.get("/coins/bitcoin/market_chart", vs_currency="usd", days=4).headers["etag"]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(make_api: Any) -> None:
    def history(**settings: Any) -> str:
        return str(make_api(**settings).get("/coins/dogecoin/market_chart", vs_currency="eur", days=365).text)

    assert history() == history(days=14)
    assert history() != history(seed=2)


def test_a_world_stays_the_same_over_releases(api: Any) -> None:
    """Pinned digits: they must not depend on the platform, the interpreter or the order of calls."""
    text = api.get("/coins/bitcoin/market_chart/range", vs_currency="usd", from_="2024-12-31", to="2025-01-01").text
    assert text.startswith('{"prices":[[1735603339108,89711.004428421942],[1735606821516,89730.216139490896],')


def test_digits_survive_a_reader_that_keeps_them(api: Any) -> None:
    text = api.get("/coins/dogecoin/market_chart", vs_currency="usd", days=365).text
    prices = json.loads(text, parse_float=str)["prices"]
    assert max(len(price.replace(".", "").lstrip("0")) for _, price in prices) == 18
    assert any(Decimal(price) != Decimal(repr(float(price))) for _, price in prices)


def test_tiny_values_take_the_exponent_form(api: Any) -> None:
    text = api.get("/coins/dogecoin/market_chart", vs_currency="usd", days="max", key=PRO).text
    tiny = [price for _, price in json.loads(text, parse_float=str)["prices"] if "e-" in price]
    assert tiny
    assert all(Decimal(price) < Decimal("0.0001") for price in tiny)


def test_precision_rounds_prices(api: Any) -> None:
    full = ranged(api, "bitcoin", "2024-06-01", "2024-12-01")
    assert ranged(api, "bitcoin", "2024-06-01", "2024-12-01", precision="full") == full
    rounded = ranged(api, "bitcoin", "2024-06-01", "2024-12-01", precision="2")
    assert rounded["prices"] == [[stamp, round(price, 2)] for stamp, price in full["prices"]]
    assert api.get("/coins/bitcoin/market_chart", vs_currency="usd", days=1, precision=19).status_code == 400


def test_prices_move_like_a_market(api: Any) -> None:
    """A day's change is a few percent: neither flat nor torn, over every kind of boundary in the construction."""
    for coin in ("bitcoin", "ethereum", "dogecoin"):
        chart = api.read(f"/coins/{coin}/market_chart", vs_currency="usd", days="max", key=PRO)
        changes = [abs(right / left - 1) for (_, left), (_, right) in pairwise(chart["prices"][:-1])]
        assert Decimal("0.01") < sum(changes) / len(changes) < Decimal("0.06")
        assert max(changes) < Decimal("0.35")


def test_euro_prices_follow_the_dollar(api: Any) -> None:
    usd = ranged(api, "ethereum", "2024-06-01", "2024-12-01")
    eur = ranged(api, "ethereum", "2024-06-01", "2024-12-01", vs_currency="eur")
    rates = [euro / dollar for (_, dollar), (_, euro) in zip(usd["prices"], eur["prices"], strict=True)]
    assert all(Decimal("0.8") < rate < Decimal("1.1") for rate in rates)
    assert len(set(rates)) > 100


def test_the_chains_are_valued_with_the_same_series(api: Any, tmp_path: Any) -> None:
    market = Prices(Settings(state_dir=tmp_path))
    chart = ranged(api, "ethereum", "2024-06-01", "2025-01-14")
    closes = [market.close("ethereum", date(2024, 5, 31) + timedelta(days=day)) for day in range(len(chart["prices"]))]
    assert closes == [price for _, price in chart["prices"]]
    live_stamp, live = api.read("/coins/ethereum/market_chart", vs_currency="usd", days=1)["prices"][-1]
    assert market.spot("ethereum", datetime.fromtimestamp(live_stamp / 1000, tz=UTC)) == live
    assert market.close("bitcoin", date(2009, 1, 9)) == 0
