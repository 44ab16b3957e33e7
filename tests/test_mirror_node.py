"""Three real clients end to end: mined, mirrored, loaded, built; every check that can be made passes."""

from contextlib import ExitStack, contextmanager

import pytest

import node_clients
from checkout import Checkout
from node_clients import Client, Miner, pay, trade

pytestmark = pytest.mark.long(part="compatibility")

CHAINS = {"bitcoin": node_clients.sv, "litecoin": node_clients.lite, "ethereum": node_clients.eth}
LOADED = {
    "TAP_BLOCKCHAIR_CHAINS": '["bitcoin", "litecoin", "ethereum"]',
    "TAP_BLOCKCHAIR_CHANNEL": "dumps",
    "TAP_BLOCKCHAIR_START_DATE": "2009-01-01",
    "TAP_BLOCKCHAIR__SELECT": '["*.*"]',
}


def mined(chain: str, client: Client) -> None:
    if chain == "ethereum":
        trade(client, 60)
        return
    miner = Miner(client, client("getnewaddress"))
    miner.mine(110)
    pay(client, miner, [["", "p2sh-segwit"], ["", "bech32"], []] if chain == "litecoin" else [[]])
    miner.mine(70)


@pytest.fixture(scope="module")
def mirrored(checkout: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A warehouse of what three clients have mined, by files alone."""
    folder = tmp_path_factory.mktemp("clients")
    with ExitStack() as running:
        for chain, start in CHAINS.items():
            client = running.enter_context(contextmanager(start)(folder / chain))
            mined(chain, client)
            client.mirror(chain, f"--mirror-dir={folder / 'mirror'}")
    checkout.run("warehouse", "start")
    # A folder carries no mark of simulated data, so it is read as a live source is.
    named = checkout.own_database("mirrored") | {"PGSSLMODE": "prefer", "WAREHOUSE_SSLMODE": "prefer"}
    live = Checkout(checkout.root, checkout.environ | named)
    live.run("warehouse", "init", "--environment=prod")
    files = {"TAP_BLOCKCHAIR_DUMPS_URL": (folder / "mirror").as_uri()}
    live.run("meltano", "--environment=prod", "run", "tap-blockchair", "target-postgres", **LOADED, **files)
    live.run("meltano", "--environment=prod", "run", "dbt-postgres:build")
    return live


def ask(live: Checkout, query: str, role: str = "transformer") -> list[list[str]]:
    """Rows of a query, as text."""
    asked = ("warehouse", "psql", "--environment=prod", "--role", role, "-AtF|", "-c", query)
    return [line.split("|") for line in live.run(*asked).stdout.splitlines()]


def test_no_check_fails_and_those_of_the_headers_are_verified(mirrored: Checkout) -> None:
    found = ask(
        mirrored,
        "select chain, check_name, sum(verified_count), sum(unverifiable_count), sum(failed_count)"
        " from analytics.fct_dq_results group by 1, 2 order by 1, 2",
    )
    assert [row for row in found if row[4] != "0"] == []
    assert {row[0] for row in found if row[2] != "0"} >= set(CHAINS)


@pytest.mark.parametrize("table", ["blocks", "transactions"])
@pytest.mark.parametrize(
    ("chain", "origin"), [("bitcoin", "bitcoin-sv/"), ("litecoin", "litecoind/"), ("ethereum", "anvil/")]
)
def test_rows_name_the_client_and_the_channel(mirrored: Checkout, chain: str, origin: str, table: str) -> None:
    query = f"select distinct _channel, origin from raw_data.{chain}_{table}"  # noqa: S608 (names above)
    ((channel, named),) = ask(mirrored, query, "loader")
    assert channel == "mirror"
    assert named.startswith(origin)
    assert ask(mirrored, "select distinct channel from raw_data.load_ledger", "loader") == [["mirror"]]
