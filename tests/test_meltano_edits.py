"""Meltano rewrites all of its files for one value: written as it writes them, only the lines that were meant change."""

import difflib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from checkout import PROJECT
from test_configuration import MELTANO_FILES

PROD = "--environment=prod"
# By the command that docs name: the lines that go and those that come.
EDITS: dict[str, tuple[list[str], list[str]]] = {
    "schedule set marts-daily --interval '30 6 * * *'": ([], []),
    "schedule set marts-daily --interval '0 8 * * *'": (["interval: 30 6 * * *"], ["interval: 0 8 * * *"]),
    "schedule remove tip-hourly": (
        [
            "- name: tip-hourly",
            "interval: 20 * * * *",
            "job: tip-to-warehouse",
            "annotations:",
            "airflow: {retries: 2, retry_delay: 5m, timeout: 45m, tags: [load]}",
        ],
        [],
    ),
    "schedule add two-coins --job market-to-warehouse --interval '*/30 * * * *'": (
        [],
        ["- name: two-coins", "interval: '*/30 * * * *'", "job: market-to-warehouse"],
    ),
    f"{PROD} config set tap-blockchair start_date 2026-10-01": (
        ["start_date: '2026-11-01'"],
        ["start_date: '2026-10-01'"],
    ),
    f'{PROD} config set tap-blockchair chains \'["bitcoin", "litecoin"]\'': (
        [],
        ["chains:", "- bitcoin", "- litecoin"],
    ),
    f"{PROD} select tap-blockchair bitcoin_outputs '*'": ([], ["- bitcoin_outputs.*"]),
    "config set airflow core.parallelism 8": ([], ["config:", "core:", "parallelism: 8"]),
    # A secret goes to .env, which git ignores.
    "config set airflow alert_urls json://hooks.example.com": ([], []),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in MELTANO_FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(PROJECT / name, tmp_path / name)
    return tmp_path


def meltano(root: Path, command: str) -> None:
    program = Path(sys.executable).with_name("meltano")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MELTANO_")}
    subprocess.run(f"{program} {command}", shell=True, cwd=root, env=environ, check=True, capture_output=True)  # noqa: S602


@pytest.mark.parametrize("command", EDITS)
def test_an_edit_changes_only_the_lines_that_were_meant(root: Path, command: str) -> None:
    meltano(root, command)
    gone, came = [], []
    for name in MELTANO_FILES:
        before, after = ((folder / name).read_text().splitlines() for folder in (PROJECT, root))
        lines = [line for line in difflib.ndiff(before, after) if line[:2] in {"- ", "+ "}]
        gone += [line[2:].strip() for line in lines if line[0] == "-"]
        came += [line[2:].strip() for line in lines if line[0] == "+"]
    assert (gone, came) == EDITS[command]


def test_the_documented_edits_are_tried() -> None:
    tried = " ".join(EDITS)
    documented = re.findall(
        r"^meltano (schedule (?:set|add|remove) .+)$", (PROJECT / "docs/guides/schedules.md").read_text(), re.MULTILINE
    )
    assert len(documented) == 3
    for command in documented:
        assert command in tried


def test_dev_and_prod_differ_in_name_only() -> None:
    """An anchor would say so, and Meltano's writer would write it out."""
    environments = {each["name"]: each for each in YAML(typ="safe").load(PROJECT / "meltano.yml")["environments"]}
    assert environments["dev"] | {"name": "prod"} == environments["prod"]


@pytest.mark.parametrize("name", MELTANO_FILES)
def test_every_reader_of_yaml_reads_the_same(name: str) -> None:
    """Meltano's reader is of YAML 1.2, others are of 1.1, where `off` is false."""
    new, old = (YAML(typ="safe", pure=True) for _ in range(2))
    old.version = (1, 1)
    assert new.load(PROJECT / name) == old.load(PROJECT / name)
