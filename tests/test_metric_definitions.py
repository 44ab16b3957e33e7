"""What the warehouse says of itself: MetricFlow answers what the marts say, docs site and data docs show all of it."""

import base64
import csv
import html.parser
import json
import re
import socket
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from checkout import Checkout
from worlds import CLOSES_LOST, World

# MetricFlow and colibri are programs of others, which read what dbt has written.
pytestmark = pytest.mark.long(part="compatibility")

NETWORK, VALUATION, MARKET, MINERS = (
    f"fct_{name}_daily" for name in ("network", "valuation", "market_prices", "miner")
)
DAYS = {NETWORK: "block_date", VALUATION: "block_date", MARKET: "close_date", MINERS: "block_date"}
SUM, MEAN = "sum({})", "sum({0}) / count({0})"
# the last or the first day that has it, a day of blocks only where it is complete
LAST = "(array_agg({0} order by {1} desc) filter (where {0} is not null))[1]"
LAST_COMPLETE = "(array_agg({0} order by {1} desc) filter (where {0} is not null and has_all_blocks))[1]"
FIRST = "(array_agg({0} order by {1}) filter (where {0} is not null))[1]"
MEAN_COMPLETE = "sum({0}) filter (where has_all_blocks) / count({0}) filter (where has_all_blocks)"
# Metrics with a column of their own: the mart, the column, what several days are.
COLUMNS = {
    "blocks": (NETWORK, "block_count", SUM),
    "transactions": (NETWORK, "transaction_count", SUM),
    "transfer_value_base": (NETWORK, "transfer_value_base", SUM),
    "transfer_value_usd": (NETWORK, "transfer_value_usd", SUM),
    "fees_base": (NETWORK, "fee_total_base", SUM),
    "fees_usd": (NETWORK, "fee_total_usd", SUM),
    "issuance_base": (NETWORK, "generation_base", SUM),
    "issuance_usd": (NETWORK, "generation_usd", SUM),
    "burn_base": (NETWORK, "burned_base", SUM),
    "burn_usd": (NETWORK, "burned_usd", SUM),
    "miner_revenue_base": (NETWORK, "reward_base", SUM),
    "miner_revenue_usd": (NETWORK, "reward_usd", SUM),
    "active_addresses": (NETWORK, "active_address_count", MEAN_COMPLETE),
    "hash_rate": (NETWORK, "hash_rate", MEAN),
    "supply_base": (VALUATION, "supply_base", LAST_COMPLETE),
    "market_cap_usd": (VALUATION, "market_cap_usd", LAST_COMPLETE),
    "realised_cap_usd": (VALUATION, "realised_cap_usd", LAST_COMPLETE),
    "mvrv": (VALUATION, "mvrv", LAST_COMPLETE),
    "nupl": (VALUATION, "nupl", LAST_COMPLETE),
    "spent_value_usd": (VALUATION, "spent_value_usd", SUM),
    "spent_cost_usd": (VALUATION, "spent_cost_usd", SUM),
    "realised_profit_usd": (VALUATION, "realised_profit_usd", SUM),
    "realised_loss_usd": (VALUATION, "realised_loss_usd", SUM),
    "coin_days_destroyed": (VALUATION, "coin_days_destroyed", SUM),
    "open_price_usd": (MARKET, "open_price_usd", FIRST),
    "close_price_usd": (MARKET, "close_price_usd", LAST),
    "coingecko_market_cap_usd": (MARKET, "coingecko_market_cap_usd", LAST),
    "market_volume_usd": (MARKET, "volume_24h_usd", SUM),
    "mined_blocks": (MINERS, "block_count", SUM),
    "mined_revenue_base": (MINERS, "reward_base", SUM),
    "mined_revenue_usd": (MINERS, "reward_usd", SUM),
}
CLOSED = LAST.format("close_price_usd", "close_date")
OPENED = FIRST.format("open_price_usd", "close_date")
KEPT_FEES = "case when reward_base is not null then fee_total_base - coalesce(burned_base, 0) end"
# Others: the mart, the column of a day or what it is made of, what several days are made of.
FORMULAS = {
    "chain_days": (NETWORK, "count(*)", "count(*)"),
    "priced_chain_days": (NETWORK, "count(*) filter (where price_status = 'priced')", None),
    "market_days": (MARKET, "count(*) filter (where price_status = 'priced')", None),
    "fee_share_of_revenue": (NETWORK, "max(fee_revenue_share)", f"round(sum({KEPT_FEES}) / sum(reward_base), 8)"),
    "sopr": (VALUATION, "max(sopr)", "round(sum(spent_value_usd) / sum(spent_cost_usd), 8)"),
    "return_ratio": (MARKET, "max(return_ratio)", f"round({CLOSED} / {OPENED} - 1, 18)"),
}
METRICS = (*COLUMNS, *FORMULAS)
# What makes a mart's newest day a tip's, of some blocks and no price, and takes closes from Bitcoin's day before.
TIPS = {
    NETWORK: "has_all_blocks = false, hash_rate = null, active_address_count = 1, fee_total_usd = null,"
    " price_status = 'missing', close_price_usd = null",
    VALUATION: "has_all_blocks = false, supply_base = 1, market_cap_usd = 2, realised_cap_usd = 3, mvrv = null,"
    " nupl = null",
}
UNPRICED = (
    f"update analytics.{VALUATION} set realised_cap_usd = null, mvrv = null, nupl = null"  # noqa: S608
    f" where chain = 'bitcoin' and block_date = (select max(block_date) - 1 from analytics.{VALUATION})"
)
# As if one of its blocks did not state what uncles were given.
UNREWARDED = (
    f"update analytics.{NETWORK} set reward_base = null, reward_usd = null, fee_revenue_share = null"  # noqa: S608
    f" where chain = 'ethereum' and block_date = (select max(block_date) - 2 from analytics.{NETWORK})"
)
# The sum of the assets' is of no unit, or of no meaning.
OF_ONE_ASSET = {name for name in METRICS if name.endswith("_base") or (name in COLUMNS and COLUMNS[name][2] != SUM)} | {
    "coin_days_destroyed",
    "fee_share_of_revenue",
    "return_ratio",
}

Answers = dict[tuple[str, ...], dict[str, Decimal | None]]


@pytest.fixture(scope="module")
def ready(filled: Callable[[World], Checkout]) -> Checkout:
    """A warehouse filled over the end of a month, so that a month is some days and not all; and what answers.

    Closes are missing: of each coin the first and the last, the last of a month, and two in a row of another. The
    chains' newest day is made a tip's, of some blocks and no price; Bitcoin's day before lacks a realised one, and one
    of Ethereum's a revenue.
    """
    checkout = filled(CLOSES_LOST)
    for mart, day in DAYS.items():
        if mart in TIPS:
            newest = f"(select max({day}) from analytics.{mart})"  # noqa: S608
            checkout.sql_do(f"update analytics.{mart} set {TIPS[mart]} where {day} = {newest}")  # noqa: S608
    for missing in (UNPRICED, UNREWARDED):
        checkout.sql_do(missing)
    checkout.run("meltano", "install", "utility", "metricflow", "data-docs")
    return checkout


@pytest.fixture(scope="module")
def defined(ready: Checkout) -> dict[str, dict[str, Any]]:
    """The metrics that people ask for, as dbt knows them; helpers, which they are made of, left out."""
    manifest = json.loads((ready.root / "transform/target/manifest.json").read_text())
    return {
        metric["name"]: metric for metric in manifest["metrics"].values() if not metric["config"]["meta"].get("helper")
    }


def mf(checkout: Checkout, *arguments: str, **extra: str) -> str:
    return checkout.run("meltano", "invoke", "metricflow", *arguments, **extra).stdout


def written(checkout: Checkout, metrics: tuple[str, ...], *groups: str) -> str:
    """The SQL that MetricFlow writes for a question, its columns in the question's order."""
    groups_by = ("--group-by", ",".join(groups)) if groups else ()
    sql = mf(checkout, "query", "--quiet", "--explain", "--metrics", ",".join(metrics), *groups_by)
    return f"select {', '.join((*groups, *metrics))} from ({sql}) as answered"  # noqa: S608


def answers(rows: list[tuple[Any, ...]], metrics: tuple[str, ...]) -> Answers:
    """Rows as groups with their metrics; what a metric does not know of a group is null."""
    keys = len(rows[0]) - len(metrics)
    return {tuple(str(key)[:10] for key in row[:keys]): dict(zip(metrics, row[keys:], strict=True)) for row in rows}


def expected(checkout: Checkout, grain: str) -> Answers:
    """The same from the marts, each by itself."""
    found: Answers = {}
    for mart, day in DAYS.items():
        asked = {name: how.format(column, day) for name, (of, column, how) in COLUMNS.items() if of == mart}
        for name, (of, of_day, of_days) in FORMULAS.items():
            if of == mart:
                asked[name] = of_day if grain == "day" or of_days is None else of_days
        if grain == "day" and mart != MINERS:
            asked |= {
                name: f"max({column})" + (" filter (where has_all_blocks)" if "has_all_blocks" in how else "")
                for name, (of, column, how) in COLUMNS.items()
                if of == mart
            }
        query = (
            f"select date_trunc('{grain}', {day}) as period, symbol, {', '.join(asked.values())}"  # noqa: S608
            f" from analytics.{mart} join analytics.dim_asset using (asset_key) group by period, symbol"
        )
        for group, values in answers(checkout.sql(query), tuple(asked)).items():
            found.setdefault(group, dict.fromkeys(METRICS)).update(values)
    return found


def test_every_metric_is_compared(defined: dict[str, dict[str, Any]]) -> None:
    assert set(METRICS) == set(defined)


def test_every_metric_says_what_it_is(defined: dict[str, dict[str, Any]]) -> None:
    for name, metric in defined.items():
        assert metric["label"], name
        assert re.search("[Ee]xact|[Pp]artial", metric["description"]), name
    assert {name for name, metric in defined.items() if "one asset" in metric["description"]} == OF_ONE_ASSET


def test_the_definitions_are_valid_in_the_warehouse(ready: Checkout) -> None:
    said = mf(ready, "validate-configs")
    assert said.count("ERRORS: 0, FUTURE_ERRORS: 0, WARNINGS: 0") == 6, said


@pytest.mark.parametrize("grain", ["day", "month"])
def test_the_sql_that_is_written_gives_the_mart_to_the_last_digit(ready: Checkout, grain: str) -> None:
    query = written(ready, METRICS, f"metric_time__{grain}", "asset__symbol")
    assert "double precision" not in query.lower()
    found, mart = answers(ready.sql(query), METRICS), expected(ready, grain)
    assert found == mart
    for name in METRICS:
        assert any(values[name] is not None for values in mart.values()), f"{name} is never known"


def test_what_is_shown_is_the_mart_as_a_float(ready: Checkout, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
        groups = ("--group-by", "metric_time,asset__symbol", "--csv", str(tmp_path / "found.csv"))
        mf(ready, "query", "--metrics", ",".join(METRICS), *groups, HTTPS_PROXY=proxy, https_proxy=proxy)
        with pytest.raises(BlockingIOError):  # mf's question for updates did not leave the machine
            listener.accept()
    with (tmp_path / "found.csv").open() as lines:
        rows = sorted(csv.DictReader(lines), key=lambda row: (row["metric_time__day"], row["asset__symbol"]))
    found = [[float(row[name]) if row[name] else None for name in METRICS] for row in rows]
    mart = [
        [None if values[name] is None else float(values[name]) for name in METRICS]  # type: ignore[arg-type]
        for _, values in sorted(expected(ready, "day").items())
    ]
    assert found == mart


def test_units_of_different_chains_are_never_added(ready: Checkout) -> None:
    (total,) = answers(ready.sql(written(ready, METRICS)), METRICS).values()
    assert {name for name, value in total.items() if value is None} == OF_ONE_ASSET
    asked = "select sum(fee_total_usd), sum(transaction_count) from analytics.fct_network_daily"
    assert ready.sql(asked) == [(total["fees_usd"], total["transactions"])]


def test_miners(ready: Checkout) -> None:
    metrics = ("mined_blocks", "mined_revenue_base")
    query = written(ready, metrics, "asset__symbol", "miner__name")
    asked = (
        "select symbol, miner, sum(block_count), sum(reward_base) from analytics.fct_miner_daily"
        " join analytics.dim_asset using (asset_key) group by 1, 2"
    )
    assert sorted(ready.sql(query)) == sorted(ready.sql(asked))


@pytest.fixture(scope="module")
def site(ready: Checkout) -> Iterator[Path]:
    """The documentation site, and the data docs that is made of it."""
    said = ready.run("meltano", "run", "data-docs")
    assert "warning: " not in said.stdout + said.stderr
    return ready.root / "transform/target"


def test_the_site_shows_every_public_model_with_its_columns(ready: Checkout, site: Path) -> None:
    assert (site / "index.html").is_file()
    manifest, catalog = (json.loads((site / f"{name}.json").read_text()) for name in ("manifest", "catalog"))
    public = {name: node for name, node in manifest["nodes"].items() if node.get("access") == "public"}
    assert len(public) > 20
    shown = (
        "select table_name, column_name from information_schema.columns where table_schema = 'analytics'"
        " order by ordinal_position"
    )
    columns: dict[str, list[object]] = {}
    for table, column in ready.sql(shown):
        columns.setdefault(str(table), []).append(column)
    for name, node in public.items():
        found = catalog["nodes"][name]["columns"]
        assert list(found) == columns[node["name"]]
        assert all(column["type"] for column in found.values())
        assert all(column["comment"] for column in found.values()), name


def test_the_site_is_one_file_that_needs_no_server(site: Path) -> None:
    page = (site / "static_index.html").read_text()
    assert "Bitcoin, Ethereum and Dogecoin from Blockchair" in page
    assert "fct_network_daily" in page
    assert "Net unrealised profit and loss".lower() in page.lower()


@pytest.fixture(scope="module")
def lineage(site: Path) -> dict[str, dict[str, list[tuple[str, str]]]]:
    """By model and column: the columns that it is made of."""
    found = json.loads((site / "data-docs/lineage.json").read_text())["lineage"]["parents"]
    return {
        node: {name: [(one["dbt_node"], one["column"]) for one in parents] for name, parents in columns.items()}
        for node, columns in found.items()
    }


def test_a_column_is_followed_back_to_the_raw_tables(site: Path, lineage: dict[str, Any]) -> None:
    names, path = {"fct_network_daily.fee_total_base"}, []
    ahead = {("model.crypto.fct_network_daily", "fee_total_base")}
    while ahead:
        path.append(names)
        ahead = {parent for node, column in ahead for parent in lineage.get(node, {}).get(column, [])}
        names = {f"{node.split('.')[-1]}.{column}" for node, column in ahead}
    chains = ("bitcoin", "dogecoin", "ethereum")
    assert path == [
        {"fct_network_daily.fee_total_base"},
        {"int_blocks_daily.fee_total_base"},
        {"int_blocks_unioned.fee_total_base"},
        {"stg_blockchair__utxo_blocks.fee_total_base", "stg_blockchair__ethereum_blocks.fee_total_base"},
        {f"{chain}_blocks.fee_total" for chain in chains},
    ]
    nodes = json.loads((site / "data-docs/lineage.json").read_text())["nodes"]
    raw = nodes["source.crypto.blockchair.bitcoin_blocks"]
    assert raw["relationName"].replace('"', "") == "crypto.raw_data.bitcoin_blocks"
    assert "fee_total" in raw["columns"]


def test_few_columns_come_from_nowhere(site: Path, lineage: dict[str, Any]) -> None:
    """A column that is made of no other is a constant, a count of rows or a sequence."""
    catalog = json.loads((site / "catalog.json").read_text())["nodes"]
    columns = [
        (node, column) for node, model in catalog.items() if node.startswith("model.") for column in model["columns"]
    ]
    orphans = [(node, column) for node, column in columns if not lineage[node].get(column)]
    assert len(columns) > 1500
    assert len(orphans) < len(columns) / 20, orphans
    front = (site / "data-docs/index.html").read_text()
    assert f"Of {len(columns)} columns of {len(lineage)} models, " in front
    for mart in (NETWORK, VALUATION, MARKET, MINERS):
        assert f"lineage.html?model=model.crypto.{mart}&amp;" in front


class Asked(html.parser.HTMLParser):
    """What a page has its browser fetch, and the policy by which the browser refuses the rest."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: set[str] = set()
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.fetched |= {said.get("src") or ""} | ({said.get("href") or ""} if tag == "link" else set())
        if said.get("http-equiv") == "Content-Security-Policy":
            assert not self.fetched - {""}, "the policy comes first"
            self.policy = said.get("content") or ""


@pytest.mark.parametrize("name", ["index", "docs", "lineage"])
def test_the_data_docs_asks_for_nothing_outside(site: Path, name: str) -> None:
    page = Asked()
    page.feed((site / f"data-docs/{name}.html").read_text())
    assert page.policy.startswith("default-src 'none'; ")
    assert "http" not in page.policy
    assert "*" not in page.policy
    assert [address for address in page.fetched if re.match("(https?:)?//", address)] == []


def test_the_data_docs_offer_nothing_that_only_a_cloud_has(site: Path) -> None:
    """Colibri's page has a button for diagrams and one for saved views that lead to its makers."""
    page = (site / "lineage.html").read_text()
    offers = re.findall(r'href:\w+\("[a-z_]+","[a-z-]+"\).{0,400}?group/(\w+)"', page)
    assert (
        {"erd", "saved"} == set(offers) < set(re.findall(r'a\[class~="group/(\w+)"\]\{display:none!important\}', page))
    )


def test_the_data_docs_names_nothing_of_this_machine(ready: Checkout, site: Path) -> None:
    texts = {path.name: path.read_text() for path in (site / "data-docs").iterdir()}
    assert set(texts) == {"index.html", "docs.html", "lineage.html", "lineage.json"}
    (hidden,) = re.findall(r'JSON\.parse\(atob\("([^"]+)"', texts["lineage.html"])
    texts["lineage.html"] += base64.b64decode(hidden).decode()
    named = ready.variables()
    private = [value for key, value in named.items() if key.endswith(("_PASSWORD", "_URL"))]
    assert len(private) == 5
    private += [str(ready.root), f":{named['LOCAL_WAREHOUSE_PORT']}"]
    for name, text in texts.items():
        assert "fct_network_daily" in text
        assert [word for word in private if word in text] == [], name


def test_data_docs_of_nothing_is_refused_in_a_sentence(ready: Checkout, site: Path, tmp_path: Path) -> None:
    python = str(ready.root / ".meltano/utilities/data-docs/venv/bin/python")
    given = {"DBT_TARGET_PATH": str(tmp_path)}
    done = ready.run(python, "transform/data_docs.py", check=False, **given)
    assert (done.returncode, done.stdout) == (1, "")
    assert "`meltano run data-docs` has dbt write it first" in done.stderr
    # as `dbt parse` leaves it
    manifest = json.loads((site / "manifest.json").read_text())
    manifest["nodes"]["model.crypto.fct_network_daily"]["compiled_code"] = None
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "catalog.json").write_text((site / "catalog.json").read_text())
    done = ready.run(python, "transform/data_docs.py", check=False, **given)
    assert (done.returncode, done.stderr) == (
        1,
        "error: dbt has not compiled every model; `meltano run data-docs` lets it\n",
    )
    assert not (tmp_path / "data-docs").exists()
