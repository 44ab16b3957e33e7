"""What all commands share: the project, the server of an environment, and how progress is said."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from warehouse import local
from warehouse.envfile import read_env
from warehouse.project import Project, find_project
from warehouse.server import Server, live_server

if TYPE_CHECKING:
    from collections.abc import Callable

_Command = TypeVar("_Command", bound="Callable[..., None]")


def say(line: str) -> None:
    """Print a line of progress, on standard error."""
    click.echo(f"warehouse: {line}", err=True)


def project() -> Project:
    """The project of the working folder."""
    return find_project(os.environ, Path.cwd())


def variables() -> dict[str, str]:
    """The variables of the process and, behind them, of ``.env``: as in Meltano."""
    return {**read_env(project().env_file), **os.environ}


def live(environment: str, needed: tuple[str, ...]) -> Server:
    """The PostgreSQL that ``WAREHOUSE_*`` names."""
    return live_server(environment, variables(), needed)


def server_of(environment: str, needed: tuple[str, ...]) -> Server:
    """The server of an environment, on which the roles ``needed`` can log in."""
    return local.running_server(project()) if environment == "local" else live(environment, needed)


def environment_option(command: _Command) -> _Command:
    """Add ``--environment`` to a command."""
    return click.option(
        "--environment",
        type=click.Choice(["local", "dev", "prod"]),
        envvar="MELTANO_ENVIRONMENT",
        default="local",
        show_default=True,
        show_envvar=True,
        help="local: the embedded server. dev, prod: the PostgreSQL that WAREHOUSE_* in .env names.",
    )(command)
