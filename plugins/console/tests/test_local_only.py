"""Nothing that a user has set for live data can reach a local run."""

from pathlib import Path

import pytest

from console.errors import ConsoleError
from console.pipeline import local_env_file
from console.project import Project, local_environ

LIVE = {
    "WAREHOUSE_HOST": "db.example.com",
    "BLOCKCHAIR_API_KEY": "key",
    "COINGECKO_API_KEY": "key",
    "TARGET_POSTGRES_HOST": "db.example.com",
    "TAP_BLOCKCHAIR_API_URL": "https://api.example.com",
    "TAP_COINGECKO_API_KEY": "key",
    "DBT_HOST": "db.example.com",
    "PGHOST": "db.example.com",
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "meltano.yml").touch()
    return Project(tmp_path)


def test_variables_that_could_redirect_a_run_are_dropped_and_named(project: Project) -> None:
    environ, ignored = local_environ(project, LIVE | {"HOME": "/home/me", "MELTANO_ENVIRONMENT": "prod"})
    assert not LIVE.keys() & environ.keys()
    assert set(ignored) == LIVE.keys()
    assert environ["HOME"] == "/home/me"
    assert environ["MELTANO_ENVIRONMENT"] == "local"


def test_settings_that_only_shape_a_run_are_kept(project: Project) -> None:
    shaping = {"TAP_BLOCKCHAIR_START_DATE": "2025-01-05", "SIMULATOR_DAYS": "3"}
    environ, ignored = local_environ(project, shaping)
    assert shaping.items() <= environ.items()
    assert ignored == []


def test_meltano_is_given_local_variables_alone(project: Project) -> None:
    project.env_file.write_text("WAREHOUSE_HOST=db.example.com\nLOCAL_WAREHOUSE_PORT=5433\nTAP_BLOCKCHAIR_API_KEY=k\n")
    path = local_env_file(project)
    assert "5433" in path.read_text()
    assert "example.com" not in path.read_text()
    assert "KEY" not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0


def test_a_folder_outside_any_project_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(tmp_path))
    with pytest.raises(ConsoleError, match="not inside this project"):
        Project.find()
