"""The files around the server: the project's root, the simulator's block in its `.env`, small private files."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BEGIN: Final = b"# >>> simulator (written by `simulator start`) >>>"
_END: Final = b"# <<< simulator <<<"
# A whole block; or one whose end was lost, which then ends with its own variables: no foreign line is taken.
_BLOCK: Final = re.compile(
    rb"^%(begin)s[ \t]*\r?\n(?:(?:(?!# (?:>>>|<<<) ).*\n)*?%(end)s[ \t]*(?:\r?\n|\Z)|(?:LOCAL_SIMULATOR_.*(?:\n|\Z))*)"
    % {b"begin": re.escape(_BEGIN), b"end": re.escape(_END)},
    re.MULTILINE,
)


def write_private(path: Path, content: bytes) -> None:
    """Put a file in place whole, readable by its owner only; a reader sees the old content or the new.

    Its folder is made (0700) where absent.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp gives 0600
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def find_root(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The folder with meltano.yml: from MELTANO_PROJECT_ROOT, else upwards from the working directory."""
    named = environ.get("MELTANO_PROJECT_ROOT")
    here = Path.cwd()
    candidates = [Path(named)] if named else [here, *here.parents]
    for folder in candidates:
        if (folder / "meltano.yml").is_file():
            return folder.resolve()
    return None


def write_env_block(path: Path, variables: Mapping[str, str]) -> bool:
    """Put the simulator's variables into their marked block of a `.env`, leaving every other byte as it is.

    The file is made (0600) where absent; a link is followed.

    Returns:
        Whether the file changed.
    """
    target = path.resolve()
    with _locked(target):
        return _write_env_block(target, variables)


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Hold the lock that every program of the project takes before it writes its block of `.env`."""
    folder = target.parent / ".state"
    if not folder.is_dir():
        yield  # no project's file
        return
    with (folder / "env.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _write_env_block(target: Path, variables: Mapping[str, str]) -> bool:
    before = target.read_bytes() if target.exists() else b""
    lines = [_BEGIN, *(f"{name}={value}".encode() for name, value in variables.items()), _END]
    block = b"\n".join(lines) + b"\n"
    blocks = iter([block])
    after, found = _BLOCK.subn(lambda _: next(blocks, b""), before)  # a second block would win over the first
    if not found:
        after = before + (b"\n" if before and not before.endswith(b"\n") else b"") + block
    if after == before:
        target.chmod(0o600)  # the warehouse's passwords stand in the same file
        return False
    write_private(target, after)
    return True
