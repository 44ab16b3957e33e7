"""What the doctor says of a machine."""

import os
from pathlib import Path

import pytest

from console import doctor
from console.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "meltano.yml").touch()
    return Project(tmp_path)


def found(project: Project, words: str) -> doctor.Finding:
    return next(finding for finding in doctor.examine(project, "local") if words in finding.text)


@pytest.fixture(autouse=True)
def _programs(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins for the project's programs: servers that do not run, and an index that does not answer."""
    folder = project.root / ".venv/bin"
    folder.mkdir(parents=True)
    for name, code in {"meltano": 0, "warehouse": 3, "simulator": 3, "python": 1}.items():
        (folder / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (folder / name).chmod(0o755)


def test_a_world_readable_env_is_wrong_and_says_what_to_do(project: Project) -> None:
    project.env_file.touch(mode=0o600)
    assert found(project, ".env").state == "ok"
    project.env_file.chmod(0o644)
    assert found(project, ".env") == doctor.Finding(
        "wrong", ".env is readable by others (mode 644): run `chmod 600 .env`"
    )


def test_passwords_that_others_can_read_and_what_a_killed_run_left(project: Project) -> None:
    folder = project.root / ".meltano/run/target-postgres"
    folder.mkdir(parents=True)
    (project.root / ".meltano").chmod(0o700)
    assert found(project, ".meltano").state == "ok"
    (project.root / ".meltano").chmod(0o750)
    assert found(project, ".meltano") == doctor.Finding(
        "wrong", ".meltano can be read by others: run `chmod go-rwx .meltano`, or `make env`"
    )
    (folder / "target.1.config.json").touch()
    os.utime(folder / "target.1.config.json", (0, 0))
    assert found(project, "killed run") == doctor.Finding(
        "note",
        "a killed run left 1 file(s) with passwords in .meltano/run: "
        "`rm .meltano/run/target-postgres/target.1.config.json`; `make run` deletes them too",
    )


def test_a_missing_program_is_wrong(project: Project) -> None:
    assert found(project, "are installed").state == "ok"
    Path(project.program("simulator")).unlink()
    assert "simulator missing in .venv: run `make env`" in found(project, "missing").text


def test_too_little_disk_is_wrong(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_DISK_NEEDED", 10**18)
    assert found(project, "GB free").state == "wrong"


def test_servers_that_do_not_run_and_an_index_out_of_reach_are_only_notes(project: Project) -> None:
    assert found(project, "the warehouse is not running").state == "note"
    assert found(project, "package index is out of reach").state == "note"


def test_a_plan_without_its_key_is_wrong(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_LIVE_HOSTS", ())
    for name in ("COINGECKO_PLAN", "COINGECKO_API_KEY", "WAREHOUSE_HOST"):
        monkeypatch.delenv(name, raising=False)
    project.env_file.write_text("COINGECKO_PLAN=demo\nCOINGECKO_API_KEY=\n")
    texts = {finding.text: finding.state for finding in doctor.examine(project, "prod")}
    assert texts["COINGECKO_PLAN is demo but COINGECKO_API_KEY is empty: set it in .env"] == "wrong"
    assert (
        texts["WAREHOUSE_HOST is empty: name your PostgreSQL in .env, then run `warehouse init --environment=prod`"]
        == "wrong"
    )
    project.env_file.write_text("COINGECKO_PLAN=demo\nCOINGECKO_API_KEY=k\n")
    assert {finding.text: finding.state for finding in doctor.examine(project, "prod")}["CoinGecko plan demo"] == "ok"
