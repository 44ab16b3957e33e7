"""The project's simulator, whose CoinGecko the tests ask, and a way to run the tap against it."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from hypothesis.configuration import set_hypothesis_home_dir
from requests.adapters import HTTPAdapter

from tap_coingecko.tap import TapCoinGecko

# Nothing that the tests leave behind belongs into the project.
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "tap-coingecko-hypothesis")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def milliseconds() -> Callable[[datetime], int]:
    return lambda stamp: (stamp - EPOCH) // timedelta(milliseconds=1)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Make the tap's waits take no time, and list them."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


class Sent(list[requests.PreparedRequest]):
    """The requests for data that left this process, in order."""

    @property
    def paths(self) -> list[str]:
        """Paths below the API root."""
        return [urlsplit(str(request.url)).path.partition("/api/v3")[2] for request in self]

    def asked(self, *names: str) -> list[tuple[str, ...]]:
        """The values of these parameters, request by request; empty where it has none."""
        queries = [parse_qs(urlsplit(str(request.url)).query) for request in self]
        return [tuple(query.get(name, [""])[0] for name in names) for query in queries]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What the tap asks in this test."""
    found = Sent()
    send = HTTPAdapter.send

    def noted(adapter: HTTPAdapter, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if "/api/v3/" in str(request.url):
            found.append(request)
        return send(adapter, request, **options)

    monkeypatch.setattr(HTTPAdapter, "send", noted)
    return found


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
def run_tap(simulator: Simulator, run_at: Callable[..., Run]) -> Callable[..., Run]:
    """Run chosen streams of the tap against the simulator, in this process."""

    def run(*streams: str, **settings: Any) -> Run:
        try:
            return run_at(simulator.api(), *streams, **{"coins": ["bitcoin"], **settings})
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
                tap.session.close()  # else its sockets are found unclosed, in whatever test comes then
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
    """A running simulator: its clock, faults, odd days and counts."""

    url: str

    def api(self, plan: str | None = None) -> str:
        """The API root: of one plan's host, or one for all."""
        return f"{self.url}/coingecko/{plan}/api/v3" if plan else f"{self.url}/coingecko/api/v3"

    @property
    def now(self) -> datetime:
        """What its clock shows."""
        return datetime.fromisoformat(requests.get(f"{self.url}/_simulator/status", timeout=60).json()["now"])

    def post(self, what: str, body: Any) -> None:
        done = requests.post(f"{self.url}/_simulator/{what}", json=body, timeout=60)
        assert done.ok, done.text

    def fault(self, match: str, *, after: int = 0, times: int | None = 1, **action: Any) -> None:
        """Distort so many answers to paths that match; `body` makes it an answer of the test's own."""
        self.post("faults", [{"match": match, "after": after, "times": times, "action": action}])

    def clear(self, *kinds: str) -> None:
        for what in kinds or ("faults", "anomalies", "requests"):
            requests.delete(f"{self.url}/_simulator/{what}", timeout=60).raise_for_status()

    def paths(self) -> list[str]:
        """Paths below the API root since the counts were cleared, pings left out."""
        log = requests.get(f"{self.url}/_simulator/requests", timeout=60).json()["log"]
        paths = [entry["path"].partition("/api/v3")[2] for entry in log]
        return [path for path in paths if path != "/ping"]

    def get(self, path: str, **parameters: Any) -> Any:
        """Ask CoinGecko without the tap, as a plan that reaches everything; numbers are exact."""
        headers = {"x-cg-pro-api-key": "CG-x", "User-Agent": "a test of tap-coingecko"}
        answer = requests.get(self.api() + path, params=parameters, headers=headers, timeout=60)
        assert answer.ok, answer.text
        return answer.json(parse_float=Decimal)

    def points(self, coin: str, currency: str, start: datetime, granularity: str) -> dict[str, tuple[Any, ...]]:
        """Price, market cap and volume by stamp, up to now and without the live value, read without the tap."""
        found: dict[int, dict[str, Any]] = {}
        step, now = timedelta(days=4000 if granularity == "daily" else 89), self.now
        for first in (start + step * i for i in range((now - start) // step + 1)):
            span = {"from": int(first.timestamp()), "to": int(min(first + step, now).timestamp())}
            asked = {"vs_currency": currency, "interval": granularity, "precision": "full", **span}
            for name, pairs in self.get(f"/coins/{coin}/market_chart/range", **asked).items():
                for stamp, value in pairs:
                    found.setdefault(stamp, {})[name] = value
        return {
            (EPOCH + timedelta(milliseconds=stamp)).isoformat(timespec="milliseconds"): tuple(
                found[stamp].get(name) for name in ("prices", "market_caps", "total_volumes")
            )
            for stamp in sorted(found)[:-1]
        }


@pytest.fixture
def simulator(noon: Simulator) -> Simulator:
    """CoinGecko at noon of 2026-05-18: the clock stands, and nothing is left of an earlier test."""
    noon.clear()
    return noon


@pytest.fixture
def moving(later: Simulator) -> Simulator:
    """CoinGecko at noon of 2031-07-01 or later: tests move its clock by whole days, so each asks for the time."""
    later.clear()
    return later


@pytest.fixture(scope="session")
def noon(start_simulator: Callable[..., Simulator]) -> Simulator:
    return start_simulator("--start", "2026-05-01", "--now", "2026-05-18T12:00")


@pytest.fixture(scope="session")
def later(start_simulator: Callable[..., Simulator]) -> Simulator:
    return start_simulator("--start", "2031-06-01", "--now", "2031-07-01T12:00")


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
