"""Blocks and uncles in channel auto: dump days, and above them the API, as a loader by slices sees them."""

# ruff: noqa: S311 (no secrets)

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator

from tap_blockchair import schemas
from tap_blockchair.tap import TapBlockchair

CHAINS = ("bitcoin", "ethereum", "dogecoin")


def keys(table: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return sorted((row.get("parent_block_id", row["id"]), row.get("index", 0), row["hash"]) for row in table)


def config_of(server: Any, **more: Any) -> dict[str, Any]:
    finality = dict.fromkeys(CHAINS, 6)
    more = {"channel": "auto", "finality": finality, "requests_per_minute": 100_000, "points_per_day": 10**7, **more}
    return dict(server.config(**more))


def truth(server: Any, stream: str) -> list[tuple[Any, ...]]:
    """What the simulated API has at this moment."""
    chain, table = stream.split("_")
    found: list[tuple[Any, ...]] = []
    while True:
        height = "id" if table == "blocks" else "parent_block_id"
        path = f"{server.url}/{chain}/{table}?s={height}(asc)&limit=100&offset={len(found)}"
        rows = requests.get(path, timeout=60).json()["data"]
        found += [(row[height], row.get("index", 0), row["hash"].removeprefix("0x")) for row in rows]
        if len(rows) < 100:
            return sorted(found)


def parts(result: Any, stream: str) -> list[str]:
    """The kinds of slices in order, without repetitions."""
    slices = result.slices(stream)
    return [kind for kind, _ in groupby("days" if part["column"] == "time" else "heights" for part in slices)]


@pytest.fixture
def denser_simulator(simulated: Callable[..., Any]) -> Iterator[Any]:
    """A world with two blocks an hour, so that reorganisations stay within a day."""
    with simulated("--days=2", "--blocks-per-day=48", "--transactions-per-block=2") as served:
        yield served


@pytest.fixture
def delay(simulator: Any) -> Iterator[Callable[[str, int], None]]:
    """Lets a chain's dumps come so many days later, until the test is over."""
    late: list[str] = []

    def by(chain: str, days: int) -> None:
        simulator.post("delay", {"chain": chain, "days": days})
        late.append(chain)

    yield by
    for chain in late:
        simulator.post("delay", {"chain": chain, "days": 0})


@pytest.mark.parametrize(("depth", "batch"), [(3, False), (7, True)])
@pytest.mark.parametrize("chain", CHAINS)
def test_the_tables_are_those_of_the_chain(
    run: Any, loader: Any, denser_simulator: Any, tmp_path: Path, chain: str, depth: int, *, batch: bool
) -> None:
    server, taken = denser_simulator, loader(by_key=True)
    streams = [f"{chain}_blocks", *(["ethereum_uncles"] if chain == "ethereum" else [])]
    storage = {"encoding": {"format": "tsv", "compression": "gzip"}, "storage": {"root": tmp_path.as_uri()}}
    config = config_of(server, chains=[chain], **({"batch_config": storage} if batch else {}))
    states: list[dict[str, Any]] = []

    def read_again() -> Any:
        result = run(config, state=states[-1] if states else None, select=tuple(streams))
        assert result.error is None
        states.append(result.state)
        taken.load(result)
        for stream in streams:
            assert keys(taken.tables[stream]) == truth(server, stream)
        return result

    blocks = streams[0]
    first = read_again()
    assert parts(first, blocks) == ["days", "heights"]
    assert bool(first.of("BATCH", blocks)) is batch
    rows = first.records(blocks)
    assert {row["_dump_day"] for row in rows} == {None, *(() if batch else ("2025-01-01", "2025-01-02"))}
    state = states[-1]["bookmarks"][blocks]
    assert (state["replication_key_value"], state["loaded"]) == ("2025-01-02", [["2025-01-01", "2025-01-02"]])
    tip = [row["id"] for row in rows if row["_channel"] == "api"]
    assert state["heights"]["covered"] == [[tip[0], tip[-7]]]
    assert [row["id"] for row in rows if not row["is_settled"]] == tip[-6:]
    server.post("advance", {"hours": 5})
    # What was settled is not read again; the reorganisation replaces what was not, or goes back to where it agrees.
    server.post("reorg", {"chain": chain, "depth": depth})
    assert min(row["id"] for row in read_again().records(blocks)) == tip[-6]
    server.post("reorg", {"chain": chain, "depth": depth})
    again = {row["id"] for row in read_again().records(blocks)}
    assert (len(again) == 6) is (depth == 3)
    # The day is over and its dump is there: the tip begins anew above it, whatever it was before.
    server.post("advance", {"hours": 14})
    server.post("reorg", {"chain": chain, "depth": depth})
    later = read_again()
    assert parts(later, blocks) == ["days", "heights"]
    assert states[-1]["bookmarks"][blocks]["loaded"] == [["2025-01-01", "2025-01-03"]]
    assert {row["_channel"] for row in taken.tables[blocks] if row["time"] < "2025-01-04"} == {"dumps"}
    above = min(row["id"] for row in later.records(blocks) if row["_channel"] == "api")
    heights = states[-1]["bookmarks"][blocks]["heights"]
    assert [pair for pair in heights.get("covered", []) if pair[0] < above] == [], "the dumps have taken their place"
    # A reorganisation that reaches into the published day, and one that leaves the chain shorter.
    server.post("reorg", {"chain": chain, "depth": depth + 5})
    read_again()
    number = len(taken.tables[blocks])
    server.post("reorg", {"chain": chain, "depth": 3, "shorter": 2})
    read_again()
    assert len(taken.tables[blocks]) == number - 2


@pytest.mark.parametrize("seed", range(4))
def test_the_tables_are_exact_after_whatever_came(run: Any, loader: Any, denser_simulator: Any, seed: int) -> None:
    server, dice, taken, state = denser_simulator, random.Random(seed), loader(by_key=True), None
    chain = CHAINS[seed % 3]
    stream, finality = f"{chain}_blocks", dict.fromkeys(CHAINS, dice.choice([0, 2, 6, 20]))
    for _ in range(12):
        for _ in range(dice.randint(0, 2)):
            what = dice.choice(["hours", "hours", "days", "reorg", "shorter"])
            if what in {"hours", "days"}:
                server.post("advance", {what: dice.randint(1, 9) if what == "hours" else 1})
            else:
                depth = dice.choice([3, 7, 15])
                body = {"chain": chain, "depth": depth, "shorter": dice.randint(1, 3) if what == "shorter" else 0}
                requests.post(
                    f"{server.root}/_simulator/reorg", json=body, timeout=60
                )  # refused where a day is too young
        whole = dice.random() < 0.7
        limits = (
            {}
            if whole
            else dice.choice([{"points_per_day": dice.randint(3, 25)}, {"tip": "off"}, {"end_date": "2025-01-02"}])
        )
        result = run(config_of(server, chains=[chain], finality=finality, **limits), state=state, select=(stream,))
        assert result.error is None
        taken.load(result)
        state = {"bookmarks": result.state["bookmarks"]}
        if whole:
            assert keys(taken.tables[stream]) == truth(server, stream)


def test_points_end_the_tip_and_nothing_else(run: Any, simulator: Any) -> None:
    result = run(config_of(simulator, points_per_day=6), select=("bitcoin_blocks",))
    assert result.error is None
    assert {row["_channel"] for row in result.records("bitcoin_blocks")} == {"dumps"}
    assert result.bookmark("bitcoin_blocks") == "2025-01-02"
    state = {"bookmarks": result.state["bookmarks"]}
    rest = run(config_of(simulator), state=state, select=("bitcoin_blocks",))
    assert {row["_channel"] for row in rest.records("bitcoin_blocks")} == {"api"}


def test_a_refusal_at_the_tip_keeps_the_days(run: Any, simulator: Any) -> None:
    simulator.fault("^/blockchair/bitcoin/blocks", {"status": 430}, times=None)
    result = run(config_of(simulator), select=("bitcoin_blocks",))
    assert "430" in str(result.error)
    assert result.bookmark("bitcoin_blocks") == "2025-01-02"


def test_only_the_tip_and_the_snapshots(run: Any, simulator: Any, asked: Any, delay: Any) -> None:
    config = config_of(simulator, tip="only", chains=["ethereum"], latest_addresses=True)
    assert set(TapBlockchair(config=config).streams) == {
        f"ethereum_{t}" for t in ("blocks", "uncles", "stats", "addresses")
    }
    result = run(config)
    assert result.error is None
    assert {row["_channel"] for row in result.records("ethereum_blocks")} == {"api"}
    assert {row["time"][:10] for row in result.records("ethereum_blocks")} == {"2025-01-03"}
    assert asked
    assert not [sent for sent in asked if sent.path.endswith(".gz")]
    assert "replication_key_value" not in result.state["bookmarks"]["ethereum_blocks"]
    # A day that was published once stays the dumps': an index cut short must not send the tap over the whole chain.
    delay("ethereum", 2)
    again = run(config, state=result.state, select=("ethereum_blocks",))
    assert {row["time"][:10] for row in again.records("ethereum_blocks")} == {"2025-01-03"}


@pytest.mark.parametrize(
    ("more", "days"),
    [
        ({"tip": "off"}, {"2025-01-01", "2025-01-02"}),
        ({"tip": "none"}, {"2025-01-01", "2025-01-02"}),
        ({"channel": "dumps"}, {"2025-01-01", "2025-01-02"}),
        ({"end_date": "2025-01-01"}, {"2025-01-01"}),
        ({"end_date": "2025-01-02"}, {"2025-01-01", "2025-01-02"}),
        ({"end_date": "2025-01-03"}, {"2025-01-01", "2025-01-02", "2025-01-03"}),
        ({"start_date": "2025-01-03"}, {"2025-01-03"}),
        ({"start_date": "2025-01-04"}, set()),
    ],
)
def test_dates_and_the_tip(run: Any, simulator: Any, asked: Any, more: dict[str, Any], days: set[str]) -> None:
    result = run(config_of(simulator, **more), select=("bitcoin_blocks",))
    assert result.error is None
    assert {row["time"][:10] for row in result.records("bitcoin_blocks")} == days
    assert any(sent.path.startswith("/blockchair/") for sent in asked) is (
        "2025-01-03" in days or more.get("start_date") == "2025-01-04"
    )


def test_a_loaded_day_stays_the_dumps_where_the_index_is_cut_short(run: Any, simulator: Any, delay: Any) -> None:
    first = run(config_of(simulator, tip="off"), select=("bitcoin_blocks",))
    delay("bitcoin", 9)
    second = run(config_of(simulator), state=first.state, select=("bitcoin_blocks",))
    assert {row["time"][:10] for row in second.records("bitcoin_blocks")} == {"2025-01-03"}


def test_no_dump_at_all(run: Any, simulator: Any, delay: Any, caplog: pytest.LogCaptureFixture) -> None:
    delay("bitcoin", 9)
    result = run(config_of(simulator), select=("bitcoin_blocks",))
    assert (result.error, result.records("bitcoin_blocks")) == (None, [])
    assert "without start_date the API is not asked for the whole chain" in caplog.text
    dated = run(config_of(simulator, start_date="2025-01-02"), select=("bitcoin_blocks",))
    assert {row["time"][:10] for row in dated.records("bitcoin_blocks")} == {"2025-01-02", "2025-01-03"}


def test_rows_of_both_channels_fit_one_schema(run: Any, simulator: Any) -> None:
    select = ("ethereum_blocks", "ethereum_uncles")
    result = run(config_of(simulator, chains=["ethereum"]), select=select, deselect=("nonce",))
    for stream in ("ethereum_blocks", "ethereum_uncles"):
        schemas = [{n: s for n, s in m["schema"].items() if n != "x-unit"} for m in result.of("SCHEMA", stream)]
        assert all(schema == schemas[0] for schema in schemas)
        assert "nonce" not in schemas[0]["properties"]
        validator = Draft202012Validator(schemas[0])
        for row in result.records(stream):
            validator.validate({name: float(v) if isinstance(v, Decimal) else v for name, v in row.items()})
            assert set(row) == set(schemas[0]["properties"])
    fees = {row["_channel"]: row["base_fee_per_gas"] for row in result.records("ethereum_blocks")}
    assert fees["dumps"] is None
    assert fees["api"] is not None


def test_an_uncle_of_the_open_day_whose_parent_lies_seven_blocks_below_it(
    run: Any, host: Any, chain: Any, gz: Any
) -> None:
    columns = [column.name for column in schemas.chain_table("ethereum", "uncles").columns]
    host.put("ethereum", "uncles", "20240102", gz("\t".join(columns)))
    query = "ethereum/blocks?q=time(2024-01-03..)&s=id(asc)&limit=1"
    first = requests.get(f"{chain.url}/{query}", timeout=60).json()["data"][0]["id"]
    query = "ethereum/uncles?s=parent_block_id(desc)&limit=1"
    tip = requests.get(f"{chain.url}/{query}", timeout=60).json()["data"][0]["parent_block_id"]

    def late(answer: Any) -> None:
        rows = answer["data"]
        own = {"parent_block_id": first - 7, "index": 5, "time": "2024-01-03 00:00:01", "hash": "0xa7"}
        above = [row for row in rows if row["parent_block_id"] > first - 7]
        answer["data"] = [{**rows[0], **own}, *above]
        answer["context"]["rows"] = len(answer["data"])

    order = "s=parent_block_id(asc),index(asc)&limit=100"
    chain.alter("ethereum/uncles", f"q=parent_block_id({first - 7}..{tip})&{order}", late)
    config = {"chains": ["ethereum"], "api_url": chain.url, "dumps_url": host.url, "requests_per_minute": 100_000}
    result = run(config, select=("ethereum_uncles",))
    assert result.error is None
    uncles = result.records("ethereum_uncles")
    assert (uncles[0]["hash"], len(uncles) > 1) == ("a7", True)
    # By the hash of the highest block the next run sees whether a reorganisation came.
    block = requests.get(f"{chain.url}/ethereum/blocks?q=id({tip})", timeout=60).json()["data"][0]
    assert result.state["bookmarks"]["ethereum_uncles"]["heights"]["unsettled"][1:] == [tip, block["hash"]]


@pytest.fixture
def two_days(host: Any, blocks: Any) -> Any:
    for day, heights in (("20240101", range(90)), ("20240102", range(90, 180))):
        host.put("bitcoin", "blocks", day, blocks(*heights))
    return host


def test_a_time_filter_that_is_not_obeyed_stops_the_tip(run: Any, two_days: Any, chain: Any) -> None:
    first = requests.get(f"{chain.url}/bitcoin/blocks?q=id(0)", timeout=60).json()["data"]
    query = "q=time(2024-01-03..)&s=id(asc)&limit=1"
    chain.alter("bitcoin/blocks", query, lambda answer: answer.update(data=first))
    result = run(config_of(chain), select=("bitcoin_blocks",))
    assert "asked for a block of the time 2024-01-03.., the API gave one of 2024-01-01" in str(result.error)
    assert len(result.records("bitcoin_blocks")) == 180


def test_a_column_that_is_new_in_the_middle_of_the_tip(run: Any, two_days: Any, chain: Any) -> None:
    query = f"q=id(200..{chain.tip})&s=id(asc)&limit=100"
    chain.alter("bitcoin/blocks", query, lambda answer: [row.update(odd=7) for row in answer["data"]])
    result = run(config_of(chain), select=("bitcoin_blocks",))
    assert result.error is None
    properties = {}
    for message in result.messages:
        if message["type"] == "SCHEMA":
            properties = message["schema"]["properties"]
        elif message["type"] == "RECORD":
            assert set(message["record"]) == set(properties)
    found = [row.get("odd") for row in result.records("bitcoin_blocks")]
    assert found == [None] * 200 + ["7"] * (chain.tip - 199)
