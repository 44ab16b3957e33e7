"""The embedded server of the environment ``local``: start and heal, stop, reset."""

from __future__ import annotations

import json
import random
import secrets
import socket
import struct
import time
from contextlib import closing
from typing import TYPE_CHECKING

from warehouse import lock
from warehouse.cluster import HOST, SUPERUSER, Cluster, PortTakenError, find_binaries
from warehouse.envfile import write_block
from warehouse.errors import WarehouseError
from warehouse.process import Postmaster, clear_dead_server, find_postmaster
from warehouse.project import write_private
from warehouse.server import ADMIN, AIRFLOW, ROLES, Login, Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from warehouse.project import Project

DATABASE = "crypto"
_PASSWORDS = (SUPERUSER, *ROLES, AIRFLOW)
# Below the range from which systems take the ports of outgoing connections (32768 on Linux, 49152 elsewhere).
_PORTS = range(20000, 30000)
_ATTEMPTS = 5
_READY_SECONDS = 300
# The protocol's SSLRequest: its length and its code. https://www.postgresql.org/docs/current/protocol-message-formats.html
_ENCRYPTION_QUESTION = struct.pack("!ii", 8, 80877103)


def _is_free(port: int) -> bool:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as trial:
        # As PostgreSQL itself binds: connections still closing do not count, a listener does.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError:
            return False
        return True


def _remembered_port(project: Project) -> int | None:
    try:
        port = int(project.port_file.read_text())
    except (OSError, ValueError):
        return None
    return port if 1024 <= port < 2**16 else None  # noqa: PLR2004 - the ports a plain user may bind


def _new_port() -> int:
    for port in random.sample(_PORTS, 200):
        if _is_free(port):
            return port
    raise WarehouseError(f"No free TCP port on {HOST} was found among 200 tried; close some programs and start again.")


def _read_passwords(project: Project) -> dict[str, str] | None:
    try:
        found = json.loads(project.passwords_file.read_text())
        # A project older than Airflow's database has no password for it.
        return {name: str(found[name]) for name in _PASSWORDS if name != AIRFLOW or name in found}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WarehouseError(
            f"{project.passwords_file} cannot be read ({type(error).__name__}); put it back, or give the local data up "
            "with `warehouse reset`."
        ) from None


def _ensure_passwords(project: Project, *, cluster_exists: bool) -> dict[str, str]:
    """The generated passwords; they are made once and outlive a reset, so that an open terminal stays right."""
    present = _read_passwords(project)
    if present is not None and AIRFLOW in present:
        return present
    if present is None and cluster_exists:
        raise WarehouseError(
            f"{project.passwords_file} is missing, and without it nobody can log in to {project.data}; put it back, or "
            "give the local data up with `warehouse reset`."
        )
    made = {name: secrets.token_hex(24) for name in _PASSWORDS} | (present or {})
    write_private(project.passwords_file, json.dumps(made, indent=1).encode())
    return made


def _server(port: int, passwords: dict[str, str]) -> Server:
    logins = {role: Login(role, passwords[role]) for role in (*ROLES, AIRFLOW) if role in passwords}
    logins[ADMIN] = Login(SUPERUSER, passwords[SUPERUSER])
    return Server("local", HOST, port, DATABASE, "disable", logins)


def running_server(project: Project) -> Server:
    """The embedded server, which must be running.

    Raises:
        WarehouseError: It is not running, or its passwords are lost.
    """
    postmaster = find_postmaster(project.data)
    if postmaster is None:
        raise WarehouseError("The local warehouse is not running; start it with `warehouse start`.")
    return _server(postmaster.port, _ensure_passwords(project, cluster_exists=True))


def start(project: Project, say: Callable[[str], None], then: Callable[[Server], None] | None = None) -> Server:
    """Start the embedded server, mending what is mendable, and write its block into ``.env``; then call ``then``.

    Raises:
        WarehouseError: It cannot be started, and why.
    """
    project.make_state()
    cluster = Cluster(project.data)
    with lock.held(project.state / "lock", say):
        postmaster = _running(project)
        if postmaster is None:
            find_binaries()
            for note in filter(
                None, (clear_dead_server(project.data) and "cleared what a killed server left", cluster.sweep())
            ):
                say(str(note))
            passwords = _ensure_passwords(project, cluster_exists=cluster.exists)
            if not cluster.exists:
                say(f"making a new PostgreSQL cluster in {project.data}")
                cluster.create(passwords[SUPERUSER])
            postmaster = _launch(project, cluster, say)
            state = "running"
        else:
            passwords = _ensure_passwords(project, cluster_exists=True)
            state = "already running"
        write_private(project.port_file, f"{postmaster.port}\n".encode())
        _write_env(project, postmaster.port, passwords, say)
        server = _server(postmaster.port, passwords)
        if then is not None:
            then(server)
    say(f"{state} on {HOST}:{postmaster.port}, database {DATABASE}")
    return server


def _launch(project: Project, cluster: Cluster, say: Callable[[str], None]) -> Postmaster:
    remembered = _remembered_port(project)
    for _ in range(_ATTEMPTS):
        if remembered is not None and not _is_free(remembered):
            say(f"port {remembered} is taken by another program, choosing a new one")
            remembered = None
        port = remembered or _new_port()
        try:
            cluster.start(port)
        except PortTakenError:
            remembered = None  # taken between the look and the start
            continue
        except WarehouseError:
            # The start of a killed command may have come to its end meanwhile; PostgreSQL then refuses ours.
            if find_postmaster(project.data) is None:
                raise
        postmaster = _running(project)
        if postmaster is None:
            raise WarehouseError(f"The server ended right after its start; see {cluster.log}.")
        return postmaster
    raise WarehouseError(f"No port on {HOST} stayed free for the server in {_ATTEMPTS} attempts; try again.")


def _answers(port: int) -> bool:
    """Whether PostgreSQL itself answers; the kernel takes connections even for a process that is just being killed."""
    try:
        with socket.create_connection((HOST, port), timeout=5) as connection:
            connection.sendall(_ENCRYPTION_QUESTION)
            return connection.recv(1) in {b"N", b"S"}
    except OSError:
        return False


def _running(project: Project) -> Postmaster | None:
    """The running server once it answers, or None when there is none.

    A server may still be recovering from a crash; and one that was killed a moment ago may not be gone yet.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while (postmaster := find_postmaster(project.data)) is not None:
        if postmaster.ready and _answers(postmaster.port):
            return postmaster
        if time.monotonic() > deadline:
            raise WarehouseError(
                f"The server (process {postmaster.pid}) does not answer after {_READY_SECONDS} s; see "
                f"{project.data / 'server.log'} and run `warehouse start` again."
            )
        time.sleep(0.05)
    return None


def _write_env(project: Project, port: int, passwords: dict[str, str], say: Callable[[str], None]) -> None:
    variables = {"LOCAL_WAREHOUSE_HOST": HOST, "LOCAL_WAREHOUSE_PORT": str(port), "LOCAL_WAREHOUSE_DB": DATABASE}
    variables |= {f"LOCAL_{role.upper()}_PASSWORD": passwords[role] for role in (*ROLES, AIRFLOW)}
    # Shared with every other program of the project that keeps a block in .env.
    with lock.held(project.state.parent / "env.lock", say):
        overruled = write_block(project.env_file, variables)
    if overruled:
        say(f"warning: outside the warehouse's block {project.env_file} sets {', '.join(overruled)} again, and wins")


def stop(project: Project, say: Callable[[str], None]) -> None:
    """Stop the embedded server; nothing happens when none runs.

    Raises:
        WarehouseError: It does not stop.
    """
    if not project.state.is_dir():
        say("not running")
        return
    with lock.held(project.state / "lock", say):
        say("stopped, the data stays" if Cluster(project.data).stop() else "not running")


def reset(project: Project, say: Callable[[str], None]) -> None:
    """Delete the local warehouse's data, and Meltano's local bookmarks, which would otherwise skip what is now missing.

    Port and passwords stay.

    Raises:
        WarehouseError: The server does not stop; nothing is then deleted.
    """
    project.make_state()
    with lock.held(project.state / "lock", say):
        cluster = Cluster(project.data)
        cluster.stop()
        clear_dead_server(project.data)
        cluster.delete()
        say(f"deleted {project.data}")
        if project.passwords_file.is_file():
            try:
                _read_passwords(project)
            except WarehouseError:
                project.passwords_file.unlink()
        database = project.meltano_database
        had_bookmarks = database.exists()
        for suffix in ("", "-journal", "-wal", "-shm"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)
        if had_bookmarks:
            say(f"deleted Meltano's local state with its bookmarks ({database})")
    say("the next `warehouse start` begins empty")
