"""What Meltano's settings mean for Airflow: one function from the extension's environment to Airflow's."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_ext.errors import AirflowExtError

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_PORT = 57480
# Applied where the environment does not say otherwise; any option of Airflow may be set as AIRFLOW__SECTION__KEY.
_DEFAULTS = {
    # The first command would else write its release's defaults to a file, and later releases would read them.
    "AIRFLOW_CONFIG": os.devnull,
    "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    # Four processes wait for work in place of 32, each of a hundred megabytes.
    "AIRFLOW__CORE__PARALLELISM": "4",
    "AIRFLOW__API__WORKERS": "1",
    # A schedule that was changed is seen within a minute.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
    "AIRFLOW__DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
    # One that was removed as well: by default its DAG stays for 50 s after it was last found, and up to 60 s more.
    "AIRFLOW__DAG_PROCESSOR__STALE_DAG_THRESHOLD": "20",
    "AIRFLOW__SCHEDULER__PARSING_CLEANUP_INTERVAL": "10",
    # On a busy machine a task's first call took longer than the 5 s that are Airflow's default.
    "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
    # A worker that was killed is noticed in a minute in place of five.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__ZOMBIE_DETECTION_INTERVAL": "10",
    # What a killed worker had taken and not begun is handed out again after three minutes in place of ten, also if its
    # scheduler was killed. A task that waits for a worker's slot looks the same; by default the third time fails it.
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "180",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "20",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "10000",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
}
SECRETS = {
    "fernet_key": "AIRFLOW__CORE__FERNET_KEY",
    "jwt_secret": "AIRFLOW__API_AUTH__JWT_SECRET",
    "api_secret_key": "AIRFLOW__API__SECRET_KEY",
}
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - read here, never bound


@dataclass(frozen=True)
class Settings:
    """Where things are and how they are reached.

    Attributes:
        root: The Meltano project.
        home: AIRFLOW_HOME.
        environment: Meltano's environment in which tasks run.
        host: Address the API server binds.
        port: TCP port of the API server.
        base_url: What browsers call it.
        execution_api_url: What tasks call it.
        meltano: The program `meltano`.
        airflow: The program `airflow` of this virtual environment.
    """

    root: Path
    home: Path
    environment: str
    host: str
    port: int
    base_url: str
    execution_api_url: str
    meltano: str
    airflow: str

    @property
    def local_url(self) -> str:
        """The API server as this machine reaches it."""
        return f"http://{_EVERY_ADDRESS.get(self.host, self.host)}:{self.port}"

    @property
    def secrets_file(self) -> Path:
        """Generated secrets, mode 0600."""
        return self.home / "secrets.json"

    @property
    def password_file(self) -> Path:
        """The administrator's generated password, mode 0600."""
        return self.home / "admin-password"

    @property
    def manifest(self) -> Path:
        """The compiled project, from which the DAGs are made."""
        return self.home / "manifests" / f"meltano-manifest.{self.environment}.json"

    @property
    def manifest_error(self) -> Path:
        """Why the project could not be compiled; there is no such file when it could."""
        return self.home / "manifests" / f"error.{self.environment}.txt"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read what Meltano hands to its utility.

    Raises:
        AirflowExtError: Not called through Meltano, or the port is no port.
    """
    if not environ.get("MELTANO_PROJECT_ROOT"):
        raise AirflowExtError("MELTANO_PROJECT_ROOT is not set: call this as `meltano invoke airflow ...`.")
    root = Path(environ["MELTANO_PROJECT_ROOT"])
    stated = environ.get("AIRFLOW_EXT_PORT") or str(_DEFAULT_PORT)
    if not (stated.isdecimal() and 0 < int(stated) < 2**16):
        raise AirflowExtError(f"AIRFLOW_PORT is {stated!r}, which is no TCP port; set a number from 1 to 65535.")
    host, port = environ.get("AIRFLOW_EXT_HOST") or "127.0.0.1", int(stated)
    local_url = f"http://{_EVERY_ADDRESS.get(host, host)}:{port}"
    own = root / ".venv" / "bin" / "meltano"
    return Settings(
        root=root,
        home=Path(environ.get("AIRFLOW_HOME") or root / ".state" / "airflow"),
        environment=environ.get("MELTANO_ENVIRONMENT") or "local",
        host=host,
        port=port,
        base_url=(environ.get("AIRFLOW_EXT_BASE_URL") or local_url).rstrip("/"),
        execution_api_url=environ.get("AIRFLOW_EXT_EXECUTION_API_URL") or f"{local_url}/execution/",
        meltano=environ.get("MELTANO_EXECUTABLE") or (str(own) if own.is_file() else "meltano"),
        # Not resolved: a virtual environment's interpreter is a link out of it.
        airflow=str(Path(sys.executable).parent / "airflow"),
    )


def airflow_environ(settings: Settings, environ: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
    """The environment in which every process of Airflow runs; what `environ` says of Airflow's options is kept."""
    return {
        **_DEFAULTS,
        **{name: value for name, value in environ.items() if value or not name.startswith("AIRFLOW__")},
        **{SECRETS[name]: value for name, value in secrets.items()},
        "AIRFLOW_HOME": str(settings.home),
        "AIRFLOW__API__HOST": settings.host,
        "AIRFLOW__API__PORT": str(settings.port),
        "AIRFLOW__API__BASE_URL": settings.base_url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": settings.execution_api_url,
        "MELTANO_EXECUTABLE": settings.meltano,
        "MELTANO_ENVIRONMENT": settings.environment,
    }
