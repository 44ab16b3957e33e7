"""Each program of the project explains itself, and each of its commands, in one form."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import click
import pytest

from checkout import PROJECT

BIN = Path(sys.executable).parent
COLUMNS = 80


def introspect() -> ModuleType:
    """What writes the reference's page of commands."""
    spec = spec_from_file_location("introspect", PROJECT / "docs/generate/introspect.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


INTROSPECT = introspect()
PROGRAMS = sorted(INTROSPECT.PROGRAMS)


def commands(name: str, found: click.Command) -> Iterator[tuple[str, click.Command]]:
    """A command and all below it that are not hidden, by what is typed."""
    yield name, found
    for word, below in getattr(found, "commands", {}).items():
        if not below.hidden:
            yield from commands(f"{name} {word}", below)


EVERY = {name: found for program in PROGRAMS for name, found in commands(program, INTROSPECT.command(program))}


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_begins_with_the_usage_and_fits_a_terminal(program: str) -> None:
    long, short = (
        subprocess.run(
            [BIN / program, option], capture_output=True, text=True, check=True, env={"COLUMNS": str(COLUMNS)}
        ).stdout
        for option in ("--help", "-h")
    )
    assert long == short
    assert re.match(rf"Usage: {program} \[OPTIONS\]", long)
    assert re.search(r"^  -h, --help +Show this message and exit\.$", long, re.MULTILINE)
    assert re.search(r"\n\n  [A-Z][^\n]+", long), "a sentence says what it is for"
    assert re.search(r"^  Example: \S", long, re.MULTILINE)
    assert max(map(len, long.splitlines())) <= COLUMNS
    assert long.isascii(), "no boxes"


def test_every_command_is_looked_at() -> None:
    assert {"crypto-elt run", "warehouse init", "mirror-node follow", "tap-blockchair", "tap-coingecko"} <= set(EVERY)
    assert len(EVERY) > 45


@pytest.mark.parametrize("name", sorted(EVERY))
def test_a_command_says_what_it_does_and_shows_one_example(name: str) -> None:
    """A command of a plugin as Meltano calls it: by the command's last word."""
    found = EVERY[name]
    first, *_ = (found.help or "").split("\n\n")
    assert re.match(r"[A-Z]", first)
    assert first.endswith(".")
    example = re.fullmatch(r"Example: (.+)", found.epilog or "")
    assert example
    assert len(example[0]) <= COLUMNS - 2, "it stands on one line"
    words = re.split(r"[\s:]+", example[1])
    program, *below = name.split()
    assert below[-1] in words if below else program in words or words[:2] == ["meltano", "invoke"]
    missing = [one.opts for one in found.params if isinstance(one, click.Option) and not (one.hidden or one.help)]
    assert missing == []


@pytest.mark.parametrize("name", sorted(name for name, found in EVERY.items() if isinstance(found, click.Group)))
def test_a_list_of_commands_cuts_no_sentence(name: str) -> None:
    _, text = next(INTROSPECT.helps(name, EVERY[name]))
    listed = text.partition("\nCommands:\n")[2]
    assert listed
    assert "..." not in listed
