"""The registry of chains: an entry is all that a Bitcoin-like chain needs but prices."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from simulator.blockchair.chains import CHAINS, utxo_chain
from simulator.settings import SettingsError


def test_an_entry_makes_a_chain(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="'new-coin'"):
        serve(chains=("new-coin",))
    new = replace(
        utxo_chain("bitcoin"),
        name="new-coin",
        began=date(2014, 5, 6),
        servers="API4,NEW0",
        is_default=False,
        segwit=False,
        merge_mined=True,
        first_height=2013,  # so that a halving and a new target lie within the world
        first_subsidy=1600,
        halving_interval=672,
        shows_retarget=False,
        nodes=77,
        opening_users=9,
    )
    monkeypatch.setitem(CHAINS, "new-coin", new)
    world = serve(days=2, blocks_per_day=4, chains=("bitcoin", "new-coin"))
    blocks = world.rows("new-coin", "blocks")
    assert [(row["id"], row["generation"]) for row in blocks[:5]] == [
        *(("2013", "400"), ("2014", "400"), ("2015", "400"), ("2016", "200"), ("2017", "200"))
    ]
    assert "is_aux" in blocks[0]
    assert "weight" not in blocks[0]
    assert world.get("/dumps/new-coin/").text.count("href=") == 6  # four tables, addresses, and the way up
    answer = world.api("new-coin/stats")
    assert answer["context"]["servers"] == "API4,NEW0"
    assert answer["data"]["nodes"] == 77
    assert "next_retarget_time_estimate" not in answer["data"]
    assert {row["transaction_hash"] for row in world.everything("new-coin/outputs?s=block_id(asc)")} >= {
        row["transaction_hash"] for row in world.rows("new-coin", "outputs")
    }
    shown = world.api("range")["data"]["new-coin"]
    assert (shown["blockchain_first_entry_date"], shown["blockchair_first_entry"]) == ("2014-05-06", 2013)
    assert world.api("new-coin/mempool/transactions")["data"] == []
    assert serve(days=2).api("range")["data"].keys() == {"bitcoin", "ethereum", "dogecoin"}, "unless it is asked for"


@pytest.mark.parametrize(
    ("chain", "height", "subsidy"),
    [
        ("bitcoin", 209_999, 5_000_000_000),
        ("bitcoin", 210_000, 2_500_000_000),
        ("bitcoin", 840_000, 312_500_000),
        ("dogecoin", 5_000_000, 1_000_000_000_000),
        ("litecoin", 839_999, 5_000_000_000),
        ("litecoin", 840_000, 2_500_000_000),
        ("litecoin", 2_520_000, 625_000_000),
    ],
)
def test_subsidies(chain: str, height: int, subsidy: int) -> None:
    assert utxo_chain(chain).subsidy(height) == subsidy


def test_ethereum_has_no_inputs_and_outputs() -> None:
    with pytest.raises(TypeError, match="ethereum"):
        utxo_chain("ethereum")
