"""A served world, and what is read back from it byte by byte."""

import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from simulator.blockchair.routes import Blockchair
from simulator.clock import Clock
from simulator.settings import Settings

_CLOSES = {"bitcoin": Decimal("97123.45"), "ethereum": Decimal("3456.78"), "dogecoin": Decimal("0.321456")}


class Prices:
    """A price per coin that moves by a cent of a cent a day, so that a wrong day shows."""

    def close(self, coin_id: str, day: date) -> Decimal:
        """The price of a day."""
        return _CLOSES.get(coin_id, Decimal("88.5")) + Decimal((day - date(2025, 1, 1)).days) / 10000

    def spot(self, coin_id: str, at: datetime) -> Decimal:
        """The price of an instant."""
        return self.close(coin_id, at.date())


Row = dict[str, str]


@dataclass
class Served:
    """A world behind HTTP."""

    client: TestClient
    clock: Clock
    settings: Settings
    blockchair: Blockchair

    def get(self, path: str, **headers: str) -> Response:
        return self.client.get(path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def api(self, path: str, code: int = 200) -> Any:
        """An answer of the API, its integers exact and its other numbers decimals."""
        response = self.get(f"/blockchair/{path}")
        assert response.status_code == code, response.text
        return json.loads(response.text, parse_float=Decimal)

    def everything(self, path: str) -> list[dict[str, Any]]:
        """All rows of a query, by offset."""
        rows: list[dict[str, Any]] = []
        while page := self.api(f"{path}&limit=100&offset={len(rows)}")["data"]:
            rows += page
        return rows

    def addresses(self, chain: str) -> list[dict[str, Any]]:
        return self.everything(f"{chain}/addresses?q=")

    def path(self, chain: str, table: str, day: date) -> str:
        return f"/dumps/{chain}/{table}/blockchair_{chain}_{table}_{day:%Y%m%d}.tsv.gz"

    def packed(self, chain: str, table: str, day: date) -> bytes:
        response = self.get(self.path(chain, table, day))
        assert response.status_code == 200, response.url
        return response.content

    def day(self, chain: str, table: str, number: int) -> list[Row]:
        """The rows of a dump file, days counted from 0."""
        return self.unpacked(self.packed(chain, table, self.settings.start + timedelta(days=number)))

    @staticmethod
    def unpacked(content: bytes) -> list[Row]:
        header, *lines = (line.split("\t") for line in gzip.decompress(content).decode().split("\n"))
        return [dict(zip(header, line, strict=True)) for line in lines]

    def rows(self, chain: str, table: str) -> list[Row]:
        """The rows of all days."""
        return [row for number in range(self.settings.days) for row in self.day(chain, table, number)]


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Served]:
    """Makes a served world; keyword arguments are settings."""

    def make(**settings: Any) -> Served:
        chosen = Settings(state_dir=tmp_path_factory.mktemp("state"), **settings)
        clock = Clock(chosen.clock_start)
        app = FastAPI()
        blockchair = Blockchair(chosen, clock, Prices())
        for router in blockchair.routers():
            app.include_router(router)
        return Served(TestClient(app), clock, chosen, blockchair)

    return make


@pytest.fixture(scope="session")
def served(serve: Callable[..., Served]) -> Served:
    """A world of the default density and a few days; nobody moves its clock."""
    return serve(days=6)


@pytest.fixture(scope="session")
def prices() -> Prices:
    return Prices()


@pytest.fixture(scope="session")
def sha256d() -> Callable[[bytes], bytes]:
    return lambda data: hashlib.sha256(hashlib.sha256(data).digest()).digest()


@pytest.fixture(scope="session")
def epoch() -> Callable[[str], int]:
    """Seconds since 1970 of a time as it stands in a file."""
    return lambda text: int(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "dumps"
    path.mkdir()
    return path
