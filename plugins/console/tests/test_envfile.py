"""`.env` from `.env.example`."""

import base64
from pathlib import Path

import pytest
from click.testing import CliRunner
from dotenv import dotenv_values

from console.cli import cli
from console.envfile import write_env
from console.project import Project

ROOT = Path(__file__).resolve().parents[3]

EXAMPLE = """# Head, which says what (generated) means.

# --- Section -------
# Where it is.
WAREHOUSE_HOST=
# Its secret (generated).
WAREHOUSE_LOADER_PASSWORD=
# Another (generated).
WAREHOUSE_BI_READER_PASSWORD=
# How it is reached.
WAREHOUSE_PORT=5432
"""


def test_passwords_are_generated_each_its_own(tmp_path: Path) -> None:
    (tmp_path / ".env.example").write_text(EXAMPLE)
    project = Project(tmp_path)
    added = write_env(project)
    values = dotenv_values(project.env_file)
    assert added == list(values)
    assert values["WAREHOUSE_HOST"] == ""
    assert values["WAREHOUSE_PORT"] == "5432"
    loader, reader = values["WAREHOUSE_LOADER_PASSWORD"], values["WAREHOUSE_BI_READER_PASSWORD"]
    assert loader
    assert reader
    assert loader != reader
    assert project.env_file.stat().st_mode & 0o777 == 0o600


def test_what_is_there_stays_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / ".env.example").write_text(EXAMPLE)
    project = Project(tmp_path)
    mine = "# mine\nWAREHOUSE_HOST='db # 1'\nWAREHOUSE_LOADER_PASSWORD=secret\nOWN=1"
    project.env_file.write_text(mine)
    assert write_env(project) == ["WAREHOUSE_BI_READER_PASSWORD", "WAREHOUSE_PORT"]
    assert project.env_file.read_text().startswith(mine + "\n")
    before = project.env_file.read_bytes()
    assert write_env(project) == []
    assert project.env_file.read_bytes() == before


def test_only_what_the_example_marks_is_generated(tmp_path: Path) -> None:
    (tmp_path / ".env.example").write_bytes((ROOT / ".env.example").read_bytes())
    project = Project(tmp_path)
    write_env(project)
    values = dotenv_values(project.env_file)
    assert values["WAREHOUSE_HOST"] == values["AIRFLOW_DB_HOST"] == values["BLOCKCHAIR_API_KEY"] == ""
    fernet = values["AIRFLOW_FERNET_KEY"]
    assert fernet
    assert len(base64.urlsafe_b64decode(fernet)) == 32
    secret = {name: value for name, value in values.items() if value and len(value) >= 32}
    assert set(secret) == {
        *(f"WAREHOUSE_{role}_PASSWORD" for role in ("ADMIN", "LOADER", "TRANSFORMER", "BI_READER")),
        *("MELTANO_DB_PASSWORD", "AIRFLOW_DB_PASSWORD", "AIRFLOW_ADMIN_PASSWORD", "REDIS_PASSWORD"),
        *("AIRFLOW_FERNET_KEY", "AIRFLOW_JWT_SECRET", "AIRFLOW_API_SECRET_KEY"),
    }
    assert len(set(secret.values())) == len(secret)


def test_the_command_says_what_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meltano.yml").touch()
    (tmp_path / ".env.example").write_text("A=1\n")
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(tmp_path))
    for begins in (".env: added A\n", ".env has every variable already\n"):
        said = CliRunner().invoke(cli, ["env"]).stdout
        assert said.startswith(begins)
        assert "next: name your PostgreSQL in .env (WAREHOUSE_*)" in said
        assert "`crypto-elt doctor --environment=prod` tries them" in said
