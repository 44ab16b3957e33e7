"""A project that is only a manifest, and an AIRFLOW_HOME that no test shares."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Airflow reads them when it is imported, and would else make its files in the home folder.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-home-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"

Write = Callable[..., dict[str, str]]


def pytest_unconfigure() -> None:
    """Not atexit: a worker of pytest-xdist ends without it."""
    shutil.rmtree(os.environ["AIRFLOW_HOME"], ignore_errors=True)


PLUGINS: dict[str, list[dict[str, Any]]] = {
    "extractors": [
        {
            "name": "tap-a",
            "settings": [{"name": "start_date"}, {"name": "end_date"}],
            "annotations": {"airflow": {"pool": "api"}},
        },
        {"name": "tap-a--b", "inherit_from": "tap-a"},
        {"name": "tap-plain"},
        {"name": "tap-blockchair--dumps", "settings": [{"name": "start_date"}, {"name": "download_dir"}]},
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


FAKE = """#!{python}
import json, os, pathlib, signal, subprocess, sys, time
here = pathlib.Path(__file__).parent
(here / "call.json").write_text(json.dumps({{"argv": sys.argv[1:], "env": dict(os.environ), "cwd": os.getcwd(),
    "links": sorted(os.listdir(os.environ["MELTANO_SYS_DIR_ROOT"]))}}))
exec((here / "do.py").read_text())
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose `meltano` writes down how it was called, and then does what `do.py` says."""
    found = tmp_path / "my project"
    (found / ".meltano" / "extractors").mkdir(parents=True)
    fake = found / "meltano"
    fake.write_text(FAKE.format(python=sys.executable))
    fake.chmod(0o755)
    (found / "do.py").write_text("")
    monkeypatch.setenv("AIRFLOW_HOME", str(found / "home"))
    monkeypatch.setenv("MELTANO_EXECUTABLE", str(fake))
    monkeypatch.setenv("MELTANO_ENVIRONMENT", "local")
    monkeypatch.delenv("MELTANO_DATABASE_URI", raising=False)
    return found


Url = Callable[[str], str]


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Url]:
    """The project's embedded PostgreSQL, with its roles and no rows; gives the address for a role."""
    project = tmp_path_factory.mktemp("warehouse")
    (project / "meltano.yml").touch()
    foreign = ("MELTANO_", "WAREHOUSE_", "LOCAL_", "PG")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}

    def run(*words: str) -> str:
        done = subprocess.run(
            ["warehouse", *words],
            env=environ | {"MELTANO_PROJECT_ROOT": str(project)},
            cwd=project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    run("start")
    try:
        yield lambda role: run("url", "--role", role)
    finally:
        run("stop")
