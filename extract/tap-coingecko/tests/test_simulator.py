"""Against the project's simulator, which was written from CoinGecko's contract and not from this tap."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

CHART, TOKEN, OHLC = "coingecko_market_chart", "coingecko_token", "coingecko_ohlc"
COINS = ("bitcoin", "ethereum", "dogecoin")
AMOUNTS = ("price", "market_cap", "total_volume")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rows_of(run: Any, stream: str, **where: str) -> list[dict[str, Any]]:
    return [row for row in run.records(stream) if all(row[name] == value for name, value in where.items())]


def test_a_year_of_three_coins_takes_three_calls(simulator: Any, run_at: Callable[..., Any]) -> None:
    run = run_at(simulator.api("keyless"), CHART, coins=list(COINS))

    assert simulator.paths() == [f"/coins/{coin}/market_chart/range" for coin in COINS]
    now = simulator.now
    for coin in COINS:
        rows = rows_of(run, CHART, coin_id=coin)
        truth = simulator.points(coin, "usd", now - timedelta(days=364), "daily")
        assert {row["stamp"]: tuple(row[name] for name in AMOUNTS) for row in rows} == truth
        assert len(rows) == len(truth) == 364


def test_hourly_points(simulator: Any, run_at: Callable[..., Any]) -> None:
    run = run_at(
        simulator.api("keyless"),
        CHART,
        coins=["dogecoin"],
        vs_currencies=["eur"],
        granularities=["hourly"],
        start_date="2025-12-01",
    )

    rows = rows_of(run, CHART, granularity="hourly")
    truth = simulator.points("dogecoin", "eur", datetime(2025, 12, 1, tzinfo=UTC), "hourly")
    assert {row["stamp"]: tuple(row[name] for name in AMOUNTS) for row in rows} == truth
    assert len(rows) == len(truth) > 160 * 24


@pytest.mark.parametrize(("plan", "granularity"), [("keyless", "4h"), ("basic", "daily"), ("analyst", "daily")])
def test_candles(simulator: Any, run_at: Callable[..., Any], caplog: Any, plan: str, granularity: str) -> None:
    key = {} if plan == "keyless" else {"plan": plan, "api_key": "CG-x"}
    run = run_at(simulator.api(plan), OHLC, coins=["bitcoin"], start_date="2025-11-25", **key)

    rows = {row["stamp"]: tuple(row[name] for name in ("open", "high", "low", "close")) for row in run.records(OHLC)}
    asked = {"days": 30} if granularity == "4h" else {"days": 180, "interval": "daily"}
    answer = simulator.get("/coins/bitcoin/ohlc", vs_currency="usd", precision="full", **asked)
    settled = simulator.now - timedelta(minutes=40)
    period = timedelta(hours=4) if granularity == "4h" else timedelta(days=1)
    truth = {}
    for stamp, *prices in answer:
        at = EPOCH + timedelta(milliseconds=stamp)
        is_whole = at <= settled and (at - EPOCH) % period == timedelta(0)
        if is_whole and at >= datetime(2025, 11, 25, tzinfo=UTC):
            truth[at.isoformat(timespec="milliseconds")] = tuple(prices)
    assert rows == truth
    assert len(rows) > 150
    assert {row["granularity"] for row in run.records(OHLC)} == {granularity}
    # The start date is 174 days ago: only candles of four hours do not reach so far.
    warned = "candles before 2026-04-18 are beyond the reach of plan keyless" in caplog.text
    assert warned == ("beyond the reach" in caplog.text) == (plan == "keyless")


def test_candles_of_many_windows(simulator: Any, run_at: Callable[..., Any]) -> None:
    run = run_at(
        simulator.api("analyst"), OHLC, plan="analyst", api_key="CG-x", coins=["bitcoin"], start_date="2024-10-01"
    )

    assert simulator.paths() == ["/coins/bitcoin/ohlc/range"] * 4
    stamps = [datetime.fromisoformat(row["stamp"]) for row in run.records(OHLC)]
    assert stamps == [datetime(2024, 10, 1, tzinfo=UTC) + timedelta(days=day) for day in range(len(stamps))]
    assert stamps[-1] == simulator.now.replace(hour=0)
    # Each candle's close is the daily point of its stamp, which another stream reads.
    chart = run_at(simulator.api(), CHART, plan="analyst", api_key="CG-x", coins=["bitcoin"], start_date="2024-10-01")
    closes = {row["stamp"]: row["price"] for row in chart.records(CHART)}
    assert {row["stamp"]: row["close"] for row in run.records(OHLC)} == closes


def test_a_day_goes_by(moving: Any, run_at: Callable[..., Any]) -> None:
    settings = {
        "coins": list(COINS),
        "start_date": (moving.now - timedelta(days=45)).isoformat(),
        "granularities": ["daily", "hourly"],
    }
    streams = (CHART, TOKEN, OHLC)
    first = run_at(moving.api(), *streams, **settings)
    again = run_at(moving.api(), *streams, state=first.state, **settings)
    moving.post("advance", {"days": 1})
    later = run_at(moving.api(), *streams, state=again.state, **settings)
    whole = run_at(moving.api(), *streams, **settings)

    for stream, key in ((CHART, "stamp"), (TOKEN, "date"), (OHLC, "stamp")):
        parts = ("coin_id", "granularity")

        def table(*runs: Any, stream: str = stream, key: str = key, parts: Any = parts) -> dict[Any, Any]:
            rows = [row for run in runs for row in run.records(stream)]
            return {(*(row.get(part) for part in parts), row[key]): row for row in rows}

        assert table(again).items() <= table(first).items()
        # One by one or at once: the same table. A live value would be left behind in it.
        assert table(first, again, later) == {**table(first), **table(whole)}
        assert {k[-1] for k in table(later).keys() - table(first).keys()} != set()
        assert len(table(later)) < len(table(first))


ANOMALIES: list[tuple[str, Callable[[list[Any], list[Any]], bool]]] = [
    ("missing", lambda odd, _: odd == []),
    ("off_midnight", lambda odd, usual: [row[0] for row in odd] == [usual[0][0].replace("00:00:00", "00:05:11")]),
    ("doubled", lambda odd, usual: len(odd) == 2 and odd[0] == usual[0]),
    ("restated", lambda odd, usual: odd[0][1] > usual[0][1]),
    ("exponent", lambda odd, usual: len(odd) == 1 and odd[0][0] == usual[0][0]),
    ("integer", lambda odd, _: all(value == int(value) for value in odd[0][1:])),
    *(
        (
            f"{how}_{amount}",
            lambda odd, usual, at=at: odd == [tuple(None if i == at else v for i, v in enumerate(usual[0]))],
        )
        for how in ("null", "absent")
        for at, amount in enumerate(AMOUNTS, 1)
    ),
    *(
        (
            f"zero_{amount}",
            lambda odd, usual, at=at: odd == [tuple(0 if i == at else v for i, v in enumerate(usual[0]))],
        )
        for at, amount in enumerate(AMOUNTS, 1)
    ),
]


@pytest.mark.parametrize(("change", "holds"), ANOMALIES, ids=[change for change, _ in ANOMALIES])
def test_odd_days(simulator: Any, run_at: Callable[..., Any], change: str, holds: Callable[..., bool]) -> None:
    settings = {"coins": ["bitcoin"], "start_date": "2026-04-20"}

    def day(run: Any) -> list[Any]:
        rows = [row for row in run.records(CHART) if row["stamp_date"] == "2026-05-06"]
        return [(row["stamp"], *(row[name] for name in AMOUNTS)) for row in rows]

    usual = run_at(simulator.api(), CHART, **settings)
    simulator.post("anomalies", {"coin": "bitcoin", "day": "2026-05-06", "change": change})
    odd = run_at(simulator.api(), CHART, TOKEN, **settings)

    assert len(day(usual)) == 1
    assert holds(day(odd), day(usual))
    # The other days are as they were, and the values are those that the source states, whatever they are.
    others = [[row for row in run.records(CHART) if row["stamp_date"] != "2026-05-06"] for run in (usual, odd)]
    assert others[0] == others[1]
    start = datetime(2026, 4, 20, tzinfo=UTC)
    truth = simulator.points("bitcoin", "usd", start, "daily")
    assert [(row["stamp"], *(row[name] for name in AMOUNTS)) for row in odd.records(CHART)] == [
        (stamp, *values) for stamp, values in truth.items()
    ]
    # Where a date has two stamps, its first one is the community stream's value.
    tokens = {row["date"]: row["price_usd"] for row in odd.records(TOKEN)}
    first = {stamp[:10]: values[0] for stamp, values in reversed(truth.items())}
    assert tokens == first


def test_a_late_point_is_read_later(moving: Any, run_at: Callable[..., Any]) -> None:
    now = moving.now
    today = now.date().isoformat()
    moving.post(
        "anomalies",
        {"coin": "bitcoin", "day": today, "change": "missing", "until": (now + timedelta(days=1)).isoformat()[:19]},
    )
    settings = {"coins": ["bitcoin"], "start_date": (now - timedelta(days=26)).isoformat()}
    first = run_at(moving.api(), CHART, TOKEN, **settings)
    moving.post("advance", {"days": 2})
    second = run_at(moving.api(), CHART, TOKEN, state=first.state, **settings)

    assert today not in {row["stamp_date"] for row in first.records(CHART)}
    assert today in {row["stamp_date"] for row in second.records(CHART)}
    assert today in {row["date"] for row in second.records(TOKEN)}


def test_a_plan_that_promises_too_much(simulator: Any, run_at: Callable[..., Any], caplog: Any) -> None:
    """The settings say analyst, the key is of Basic: what Basic reaches is read, and logged."""
    settings = {"plan": "analyst", "api_key": "CG-x", "coins": ["bitcoin", "dogecoin"]}
    run = run_at(simulator.api("basic"), CHART, **settings)

    now = simulator.now
    for coin in ("bitcoin", "dogecoin"):
        rows = rows_of(run, CHART, coin_id=coin)
        truth = simulator.points(coin, "usd", now - timedelta(days=729), "daily")
        assert [row["stamp"] for row in rows] == list(truth)
    assert "code 10012" in caplog.text
    assert len(simulator.paths()) - 2 == 3  # the reading of the truth, and one refusal for both coins


def test_every_row_of_a_real_export(
    start_simulator: Callable[..., Any], run_at: Callable[..., Any], samples: Path
) -> None:
    options = (
        "--start",
        "2025-01-01",
        "--days",
        "13",
        "--now",
        "2025-01-14T12:00",
        "--prices-dir",
        str(samples / "csv"),
    )
    exported = start_simulator(*options)
    with next((samples / "csv").glob("eth-usd-max.*.csv")).open() as file:
        export = list(csv.DictReader(file))
    expected = [
        (
            datetime.strptime(row["snapped_at"], "%Y-%m-%d %H:%M:%S %Z").replace(tzinfo=UTC),
            *(Decimal(row[name]) if row[name] else None for name in AMOUNTS),
        )
        for row in export
    ]

    run = run_at(exported.api("analyst"), CHART, TOKEN, coins=["ethereum"], plan="analyst", api_key="CG-test")

    found = [(datetime.fromisoformat(row["stamp"]), *(row[name] for name in AMOUNTS)) for row in run.records(CHART)]
    assert found == expected
    assert len(expected) == 3448
    # Its gaps and anomalies are those of the source.
    stamps = [stamp for stamp, *_ in expected]
    assert sum(stamp.time().isoformat() != "00:00:00" for stamp in stamps) == 2
    assert (stamps[-1] - stamps[0]).days + 1 > len({stamp.date() for stamp in stamps})
    assert any(None in amounts for _, *amounts in expected)
    assert exported.paths() == ["/coins/ethereum/market_chart/range"]
    # The first stamp of each date, for projects of the Hub's tap.
    first: dict[str, Any] = {}
    for stamp, *amounts in expected:
        first.setdefault(stamp.date().isoformat(), amounts)
    columns = ("price_usd", "market_cap_usd", "total_volume_usd")
    assert {row["date"]: [row[name] for name in columns] for row in run.records(TOKEN)} == first
