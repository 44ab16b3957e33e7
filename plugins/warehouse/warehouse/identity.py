"""Under which user the server runs: PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from pathlib import Path

_NOBODY = 65534


@dataclass(frozen=True)
class Identity:
    """How the server's programs are started."""

    prefix: tuple[str, ...] = ()  # put before a program's own command line
    owner: tuple[int, int] | None = None  # user and group that the data folder must get; None where it has them

    def give(self, path: Path) -> None:
        """Give a file or folder, and all below it, to the server's user."""
        if self.owner is None:
            return
        for item in (path, *path.rglob("*")) if path.is_dir() else (path,):
            os.chown(item, *self.owner, follow_symlinks=False)


def _named_user() -> tuple[int, int]:
    """A user without rights that the password database knows: initdb looks its own user up and fails without a name."""
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return _NOBODY, _NOBODY
    return entry.pw_uid, entry.pw_gid


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _namespace() -> tuple[str, ...] | None:
    """A command that runs a program in a user namespace in which it is not root, if this machine allows one."""
    uid, gid = _named_user()
    command = ("unshare", "--user", f"--map-user={uid}", f"--map-group={gid}")
    if shutil.which("unshare") is None:
        return None
    trial = subprocess.run([*command, "true"], capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return command if trial.returncode == 0 else None


def _as_user(uid: int, gid: int) -> Identity:
    if shutil.which("setpriv") is None:
        raise WarehouseError(
            "PostgreSQL does not run as root, and this machine offers neither user namespaces (unshare) nor setpriv; "
            "run as a plain user, or install util-linux."
        )
    return Identity(("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"), (uid, gid))


def choose_identity(data: Path) -> Identity:
    """Choose how to run the server's programs.

    A plain user runs them directly. Root runs them in a user namespace, where the files stay root's; else as an
    unprivileged user, to whom the data folder is then given. A data folder that belongs to a plain user is served as
    that user, so that ``sudo`` does not lock them out.

    Raises:
        WarehouseError: Root, and the machine offers no way to drop its rights.
    """
    if os.geteuid() != 0:
        if _has_name(os.geteuid()):
            return Identity()
        return Identity(_namespace() or ())
    if data.is_dir() and data.stat().st_uid != 0:
        return _as_user(data.stat().st_uid, data.stat().st_gid)
    namespace = _namespace()
    return Identity(namespace) if namespace else _as_user(*_named_user())


def open_way(identity: Identity, state: Path, targets: list[Path]) -> None:
    """Make sure that the server's user can reach some folders.

    The project's own two state folders are opened for passing through (not for listing); no other folder is touched.

    Raises:
        WarehouseError: A folder on the way is closed to that user.
    """
    if identity.owner is None:
        return
    for folder in (state.parent, state):
        if folder.stat().st_uid == 0:
            folder.chmod(0o711)
    way = sorted({step for target in targets for step in (*target.resolve().parents, target.resolve())})
    # Asked of the kernel, as that user, because access lists and mounts have a say too.
    question = 'for step do [ -x "$step" ] || { printf %s "$step"; exit 1; }; done'
    answer = subprocess.run(
        [*identity.prefix, "sh", "-c", question, "sh", *map(str, way)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd="/",
    )
    if answer.returncode != 0:
        closed = answer.stdout or answer.stderr.strip()
        raise WarehouseError(
            f"As root the server runs as user {identity.owner[0]}, who may not pass through {closed}; move the project "
            "and its virtual environment to a place open to all (chmod o+x on that folder also helps), or run as a "
            "plain user."
        )
