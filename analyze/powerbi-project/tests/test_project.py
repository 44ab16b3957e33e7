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

PAGE = Path(__file__).resolve().parents[3] / "docs/guides/power-bi.md"
TABLES = "Crypto.SemanticModel/definition/tables"
PAGES = "Crypto.Report/definition/pages"
FEES = f"{TABLES}/Fee Measures.tmdl"
NETWORK = f"{TABLES}/Network.tmdl"
CHART = f"{PAGES}/fees/visuals/burn_by_day/visual.json"


def test_both_ways_in_name_the_address_at_which_compose_publishes_the_warehouse() -> None:
    folder = PAGE.parents[2] / "analyze/powerbi"
    (connection,) = json.loads((folder / "crypto.pbids").read_text())["connections"]
    (server,) = re.findall(
        r'^expression Server = "([^"]+)"',
        (folder / "Crypto.SemanticModel/definition/expressions.tmdl").read_text(),
        re.MULTILINE,
    )
    assert connection["details"]["address"] == {"server": server, "database": "crypto"}
    compose = (PAGE.parents[2] / "docker-compose.yaml").read_text()
    assert "${WAREHOUSE_BIND:-127.0.0.1}:${WAREHOUSE_PORT:-5432}:" in compose
    assert server == "127.0.0.1:5432"


# What is replaced by what everywhere in a file; the check that finds it, and a word of what it says. For what each rule
# finds see test_rules.py.
DAMAGES = {
    "a part with a word that its schema lacks": (
        CHART,
        '"drillFilterOtherVisuals"',
        '"drillOthers"',
        "schemas",
        "drillOthers",
    ),
    "a span that counts its end": (NETWORK, "< RangeEnd", "<= RangeEnd", "spans fold", "Network: the span"),
    "no parameter": (
        "Crypto.SemanticModel/definition/expressions.tmdl",
        "expression RangeStart",
        "expression RangeBegin",
        "queries name parameters",
        "no parameter RangeStart",
    ),
    "a page without credit": (
        f"{PAGES}/market/visuals/credit/visual.json",
        "CoinGecko (www.coingecko.com)",
        "others",
        "prices without credit",
        "Market overview",
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


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_copy_is_found_out(
    project: Path, schemas: Path, damage: tuple[str, str, str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    part, old, new, check, word = damage
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
    assert re.findall(r"Each of the (\d+) measures", text) == [str(len(model.measures))]
    pages = text.split("\n## The pages\n")[1].split("\nSketches of two")[0]
    shown = [page.display_name for page in read_report(project / "Crypto.Report")]
    assert re.findall(r"^\| \*\*([^*]+)\*\* \|", pages, re.MULTILINE) == shown
    tables = text.split("\n## The model\n")[1]
    listed = re.findall(r"^\| \*\*([^*]+)\*\* \| `", tables, re.MULTILINE)
    named = [name for names in listed for name in " ".join(names.split()).split(", ")]
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
