"""Fills the systemd units of orchestrate/systemd in for this checkout, for the whole machine or for one user."""

from pathlib import Path

from console.errors import ConsoleError
from console.project import Project

_WRITTEN_FOR = "/opt/crypto-elt"
# A user's own manager is no other user and may not change what of the system is seen.
_OF_THE_SYSTEM = ("User=", "ProtectSystem=")


def write_units(project: Project, folder: Path, user: str | None) -> list[Path]:
    """Write the units into a folder, replacing those that are there; returns their paths.

    Args:
        project: The checkout that they run.
        folder: Where systemd reads units.
        user: Whose they are on a machine's own systemd; None for units of a user's own manager.

    Raises:
        ConsoleError: The checkout's path has a character that units would not take as it is, or a file cannot be
            written.
    """
    root = str(project.root)
    if not root.replace("/", "").replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise ConsoleError(f"the path {root} has other characters than letters, digits, . - and _: move the checkout.")
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for unit in sorted((project.root / "orchestrate" / "systemd").glob("crypto-elt-*")):
            path = folder / unit.name
            path.write_text(_filled(unit.read_text(), root, user))
            written.append(path)
    except OSError as error:
        raise ConsoleError(f"{error.filename} cannot be written ({error.strerror}).") from None
    return written


def place(*, system: bool) -> Path:
    """Where systemd reads units that a person has made."""
    return Path("/etc/systemd/system") if system else Path.home() / ".config" / "systemd" / "user"


def _filled(text: str, root: str, user: str | None) -> str:
    lines = text.replace(_WRITTEN_FOR, root).splitlines(keepends=True)
    if user is None:
        kept = (line for line in lines if not line.startswith(_OF_THE_SYSTEM))
        # The system's own units are none of a user's manager, which starts after them.
        return "".join(kept).replace("multi-user.target", "default.target").replace(" postgresql.service", "")
    return "".join(f"User={user}\n" if line.startswith("User=") else line for line in lines)
