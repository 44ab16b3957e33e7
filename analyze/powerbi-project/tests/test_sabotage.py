"""The project passes each check; a copy with one thing wrong fails the check that is there for it, and says where."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from powerbi_project.check import Layout, find
from powerbi_project.model import read_model
from powerbi_project.report import read_report
from powerbi_project.rules import RULES

PAGE = Path(__file__).resolve().parents[3] / "docs/power-bi.md"
TABLES = "Crypto.SemanticModel/definition/tables"
PAGES = "Crypto.Report/definition/pages"
FEES = f"{TABLES}/Fee Measures.tmdl"
NETWORK = f"{TABLES}/Network.tmdl"
LINKS = "Crypto.SemanticModel/definition/relationships.tmdl"
CHART = f"{PAGES}/fees/visuals/burn_by_day/visual.json"

# What is replaced by what, in which file; the check that sees it, and a word of what it says.
SABOTAGES = {
    "a visual shows a column that is gone": (
        f"{PAGES}/quality/visuals/days_in_question/visual.json",
        '"Reasons"',
        '"Reason"',
        "fields that lead nowhere",
        "Data Quality[Reason]",
    ),
    "a visual shows an unknown measure": (
        CHART,
        '"Burned USD"',
        '"Burnt USD"',
        "fields that lead nowhere",
        "Fee Measures[Burnt USD]",
    ),
    "a measure bound as a column": (CHART, '"Measure"', '"Column"', "fields that lead nowhere", "no column"),
    "a filter on what is not there": (
        f"{PAGES}/whales/page.json",
        '"Day Offset"',
        '"Days Ago"',
        "fields that lead nowhere",
        "its filters",
    ),
    "a hidden number in a table": (
        f"{PAGES}/whales/visuals/holders/visual.json",
        '"Address"',
        '"Balance Native"',
        "hidden fields shown",
        "Balance Native",
    ),
    "a visual of no known type": (CHART, '"columnChart"', '"columnChat"', "odd visuals", "columnChat"),
    "a visual below the edge": (CHART, '"height": 272', '"height": 529', "odd visuals", "edge"),
    "a visual over another": (
        CHART,
        '"x": 648',
        '"x": 600',
        "odd visuals",
        "fee_percentiles_by_day lies over burn_by_day",
    ),
    "a visual beyond the edge": (CHART, '"width": 608', '"width": 640', "odd visuals", "edge"),
    "a chart without a category": (CHART, '"Category"', '"Rows"', "wells", "burn_by_day"),
    "a part with a word that its schema lacks": (
        CHART,
        '"drillFilterOtherVisuals"',
        '"drillOthers"',
        "schemas",
        "drillOthers",
    ),
    "a page without credit": (
        f"{PAGES}/market/visuals/credit/visual.json",
        "CoinGecko (www.coingecko.com)",
        "others",
        "prices without credit",
        "Market overview",
    ),
    "a column of the wrong type": (NETWORK, "dataType: decimal", "dataType: float", "unknown data types", "'float'"),
    "a base unit as a number": (
        NETWORK,
        "column 'Fee Total Base Text'\n\t\tdataType: string",
        "column 'Fee Total Base Text'\n\t\tdataType: double",
        "base units as numbers",
        "Fee Total Base Text",
    ),
    "a column summed by itself": (NETWORK, "summarizeBy: none", "summarizeBy: sum", "implicit measures", "Network["),
    "a key that shows": (NETWORK, "\t\tisHidden\n", "", "visible keys", "Network Day Key"),
    "a line that is no TMDL": (NETWORK, "\tlineageTag", "\tlinageTag", "unknown words", "linageTag"),
    "a table that is not listed": (
        "Crypto.SemanticModel/definition/model.tmdl",
        "ref table Network\n",
        "",
        "unlisted tables",
        "Network",
    ),
    "two measures of one name": (FEES, "measure 'Fees Coins'", "measure 'Fees USD'", "doubled names", "fees usd"),
    "a measure without a format": (
        FEES,
        "\t\tformatString: \\$#,0.00\n",
        "",
        "unformatted",
        "[Fees USD] has no formatString",
    ),
    "a measure without a description": (
        FEES,
        "\t/// Fees that users paid, in USD of each day.\n\t/// Over days and months: sum; over coins: sum.\n",
        "",
        "undescribed",
        "[Fees USD]",
    ),
    "a measure that does not say how it adds up": (
        FEES,
        "in USD of each day.\n\t/// Over days and months: sum; over coins: sum.\n\tmeasure 'Fees USD'",
        "in USD of each day.\n\tmeasure 'Fees USD'",
        "unsaid totals",
        "[Fees USD]",
    ),
    "a measure of a column that is gone": (
        FEES,
        "SUM(Network[Fee Total USD])",
        "SUM(Network[Fees USD])",
        "broken measures",
        "Network has no column [Fees USD]",
    ),
    "a measure of an unknown measure": (
        FEES,
        "[Burned USD], CALC",
        "[Burn USD], CALC",
        "broken measures",
        "[Burn USD]",
    ),
    "a measure that does not end": (
        FEES,
        "SUM(Network[Fee Total USD])",
        "SUM(Network[Fee Total USD]",
        "broken measures",
        "unclosed (",
    ),
    "a relationship to no column": (
        LINKS,
        "toColumn: Date.'Date Key'",
        "toColumn: Date.'Day Key'",
        "broken relationships",
        "Day Key",
    ),
    "a relationship of dates": (
        LINKS,
        "fromColumn: Network.'Date Key'\n\ttoColumn: Date.'Date Key'",
        "fromColumn: Network.'Block Date'\n\ttoColumn: Date.Date",
        "broken relationships",
        "int64",
    ),
    "a relationship the wrong way round": (
        LINKS,
        "fromColumn: Network.'Asset Key'\n\ttoColumn: Asset.'Asset Key'",
        "fromColumn: Asset.'Asset Key'\n\ttoColumn: Network.'Asset Key'",
        "broken relationships",
        "both many and one",
    ),
    "a relationship that filters both ways": (
        LINKS,
        "\tfromColumn: Network.'Asset Key'",
        "\tcrossFilteringBehavior: bothDirections\n\tfromColumn: Network.'Asset Key'",
        "broken relationships",
        "both ways",
    ),
    "two active ways": (LINKS, "\tisActive: false\n", "", "two active ways", "Asset Pairs to Asset"),
    "a key that leads nowhere": (
        LINKS,
        "fromColumn: Network.'Asset Key'",
        "fromColumn: Mining.'Asset Key'",
        "unrelated keys",
        "Network[Asset Key]",
    ),
    "a dimension that is only imported": (
        f"{TABLES}/Asset.tmdl",
        "mode: dual",
        "mode: import",
        "storage modes",
        "Asset is import",
    ),
    "no calendar": (f"{TABLES}/Date.tmdl", "\tdataCategory: Time\n", "", "calendar marked", "0 tables"),
    "a span that counts its end": (NETWORK, "< RangeEnd", "<= RangeEnd", "spans fold", "Network: the span"),
    "a refresh of a day": (NETWORK, "incrementalPeriods: 10", "incrementalPeriods: 1", "spans fold", "10 days"),
    "a server in a query": (
        NETWORK,
        "PostgreSQL.Database(Server, Database)",
        'PostgreSQL.Database("db1", Database)',
        "queries name parameters",
        "Network",
    ),
    "no parameter": (
        "Crypto.SemanticModel/definition/expressions.tmdl",
        "expression RangeStart",
        "expression RangeBegin",
        "queries name parameters",
        "no parameter RangeStart",
    ),
    "a measure named like a column of a table": (
        FEES,
        "DIVIDE([Burned USD],",
        "DIVIDE('Fee Measures'[Burned USD],",
        "best practices",
        "Burned Share of Fees",
    ),
}


def test_the_project_is_in_order(project: Path, schemas: Path) -> None:
    assert list(find(Layout(project, None, schemas))) == []


@pytest.mark.parametrize("sabotage", SABOTAGES.values(), ids=SABOTAGES)
def test_a_sabotaged_copy_is_found_out(
    project: Path, schemas: Path, sabotage: tuple[str, str, str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    part, old, new, check, word = sabotage
    for others in ("best practices", "report practices"):  # they take long, so only where one of them is to find it
        if check != others:
            monkeypatch.setattr(f"powerbi_project.check.{others.replace(' ', '_')}", lambda _folder: ())
    path = project / part
    before = path.read_text(encoding="utf-8")
    assert old in before
    path.write_text(before.replace(old, new), encoding="utf-8")
    found = list(find(Layout(project, None, schemas if check == "schemas" else None)))
    assert [one.text for one in found if one.check == check and word in one.text], found


def test_a_page_that_is_not_listed_is_an_error(project: Path, schemas: Path) -> None:
    pages = project / PAGES / "pages.json"
    part = json.loads(pages.read_text(encoding="utf-8"))
    part["pageOrder"].remove("fees")
    pages.write_text(json.dumps(part), encoding="utf-8")
    with pytest.raises(Exception, match="other pages than there are: fees"):
        list(find(Layout(project, None, schemas)))


def test_a_part_that_is_no_json_is_named(project: Path, schemas: Path) -> None:
    (project / CHART).write_text("{", encoding="utf-8")
    with pytest.raises(Exception, match=r"burn_by_day/visual\.json is no JSON"):
        list(find(Layout(project, None, schemas)))


def test_the_page_counts_and_names_what_there_is(project: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    model = read_model(project / "Crypto.SemanticModel/definition")
    assert re.findall(r"(\d+) rules:", text) == [str(len(RULES))]
    assert re.findall(r"(\d+) sabotaged copies", text) == [str(len(SABOTAGES))]
    assert re.findall(r"each of the (\d+) measures", text) == [str(len(model.measures))]
    pages = text.split("\n## The pages\n")[1].split("\nSketches of two")[0]
    shown = [page.display_name for page in read_report(project / "Crypto.Report")]
    assert re.findall(r"^\| ([^|]+) \| ", pages, re.MULTILINE)[2:] == shown
    tables = text.split("| table of the model |")[1].split("\n\n")[0]
    named = [name for names in re.findall(r"^\| ([A-Z][^|]+) \| `", tables, re.MULTILINE) for name in names.split(", ")]
    assert sorted(named) == sorted(table.name for table in model.tables if not table.name.endswith(" Measures"))


def test_the_page_explains_each_word_of_what_a_measure_is_over_days_and_coins(project: Path) -> None:
    said = [measure.description for measure in read_model(project / "Crypto.SemanticModel/definition").measures]
    words = {
        word for text in said for word in re.findall(r"(?:over days and months|over coins): ([a-z ]+)", text.lower())
    }
    explained = PAGE.read_text(encoding="utf-8").split("**What a measure is over")[1].split("\n\n")[0]
    assert words == {
        word for line in re.findall(r"^- (.+?):", explained, re.MULTILINE) for word in re.findall(r"\*(.+?)\*", line)
    }
