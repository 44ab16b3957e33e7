"""Hooks of MkDocs: pages that are written from the code, and links that lead out of docs/.

`mkdocs.yml` names this file. MkDocs puts this folder on the import path while it loads it.
"""

import logging
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import links
import packages

_LOG = logging.getLogger("mkdocs.hooks.generate")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are written from other files of the tree."""
    for name, text in packages.pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Make links into the tree links of the site; one that leads nowhere is a warning, which ends a strict build."""
    source = packages.SOURCES.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    text, lost = links.for_the_site(markdown, source, page.file.src_uri, packages.PAGES)
    for target in lost:
        _LOG.warning("%s: the link %s leads to no file of the tree", source, target)
    return text
