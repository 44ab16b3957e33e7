"""Three real clients end to end: mined, mirrored, loaded, built; every check that can be made passes."""

import gzip
from contextlib import ExitStack, contextmanager
from pathlib import Path

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
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where clients and mirror are."""
    return tmp_path_factory.mktemp("clients")


@pytest.fixture(scope="module")
def mirrored(checkout: Checkout, folder: Path) -> Checkout:
    """A warehouse of what three clients have mined, by files alone."""
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


def test_the_reconciliation_report_says_which_days_are_of_a_node(mirrored: Checkout) -> None:
    query = "select chain, string_agg(distinct channels, '; ') from analytics.rpt_reconciliation group by 1 order by 1"
    assert ask(mirrored, query) == [[chain, "mirror"] for chain in sorted(CHAINS)]


def test_a_day_of_two_sources_is_compared_column_by_column(mirrored: Checkout, folder: Path, tmp_path: Path) -> None:
    query = "select * from analytics.rpt_source_differences"
    assert ask(mirrored, query) == []
    height = as_blockchair_has_it(folder / "mirror/litecoin", tmp_path / "litecoin")
    mirrored.run(
        *("meltano", "--environment=prod", "run", "--state-id-suffix=compared", "tap-blockchair", "target-postgres"),
        **LOADED | {"TAP_BLOCKCHAIR_CHAINS": '["litecoin"]', "TAP_BLOCKCHAIR_DUMPS_URL": tmp_path.as_uri()},
        TARGET_POSTGRES_DEFAULT_TARGET_SCHEMA="raw_compared",
    )
    mirrored.run("meltano", "--environment=prod", "run", "dbt-postgres:build")
    found = ask(
        mirrored,
        "select table_name, column_name, row_count - compared_row_count, difference_count, first_block_height,"
        " first_value, first_compared_value from analytics.rpt_source_differences where difference_count > 0"
        " order by 1, 2",
    )
    assert found == [
        ["outputs", "recipient", "0", "1", height, found[0][5], "elsewhere"],
        ["transactions", "whole row", "1", "1", found[1][4], "present", ""],
    ]
    compared = ask(
        mirrored,
        "select table_name, source_name, compared_source_name, count(*), count(distinct block_date)"
        " from analytics.rpt_source_differences group by 1, 2, 3 order by 1",
    )
    assert [row[0] for row in compared] == ["blocks", "inputs", "outputs", "transactions"]
    assert all(row[1].startswith("litecoind/") and row[2] == "dumps" for row in compared)
    assert all(int(row[3]) >= 8 and row[4] == "1" for row in compared)
    # what the marts are made of stays as it was
    assert ask(mirrored, "select distinct _channel from raw_data.litecoin_outputs", "loader") == [["mirror"]]


def as_blockchair_has_it(mirror: Path, other: Path) -> str:
    """Write a day without the column `origin`, with another recipient and a row less; returns the recipient's block."""
    day = max(mirror.glob("inputs/*.gz"), key=lambda path: path.stat().st_size).name[-15:-7]
    for table in ("blocks", "transactions", "outputs", "inputs"):
        name = f"blockchair_litecoin_{table}_{day}.tsv.gz"
        head, *lines = gzip.decompress((mirror / table / name).read_bytes()).decode().split("\n")
        columns = head.split("\t")
        rows = [dict(zip(columns, line.split("\t"), strict=True)) for line in lines]
        if table == "transactions":
            rows.pop()
        if table == "outputs":
            changed = next(row for row in rows if row["recipient"])
            changed["recipient"] = "elsewhere"
        (other / table).mkdir(parents=True)
        kept = [column for column in columns if column != "origin"]
        text = "\n".join(["\t".join(kept), *("\t".join(row[column] for column in kept) for row in rows)])
        (other / table / name).write_bytes(gzip.compress(text.encode()))
    return changed["block_id"]
