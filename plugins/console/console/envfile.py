"""Writes `.env` from `.env.example`, with generated passwords where the example asks for them."""

import re
import secrets
from pathlib import Path

from dotenv import dotenv_values

from console.project import Project

_ASSIGNMENT = re.compile(r"^([A-Z][A-Z0-9_]*)=(.*)$")


def write_env(project: Project) -> list[str]:
    """Make `.env`, or add to it the variables it lacks; values that are there stay as they are.

    Returns:
        The names that were added.
    """
    path = project.env_file
    present = dotenv_values(path, interpolate=False) if path.exists() else {}
    missing = [block for block in _blocks(project.root / ".env.example") if block[0] not in present]
    if not path.exists():
        path.touch(mode=0o600)
    path.chmod(0o600)
    if missing:
        before = path.read_text()
        added = "".join(text for _, text in missing)
        path.write_text(before + ("\n" if before and not before.endswith("\n") else "") + added)
    return [name for name, _ in missing]


def _blocks(example: Path) -> list[tuple[str, str]]:
    """Split the example into (name, comment and assignment), generating what is marked so."""
    blocks: list[tuple[str, str]] = []
    comment: list[str] = []
    for line in example.read_text().splitlines():
        assignment = _ASSIGNMENT.match(line)
        if assignment:
            generated = any("(generated)" in text for text in comment)
            value = secrets.token_urlsafe(24) if generated else assignment[2]
            blocks.append((assignment[1], "\n".join([*comment, f"{assignment[1]}={value}"]) + "\n"))
            comment = []
        else:
            comment.append(line)
    return blocks
