"""Links between pages of docs/ and files of the tree, as they have to be in the site."""

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")


def for_the_site(markdown: str, source: str, page: str, pages: Mapping[str, str]) -> tuple[str, list[str]]:
    """A page's text with links of the site.

    Args:
        markdown: The text.
        source: The file that it stands in, from the tree's root; its links are relative to that.
        page: The page that it becomes, from the root of docs/.
        pages: By file of the tree outside docs/, the page that it becomes.

    Returns:
        The text, and the links that lead to no file. A link to a file that is no page becomes the file's path in code.
    """
    lost = []

    def mend(found: re.Match[str]) -> str:
        picture, text, target, anchor = found[1], found[2], found[3], found[4] or ""
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if not (PROJECT / path).exists():
            lost.append(target)
        goal = path.removeprefix("docs/") if path.startswith("docs/") else pages.get(path.removesuffix("/"))
        if goal is None and (PROJECT / path).is_dir():
            goal = pages.get(f"{path}/README.md")
        if goal is None:
            return f"`{path}`" if text.startswith("`") else f"{text} (`{path}`)"
        return f"{picture}[{text}]({posixpath.relpath(goal, posixpath.dirname(page) or '.')}{anchor})"

    return _LINK.sub(mend, markdown), lost
