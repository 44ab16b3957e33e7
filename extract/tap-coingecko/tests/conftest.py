"""A local stand-in for CoinGecko, and a way to run the tap against it."""

# ruff: noqa: ANN401 - the stand-in is a fixture, and its class lives in conftest, which tests do not import
from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis.configuration import set_hypothesis_home_dir
from werkzeug import Request, Response
from werkzeug.serving import WSGIRequestHandler

from tap_coingecko.tap import TapCoinGecko

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_httpserver import HTTPServer

# Nothing that the tests leave behind belongs into the project.
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "tap-coingecko-hypothesis")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BEYOND_REACH = (
    '{"error":{"status":{"timestamp":"2026-05-17T01:39:44.892+00:00","error_code":10012,'
    '"error_message":"Your request exceeds the allowed time range."}}}'
)


@dataclass
class Source:
    """A CoinGecko whose clock, data and failures a test sets."""

    url: str
    now: datetime = datetime(2026, 5, 18, 12, 0, tzinfo=UTC)
    #: JSON text of a chart's three arrays by coin; cut to the span that is asked for, which must exceed 90 days.
    charts: dict[str, list[tuple[int, str | None, str | None, str | None]]] = field(default_factory=dict)
    #: The same for spans of up to 90 days.
    hourly: dict[str, list[tuple[int, str | None, str | None, str | None]]] = field(default_factory=dict)
    #: JSON text of a market's row by coin.
    markets: dict[str, str] = field(default_factory=dict)
    #: JSON text by path, for all other endpoints.
    answers: dict[str, str] = field(default_factory=dict)
    #: How far back charts may be asked for.
    reach: timedelta | None = None
    #: What a path is answered with in place of data, as long as it is listed here.
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    #: Answers given before anything else; None lets a request pass.
    failures: list[Response | None] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    @property
    def date(self) -> str:
        return format_datetime(self.now, usegmt=True)

    def paths(self) -> list[str]:
        return [request.path.removeprefix("/api/v3") for request in self.requests]

    def answer(self, request: Request) -> Response:
        self.requests.append(request)
        response = (self.failures.pop(0) if self.failures else None) or self._data(request)
        response.headers.extend(self.headers)
        return response

    def asked(self, *names: str) -> list[tuple[str, ...]]:
        """The values of these parameters, request by request."""
        return [tuple(request.args.get(name, "") for name in names) for request in self.requests]

    def _data(self, request: Request) -> Response:
        path = request.path.removeprefix("/api/v3")
        if path in self.refusals or path in self.answers:
            status, text = self.refusals.get(path) or (200, self.answers[path])
            return _json(text, status)
        match path[1:].split("/"):
            case ["ping"]:
                return _json('{"gecko_says":"(V3) To the Moon!"}')
            case ["coins", "markets"]:
                wanted = request.args["ids"].split(",")
                return _json("[" + ",".join(row for coin, row in self.markets.items() if coin in wanted) + "]")
            case ["coins", coin, "market_chart", "range"] if coin in self.charts or coin in self.hourly:
                first, last = (int(request.args[name]) for name in ("from", "to"))
                if self.reach and first < (self.now - self.reach).timestamp():
                    return _json(BEYOND_REACH, 401)
                source = self.charts if last - first > 90 * 86_400 else self.hourly
                points = [point for point in source.get(coin, []) if first * 1000 <= point[0] <= last * 1000]
                return _json(chart_text(points))
        return _json('{"error":"coin not found"}', 404)


_AMOUNTS = (
    "current_price",
    "market_cap",
    "fully_diluted_valuation",
    "total_volume",
    "high_24h",
    "low_24h",
    "price_change_24h",
    "price_change_percentage_24h",
    "market_cap_change_24h",
    "market_cap_change_percentage_24h",
    "circulating_supply",
    "total_supply",
    "ath",
    "ath_change_percentage",
    "atl",
    "atl_change_percentage",
)
#: One good row for every endpoint but charts and candles; a key that no documentation names is in each.
GOOD: dict[str, Any] = {
    "/asset_platforms": [{"id": "ethereum", "chain_identifier": 1, "name": "Ethereum", "shortname": "", "new": 1}],
    "/coins/categories": [{"id": "layer-1", "name": "Layer 1", "market_cap": 1.5, "top_3_coins": [None], "new": 1}],
    "/coins/list": [{"id": "bitcoin", "symbol": "btc", "name": "Bitcoin", "platforms": {}, "new": 1}],
    "/coins/bitcoin": {"id": "bitcoin", "symbol": "btc", "name": "Bitcoin", "links": {"homepage": [""]}, "new": 1},
    "/exchange_rates": {"rates": {"usd": {"name": "US Dollar", "unit": "$", "value": 1.5, "type": "fiat", "new": 1}}},
    "/global": {"data": {"markets": 2, "total_volume": {"usd": 1.5}, "updated_at": 1779878351, "new": 1}},
    "/search/trending": {"coins": [{"item": {"id": "bitcoin", "name": "Bitcoin", "score": 0, "new": 1}}], "new": 1},
}
MARKET_ROW: dict[str, Any] = {
    "id": "bitcoin",
    "symbol": "btc",
    "name": "Bitcoin",
    "image": "https://example.org/1.png",
    "market_cap_rank": 1,
    "max_supply": None,
    "roi": {"times": 1.5, "currency": "btc", "percentage": 150},
    "new": 1,
    **dict.fromkeys(_AMOUNTS, 12.5),
    **dict.fromkeys(("ath_date", "atl_date", "last_updated"), "2026-05-18T11:59:00.123Z"),
}


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


@pytest.fixture(scope="session")
def furnish() -> Callable[[Source], None]:
    """Let a source know bitcoin, with a hundred days of it, at every endpoint."""

    def fill(source: Source) -> None:
        now = (source.now - EPOCH) // timedelta(milliseconds=1)
        source.answers |= {path: json.dumps(answer) for path, answer in GOOD.items()}
        source.markets["bitcoin"] = json.dumps(MARKET_ROW)
        midnight, hour = now - now % 86_400_000, now - now % 3_600_000
        source.charts["bitcoin"] = [(midnight - day * 86_400_000, "1.5", "2", "3") for day in range(99, -1, -1)]
        source.hourly["bitcoin"] = [(hour - i * 3_600_000 + 41_331, "1.5", "2", "3") for i in range(2400, 0, -1)]
        candles = [[hour - i * 14_400_000, 1.5, 3, 1.25, 2] for i in range(42, -1, -1)]
        source.answers["/coins/bitcoin/ohlc"] = json.dumps(candles)

    return fill


@pytest.fixture
def furnished(source: Source, furnish: Callable[[Source], None]) -> Source:
    """A source that knows bitcoin at every endpoint."""
    furnish(source)
    return source


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
def run_tap(source: Source, run_at: Callable[..., Run]) -> Callable[..., Run]:
    """Run chosen streams of the tap against the stand-in, in this process."""

    def run(*streams: str, state: dict[str, Any] | None = None, **settings: Any) -> Run:
        try:
            return run_at(source.url, *streams, state=state, **{"coins": ["bitcoin"], **settings})
        finally:
            # What a run wrote before it failed can be looked at here.
            run.last = run_at.last  # type: ignore[attr-defined]

    return run


@pytest.fixture(scope="session")
def run_at() -> Callable[..., Run]:
    """Run chosen streams of the tap against any address, in this process."""

    def run(url: str, *streams: str, state: dict[str, Any] | None = None, catalog: Any = None, **settings: Any) -> Run:
        run.last = Run("")  # type: ignore[attr-defined]
        config = {"api_url": url, "requests_per_minute": 100_000, **settings}
        tap = TapCoinGecko(config=config, state=state, catalog=catalog)
        for name, stream in tap.streams.items():
            stream.selected = name in streams
        raw = io.BytesIO()
        with redirect_stdout(io.TextIOWrapper(raw, encoding="utf-8", write_through=True)) as out:
            try:
                tap.sync_all()
            finally:
                out.flush()
                run.last = Run(raw.getvalue().decode())  # type: ignore[attr-defined]
        return run.last  # type: ignore[attr-defined, no-any-return]

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


@dataclass
class Simulator:
    """A running simulator of its own clock, faults and counts."""

    url: str

    def api(self, plan: str | None = None) -> str:
        """The API root: of one plan's host, or one for all."""
        return f"{self.url}/coingecko/{plan}/api/v3" if plan else f"{self.url}/coingecko/api/v3"

    def post(self, what: str, body: Any) -> None:
        done = requests.post(f"{self.url}/_simulator/{what}", json=body, timeout=30)
        assert done.ok, done.text

    def clear(self, *kinds: str) -> None:
        for what in kinds:
            requests.delete(f"{self.url}/_simulator/{what}", timeout=30).raise_for_status()

    def paths(self) -> list[str]:
        """Paths below the API root since the counts were cleared, pings left out."""
        log = requests.get(f"{self.url}/_simulator/requests", timeout=30).json()["log"]
        paths = [entry["path"].partition("/api/v3")[2] for entry in log]
        return [path for path in paths if path != "/ping"]

    def get(self, path: str, **parameters: Any) -> Any:
        """Ask CoinGecko without the tap, as a plan that reaches everything; numbers are exact."""
        headers = {"x-cg-pro-api-key": "CG-x", "User-Agent": "a test of tap-coingecko"}
        answer = requests.get(self.api() + path, params=parameters, headers=headers, timeout=30)
        assert answer.ok, answer.text
        return answer.json(parse_float=Decimal)


@pytest.fixture(scope="module")
def simulator(start_simulator: Callable[..., Simulator]) -> Simulator:
    """A simulator of a module's own."""
    return start_simulator()


@pytest.fixture(scope="session")
def start_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Simulator]]:
    """Start simulators of small worlds; they end with the tests."""
    if shutil.which("simulator") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("the project's simulator is not on the PATH")
        pytest.skip("the project's simulator is not installed")
    folders: list[Path] = []

    def call(folder: Path, *arguments: str) -> str:
        environment = {**os.environ, "MELTANO_PROJECT_ROOT": str(folder)}
        command = ["simulator", *arguments, "--state-dir", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(*options: str) -> Simulator:
        folders.append(tmp_path_factory.mktemp("simulator"))
        small = ("--blocks-per-day", "1", "--transactions-per-block", "1")
        call(folders[-1], "start", "--no-env-file", *small, *options)
        return Simulator(json.loads(call(folders[-1], "status", "--json"))["url"])

    try:
        yield start
    finally:
        for folder in folders:
            call(folder, "stop")
