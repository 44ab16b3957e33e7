"""Warehouses that are filled once for a whole run of the tests, and restored wherever a file asks for one.

A world is what the simulator serves and what of it was loaded and built. Its files (the database, bookmarks, the
generated passwords, what dbt has parsed) are copied when it was filled, and copied back into other checkouts.
"""

import fcntl
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from checkout import Checkout
from recompute import gaps

LOADS = ("tap-coingecko", "target-postgres", "tap-blockchair", "target-postgres")
# What makes up a filled checkout besides its plugins.
_PARTS = (".env", ".state", ".meltano/meltano.db", "transform/target")


def _make_run(checkout: Checkout, world: "World") -> None:
    checkout.make("run", **world.served, **world.loaded)


def _load_and_build(checkout: Checkout, world: "World") -> None:
    """What `make run` does, without data tests."""
    serve(checkout, world)
    checkout.run("meltano", "run", *LOADS, **world.loaded)
    tests = ("--exclude-resource-types", "test", "unit_test")
    checkout.run("meltano", "invoke", "dbt-postgres", "build", *tests)


def _load_and_damage(checkout: Checkout, world: "World") -> None:
    """Load, take out of the raw tables what real data lacks, and build by `run`, which passes by the gate."""
    serve(checkout, world)
    checkout.run("meltano", "run", *LOADS, **world.loaded)
    # the largest addresses, as the API lists them, and then all of them, as the dump does
    everybody = {"TAP_BLOCKCHAIR_LATEST_ADDRESSES": "true", "TAP_BLOCKCHAIR__SELECT": '["*_addresses.*"]'}
    checkout.run("meltano", "run", "tap-blockchair", "target-postgres", **world.loaded, **everybody)
    for statement in gaps.statements():
        checkout.sql_do(statement, role="loader")
    for task in (("seed",), ("run", "--full-refresh")):
        checkout.run("meltano", "invoke", "dbt-postgres", *task)


def _load_the_tip(checkout: Checkout, world: "World") -> None:
    checkout.at_source("advance", hours=23)
    checkout.run("meltano", "run", "tap-blockchair", "target-postgres", **world.loaded)
    checkout.run("meltano", "run", "dbt-postgres:run")


def check_everything(checkout: Checkout) -> None:
    """Run all checks over all rows, since no load reports a cell that was changed by hand."""
    checks = "path:models/intermediate/checks"
    checkout.run("meltano", "invoke", "dbt-postgres", "run", "--select", checks, "--vars", "recheck: true")


# What CLOSES_LOST lacks between a coin's first close and its last: one at a month's end, and two in a row.
LOST_CLOSES = {"bitcoin": ["2025-01-31"], "dogecoin": ["2025-02-01", "2025-02-02"], "ethereum": []}


def _lose_closes(checkout: Checkout, _world: "World") -> None:
    """Take closes back from raw, as if CoinGecko lacked them, and build the market's marts from what is left.

    They are those of LOST_CLOSES, and each coin's first and last.
    """
    for table, dated, daily in (
        ("coingecko_market_chart", "stamp_date", "granularity = 'daily'"),
        ("coingecko_token", "cast(date as date)", "true"),
    ):
        for coin, days in LOST_CLOSES.items():
            kept = f"from raw_data.{table} where coin_id = '{coin}' and {daily}"
            lost = ", ".join(f"date '{day}' + 1" for day in days)
            checkout.sql_do(
                f"delete {kept} and {dated} in ((select min({dated}) {kept}), (select max({dated}) {kept})"
                f"{', ' + lost if lost else ''})",
                role="loader",
            )
    kinds = ("market", "market_trend", "market_risk")
    marts = (
        "fct_market_prices_daily",
        *(f"fct_{name}_daily" for name in kinds[1:]),
        *(f"bi_{name}_daily" for name in kinds),
        *(f"{layer}_{name}" for name in ("asset_status", "latest_changes") for layer in ("rpt", "bi")),
    )
    checkout.run("meltano", "invoke", "dbt-postgres", "run", "--select", *marts)


@dataclass(frozen=True)
class World:
    """What a warehouse holds.

    Attributes:
        name: Of its folder.
        served: SIMULATOR_* variables.
        loaded: TAP_* variables of its first run.
        fill: Loads and builds it, in a checkout in which nothing runs.
        base: The world that it begins with, filled and served; None to begin with nothing.
    """

    name: str
    served: Mapping[str, str] = field(default_factory=dict)
    loaded: Mapping[str, str] = field(default_factory=dict)
    fill: Callable[[Checkout, "World"], None] = _make_run
    base: "World | None" = None


# What a newcomer gets from `make run`.
README = World("readme")
# The same, and some hours from the API, to which nothing is wrong.
README_TIP = World("readme-tip", loaded={"TAP_BLOCKCHAIR_TIP": "also"}, fill=_load_the_tip, base=README)
# Over the end of a month.
_OVER_A_MONTHS_END = {
    "SIMULATOR_START": "2025-01-28",
    "SIMULATOR_DAYS": "9",
    "SIMULATOR_BLOCKS_PER_DAY": "24",
    "SIMULATOR_TRANSACTIONS_PER_BLOCK": "3",
}
# With what fills the marts that are empty without it.
MONTHS_END = World(
    "months-end",
    _OVER_A_MONTHS_END,
    {"TAP_BLOCKCHAIR_START_DATE": "2025-01-28", "TAP_COINGECKO_GRANULARITIES": '["daily", "hourly"]'},
    _load_and_build,
)
# The same without some of its closes.
CLOSES_LOST = World("closes-lost", _OVER_A_MONTHS_END, MONTHS_END.loaded, _lose_closes, MONTHS_END)
# The same, of which only the second month is loaded.
FEBRUARY = World("february", _OVER_A_MONTHS_END, {"TAP_BLOCKCHAIR_START_DATE": "2025-02-01"}, _load_and_build)
# With the files that were loaded, which are an archive of its raw rows.
RETAINED = World(
    "retained", _OVER_A_MONTHS_END, MONTHS_END.loaded | {"TAP_BLOCKCHAIR_KEEP_DOWNLOADS": "true"}, _load_and_build
)
# Blocks of hundreds of transactions, and more of them in a day than a join may compare pairs for each row.
LARGE_BLOCKS = World(
    "large-blocks",
    {
        "SIMULATOR_START": "2025-01-31",
        "SIMULATOR_DAYS": "2",
        "SIMULATOR_BLOCKS_PER_DAY": "16",
        "SIMULATOR_TRANSACTIONS_PER_BLOCK": "600",
    },
    {"TAP_BLOCKCHAIR_START_DATE": "2025-01-31"},
    _load_and_build,
)

# A quarter before the Merge, of few rows, and its tip; with every gap that real data has.
GAPPED = World(
    "gapped",
    {
        "SIMULATOR_START": "2025-01-01",
        "SIMULATOR_DAYS": "100",
        "SIMULATOR_BLOCKS_PER_DAY": "4",
        "SIMULATOR_TRANSACTIONS_PER_BLOCK": "3",
        "SIMULATOR_ETHEREUM_ERA": "london",
        "SIMULATOR_NOW": "2025-04-11T19:00",
    },
    {"TAP_BLOCKCHAIR_START_DATE": "2025-01-01", "TAP_BLOCKCHAIR_TIP": "also"},
    _load_and_damage,
)


def fill_or_restore(checkout: Checkout, world: World, worlds: Path) -> None:
    """Fill a checkout in which nothing runs, by the copy of a checkout that was filled before where there is one."""
    with _locked(worlds, world):
        if not (worlds / world.name).exists():
            if world.base:
                fill_or_restore(checkout, world.base, worlds)
            world.fill(checkout, world)
            _keep(checkout, worlds / world.name)
            serve(checkout, world)
            return
    _copy(worlds / world.name, checkout.root)
    serve(checkout, world)


def keep(checkout: Checkout, world: World, worlds: Path) -> bool:
    """Keep a copy of a checkout that was filled with a world, unless there is one; then its servers are stopped.

    Returns:
        Whether they were stopped.
    """
    with _locked(worlds, world):
        is_new = not (worlds / world.name).exists()
        if is_new:
            _keep(checkout, worlds / world.name)
        return is_new


def _keep(checkout: Checkout, kept: Path) -> None:
    checkout.run("crypto-elt", "stop")
    new = kept.with_suffix(".new")
    _copy(checkout.root, new)
    new.rename(kept)


def serve(checkout: Checkout, world: World) -> None:
    """Start the servers of a filled checkout."""
    checkout.run("warehouse", "start")
    checkout.run("simulator", "start", **world.served)


def _copy(source: Path, target: Path) -> None:
    for part in _PARTS:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():  # with owners and modes, about which PostgreSQL is strict
            subprocess.run(["cp", "-a", source / part, (target / part).parent], check=True)
        else:
            shutil.copy2(source / part, target / part)


@contextmanager
def _locked(worlds: Path, world: World) -> Iterator[None]:
    worlds.mkdir(exist_ok=True)
    with (worlds / f"{world.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
