"""What the tests of this package share."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from simulator.server import create_app
from simulator.settings import Settings

_PROJECT_ROOT = Path(__file__).parents[3]


@pytest.fixture
def samples_dir() -> Path:
    """The folder of real samples; without it a test skips, unless this is CI."""
    folder = Path(os.environ.get("SAMPLES_DIR") or _PROJECT_ROOT / "../shared/samples").resolve()
    if not folder.is_dir():
        message = f"no samples at {folder}; set SAMPLES_DIR"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return folder


class Api:
    """CoinGecko as a test asks it: paths below the API root, parameters, and exact numbers in the answers."""

    def __init__(self, settings: Settings) -> None:
        self.client = TestClient(create_app(settings), raise_server_exceptions=False)
        self.client.headers["user-agent"] = "a test of the simulator"

    def get(self, path: str, *, key: tuple[str, str] | None = None, **parameters: object) -> Any:
        """The response to a request."""
        query = {name.rstrip("_"): str(value) for name, value in parameters.items()}
        headers = dict([key]) if key else {}
        return self.client.get(f"/coingecko/api/v3{path}", params=query, headers=headers)

    def read(self, path: str, *, key: tuple[str, str] | None = None, **parameters: object) -> Any:
        """The body of a good answer, its numbers as decimals or integers."""
        response = self.get(path, key=key, **parameters)
        assert response.status_code == 200, response.text
        return json.loads(response.text, parse_float=Decimal)

    def advance(self, to: str) -> None:
        """Move the clock."""
        assert self.client.post("/_simulator/advance", json={"to": to}).status_code == 200


@pytest.fixture
def make_api(tmp_path: Path) -> Callable[..., Api]:
    """Makes a server in this process, over any settings."""

    def make(now: str | None = None, **settings: Any) -> Api:
        if now is not None:
            settings["now"] = datetime.fromisoformat(now).replace(tzinfo=UTC)
        return Api(Settings(state_dir=tmp_path / "state", **settings))

    return make


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    """A server over the default world; its clock stands at 2025-01-15 06:00."""
    return make_api()
