"""Writes `.env` from `.env.example`, with generated passwords where the example asks for them."""

import base64
import re
import secrets
from pathlib import Path

from dotenv import dotenv_values

from console.project import Project

_ASSIGNMENT = re.compile(r"^([A-Z][A-Z0-9_]*)=(.*)$")


def write_env(project: Project) -> list[str]:
    """Make `.env`, or add the variables it lacks; values that are there stay. Returns the names that were added."""
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
            # What stands directly above: the words of a section's head are not about its first variable.
            value = _generated(" ".join(_last_paragraph(comment))) or assignment[2]
            blocks.append((assignment[1], "\n".join([*comment, f"{assignment[1]}={value}"]) + "\n"))
            comment = []
        else:
            comment.append(line)
    return blocks


def _last_paragraph(comment: list[str]) -> list[str]:
    after_blank = len(comment) - comment[::-1].index("") if "" in comment else 0
    return [line for line in comment[after_blank:] if not line.startswith("# ---")]


def _generated(sentence: str) -> str:
    """A secret of letters, digits, - and _, which needs no quoting in a URL; or "" where none is asked for."""
    if "(generated Fernet key)" in sentence:
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_urlsafe(24) if "(generated" in sentence else ""
