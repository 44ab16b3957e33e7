"""A local stand-in for CoinGecko, and a way to run the tap against it."""

# ruff: noqa: ANN401 - the stand-in is a fixture, and its class lives in conftest, which tests do not import
from __future__ import annotations

import io
import json
import os
import re
import time
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler

from tap_coingecko.tap import TapCoinGecko

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_httpserver import HTTPServer

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Source:
    """A CoinGecko whose clock, data and failures a test sets."""

    url: str
    now: datetime = datetime(2026, 5, 18, 12, 0, tzinfo=UTC)
    #: JSON text of a chart's three arrays by coin; cut to the span that is asked for.
    charts: dict[str, list[tuple[int, str | None, str | None, str | None]]] = field(default_factory=dict)
    #: JSON text of a market's row by coin.
    markets: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    #: Answers given before anything else.
    failures: list[Response] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    @property
    def date(self) -> str:
        return format_datetime(self.now, usegmt=True)

    def paths(self) -> list[str]:
        return [request.path.removeprefix("/api/v3") for request in self.requests]

    def answer(self, request: Request) -> Response:
        self.requests.append(request)
        response = self.failures.pop(0) if self.failures else self._data(request)
        response.headers.extend(self.headers)
        return response

    def _data(self, request: Request) -> Response:
        match request.path.removeprefix("/api/v3/").split("/"):
            case ["ping"]:
                return _json('{"gecko_says":"(V3) To the Moon!"}')
            case ["coins", "markets"]:
                wanted = request.args["ids"].split(",")
                return _json("[" + ",".join(row for coin, row in self.markets.items() if coin in wanted) + "]")
            case ["coins", coin, "market_chart", "range"] if coin in self.charts:
                first, last = (int(request.args[name]) * 1000 for name in ("from", "to"))
                points = [point for point in self.charts[coin] if first <= point[0] <= last]
                return _json(chart_text(points))
        return _json('{"error":"coin not found"}', 404)


def _json(text: str, status: int = 200) -> Response:
    return Response(text, status, content_type="application/json; charset=utf-8")


def chart_text(points: Iterable[tuple[int, str | None, str | None, str | None]]) -> str:
    """Write a chart as the source does; a value of None leaves the element out, "null" writes a null."""
    columns: dict[str, list[str]] = {"prices": [], "market_caps": [], "total_volumes": []}
    for stamp, *values in points:
        for name, value in zip(columns, values, strict=True):
            if value is not None:
                columns[name].append(f"[{stamp},{value}]")
    return "{" + ",".join(f'"{name}":[{",".join(items)}]' for name, items in columns.items()) + "}"


@pytest.fixture
def milliseconds() -> Callable[[datetime], int]:
    return lambda stamp: (stamp - EPOCH) // timedelta(milliseconds=1)


@pytest.fixture
def midnights(milliseconds: Callable[[datetime], int]) -> Callable[..., list[tuple[int, str, str, str]]]:
    """Daily points from one day to another, both included; the price tells the day."""

    def make(first: datetime, last: datetime) -> list[tuple[int, str, str, str]]:
        days = (last - first).days + 1
        stamps = [milliseconds(first + timedelta(days=day)) for day in range(days)]
        return [(stamp, f"{stamp // 86_400_000}.25", f"{stamp}.5", f"{stamp // 1000}") for stamp in stamps]

    return make


@pytest.fixture(scope="session")
def make_source() -> Callable[[HTTPServer, pytest.MonkeyPatch], Source]:
    """Turn a running server into a CoinGecko."""

    def make(server: HTTPServer, patch: pytest.MonkeyPatch) -> Source:
        fake = Source(server.url_for("/api/v3"))
        # The server library writes a Date of its own; it shall be the source's.
        patch.setattr(WSGIRequestHandler, "date_time_string", lambda *_: fake.date)
        server.expect_request(re.compile(".*")).respond_with_handler(fake.answer)
        return fake

    return make


@pytest.fixture
def source(httpserver: HTTPServer, make_source: Callable[..., Source], monkeypatch: pytest.MonkeyPatch) -> Source:
    return make_source(httpserver, monkeypatch)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Make the tap's waits take no time, and list them."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


@dataclass
class Run:
    """What one run of the tap wrote."""

    text: str

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line, parse_float=Decimal) for line in self.text.splitlines()]

    def records(self, stream: str) -> list[dict[str, Any]]:
        return [m["record"] for m in self.messages if m["type"] == "RECORD" and m["stream"] == stream]

    @property
    def state(self) -> dict[str, Any]:
        states = [m["value"] for m in self.messages if m["type"] == "STATE"]
        return json.loads(json.dumps(states[-1]))  # type: ignore[no-any-return]


@pytest.fixture
def run_tap(source: Source) -> Callable[..., Run]:
    """Run chosen streams of the tap in this process."""

    def run(*streams: str, state: dict[str, Any] | None = None, **settings: Any) -> Run:
        config = {"api_url": source.url, "requests_per_minute": 100_000, "coins": ["bitcoin"], **settings}
        tap = TapCoinGecko(config=config, state=state)
        for name, stream in tap.streams.items():
            stream.selected = name in streams
        raw = io.BytesIO()
        with redirect_stdout(io.TextIOWrapper(raw, encoding="utf-8", write_through=True)) as out:
            try:
                tap.sync_all()
            finally:
                out.flush()
                run.text = raw.getvalue().decode()  # type: ignore[attr-defined]
        return Run(raw.getvalue().decode())

    return run


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder of real samples."""
    default = Path(__file__).parents[3].parent / "shared" / "samples"
    folder = Path(os.environ.get("SAMPLES_DIR", default)) / "coingecko"
    if not folder.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"SAMPLES_DIR has no folder coingecko ({folder})")
        pytest.skip(f"no real samples at {folder}; set SAMPLES_DIR")
    return folder
