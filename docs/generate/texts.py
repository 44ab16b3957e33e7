"""Pieces of Markdown."""

from collections.abc import Iterable, Sequence


def cell(text: object) -> str:
    """Text for a cell of a table: on one line, no bar that would end the cell; nothing for None."""
    return "" if text is None else " ".join(str(text).split()).replace("|", "\\|")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with its head."""
    lines = [head, ["---"] * len(head), *([cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def page(title: str, purpose: str, *parts: str, read_next: str) -> str:
    """A page: what it is for, its parts, what to read next."""
    return "\n".join([f"# {title}", purpose, "", *parts, "", "## Read next", read_next, ""])
