"""Hooks of MkDocs: pages that are written from the code, and links that lead out of docs/.

`mkdocs.yml` names this file. MkDocs puts this folder on the import path while it loads it.
"""

import json
import logging
import subprocess

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import commands
import diagrams
import links
import models
import packages
import settings
import streams

_LOG = logging.getLogger("mkdocs.hooks.generate")


def generated() -> dict[str, str]:
    """By page of the site, its text, of all pages that are written from other files of the tree.

    Raises:
        PluginError: The programs could not be asked; the message says how to install them.
    """
    program = links.PROJECT / ".venv-dev/bin/python"
    try:
        done = subprocess.run(
            [program, links.PROJECT / "docs/generate/introspect.py"], capture_output=True, check=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or error
        raise PluginError(
            f"the programs could not be asked for their commands and settings: {reason}\n"
            "`python3 plugins/console/bootstrap.py --dev` installs them"
        ) from error
    introspected = json.loads(done.stdout)
    found = packages.pages()
    for part in (commands, models, settings, streams):
        found |= part.pages(introspected)
    return found


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are written from other files of the tree."""
    for name, text in generated().items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Make links into the tree links of the site, and diagrams tables.

    A link that leads nowhere is a warning, which ends a strict build.
    """
    source = packages.SOURCES.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    text, lost = links.for_the_site(markdown, source, page.file.src_uri, packages.PAGES)
    for target in lost:
        _LOG.warning("%s: the link %s leads to no file of the tree", source, target)
    return diagrams.as_tables(text)
