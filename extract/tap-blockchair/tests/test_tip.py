"""Blocks and uncles in channel auto: dump days, and above them the API, as a loader that follows units sees them."""

# ruff: noqa: ANN401, PLR0913, S311 (JSON values, and fixtures whose classes live in conftest, which no module imports by name; no secrets)

from __future__ import annotations

import gzip
import json
import random
from decimal import Decimal
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest
import requests
from jsonschema import Draft202012Validator
from pytest_httpserver import HTTPServer
from werkzeug import Response

from tap_blockchair.tap import TapBlockchair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHAINS = ("bitcoin", "ethereum", "dogecoin")


class Loader:
    """Tables of a loader that follows `docs/units.md`; rows of a batch come as text."""

    def __init__(self) -> None:
        self.tables: dict[str, list[dict[str, Any]]] = {}

    def load(self, result: Any) -> None:
        unit: dict[str, Any] = {}
        for message in result.messages:
            rows = self.tables.setdefault(message.get("stream", ""), [])
            if message["type"] == "RECORD":
                rows.append(message["record"])
            elif message["type"] == "BATCH":
                rows += self.unpack(message["manifest"], unit)
            elif message["type"] == "SCHEMA" and (unit := message["schema"].get("x-unit", {})):
                rows[:] = [row for row in rows if not self.is_replaced(row, unit)]
            if message["type"] in {"RECORD", "BATCH"}:  # by key, of which the last one counts
                last = {(row.get("parent_block_id", row["id"]), row.get("index")): row for row in rows}
                rows[:] = last.values()

    @staticmethod
    def is_replaced(row: dict[str, Any], unit: dict[str, Any]) -> bool:
        value, low, high = row[unit["column"]], unit["from"], unit["to"]
        return value is not None and low <= value and (high is None or value < high)

    @staticmethod
    def unpack(manifest: list[str], unit: dict[str, Any]) -> list[dict[str, Any]]:
        (url,) = manifest
        header, *lines = gzip.decompress(Path(unquote(urlsplit(url).path)).read_bytes()).decode().split("\n")
        rows = []
        for line in lines:
            row: dict[str, Any] = dict(zip(header.split("\t"), line.split("\t"), strict=True))
            row["time"] = row["time"].replace(" ", "T") + "+00:00"
            row |= {name: int(value) for name, value in row.items() if name in {"id", "parent_block_id", "index"}}
            rows.append({**row, **unit["constants"]})
        return rows

    def keys(self, stream: str) -> list[tuple[Any, ...]]:
        return sorted(
            (row.get("parent_block_id", row["id"]), row.get("index", 0), row["hash"]) for row in self.tables[stream]
        )


def config_of(url: str, **more: Any) -> dict[str, Any]:
    config = {"api_url": f"{url}/blockchair", "dumps_url": f"{url}/dumps", "chains": ["bitcoin"]}
    finality = dict.fromkeys(CHAINS, 6)
    return {**config, "finality": finality, "requests_per_minute": 100_000, "points_per_day": 10**7, **more}


def post(url: str, what: str, **body: Any) -> Any:
    response = requests.post(f"{url}/_simulator/{what}", json=body, timeout=30)
    assert response.ok, response.text
    return response.json()


def truth(url: str, stream: str) -> list[tuple[Any, ...]]:
    """What the simulated API has at this moment."""
    chain, table = stream.split("_")
    found: list[tuple[Any, ...]] = []
    while True:
        height = "id" if table == "blocks" else "parent_block_id"
        path = f"{url}/blockchair/{chain}/{table}?s={height}(asc)&limit=100&offset={len(found)}"
        rows = requests.get(path, timeout=30).json()["data"]
        found += [(row[height], row.get("index", 0), row["hash"].removeprefix("0x")) for row in rows]
        if len(rows) < 100:
            return sorted(found)


def parts(result: Any, stream: str) -> list[str]:
    """The kinds of units in order, without repetitions."""
    units = [m["schema"]["x-unit"] for m in result.of("SCHEMA", stream) if "x-unit" in m["schema"]]
    return [kind for kind, _ in groupby("days" if unit["column"] == "time" else "heights" for unit in units)]


@pytest.fixture
def delay(simulator: str) -> Iterator[Callable[[str, int], None]]:
    """Lets a chain's dumps come so many days later, until the test is over."""
    late: list[str] = []

    def by(chain: str, days: int) -> None:
        post(simulator, "delay", chain=chain, days=days)
        late.append(chain)

    yield by
    for chain in late:
        post(simulator, "delay", chain=chain, days=0)


@pytest.mark.parametrize(("depth", "batch"), [(3, False), (7, True)])
@pytest.mark.parametrize("chain", CHAINS)
def test_the_tables_follow_the_chain(
    run: Any, denser_simulator: str, tmp_path: Path, chain: str, depth: int, *, batch: bool
) -> None:
    url, loader = denser_simulator, Loader()
    streams = [f"{chain}_blocks", *(["ethereum_uncles"] if chain == "ethereum" else [])]
    storage = {"encoding": {"format": "tsv", "compression": "gzip"}, "storage": {"root": tmp_path.as_uri()}}
    config = config_of(url, chains=[chain], **({"batch_config": storage} if batch else {}))
    states: list[dict[str, Any]] = []

    def follow() -> Any:
        result = run(config, state=states[-1] if states else None, select=tuple(streams))
        assert result.error is None
        states.append(result.state)
        loader.load(result)
        for stream in streams:
            assert loader.keys(stream) == truth(url, stream)
        return result

    blocks = streams[0]
    first = follow()
    assert parts(first, blocks) == ["days", "heights"]
    assert bool(first.of("BATCH", blocks)) is batch
    rows = first.records(blocks)
    assert {row["_dump_day"] for row in rows} == {None, *(() if batch else ("2025-01-01", "2025-01-02"))}
    book = states[-1]["bookmarks"][blocks]
    assert (book["replication_key_value"], book["loaded"]) == ("2025-01-02", [["2025-01-01", "2025-01-02"]])
    tip = [row["id"] for row in rows if row["_channel"] == "api"]
    assert book["heights"]["covered"] == [[tip[0], tip[-7]]]
    assert [row["id"] for row in rows if not row["is_settled"]] == tip[-6:]
    post(url, "advance", hours=5)
    # What was settled is not read again; the reorganisation replaces what was not, or goes back to where it agrees.
    post(url, "reorg", chain=chain, depth=depth)
    assert min(row["id"] for row in follow().records(blocks)) == tip[-6]
    post(url, "reorg", chain=chain, depth=depth)
    again = {row["id"] for row in follow().records(blocks)}
    assert (len(again) == 6) is (depth == 3)
    # The day is over and its dump is there: the tip begins anew above it, whatever it was before.
    post(url, "advance", hours=14)
    post(url, "reorg", chain=chain, depth=depth)
    later = follow()
    assert parts(later, blocks) == ["days", "heights"]
    assert states[-1]["bookmarks"][blocks]["loaded"] == [["2025-01-01", "2025-01-03"]]
    assert {row["_channel"] for row in loader.tables[blocks] if row["time"] < "2025-01-04"} == {"dumps"}
    # A reorganisation that reaches into the published day, and one that leaves the chain shorter.
    post(url, "reorg", chain=chain, depth=depth + 5)
    follow()
    number = len(loader.tables[blocks])
    post(url, "reorg", chain=chain, depth=3, shorter=2)
    follow()
    assert len(loader.tables[blocks]) == number - 2


@pytest.mark.parametrize("seed", range(4))
def test_the_tables_are_exact_after_whatever_came(run: Any, denser_simulator: str, seed: int) -> None:
    url, dice, loader, state = denser_simulator, random.Random(seed), Loader(), None
    chain = CHAINS[seed % 3]
    stream, finality = f"{chain}_blocks", dict.fromkeys(CHAINS, dice.choice([0, 2, 6, 20]))
    for _ in range(12):
        for _ in range(dice.randint(0, 2)):
            what = dice.choice(["hours", "hours", "days", "reorg", "shorter"])
            if what in {"hours", "days"}:
                post(url, "advance", **{what: dice.randint(1, 9) if what == "hours" else 1})
            else:
                depth = dice.choice([3, 7, 15])
                body = {"chain": chain, "depth": depth, "shorter": dice.randint(1, 3) if what == "shorter" else 0}
                requests.post(f"{url}/_simulator/reorg", json=body, timeout=30)  # refused where a day is too young
        whole = dice.random() < 0.7
        limits = (
            {}
            if whole
            else dice.choice([{"points_per_day": dice.randint(3, 25)}, {"tip": "off"}, {"end_date": "2025-01-02"}])
        )
        result = run(config_of(url, chains=[chain], finality=finality, **limits), state=state, select=(stream,))
        assert result.error is None
        loader.load(result)
        state = {"bookmarks": result.state["bookmarks"]}
        if whole:
            assert loader.keys(stream) == truth(url, stream)


def test_points_end_the_tip_and_nothing_else(run: Any, simulator: str) -> None:
    result = run(config_of(simulator, points_per_day=6), select=("bitcoin_blocks",))
    assert result.error is None
    assert {row["_channel"] for row in result.records("bitcoin_blocks")} == {"dumps"}
    assert result.bookmark("bitcoin_blocks") == "2025-01-02"
    state = {"bookmarks": result.state["bookmarks"]}
    rest = run(config_of(simulator), state=state, select=("bitcoin_blocks",))
    assert {row["_channel"] for row in rest.records("bitcoin_blocks")} == {"api"}


def test_a_refusal_at_the_tip_keeps_the_days(run: Any, simulator: str) -> None:
    rule = {"match": "^/blockchair/bitcoin/blocks", "times": None, "action": {"status": 430}}
    requests.post(f"{simulator}/_simulator/faults", json=[rule], timeout=30).raise_for_status()
    try:
        result = run(config_of(simulator), select=("bitcoin_blocks",))
    finally:
        requests.delete(f"{simulator}/_simulator/faults", timeout=30)
    assert "430" in str(result.error)
    assert result.bookmark("bitcoin_blocks") == "2025-01-02"


def test_only_the_tip_and_the_snapshots(run: Any, simulator: str, asked: Any, delay: Any) -> None:
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
        ({"channel": "dumps"}, {"2025-01-01", "2025-01-02"}),
        ({"end_date": "2025-01-01"}, {"2025-01-01"}),
        ({"end_date": "2025-01-02"}, {"2025-01-01", "2025-01-02"}),
        ({"end_date": "2025-01-03"}, {"2025-01-01", "2025-01-02", "2025-01-03"}),
        ({"start_date": "2025-01-03"}, {"2025-01-03"}),
        ({"start_date": "2025-01-04"}, set()),
    ],
)
def test_dates_and_the_tip(run: Any, simulator: str, asked: Any, more: dict[str, Any], days: set[str]) -> None:
    result = run(config_of(simulator, **more), select=("bitcoin_blocks",))
    assert result.error is None
    assert {row["time"][:10] for row in result.records("bitcoin_blocks")} == days
    assert any(sent.path.startswith("/blockchair/") for sent in asked) is (
        "2025-01-03" in days or more.get("start_date") == "2025-01-04"
    )


def test_no_dump_at_all(run: Any, simulator: str, delay: Any, caplog: pytest.LogCaptureFixture) -> None:
    delay("bitcoin", 9)
    result = run(config_of(simulator), select=("bitcoin_blocks",))
    assert (result.error, result.records("bitcoin_blocks")) == (None, [])
    assert "without start_date the API is not asked for the whole chain" in caplog.text
    dated = run(config_of(simulator, start_date="2025-01-02"), select=("bitcoin_blocks",))
    assert {row["time"][:10] for row in dated.records("bitcoin_blocks")} == {"2025-01-02", "2025-01-03"}


def test_rows_of_both_channels_fit_one_schema(run: Any, simulator: str) -> None:
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


class Days:
    """Blocks whose days are the test's to choose, at the dump host and at the API."""

    url = ""

    def __init__(self, host: Any, blocks: Any, envelope: Any, template: dict[str, Any]) -> None:
        self.host, self.blocks, self.envelope, self.template = host, blocks, envelope, template
        self.chain: dict[int, tuple[str, str]] = {}

    def publish(self, day: str) -> None:
        """Give the dump host what the chain has of a day."""
        content = gzip.decompress(self.blocks(*(height for height, (_, of) in self.chain.items() if of == day)))
        lines = content.decode().split("\n")
        at = lines[0].split("\t").index("hash")
        for number, line in enumerate(lines[1:], 1):
            fields = line.split("\t")
            fields[at] = self.chain[int(fields[0])][0]
            lines[number] = "\t".join(fields)
        self.host.put("bitcoin", "blocks", day.replace("-", ""), gzip.compress("\n".join(lines).encode(), mtime=0))

    def serve(self, request: Any) -> Any:
        q, downwards = request.args.get("q", ""), "desc" in request.args.get("s", "desc")
        name, _, bounds = q.rstrip(")").partition("(")
        low, _, high = bounds.partition("..") if ".." in bounds else (bounds, "", bounds)
        found = []
        for height, (known, day) in sorted(self.chain.items(), reverse=downwards):
            value: Any = day if name == "time" else height
            kind: Any = str if name == "time" else int
            if (not low or value >= kind(low)) and (not high or value <= kind(high)):
                found.append({**self.template, "id": height, "hash": known, "time": f"{day} 12:00:00"})
        text = json.dumps(self.envelope(found[: int(request.args["limit"])]), default=float)
        return Response(text, content_type="application/json")

    def keys(self) -> list[tuple[Any, ...]]:
        return sorted((height, 0, known) for height, (known, _) in self.chain.items())


@pytest.fixture
def days(httpserver: HTTPServer, host: Any, blocks: Any, envelope: Any, answer: Any) -> Days:
    made = Days(host, blocks, envelope, answer("22")["data"][0])
    made.url = httpserver.url_for("")
    httpserver.expect_request("/bitcoin/blocks").respond_with_handler(lambda request: made.serve(request))  # noqa: PLW0108 (a test may change it)
    made.chain = {height: (f"{height:064x}", f"2024-01-0{1 + height // 10}") for height in range(27)}
    for day in ("2024-01-01", "2024-01-02"):
        made.publish(day)
    return made


def config_of_days(days: Days, **more: Any) -> dict[str, Any]:
    urls = {"api_url": days.url, "dumps_url": days.host.url}
    return {"chains": ["bitcoin"], **urls, "requests_per_minute": 100_000, "finality": {"bitcoin": 4}, **more}


# From which height on the chain is another, and the days of the blocks that take the place of the old ones.
MOVES = [
    (24, {24: "2024-01-03", 25: "2024-01-03", 26: "2024-01-03"}),
    (20, {20: "2024-01-02", 21: "2024-01-02", 22: "2024-01-03", 23: "2024-01-03"}),
    (18, {18: "2024-01-02", 19: "2024-01-03", 20: "2024-01-03", 21: "2024-01-03", 22: "2024-01-03"}),
    (24, {24: "2024-01-02", 25: "2024-01-03"}),  # a clock that runs late: height and time go different ways
    (22, {22: "2024-01-03", 23: "2024-01-04", 24: "2024-01-03", 25: "2024-01-03", 26: "2024-01-04"}),
    (20, {}),
    (20, {20: "2024-01-03", 21: "2024-01-03"}),  # it ends below the bookmark, and no older block's hash is known
    (26, {26: "2024-01-02"}),
]


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize(("fork", "moved"), MOVES, ids=str)
def test_blocks_that_move_to_another_day(
    run: Any, days: Days, fork: int, moved: dict[int, str], *, published: bool
) -> None:
    loader = Loader()
    # The last blocks of the old chain bear times of a day that no dump has for long.
    days.chain |= {25: (f"{25:064x}", "2024-01-04"), 26: (f"{26:064x}", "2024-01-04")}
    first = run(config_of_days(days), select=("bitcoin_blocks",))
    loader.load(first)
    assert (first.error, loader.keys("bitcoin_blocks")) == (None, days.keys())
    days.chain = {h: known for h, known in days.chain.items() if h < fork}
    days.chain |= {height: (f"{height:064x}".replace("0", "f", 1), day) for height, day in moved.items()}
    for day in ("2024-01-02", *(["2024-01-03"] if published else [])):
        days.publish(day)
    second = run(config_of_days(days), state=first.state, select=("bitcoin_blocks",))
    loader.load(second)
    assert (second.error, loader.keys("bitcoin_blocks")) == (None, days.keys())
    days.chain[max(days.chain) + 1] = ("aa" * 32, "2024-01-05")
    third = run(config_of_days(days), state=second.state, select=("bitcoin_blocks",))
    loader.load(third)
    assert (third.error, loader.keys("bitcoin_blocks")) == (None, days.keys())


def test_a_time_filter_that_is_not_obeyed_stops_the_tip(run: Any, days: Days) -> None:
    serve = days.serve

    def deaf(request: Any) -> Any:
        if "time" in request.args.get("q", ""):
            request.args = {"limit": "1", "s": "id(asc)"}
        return serve(request)

    days.serve = deaf  # type: ignore[method-assign]
    result = run(config_of_days(days), select=("bitcoin_blocks",))
    assert "asked for a block of the time 2024-01-03.., the API gave one of 2024-01-01" in str(result.error)
    assert len(result.records("bitcoin_blocks")) == 20


def test_a_column_that_is_new_in_the_middle_of_the_tip(run: Any, days: Days) -> None:
    days.chain |= {height: (f"{height:064x}", "2024-01-03") for height in range(27, 110)}
    serve, known = days.serve, days.template

    def later(request: Any) -> Any:
        days.template = {**known, "odd": 7} if "id(100.." in request.args.get("q", "") else known
        return serve(request)

    days.serve = later  # type: ignore[method-assign]
    result = run(config_of_days(days), select=("bitcoin_blocks",))
    assert result.error is None
    properties = {}
    for message in result.messages:
        if message["type"] == "SCHEMA":
            properties = message["schema"]["properties"]
        elif message["type"] == "RECORD":
            assert set(message["record"]) == set(properties)
    assert [row.get("odd") for row in result.records("bitcoin_blocks")][-11:] == [None, *["7"] * 10]
