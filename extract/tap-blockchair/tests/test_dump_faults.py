"""Every fault of the simulated dump host: recovered with exact rows, or stopped with the state unmoved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

STREAM = "bitcoin_transactions"
FILES = r"^/dumps/bitcoin/transactions/.*gz$"
INDEX = r"^/dumps/bitcoin/transactions/$"
# Action, whether a fault that comes once is recovered from, whether one that stays is, and words of the error.
FAULTS = [
    ({"status": 500}, True, False, "answered 500"),
    ({"status": 503}, True, False, "answered 503"),
    ({"status": 429}, True, False, "answered 429"),
    ({"status": 404}, False, False, "404"),
    ({"status": 403}, False, False, "answered 403"),
    ({"html_402": True}, False, False, "answered 402: the dump host's limit is used up"),
    ({"reset": True}, True, False, "connection reset|broke off|cannot reach"),
    # What a reset throws away in the buffers differs from run to run.
    ({"reset": 300}, True, None, "connection reset|broke off|cannot reach"),
    ({"truncate": 300}, True, True, ""),
    ({"slow": 100_000}, True, True, ""),
    ({"corrupt": True}, True, False, "damaged or incomplete"),
    ({"corrupt": 0}, False, False, "not a gzip file"),
    ({"length": -5}, True, False, "bytes, but|damaged or incomplete"),
    ({"length": 5}, True, False, "broke off|bytes, but|another part"),
]


@pytest.fixture(scope="module")
def spoilt_simulator(simulated: Callable[..., Any]) -> Iterator[Any]:
    """A world for tests that each replace a file of a table of their own."""
    with simulated("--days=2", "--blocks-per-day=6", "--transactions-per-block=4") as served:
        yield served


def config_of(server: Any, **more: Any) -> dict[str, Any]:
    return dict(server.config(channel="dumps", **more))


@pytest.mark.parametrize("times", [1, None], ids=["once", "always"])
@pytest.mark.parametrize("match", [FILES, INDEX], ids=["file", "index"])
@pytest.mark.parametrize(("action", "once", "always", "words"), FAULTS, ids=lambda value: str(value)[:24])
def test_every_fault(
    run: Any, simulator: Any, action: Any, once: Any, always: Any, words: str, match: str, times: Any
) -> None:
    truth = run(config_of(simulator), select=(STREAM,))
    rows = truth.records(STREAM)
    assert rows
    simulator.fault(match, action, method="GET", times=times)
    result = run(config_of(simulator), select=(STREAM,))
    simulator.heal()
    if match == FILES:
        well = once if times else always
        assert well is None or (result.error is None) is well, result.error
        if result.error is not None:
            assert any(part in str(result.error) for part in words.split("|")), result.error
    if result.error is None:
        # An index page that was cut short lists fewer days; the next run reads the rest.
        found = result.records(STREAM)
        assert found == rows[: len(found)]
        if match == FILES:
            assert found == rows
    else:
        assert result.records(STREAM) == []
        assert not result.messages or result.bookmark(STREAM) is None
    state = result.state if result.of("STATE") else None
    after = run(config_of(simulator), state=state, select=(STREAM,))
    assert after.error is None
    assert result.records(STREAM) + after.records(STREAM) == rows


@pytest.mark.parametrize(
    ("change", "stream", "error"),
    [
        ("restated", "dogecoin_blocks", None),
        ("shorter", "bitcoin_outputs", None),
        ("empty", "bitcoin_blocks", None),
        ("extra_column", "dogecoin_transactions", None),
        ("short_row", "dogecoin_outputs", "fields, but the header has"),
        ("missing_column", "bitcoin_transactions", "is missing from the header"),
    ],
)
def test_a_replaced_file(run: Any, spoilt_simulator: Any, change: str, stream: str, error: str | None) -> None:
    chain, _, table = stream.partition("_")
    config = config_of(spoilt_simulator, chains=[chain])
    first = run(config, select=(stream,))
    day = first.bookmark(stream)
    before = [record for record in first.records(stream) if record["_dump_day"] == day]
    spoilt_simulator.post("replace", {"chain": chain, "table": table, "day": day, "change": change})
    second = run(config, state=first.state, select=(stream,))
    rows = second.records(stream)
    slices = second.slices()
    if error:
        assert error in str(second.error)
        assert day.replace("-", "") in str(second.error)
        assert (rows, slices) == ([], [])
        assert second.state["bookmarks"][stream]["files"] == first.state["bookmarks"][stream]["files"]
        return
    assert second.error is None
    assert [part["id"] for part in slices] == [f"{chain}/{table}/{day}"]
    assert slices[0]["rows"] == len(rows)
    assert len(rows) == {"shorter": len(before) - 1, "empty": 0}.get(change, len(before))
    assert {record["_dump_day"] for record in rows} <= {day}
    again = run(config, state=second.state, select=(stream,))
    assert again.records(stream) == []


@pytest.mark.parametrize("depth", [3, 7])
def test_a_reorganisation_reaches_the_dumps_as_replaced_days(run: Any, own_simulator: Any, depth: int) -> None:
    stream = "dogecoin_blocks"
    config = config_of(own_simulator, chains=["dogecoin"])
    first = run(config, select=(stream,))
    own_simulator.post("reorg", {"chain": "dogecoin", "depth": depth})
    second = run(config, state=first.state, select=(stream,))
    fresh = run(config, select=(stream,))
    assert (second.error, fresh.error) == (None, None)
    slices = second.slices()
    replaced = {part["id"] for part in slices}
    kept = [record for record in first.records(stream) if record["_unit"] not in replaced]
    assert [*kept, *second.records(stream)] == fresh.records(stream)
    assert (first.records(stream) != fresh.records(stream)) is bool(slices)


def test_delayed_days_are_waited_for(run: Any, simulator: Any) -> None:
    simulator.post("delay", {"chain": "bitcoin", "days": 1})
    try:
        first = run(config_of(simulator), select=(STREAM,))
    finally:
        simulator.post("delay", {"chain": "bitcoin", "days": 0})
    second = run(config_of(simulator), state=first.state, select=(STREAM,))
    truth = run(config_of(simulator), select=(STREAM,)).records(STREAM)
    assert second.records(STREAM)
    assert first.records(STREAM) + second.records(STREAM) == truth


def test_one_connection_at_a_time(run: Any, simulator: Any) -> None:
    requests.delete(f"{simulator.root}/_simulator/requests", timeout=60)
    assert run(config_of(simulator, chains=["bitcoin", "dogecoin"])).error is None
    assert requests.get(f"{simulator.root}/_simulator/requests", timeout=60).json()["most_at_once"] == 1
