"""The page of commands: every program's help, and the targets of make."""

import re
from collections.abc import Mapping
from typing import Any

from links import PROJECT
from texts import page, table

_TARGET = re.compile(r"^([a-z-]+):.*?## \w+: (.*)$", re.MULTILINE)


def targets() -> list[tuple[str, str]]:
    """Each target of the Makefile that says what it is for."""
    return _TARGET.findall((PROJECT / "Makefile").read_text())


def pages(introspected: Mapping[str, Any]) -> dict[str, str]:
    """The page, by its name."""
    sections = [
        f"{'###' if ' ' in name else '##'} {name}\n\n```text\n{text}\n```\n"
        for name, text in introspected["commands"].items()
    ]
    text = page(
        "Commands",
        "Look up what a command does and which options it takes. The text is each command's own `--help`. Commands of"
        " plugins (`meltano invoke PLUGIN:COMMAND`) stand with the plugin's [settings](settings.md).",
        "## make\n",
        table(["command", "what it does"], [[f"`make {name}`", what] for name, what in targets()]),
        *sections,
        read_next="[Exit codes](exit-codes.md), [Settings](settings.md).",
    )
    return {"reference/commands.md": text}
