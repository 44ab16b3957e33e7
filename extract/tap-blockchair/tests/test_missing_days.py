"""Days inside the index that have no file: named at every run until they are filled, or the end of the run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from tap_blockchair.state import spans_of

BLOCKS = ("bitcoin_blocks",)


@pytest.fixture
def gaps(host: Any, blocks: Callable[..., bytes]) -> Any:
    """An index of the 1st, 3rd and 7th."""
    for day in (1, 3, 7):
        host.put("bitcoin", "blocks", f"2024010{day}", blocks(day))
    return host


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said of missing days since the last look."""
    found = [record.getMessage() for record in caplog.records if "no file is listed of" in record.getMessage()]
    caplog.clear()
    return [text.partition(" (")[0] for text in found]


@pytest.mark.parametrize("kind", ["host", "folder"])
def test_each_hole_is_named_at_every_run_until_it_is_filled(
    run: Any, gaps: Any, blocks: Any, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = gaps.config(**({"dumps_url": gaps.folder.as_uri()} if kind == "folder" else {}))
    first = run(config, select=BLOCKS)
    assert (first.error, first.ids) == (None, [1, 3, 7])
    said = "bitcoin_blocks: no file is listed of 2024-01-02, 2024-01-04 to 2024-01-06"
    assert warned(caplog) == [said]
    second = run(config, state=first.state, select=BLOCKS)
    assert warned(caplog) == [said], "though nothing is new"
    gaps.put("bitcoin", "blocks", "20240102", blocks(2))
    gaps.put("bitcoin", "blocks", "20240105", blocks(5))
    third = run(config, state=second.state, select=BLOCKS)
    assert third.ids == [2, 5]
    assert warned(caplog) == ["bitcoin_blocks: no file is listed of 2024-01-04, 2024-01-06"]
    for day in (4, 6):
        gaps.put("bitcoin", "blocks", f"2024010{day}", blocks(day))
    assert run(config, state=third.state, select=BLOCKS).ids == [4, 6]
    assert warned(caplog) == []


@pytest.mark.parametrize(
    ("dates", "named"),
    [
        ({"start_date": "2024-01-03"}, "2024-01-04 to 2024-01-06"),
        ({"end_date": "2024-01-05"}, "2024-01-02, 2024-01-04 to 2024-01-05"),
        ({"start_date": "2024-01-02", "end_date": "2024-01-03"}, "2024-01-02"),
        ({"start_date": "2023-12-01", "end_date": "2024-01-01"}, None),  # before the index
        ({"start_date": "2024-01-07", "end_date": "2024-02-01"}, None),  # behind it
    ],
)
def test_only_days_that_are_wanted_are_missed(
    run: Any, gaps: Any, dates: dict[str, str], named: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    assert run(gaps.config(**dates), select=BLOCKS).error is None
    assert warned(caplog) == ([f"bitcoin_blocks: no file is listed of {named}"] if named else [])


def test_a_loaded_day_is_not_missed(run: Any, gaps: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Its file is gone from a folder, and its rows stay."""
    config = gaps.config(dumps_url=gaps.folder.as_uri())
    first = run(config, select=BLOCKS)
    gaps.path("bitcoin", "blocks", "20240103").unlink()
    caplog.clear()
    assert run(config, state=first.state, select=BLOCKS).error is None
    assert warned(caplog) == ["bitcoin_blocks: no file is listed of 2024-01-02, 2024-01-04 to 2024-01-06"]


def test_strict_days_stop_at_the_first_hole(run: Any, gaps: Any, blocks: Any) -> None:
    config = gaps.config(strict_days=True)
    first = run(config, select=BLOCKS)
    assert (first.ids, first.bookmark("bitcoin_blocks")) == ([1], "2024-01-01")
    assert "no file is listed of 2024-01-02, 2024-01-04 to 2024-01-06, and strict_days is on" in str(first.error)
    gaps.put("bitcoin", "blocks", "20240102", blocks(2))
    second = run(config, state=first.state, select=BLOCKS)
    assert (second.ids, second.bookmark("bitcoin_blocks")) == ([2, 3], "2024-01-03")
    assert "no file is listed of 2024-01-04 to 2024-01-06, and" in str(second.error)
    last = run({**config, "start_date": "2024-01-07"}, state=second.state, select=BLOCKS)
    assert (last.error, last.ids) == (None, [7])


def test_days_in_spans() -> None:
    days = [date(2024, 2, 28), date(2024, 3, 1), date(2024, 2, 29), date(2023, 12, 31)]
    assert spans_of(days) == [(date(2023, 12, 31),) * 2, (date(2024, 2, 28), date(2024, 3, 1))]
