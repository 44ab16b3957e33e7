"""One `meltano run` that shares nothing with those beside it but the plugins and the project's database.

Runs in one project folder otherwise overwrite each other's catalog and state files.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_OF_AIRFLOW = ("AIRFLOW", "_AIRFLOW", "MELTANO_UTIL", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
_KEPT = ("MELTANO_ENVIRONMENT", "MELTANO_PROJECT_ROOT", "PATH", "HOME")
_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=", re.MULTILINE)
_DATABASE_URI = re.compile(r"^database_uri\s*:", re.MULTILINE)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def clean_environ(root: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment in which `meltano` runs as if it were typed in the project's folder.

    Without what is Airflow's or of this interpreter, and without what the project's .env names: a .env that was
    changed since Airflow was started would else be beaten by what Airflow inherited of it.
    """
    dotenv = set(_ASSIGNMENT.findall(_text(root / ".env")))
    found = {
        name: value
        for name, value in environ.items()
        if name in _KEPT or not (name.startswith(_OF_AIRFLOW) or name in dotenv)
    }
    # Not resolved: the interpreter of a virtual environment is a link out of it.
    own = str(Path(sys.executable).parent)
    found["PATH"] = os.pathsep.join(
        folder for folder in environ.get("PATH", os.defpath).split(os.pathsep) if folder and folder != own
    )
    found |= {"NO_COLOR": "1", "MELTANO_PROJECT_ROOT": str(root)}
    named = {"MELTANO_DATABASE_URI"} & (found.keys() | dotenv) or _DATABASE_URI.search(_text(root / "meltano.yml"))
    if not named:
        system = Path(environ.get("MELTANO_SYS_DIR_ROOT") or root / ".meltano")
        found["MELTANO_DATABASE_URI"] = f"sqlite:///{system / 'meltano.db'}"
    return found


def _sweep(folder: Path) -> None:
    """Delete what runs left that were killed; a run that lives holds its lock."""
    for lock in folder.glob("*.lock"):
        with suppress(OSError), lock.open("r+") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
            lock.unlink(missing_ok=True)


def meltano_words(environ: Mapping[str, str]) -> list[str]:
    """How a command line of the project's Meltano begins: the program, its log as JSON lines, the environment."""
    program = os.environ.get("MELTANO_EXECUTABLE") or "meltano"
    chosen = environ.get("MELTANO_ENVIRONMENT")
    return [program, "--log-format=json", *([f"--environment={chosen}"] if chosen else [])]


@contextmanager
def system_directory(root: Path, folder: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """A system directory of Meltano for one run, with links to the installed plugins; deleted in the end."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sweep(folder)
    descriptor, name = tempfile.mkstemp(prefix="run-", suffix=".lock", dir=folder)
    lock = Path(name)
    own = lock.with_suffix("")
    with os.fdopen(descriptor, "r+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        own.mkdir(mode=0o700)
        try:
            system = Path(environ.get("MELTANO_SYS_DIR_ROOT") or root / ".meltano")
            for kind in ("extractors", "loaders", "mappers", "utilities"):
                if (system / kind).is_dir():
                    (own / kind).symlink_to((system / kind).resolve(), target_is_directory=True)
            yield own
        finally:
            shutil.rmtree(own, ignore_errors=True)
            lock.unlink(missing_ok=True)
