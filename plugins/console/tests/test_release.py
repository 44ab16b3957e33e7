"""A release laid out on a volume: edits stay, everything else follows the release."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from console.errors import ConsoleError
from console.release import lay_out

MELTANO = """# The pipeline.
include_paths:
- extract/extractors.meltano.yml
environments:
- name: prod
  config: {plugins: {}}
jobs:
- name: daily
  tasks: [a b]
schedules:
# At night.
- name: nightly
  job: daily
  interval: 30 2 * * *
"""


@pytest.fixture
def release(tmp_path: Path) -> Path:
    root = tmp_path / "release"
    for name, text in {
        "meltano.yml": MELTANO,
        "extract/extractors.meltano.yml": "plugins:\n  extractors:\n  - name: tap\n",
        "extract/tap/code.py": "old\n",
        "transform/dbt_project.yml": "name: x\n",
        ".meltano/extractors/tap/venv/marker": "",
        ".env": "SECRET=1\n",
        "README.md": "read\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def placed(release: Path) -> tuple[Path, list[str]]:
    said: list[str] = []
    project = release.parent / "project"
    lay_out(release, project, said.append)
    return project, said


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_files_that_meltano_writes_are_copies_and_the_rest_are_links(release: Path) -> None:
    project, said = placed(release)
    assert said == []
    assert (project / "meltano.yml").read_text() == MELTANO
    assert not (project / "meltano.yml").is_symlink()
    assert not (project / "extract/extractors.meltano.yml").is_symlink()
    assert not (project / "extract").is_symlink()
    assert (project / "extract/tap").readlink() == release / "extract/tap"
    assert (project / "transform").is_symlink()
    assert (project / ".meltano/extractors/tap/venv/marker").exists()
    assert not (project / ".meltano").is_symlink()
    assert not (project / ".env").exists()


def test_a_new_release_replaces_what_nobody_edited(release: Path) -> None:
    placed(release)
    edit(release / "meltano.yml", "30 2", "45 3")
    (release / "extract/tap").rename(release / "extract/tap-new")
    (release / "docs").mkdir()
    project, said = placed(release)
    assert said == []
    assert (project / "meltano.yml").read_bytes() == (release / "meltano.yml").read_bytes()
    assert (project / "docs").is_symlink()
    assert (project / "extract/tap-new/code.py").exists()
    assert not (project / "extract/tap").is_symlink()


def test_edits_stay_when_the_release_does_not_touch_the_file(release: Path) -> None:
    project, _ = placed(release)
    edit(project / "meltano.yml", "30 2", "0 5")
    edited = (project / "meltano.yml").read_bytes()
    for _ in range(2):
        assert placed(release)[1] == []
        assert (project / "meltano.yml").read_bytes() == edited


def test_edits_and_changes_are_merged_by_name(release: Path) -> None:
    project, _ = placed(release)
    mine = project / "meltano.yml"
    edit(mine, "interval: 30 2 * * *", "interval: 0 5 * * *\n- name: own\n  job: daily\n  interval: '@hourly'")
    edit(mine, "config: {plugins: {}}", "config: {plugins: {extractors: [{name: tap, config: {start: 1}}]}}")
    edit(release / "meltano.yml", "tasks: [a b]", "tasks: [a b, c]\n- name: weekly\n  tasks: [d]")
    edit(release / "meltano.yml", "# The pipeline.", "# The pipeline, version 2.")
    said = placed(release)[1]
    assert said == ["meltano.yml was edited here, and this release changes it: merged."]
    text = mine.read_text()
    assert "version 2" in text
    assert "# At night." in text
    for expected in ("interval: 0 5 * * *", "name: own", "start: 1", "[a b, c]", "name: weekly"):
        assert expected in text, text
    assert "30 2" not in text
    assert placed(release)[1] == [], "the merge is the edited version of the new release"
    assert mine.read_text() == text


def test_what_one_side_removed_stays_removed(release: Path) -> None:
    project, _ = placed(release)
    mine = project / "meltano.yml"
    mine.write_text(mine.read_text().split("schedules:")[0] + "schedules: []\n")
    edit(release / "meltano.yml", "- name: daily\n  tasks: [a b]", "- name: other\n  tasks: [e]")
    placed(release)
    text = mine.read_text()
    assert "nightly" not in text
    assert "name: daily" not in text
    assert "name: other" in text


def test_where_both_changed_a_value_the_edit_stands_and_is_named(release: Path) -> None:
    project, _ = placed(release)
    edit(project / "meltano.yml", "30 2", "0 5")
    edit(release / "meltano.yml", "30 2", "15 1")
    said = placed(release)[1]
    assert "interval: 0 5 * * *" in (project / "meltano.yml").read_text()
    assert any("schedules.nightly.interval was changed by both" in sentence for sentence in said)


def test_a_file_that_is_no_yaml_is_named_and_left_alone(release: Path) -> None:
    project, _ = placed(release)
    (project / "meltano.yml").write_text("schedules: [")
    edit(release / "meltano.yml", "30 2", "15 1")
    with pytest.raises(ConsoleError, match=r"meltano\.yml is no YAML"):
        placed(release)
    assert (project / "meltano.yml").read_text() == "schedules: ["


def test_the_entry_point_becomes_the_command_in_the_project(tmp_path: Path) -> None:
    project = tmp_path / "project"
    program = [sys.executable, "-c", "from console.cli import main; main()", "enter"]
    environ = {**os.environ, "MELTANO_PROJECT_ROOT": str(project)}
    done = subprocess.run(
        [*program, "sh", "-c", "pwd; exit 7"], env=environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (7, str(project.resolve()))
    assert (project / "meltano.yml").is_file()
    assert (project / "transform/models").is_symlink()
    refused = subprocess.run([*program, "no-such-program"], env=environ, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "no-such-program cannot be started" in refused.stderr
