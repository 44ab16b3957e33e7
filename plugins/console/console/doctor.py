"""Looks at everything a run needs and says what is wrong and what to do about it."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psycopg
from dotenv import dotenv_values

from console.leftovers import leftovers, readable_by_others
from console.project import Project, local_environ
from console.services import status

_GIGABYTE = 1_000_000_000
_DISK_NEEDED = 3 * _GIGABYTE
_TIMEOUT_SECONDS = 5
_LIVE_HOSTS = ("api.blockchair.com", "gz.blockchair.com", "api.coingecko.com")


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    state: str  # ok, note (works, but worth knowing) or wrong (a run would fail)
    text: str


def examine(project: Project, environment: str) -> Iterator[Finding]:
    """Check interpreter, disk, programs, servers and, for dev and prod, hosts, keys and roles."""
    yield _interpreter()
    yield _disk(project)
    yield _programs(project)
    yield _env_permissions(project)
    yield from _passwords_in_files(project)
    if environment == "local":
        environ, ignored = local_environ(project, os.environ)
        if ignored:
            yield Finding("note", f"set in your shell but never read by `make run`: {', '.join(ignored)}")
        yield _package_index(project)
        yield _server(project, environ, "simulator", "url")
        running = _server(project, environ, "warehouse", "port")
        yield running
        if running.state == "ok":
            yield from roles(_as_warehouse_variables(project.local_variables()), "warehouse start")
        return
    variables = {name: value for name, value in dotenv_values(project.env_file).items() if value} | dict(os.environ)
    yield from (_host(host) for host in _LIVE_HOSTS)
    yield from _keys(variables)
    yield from roles(variables, f"warehouse init --environment={environment}")


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


def _host(host: str) -> Finding:
    try:
        socket.create_connection((host, 443), timeout=_TIMEOUT_SECONDS).close()
    except OSError as error:
        return Finding("wrong", f"{host}:443 is out of reach ({error}): check network, proxy and firewall")
    return Finding("ok", f"{host}:443 answers")


def _keys(variables: Mapping[str, str]) -> Iterator[Finding]:
    consequences = {
        "BLOCKCHAIR_API_KEY": "about 1,000 to 1,440 points a day: blocks, statistics and top addresses only",
        "BLOCKCHAIR_DUMPS_KEY": "dump files come at about 10 kB/s, one at a time",
    }
    for name, consequence in consequences.items():
        yield (
            Finding("ok", f"{name} is set")
            if variables.get(name)
            else Finding("note", f"{name} is empty: {consequence}")
        )
    plan = variables.get("COINGECKO_PLAN", "keyless")
    if plan != "keyless" and not variables.get("COINGECKO_API_KEY"):
        yield Finding("wrong", f"COINGECKO_PLAN is {plan} but COINGECKO_API_KEY is empty: set it in .env")
    else:
        yield Finding("ok", f"CoinGecko plan {plan}")


def roles(variables: Mapping[str, str], mend: str) -> Iterator[Finding]:
    """Try to log in as each role by `WAREHOUSE_*`; `mend` is the command that puts a role right."""
    if not variables.get("WAREHOUSE_HOST"):
        yield Finding(
            "wrong",
            f"WAREHOUSE_HOST is empty: name your PostgreSQL in .env, then run `{mend}`",
        )
        return
    for role in ("loader", "transformer", "bi_reader"):
        yield _login(variables, role, mend)


def _login(variables: Mapping[str, str], role: str, mend: str) -> Finding:
    where = f"{variables['WAREHOUSE_HOST']}:{variables.get('WAREHOUSE_PORT', '5432')}"
    try:
        psycopg.connect(
            host=variables["WAREHOUSE_HOST"],
            port=variables.get("WAREHOUSE_PORT", "5432"),
            dbname=variables.get("WAREHOUSE_DB", "crypto"),
            user=role,
            password=variables.get(f"WAREHOUSE_{role.upper()}_PASSWORD"),
            sslmode=variables.get("WAREHOUSE_SSLMODE", "prefer"),
            connect_timeout=_TIMEOUT_SECONDS,
        ).close()
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[-1]
        return Finding("wrong", f"role {role} cannot log in at {where} ({reason}): run `{mend}`")
    return Finding("ok", f"role {role} logs in at {where}")
