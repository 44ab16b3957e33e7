"""What is configured where: one list of variables, one definition per plugin, nothing fetched from a hub."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from checkout import PROJECT

MELTANO_FILES = (
    "meltano.yml",
    "extract/extractors.meltano.yml",
    "load/loaders.meltano.yml",
    "transform/utilities.meltano.yml",
    "orchestrate/orchestrators.meltano.yml",
    "analyze/analyzers.meltano.yml",
    "plugins/utilities.meltano.yml",
)
# Set by Meltano itself.
MELTANOS_OWN = {"MELTANO_PROJECT_ROOT", "MELTANO_ENVIRONMENT"}


def test_every_variable_of_the_pipeline_is_in_the_example_with_a_sentence() -> None:
    used = set()
    for name in MELTANO_FILES:
        used |= set(re.findall(r"\$\{?([A-Z][A-Z0-9_]+)\}?", (PROJECT / name).read_text()))
    lines = (PROJECT / ".env.example").read_text().splitlines()
    named = {
        match[1]: number for number, line in enumerate(lines) if (match := re.match(r"#? ?([A-Z][A-Z0-9_]+)\b", line))
    }
    assert used - MELTANOS_OWN - named.keys() == set()
    for variable, number in named.items():
        explained = re.search(r"[a-z]{3}", lines[number].split(variable, 1)[1]) or lines[number - 1].startswith("# ")
        assert explained, f"{variable} has no sentence"


def test_clean_deletes_what_was_installed_and_loaded_and_nothing_else(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "Makefile", tmp_path)
    gone = [".venv", ".venv-dev", ".meltano", ".state", ".tox", "transform/target"]
    kept = [".git", "transform/models", "downloads"]
    for folder in gone + kept:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "file").touch()
    (tmp_path / ".env").touch()
    subprocess.run(["make", "--silent", "clean"], cwd=tmp_path, check=True, timeout=60)
    assert [folder for folder in gone if (tmp_path / folder).exists()] == []
    assert [name for name in [*kept, ".env"] if not (tmp_path / name).exists()] == []


def test_the_embedded_servers_settings_are_those_of_the_docs() -> None:
    said = {}
    text = (PROJECT / "docs/benchmarks/marts-speed.md").read_text().split("| setting | embedded |")[1]
    for names, values in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ([^|]+) \|", text, re.MULTILINE):
        said |= zip(re.findall(r"\w+", names), values.replace("`", "").replace(" ", "").split(","), strict=True)
    source = (PROJECT / "plugins/warehouse/warehouse/cluster.py").read_text()
    written = dict(re.findall(r'^    "(\w+)": "(.+?)",', source, re.MULTILINE))
    assert said.items() <= written.items()
    assert written.keys() - said.keys() == {
        "max_connections",
        "log_timezone",
        "password_encryption",
        "max_wal_senders",
    }


def test_local_reads_no_live_name() -> None:
    text = (PROJECT / "meltano.yml").read_text()
    local = text.split("- name: local")[1].split("- name: dev")[0]
    assert set(re.findall(r"\$\{([A-Z_]+)\}", local)) == {
        "LOCAL_AIRFLOW_PASSWORD",
        "LOCAL_BI_READER_PASSWORD",
        "LOCAL_SIMULATOR_URL",
        "LOCAL_WAREHOUSE_HOST",
        "LOCAL_WAREHOUSE_PORT",
        "LOCAL_WAREHOUSE_DB",
        "LOCAL_LOADER_PASSWORD",
        "LOCAL_TRANSFORMER_PASSWORD",
    }


def test_what_is_left_out_is_left_out_of_every_chain() -> None:
    """Meltano warns of a name that a run of other chains has not, such as each task of a backfill; not of a pattern."""
    left_out = re.findall(r"- '!(\S+)'", (PROJECT / "meltano.yml").read_text())
    assert left_out
    assert all(pattern.startswith("*_") for pattern in left_out)


def test_no_plugin_asks_a_hub() -> None:
    """A custom definition has a namespace, or inherits from one; any other plugin would be looked up at install."""
    for name in MELTANO_FILES[1:]:
        text = (PROJECT / name).read_text()
        names = re.findall(r"^  - name: (\S+)", text, re.MULTILINE)
        assert len(re.findall(r"^    (?:namespace|inherit_from): ", text, re.MULTILINE)) == len(names) > 0


@pytest.mark.parametrize("path", sorted((PROJECT / "requirements").glob("*.txt")), ids=lambda path: path.stem)
def test_every_pin_has_hashes_and_no_index_is_named(path: Path) -> None:
    text = path.read_text()
    pins = re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==", text, re.MULTILINE | re.IGNORECASE)
    entries = text.replace("\\\n", " ").splitlines()
    assert len(pins) == len(entries) > 0
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "index-url" not in text
    assert "://" not in text


@pytest.mark.parametrize("path", sorted(PROJECT.glob("*/*/pyproject.toml")), ids=lambda path: path.parent.name)
def test_every_dependency_is_ranged_and_explained(path: Path) -> None:
    project = tomllib.loads(path.read_text())["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert project["license"] == "Apache-2.0"
    lines = path.read_text().splitlines()
    for dependency in project["dependencies"]:
        number = next(number for number, line in enumerate(lines) if dependency in line)
        assert re.search(r"[<=~]", dependency), f"{dependency} has no upper bound"
        assert "#" in lines[number] or lines[number - 1].strip().startswith("#"), f"{dependency} has no reason"


def test_packages_never_import_one_another() -> None:
    modules = {path.parent.name: path.parent.parent for path in PROJECT.glob("*/*/*/py.typed")}
    assert len(modules) == 9
    for module, folder in modules.items():
        for path in folder.rglob("*.py"):
            imported = set(re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.MULTILINE))
            assert imported & (modules.keys() - {module}) == set(), path
