"""The manifest is compiled whole or not at all, and again when a project file changes."""

import os
import queue
import stat
import threading
from pathlib import Path

import pytest

from airflow_ext.errors import AirflowExtError
from airflow_ext.manifest import Watcher, compile_manifest, fingerprint, project_files
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


@pytest.mark.parametrize("text", ["include_paths: [", "[1]", "include_paths: 5"])
def test_of_a_project_file_that_is_broken_whatever_could_belong_to_it_does(settings: Settings, text: str) -> None:
    (settings.root / "meltano.yml").write_text(text)
    (settings.root / "deep/er").mkdir(parents=True)
    (settings.root / "deep/er/x.meltano.yml").touch()
    names = [str(path.relative_to(settings.root)) for path in project_files(settings.root)]
    assert names == ["meltano.yml", ".env", "deep/er/x.meltano.yml", "extract/taps.meltano.yml"]


def test_a_project_file_that_includes_nothing_stands_alone(settings: Settings) -> None:
    for text in ("", "include_paths:\n", "version: 1\n"):
        (settings.root / "meltano.yml").write_text(text)
        assert [path.name for path in project_files(settings.root)] == ["meltano.yml", ".env"]
    (settings.root / "meltano.yml").unlink()
    assert [Path(path).name for path, _, _ in fingerprint(settings.root)] == ["taps.meltano.yml"]


def test_a_change_of_time_or_size_is_a_change(settings: Settings) -> None:
    main = settings.root / "meltano.yml"
    os.utime(main, ns=(1, 1))
    before = fingerprint(settings.root)
    os.utime(main, ns=(2, 2))
    later = fingerprint(settings.root)
    main.write_text(main.read_text() + " ")
    os.utime(main, ns=(2, 2))
    assert len({before, later, fingerprint(settings.root)}) == 3
    (settings.root / ".env").touch()
    assert len(fingerprint(settings.root)) == 3


def test_meltano_is_called_as_the_environment_asks(settings: Settings) -> None:
    Path(settings.meltano).write_text('#!/bin/sh\npwd >&2; echo "$@" | sed "s#/[^ ]*#DIR#" >&2; exit 1\n')
    with pytest.raises(AirflowExtError) as error:
        compile_manifest(settings, os.environ)
    expected = "--log-level=warning --environment=local compile --directory DIR"
    assert str(error.value) == f"The project cannot be compiled: {settings.root} {expected}"
    assert settings.manifest_error.read_text() == f"{error.value}\n"


def test_the_reason_is_the_last_lines_without_colours(settings: Settings) -> None:
    Path(settings.meltano).write_text(
        "#!/bin/sh\nfor i in 1 2 3 4 5 6 7; do printf '\\033[31mline %s\\033[0m\\n\\n' $i >&2; done; echo out; exit 1\n"
    )
    with pytest.raises(
        AirflowExtError, match=r"^The project cannot be compiled: line 3 line 4 line 5 line 6 line 7 out$"
    ):
        compile_manifest(settings, os.environ)
    for script in ("exit 1", "exit 0"):  # the second makes no manifest
        Path(settings.meltano).write_text(f"#!/bin/sh\n{script}\n")
        with pytest.raises(AirflowExtError, match=r"^The project cannot be compiled: no reason given$"):
            compile_manifest(settings, os.environ)
    assert [path.name for path in settings.manifest.parent.iterdir()] == [settings.manifest_error.name]


def test_a_manifest_is_its_owners_alone(settings: Settings) -> None:
    compile_manifest(settings, os.environ)
    assert stat.S_IMODE(settings.manifest.stat().st_mode) == 0o600
    assert stat.S_IMODE(settings.manifest.parent.stat().st_mode) == 0o700


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
    assert "NO_COLOR=1" in seen


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
    assert said == ["the project was compiled; its DAGs follow within a minute"] * 2
    assert "jobs" in settings.manifest.read_text()


def test_the_watcher_says_why_it_could_not_and_goes_on(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_ext.manifest._LOOK_SECONDS", 0.05)
    said: queue.Queue[str] = queue.Queue()
    Path(f"{settings.meltano}.broken").touch()
    watcher = Watcher(settings, said.put)
    watcher.start()
    try:
        first = said.get(timeout=60)
        assert first == "The project cannot be compiled: meltano.yml: line 7 is wrong (the DAGs stay as they were)"
        Path(f"{settings.meltano}.broken").unlink()
        (settings.root / ".env").write_text("A=1\n")
        assert said.get(timeout=60).startswith("the project was compiled")
    finally:
        watcher.end()
        watcher.join(60)
    assert not watcher.is_alive()
    assert said.empty(), "nothing is said while nothing changes"
