"""Pages of docs/reference that describe the marts: what is generated is current, and the rule on days holds."""

import re
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from checkout import PROJECT

MODELS = PROJECT / "transform/models"
NO_DAY = {"rpt_asset_status", "bi_asset_status"}
# Days of something else than the row.
BESIDES = {
    *("created_date", "all_time_high_date", "first_day", "last_day", "period_end_date"),
    # the day of the price at which a snapshot's balances are valued
    "price_date",
}


@cache
def models() -> dict[str, dict[str, Any]]:
    """Columns of facts, reports and tables for BI tools, by model."""
    described = [
        model
        for folder in ("marts", "bi")
        for page in sorted((MODELS / folder).glob("*.yml"))
        for model in yaml.safe_load(page.read_text()).get("models") or ()
    ]
    return {
        model["name"]: {column["name"]: column for column in model["columns"]}
        for model in described
        if re.match("fct_|rpt_|bi_", model["name"]) and model.get("columns")
    }


def rules() -> list[tuple[str, str | None]]:
    """Patterns of names with the column of the day, as the page lists them."""
    page = (PROJECT / "docs/reference/day-columns.md").read_text()
    found: list[tuple[str, str | None]] = []
    for tables, column in re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \|$", page, re.MULTILINE)[2:]:
        patterns = re.findall(r"`([^`]+)`", tables) or ["*"]
        found += [(pattern, column.strip("`") if column != "none" else None) for pattern in patterns]
    return found


@pytest.mark.parametrize("name", sorted(models().keys() - NO_DAY))
def test_the_day_of_a_row_has_the_column_that_its_tables_name_tells(name: str) -> None:
    columns = models()[name]
    day = next(column for pattern, column in rules() if fnmatchcase(name, pattern))
    assert columns["date_key"]["data_type"] == "integer"
    dates = [column for column, about in columns.items() if about["data_type"] == "date"]
    assert [column for column in dates if column == day or column not in BESIDES] == ([day] if day else [])


def test_tables_without_a_day_have_none() -> None:
    assert not [name for name in NO_DAY if "date_key" in models()[name]]
    assert len(models()) > 50


def test_every_rule_of_the_page_is_of_some_table() -> None:
    names = models().keys() - NO_DAY
    taken = {next(pattern for pattern, _ in rules() if fnmatchcase(name, pattern)) for name in names}
    assert taken == {pattern for pattern, _ in rules()}


def test_the_generated_pages_are_current(tmp_path: Path) -> None:
    command = [sys.executable, str(PROJECT / "transform/data_dictionary.py")]
    done = subprocess.run([*command, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    copy = tmp_path / "transform"
    shutil.copytree(MODELS, copy / "models")
    (tmp_path / "docs/reference").mkdir(parents=True)
    script = copy / "data_dictionary.py"
    script.write_text((PROJECT / "transform/data_dictionary.py").read_text())
    stale = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert stale.returncode == 1
    assert "data-dictionary.md is stale: run `python transform/data_dictionary.py`" in stale.stderr


def test_the_dictionary_has_every_mart_with_its_columns_in_words() -> None:
    page = (PROJECT / "docs/reference/data-dictionary.md").read_text()
    for name, columns in models().items():
        if not name.startswith("bi_"):
            section = page.split(f"### {name}\n")[1].split("\n### ")[0]
            for column in columns:
                assert re.search(rf"^- `{column}` \([a-z][^)]*\)?\): .{{5}}", section, re.MULTILINE), f"{name}.{column}"
    assert "{{" not in page
