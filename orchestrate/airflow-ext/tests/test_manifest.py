"""The manifest is compiled whole or not at all, and again when a project file changes."""

import os
import threading
from pathlib import Path

import pytest

from airflow_ext.errors import AirflowExtError
from airflow_ext.manifest import Watcher, compile_manifest, fingerprint, meltano_environ, project_files
from airflow_ext.settings import Settings, read_settings

FAKE = """#!/bin/sh
[ -e "$0.broken" ] && { echo "meltano.yml: line 7 is wrong" >&2; exit 1; }
while [ "$1" != --directory ]; do shift; done
printf '{"text": "%s", "env": {"MELTANO_DATABASE_URI": "postgresql://meltano:known-to-two@db/meltano"}}' \
    "$(tr '\\n' ' ' < meltano.yml)" > "$2/meltano-manifest.local.json"
env > "$0.environ"
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "meltano.yml").write_text("include_paths: ['*/*.meltano.yml']\n")
    (tmp_path / "extract").mkdir()
    (tmp_path / "extract/taps.meltano.yml").write_text("plugins: {}\n")
    program = tmp_path / "fake-meltano"
    program.write_text(FAKE)
    program.chmod(0o755)
    return read_settings({"MELTANO_PROJECT_ROOT": str(tmp_path), "MELTANO_EXECUTABLE": str(program)})


def test_included_files_belong_to_the_project(settings: Settings) -> None:
    names = [str(path.relative_to(settings.root)) for path in project_files(settings.root)]
    assert names == ["meltano.yml", ".env", "extract/taps.meltano.yml"]
    before = fingerprint(settings.root)
    assert fingerprint(settings.root) == before
    (settings.root / "extract/taps.meltano.yml").write_text("plugins: {extractors: []}\n")
    assert fingerprint(settings.root) != before


def test_a_failure_keeps_the_last_good_one_and_says_why(settings: Settings) -> None:
    compile_manifest(settings, os.environ)
    good = settings.manifest.read_text()
    broken = Path(f"{settings.meltano}.broken")
    broken.touch()
    with pytest.raises(AirflowExtError, match="line 7 is wrong"):
        compile_manifest(settings, os.environ)
    assert settings.manifest.read_text() == good
    assert "line 7 is wrong" in settings.manifest_error.read_text()
    broken.unlink()
    compile_manifest(settings, os.environ)
    assert not settings.manifest_error.exists()
    assert [path.name for path in settings.manifest.parent.iterdir()] == [settings.manifest.name]


def test_the_password_of_meltanos_database_is_left_out(settings: Settings) -> None:
    compile_manifest(settings, os.environ)
    assert "include_paths" in settings.manifest.read_text()
    assert "known-to-two" not in settings.manifest.read_text()


def test_a_missing_program_is_a_sentence(settings: Settings) -> None:
    Path(settings.meltano).unlink()
    with pytest.raises(AirflowExtError, match="did not end well"):
        compile_manifest(settings, os.environ)


def test_meltano_runs_without_what_is_airflows(settings: Settings) -> None:
    compile_manifest(
        settings,
        os.environ
        | {"AIRFLOW__CORE__FERNET_KEY": "secret", "VIRTUAL_ENV": "/v", "MELTANO_UTILITY_X": "1", "KEPT": "1"},
    )
    seen = Path(f"{settings.meltano}.environ").read_text()
    assert "KEPT=1" in seen
    assert "AIRFLOW" not in seen
    assert "VIRTUAL_ENV" not in seen
    assert "MELTANO_PROJECT_ROOT" in meltano_environ({"MELTANO_PROJECT_ROOT": "/p"})


def test_the_watcher_compiles_at_first_and_on_a_change(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_ext.manifest._LOOK_SECONDS", 0.05)
    said: list[str] = []
    heard = threading.Semaphore(0)

    def say(line: str) -> None:
        said.append(line)
        heard.release()

    watcher = Watcher(settings, say)
    watcher.start()
    try:
        assert heard.acquire(timeout=60)
        (settings.root / "meltano.yml").write_text("include_paths: []\njobs: []\n")
        assert heard.acquire(timeout=60)
    finally:
        watcher.end()
        watcher.join(60)
    assert all("compiled" in line for line in said)
    assert "jobs" in settings.manifest.read_text()
