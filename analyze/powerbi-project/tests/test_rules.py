"""Each rule, branch by branch: one thing wrong in a copy of the project, and exactly what the rule says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from powerbi_project.check import Layout
from powerbi_project.model import read_model
from powerbi_project.report import read_report
from powerbi_project.rules import RULES, Project

TABLES = "Crypto.SemanticModel/definition/tables"
PAGES = "Crypto.Report/definition/pages"
MODEL = "Crypto.SemanticModel/definition/model.tmdl"
LINKS = "Crypto.SemanticModel/definition/relationships.tmdl"
FEES = f"{TABLES}/Fee Measures.tmdl"
NETWORK = f"{TABLES}/Network.tmdl"
TIME = f"{TABLES}/Time.tmdl"
DATE = f"{TABLES}/Date.tmdl"
CHART = f"{PAGES}/fees/visuals/burn_by_day/visual.json"
CARD = f"{PAGES}/fees/visuals/headline/visual.json"
CREDIT = f"{PAGES}/fees/visuals/credit/visual.json"

# Words that stand in the files.
PERCENT = "\t\tformatString: 0.00%\n\t\tdisplayFolder: EIP-1559\n"
TEXT = "column 'Fee Total Base Text'\n\t\tdataType: string"
BURNED = (
    "\t/// Burned over all fees, in USD, of the chains that burn.\n"
    "\t/// Over days and months: pooled ratio; over coins: pooled ratio.\n"
)
UNSAID = "does not end with `Over days and months: ...; over coins: ...`"
SPAN = "Span = Table.SelectRows(Rows, each [day_start_at] >= RangeStart and [day_start_at] < RangeEnd)"
NO_SPAN = "the span has to come right after the navigation, [x] >= RangeStart and [x] < RangeEnd"
FEW_DAYS = "a refresh has to read 10 days again, for blocks and prices that change"
ASSET_LINK = "fromColumn: Network.'Asset Key'\n\ttoColumn: Asset.'Asset Key'"
KIND = '"visualType": "columnChart"'
POLICY = "\trefreshPolicy\n\t\tpolicyType: basic\n\t\tincrementalGranularity: day\n\t\tincrementalPeriods: 10\n"

# The rule, the file, what is replaced (its first occurrence) by what, and what the rule says then.
DAMAGES: list[tuple[str, str, str, str, list[str]]] = [
    ("unknown_words", TIME, "\t\tdataType", "\t\tdatatype", ["Time.tmdl:7: \t\tdatatype: int64"]),
    # tables
    ("unlisted_tables", MODEL, "ref table Time\n", "", ["Time: in model.tmdl or in tables/, not in both"]),
    (
        *("unlisted_tables", MODEL, "ref table Time\n", "ref table Time\nref table Days\n"),
        ["Days: in model.tmdl or in tables/, not in both"],
    ),
    ("doubled_names", TIME, "\ntable Time\n", "\ntable dATE\n", ["date: twice"]),
    (
        "doubled_names",
        FEES,
        "measure 'Burned USD'",
        "measure 'FEES usd'",
        ["Fee Measures[fees usd]: twice", "fees usd: twice"],
    ),
    ("doubled_names", FEES, "measure 'Burned USD'", "measure 'Hash rate'", ["hash rate: twice"]),
    ("doubled_names", FEES, "measure 'Burned USD'", "measure PLACEHOLDER", ["Fee Measures[placeholder]: twice"]),
    ("doubled_names", TIME, "column 'Hour Number'", "column 'Time KEY'", ["Time[time key]: twice"]),
    ("doubled_names", TIME, "column 'Hour Number'", "column 'Asset Key'", []),  # which is another table's too
    # columns
    ("unknown_data_types", TIME, "dataType: string", "dataType: text", ["Time[Time Band] is 'text'"]),
    ("columns_without_source", TIME, "\t\tsourceColumn: time_band\n", "", ["Time[Time Band]"]),
    (
        *("base_units_as_numbers", NETWORK, TEXT, TEXT.replace("string", "int64")),
        ["Network[Fee Total Base Text] is int64"],
    ),
    (
        *("base_units_as_numbers", TIME, "sourceColumn: hour_number", "sourceColumn: hour_base"),
        ["Time[Hour Number] is int64"],
    ),
    ("base_units_as_numbers", TIME, "sourceColumn: hour_number", "sourceColumn: hour_base_count", []),
    ("base_units_as_numbers", TIME, "sourceColumn: time_band", "sourceColumn: time_base", []),
    ("implicit_measures", TIME, "\t\tsummarizeBy: none\n", "\t\tsummarizeBy: sum\n", ["Time[Time Key]"]),
    ("implicit_measures", TIME, "\t\tsummarizeBy: none\n", "", ["Time[Time Key]"]),
    (
        *("implicit_measures", MODEL, "\tdiscourageImplicitMeasures\n", ""),
        ["model.tmdl lacks discourageImplicitMeasures"],
    ),
    ("visible_keys", TIME, "\t\tisHidden\n", "", ["Time[Time Key]"]),
    ("visible_keys", TIME, "sourceColumn: hour_number", "sourceColumn: key_hour", []),
    # descriptions, formats, folders
    ("undescribed", TIME, "/// One row per minute of a UTC day; -1 for unknown.\n", "", ["Time"]),
    ("undescribed", TIME, "\t/// Hour, 0 to 23.\n", "", ["Time[Hour Number]"]),
    ("undescribed", TIME, "\t/// The minute as hhmm; -1 is unknown.\n", "", []),  # hidden: nobody points at it
    (
        "undescribed",
        FEES,
        BURNED,
        "",
        ["[Burned Share of Fees]"],
    ),
    (
        *(
            "unsaid_totals",
            FEES,
            "in USD of each day; Ethereum.\n\t/// Over days and months: sum; over coins: sum.\n\tmeasure 'Tips USD'",
        ),
        *("in USD of each day; Ethereum.\n\tmeasure 'Tips USD'", [f"[Tips USD] {UNSAID}"]),
    ),
    *(
        (
            "unsaid_totals",
            FEES,
            "chains that burn.\n\t/// Over days and months: pooled ratio; over coins: pooled ratio.",
            f"chains that burn.\n\t/// {said}",
            [f"[Burned Share of Fees] {UNSAID}"] if is_wrong else [],
        )
        for said, is_wrong in (
            ("Over days and months: some; over coins: sum.", True),
            ("Over days and months: sum; over coins: some.", True),
            ("Over days and months: sum; over coins: sum. Or so.", True),
            ("Over days and months: last over first; over coins: blank.", False),
        )
    ),
    (
        *("unformatted", FEES, PERCENT, "\t\tdisplayFolder: EIP-1559\n"),
        ["[Burned Share of Fees] has no formatString"],
    ),
    ("unformatted", FEES, PERCENT, "\t\tformatString: 0.00%\n", ["[Burned Share of Fees] has no displayFolder"]),
    # relationships
    (
        *("broken_relationships", LINKS, "fromColumn: Network.'Asset Key'", "fromColumn: Network.Coin"),
        ["Network[Coin] to Asset[Asset Key]: there is no Network[Coin]"],
    ),
    (
        *("broken_relationships", LINKS, ASSET_LINK, ASSET_LINK.replace("toColumn: Asset", "toColumn: Coin")),
        ["Network[Asset Key] to Coin[Asset Key]: there is no Coin[Asset Key]"],
    ),
    (
        *("broken_relationships", LINKS, ASSET_LINK, ASSET_LINK.replace("Network.'Asset Key'", "Network.'Is Final'")),
        [
            "Network[Is Final] to Asset[Asset Key]: keys are int64",
            "Network[Is Final] to Asset[Asset Key]: the keys have different names in the warehouse",
        ],
    ),
    (
        *("broken_relationships", LINKS, ASSET_LINK, ASSET_LINK.replace("Asset.'Asset Key'", "Asset.Symbol")),
        [
            "Network[Asset Key] to Asset[Symbol]: keys are int64",
            "Network[Asset Key] to Asset[Symbol]: the keys have different names in the warehouse",
        ],
    ),
    (
        *("broken_relationships", LINKS, ASSET_LINK, ASSET_LINK.replace("Network.'Asset Key'", "Network.'Date Key'")),
        ["Network[Date Key] to Asset[Asset Key]: the keys have different names in the warehouse"],
    ),
    (
        *("broken_relationships", LINKS, f"\t{ASSET_LINK}", f"\tcrossFilteringBehavior: automatic\n\t{ASSET_LINK}"),
        ["Network[Asset Key] to Asset[Asset Key]: it filters both ways"],
    ),
    ("broken_relationships", LINKS, f"\t{ASSET_LINK}", f"\tcrossFilteringBehavior: oneDirection\n\t{ASSET_LINK}", []),
    (
        *("broken_relationships", LINKS, ASSET_LINK, "fromColumn: Wealth.'Asset Key'\n\ttoColumn: Network.'Asset Key'"),
        ["Network: it is both many and one"],
    ),
    ("unrelated_keys", LINKS, ASSET_LINK, ASSET_LINK.replace("Network", "Wealth"), ["Network[Asset Key]"]),
    ("unrelated_keys", TIME, "sourceColumn: hour_number", "sourceColumn: asset_key", ["Time[Hour Number]"]),
    ("two_active_ways", LINKS, "\tisActive: false\n", "", ["Asset Pairs to Asset: 2 active"]),
    ("two_active_ways", LINKS, "\tisActive: false\n", "\tisActive: true\n", ["Asset Pairs to Asset: 2 active"]),
    ("storage_modes", TIME, "mode: dual", "mode: import", ["Time is import, and Blocks asks the warehouse"]),
    ("storage_modes", TIME, "mode: dual", "mode: directQuery", []),
    ("storage_modes", f"{TABLES}/Check.tmdl", "mode: dual", "mode: import", []),  # only imported rows lead to it
    (
        *("storage_modes", LINKS, "toColumn: Time.'Time Key'", "toColumn: Hour.'Time Key'"),
        ["Hour is None, and Blocks asks the warehouse"],
    ),
    # the calendar and incremental refresh
    ("calendar_marked", DATE, "\tdataCategory: Time\n", "", ["0 tables are marked as the calendar"]),
    (
        *("calendar_marked", TIME, "\ntable Time\n", "\ntable Time\n\tdataCategory: Time\n"),
        ["2 tables are marked as the calendar", "Time has no key of days"],
    ),
    ("calendar_marked", DATE, "\t\tisKey\n", "", ["Date has no key of days"]),
    (
        "calendar_marked",
        DATE,
        "\t\tdataType: dateTime\n\t\tisKey\n",
        "\t\tdataType: int64\n\t\tisKey\n",
        ["Date has no key of days"],
    ),
    ("spans_fold", NETWORK, "incrementalPeriods: 10", "incrementalPeriods: 11", []),
    ("spans_fold", NETWORK, "incrementalPeriods: 10", "incrementalPeriods: 9", [f"Network: {FEW_DAYS}"]),
    ("spans_fold", NETWORK, "\t\tincrementalPeriods: 10\n", "", [f"Network: {FEW_DAYS}"]),
    ("spans_fold", NETWORK, "incrementalGranularity: day", "incrementalGranularity: month", [f"Network: {FEW_DAYS}"]),
    (
        *("spans_fold", NETWORK, "[day_start_at] < RangeEnd", "[day_start_at] <= RangeEnd"),
        ["Network: its policy has another query than its partition"],
    ),
    (
        *("spans_fold", TIME, "\n\n\tpartition", f"\n\n{POLICY}\n\tpartition"),
        [f"Time: {NO_SPAN}", "Time: its policy has another query than its partition"],
    ),
    (
        *("spans_fold", TIME, "[Data]\n", f"[Data],\n\t\t\t\t    {SPAN}\n"),
        ["Time: its policy has another query than its partition", f"Time: {FEW_DAYS}"],
    ),
    (
        *("spans_fold", TIME, "[Data]\n", "[Data],\n\t\t\t\t    Old = RangeStart\n"),
        [f"Time: {NO_SPAN}", "Time: its policy has another query than its partition", f"Time: {FEW_DAYS}"],
    ),
    (
        *("spans_fold", TIME, "[Data]\n", "[Data],\n\t\t\t\t    New = RangeEnd\n"),
        [f"Time: {NO_SPAN}", "Time: its policy has another query than its partition", f"Time: {FEW_DAYS}"],
    ),
    # queries
    (
        *("queries_name_parameters", TIME, "PostgreSQL.Database(Server, Database)", 'PostgreSQL.Database(Server, "x")'),
        ["Time: it does not read PostgreSQL.Database(Server, Database)"],
    ),
    (
        *(
            "queries_name_parameters",
            TIME,
            "[Data]\n",
            '[Data],\n\t\t\t\t    X = Value.nativequery(Source, "select 1")\n',
        ),
        ["Time: its query holds what does not belong there"],
    ),
    (
        *("queries_name_parameters", TIME, "[Data]\n", '[Data],\n\t\t\t\t    X = [Password = "x"]\n'),
        ["Time: its query holds what does not belong there"],
    ),
    (
        "broken_measures",
        FEES,
        "SUM(Network[Fee Total USD])",
        "SUM(Network[Fee USD])",
        ["[Fees USD]: Network has no column [Fee USD]"],
    ),
    # visuals and fields
    (
        "fields_that_lead_nowhere",
        CHART,
        '"Date"\n                    }',
        '"Day"\n                    }',
        ["Fees, burn_by_day: there is no column Day[Date]"],
    ),
    (
        "fields_that_lead_nowhere",
        CHART,
        '"Property": "Burned USD"',
        '"Property": "Burnt"',
        ["Fees, burn_by_day: there is no measure Fee Measures[Burnt]"],
    ),
    (
        *("fields_that_lead_nowhere", f"{PAGES}/miners/page.json", '"Property": "Has Chain"', '"Property": "Lost"'),
        ["Miners, its filters: there is no column Asset[Lost]"],
    ),
    (
        *("fields_that_lead_nowhere", CHART, '"Measure": {', '"Column": {'),
        ["Fees, burn_by_day: there is no column Fee Measures[Burned USD]"],
    ),
    (
        "hidden_fields_shown",
        CHART,
        '"Property": "Date"',
        '"Property": "Date Key"',
        ["Fees, burn_by_day: Date[Date Key]"],
    ),
    (
        "hidden_fields_shown",
        f"{PAGES}/miners/page.json",
        '"Property": "Has Chain"',
        '"Property": "Asset Key"',
        [],
    ),  # a filter
    (
        "odd_visuals",
        CHART,
        KIND,
        '"visualType": "pieChart"',
        ["Fees, burn_by_day: 'pieChart' is no visual of this report"],
    ),
    ("odd_visuals", CHART, KIND, '"visualType": "textbox"', ["Fees, burn_by_day: a text that asks the model"]),
    ("odd_visuals", CREDIT, '"textbox"', '"slicer"', ["Fees, credit: it shows nothing"]),
    (
        "odd_visuals",
        CHART,
        '"height": 272',
        '"height": 529',
        [
            "Fees, burn_by_day: it reaches over the page's edge",
            "Fees: chains_compared lies over burn_by_day",
            "Fees: credit lies over burn_by_day",
        ],
    ),
    ("wells", CHART, '"Y": {', '"Values": {', ["Fees, burn_by_day: columnChart has no well Values"]),
    ("wells", CHART, KIND, '"visualType": "pieChart"', []),  # a kind that is not known has whatever it has
    ("wells", CARD, '"Measure": {', '"Column": {', ["Fees, headline: a card shows measures"]),
    ("wells", CHART, '"Column": {', '"Measure": {', ["Fees, burn_by_day: a chart shows measures by a column"]),
    (
        "wells",
        f"{PAGES}/market/visuals/price_by_day/visual.json",
        '"Measure": {',
        '"Column": {',
        ["Market overview, price_by_day: a chart shows measures by a column"],
    ),
]


def said(project: Path, rule: str) -> list[str]:
    layout = Layout(project, None, None)
    (asked,) = (one for one in RULES if one.__name__ == rule)
    return sorted(asked(Project(read_model(layout.definition), read_report(layout.report))))


@pytest.mark.parametrize("damage", DAMAGES, ids=[f"{one[0]}-{number}" for number, one in enumerate(DAMAGES)])
def test_a_rule_says_what_is_wrong_and_no_more(project: Path, damage: tuple[str, str, str, str, list[str]]) -> None:
    rule, part, old, new, expected = damage
    path = project / part
    before = path.read_text(encoding="utf-8")
    assert old in before
    path.write_text(before.replace(old, new, 1), encoding="utf-8")
    assert said(project, rule) == sorted(expected)


def test_every_rule_has_a_damaged_example() -> None:
    elsewhere = {"prices_without_credit"}  # tests/test_pages.py
    assert {rule.__name__ for rule in RULES} == {one[0] for one in DAMAGES if one[4]} | elsewhere
