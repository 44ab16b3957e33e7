"""The two commands, and each check that `check` makes: what it finds, and what it passes over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from powerbi_project.check import Finding, Layout, find
from powerbi_project.cli import main
from powerbi_project.contract import Contract
from powerbi_project.errors import ProjectError
from powerbi_project.generate import drift, generated_files, write
from powerbi_project.practice import report_practices
from powerbi_project.schemas import load_schemas, parts, schema_errors

from .manifest import Node, column, contract, leads, model

PUBLIC = "https://developer.microsoft.com/json-schemas/"
MODEL_FILE = """model Model
	culture: en-US
	defaultPowerBIDataSourceVersion: powerBI_V3
	discourageImplicitMeasures
	sourceQueryCulture: en-US
	dataAccessOptions
		legacyRedirects
		returnErrorValuesAsNull

annotation __PBI_TimeIntelligenceEnabled = 0

annotation PBI_QueryOrder = ["Server", "Database", "RangeStart", "RangeEnd", "A Measures", "Asset", "Fees"]

ref table 'A Measures'
ref table Asset
ref table Fees
"""


def manifest() -> dict[str, Node]:
    asset = model("dim_asset", [column("asset_key", "bigint", key="asset_key")], table="Asset", mode="dual")
    fees = model("bi_fees", [column("asset_key", "bigint")], table="Fees", mode="import")
    return {"asset": asset, "fees": fees, "t": leads("fees", "asset_key", "asset", "asset_key")}


def by_hand(definition: Path) -> Path:
    """A table of measures, which no command may touch."""
    path = definition / "tables/A Measures.tmdl"
    path.parent.mkdir(parents=True)
    path.write_text("table 'A Measures'\n", encoding="utf-8")
    return path


@pytest.fixture
def whole(tmp_path: Path) -> Contract:
    return contract(manifest(), tmp_path)


def test_what_is_generated(whole: Contract, tmp_path: Path) -> None:
    definition = tmp_path / "definition"
    measures = by_hand(definition)
    files = generated_files(whole, definition)
    assert sorted(path.relative_to(definition).as_posix() for path in files) == [
        *("model.tmdl", "relationships.tmdl", "tables/Asset.tmdl", "tables/Fees.tmdl")
    ]
    assert files[definition / "model.tmdl"] == MODEL_FILE
    assert write(whole, definition) == (4, [])
    assert {path.read_bytes() for path in files} == {text.encode() for text in files.values()}
    assert measures.read_text(encoding="utf-8") == "table 'A Measures'\n"


def test_only_what_changed_is_written(whole: Contract, tmp_path: Path) -> None:
    definition = tmp_path / "definition"
    write(whole, definition)
    (definition / "tables/Fees.tmdl").write_text("table Fees\n", encoding="utf-8")
    (definition / "model.tmdl").unlink()
    assert write(whole, definition) == (2, [])
    assert drift(whole, definition) == []


def test_drift_names_the_first_line_that_differs(whole: Contract, tmp_path: Path) -> None:
    definition = tmp_path / "definition"
    by_hand(definition)
    write(whole, definition)
    right = len((definition / "tables/Asset.tmdl").read_text().splitlines())
    fees, asset = definition / "tables/Fees.tmdl", definition / "tables/Asset.tmdl"
    text = fees.read_text(encoding="utf-8")
    fees.write_text(text.replace("\t\tisHidden\n", "\t\tisHiden \n").replace("int64", "string"), encoding="utf-8")
    asset.write_text(asset.read_text(encoding="utf-8") + "\tmore\n", encoding="utf-8")
    (definition / "relationships.tmdl").unlink()
    (definition / "tables/Old.tmdl").write_text("table Old\n", encoding="utf-8")
    assert drift(whole, definition) == [
        "relationships.tmdl is missing",
        f"Asset.tmdl has {right + 1} lines in place of {right}",
        "Fees.tmdl:7 has 'dataType: string' in place of 'dataType: int64'",
        "Old.tmdl is a table that dbt does not have",
    ]
    fees.write_text(text.removesuffix("\n\tannotation PBI_ResultType = Table\n"), encoding="utf-8")
    count = len(text.splitlines())
    assert f"Fees.tmdl has {count - 2} lines in place of {count}" in drift(whole, definition)


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_generate_says_what_it_did(tmp_path: Path) -> None:
    contract(manifest(), tmp_path)
    definition = tmp_path / "Crypto.SemanticModel/definition"
    by_hand(definition)
    old = definition / "tables/Old.tmdl"
    old.write_text("table Old\n", encoding="utf-8")
    command = ("generate", f"--project={tmp_path}", f"--manifest={tmp_path}/manifest.json")
    done = run(*command)
    assert done.exit_code == 0, done.output
    assert done.stderr.splitlines() == [
        f"deleted {old}: dbt has no such table any more",
        "2 tables and 1 relationships; 4 files are new or changed",
    ]
    assert run(*command).stderr == "2 tables and 1 relationships; 0 files are new or changed\n"


def test_check_counts_what_it_found_and_fails(project: Path, tmp_path: Path) -> None:
    contract(manifest(), tmp_path)
    done = run("check", f"--project={project}", f"--manifest={tmp_path}/manifest.json")
    lines = done.stdout.splitlines()
    assert done.exit_code == 1
    assert "drift from the marts: Fees.tmdl is missing" in lines
    assert f"{len(lines)} findings; `powerbi-project generate` mends drift from the marts." in done.stderr
    assert "schemas: not looked at, since none are named (--schemas)" in done.stderr
    assert "in order" not in done.stderr


def test_check_without_a_manifest_says_what_to_do(project: Path, tmp_path: Path) -> None:
    done = run("check", f"--project={project}", f"--manifest={tmp_path}/none.json")
    assert done.exit_code == 1
    assert "dbt-postgres parse" in done.output


def test_a_finding_names_its_check(project: Path, tmp_path: Path) -> None:
    """Every check that has an input is made; with none of them wrong there is nothing to say."""
    contract(manifest(), tmp_path)
    assert list(find(Layout(project, None, None))) == []
    visual = project / "Crypto.Report/definition/pages/fees/visuals/burn_by_day/visual.json"
    visual.write_text(visual.read_text().replace('"columnChart"', '"pieChart"'))
    schemas = tmp_path / "schemas"
    schemas.mkdir()
    (schemas / "schema.json").write_text("{}")
    found = list(find(Layout(project, tmp_path / "manifest.json", schemas)))
    assert Finding("drift from the marts", "Fees.tmdl is missing") in found
    assert Finding("odd visuals", "Fees, burn_by_day: 'pieChart' is no visual of this report") in found
    assert {one.check for one in found} == {"drift from the marts", "schemas", "odd visuals"}


def test_check_is_content_with_what_is_right(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("powerbi_project.cli.find", lambda layout: iter([] if layout.schemas else [1 / 0]))
    done = run("check", f"--project={project}", f"--manifest={tmp_path}/any.json", f"--schemas={tmp_path}")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "model and report are in order; opening them in Power BI Desktop is not checked\n"


def put(folder: Path, **files: dict[str, Any]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_a_part_is_held_against_the_schema_that_it_names(tmp_path: Path) -> None:
    size_and_name = {"name": {"$ref": "../common/name.json"}, "size": {"type": "number"}, "$schema": {}}
    page = {"$id": f"{PUBLIC}report/page.json", "properties": size_and_name, "additionalProperties": False}
    folder = put(tmp_path / "schemas", **{"report/page.json": page, "common/name.json": {"type": "string"}})
    named = {"$schema": f"{PUBLIC}report/page.json"}
    project = put(
        tmp_path / "project",
        **{"a/page.json": named | {"name": "right", "size": 1}, "a/wrong.json": named | {"name": 1, "size": "x" * 300}},
        **{"odd.json": {"$schema": f"{PUBLIC}report/none.json"}, "none.json": {}, "Crypto.pbip": {}, "x.platform": {}},
        **{"b/StaticResources/theme.json": {}, "b/.pbi/own.json": {}, "c.txt": {}, "d.pbism": named, "e.pbir": named},
    )
    assert [path.relative_to(project).as_posix() for path in parts(project)] == [
        *("Crypto.pbip", "a/page.json", "a/wrong.json", "d.pbism", "e.pbir", "none.json", "odd.json", "x.platform")
    ]
    found = sorted(schema_errors(project, load_schemas(folder)))
    assert found == [
        "Crypto.pbip: no schema is known by None",
        "a/wrong.json $.name: 1 is not of type 'string'",
        f"a/wrong.json $.size: '{'x' * 199}",
        "none.json: no schema is known by None",
        f"odd.json: no schema is known by '{PUBLIC}report/none.json'",
        "x.platform: no schema is known by None",
    ]


def test_a_folder_without_schemas_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="holds no schemas; name a copy of microsoft/json-schemas"):
        load_schemas(tmp_path)


def test_a_rule_of_report_parts_that_is_more_than_advice_is_a_finding(project: Path) -> None:
    """One of pbir-utils: a custom visual that no page uses any more still loads with the report."""
    report = project / "Crypto.Report"
    assert list(report_practices(report)) == []
    path = report / "definition/report.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"publicCustomVisuals": ["chart1234"]}))
    found = list(report_practices(report))
    assert found, "nothing was found"
