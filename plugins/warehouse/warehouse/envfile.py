"""The project's ``.env``: reading it, and keeping this package's marked block in it."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from dotenv import dotenv_values

from warehouse.project import write_private

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BLOCK_START = "# >>> warehouse (written by `warehouse start`) >>>"
BLOCK_END = "# <<< warehouse <<<"

# A whole block; or, where its end marker was lost, its start marker and the lines directly below that can only be ours.
_WHOLE = re.escape(BLOCK_START) + r"[ \t]*\r?\n(?:(?!" + re.escape(BLOCK_START) + r").*\n)*?" + re.escape(BLOCK_END)
_BROKEN = re.escape(BLOCK_START) + r"[ \t]*(?:\r?\n(?:LOCAL_WAREHOUSE_\w+|LOCAL_\w+_PASSWORD)=.*)*"
_BLOCK = re.compile(rf"^(?:{_WHOLE}|{_BROKEN})[ \t]*(?:\r?\n|\Z)".encode(), re.MULTILINE)


def read_env(path: Path) -> dict[str, str]:
    """Read the variables of a ``.env`` file, which may be absent; names without a value are left out."""
    if not path.is_file():
        return {}
    text = path.read_bytes().decode("utf-8", errors="replace")
    return {name: value for name, value in dotenv_values(stream=io.StringIO(text)).items() if value is not None}


def with_block(content: bytes, variables: Mapping[str, str]) -> bytes:
    """The content of a ``.env`` file with the block in it; values need no quoting.

    A present block is replaced where it stands, else one is appended. Every byte outside it stays; only a last line
    without a line end gets one before an appended block.
    """
    lines = [BLOCK_START, *(f"{name}={value}" for name, value in variables.items()), BLOCK_END]
    block = "".join(f"{line}\n" for line in lines).encode()
    found = list(_BLOCK.finditer(content))
    if not found:
        gap = b"" if not content or content.endswith(b"\n") else b"\n"
        return content + gap + block
    parts = [content[: found[0].start()], block]
    for position, match in enumerate(found):
        following = found[position + 1].start() if position + 1 < len(found) else len(content)
        parts.append(content[match.end() : following])
    return b"".join(parts)


def write_block(path: Path, variables: Mapping[str, str]) -> list[str]:
    """Make the file say these variables, touching it only when that changes something.

    Args:
        path: The ``.env`` file; made when absent.
        variables: What the block is to say.

    Returns:
        Names that another line of the file sets to another value after the block, and so still wins.
    """
    before = path.read_bytes() if path.is_file() else None
    after = with_block(before or b"", variables)
    if after != before or path.stat().st_mode & 0o077:
        write_private(path, after)
    now = read_env(path)
    return [name for name, value in variables.items() if now.get(name) != value]
