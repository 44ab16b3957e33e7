"""A made chain is mirrored: what is published when, what a kill and a reorganisation leave, what is refused."""

from __future__ import annotations

import random
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

HOUR = 3600
MORNING = int(datetime(2024, 3, 1, 6, tzinfo=UTC).timestamp())
SMALL = "--finality=6"


def grow(chain: Any, blocks: int, *, step: int = HOUR, payments: int = 3) -> None:
    """Add blocks an hour apart, with what falls behind and runs ahead."""
    start = chain.blocks[-1].time if chain.blocks else MORNING
    for number in range(1, blocks + 1):
        wobble = (-2700, 0, 3000)[number % 3] if len(chain.blocks) > 12 else 0
        chain.mine(start + number * step + wobble, payments)


@pytest.fixture(params=["core", "dogecoin"])
def node(request: pytest.FixtureRequest, made: Any) -> Any:
    """A node of each kind with a chain of three days."""
    chain = made(50 * 10**8)
    grow(chain, 86)
    return request.getfixturevalue(request.param)(chain)


@pytest.fixture
def served(node: Any, serve: Any) -> Any:
    return serve(node, "dogecoin" if "Shibetoshi" in node.subversion else "bitcoin")


def days(served: Any) -> list[str]:
    return sorted({name.split("_")[-1][:8] for name in served.files()})


def test_a_day_is_published_when_a_final_block_shows_that_none_can_follow(served: Any) -> None:
    served.run("run", SMALL)
    blocks = served.node.chain.blocks
    final = blocks[-1 - 6]
    assert days(served) == ["20240301", "20240302", "20240303"]
    assert datetime.fromtimestamp(final.median, UTC).date().isoformat() == "2024-03-04"
    rows = served.rows("blocks")
    assert [row["hash"] for row in rows] == [
        block.hash for block in blocks if datetime.fromtimestamp(block.time, UTC).day < 4
    ]
    # every day's rows are of the day, though times go back and forth over midnight
    assert any(a["time"] > b["time"] for a, b in pairwise(rows))
    served.run("run", "--finality=40")
    assert len(days(served)) == 3


def test_one_block_less_and_the_day_is_not_final(served: Any) -> None:
    blocks = served.node.chain.blocks
    first_above = next(block.height for block in blocks if datetime.fromtimestamp(block.median + 1, UTC).day == 2)
    finality = len(blocks) - 1 - first_above
    served.run("run", f"--finality={finality + 1}")
    assert days(served) == []
    served.run("run", f"--finality={finality}")
    assert days(served) == ["20240301"]


def test_every_row_is_what_was_made(served: Any) -> None:
    served.run("run", SMALL)
    published = {row["hash"]: row for row in served.rows("blocks")}
    outputs = {(row["transaction_hash"], row["index"]): row for row in served.rows("outputs")}
    inputs = {(row["spending_transaction_hash"], row["spending_index"]): row for row in served.rows("inputs")}
    transactions = {row["hash"]: row for row in served.rows("transactions")}
    seen = 0
    for block in served.node.chain.blocks:
        row = published.get(block.hash)
        if row is None:
            continue
        fees = 0
        for position, each in enumerate(block.transactions):
            txid = each.txid[::-1].hex()
            of = transactions[txid]
            assert of["is_coinbase"] == str(int(not position))
            assert int(of["output_total"]) == sum(value for value, _ in each.outputs)
            assert int(of["input_total"]) == sum(coin.value for coin in each.spends)
            if position:
                assert int(of["fee"]) == int(of["input_total"]) - int(of["output_total"]) == 1000
            fees += int(of["fee"])
            for index, (value, script) in enumerate(each.outputs):
                made = outputs[txid, str(index)]
                assert (made["value"], made["script_hex"]) == (str(value), script.hex())
                assert made["type"] == ("nulldata" if script[0] == 0x6A else "pubkeyhash")
                assert made["value_usd"] == "\\N"
            for index, coin in enumerate(each.spends):
                spent = inputs[txid, str(index)]
                age = block.time - served.node.chain.blocks[coin.height].time
                assert (spent["value"], spent["index"]) == (str(coin.value), str(coin.index))
                assert (spent["transaction_hash"], spent["block_id"]) == (coin.txid[::-1].hex(), str(coin.height))
                assert (spent["lifespan"], spent["is_from_coinbase"]) == (str(age), str(int(coin.is_generated)))
                assert float(spent["cdd"]) == pytest.approx(coin.value / 10**8 * age / 86400, rel=1e-14)
                seen += 1
        assert (row["generation"], row["fee_total"]) == (str(50 * 10**8), str(fees))
        assert row["reward"] == str(50 * 10**8 + fees)
        assert row["origin"] == ("bitcoind/25.0.0" if served.chain == "bitcoin" else "dogecoind/1.14.6")
    assert seen > 100


def test_only_the_days_asked_for_are_written(served: Any) -> None:
    served.run("run", SMALL, "--from=2024-03-02", "--to=2024-03-02")
    asked_for = served.files()
    assert days(served) == ["20240302"]
    served.run("run", SMALL, "--from=2024-03-02")
    assert days(served) == ["20240302", "20240303"]
    assert asked_for.items() <= served.files().items()
    assert "is before it" in served.run("run", SMALL, "--from=2024-03-01", status=1)


def unspent(folder: Path) -> list[Any]:
    """What the store holds of unspent outputs."""
    (path,) = (folder / "state").glob("*/mirror.sqlite")
    with closing(sqlite3.connect(path)) as sql:
        return sql.execute("select * from coins order by outpoint").fetchall()


def reference(serve: Any, served: Any, *words: str) -> dict[str, bytes]:
    other = serve(served.node, served.chain, "undisturbed")
    other.run("run", *words)
    return dict(other.files())


@pytest.mark.long(part="kills")
def test_twenty_kills_leave_the_files_of_an_undisturbed_run(served: Any, serve: Any) -> None:
    expected = reference(serve, served, SMALL)
    node, chances = served.node, random.Random(23)  # noqa: S311
    killed = 0
    while killed < 20:
        process: subprocess.Popen[str] = served.start("run", SMALL, "--commit-blocks=4")
        at = node.asked + chances.randint(5, 40)

        def kill(count: int, process: Any = process, at: int = at) -> None:
            if count == at:
                process.kill()

        node.on_request = kill
        process.communicate(timeout=60)
        node.on_request = lambda _count: None
        killed += process.returncode == -9
        if process.returncode == 0:  # it was done: begin anew
            assert served.files() == expected
            for path in (served.folder / "state" / served.chain).glob("mirror.sqlite*"):
                path.unlink()
    served.run("run", SMALL)
    assert served.files() == expected
    left = [path for path in served.mirror.rglob("*") if path.is_file() and not path.name.endswith(".tsv.gz")]
    assert not left


def test_a_reorganisation_of_seven_blocks_over_midnight_rewrites_the_days(served: Any, serve: Any) -> None:
    chain = served.node.chain
    served.run("run", "--finality=2")
    before = served.files()
    assert days(served) == ["20240301", "20240302", "20240303"]
    # the last final block, and six below it: the day that is over there is published already
    midnight = next(block.height for block in chain.blocks if datetime.fromtimestamp(block.time, UTC).day == 4)
    chain.cut(midnight - 4)
    grow(chain, 20, payments=5)
    said = served.run("run", "--finality=2")
    assert "reorganised" in said
    assert "2024-03-03, 2024-03-04 will be written again" in said
    after = served.files()
    assert after == reference(serve, served, "--finality=2")
    assert unspent(served.folder) == unspent(served.folder.parent / "undisturbed")
    changed = {name for name in after if before.get(name) != after[name]}
    assert {name[-15:-7] for name in changed} >= {"20240303"}
    assert not {name for name in changed if "20240302" in name}


def test_a_day_that_the_new_chain_has_not_is_emptied(made: Any, core: Any, serve: Any) -> None:
    chain = made()
    grow(chain, 30)
    served = serve(core(chain))
    chain.mine(MORNING + 60 * HOUR)
    grow(chain, 20)
    served.run("run", "--finality=1")
    assert "20240303" in days(served)
    chain.cut(29)
    for number in range(30):
        chain.mine(MORNING + (100 + number) * HOUR)
    served.run("run", "--finality=1")
    files = served.files()
    assert files["blockchair_bitcoin_blocks_20240303.tsv.gz"].count(b"\n") == 0
    assert files["blockchair_bitcoin_blocks_20240303.tsv.gz"].startswith(b"id\thash\t")


def test_another_network_is_refused(served: Any) -> None:
    served.run("run", SMALL)
    served.node.network = "main"
    assert "the node is of the network main" in served.run("run", SMALL, status=1)


def test_status_says_how_far_it_is(served: Any) -> None:
    served.run("run", SMALL)
    said = served.run("status", SMALL)
    assert "published days: 3" in said
    assert "blocks left: 0" in said


def flip(text: str, at: int) -> str:
    data = bytearray.fromhex(text)
    data[at] ^= 1
    return data.hex()


def refuse(served: Any, change: Callable[[str, Any], Any]) -> str:
    served.node.change = change
    said = served.run("run", SMALL, status=1)
    assert "is refused" in said
    assert not served.files()
    return str(said)


@pytest.mark.parametrize("at", [5, 40, 70, 79, 90, 130, 150, -1])
def test_one_flipped_bit_of_a_block_is_refused_by_name(at: int, made: Any, dogecoin: Any, serve: Any) -> None:
    chain = made()
    grow(chain, 40, payments=1)
    served = serve(dogecoin(chain), "dogecoin")
    victim = chain.blocks[12]

    def change(method: str, result: Any) -> Any:
        return flip(result, at) if method == "getblock" and result == victim.raw.hex() else result

    said = refuse(served, change)
    assert "block 12 is refused" in said


def test_a_wrong_previous_value_is_refused_by_name(made: Any, core: Any, serve: Any) -> None:
    chain = made()
    grow(chain, 40)
    served = serve(core(chain))

    def change(method: str, result: Any) -> Any:
        if method == "getblock" and result["height"] == 12:
            result["tx"][1]["vin"][0]["prevout"]["value"] = "@50.00000001@"
        return result

    said = refuse(served, change)
    assert "block 12 is refused: inputs - outputs of" in said
    assert "expected 1000" in said


def test_a_coinbase_that_takes_too_much_is_refused_by_name(made: Any, core: Any, serve: Any) -> None:
    chain = made(50 * 10**8)
    grow(chain, 5)
    chain.subsidy += 1
    grow(chain, 30)
    said = serve(core(chain)).run("run", SMALL, status=1)
    assert "block 5 is refused: what the coinbase pays is 5000003001, expected 5000003000 or less" in said


def test_an_output_that_is_spent_twice_is_refused_by_name(made: Any, dogecoin: Any, serve: Any) -> None:
    chain = made()
    grow(chain, 5)
    spending = chain.mine(chain.blocks[-1].time + HOUR, 1).transactions[1]
    chain.coins.append(spending.spends[0])
    chain.mine(chain.blocks[-1].time + HOUR, 1)  # it takes the last one
    grow(chain, 30)
    said = serve(dogecoin(chain), "dogecoin").run("run", SMALL, "--commit-blocks=1", status=1)
    assert "block 6 is refused: an input's output is unknown" in said


def test_the_password_is_sent_and_never_said(served: Any) -> None:
    served.run("run", SMALL)
    assert set(served.node.authorizations) == {"Basic dXNlcjphLXNlY3JldC13b3Jk"}
    served.node.change = lambda _method, _result: {"odd": "a-secret-word"[:3]}
    assert "in a form that is not known" in served.run("run", SMALL, status=1)


def test_follow_takes_what_comes_and_ends_by_a_signal(served: Any) -> None:
    process = served.start("follow", SMALL, "--poll-seconds=0.05")
    assert process.stderr is not None
    for day in ("2024-03-01", "2024-03-02", "2024-03-03"):
        assert f"{day} is published" in process.stderr.readline()
    grow(served.node.chain, 24)
    assert "2024-03-04 is published" in process.stderr.readline()
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(days(served)) == 4
