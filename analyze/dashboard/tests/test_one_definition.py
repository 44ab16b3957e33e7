"""A figure is computed in the marts, or by the measures' SQL that is held against DAX; pages select and draw."""

import ast
import re
from pathlib import Path

import pytest

from dashboard.page import read_sql
from dashboard.pages import PAGES

PACKAGE = Path(__file__).resolve().parents[1] / "dashboard"
# What sees rows. The others know coins, days and connections.
DRAWERS = [PACKAGE / name for name in ("calendar.py", "charts.py", "render.py", "site.py", "units.py")]
DRAWERS += sorted((PACKAGE / "pages").glob("*.py"))
COMPUTES = {"sum", "round", "abs", "pow", "divmod", "mean", "median", "fmean", "prod", "accumulate", "max", "min"}
# In SQL: aggregates and arithmetic.
COMPUTES_SQL = re.compile(r"\b(?:sum|avg|count|array_agg)\s*\(|[\w)]\s[*/+-]\s[\w(]", re.IGNORECASE)
QUERIES = sorted((PACKAGE / "sql").glob("*.sql"))
OF_MEASURES = re.compile(r"^-- Measures\b[^:]*: (.+)$", re.MULTILINE)


def arithmetic(source: str) -> list[int]:
    """The lines on which values are computed with; a text and a list that are put together are not."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.BinOp | ast.AugAssign) and not isinstance(node.op, ast.BitOr | ast.BitAnd):
            found.append(node.lineno)
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in COMPUTES:
            found.append(node.lineno)
    return found


@pytest.mark.parametrize("path", DRAWERS, ids=lambda path: path.name)
def test_no_code_computes_with_what_it_shows(path: Path) -> None:
    assert arithmetic(path.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "a = row['x'] / row['y']",
        "total += row['x']",
        "sum(values)",
        "-1 + n",
        "statistics.mean(x)",
        "max(rows)",
        "x ** 2",
    ],
)
def test_arithmetic_is_seen(text: str) -> None:
    assert arithmetic(text)


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_a_query_computes_measures_alone(path: Path) -> None:
    text = path.read_text()
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    if not OF_MEASURES.search(text):
        assert not COMPUTES_SQL.search(code), path.name


def test_a_query_that_computes_is_seen() -> None:
    for text in ("select sum(x)", "select a / b", "select a.x * 2", "select count(*)", "select f(x) - y"):
        assert COMPUTES_SQL.search(text), text


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_a_query_reads_models_for_bi_tools_and_dimensions(path: Path) -> None:
    text = path.read_text()
    named = set(re.findall(r"(?:from|join)\s+(\w+)", re.sub(r"--.*", "", text)))
    own = set(re.findall(r"^(\w+) as \($", text, re.MULTILINE))
    assert {name for name in named - own if not name.startswith(("bi_", "dim_"))} == set()
    assert "select *" not in text


def test_each_query_is_a_pages_and_each_page_asks_at_most_four() -> None:
    asked = {page.sql(dataset) for page in PAGES for dataset in page.datasets}
    assert {path.read_text() for path in QUERIES} == asked | {read_sql("options"), read_sql("published")}
    # and one for what was published
    assert max(len(page.datasets) for page in PAGES) <= 4


def test_a_headline_names_the_measures_that_it_shows() -> None:
    for page in PAGES:
        measures = OF_MEASURES.search((PACKAGE / f"sql/{page.name}_headline.sql").read_text())
        assert measures
        shown = [column.name for column in page.headline if not column.name.islower()]
        assert shown == measures[1].split(", "), page.name
        assert len(shown) >= 3
