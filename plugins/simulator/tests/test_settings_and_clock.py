"""The parameters' bounds, and a clock that stands still."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from simulator.clock import Clock
from simulator.settings import Settings, SettingsError

START = datetime(2025, 1, 15, 6, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", -1),
        ("days", 0),
        ("days", 4000),
        ("blocks_per_day", 0),
        ("transactions_per_block", 0),
        ("start", date(2009, 1, 2)),
        ("start", date(2099, 12, 31)),
        ("chains", ()),
        ("chains", ("bitcoin", "nocoin")),
        ("chains", ("bitcoin", "bitcoin")),
        ("points_per_day", 0),
        ("requests_per_minute", -1),
        ("api_keys", ("a b",)),
        ("api_keys", ("a:b",)),
        ("coingecko_keys", ("a b",)),
        ("coingecko_keys", ("a:keyless",)),
        ("coingecko_keys", ("a:5:demo",)),
        ("coingecko_limits", "some"),
        ("coingecko_per_minute", 0),
        ("coingecko_credits", -1),
        ("quirks", ("haunted",)),
        ("ethereum_era", "frontier"),
        ("now", datetime(2024, 12, 31, tzinfo=UTC)),
        ("now", datetime(2025, 2, 1, tzinfo=timezone(DAY / 24))),
    ],
)
def test_what_cannot_be_simulated_is_refused_by_name(tmp_path: Path, name: str, value: Any) -> None:
    with pytest.raises(SettingsError, match=rf"^{name} is .*\.$") as caught:
        Settings(state_dir=tmp_path, **{name: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["dumps_dir", "prices_dir"])
def test_a_folder_must_exist(tmp_path: Path, name: str) -> None:
    folders: Any = {name: tmp_path / "absent"}
    with pytest.raises(SettingsError, match=name):
        Settings(state_dir=tmp_path, **folders)


def test_the_clock_starts_in_the_morning_after_the_last_whole_day(tmp_path: Path) -> None:
    assert Settings(state_dir=tmp_path).clock_start == START
    assert Settings(state_dir=tmp_path, start=date(2024, 2, 28), days=2).clock_start.date() == date(2024, 3, 1)
    now = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
    assert Settings(state_dir=tmp_path, now=now).clock_start == now


def test_parameters_are_json_and_leave_the_state_folder_out(tmp_path: Path) -> None:
    parameters = Settings(state_dir=tmp_path, dumps_dir=tmp_path, now=START).parameters()
    assert json.loads(json.dumps(parameters)) == parameters
    assert "state_dir" not in parameters
    assert parameters["dumps_dir"] == str(tmp_path)


def test_the_clock_moves_only_when_advanced(tmp_path: Path) -> None:
    clock = Clock(START, tmp_path / "clock.json")
    assert clock.now() == clock.now() == START
    assert clock.advance(DAY) == clock.now() == START + DAY
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-DAY)
    with pytest.raises(ValueError, match="beyond"):
        clock.advance(DAY * 50_000)
    assert clock.now() == START + DAY


def test_the_clock_is_kept_for_its_own_world_only(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    Clock(START, path).advance(DAY)
    assert Clock(START, path).now() == START + DAY
    for other in (START + 3 * DAY, START - 3 * DAY):
        assert Clock(other, path).now() == other


@pytest.mark.parametrize("content", ["", "{", "[]", '{"start": 1, "now": 2}', '{"start": "2025-01-15T06:00:00+00:00"}'])
def test_an_unreadable_clock_begins_anew(tmp_path: Path, content: str) -> None:
    path = tmp_path / "clock.json"
    path.write_text(content)
    assert Clock(START, path).advance(DAY) == START + DAY
    assert Clock(START, path).now() == START + DAY
