"""The simulator's block in `.env`: only its own bytes change."""

import fcntl
import threading
from pathlib import Path
from typing import Any

import pytest

from simulator.files import find_root, write_env_block

BEGIN = b"# >>> simulator (written by `simulator start`) >>>\n"
END = b"# <<< simulator <<<\n"
OLD = BEGIN + b"LOCAL_SIMULATOR_URL=http://127.0.0.1:1\n" + END
NEW = BEGIN + b"LOCAL_SIMULATOR_URL=http://127.0.0.1:2\n" + END
VARIABLES = {"LOCAL_SIMULATOR_URL": "http://127.0.0.1:2"}
ABOVE = b"\xef\xbb\xbfA='x y'\r\n# a comment \xff\n\n"
BELOW = b"\n# >>> warehouse >>>\nB=2\n# <<< warehouse <<<\nLOCAL_SIMULATOR_MINE=kept\nlast line without an end"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", NEW),
        (b"A=1\n", b"A=1\n" + NEW),
        (b"A=1", b"A=1\n" + NEW),
        (OLD, NEW),
        (ABOVE + OLD + BELOW, ABOVE + NEW + BELOW),
        (ABOVE + OLD.replace(b"\n", b"\r\n") + BELOW, ABOVE + NEW + BELOW),
        (ABOVE + OLD.rstrip(b"\n"), ABOVE + NEW),
        (ABOVE + BEGIN + b"# older\nX=1\n" + END + BELOW, ABOVE + NEW + BELOW),
        (ABOVE + BEGIN + b"LOCAL_SIMULATOR_URL=cut\n" + BELOW, ABOVE + NEW + BELOW),
        (ABOVE + BEGIN + BELOW, ABOVE + NEW + BELOW),
        (OLD + ABOVE + OLD + BELOW, NEW + ABOVE + BELOW),
        (BEGIN + b"# >>> warehouse >>>\n" + OLD, NEW + b"# >>> warehouse >>>\n"),
    ],
)
def test_every_foreign_byte_stays(tmp_path: Path, before: bytes, after: bytes) -> None:
    path = tmp_path / ".env"
    path.write_bytes(before)
    assert write_env_block(path, VARIABLES)
    assert path.read_bytes() == after
    assert path.stat().st_mode & 0o777 == 0o600
    assert not write_env_block(path, VARIABLES)
    assert path.read_bytes() == after


def test_the_file_is_made_private(tmp_path: Path) -> None:
    write_env_block(tmp_path / ".env", VARIABLES)
    assert (tmp_path / ".env").read_bytes() == NEW
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_an_up_to_date_file_becomes_private_as_well(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(NEW)
    path.chmod(0o644)
    assert not write_env_block(path, VARIABLES)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"A=1\n")
    (tmp_path / ".env").symlink_to("real")
    write_env_block(tmp_path / ".env", VARIABLES)
    assert (tmp_path / ".env").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"A=1\n" + NEW


def test_the_root_is_found_upwards_or_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "project/a/b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert find_root({}) is None
    (tmp_path / "project/meltano.yml").touch()
    assert find_root({}) == tmp_path / "project"
    assert find_root({"MELTANO_PROJECT_ROOT": str(tmp_path / "project")}) == tmp_path / "project"
    assert find_root({"MELTANO_PROJECT_ROOT": str(tmp_path)}) is None  # a wrong name is not papered over


def test_a_writer_waits_for_the_projects_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".state").mkdir()
    path = tmp_path / ".env"
    flock, asked = fcntl.flock, threading.Event()

    def ask(*arguments: Any) -> None:
        asked.set()
        flock(*arguments)

    with (tmp_path / ".state/env.lock").open("a") as handle:
        flock(handle, fcntl.LOCK_EX)
        monkeypatch.setattr(fcntl, "flock", ask)
        writer = threading.Thread(target=write_env_block, args=(path, {"LOCAL_SIMULATOR_URL": "http://127.0.0.1:1"}))
        writer.start()
        assert asked.wait(60), "it takes no lock"
        writer.join(timeout=0.3)
        assert writer.is_alive()
        assert not path.exists()
    writer.join(timeout=60)
    assert not writer.is_alive(), "the lock is free, and it still waits"
    assert b"LOCAL_SIMULATOR_URL" in path.read_bytes()
