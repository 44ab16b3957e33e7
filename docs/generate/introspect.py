"""What only the programs can say: their commands, settings of taps and loader, streams. Prints JSON.

It runs in .venv-dev, which has every package of the tree; the site's own environment has none of them.
"""

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import click

# By program, the click command that it runs.
PROGRAMS = {
    "crypto-elt": "console.cli:cli",
    "warehouse": "warehouse.cli:main",
    "simulator": "simulator.cli:cli",
    "mirror-node": "mirror_node.cli:group",
    "target-postgres-copy-audit": "target_postgres_copy.audit:main",
    "target-postgres-copy-months": "target_postgres_copy.months:main",
    "airflow_extension": "airflow_ext.main:app",
    "crypto-dashboard": "dashboard.cli:main",
    "powerbi-project": "powerbi_project.cli:main",
    "tap-blockchair": "tap_blockchair.tap:TapBlockchair.cli",
    "tap-coingecko": "tap_coingecko.tap:TapCoinGecko.cli",
    "target-postgres-copy": "target_postgres_copy.target:TargetPostgresCopy.cli",
}
# By program that knows its own settings, the plugin of Meltano's.
WITH_SETTINGS = {
    "tap-blockchair": "tap-blockchair",
    "tap-coingecko": "tap-coingecko",
    "target-postgres-copy": "target-postgres",
}
TAPS = ("tap-blockchair", "tap-coingecko")


def command(program: str) -> click.Command:
    """The click command of a program."""
    module, _, path = PROGRAMS[program].partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    return cast("click.Command", found)


def helps(program: str, found: click.Command, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """A command and those below it that are not hidden, each with its help in plain text of 80 columns."""
    with click.Context(found, info_name=program, parent=parent, terminal_width=80, max_content_width=80) as context:
        formatter = click.HelpFormatter(width=80)
        click.Command.format_usage(found, context, formatter)
        click.Command.format_help_text(found, context, formatter)
        if isinstance(found, click.Group):
            click.Group.format_options(found, context, formatter)
        else:
            click.Command.format_options(found, context, formatter)
        click.Command.format_epilog(found, context, formatter)
        yield context.command_path, formatter.getvalue().rstrip()
        if isinstance(found, click.Group):
            for name in found.list_commands(context):
                below = found.get_command(context, name)
                if below and not below.hidden:
                    yield from helps(name, below, context)


def said(program: str, *words: str) -> dict[str, Any]:
    """What a program prints as JSON."""
    path = Path(sys.executable).with_name(program)
    return cast(
        "dict[str, Any]", json.loads(subprocess.run([path, *words], capture_output=True, check=True, text=True).stdout)
    )


def everything() -> dict[str, Any]:
    """Commands with their help, settings by plugin, streams by tap."""
    return {
        "commands": {name: text for program in PROGRAMS for name, text in helps(program, command(program))},
        "settings": {
            plugin: said(program, "--about", "--format=json")["settings"]["properties"]
            for program, plugin in WITH_SETTINGS.items()
        },
        "streams": {tap: said(tap, "--discover")["streams"] for tap in TAPS},
    }


if __name__ == "__main__":
    json.dump(everything(), sys.stdout)
