"""Secrets that every process of Airflow must share, and the administrator's password: made once, mode 0600."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet

from airflow_ext.errors import AirflowExtError
from airflow_ext.settings import SECRETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from airflow_ext.settings import Settings


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a lock file until the end of the block; wait for it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else may read, whole or not at all."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(text)
    draft.replace(path)


def _stated(environ: Mapping[str, str]) -> dict[str, str]:
    """What the environment gives, so that machines that share a deployment share its secrets."""
    names = {name: f"AIRFLOW_EXT_{name.upper()}" for name in SECRETS}
    return {name: environ[variable] for name, variable in names.items() if environ.get(variable)}


def read_secrets(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """The secrets, from the environment over the file.

    Raises:
        AirflowExtError: They were never made, or the file cannot be read.
    """
    stated = _stated(environ)
    if stated.keys() == SECRETS.keys():
        return stated
    try:
        found = json.loads(settings.secrets_file.read_text())
        return {name: stated.get(name) or str(found[name]) for name in SECRETS}
    except FileNotFoundError:
        raise AirflowExtError("Airflow is not initialised: run `meltano invoke airflow:initialize` first.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AirflowExtError(
            f"{settings.secrets_file} cannot be read ({type(error).__name__}); put it back, or delete it and run "
            "`meltano invoke airflow:initialize`, after which people log in anew."
        ) from None


def ensure_secrets(settings: Settings, environ: Mapping[str, str]) -> bool:
    """Make what is missing; what is there stays. Returns whether a file was written."""
    stated = _stated(environ)
    if stated.keys() == SECRETS.keys() or settings.secrets_file.exists():
        read_secrets(settings, environ)
        return False
    made = {
        "fernet_key": Fernet.generate_key().decode(),
        "jwt_secret": secrets.token_urlsafe(64),
        "api_secret_key": secrets.token_urlsafe(32),
    }
    write_private(settings.secrets_file, json.dumps(made | stated, indent=1))
    return True


def admin_password(settings: Settings, environ: Mapping[str, str]) -> str:
    """The administrator's password: the setting's, else the file's, which is made the first time."""
    if environ.get("AIRFLOW_EXT_ADMIN_PASSWORD"):
        return environ["AIRFLOW_EXT_ADMIN_PASSWORD"]
    if not settings.password_file.exists():
        write_private(settings.password_file, secrets.token_urlsafe(18) + "\n")
    return settings.password_file.read_text().strip()
