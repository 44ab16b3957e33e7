"""Reorganisations, replaced and late files: what changes, and what must not."""

import gzip
import re
from datetime import date, timedelta
from typing import Any

import pytest

from simulator.settings import SimulatorError

CHAINS = ("bitcoin", "ethereum", "dogecoin")
FIRST = date(2025, 1, 1)


def tip_of(world: Any, chain: str) -> int:
    return int(world.api(f"{chain}/blocks?limit=1")["data"][0]["id"])


def hashes(world: Any, chain: str, low: int, high: int) -> list[str]:
    rows = world.api(f"{chain}/blocks?q=id({low}..{high})&s=id(asc)&limit=100")["data"]
    return [row["hash"] for row in rows]


def reorg(world: Any, chain: str, depth: int) -> dict[str, Any]:
    return world.blockchair.events.reorg(chain, depth, world.clock.now())  # type: ignore[no-any-return]


@pytest.mark.parametrize("chain", CHAINS)
@pytest.mark.parametrize("depth", [1, 3, 7])
def test_the_last_blocks_and_only_they_are_others(serve: Any, chain: str, depth: int) -> None:
    world = serve(days=1, chains=(chain,))
    tip = tip_of(world, chain)
    before, rows = hashes(world, chain, tip - 9, tip), world.api(f"{chain}/transactions?limit=100")["data"]
    assert reorg(world, chain, depth)["from"] == tip - depth + 1
    after = hashes(world, chain, tip - 9, tip)
    assert tip_of(world, chain) == tip
    assert after[:-depth] == before[:-depth]
    assert not set(after[-depth:]) & set(before)
    gone = {row["hash"] for row in rows if row["block_id"] > tip - depth and row["hash"]}
    now = {row["hash"] for row in world.api(f"{chain}/transactions?limit=100")["data"]}
    assert gone
    assert not gone & now


def test_published_files_follow_and_others_do_not(serve: Any) -> None:
    # At 06:00 a block or two of the third day are there.
    world = serve(days=2, blocks_per_day=6, transactions_per_block=4)
    arrived = tip_of(world, "bitcoin") - 11
    before = {
        (table, number): world.get(world.path("bitcoin", table, FIRST + timedelta(days=number)))
        for table in ("blocks", "transactions", "outputs")
        for number in (0, 1)
    }
    answer = reorg(world, "bitcoin", arrived + 3)
    assert {"blocks", "transactions", "outputs"} <= set(answer["tables"])
    for (table, number), old in before.items():
        new = world.get(world.path("bitcoin", table, FIRST + timedelta(days=number)))
        if number == 0:
            assert (new.content, new.headers["etag"]) == (old.content, old.headers["etag"])
            continue
        assert new.headers["etag"] != old.headers["etag"]
        old_lines, new_lines = (gzip.decompress(one.content).split(b"\n") for one in (old, new))
        assert new_lines != old_lines
        if table == "blocks":
            assert [a == b for a, b in zip(old_lines, new_lines, strict=True)] == [True] * 4 + [False] * 3
    listed = world.api("bitcoin/blocks?q=id(6..11)&s=id(asc)")["data"]
    assert [row["hash"] for row in listed] == [row["hash"] for row in world.day("bitcoin", "blocks", 1)]
    assert tip_of(world, "dogecoin") == 5_000_000 + tip_of(world, "bitcoin")


def test_a_reorganised_world_is_sound_and_repeatable(serve: Any) -> None:
    def forked() -> Any:
        world = serve(days=2, chains=("ethereum", "bitcoin"))
        for chain in ("bitcoin", "ethereum"):
            reorg(world, chain, 5)
            reorg(world, chain, 2)
        world.clock.advance(timedelta(days=1))
        return world

    one, two = forked(), forked()
    for chain in ("bitcoin", "ethereum"):
        assert one.api(f"{chain}/blocks?limit=100")["data"] == two.api(f"{chain}/blocks?limit=100")["data"]
    stats = one.api("bitcoin/stats")["data"]
    assert sum(row["balance"] for row in one.addresses("bitcoin")) == stats["circulation"]


@pytest.mark.parametrize("chain", CHAINS)
def test_a_chain_may_end_lower_until_the_clock_moves(serve: Any, chain: str) -> None:
    world = serve(days=1, chains=(chain,))
    tip, before = tip_of(world, chain), world.api(f"{chain}/stats")["data"]["blocks"]
    assert world.blockchair.events.reorg(chain, 3, world.clock.now(), 2)["to"] == tip
    assert tip_of(world, chain) == tip - 2
    assert world.api(f"{chain}/stats")["data"]["blocks"] == before - 2
    assert max(row["block_id"] for row in world.api(f"{chain}/transactions?limit=100")["data"]) == tip - 2
    world.clock.advance(timedelta(seconds=1))
    assert tip_of(world, chain) == tip
    with pytest.raises(ValueError, match="shorter is 4, but 3 of the blocks"):
        world.blockchair.events.reorg(chain, 3, world.clock.now(), 4)


@pytest.mark.parametrize("depth", [0, -1, 1000])
def test_a_depth_that_is_not_there_is_refused(serve: Any, depth: int) -> None:
    world = serve(days=1, blocks_per_day=4)
    with pytest.raises(ValueError, match="depth is"):
        reorg(world, "bitcoin", depth)
    with pytest.raises(SimulatorError, match="no chain litecoin"):
        reorg(world, "litecoin", 1)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("blocks", "restated"),
        ("transactions", "restated"),
        ("outputs", "shorter"),
        ("inputs", "empty"),
        ("blocks", "short_row"),
        ("transactions", "missing_column"),
        ("transactions", "extra_column"),
    ],
)
def test_a_replaced_file_has_new_content_and_a_new_etag(serve: Any, table: str, change: str) -> None:
    world = serve(days=2, chains=("bitcoin",))
    path, other = (world.path("bitcoin", table, FIRST + timedelta(days=number)) for number in (1, 0))
    before, untouched = world.get(path), world.get(other)
    answer = world.blockchair.events.replace("bitcoin", table, FIRST + timedelta(days=1), change, world.clock.now())
    after = world.get(path)
    assert answer == {"file": path.rpartition("/")[2], "etag": after.headers["etag"]}
    assert after.headers["etag"] != before.headers["etag"]
    assert after.headers["last-modified"] != before.headers["last-modified"]
    assert world.get(other).headers["etag"] == untouched.headers["etag"]
    old, new = (
        [line.split("\t") for line in gzip.decompress(one.content).decode().split("\n")] for one in (before, after)
    )
    match change:
        case "restated":
            assert new[0] == old[0]
            assert len(new) == len(old)
            changed = {old[0][at] for a, b in zip(old, new, strict=True) for at in range(len(a)) if a[at] != b[at]}
            assert changed
            assert all(name.endswith("_usd") or name == "guessed_miner" for name in changed)
        case "shorter":
            assert new == old[:-1]
        case "empty":
            assert new == old[:1]
        case "short_row":
            assert sorted(len(row) for row in new) == [len(old[0]) - 1, *[len(old[0])] * (len(old) - 1)]
        case "missing_column":
            assert new == [row[:-1] for row in old]
        case "extra_column":
            place = next(at for at, name in enumerate(new[0]) if name.startswith("simulated_extra"))
            assert [row[:place] + row[place + 1 :] for row in new] == old


def test_every_replacement_is_another_file(serve: Any) -> None:
    world = serve(days=1, chains=("ethereum",))
    seen = set()
    for table in ("calls", "erc-20/transactions", "blocks"):
        for _ in range(3):
            seen.add(
                tuple(world.blockchair.events.replace("ethereum", table, FIRST, "restated", world.clock.now()).values())
            )
    assert len(seen) == 9


@pytest.mark.parametrize(
    ("chain", "table", "day", "change"),
    [
        ("bitcoin", "nothing", FIRST, "restated"),
        ("bitcoin", "blocks", FIRST + timedelta(days=1), "restated"),
        ("bitcoin", "blocks", FIRST, "burnt"),
        ("bitcoin", "addresses", None, "restated"),
        ("ethereum", "uncles", FIRST, "restated"),
    ],
)
def test_what_cannot_be_replaced_is_refused(serve: Any, chain: str, table: str, day: Any, change: str) -> None:
    world = serve(days=1, blocks_per_day=4)
    with pytest.raises(ValueError, match=r"\.$"):
        world.blockchair.events.replace(chain, table, day, change, world.clock.now())


def test_late_files_are_in_no_index_until_they_come(serve: Any) -> None:
    world = serve(days=4, blocks_per_day=2)

    def days(chain: str, table: str) -> list[str]:
        page = world.get(f"/dumps/{chain}/{table}/").text
        return re.findall(r'_202501(\d\d)\.tsv\.gz">', page)

    last = world.path("bitcoin", "blocks", date(2025, 1, 4))
    assert world.get(last).status_code == 200
    world.blockchair.events.delay("bitcoin", None, 2)
    world.blockchair.events.delay("ethereum", "blocks", 1)
    assert days("bitcoin", "blocks") == days("bitcoin", "outputs") == ["01", "02"]
    assert days("ethereum", "blocks") == ["01", "02", "03"]
    assert days("ethereum", "transactions") == days("dogecoin", "blocks") == ["01", "02", "03", "04"]
    assert world.get(last).status_code == 404
    world.clock.advance(timedelta(days=1))
    assert days("bitcoin", "blocks") == ["01", "02", "03"]
    world.blockchair.events.delay("bitcoin", None, 0)
    assert days("bitcoin", "blocks") == ["01", "02", "03", "04", "05"]
    with pytest.raises(ValueError, match="cannot be delayed"):
        world.blockchair.events.delay("bitcoin", "nothing", 1)


def test_real_files_stay_as_they_are(serve: Any, folder: Any) -> None:
    world = serve(days=1, blocks_per_day=4, dumps_dir=folder)
    with pytest.raises(SimulatorError, match="real ones"):
        world.blockchair.events.delay("bitcoin", None, 1)
    assert reorg(world, "bitcoin", 1)["tables"] == []


def test_over_http(api: Any) -> None:
    def post(path: str, body: object) -> Any:
        return api.client.post(f"/_simulator/{path}", json=body)

    assert post("reorg", {"chain": "bitcoin", "depth": 3}).json()["chain"] == "bitcoin"
    replaced = post("replace", {"chain": "bitcoin", "table": "blocks", "day": "2025-01-02"})
    assert replaced.json()["file"] == "blockchair_bitcoin_blocks_20250102.tsv.gz"
    assert post("delay", {"chain": "bitcoin", "days": 1}).json()["days"] == 1
    for path, body in (
        ("reorg", {"chain": "bitcoin"}),
        ("reorg", {"chain": "none", "depth": 1}),
        ("reorg", {"chain": "bitcoin", "depth": 10**6}),
        ("replace", {"chain": "bitcoin", "table": "blocks", "day": "yesterday"}),
        ("delay", {"chain": "bitcoin", "days": "x"}),
    ):
        refused = post(path, body)
        assert refused.status_code == 400
        assert refused.json()["error"].endswith(".")
