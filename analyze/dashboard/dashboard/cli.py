"""The command line: serve the pages, or write them to files."""

import os
import socket
import sys
from pathlib import Path
from typing import NoReturn

import click
import uvicorn

from dashboard.errors import DashboardError
from dashboard.export import export as write_files
from dashboard.pages import PAGES
from dashboard.server import make_app
from dashboard.settings import LOOPBACK, Settings, read_settings
from dashboard.view import DEFAULT_SPAN, SPANS

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - named, not listened on


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog="Example: meltano invoke dashboard:serve")
def main() -> None:
    """Show the marts as pages in a browser.

    Settings are DASHBOARD_* variables, which Meltano sets.
    """


@main.command(epilog="Example: meltano invoke dashboard:serve")
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


@main.command(epilog="Example: meltano invoke dashboard:export --output public --days 365")
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="The folder to write to."
)
@click.option("--coin", "coins", multiple=True, help="A coin by CoinGecko's name of it; all if none is named.")
@click.option("--days", default=DEFAULT_SPAN, show_default=True, type=click.Choice(list(SPANS)), help="The span.")
def export(output: Path, coins: tuple[str, ...], days: str) -> None:
    """Write all pages to files that need no server."""
    asked = [*(("coin", coin) for coin in coins), ("days", days)]
    try:
        written = write_files(_settings(), PAGES, asked, output)
    except DashboardError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"the pages cannot be written to {output} ({error.strerror}): choose another folder by --output.")
    print(f"wrote {len(written)} pages; open {output / 'index.html'}")  # noqa: T201


def _settings() -> Settings:
    try:
        return read_settings(os.environ)
    except DashboardError as error:
        _fail(str(error))


def _fail(sentence: str) -> NoReturn:
    print(f"error: {sentence}", file=sys.stderr)  # noqa: T201
    sys.exit(1)
