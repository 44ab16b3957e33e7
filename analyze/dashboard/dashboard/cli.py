"""The command line: serve the pages, or write them to files."""

import os
import socket
import sys
from typing import NoReturn

import click
import uvicorn

from dashboard.errors import DashboardError
from dashboard.pages import PAGES
from dashboard.server import make_app
from dashboard.settings import LOOPBACK, Settings, read_settings

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - named, not listened on


@click.group()
def main() -> None:
    """Pages over the marts of crypto-elt. Settings are DASHBOARD_* variables, which Meltano sets."""


@main.command()
def serve() -> None:
    """Serve the pages until this is interrupted."""
    settings = _settings()
    try:
        listener = socket.create_server((settings.host, settings.port), backlog=128)
    except OSError as error:
        _fail(
            f"the dashboard cannot listen on {settings.host}:{settings.port} ({error.strerror}): end what does, or"
            " choose another port by DASHBOARD_PORT; 0 takes a free one."
        )
    host = LOOPBACK if settings.host in _EVERYWHERE else settings.host
    print(f"dashboard: http://{host}:{listener.getsockname()[1]}/  (end it with Ctrl-C)", flush=True)  # noqa: T201
    config = uvicorn.Config(make_app(settings, PAGES), log_level="warning", access_log=False, server_header=False)
    uvicorn.Server(config).run(sockets=[listener])


def _settings() -> Settings:
    try:
        return read_settings(os.environ)
    except DashboardError as error:
        _fail(str(error))


def _fail(sentence: str) -> NoReturn:
    print(f"error: {sentence}", file=sys.stderr)  # noqa: T201
    sys.exit(1)
