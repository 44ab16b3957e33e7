"""Looks at everything a run needs and says what is wrong and what to do about it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping

from dotenv import dotenv_values

from console.finding import Finding
from console.leftovers import leftovers, readable_by_others
from console.logins import ROLES, logins, try_all, warehouse_login
from console.project import Project, local_environ
from console.services import status
from console.sources import try_sources

_GIGABYTE = 1_000_000_000
_DISK_NEEDED = 3 * _GIGABYTE


def checklist(project: Project, environment: str) -> Iterator[tuple[str, Iterator[Finding]]]:
    """The sections of what is looked at, each with what it finds, which is looked at when it is asked for."""
    yield "this machine", iter([_interpreter(), _disk(project)])
    yield "this project", _files(project)
    if environment == "local":
        yield "servers on this machine", _local_servers(project)
    else:
        yield "sources and keys", try_sources(project, environment)
        yield "your PostgreSQL", _own_postgresql(project, environment)


def examine(project: Project, environment: str) -> Iterator[Finding]:
    """Check interpreter, disk, programs, servers and, for dev and prod, sources, keys and logins."""
    for _, findings in checklist(project, environment):
        yield from findings


def _files(project: Project) -> Iterator[Finding]:
    """Programs, and who can read what holds passwords."""
    yield _programs(project)
    yield _env_permissions(project)
    yield from _passwords_in_files(project)


def _local_servers(project: Project) -> Iterator[Finding]:
    """The package index, the simulated sources, and the embedded PostgreSQL with its logins."""
    environ, ignored = local_environ(project, os.environ)
    if ignored:
        yield Finding("note", f"set in your shell but never read by `make run`: {', '.join(ignored)}")
    yield _package_index(project)
    yield _server(project, environ, "simulator", "url")
    running = _server(project, environ, "warehouse", "port")
    yield running
    if running.state == "ok":
        local = _as_warehouse_variables(project.local_variables())
        database = local.get("WAREHOUSE_DB", "crypto")
        yield from try_all([warehouse_login(role, database, "warehouse start") for role in ROLES], local)


def _own_postgresql(project: Project, environment: str) -> Iterator[Finding]:
    """The PostgreSQL that .env names, and the logins there."""
    # As in Meltano, a variable of the process wins over the same one in .env.
    variables = {name: value for name, value in {**dotenv_values(project.env_file), **os.environ}.items() if value}
    if not variables.get("WAREHOUSE_HOST"):
        mend = f"warehouse init --environment={environment}"
        yield Finding("wrong", f"WAREHOUSE_HOST is empty: name your PostgreSQL in .env, then run `{mend}`")
        return
    if not variables.get("WAREHOUSE_ADMIN_PASSWORD"):
        yield Finding("note", "WAREHOUSE_ADMIN_PASSWORD is empty: `warehouse init` needs it, and nothing else")
    yield from try_all(logins(variables, environment), variables)


def _interpreter() -> Finding:
    return Finding("ok", f"Python {sys.version.split()[0]} in {sys.prefix}")


def _disk(project: Project) -> Finding:
    free = shutil.disk_usage(project.root).free
    text = f"{free / _GIGABYTE:.0f} GB free where the project lies"
    if free < _DISK_NEEDED:
        return Finding(
            "wrong", f"{text}; a first run needs about {_DISK_NEEDED / _GIGABYTE:.0f}: free some, or move the project"
        )
    return Finding("ok", text)


def _programs(project: Project) -> Finding:
    missing = [name for name in ("meltano", "warehouse", "simulator") if not os.access(project.program(name), os.X_OK)]
    if missing:
        return Finding("wrong", f"{', '.join(missing)} missing in .venv: run `make env`")
    return Finding("ok", "meltano, warehouse and simulator are installed")


def _env_permissions(project: Project) -> Finding:
    if not project.env_file.exists():
        return Finding("note", "no .env; `make run` needs none, `make env` writes one for live data")
    mode = project.env_file.stat().st_mode & 0o777
    if mode & 0o077:
        return Finding("wrong", f".env is readable by others (mode {mode:o}): run `chmod 600 .env`")
    return Finding("ok", ".env is readable by you alone")


def _passwords_in_files(project: Project) -> Iterator[Finding]:
    """Meltano writes each plugin's settings to a file for the time of a run."""
    if names := readable_by_others(project):
        yield Finding(
            "wrong", f"{', '.join(names)} can be read by others: run `chmod go-rwx {' '.join(names)}`, or `make env`"
        )
    else:
        yield Finding("ok", ".meltano and .state are readable by you alone")
    if files := leftovers(project):
        yield Finding(
            "note",
            f"a killed run left {len(files)} file(s) with passwords in .meltano/run: "
            f"`rm {' '.join(str(path.relative_to(project.root)) for path in files)}`; `make run` deletes them too",
        )


def _package_index(project: Project) -> Finding:
    """Ask for one package by name; installed environments run on without an answer."""
    asked = [project.program("python"), "-m", "pip", "--no-input", "--retries", "0", "index", "versions", "uv"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return Finding("ok", "the package index answers")
    return Finding("note", "the package index is out of reach; only installing needs it (yours goes in PIP_INDEX_URL)")


def _server(project: Project, environ: Mapping[str, str], program: str, where: str) -> Finding:
    found = status(project, environ, program)
    if found is None:
        return Finding("note", f"the {program} is not running; `make run` or `{program} start` starts it")
    return Finding("ok", f"the {program} is running ({where} {found.get(where)})")


def _as_warehouse_variables(local: Mapping[str, str]) -> dict[str, str]:
    """The LOCAL_* variables under the names of a live warehouse."""
    renamed = {name.removeprefix("LOCAL_"): value for name, value in local.items()}
    return {name if name.startswith("WAREHOUSE_") else f"WAREHOUSE_{name}": value for name, value in renamed.items()}
