"""Power BI's report, as far as it can be tried without it: the model fits the marts, the numbers are those of SQL."""

import datetime as dt
import json
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import power_bi_preview
from checkout import PROJECT, Checkout
from power_bi import DEFINITION, Measures, Rows, agree, context, days_between
from power_bi_queries import VISUALS, refreshes
from power_bi_reference import REFERENCE_SQL, reference_sql
from powerbi_project.contract import Contract, read_contract
from powerbi_project.model import SemanticModel, read_model
from powerbi_project.report import Field, read_report
from worlds import CLOSES_LOST, LOST_CLOSES, World

REPORT = PROJECT / "analyze/powerbi/Crypto.Report"
FIXTURE_DAYS = ("2025-01-26", "2025-02-02")
# Coins and days in view.
CONTEXTS = {
    "one coin": (["BTC"], FIXTURE_DAYS),
    "another coin": (["ETH"], FIXTURE_DAYS),
    "a coin with a truncated history": (["DOGE"], FIXTURE_DAYS),
    "all coins": (["BTC", "DOGE", "ETH"], FIXTURE_DAYS),
    "one day": (["BTC"], ("2025-01-31", "2025-01-31")),
    "a month": (["BTC"], ("2025-01-26", "2025-01-31")),
    "two coins": (["BTC", "ETH"], FIXTURE_DAYS),
    "two coins on a day": (["BTC", "DOGE"], ("2025-01-30", "2025-01-30")),
    "a day without a price": (["BTC"], ("2025-02-01", "2025-02-01")),
    "the tip's day": (["BTC"], ("2025-02-02", "2025-02-02")),
    "a day without anything": (["BTC", "DOGE", "ETH"], ("2025-01-26", "2025-01-26")),
    "a coin with a close and one without": (["BTC", "DOGE"], ("2025-01-31", "2025-01-31")),
}
# Worked out by hand from tests/data/power_bi_rows.sql.
BY_HAND = {
    ("one coin", "SOPR"): 97500 / 40600,
    ("one coin", "Fees USD"): 0.3,  # of 0.1 and 0.2, exactly: money is no float
    # not kept to four places, and without the day without a price
    ("one coin", "Fee per Transaction USD"): 0.3 / 810000,
    ("one coin", "Close Price USD"): 97500,
    # of 100,000 at the start of the 30th, since of the 29th no open is known
    ("one coin", "Return"): -0.025,
    ("one day", "Return"): 97500 / 101000.5 - 1,
    ("one coin", "Last Close Day"): 20250131,
    ("one coin", "Days with a Close"): 3,
    ("one coin", "Days without a Close"): 1,
    ("one coin", "Market Cap USD"): 1.95e12,
    ("a day without a price", "Close Price USD"): None,
    ("a day without a price", "Days with a Close"): None,
    ("a coin with a close and one without", "Close Price USD"): None,
    ("a coin with a close and one without", "Market Cap USD"): 1.95e12,
    # the last complete day that has one, not the tip's, nor the day that lacks closes
    ("one coin", "MVRV"): 2.2442,
    ("one coin", "MVRV Known"): 2.5,
    ("one coin", "Valuation Day"): 20250201,
    ("one coin", "Realised Cap USD"): 8.6e11,
    ("one coin", "Realised Cap Coverage"): 0.8,
    ("one coin", "Supply Coins"): 19800460.5,
    ("one coin", "Last Complete Day"): 20250201,
    ("all coins", "Last Complete Day"): 20250130,
    ("one coin", "Utilisation"): (0.95 + 0.97 + 0.9) / 3,
    ("one coin", "Tip Hash Rate"): 7.3e20,
    ("one coin", "Nakamoto Coefficient"): 3,
    ("one coin", "Supply by Age Coins"): 900.5 + 3100.25 + 15000000,
    ("one coin", "Block Share"): 1,
    ("all coins", "Block Share"): None,
    # 103 and 44 of 147 blocks, pooled over days
    ("one coin", "Concentration HHI"): (103**2 + 44**2) / 147**2,
    ("one coin", "Unknown Share"): 0,
    ("a coin with a truncated history", "Unknown Share"): 1,
    # of days of which both are known: not Bitcoin's without a price, nor Ethereum's without a revenue
    ("one coin", "Fee Share of Revenue"): 0.3 / 89000000.3,
    ("another coin", "Fee Share of Revenue"): 1,
    # by those that are loaded
    ("one coin", "Zero-Fee Share"): 7 / 810000,
    ("another coin", "Failed Share"): 44000 / 1795000,
    ("all coins", "Failed Share"): 44000 / 1795000,
    ("all coins", "Realised Cap USD"): None,
    ("all coins", "Own Market Cap USD"): None,
    ("two coins", "Market Cap USD"): 1950000000000 + 365000000000,
    ("all coins", "Balance USD"): 8799375 + 975000.001 + 330000000,
    ("one coin", "Revenue per Block USD"): (31257000.07 + 13753000.03) / 144,
    ("one coin", "Transactions Listed"): 1,
    ("the tip's day", "Hash Rate"): None,
    ("the tip's day", "Tip Hash Rate"): 7.3e20,
    ("the tip's day", "Blocks"): 18,
    ("the tip's day", "MVRV Known"): None,
    ("the tip's day", "Last Complete Day"): None,
    ("the tip's day", "Median Fee USD"): None,
    ("the tip's day", "Active Addresses"): None,
    ("a day without a price", "Realised Cap USD"): None,
    ("a day without a price", "Realised Cap Known USD"): 7e11,
    ("one coin", "Mayer Multiple"): 1.15,
    ("another coin", "Mayer Multiple"): 0.9,
    ("two coins", "Mayer Multiple"): None,
    ("a day without a price", "Mayer Multiple"): None,
    ("one coin", "All-Time High USD"): 101000.5,
    ("a day without a price", "All-Time High USD"): 101000.5,
    ("all coins", "All-Time High USD"): None,
    # neither the tip's day nor the day without a price has one
    ("one coin", "Hash Price USD"): 0.055,
    ("the tip's day", "Hash Price USD"): None,
    ("all coins", "Hash Price USD"): None,
    ("one coin", "Hash Rate"): (7e20 + 7.1e20 + 6.9e20) / 3,
    ("one coin", "Days without a Price"): 2,
    ("one coin", "Days with a Failure"): 1,
    ("one coin", "Largest Transfer USD"): 195000000.001,
    ("another coin", "Burned Share of Fees"): (2170000.2222 + 1982500) / (2790000.3333 + 2593262.5),
    ("a coin with a truncated history", "Realised Cap USD"): None,
    ("a coin with a truncated history", "SOPR"): None,
    ("all coins", "Close Price USD"): None,
    ("all coins", "Active Addresses"): (900000 + 910000 + 20000) / 3 + (500000 + 490000) / 2 + 60000,
    ("a day without a price", "Fees USD"): None,
    ("a day without anything", "Blocks"): None,
}  # fmt: skip
# By the column that a visual is grouped by: its table in reference SQL, the dimension, its column, and some measures.
GROUPS = {
    "Age Band.Age Band": ("age", "dim_age_band", "age_band", ("Supply by Age Coins", "Supply by Age Share")),
    "Miner.Miner": ("mining", "dim_miner", "miner", ("Blocks Mined", "Block Share", "Revenue USD", "Issued Coins")),
    "Check.Check Name": ("quality", "dim_dq_check", "check_name", ("Verified", "Unverifiable", "Failed")),
}
HEADLINES = ("network", "fees", "supply")

Ask = Any


@pytest.fixture(scope="module")
def ready(filled: Callable[[World], Checkout]) -> Checkout:
    """A filled warehouse in which closes are missing, with the rows made by hand beside it."""
    checkout = filled(CLOSES_LOST)
    checkout.sql_do((PROJECT / "tests/data/power_bi_rows.sql").read_text(), role="admin")
    return checkout


@pytest.fixture(scope="module")
def contract(ready: Checkout) -> Contract:
    """What dbt promises the report."""
    return read_contract(ready.root / "transform/target/manifest.json")


@pytest.fixture(scope="module")
def ask(ready: Checkout) -> Iterator[Ask]:
    """Ask as a role: ``ask(query, parameters, role=...)``."""
    sessions = {role: psycopg.connect(ready.url(role), autocommit=True) for role in ("admin", "bi_reader")}

    def answer(query: str, parameters: dict[str, object] | None = None, role: str = "admin") -> Rows:
        return sessions[role].execute(query, parameters).fetchall()  # type: ignore[arg-type]

    yield answer
    for session in sessions.values():
        session.close()


@pytest.fixture(scope="module")
def by_hand(ask: Ask, contract: Contract) -> Measures:
    """The measures over the rows made by hand."""
    return Measures(contract, ask, "fixture")


def test_the_model_is_what_the_marts_promise(ready: Checkout) -> None:
    """Also from a person's command, with Microsoft's schemas where they are."""
    ready.run("meltano", "install", "utility", "powerbi")
    schemas = Path(os.environ.get("SCHEMAS_DIR", PROJECT.parent / "shared/schemas")) / "microsoft-fabric"
    extra = {"SCHEMAS_DIR": str(schemas)} if schemas.is_dir() else {}
    said = ready.run("meltano", "invoke", "powerbi", "check", **extra)
    assert "model and report are in order" in said.stderr


def test_a_mart_that_changed_is_drift(ready: Checkout, tmp_path: Path) -> None:
    manifest = json.loads((ready.root / "transform/target/manifest.json").read_text())
    columns = manifest["nodes"]["model.crypto.bi_network_daily"]["columns"]
    columns["tip_total_usd"] = columns.pop("tip_usd") | {"name": "tip_total_usd"}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    done = ready.run("meltano", "invoke", "powerbi", "check", f"--manifest={tmp_path}/manifest.json", check=False)
    assert done.returncode == 1
    assert "drift from the marts: Network.tmdl:" in done.stdout


def test_every_measure_has_reference_sql(by_hand: Measures) -> None:
    assert set(by_hand.definitions) == set(REFERENCE_SQL)


@pytest.mark.parametrize("name", CONTEXTS)
def test_every_measure_equals_its_reference_sql(by_hand: Measures, ask: Ask, name: str) -> None:
    symbols, days = CONTEXTS[name]
    odd = {}
    for measure in REFERENCE_SQL:
        found = by_hand.evaluate(measure, context(symbols, days))
        ((number,),) = ask(reference_sql(measure, "fixture", symbols, days))
        if not agree(found, number):
            odd[measure] = (found, number)
    assert odd == {}


@pytest.mark.parametrize(("name", "measure"), BY_HAND)
def test_numbers_worked_out_by_hand(by_hand: Measures, name: str, measure: str) -> None:
    assert agree(by_hand.evaluate(measure, context(*CONTEXTS[name])), BY_HAND[name, measure])


@pytest.mark.parametrize("group", GROUPS)
def test_measures_by_a_dimension(by_hand: Measures, ask: Ask, group: str) -> None:
    table, dimension, column, measures = GROUPS[group]
    key = f"{dimension.removeprefix('dim_')}_key"
    seen = set()
    for (value,) in ask(f"select {column} from fixture.{dimension}"):  # noqa: S608
        grouped = f"{table} where {key} in (select {key} from fixture.{dimension} where {column} = '{value}')"  # noqa: S608
        for measure in measures:
            found = by_hand.evaluate(measure, context(["BTC"], FIXTURE_DAYS) | {group: [value]}, group)
            ((number,),) = ask(reference_sql(measure, "fixture", ["BTC"], FIXTURE_DAYS, grouped))
            assert agree(found, number), (measure, value, found, number)
            seen.add(found)
    assert len(seen - {None}) > 1  # not blank, nor the same for each


@pytest.mark.parametrize("page", HEADLINES)
def test_headlines_of_a_page_are_those_of_the_warehouse(ask: Ask, contract: Contract, page: str) -> None:
    """Over what was loaded, as the page opens: one coin, all days."""
    measures = Measures(contract, ask, "analytics")
    (headline,) = [
        visual for one in read_report(REPORT) if one.name == page for visual in one.visuals if visual.name == "headline"
    ]
    ((first, last),) = ask("select min(block_date)::text, max(block_date)::text from analytics.bi_network_daily")
    assert headline.shown
    for symbol in ("BTC", "DOGE", "ETH"):
        found = {
            field.name: measures.evaluate(field.name, context([symbol], (first, last))) for field in headline.shown
        }
        for name, value in found.items():
            ((number,),) = ask(reference_sql(name, "analytics", [symbol], (first, last)))
            assert agree(value, number), (symbol, name, value, number)
        assert any(value is not None for value in found.values())


OF_CLOSES = (
    "Days without a Close",
    "Days with a Close",
    "Close Price USD",
    "Open Price USD",
    "Return",
    "Market Cap USD",
)


def test_closes_that_are_missing_are_told_by_the_rows_of_the_warehouse(ask: Ask, contract: Contract) -> None:
    """A day between a coin's first close and its last has a row that says so: two in a row, and at a month's end."""
    measures = Measures(contract, ask, "analytics")
    missing = ask(
        "select coingecko_id, close_date::text from analytics.fct_market_prices_daily"
        " where price_status = 'missing' and close_price_usd is null and return_ratio is null order by 1, 2"
    )
    assert missing == [(coin, day) for coin, days in LOST_CLOSES.items() for day in days]
    views = {"all": ask("select min(close_date)::text, max(close_date)::text from analytics.bi_market_daily")[0]} | {
        "up to the gap": ("2025-01-29", "2025-02-01"),
        "from the gap on": ("2025-01-31", "2025-02-04"),
        "the gap": ("2025-01-31", "2025-01-31"),
    }
    found: dict[tuple[str, str], dict[str, float | None]] = {}
    for view, days in views.items():
        for symbol in ("BTC", "DOGE", "ETH"):
            found[symbol, view] = {name: measures.evaluate(name, context([symbol], days)) for name in OF_CLOSES}
            for name, value in found[symbol, view].items():
                ((number,),) = ask(reference_sql(name, "analytics", [symbol], days))
                assert agree(value, number), (symbol, view, name, value, number)
    assert {place: values["Days without a Close"] for place, values in found.items()} == {
        ("BTC", "all"): 1,
        ("DOGE", "all"): 2,
        ("ETH", "all"): None,
        ("BTC", "up to the gap"): 1,
        ("DOGE", "up to the gap"): 1,
        ("ETH", "up to the gap"): None,
        ("BTC", "from the gap on"): 1,
        ("DOGE", "from the gap on"): 2,
        ("ETH", "from the gap on"): None,
        ("BTC", "the gap"): 1,
        ("DOGE", "the gap"): None,
        ("ETH", "the gap"): None,
    }
    assert [found[symbol, "from the gap on"]["Days with a Close"] for symbol in ("BTC", "DOGE", "ETH")] == [4, 3, 5]
    assert set(found["BTC", "the gap"].values()) == {1, None}
    # The last close in view is that of the day before the gap.
    ((closed,),) = ask(
        "select close_price_usd from analytics.bi_market_daily as m join analytics.dim_asset using (asset_key)"
        " where symbol = 'DOGE' and close_date = '2025-01-31'"
    )
    assert found["DOGE", "up to the gap"]["Close Price USD"] == closed


def test_a_page_can_be_drawn_without_power_bi(ask: Ask, contract: Contract) -> None:
    """As docs/guides/power-bi.md shows two: each visual at its place, cards with the measures' values."""
    measures = Measures(contract, ask, "analytics")
    (page,) = [one for one in read_report(REPORT) if one.name == "network"]
    chosen = {"Asset.Asset": ["Bitcoin"], "Date.Date": days_between("2025-01-28", "2025-02-05")}
    drawn = power_bi_preview.draw(page, power_bi_preview.Preview(measures, chosen))
    assert drawn.count("<div") == len(page.visuals)
    for visual in page.visuals:
        assert f"left:{visual.position['x']}px;top:{visual.position['y']}px" in drawn
    (headline,) = [visual for visual in page.visuals if visual.name == "headline"]
    for field in headline.shown:
        value = measures.evaluate(field.name, chosen)
        form = next(str(one.properties["formatString"]) for one in measures.model.measures if one.name == field.name)
        assert f"<td><b>{power_bi_preview.shown(value, form)}</b><br>{field.name}</td>" in drawn
    assert drawn.count("<polyline") + drawn.count("<rect") > 2


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (None, "0", "(blank)"),
        (0.1234, "0.0%", "12.34%"),
        (1234.5, "$#,0.00", "$1,234.50"),
        (2.5e9, "#,0", "2.50bn"),
        (1e6, "$#,0", "$1.00M"),
        (999999, "#,0", "999,999"),
    ],
)
def test_a_drawn_number_is_short(value: float | None, form: str, text: str) -> None:
    assert power_bi_preview.shown(value, form) == text


def tables_of(model: SemanticModel, fields: Iterable[Field]) -> set[str]:
    """The tables that fields read, those of measures included."""
    found = set()
    for field in fields:
        found |= model.tables_read(field.name) if field.kind == "Measure" else {field.table}
    return found


def test_each_visual_over_rows_that_stay_has_its_query(contract: Contract) -> None:
    """What is not here is answered by imported tables, for which the refresh asks."""
    stays = {table.name for table in contract.tables if table.mode == "directQuery"}
    model = read_model(DEFINITION)
    asked = {
        (page.name, visual.name)
        for page in read_report(REPORT)
        for visual in page.visuals
        if tables_of(model, visual.shown) & stays
    }
    assert asked == set(VISUALS)


def test_each_page_is_an_exposure_of_what_it_reads(ready: Checkout, contract: Contract) -> None:
    manifest = json.loads((ready.root / "transform/target/manifest.json").read_text())
    stated = {
        one["label"]: {name.rsplit(".", 1)[1] for name in one["depends_on"]["nodes"]}
        for one in manifest["exposures"].values()
    }
    model, models = read_model(DEFINITION), {table.name: table.model for table in contract.tables}
    read = {
        page.display_name: {
            models[name]
            for name in tables_of(model, [*page.named, *(field for visual in page.visuals for field in visual.named)])
        }
        for page in read_report(REPORT)
    }
    assert stated == read


def test_the_reader_may_ask_all_that_the_model_folds(ask: Ask, contract: Contract) -> None:
    span = {"start": "2025-01-30", "end": "2025-02-01"}
    answered = {name: ask(query, span, role="bi_reader") for name, query in refreshes(contract).items()}
    assert all(answered[name] for name in ("Network", "Market", "Supply Age", "Date", "Asset"))
    days = {row[4] for row in answered["Network"]}
    assert days == {dt.datetime(2025, 1, 30), dt.datetime(2025, 1, 31)}  # noqa: DTZ001 - without a zone
    for place, queries in VISUALS.items():
        for query in queries:
            rows = ask(query, {"coin": "Bitcoin", "day": "2025-01-31"}, role="bi_reader")
            assert rows, place
            assert place[1] != "headline" or rows[0][0] > 0, place
