"""Who can read the passwords that Meltano writes for its plugins, and what becomes of those a killed run has left."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.leftovers import leftovers, readable_by_others, sweep
from console.project import Project

PROJECT = Path(__file__).resolve().parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / ".meltano/run/target-postgres").mkdir(parents=True)
    (tmp_path / ".meltano").chmod(0o700)
    return Project(tmp_path)


def configuration(project: Project, name: str, hours: float) -> Path:
    """A file that Meltano wrote some hours ago."""
    path = project.root / f".meltano/run/target-postgres/{name}"
    path.write_text("{}")
    os.utime(path, (time.time() - hours * 3600,) * 2)
    return path


@pytest.fixture
def in_use(project: Project) -> Iterator[Path]:
    """A file that a process was started with, long ago."""
    path = configuration(project, "target.in-use.config.json", 50)
    process = subprocess.Popen([sys.executable, "-c", "input()", "--config", path], stdin=subprocess.PIPE)
    yield path
    process.communicate(b"\n", timeout=60)


def test_what_a_killed_run_left_is_deleted_and_nothing_else(project: Project, in_use: Path) -> None:
    left = configuration(project, "target.left.config.json", 1.1)
    fresh = configuration(project, "target.fresh.config.json", 0.9)
    state = configuration(project, "state.json", 50)
    assert leftovers(project) == [left]
    sweep(project)
    assert not left.exists()
    assert all(path.exists() for path in (in_use, fresh, state))


@pytest.mark.parametrize(
    ("folder", "mode", "found"),
    [
        (".meltano", 0o755, [".meltano"]),
        (".meltano", 0o701, [".meltano"]),
        (".meltano", 0o700, []),
        (".state", 0o711, []),
        (".state", 0o755, [".state"]),
        (".state", 0o720, [".state"]),
    ],
)
def test_folders_that_others_can_read(project: Project, folder: str, mode: int, found: list[str]) -> None:
    (project.root / folder).mkdir(exist_ok=True)
    (project.root / folder).chmod(mode)
    assert readable_by_others(project) == found


def test_a_folder_of_an_older_release_is_closed(project: Project) -> None:
    (project.root / ".meltano").chmod(0o755)
    sweep(project)
    assert (project.root / ".meltano").stat().st_mode & 0o777 == 0o700


def test_the_folder_is_closed_from_the_start(tmp_path: Path) -> None:
    code = "import bootstrap; bootstrap.ROOT = {!r}; bootstrap.close_to_others('.meltano')"
    subprocess.run(
        [sys.executable, "-c", code.format(str(tmp_path))],
        cwd=PROJECT / "plugins/console",
        check=True,
        umask=0o002,
        timeout=60,
    )
    assert (tmp_path / ".meltano").stat().st_mode & 0o777 == 0o700
