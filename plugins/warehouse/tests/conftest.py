"""Real servers in temporary projects. Helpers are fixtures that hand out plain types."""

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from warehouse.cli import main
from warehouse.identity import choose_identity
from warehouse.local import running_server
from warehouse.process import find_postmaster
from warehouse.project import Project

Run = Callable[..., subprocess.CompletedProcess[str]]
Sql = Callable[[Path, str, str], list[tuple[Any, ...]]]
Live = tuple[str, Path, str]
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")


def state(root: Path) -> Path:
    return root / ".state" / "warehouse"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _environment(root: Path, extra: dict[str, str] | None = None) -> dict[str, str]:
    # Nothing of the caller's own project, warehouse or Meltano may reach the commands under test.
    foreign = ("MELTANO_", "WAREHOUSE_", "LOCAL_", "PG")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "MELTANO_PROJECT_ROOT": str(root), **(extra or {})}


def _run(
    root: Path,
    *arguments: str,
    code: int = 0,
    env: dict[str, str] | None = None,
    prefix: tuple[str, ...] | None = None,
    python: str = sys.executable,
) -> subprocess.CompletedProcess[str]:
    """Run a command in this process, or in one of its own when a prefix is given or it becomes another program."""
    if prefix is None and arguments[0] != "psql":
        result = _run_here(root, arguments, _environment(root, env))
    else:
        result = subprocess.run(
            [*(prefix or ()), python, "-m", "warehouse", *arguments],
            env=_environment(root, env),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=root,
            timeout=120,
        )
    assert result.returncode == code, f"{arguments}: {result.returncode}\n{result.stdout}\n{result.stderr}"
    assert "Traceback" not in result.stderr
    return result


def _run_here(root: Path, arguments: tuple[str, ...], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    unset: dict[str, str | None] = dict.fromkeys(os.environ)
    here = Path.cwd()
    os.chdir(root)
    try:
        result = CliRunner().invoke(main, arguments, env={**unset, **env})
    finally:
        os.chdir(here)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)


@pytest.fixture(scope="session")
def run() -> Run:
    """Run the command line in a project: ``run(root, "start", code=0, env=None, prefix=None)``.

    ``prefix=()`` makes a process of its own, which ``python`` runs.
    """
    return _run


@pytest.fixture(scope="session")
def environment() -> Callable[..., dict[str, str]]:
    """The variables under which :func:`run` runs a command."""
    return _environment


@pytest.fixture(scope="session")
def sql() -> Sql:
    """Run one statement on a project's local server: ``sql(root, role, statement)``, committed."""

    def execute(root: Path, role: str, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(running_server(Project(root)).url(role)) as connection:
            cursor = connection.execute(statement.encode())
            rows = cursor.fetchall() if cursor.description else []
            # What it changed is counted before the next session looks, not when the server gets to it.
            connection.execute("select pg_stat_force_next_flush()")
            return rows

    return execute


def _stop(root: Path) -> None:
    if find_postmaster(Project(root).data) is not None:
        _run(root, "stop")


def _make_root(parent: Path) -> Path:
    root = parent / "a project"  # the blank is on purpose
    root.mkdir()
    (root / "meltano.yml").touch()
    return root


@pytest.fixture
def empty_root(tmp_path: Path) -> Iterator[Path]:
    """A project that never had a warehouse; its server, if a test starts one, is stopped afterwards."""
    root = _make_root(tmp_path)
    yield root
    _stop(root)


@pytest.fixture
def open_root() -> Iterator[Path]:
    """The same in a folder through which every user may pass."""
    parent = Path(tempfile.mkdtemp(prefix="warehouse-test-"))
    parent.chmod(0o755)
    root = _make_root(parent)
    yield root
    _stop(root)
    shutil.rmtree(parent)


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = _make_root(tmp_path_factory.mktemp("template"))
    _run(root, "start")
    # Killing a process loses nothing that the system has; waiting for the disk would only slow the tests.
    with psycopg.connect(running_server(Project(root)).url("admin"), autocommit=True) as connection:
        connection.execute("alter system set fsync = off")
    _run(root, "stop")
    return root


@pytest.fixture
def root(_template: Path, tmp_path: Path) -> Iterator[Path]:
    """A project with a finished, stopped warehouse of its own."""
    copy = tmp_path / "a project"
    shutil.copytree(_template, copy, symlinks=True)
    yield copy
    _stop(copy)


@pytest.fixture(scope="session")
def served(_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project whose warehouse runs for the whole session."""
    copy = tmp_path_factory.mktemp("served") / "a project"
    shutil.copytree(_template, copy, symlinks=True)
    _run(copy, "start")
    yield copy
    _stop(copy)


@pytest.fixture(scope="session", params=["15", "18"])
def live(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server such as ``dev`` and ``prod`` name: version, a project whose .env names it, and a superuser's URL.

    Its administrator ``boss`` has CREATEROLE and CREATEDB and is no superuser.
    """
    parent = tmp_path_factory.mktemp(f"live-{request.param}")
    project = _make_root(parent)
    if request.param == "18":
        host = _make_root(Path(tempfile.mkdtemp(dir=parent)))
        _run(host, "start", "--no-init")
        superuser = _run(host, "url", "--role", "admin").stdout.strip().removesuffix("crypto") + "postgres"
        stop: Callable[[], object] = partial(_stop, host)
    else:
        superuser, stop = _start_debian_15(parent)
    with psycopg.connect(superuser, autocommit=True) as connection:
        connection.execute("create role boss login createrole createdb password 'b0ss:secret'")
        address = connection.info
        (project / ".env").write_text(
            f"WAREHOUSE_HOST={address.host}\nWAREHOUSE_PORT={address.port}\nWAREHOUSE_ADMIN_USER=boss\n"
            "WAREHOUSE_ADMIN_PASSWORD=b0ss:secret\nWAREHOUSE_LOADER_PASSWORD=p@ss/w:rd%1\n"
            "WAREHOUSE_TRANSFORMER_PASSWORD=transformer-secret\nWAREHOUSE_BI_READER_PASSWORD=reader-secret\n"
            "MELTANO_DB_PASSWORD=meltano-secret\n"
        )
    yield request.param, project, superuser
    stop()


def _start_debian_15(parent: Path) -> tuple[str, Callable[[], object]]:
    data, password, log = parent / "data", parent / "password", parent / "log"
    identity = choose_identity(data)
    reason = "" if (DEBIAN_15 / "pg_ctl").is_file() else f"no {DEBIAN_15}/pg_ctl (Debian package postgresql-15)"
    if identity.owner is not None:
        reason = "PostgreSQL 15 is tried as a plain user or in a user namespace only"
    if reason and os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and with CI=true it must be tried")
    if reason:
        pytest.skip(reason)

    def tool(*arguments: str, check: bool = True) -> int:
        command = [*identity.prefix, str(DEBIAN_15 / arguments[0]), "-D", str(data), *arguments[1:]]
        quiet = {"stdout": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
        return subprocess.run(command, check=check, timeout=300, **quiet).returncode

    password.write_text("super-secret")
    tool("initdb", "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}", "-E", "UTF8", "-N")
    for _ in range(5):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        if tool("pg_ctl", "-w", "-l", str(log), "-o", options, "start", check=False) == 0:
            break  # else another program may have taken the port meanwhile
    else:
        pytest.fail(f"PostgreSQL 15 does not start:\n{log.read_text()}")
    stop = partial(tool, "pg_ctl", "-w", "-m", "immediate", "stop")
    return f"postgresql://postgres:super-secret@127.0.0.1:{port}/postgres", stop
