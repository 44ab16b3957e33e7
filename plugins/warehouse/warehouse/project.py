"""Where the project keeps things, and how private files are written."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Project:
    """A checkout of the project, known by the folder that holds ``meltano.yml``."""

    root: Path

    @property
    def state(self) -> Path:
        """The git-ignored folder of the local warehouse."""
        return self.root / ".state" / "warehouse"

    @property
    def data(self) -> Path:
        """The local server's data folder (PGDATA)."""
        return self.state / "data"

    @property
    def passwords_file(self) -> Path:
        """JSON of role name to generated password, the superuser's included; readable by its owner only."""
        return self.state / "passwords.json"

    @property
    def port_file(self) -> Path:
        """The TCP port of the local server's last start."""
        return self.state / "port"

    @property
    def env_file(self) -> Path:
        """The project's ``.env``."""
        return self.root / ".env"

    @property
    def meltano_database(self) -> Path:
        """Meltano's own SQLite database of the ``local`` environment, with its bookmarks."""
        return self.root / ".meltano" / "meltano.db"

    def make_state(self) -> None:
        """Create the state folders, closed to other users."""
        for folder in (self.state.parent, self.state):
            folder.mkdir(mode=0o700, exist_ok=True)


def find_project(environ: Mapping[str, str], start: Path) -> Project:
    """Find the project.

    Raises:
        WarehouseError: No ``meltano.yml`` is there.
    """
    named = environ.get("MELTANO_PROJECT_ROOT")
    if named:
        root = Path(named).resolve()
        if not (root / "meltano.yml").is_file():
            raise WarehouseError(
                f"MELTANO_PROJECT_ROOT names {root}, which holds no meltano.yml; point it at the project's folder."
            )
        return Project(root)
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / "meltano.yml").is_file():
            return Project(folder)
    raise WarehouseError(
        f"No meltano.yml in {start.resolve()} or above it; run this inside the project, or set MELTANO_PROJECT_ROOT."
    )


def write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step, readable and writable by its owner only (0600).

    An existing file keeps its owner, so that a run as root does not take a user's ``.env`` away; a link is followed.
    """
    target = path.resolve()
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists() and os.geteuid() == 0:
            owner = target.stat()
            os.chown(temporary, owner.st_uid, owner.st_gid)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
