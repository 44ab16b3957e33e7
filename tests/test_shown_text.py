"""Names and descriptions in data docs and preview are text: a page neither runs nor shows them as anything else."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from checkout import PROJECT
from power_bi_preview import Preview
from powerbi_project.report import Field

HOSTILE = "<!--<script>x</script><img src=x onerror=alert(1)>\"'&`a` {{ 7*7 }} \u2028 CATALOG.JSON INLINE DATA"


@pytest.fixture(scope="module")
def data_docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("data_docs", PROJECT / "transform/data_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_data_within_a_script_cannot_end_or_hide_it(data_docs: ModuleType, tmp_path: Path) -> None:
    template = tmp_path / "index.html"
    template.write_text('<script>one = "MANIFEST.JSON INLINE DATA"; two = "CATALOG.JSON INLINE DATA"</script>')
    manifest = {HOSTILE: HOSTILE, "exact": "CATALOG.JSON INLINE DATA"}
    page = data_docs.docs(template, manifest, {"columns": [HOSTILE]})
    assert page.count("<") == template.read_text().count("<")
    one, two = page.removeprefix("<script>one = ").removesuffix("</script>").split("; two = ")
    assert json.loads(one) == manifest
    assert json.loads(two) == {"columns": [HOSTILE]}


def test_the_front_page_shows_names_and_descriptions_as_they_are(data_docs: ModuleType) -> None:
    mart = {"name": HOSTILE, "unique_id": f"model.crypto.{HOSTILE}", "access": "public", "description": HOSTILE}
    page = data_docs.front({"nodes": {"x": mart}, "metadata": {"project_name": HOSTILE}}, (HOSTILE,))
    assert "<script" not in page
    assert "<img" not in page
    assert "<!--" not in page
    assert page.count("&lt;!--&lt;script&gt;") == 4
    assert "<code>a</code>" in page
    assert 'onerror=alert(1)>"' not in page


def test_the_preview_of_a_report_shows_names_as_they_are() -> None:
    measures = SimpleNamespace(
        model=SimpleNamespace(measures=[SimpleNamespace(name="Blocks", properties={"formatString": "0"})]),
        tables={"Miner": {"columns": ["Miner"], "rows": [(HOSTILE,)]}},
        evaluate=lambda *_: 5,
    )
    preview = Preview(measures, {})  # type: ignore[arg-type]
    drawn = preview.table([Field("Column", "Miner", "Miner")], [Field("Measure", "Miner", "Blocks")])
    assert "<td>&lt;!--&lt;script&gt;x&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;" in drawn
    assert "<script" not in drawn
