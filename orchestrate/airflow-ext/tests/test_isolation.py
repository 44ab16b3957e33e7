"""What a run shares with nobody: its environment, its system directory, and the sweep of what killed runs left."""

import fcntl
import os
import stat
import sys
from pathlib import Path

import pytest

from airflow_ext.isolation import clean_environ, system_directory


def test_what_is_airflows_or_of_this_interpreter_is_dropped(tmp_path: Path) -> None:
    dropped = [
        *(
            "AIRFLOW_HOME",
            "AIRFLOW__CORE__X",
            "_AIRFLOW_X",
            "MELTANO_UTILITY_X",
            "VIRTUAL_ENV",
            "PYTHONPATH",
            "PYTHONHOME",
        )
    ]
    kept = ["HOME", "LANG", "MELTANO_ENVIRONMENT", "TAP_A_AIRFLOW", "MY_PYTHONPATH"]
    found = clean_environ(tmp_path, dict.fromkeys([*dropped, *kept], "x"))
    assert found.keys() == {*kept, "PATH", "NO_COLOR", "MELTANO_PROJECT_ROOT", "MELTANO_DATABASE_URI"}
    assert (found["NO_COLOR"], found["MELTANO_PROJECT_ROOT"]) == ("1", str(tmp_path))


@pytest.mark.parametrize(
    ("line", "is_dropped"),
    [
        ("NAME=1", True),
        ("  NAME = 1", True),
        ("export NAME=1", True),
        ("# NAME=1", False),
        ("OTHER=NAME=1", False),
        ("NAME", False),
        ("NAME2=1", False),
        ("MY NAME=1", False),
    ],
)
def test_what_the_projects_env_file_names_is_read_from_there_anew(tmp_path: Path, line: str, is_dropped: bool) -> None:  # noqa: FBT001
    (tmp_path / ".env").write_text(f"FIRST=1\n{line}\nMELTANO_ENVIRONMENT=prod\nHOME=/x\n")
    found = clean_environ(tmp_path, {"NAME": "old", "MELTANO_ENVIRONMENT": "dev", "HOME": "/h"})
    assert ("NAME" in found) is not is_dropped
    assert (found["MELTANO_ENVIRONMENT"], found["HOME"]) == ("dev", "/h")


def test_programs_of_this_interpreter_are_not_found_first(tmp_path: Path) -> None:
    own = str(Path(sys.executable).parent)
    path = os.pathsep.join(["/a", own, "", "/b"])
    assert clean_environ(tmp_path, {"PATH": path})["PATH"] == os.pathsep.join(["/a", "/b"])
    assert clean_environ(tmp_path, {})["PATH"]


@pytest.mark.parametrize(
    ("env_file", "project_file", "environ", "uri"),
    [
        ("", "", {}, "sqlite:///{root}/.meltano/meltano.db"),
        ("", "", {"MELTANO_SYS_DIR_ROOT": "/sys"}, "sqlite:////sys/meltano.db"),
        ("", "", {"MELTANO_DATABASE_URI": "x"}, "x"),
        ("MELTANO_DATABASE_URI=y\n", "", {"MELTANO_DATABASE_URI": "x"}, None),
        ("", "version: 1\ndatabase_uri : y\n", {}, None),
        ("", "  database_uri: y\n", {}, "sqlite:///{root}/.meltano/meltano.db"),
        ("", "# database_uri: y\n", {}, "sqlite:///{root}/.meltano/meltano.db"),
    ],
)
def test_bookmarks_are_in_the_projects_own_database(
    tmp_path: Path, env_file: str, project_file: str, environ: dict[str, str], uri: str | None
) -> None:
    (tmp_path / ".env").write_text(env_file)
    (tmp_path / "meltano.yml").write_text(project_file)
    expected = uri and uri.format(root=tmp_path)
    assert clean_environ(tmp_path, environ).get("MELTANO_DATABASE_URI") == expected


KINDS = ("extractors", "loaders", "mappers", "utilities")


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_run_has_the_installed_plugins_and_a_folder_that_goes(tmp_path: Path, elsewhere: bool) -> None:  # noqa: FBT001
    system = tmp_path / ("other" if elsewhere else ".meltano")
    for kind in (*KINDS, "run", "logs"):
        (system / kind / "inside").mkdir(parents=True)
    folder = tmp_path / "home/runs"
    environ = {"MELTANO_SYS_DIR_ROOT": str(system)} if elsewhere else {}
    with system_directory(tmp_path, folder, environ) as own:
        assert own.parent == folder
        assert {path.name: path.resolve() for path in own.iterdir()} == {kind: system / kind for kind in KINDS}
        assert stat.S_IMODE(own.stat().st_mode) == stat.S_IMODE(folder.stat().st_mode) == 0o700
        with system_directory(tmp_path, folder, environ) as other:
            assert other != own
            assert own.is_dir(), "a run that lives is not swept"
        (own / "mine").touch()
    assert list(folder.iterdir()) == []
    assert (system / "extractors/inside").is_dir()
    with pytest.raises(RuntimeError), system_directory(tmp_path, folder, environ):
        raise RuntimeError
    assert list(folder.iterdir()) == []


def test_what_killed_runs_left_is_swept_and_what_lives_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    folder.mkdir()
    for name in ("run-dead", "run-lives"):
        (folder / f"{name}.lock").touch()
        (folder / name).mkdir()
        (folder / name / "file").touch()
    (folder / "a-persons-own").mkdir()
    with (folder / "run-lives.lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with system_directory(tmp_path, folder, {}):
            left = {path.name for path in folder.iterdir() if not path.name.startswith("run-") or "lives" in path.name}
            assert not (folder / "run-dead").exists()
            assert not (folder / "run-dead.lock").exists()
    assert left == {"run-lives", "run-lives.lock", "a-persons-own"}
