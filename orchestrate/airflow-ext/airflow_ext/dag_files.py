"""The DAG files that come with the extension; a project's own versions of them are never overwritten."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# SHA-256 of what former versions of this package wrote; such a file is replaced by today's.
_FORMER: frozenset[str] = frozenset()


def shipped() -> dict[str, str]:
    """Name and text of each DAG file of this version."""
    found = files("airflow_ext") / "shipped"
    return {entry.name: entry.read_text() for entry in found.iterdir() if entry.name.endswith(".py")}


def write_missing(folder: Path) -> Iterator[str]:
    """Write the files that are missing and replace unchanged older ones; yields what was done."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in sorted(shipped().items()):
        path = folder / name
        if not path.exists():
            path.write_text(text)
            yield f"wrote {path.name}"
        elif path.read_text() == text:
            continue
        elif hashlib.sha256(path.read_bytes()).hexdigest() in _FORMER:
            path.write_text(text)
            yield f"renewed {path.name}"
        else:
            yield f"kept your own {path.name}"
