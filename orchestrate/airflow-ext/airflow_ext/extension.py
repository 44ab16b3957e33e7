"""The extension as Meltano's kit describes one: initialise, pass through, describe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meltano.edk import models
from meltano.edk.extension import ExtensionBase

from airflow_ext import administration
from airflow_ext.database import check_migrated, connect
from airflow_ext.errors import AirflowExtError
from airflow_ext.manifest import Watcher, compile_manifest
from airflow_ext.registry import note_stopping, registered
from airflow_ext.secrets import admin_password, ensure_secrets, held, read_secrets
from airflow_ext.settings import airflow_environ, read_settings
from airflow_ext.supervisor import Supervisor, check_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_DEFAULT_POOLS = {"blockchair_api": 1, "dump_host": 1, "dbt": 1}


@dataclass
class Airflow(ExtensionBase):
    """Airflow as a utility of Meltano."""

    environ: Mapping[str, str]
    log: Callable[[str], None]

    def __post_init__(self) -> None:
        """Read the settings once."""
        self.settings = read_settings(self.environ)

    def airflow(self) -> dict[str, str]:
        """The environment of every process of Airflow.

        Raises:
            AirflowExtError: Airflow was never initialised.
        """
        return airflow_environ(self.settings, self.environ, read_secrets(self.settings, self.environ))

    def initialize(self, force: bool = False) -> None:  # noqa: FBT001, FBT002 - the kit's signature
        """Make ready: folders, secrets, manifest, tables, administrator, pools. Safe to repeat.

        Raises:
            AirflowExtError: A part failed; what was made before it stays, and the next call goes on.
        """
        home = self.settings.home
        with held(home / "initialize.lock"):
            for name in ("logs", "manifests"):
                (home / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            made = ensure_secrets(self.settings, self.environ)
            self.log(f"secrets: {'generated' if made else 'there'}")
            environ = self.airflow()
            connect(environ).close()
            compile_manifest(self.settings, self.environ)
            self.log(f"manifest: compiled for the environment {self.settings.environment}")
            self._call([self.settings.airflow, "db", "migrate"], environ, "make its tables")
            self.log("database: tables are those of this version")
            self._administrate(environ, force=force)

    def create_admin(self, *, new_password: bool) -> None:
        """Make the administrator, or set the password again.

        Raises:
            AirflowExtError: Airflow is not initialised, or its database does not answer, or the password is a setting.
        """
        if new_password and self.environ.get("AIRFLOW_EXT_ADMIN_PASSWORD"):
            raise AirflowExtError(
                "The password is the one that AIRFLOW_ADMIN_PASSWORD sets: change it there, then run "
                "`meltano invoke airflow:create-admin`."
            )
        environ = self.airflow()
        with connect(environ) as connection:
            check_migrated(connection)
        with held(self.settings.home / "initialize.lock"):
            if new_password:
                self.settings.password_file.unlink(missing_ok=True)
            self._administrate(environ, force=True)

    def _administrate(self, environ: dict[str, str], *, force: bool) -> None:
        pools = self._pools()
        done = self.settings.home / "administration.json"
        # A password that is a setting is taken over again, since it may have changed; a generated one does not.
        wanted = json.dumps({"pools": pools, "user": self._admin_user})
        generated = not self.environ.get("AIRFLOW_EXT_ADMIN_PASSWORD")
        if not (force or not generated or not done.is_file() or done.read_text() != wanted or self._is_empty(environ)):
            self.log("user and pools: there")
            return
        extra = {
            administration.USER: self._admin_user,
            administration.PASSWORD: admin_password(self.settings, self.environ),
            administration.POOLS: json.dumps(pools),
        }
        words = self._call(
            [sys.executable, "-m", "airflow_ext.administration"], environ | extra, "make its user and its pools"
        )
        for line in words.splitlines()[-2:]:
            self.log(line)
        done.write_text(wanted)
        if generated:
            self.log(f"log in as {self._admin_user} with the password in {self.settings.password_file}")

    @property
    def _admin_user(self) -> str:
        return self.environ.get("AIRFLOW_EXT_ADMIN_USER") or "admin"

    def _is_empty(self, environ: Mapping[str, str]) -> bool:
        """Whether the database is a new one, of which this machine has no record."""
        with connect(environ) as connection:
            return connection.execute("select 1 from ab_user limit 1").fetchone() is None

    def _pools(self) -> dict[str, int]:
        stated = self.environ.get("AIRFLOW_EXT_POOLS")
        try:
            found = json.loads(stated) if stated else _DEFAULT_POOLS
            return {str(name): int(slots) for name, slots in found.items()}
        except (ValueError, TypeError, AttributeError):
            raise AirflowExtError(
                f"The setting pools is {stated!r}; it has to be an object of names and whole numbers of slots."
            ) from None

    def _call(self, command: list[str], environ: Mapping[str, str], what: str) -> str:
        done = subprocess.run(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            words = "\n".join(done.stdout.strip().splitlines()[-15:])
            raise AirflowExtError(f"Airflow could not {what} (status {done.returncode}). Its last lines:\n{words}")
        return done.stdout

    def invoke(self, command_name: str | None, *command_args: object) -> None:
        """Become Airflow's own command: its output, exit status, signals and terminal are those of the call."""
        words = [*([command_name] if command_name else []), *(str(word) for word in command_args)]
        environ = self.airflow()
        sys.stdout.flush()
        try:
            os.execve(self.settings.airflow, [self.settings.airflow, *words], environ)  # noqa: S606 - no shell
        except OSError as error:
            raise AirflowExtError(
                f"{self.settings.airflow} cannot be run ({error.strerror}); install it with "
                "`meltano install utility airflow`."
            ) from None

    def up(self, names: tuple[str, ...]) -> None:
        """Run components in the foreground until a signal.

        Raises:
            AirflowExtError: Something is missing, or a component keeps dying.
        """
        environ = self.airflow()
        with registered(self.settings, names):
            try:
                with connect(environ) as connection:
                    check_migrated(connection)
                if "api-server" in names:
                    check_port(self.settings)
                watcher = Watcher(self.settings, self.log) if "dag-processor" in names else None
                if watcher:
                    watcher.start()
                Supervisor(self.settings, environ, names, self.log, lambda: note_stopping(self.settings, names)).run()
            finally:
                note_stopping(self.settings, names)

    def describe(self) -> models.Describe:
        """What the extension offers."""
        return models.Describe(
            commands=[
                models.ExtensionCommand(
                    name="airflow_extension",
                    description="Initialise, run and examine Airflow.",
                    commands=["initialize", "create-admin", "up", "down", "check", "manifest", "describe"],
                ),
                models.InvokerCommand(name="airflow_invoker", description="Any command of Airflow's own."),
            ]
        )
