"""State leaves the loader while it still loads, so that a killed run has a bookmark."""

from __future__ import annotations

import io
import json
import time
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import pytest

from target_postgres_copy.target import TargetPostgresCopy

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize(("seconds", "early"), [(31, True), (20, False)])
@pytest.mark.parametrize("put_back", [0, 3600, 365 * 86400])
def test_state_of_half_a_minute_ago(
    database: Any,  # noqa: ANN401
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
    early: bool,  # noqa: FBT001
    put_back: int,
) -> None:
    """By a clock that only goes on: the machine's may be put back meanwhile."""
    real, running, ahead = time.time, time.monotonic, 0
    monkeypatch.setattr(time, "time", lambda: real() + (ahead - put_back if ahead else 0))
    monkeypatch.setattr(time, "monotonic", lambda: running() + ahead)
    out = io.StringIO()
    seen: list[tuple[str, list[tuple[Any, ...]]]] = []

    def messages() -> Iterator[str]:
        nonlocal ahead
        schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
        yield json.dumps({"type": "SCHEMA", "stream": "numbers", "key_properties": ["id"], "schema": schema})
        yield json.dumps({"type": "RECORD", "stream": "numbers", "record": {"id": 1}})
        yield json.dumps({"type": "STATE", "value": {"done": 1}})
        ahead = seconds
        yield json.dumps({"type": "RECORD", "stream": "numbers", "record": {"id": 2}})
        seen.append((out.getvalue(), database.query("select id from raw_data.numbers order by 1")))

    target = TargetPostgresCopy(config=database.config())
    with redirect_stdout(out):
        target.listen(messages())

    # What the state says was written is in PostgreSQL by the time the state is out.
    assert seen == ([('{"done": 1}\n', [(1,), (2,)])] if early else [("", [])])
    assert json.loads(out.getvalue().splitlines()[-1]) == {"done": 1}
