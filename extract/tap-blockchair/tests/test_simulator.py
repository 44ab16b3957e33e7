"""The API channel against the simulated chains: equal to the dumps, exact after reorganisations and faults."""

from __future__ import annotations

from typing import Any

import pytest

SNAPSHOTS = ("stats", "addresses")


def config_of(server: Any, channel: str, **more: Any) -> dict[str, Any]:
    return dict(server.config(channel=channel, requests_per_minute=100_000, points_per_day=10_000_000, **more))


def facts(record: dict[str, Any]) -> dict[str, Any]:
    """A row without where it came from, and without what the API rounds and the dumps do not."""
    rounded = ("_", "fee_per_", "cdd", "is_settled")
    return {name: value for name, value in record.items() if not name.startswith(rounded) and not name.endswith("_usd")}


def bare(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in an order of their own, without their slices, which depend on where a run began."""
    clean = [{name: value for name, value in row.items() if name not in {"_unit", "_line"}} for row in rows]
    return sorted(clean, key=str)


def test_both_channels_give_the_same_rows(run: Any, simulator: Any, simulated_chain: str) -> None:
    dumps = run(config_of(simulator, "dumps", chains=[simulated_chain]))
    api = run(config_of(simulator, "api", chains=[simulated_chain]))
    assert (dumps.error, api.error) == (None, None)
    streams = {message["stream"] for message in dumps.of("SCHEMA")} & {
        message["stream"] for message in api.of("SCHEMA")
    }
    assert len(streams) >= 4
    for stream in streams:
        wanted = [facts(record) for record in dumps.records(stream)]
        time = "spending_time" if stream.endswith("_inputs") else "time"
        found = [facts(record) for record in api.records(stream)]
        if not wanted:
            continue  # a table that a small world need not have
        # The API also has what lies before the first dump day and after the last.
        days = {record[time][:10] for record in wanted} if time in wanted[0] else set()
        found = [record for record in found if not days or min(days) <= record[time][:10] <= max(days)]
        columns = set(wanted[0])
        found = [{name: record[name] for name in columns} for record in found]
        assert [str(sorted(record.items())) for record in found] == [str(sorted(r.items())) for r in wanted], stream


@pytest.mark.parametrize("chain", ["bitcoin", "ethereum"])
@pytest.mark.parametrize("depth", [3, 7])
def test_reorganisations(run: Any, simulator: Any, chain: str, depth: int) -> None:
    config = config_of(simulator, "api", chains=[chain], finality={chain: 6})
    before = run(config)
    simulator.post("reorg", {"chain": chain, "depth": depth})
    after, whole = run(config, state=before.state), run(config)
    assert (before.error, after.error, whole.error) == (None, None, None)
    blocks = f"{chain}_blocks"
    changed = {r["hash"] for r in before.records(blocks)} - {r["hash"] for r in whole.records(blocks)}
    assert len(changed) == depth
    for stream in {message["stream"] for message in after.of("SCHEMA")}:
        if stream.endswith(SNAPSHOTS):
            continue
        table = after.applied(stream, before.records(stream))
        assert bare(table) == bare(whole.records(stream)), stream
        # Settled blocks are read again only where the reorganisation went deeper than finality.
        if stream == blocks:
            again = {row["id"] for row in after.records(blocks)}
            assert (len(again) == 6) == (depth == 3)


FAULTS: list[tuple[dict[str, Any], bool]] = [
    *(({"status": code}, False) for code in (400, 404, 430, 434)),
    *(({"status": code}, True) for code in (402, 429, 435, 436, 437, 500, 502, 503)),
    ({"status": 402, "html": True}, True),
    ({"status": 500, "html": True}, True),
    ({"reset": True}, True),
    ({"reset": 50}, True),
    ({"truncate": 50}, True),
    ({"length": -5}, True),
    ({"length": 5}, True),
]


@pytest.mark.parametrize("times", [1, None])
@pytest.mark.parametrize(("action", "well"), FAULTS, ids=str)
def test_every_fault(run: Any, simulator: Any, action: dict[str, Any], well: bool, times: int | None) -> None:
    stream = "bitcoin_transactions"
    config = config_of(simulator, "api", chains=["bitcoin"])
    truth = run(config, select=(stream,))
    # The question for the highest block passes; the first page is hit.
    simulator.fault("^/blockchair/bitcoin/transactions", action, after=1, times=times)
    result = run(config, select=(stream,))
    simulator.heal()
    if times == 1 and well and action.get("status") != 429:
        assert result.error is None
        assert result.records(stream) == truth.records(stream)
        assert result.bookmark(stream) == truth.bookmark(stream)
    else:
        assert (result.records(stream), result.bookmark(stream)) == ([], None)
        pauses = action.get("status") in {402, 429, 436, 437}
        assert result.error is not None
        assert ("bitcoin_transactions loaded nothing, because " in str(result.error)) == pauses
        if action.get("status") == 402:
            assert result.state["api_quota"]["until"]
        healed = run(config, state={"bookmarks": result.state["bookmarks"]}, select=(stream,))
        assert healed.records(stream) == truth.records(stream)
