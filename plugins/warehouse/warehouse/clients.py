"""PostgreSQL's own client programs: which of those on this machine fits a server, and how it is run."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.cluster import find_binaries
from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from warehouse.server import Server

# The embedded programs are built without OpenSSL.
_STRICT_TLS = ("require", "verify-ca", "verify-full")
_LINES_SHOWN = 3


def find_client(program: str, server: Server, major: int) -> str:
    """Find a client program of at least a server's major version, the nearest one: a dump has its maker's features.

    Raises:
        WarehouseError: None is new enough, or none speaks TLS where it must.
    """
    found = {version: path for path in _candidates(program, server) if (version := _major(path)) >= major}
    if not found:
        tls = f" and speaks TLS (sslmode {server.sslmode})" if server.sslmode in _STRICT_TLS else ""
        raise WarehouseError(
            f"No {program} of PostgreSQL {major} or later{tls} is on this machine: install the package "
            f"postgresql-client-{major}, or put its folder on PATH."
        )
    return found[min(found)]


def run_client(program: str, server: Server, role: str, *arguments: str, database: str | None = None) -> None:
    """Run a client program to its end, as a role; the password goes by the environment.

    Raises:
        WarehouseError: It failed; the text holds what it said last.
    """
    login = server.login(role)
    # -w: a refused password is an error, not a question.
    done = subprocess.run(
        [program, "--no-password", *arguments],
        env={
            **{name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ},
            **{name: value for name, value in os.environ.items() if name.startswith("PGSSL")},
            "PGHOST": server.host,
            "PGPORT": str(server.port),
            "PGDATABASE": database or server.database,
            "PGUSER": login.user,
            "PGPASSWORD": login.password,
            "PGSSLMODE": server.sslmode,
            "PGTZ": "UTC",
            "LC_ALL": "C",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()][-_LINES_SHOWN:]
        raise WarehouseError(
            f"{Path(program).name} of {database or server.database} at {server.host}:{server.port} as {login.user} "
            f"failed: {' '.join(said) or f'status {done.returncode}'}"
        )


def _candidates(program: str, server: Server) -> list[str]:
    paths = [found] if (found := shutil.which(program)) else []
    # Debian keeps each version's programs in a folder of its own; its wrapper on PATH chooses by its own clusters.
    paths += [str(path) for path in Path("/usr/lib/postgresql").glob(f"*/bin/{program}")]
    if server.sslmode not in _STRICT_TLS:
        with contextlib.suppress(WarehouseError):
            paths.append(str(find_binaries() / program))
    return paths


def _major(path: str) -> int:
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r"\) (\d+)", said)
    return int(found[1]) if found else 0
