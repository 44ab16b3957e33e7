"""The compiled project, from which the DAGs are made: compiled when asked, and whenever a project file changes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from airflow_ext.errors import AirflowExtError
from airflow_ext.isolation import clean_environ
from airflow_ext.secrets import write_private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_ext.settings import Settings

_LOOK_SECONDS = 3.0
_COMPILE_SECONDS = 120
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def project_files(root: Path) -> list[Path]:
    """The files that `meltano schedule` and people edit: meltano.yml, what it includes, and .env."""
    main = root / "meltano.yml"
    try:
        stated = yaml.safe_load(main.read_text()) or {}
        patterns = [str(pattern) for pattern in stated.get("include_paths") or []]
    except (OSError, yaml.YAMLError, AttributeError, TypeError):
        patterns = ["**/*.meltano.yml"]  # broken for the moment: whatever could belong to it may mend it
    included = {path for pattern in patterns for path in root.glob(pattern)}
    return [main, root / ".env", *sorted(included)]


def fingerprint(root: Path) -> tuple[tuple[str, int, int], ...]:
    """What changes when one of the project's files does."""
    found = []
    for path in project_files(root):
        try:
            status = path.stat()
        except OSError:
            continue
        found.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(found)


def compile_manifest(settings: Settings, environ: Mapping[str, str]) -> None:
    """Compile the project and put the manifest in its place in one step; sensitive settings are left out of it.

    When that fails the last good manifest stays, and the reason stands beside it for the DAG that shows it.

    Raises:
        AirflowExtError: The project cannot be compiled, and why.
    """
    settings.manifest.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=".compile-", dir=settings.manifest.parent))
    try:
        reason = _compile_into(folder, settings, environ)
        if reason is not None:
            write_private(settings.manifest_error, f"{reason}\n")
            raise AirflowExtError(reason)
        write_private(settings.manifest, _without_environment((folder / settings.manifest.name).read_text()))
        settings.manifest_error.unlink(missing_ok=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _without_environment(text: str) -> str:
    """The manifest without the project's own environment, which no DAG needs: Meltano's database and its password."""
    manifest = json.loads(text)
    manifest.pop("env", None)
    return json.dumps(manifest, indent=1)


def _compile_into(folder: Path, settings: Settings, environ: Mapping[str, str]) -> str | None:
    """Compile; returns why it failed."""
    command = [settings.meltano, "--log-level=warning", f"--environment={settings.environment}", "compile"]
    try:
        done = subprocess.run(
            [*command, "--directory", str(folder)],
            cwd=settings.root,
            env=clean_environ(settings.root, environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMPILE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"`{settings.meltano} compile` did not end well: {error}."
    if done.returncode == 0 and (folder / settings.manifest.name).is_file():
        return None
    words = [line.strip() for line in _COLOUR.sub("", done.stderr + done.stdout).splitlines() if line.strip()]
    return f"The project cannot be compiled: {' '.join(words[-6:]) or 'no reason given'}"


class Watcher(threading.Thread):
    """Compiles whenever a project file changes, until `end`."""

    def __init__(self, settings: Settings, log: Callable[[str], None]) -> None:
        super().__init__(name="manifest", daemon=True)
        self._settings, self._log = settings, log
        self._end = threading.Event()

    def end(self) -> None:
        """Stop looking."""
        self._end.set()

    def run(self) -> None:
        """Look every few seconds."""
        seen = None
        while not self._end.wait(0 if seen is None else _LOOK_SECONDS):
            now = fingerprint(self._settings.root)
            if now == seen:
                continue
            try:
                compile_manifest(self._settings, os.environ)
                self._log("the project was compiled; its DAGs follow within a minute")
            except AirflowExtError as error:
                self._log(f"{error} (the DAGs stay as they were)")
            seen = now
