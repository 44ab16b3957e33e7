"""The same parameters give the same bytes, whatever was asked before and however the clock came there."""

from datetime import date, timedelta
from typing import Any

import pytest

from simulator.blockchair import utxo

CHAINS = {"bitcoin": 4, "dogecoin": 4, "ethereum": 2}
TABLES = ("blocks", "transactions", "outputs", "inputs")


def files(world: Any, days: int) -> dict[str, bytes]:
    return {
        world.path(chain, table, day): world.packed(chain, table, day)
        for chain, tables in CHAINS.items()
        for table in TABLES[:tables]
        for day in (date(2025, 1, 1) + timedelta(days=number) for number in range(days))
    }


def test_two_worlds_are_equal_byte_for_byte(serve: Any) -> None:
    assert files(serve(days=3), 3) == files(serve(days=3), 3)


def test_a_clock_advanced_in_steps_changes_nothing(serve: Any) -> None:
    stepwise = serve(days=1)
    seen = files(stepwise, 1)
    for _ in range(16):
        stepwise.clock.advance(timedelta(hours=3))
        stepwise.api("bitcoin/blocks?limit=1")
        stepwise.api("ethereum/addresses")
        stepwise.api("dogecoin/stats")
    at_once = serve(days=3)
    assert files(stepwise, 3) == files(at_once, 3)
    assert seen.items() <= files(at_once, 3).items()
    for path in ("bitcoin/blocks?limit=100", "bitcoin/addresses?limit=100", "ethereum/stats", "dogecoin/stats"):
        assert stepwise.api(path) == at_once.api(path)


def test_days_asked_backwards_are_the_same(serve: Any) -> None:
    world = serve(days=3)
    for number in (2, 1, 0):
        world.packed("dogecoin", "inputs", date(2025, 1, 1) + timedelta(days=number))
    assert files(world, 3) == files(serve(days=3), 3)


@pytest.mark.parametrize("other", [{"seed": 2}, {"transactions_per_block": 9}, {"start": date(2025, 1, 2)}])
def test_other_parameters_are_another_world(serve: Any, other: dict[str, Any]) -> None:
    day = date(2025, 1, 2)
    assert serve(days=2).packed("bitcoin", "blocks", day) != serve(days=2, **other).packed("bitcoin", "blocks", day)


@pytest.mark.parametrize("sizes", [(1, 1), (2, 2), (100, 3), (3, 60)])
def test_sizes(serve: Any, sizes: tuple[int, int]) -> None:
    per_day, per_block = sizes
    world = serve(days=2, blocks_per_day=per_day, transactions_per_block=per_block)
    for chain in CHAINS:
        assert len(world.rows(chain, "blocks")) == 2 * per_day
        assert {row["time"][:10] for row in world.day(chain, "blocks", 1)} == {"2025-01-02"}


def test_nothing_is_made_before_it_is_asked_for(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a block was made")

    monkeypatch.setattr(utxo, "mine", refuse)
    world = serve(days=3000, blocks_per_day=1000)
    assert world.api("nothing", 404)["data"] is None
    assert world.get("/dumps/").status_code == 200
