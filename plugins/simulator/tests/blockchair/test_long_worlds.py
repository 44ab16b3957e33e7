"""Worlds of real size: transactions of older blocks leave the memory, and nothing that is served changes."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from simulator.blockchair import api, archive
from simulator.blockchair.balances import AccountBalances
from simulator.blockchair.tables import api_tables
from simulator.settings import Settings, SettingsError
from simulator.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import Served

SIZES: dict[str, Any] = {
    "days": 3,
    "blocks_per_day": 24,
    "transactions_per_block": 8,
    "quirks": ("mempool", "duplicate-outputs"),
}


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each chain some forty transactions stay in memory."""
    monkeypatch.setattr(archive, "RESIDENT", 40)
    monkeypatch.setattr(archive, "SEGMENT", 15)


def everything(world: Served) -> Iterator[tuple[str, bytes]]:
    """Each dump file, and answers of each table with the filters that lead to blocks and spendings."""
    store = world.blockchair._host._store
    for chain, table in store.tables():
        for file in store.files(chain, table, world.clock.now()):
            yield file.name, b"".join(file.read(0, file.size))
    for chain in world.settings.chains:
        first = world.blockchair._api._world.first_height(chain)
        yield chain, world.get(f"/blockchair/{chain}/stats").content
        for table in api_tables(chain):
            names = {column.name for column in table.columns}
            queries = [
                f"q={name}({first + low}..{first + high})"
                for name in ("id", "block_id", "spending_block_id")
                if name in names
                for low, high in ((0, 5), (20, 40), (60, 80))
            ]
            for query in ("offset=0", "offset=150", "s=balance(asc)", "q=balance(1000000000..)", *queries):
                path = f"/blockchair/{chain}/{table.name}?{query}&limit=100"
                yield path, world.get(path).content


def away(world: Served, chain: str) -> list[bool]:
    """Which blocks of a chain have given up their transactions."""
    ledger = world.blockchair._api._world._ledgers[chain]
    return [block.is_away for block in ledger.blocks]


def test_what_left_the_memory_is_served_unchanged(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = serve(**SIZES)
    expected = []
    for days in (0, 1):
        whole.clock.advance(timedelta(days=days))
        expected.append(list(everything(whole)))
    assert not any(any(away(whole, chain)) for chain in whole.settings.chains)
    monkeypatch.setattr(archive, "RESIDENT", 40)
    monkeypatch.setattr(archive, "SEGMENT", 15)
    forgetful = serve(**SIZES)
    for days, before in zip((0, 1), expected, strict=True):
        forgetful.clock.advance(timedelta(days=days))
        assert [name for name, _ in before] == [name for name, _ in everything(forgetful)]
        different = [name for (name, was), (_, now) in zip(before, everything(forgetful), strict=True) if was != now]
        assert not different
    for chain in forgetful.settings.chains:
        gone = away(forgetful, chain)
        assert sum(gone) > 60
        assert gone == sorted(gone, reverse=True), "the oldest go first"


@pytest.mark.usefixtures("forgetful")
def test_a_reorganised_chain_is_served_from_its_own_blocks(serve: Callable[..., Served]) -> None:
    world = serve(**SIZES, chains=("bitcoin", "ethereum"))
    before = {chain: world.day(chain, "transactions", 2) for chain in world.settings.chains}
    richest = {chain: world.addresses(chain) for chain in world.settings.chains}
    for chain in world.settings.chains:
        world.blockchair.events.reorg(chain, 20, world.clock.now())
        after = world.day(chain, "transactions", 2)
        kept = [row for row in after if row in before[chain]]
        assert 0 < len(kept) < len(after)
        assert world.addresses(chain) != richest[chain]


@pytest.mark.usefixtures("forgetful")
def test_a_request_for_more_than_fits_in_memory_is_refused(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_MOST_READ", 60)
    world = serve(**SIZES, chains=("bitcoin",))
    for path in ("transactions", "outputs", "outputs?q=block_id(3)", "outputs?q=spending_block_id(0..60)"):
        refused = world.api(f"bitcoin/{path}", 400)["context"]["error"]
        assert "60 at most; ask for fewer blocks, or take the dump files" in refused
    tip = world.api("bitcoin/blocks?q=time(2025-01-01)")["context"]["state"]
    assert world.api(f"bitcoin/outputs?q=block_id({tip - 1}..)")["data"]
    assert world.api("bitcoin/transactions?q=block_id(3..4)")["data"]
    assert world.api("bitcoin/stats")["data"]["blocks"] == tip + 1
    assert world.api("bitcoin/addresses")["data"]


def test_a_chain_is_made_no_further_than_it_is_asked_for(serve: Callable[..., Served]) -> None:
    world = serve(days=3, chains=("bitcoin",))
    tip = world.api("bitcoin/stats")["context"]["state"]
    assert len(away(world, "bitcoin")) == tip + 2, "the block after the last one shows that no other has come"


@pytest.mark.parametrize("wanted", [2, 4])
def test_calls_per_transaction_are_as_many_as_asked_for(serve: Callable[..., Served], wanted: int) -> None:
    world = serve(days=2, chains=("ethereum",), transactions_per_block=40, calls_per_transaction=wanted)
    blocks = world.rows("ethereum", "blocks")
    calls, transactions = (sum(int(block[f"{name}_count"]) for block in blocks) for name in ("call", "transaction"))
    assert abs(calls / transactions - wanted) < 0.1
    assert calls + len(blocks) == len(world.rows("ethereum", "calls"))


@pytest.mark.usefixtures("forgetful")
def test_top_addresses_of_now_read_nothing_back(serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch) -> None:
    world = serve(**SIZES)
    read: list[int] = []
    monkeypatch.setattr(Spool, "read", lambda *span: read.append(span[-1]))
    for chain in world.settings.chains:
        assert world.api(f"{chain}/addresses?limit=100")["data"]
        assert any(away(world, chain))
    assert not read


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("chain", ["bitcoin", "ethereum"])
def test_balances_are_those_of_the_blocks_whatever_was_asked_before(serve: Callable[..., Served], chain: str) -> None:
    ledger = serve(**SIZES).blockchair._api._world._ledgers[chain]
    for length in (30, 31, 20, 70, 70, 40, 71, 140, 100, 150):
        ledger.grow(length)
        expected = ledger.opening()
        for block in ledger.blocks[:length]:
            expected.apply(block.transactions)
        assert ledger.ask_balances(length, lambda balances: balances.richest(None)) == expected.richest(None)


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("chain", ["bitcoin", "dogecoin"])
def test_outputs_of_some_blocks_show_what_spent_them_later(serve: Callable[..., Served], chain: str) -> None:
    world = serve(**SIZES | {"quirks": ()})
    first = world.blockchair._api._world.first_height(chain)
    everything = world.everything(f"{chain}/outputs?s=block_id(asc)")
    some = [row for row in everything if first + 10 <= row["block_id"] <= first + 30]
    assert world.everything(f"{chain}/outputs?q=block_id({first + 10}..{first + 30})&s=block_id(asc)") == some
    assert any((row["spending_block_id"] or 0) > first + 30 for row in some)


def test_equal_balances_are_in_order_of_their_addresses() -> None:
    balances = AccountBalances({"d": 5, "b": 5, "a": 1, "c": 5, "e": 9, "f": 0}.items())
    for wanted, upwards, names in ((3, False, "ebc"), (None, False, "ebcda"), (2, True, "ab"), (0, False, "")):
        found, total = balances.richest(wanted, upwards=upwards)
        assert ("".join(holder.address for holder in found), total) == (names, 5)
    found, total = balances.richest(1, lambda balance: balance < 9)
    assert ([holder.address for holder in found], total) == (["b"], 3 + 1)


def test_sizes_by_chain_shape_the_chains(serve: Callable[..., Served]) -> None:
    sizes = {"blocks_per_day": "6,dogecoin=12", "transactions_per_block": "bitcoin=5,ethereum=30"}
    world = serve(days=4, **sizes)
    for chain, blocks in (("bitcoin", 6), ("ethereum", 6), ("dogecoin", 12)):
        for number in range(4):
            assert len(world.day(chain, "blocks", number)) == blocks
    per_block = len(world.rows("ethereum", "transactions")) / 24
    assert 25 < per_block < 36, "30 and the pseudo-row"
    assert max(int(block["transaction_count"]) for block in world.rows("bitcoin", "blocks")) <= 7
    # Other chains' sizes change nothing of a chain.
    alone = serve(days=4, chains=("bitcoin",), blocks_per_day=6, transactions_per_block=5)
    assert alone.packed("bitcoin", "inputs", alone.settings.start + timedelta(days=3)) == world.packed(
        "bitcoin", "inputs", world.settings.start + timedelta(days=3)
    )


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ("bitcoin", "write a number, or chains with theirs"),
        ("bitcoin=", "write a number"),
        ("=5", "write a number"),
        ("4,5", "each once"),
        ("bitcoin=4,bitcoin=5", "each once"),
        ("", "write a number"),
        ("peercoin=4", "names 'peercoin', but the chains are bitcoin"),
        ("8,bitcoin=0", "must lie between 1 and 10000"),
        ("bitcoin=10001", "must lie between 1 and 10000"),
    ],
)
def test_sizes_that_cannot_be_read_are_refused(tmp_path: Path, sizes: str, message: str) -> None:
    with pytest.raises(SettingsError, match=r"^transactions_per_block ") as refused:
        Settings(state_dir=tmp_path, transactions_per_block=sizes)
    assert message in str(refused.value)


def test_bytes_that_were_put_away_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    contents = [os.urandom(size) for size in (0, 1, 65_536, 200_001)]
    stored = [spool.add(content) for content in contents]
    assert not list(tmp_path.iterdir()), "the file has no name, so nothing is left of it"

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    contents.append(b"after the disk was full")
    stored.append(spool.add(contents[-1]))
    monkeypatch.undo()
    contents.append(b"and when it had room again")
    stored.append(spool.add(contents[-1]))
    for content, kept in zip(contents, stored, strict=True):
        assert kept.content == content
        assert kept.size == len(content)
        for start, stop in ((0, kept.size), (1, kept.size - 1), (kept.size // 2, kept.size + 9)):
            assert b"".join(kept.read(start, stop)) == content[start:stop]
