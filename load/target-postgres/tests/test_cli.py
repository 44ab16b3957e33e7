"""The executable as Meltano runs it: exit status, one sentence, no traceback, no password."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).parent / "data"


@pytest.fixture
def target(tmp_path: Path, database: Any) -> Callable[..., subprocess.CompletedProcess[str]]:  # noqa: ANN401
    def run(file: str, **settings: Any) -> subprocess.CompletedProcess[str]:  # noqa: ANN401
        path = tmp_path / "config.json"
        path.write_text(json.dumps(database.config(**settings)))
        return subprocess.run(
            [sys.executable, "-m", "target_postgres_copy", "--config", str(path), "--input", str(DATA / file)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"data_origin": "simulator"}, "this warehouse holds live data; refusing to load simulated data"),
        ({"port": 9}, "PostgreSQL refused: connection failed"),
        ({"password": "not-the-password"}, "password authentication failed"),
        ({"default_target_schema": "elsewhere"}, "permission denied for database"),
    ],
)
def test_a_refusal_is_one_sentence(
    target: Callable[..., Any], load: Callable[..., str], settings: dict[str, Any], sentence: str
) -> None:
    load("blocks.singer", data_origin="live")

    done = target("amounts.singer", **settings)

    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert "not-the-password" not in done.stderr
    assert done.stdout == ""
