"""The HTTP session: pace, time-outs, and what becomes of a connection that fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer
from requests.adapters import HTTPAdapter
from singer_sdk.exceptions import FatalAPIError
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.exceptions import MaxRetryError, NewConnectionError

from tap_coingecko.session import Pace
from tap_coingecko.tap import TapCoinGecko

MARKETS = "coingecko_coins_markets"
PATH = "/api/v3/coins/markets"
BITCOIN = '[{"id":"bitcoin","symbol":"btc","name":"Bitcoin"}]'


@pytest.fixture
def read(httpserver: HTTPServer, run_at: Callable[..., Any]) -> Callable[..., Any]:
    """Read bitcoin's market from a server that knows it."""
    httpserver.expect_request(PATH).respond_with_data(BITCOIN)
    return lambda **settings: run_at(httpserver.url_for("/api/v3"), MARKETS, coins=["bitcoin"], **settings)


@pytest.mark.parametrize(
    ("gap", "took", "expected"),
    [
        pytest.param(0, (0, 10, 0, 5, 0, 0, 200, 0), [0, 0, 10, 61, 66, 71, 122, 322], id="any minute"),
        (5, (0, 2, 9, 0, 0), [0, 5, 10, 61, 66]),
        (0.5, (0, 2, 9, 0, 0), [0, 0.5, 2.5, 61, 61.5]),
        (0, (0, 2, 9, 0, 0), [0, 0, 2, 61, 61]),
    ],
)
def test_pace(gap: float, took: tuple[float, ...], expected: list[float]) -> None:
    now = 0.0
    starts: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    pace = Pace(3, gap=gap, clock=lambda: now, sleep=sleep)
    for seconds in took:
        pace.wait()
        starts.append(now)
        now += seconds

    assert starts == expected


def test_an_outage_in_the_middle_is_waited_out(
    read: Callable[..., Any], naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    send = HTTPAdapter.send

    def sometimes(adapter: HTTPAdapter, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        sent.append(str(request.url))
        if len(sent) in {2, 3}:
            reason = NewConnectionError(HTTPConnection("nowhere"), "no route")
            raise requests.ConnectionError(MaxRetryError(HTTPConnectionPool("nowhere"), "/", reason))
        return send(adapter, request, **kwargs)

    monkeypatch.setattr(HTTPAdapter, "send", sometimes)

    rows = read(vs_currencies=["usd", "eur"]).records(MARKETS)

    assert [row["vs_currency"] for row in rows] == ["usd", "eur"]
    assert [int(nap) for nap in naps] == [1, 2]


@pytest.mark.parametrize(
    ("settings", "connect", "answer"), [({}, 5, 60), ({"timeout": 7}, 5, 7), ({"timeout": 2}, 2, 2)]
)
def test_how_long_a_call_waits(
    read: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, int],
    connect: float,
    answer: float,
) -> None:
    """The host is given five seconds to take the connection, and the setting's to answer."""
    waits: list[Any] = []
    send = HTTPAdapter.send

    def noted(adapter: HTTPAdapter, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        waits.append(options["timeout"])
        return send(adapter, request, **options)

    monkeypatch.setattr(HTTPAdapter, "send", noted)
    read(**settings)

    assert waits == [(connect, answer)]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_connecting_is_tried_three_times(
    run_at: Callable[..., Any], naps: list[float], monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    tried: list[str] = []

    def refused(connection: HTTPConnection) -> None:
        tried.append(connection.host)
        raise NewConnectionError(connection, "refused")

    monkeypatch.setattr(HTTPConnection, "_new_conn", refused)

    with pytest.raises(FatalAPIError, match="nothing answers there"):
        run_at(f"{scheme}://127.0.0.1/api/v3", MARKETS)

    assert len(tried) == 3
    assert 0 < sum(naps) < 5


def test_a_host_without_a_certificate_is_reported(httpserver: HTTPServer, run_at: Callable[..., Any]) -> None:
    url = httpserver.url_for("/api/v3").replace("http:", "https:")

    with pytest.raises(FatalAPIError, match="its certificate was not accepted"):
        run_at(url, MARKETS)


def test_a_slash_at_the_end_of_the_address_is_left_out(simulator: Any, run_at: Callable[..., Any], sent: Any) -> None:
    run_at(simulator.api() + "/", MARKETS)

    assert sent.paths == ["/coins/markets"]


def test_calls_of_all_streams_keep_the_pace_of_the_settings(
    run_tap: Callable[..., Any], naps: list[float], sent: Any
) -> None:
    run_tap(MARKETS, vs_currencies=["usd", "eur", "gbp", "jpy"], requests_per_minute=3)

    assert len(sent) == 4
    assert [60 < nap <= 61 for nap in naps] == [True]


@pytest.mark.parametrize(("plan", "per_minute"), [("keyless", 4), ("demo", 25)])
def test_without_a_setting_the_pace_is_the_plans(
    simulator: Any, naps: list[float], sent: Any, plan: str, per_minute: int
) -> None:
    currencies = ["usd", "eur", "gbp", "jpy", "chf"]
    key = {"api_key": "CG-x"} if plan != "keyless" else {}
    tap = TapCoinGecko(
        config={"plan": plan, "api_url": simulator.api(), "coins": ["bitcoin"], "vs_currencies": currencies, **key}
    )
    for name, stream in tap.streams.items():
        stream.selected = name == MARKETS

    tap.sync_all()

    assert len(sent) == len(currencies)
    assert len(naps) == (1 if per_minute < len(currencies) else 0)
