"""A project that is only a manifest, and an AIRFLOW_HOME that no test shares."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Airflow reads them when it is imported, and would else make its files in the home folder.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"

Write = Callable[..., dict[str, str]]

PLUGINS: dict[str, list[dict[str, Any]]] = {
    "extractors": [
        {
            "name": "tap-a",
            "settings": [{"name": "start_date"}, {"name": "end_date"}],
            "annotations": {"airflow": {"pool": "api"}},
        },
        {"name": "tap-a--b", "inherit_from": "tap-a"},
        {"name": "tap-plain"},
        {"name": "tap-blockchair--dumps", "settings": [{"name": "start_date"}]},
    ],
    "loaders": [{"name": "target-postgres"}],
    "mappers": [{"name": "mapper-x", "mappings": [{"name": "hide"}]}],
    "utilities": [{"name": "dbt-postgres", "executable": "dbt", "commands": {"build": {}, "docs-generate": {}}}],
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a manifest into a project whose folder has a space in its name; returns the environment of its DAGs."""
    root = tmp_path / "my project"

    def make(jobs: list[dict[str, Any]], schedules: list[dict[str, Any]]) -> dict[str, str]:
        folder = root / ".state" / "airflow" / "manifests"
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"plugins": PLUGINS, "jobs": jobs, "schedules": schedules})
        (folder / "meltano-manifest.local.json").write_text(text)
        return {
            "MELTANO_PROJECT_ROOT": str(root),
            "AIRFLOW_HOME": str(root / ".state" / "airflow"),
            "MELTANO_ENVIRONMENT": "local",
        }

    return make
