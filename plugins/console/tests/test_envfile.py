"""`.env` from `.env.example`."""

from pathlib import Path

from dotenv import dotenv_values

from console.envfile import write_env
from console.project import Project

EXAMPLE = """# Head.

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
