"""Replaced days, reorganisations, days published over rows of the API: raw tables equal the source afterwards.

The real tap is piped into the real loader, and both face a simulator to which things happen.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from checkout import Checkout, clean_environ
from simulator.blockchair.chains import CHAINS as SIMULATED
from sources import KEYS, Row, api_rows, dump_rows, tables_of, time_column

pytestmark = pytest.mark.long(part="other-projects")

PROGRAMS = Path(sys.executable).parent
CHAINS = ("bitcoin", "dogecoin", "ethereum")
KIN = tuple(chain.name for chain in SIMULATED.values() if not chain.is_default)  # there when settings name them
FINALITY = 6
ENCODING = {"format": "tsv", "compression": "gzip"}
# Two days and a morning, over the end of a month; of an era in which Ethereum has uncles.
WORLD = ("--start", "2025-01-30", "--days", "2", "--blocks-per-day", "24", "--transactions-per-block", "2")
TIPPED = {"blocks", "uncles"}
REPLACED = (
    ("bitcoin", "blocks", "2025-01-31", "restated"),
    ("bitcoin", "outputs", "2025-01-30", "shorter"),
    ("bitcoin", "inputs", "2025-01-31", "empty"),
    ("dogecoin", "transactions", "2025-01-31", "restated"),
    ("dogecoin", "outputs", "2025-01-31", "empty"),
    ("ethereum", "transactions", "2025-01-31", "shorter"),
    ("ethereum", "calls", "2025-01-30", "empty"),
    ("ethereum", "uncles", "2025-01-30", "restated"),
)


class Pipeline:
    """Tap and loader, and a schema of the warehouse for what they load."""

    def __init__(self, place: Checkout, folder: Path, schema: str, chains: tuple[str, ...]) -> None:
        self.place, self.folder, self.schema, self.chains = place, folder, schema, chains
        self.source = place.simulator()
        self.admin = place.url("admin")
        url = place.url("loader")
        parts = psycopg.conninfo.conninfo_to_dict(url)
        names = {"host": "host", "user": "user", "password": "password", "dbname": "database"}
        self.loader = {ours: parts[theirs] for theirs, ours in names.items()}
        self.loader |= {"port": int(str(parts["port"])), "default_target_schema": schema, "data_origin": "simulator"}
        self.states: dict[str, Path] = {}

    def run(self, name: str = "tap", **settings: Any) -> None:  # noqa: ANN401 - JSON
        """Read what there is to read; each `name` has a state of its own."""
        tap = {
            "chains": self.chains,
            "api_url": f"{self.source}/blockchair",
            "dumps_url": f"{self.source}/dumps",
            "data_origin": "simulator",
            "finality": dict.fromkeys(self.chains, FINALITY),
            "requests_per_minute": 100_000,
            "points_per_day": 10_000_000,
            "download_dir": str(self.folder / "parts"),
            **{key: value for key, value in settings.items() if value is not None},
        }
        state = ("--state", str(self.states[name])) if name in self.states else ()
        with (self.folder / "tap.log").open("w+") as tap_log, (self.folder / "loader.log").open("w+") as loader_log:
            reader = subprocess.Popen(
                [PROGRAMS / "tap-blockchair", "--config", self._written("tap", tap), *state],
                stdout=subprocess.PIPE,
                stderr=tap_log,
                env=self.place.environ,
            )
            done = subprocess.run(
                [PROGRAMS / "target-postgres-copy", "--config", self._written("loader", self.loader)],
                stdin=reader.stdout,
                stdout=subprocess.PIPE,
                stderr=loader_log,
                text=True,
                env=self.place.environ,
                check=False,
            )
            assert reader.stdout is not None
            reader.stdout.close()
            codes = (reader.wait(), done.returncode)
            tap_log.seek(0)
            loader_log.seek(0)
            assert codes == (0, 0), tap_log.read()[-2000:] + loader_log.read()[-2000:]
        self.states[name] = self.folder / f"{name}_state.json"
        self.states[name].write_text(done.stdout.splitlines()[-1])

    def _written(self, name: str, settings: dict[str, Any]) -> Path:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(settings))
        return path

    def reorganise(self, **depths: int) -> None:
        """Replace the last blocks of chains."""
        for chain, depth in depths.items():
            self.place.at_source("reorg", chain=chain, depth=depth)

    def sql(self, query: str) -> list[Row]:
        """Ask the warehouse; tables are those of this pipeline."""
        options = f"-c search_path={self.schema} -c timezone=UTC"
        with psycopg.connect(self.admin, options=options, row_factory=dict_row) as connection:
            return connection.execute(query).fetchall()

    def types(self, name: str) -> dict[str, str]:
        """SQL types of the columns that the source fills."""
        found = self.sql(
            "select column_name as name, data_type as kind from information_schema.columns"  # noqa: S608
            f" where table_schema = '{self.schema}' and table_name = '{name}'"
        )
        return {row["name"]: row["kind"] for row in found if is_data(row["name"])}


def is_data(name: str) -> bool:
    """Whether a column holds what the source says."""
    return not name.startswith("_") and name != "is_settled"


def compare(found: list[Row], expected: list[Row], what: str) -> None:
    """Hold rows against what they should be, in the columns that the expected ones name; the others are null."""
    wanted, seen = Counter[tuple[Any, ...]](), Counter[tuple[Any, ...]]()
    columns = sorted({name for row in expected for name in row})
    for rows, count in ((expected, wanted), (found, seen)):
        for row in rows:
            count[tuple(row.get(name) for name in columns)] += 1
    lost, orphans = wanted - seen, seen - wanted
    assert (list(lost)[:2], list(orphans)[:2]) == ([], []), f"{what}: {lost.total()} lost, {orphans.total()} orphans"
    for row in found:
        assert not [name for name, value in row.items() if value is not None and is_data(name) and name not in columns]


def check(pipeline: Pipeline, *, with_api: bool, with_dumps: bool) -> None:
    """Hold every table against the source, and the ledger against every table.

    Without `with_api` only blocks and uncles come from the API; with `with_dumps` published days come from the dumps.
    """
    for chain, table in ((name, table) for name in pipeline.chains for table in tables_of(name)):
        what = f"{chain}_{table}".replace("-", "_")
        types = pipeline.types(what)
        found = pipeline.sql(f'select * from "{what}"')  # noqa: S608
        days, dumps = dump_rows(pipeline.source, chain, table, types) if with_dumps else (set[date](), [])
        served = api_rows(pipeline.source, chain, table, types) if with_api or table in TIPPED else []
        assert dumps or served or table == "erc20_tokens", what
        if with_dumps and table in KEYS:  # one and the same row may have come either way
            key = KEYS[table]
            by_api = {tuple(row[name] for name in key) for row in found if row["_channel"] == "api"}
            assert Counter(tuple(row[n] for n in key) for row in found) == Counter(
                tuple(row[n] for n in key) for row in served
            ), what
            dumps = [row for row in dumps if tuple(row[name] for name in key) not in by_api]
            served = [row for row in served if tuple(row[name] for name in key) in by_api]
        elif table == "erc20_tokens" and with_dumps:
            served = []  # the latest file is the whole table
        else:
            served = [row for row in served if row[time_column(table)].date() not in days]
        by_channel = {name: [row for row in found if row["_channel"] == name] for name in ("dumps", "api")}
        compare(by_channel["dumps"], dumps, f"{what} of the dumps")
        compare(by_channel["api"], served, f"{what} of the API")
        assert len(found) == len(dumps) + len(served), what
        if table == "blocks":
            tip = max(row["id"] for row in found)
            assert {row["id"] for row in found if not row["is_settled"]} <= set(range(tip - FINALITY + 1, tip + 1))
            assert all(not row["is_settled"] for row in by_channel["api"] if row["id"] > tip - FINALITY)
        loads = pipeline.sql(f"select * from load_ledger where table_name = '{what}'")  # noqa: S608
        assert sum(load["rows_loaded"] - load["rows_deleted"] for load in loads) == len(found), f"{what}: ledger"
        assert {row["_load_id"] for row in found} <= {load["load_id"] for load in loads}, f"{what}: load without entry"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A folder with a warehouse of its own, and the programs of the tests' environment."""
    root = tmp_path_factory.mktemp("place")
    (root / "meltano.yml").touch()
    environ = clean_environ(root) | {"MELTANO_PROJECT_ROOT": str(root)}
    made = Checkout(root, environ | {"PATH": f"{PROGRAMS}:{environ['PATH']}"})
    made.run("warehouse", "start")
    try:
        yield made
    finally:
        made.run("warehouse", "stop")


@pytest.fixture
def pipeline(request: pytest.FixtureRequest, place: Checkout, tmp_path: Path) -> Iterator[Pipeline]:
    """A world as it was made, of the usual chains or of those that a test names, and an empty schema."""
    chains: tuple[str, ...] = getattr(request, "param", CHAINS)
    place.run("simulator", "start", *WORLD, "--ethereum-era", "london", "--chains", ",".join(chains))
    try:
        schema = f"slices_{tmp_path.name}"
        with psycopg.connect(place.url("admin")) as connection:
            connection.execute(f"create schema {schema} authorization loader")
        yield Pipeline(place, tmp_path, schema, chains)
    finally:
        place.run("simulator", "reset")


@pytest.mark.parametrize("batch", [True, False], ids=["batch", "records"])
def test_days_and_the_tip_above_them(pipeline: Pipeline, *, batch: bool) -> None:
    """Replaced days, then reorganisations, then a day that is published, then a reorganisation of a part of it."""
    downloads = pipeline.folder / "downloads"
    batch_config = {"encoding": ENCODING, "storage": {"root": downloads.as_uri()}} if batch else None

    def load_and_check() -> None:
        pipeline.run(batch_config=batch_config)
        check(pipeline, with_api=False, with_dumps=True)

    load_and_check()
    assert any(downloads.glob("*.gz")) is batch

    for chain, table, day, change in REPLACED:
        pipeline.place.at_source("replace", chain=chain, table=table, day=day, change=change)
    pipeline.reorganise(bitcoin=3, dogecoin=3, ethereum=3)
    known = len(pipeline.sql("select from load_ledger where channel = 'dumps'"))
    with pytest.raises(
        AssertionError, match=r"bitcoin_inputs_20250131.tsv.gz has a header and no rows, and bitcoin_inputs"
    ):
        pipeline.run(batch_config=batch_config)
    assert pipeline.sql("select count(*) > 0 as there from bitcoin_inputs where _dump_day = '2025-01-31'")[0]["there"]
    pipeline.loader["allow_empty"] = True
    load_and_check()
    again = len(pipeline.sql("select from load_ledger where channel = 'dumps'")) - known
    assert again == len(REPLACED), "only what was replaced is loaded again"

    pipeline.place.at_source("advance", hours=8)
    pipeline.reorganise(bitcoin=7, dogecoin=7, ethereum=7)
    load_and_check()

    pipeline.place.at_source("advance", hours=12)
    load_and_check()
    channels = "select distinct _channel from bitcoin_blocks where time >= '2025-02-01' and time < '2025-02-02'"
    assert pipeline.sql(channels) == [{"_channel": "dumps"}]

    pipeline.reorganise(bitcoin=12, dogecoin=12, ethereum=12)
    load_and_check()


def test_the_days_and_the_tip_by_two_pipelines_in_any_order(pipeline: Pipeline) -> None:
    """Into empty tables, and twice when a day is published of which a reorganisation has replaced what the tip had."""
    settings = {"days": {"channel": "dumps"}, "tip": {"tip": "only"}}

    def load_and_check(*order: str) -> None:
        for name in order:
            pipeline.run(name, **settings[name])
        check(pipeline, with_api=False, with_dumps=True)

    def publish() -> None:
        """Go on from 20:00 to 02:00, over the end of a day, of which the last ten hours are others then."""
        pipeline.place.at_source("advance", hours=6)
        pipeline.reorganise(**dict.fromkeys(CHAINS, 12))

    pipeline.place.at_source("advance", hours=14)
    load_and_check("tip", "days")
    publish()
    load_and_check("tip", "days")
    pipeline.place.at_source("advance", hours=18)
    pipeline.run("tip", **settings["tip"])
    publish()
    load_and_check("days", "tip")


def test_every_table_of_the_api_and_then_its_days(pipeline: Pipeline) -> None:
    """Reorganisations of tables that come from the API, and the dumps' days in the place of its rows."""

    def load_and_check() -> None:
        pipeline.run(channel="api")
        check(pipeline, with_api=True, with_dumps=False)

    load_and_check()
    for depth in (3, 7):
        pipeline.reorganise(**dict.fromkeys(CHAINS, depth))
        load_and_check()
    for chain in CHAINS:
        pipeline.place.at_source("reorg", chain=chain, depth=7, shorter=2)
    load_and_check()

    storage = {"root": (pipeline.folder / "downloads").as_uri()}
    pipeline.run("dumps", channel="dumps", batch_config={"encoding": ENCODING, "storage": storage})
    check(pipeline, with_api=True, with_dumps=True)


@pytest.mark.parametrize("pipeline", [(*CHAINS, *KIN)], indirect=True)
def test_chains_that_settings_name_are_loaded_as_the_usual_ones(pipeline: Pipeline) -> None:
    """Dumps and the tip, statistics and addresses of five chains, then two of them from the API alone."""
    pipeline.run()
    check(pipeline, with_api=False, with_dumps=True)
    for chain in KIN:
        stem = chain.replace("-", "_")
        assert ("witness_count" in pipeline.types(f"{stem}_blocks")) is (chain == "litecoin")
        blocks = pipeline.sql(f"select max(id) as tip, sum(generation) as made from {stem}_blocks")[0]  # noqa: S608
        (stats,) = pipeline.sql(f"select best_block_height, circulation from {stem}_stats")  # noqa: S608
        assert stats == {"best_block_height": blocks["tip"], "circulation": blocks["made"]}
    pipeline.chains = KIN
    pipeline.run("api", channel="api")
    check(pipeline, with_api=True, with_dumps=False)
    for chain in KIN:
        stem = chain.replace("-", "_")
        rich = pipeline.sql(f"select address, balance from {stem}_addresses order by rank")  # noqa: S608
        assert rich == pipeline.sql(
            "with moves as ("  # noqa: S608
            f"  select recipient, value from {stem}_outputs where type <> 'nulldata'"
            f"  union all select recipient, -value from {stem}_inputs"
            ") select recipient as address, sum(value) as balance from moves group by 1"
            ' having sum(value) > 0 order by balance desc, recipient collate "C" limit 100'
        )
